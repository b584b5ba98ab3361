"""Write docs/settings.md and packaging/genlock.env.example from the definitions of the settings.

python scripts/settings.py
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from genlock.settings import Accounts, Settings, variable_of

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT, EXAMPLE = ROOT / "docs" / "settings.md", ROOT / "packaging" / "genlock.env.example"
PROOFS = "for proofs: "
BY_THE_MACHINE = {"home": "the platform's data folder", "cpu": "the number of cores"}
UNITS = (("h", 3600), ("min", 60), ("s", 1))

HEAD = """# Settings

Everything that can be set comes from the environment; nothing else is read. A value that does not fit is
refused at the start with the name of its variable. Spans are seconds (`90`) or ISO 8601 (`PT2H`), money is
written as `2.50` or `2.50 EUR`. This page and `packaging/genlock.env.example` are written from the
definitions by `make settings`, and a test compares them.
"""
ENVIRONMENT = """\
# Settings of genlock, each with its default. Take the mark off those that you want to be otherwise.
# For `docker run --env-file`, `EnvironmentFile=` of systemd, or `set -a; . ./genlock.env` in a shell.
"""


def sections() -> Iterator[tuple[str, dict[str, FieldInfo]]]:
    """Fields by what they are about, in the order of their definitions."""
    bought = set(Accounts.model_fields)
    ours = {name: field for name, field in Settings.model_fields.items() if name not in bought}
    proofs = {name for name, field in ours.items() if str(field.description).startswith(PROOFS)}
    yield "The service", {name: field for name, field in ours.items() if name not in proofs}
    yield (
        "Models and vendors",
        {name: Settings.model_fields[name] for name in Settings.model_fields if name in bought},
    )
    yield "For proofs", {name: ours[name] for name in ours if name in proofs}


def document() -> str:
    """The page."""
    parts = [HEAD]
    for title, fields in sections():
        rows = [
            f"| `{variable_of(name)}` | {_shown(name, field)} | {_told(field)} |"
            for name, field in fields.items()
        ]
        parts.append(
            "\n".join([f"## {title}\n", "| variable | default | what it is |", "|---|---|---|", *rows]) + "\n"
        )
    return "\n".join(parts)


def example() -> str:
    """The file."""
    lines = [ENVIRONMENT]
    for title, fields in sections():
        if title != "For proofs":
            lines += [f"\n# {title}\n"]
            lines += [
                f"# {_told(field)}\n#{variable_of(name)}={_plain(field.default)}\n"
                for name, field in fields.items()
            ]
    return "".join(lines)


def _told(field: FieldInfo) -> str:
    return str(field.description).removeprefix(PROOFS).replace("|", "\\|")


def _shown(name: str, field: FieldInfo) -> str:
    if name in BY_THE_MACHINE:
        return BY_THE_MACHINE[name]
    if isinstance(field.default, timedelta):
        return next(
            f"{field.default / timedelta(seconds=n):g} {unit}"
            for unit, n in UNITS
            if field.default >= timedelta(seconds=n)
        )
    plain = _plain(field.default)
    return f"`{plain}`" if plain else "–"


def _plain(default: Any) -> str:
    if default is None or default is PydanticUndefined:
        return ""
    return f"{default.total_seconds():g}" if isinstance(default, timedelta) else str(default)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
    EXAMPLE.write_text(example(), encoding="utf-8")
