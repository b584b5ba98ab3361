"""`genlock doctor`: whether this machine has what genlock needs, and what is odd about it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from genlock.cli.inquiry import Json
from genlock.errors import GenlockError

if TYPE_CHECKING:
    from genlock.settings import Settings

OK, NOTE, MISSING = "ok", "note", "missing"
WAL_SAFE = (3, 51, 3)  # before it, two processes that write one WAL can corrupt it
ENCODERS, FILTERS = ("libx264", "aac"), ("ebur128", "aresample", "aformat")
PACKAGES = ("av", "opencv-python-headless", "numpy", "pillow", "sqlalchemy", "fastapi", "pydantic")
MEDIA = f"""
import json, av, cv2, numpy
from av.codec import Codec
def encodes(name):
    try:
        return bool(Codec(name, "w"))
    except Exception:
        return False
print(json.dumps({{
    "encoders": {{name: encodes(name) for name in {ENCODERS!r}}},
    "filters": {{name: name in av.filter.filters_available for name in {FILTERS!r}}},
    "libraries": {{name: ".".join(map(str, v)) for name, v in av.library_versions.items()}},
}}))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is as it should be, and what was found."""

    what: str
    state: str
    found: str


def doctor(json: Json = False) -> None:
    """Say what is installed and what is missing. Exit code 1 if something needed is missing."""
    from genlock.log import log_to_stderr
    from genlock.settings import load_settings

    settings = load_settings()
    log_to_stderr(settings)
    findings = list(examine(settings))
    if json:
        _print_json(findings)
    else:
        _print(findings)
    raise typer.Exit(1 if any(one.state == MISSING for one in findings) else 0)


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything. What cannot be looked at counts as missing."""
    looks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("sqlite", _sqlite),
        ("media", _media),
        ("machine", _machine),
        ("home", _home),
        ("disk", _disk),
        ("providers", _providers),
    )
    for what, look in looks:
        try:
            yield from look(settings)
        except (GenlockError, OSError, ImportError) as error:
            yield Finding(what, MISSING, str(error))


def _python(_: Settings) -> Iterator[Finding]:
    import platform

    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    found = f"{platform.python_version()} ({sys.executable})"
    yield Finding("python", OK if fits else MISSING, found if fits else f"{found}: 3.11 to 3.13 are needed")


def _packages(_: Settings) -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    found, missing = [f"genlock {version('genlock')}"], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    yield Finding("packages", OK, ", ".join(found))
    if missing:
        yield Finding("packages", MISSING, f"not installed: {', '.join(missing)}")


def _sqlite(_: Settings) -> Iterator[Finding]:
    import sqlite3

    found = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= WAL_SAFE:
        yield Finding("sqlite", OK, found)
        return
    safe = ".".join(map(str, WAL_SAFE))
    yield Finding(
        "sqlite",
        NOTE,
        f"{found}: before {safe} two processes writing one database could damage it. genlock lets only "
        "the home's owner write, so this is safe here; open ledger.db elsewhere for reading only",
    )


def _media(_: Settings) -> Iterator[Finding]:
    """Asked in a child process, as everything that touches media libraries is."""
    command = [sys.executable, "-c", MEDIA]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except subprocess.TimeoutExpired:
        yield Finding("media", MISSING, "the media libraries did not load within a minute")
        return
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or [f"exit code {error.returncode}"]
        yield Finding("media", MISSING, f"the media libraries do not load: {last[0]}")
        return
    answer: dict[str, dict[str, Any]] = json.loads(told.stdout)
    yield Finding("media", OK, ", ".join(f"{k} {v}" for k, v in answer["libraries"].items()))
    for kind in ("encoders", "filters"):
        lacking = [name for name, there in answer[kind].items() if not there]
        yield Finding(
            kind,
            MISSING if lacking else OK,
            f"not there: {', '.join(lacking)}" if lacking else ", ".join(answer[kind]),
        )


def _machine(settings: Settings) -> Iterator[Finding]:
    import os

    from genlock.cli.word import size

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    wanted = settings.cpu * settings.child_memory_mb << 20
    found = f"{settings.cpu} rendering processes of {os.cpu_count()} cores, {size(memory)} memory"
    if wanted <= memory:
        yield Finding("machine", OK, found)
    else:
        yield Finding(
            "machine",
            NOTE,
            f"{found}: each process may take {size(settings.child_memory_mb << 20)}, together more than "
            "there is. Lower GENLOCK_CPU or GENLOCK_CHILD_MEMORY_MB if rendering runs out of memory",
        )


def _home(settings: Settings) -> Iterator[Finding]:
    from genlock.owner import filesystem_of, owner_of, prepare_home

    prepare_home(settings.home)
    kind = filesystem_of(settings.home)
    yield Finding("home", OK, f"{settings.home}{f' ({kind})' if kind else ''}")
    yield Finding("owner", OK, str(owner_of(settings) or "nobody: the next command that needs the home"))


def _disk(settings: Settings) -> Iterator[Finding]:
    from genlock.cli.word import size

    usage = shutil.disk_usage(settings.home)
    reserve = usage.total * settings.disk_reserve
    found = f"{size(usage.free)} of {size(usage.total)} free, of which {size(reserve)} are kept free"
    short = usage.free <= reserve
    yield Finding("disk", MISSING if short else OK, f"{found}: rendering waits" if short else found)


def _providers(settings: Settings) -> Iterator[Finding]:
    from genlock.cli.vendor import ask_providers

    for kind, works, found in ask_providers(settings):
        yield Finding(kind, OK if works else MISSING, found)


def _print(findings: list[Finding]) -> None:
    import textwrap

    from rich.console import Console

    marks = {OK: "[green]✓[/]", NOTE: "[yellow]![/]", MISSING: "[bold red]✗[/]"}
    console = Console(highlight=False)
    for one in findings:
        lines = textwrap.wrap(one.found, max(20, min(console.width, 120) - 12)) or [""]
        console.print(f"{marks[one.state]} {one.what:<9}", end=" ")
        for index, line in enumerate(lines):
            console.print(f"{'' if index == 0 else ' ' * 12}{line}", markup=False)


def _print_json(findings: list[Finding]) -> None:
    from dataclasses import asdict

    print(json.dumps([asdict(one) for one in findings], indent=2))
