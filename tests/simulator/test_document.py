"""docs/testing.md says all there is, and nothing that is not."""

from __future__ import annotations

import re
from pathlib import Path

from genlock.testing.simulator import Do
from genlock.testing.simulator.desk import ROUTES
from genlock.testing.simulator.face import Face
from genlock.testing.simulator.server import VENDORS

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[str]:
    """The first column of the table below a line that begins so."""
    table = TEXT.partition(heading)[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)


def test_every_fault_is_listed_in_its_order() -> None:
    assert rows("| `do` | what happens |\n|---|---|\n") == [do.value for do in Do]


def test_every_vendor_is_listed() -> None:
    assert sorted(rows("| vendor | what it does here |\n|---|---|\n")) == sorted(
        kind.name for kind in VENDORS
    )


def test_every_method_is_named_and_every_route_is_a_word_of_the_desk() -> None:
    methods = {name for name in vars(Face) if not name.startswith("_")}
    named = set(re.findall(r"\b(\w+)\(", TEXT))
    assert methods - named <= {"behave", "reset", "shut", "now"}, "those have routes that are shown"
    shown = set(re.findall(r"localhost:8099(/_\w*)", TEXT))
    assert shown <= {path for _, path in ROUTES}
