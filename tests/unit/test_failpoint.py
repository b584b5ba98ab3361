"""A process dies where it was told to, and lists the points where it could."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from genlock import failpoint
from genlock.errors import BadInput
from genlock.failpoint import Order, Point, around
from genlock.settings import load_settings

TRIES = """
import sys
from genlock import failpoint
failpoint.arm(sys.argv[1])
for step in range(3):
    with failpoint.around("commit"):
        print(step, end=" ", flush=True)
print("end")
"""


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoint.arm(None)


def run(order: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", TRIES, order], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    ("order", "said"),
    [("commit:2:before", "0 "), ("commit:2:after", "0 1 "), ("send:1:before", "0 1 2 end\n")],
)
def test_a_process_kills_itself_where_it_was_told_to_and_nowhere_else(order: str, said: str) -> None:
    done = run(order)
    assert done.stdout == said
    assert done.returncode == (0 if "end" in said else -signal.SIGKILL)


def test_a_list_has_every_point_in_order_and_each_line_of_it_is_an_order(tmp_path: Path) -> None:
    failpoint.arm(f"list:{tmp_path / 'points.txt'}")
    with around("commit"):
        pass
    with around("send"), around("commit"):
        pass
    lines = (tmp_path / "points.txt").read_text().split()
    assert lines == [
        "commit:1:before",
        "commit:1:after",
        "send:1:before",
        "commit:2:before",
        "commit:2:after",
        "send:1:after",
    ]
    assert [str(Order.parse(line).die_at) for line in lines] == lines


def test_what_failed_has_no_moment_after_it(tmp_path: Path) -> None:
    failpoint.arm(f"list:{tmp_path / 'points.txt'}")
    with pytest.raises(OSError), around("commit"):
        raise OSError
    assert (tmp_path / "points.txt").read_text().split() == ["commit:1:before"]


def test_without_an_order_nothing_is_counted() -> None:
    failpoint.arm(None)
    assert around("commit") is around("send")


@pytest.mark.parametrize("text", ["commit", "commit:0:after", "commit:1:during", "list:", "a:b:after"])
def test_an_order_that_cannot_be_carried_out_is_refused_with_the_setting(monkeypatch, text: str) -> None:
    with pytest.raises(BadInput, match="is no failpoint"):
        Order.parse(text)
    monkeypatch.setenv("GENLOCK_FAILPOINT", text)
    with pytest.raises(BadInput, match="GENLOCK_FAILPOINT"):
        load_settings()


def test_an_empty_setting_is_none(monkeypatch) -> None:
    monkeypatch.setenv("GENLOCK_FAILPOINT", "")
    assert load_settings().failpoint is None


def test_an_order_is_a_setting(monkeypatch) -> None:
    monkeypatch.setenv("GENLOCK_FAILPOINT", "commit:3:after")
    order = load_settings().failpoint
    assert order is not None
    assert Order.parse(order).die_at == Point("commit", 3, "after")
