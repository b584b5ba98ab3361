"""Others doing the work of `trial.py`, each in a virtual environment of its own, made here.

`dbos-sqlite`, `dbos-postgres`: DBOS Transact. `luigi`: Luigi, its targets files. `huey`: Huey with SQLite.
How each of them does it, and what that leaves out, is told in its script in `peer/`: the fastest way there
that can run tasks beside each other. The newest version is installed the first time and named in the
figures; removing the folder of an environment brings a newer one.

PostgreSQL is the server of the tests (`tests/postgres.py`), with fsync, in the folder for temporary files.

What a peer has not done within the limit is null, and is not tried again in later rounds. A job that is to
be resumed is made once for all rounds; each begins with a copy of it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, LiteralString, Self

import psycopg
import pytest
from psycopg import sql
from report import ROOT
from stopwatch import Found, Unmeasured, leave, run

sys.path.append(str(ROOT / "tests"))

from postgres import Server

STAGES = 10  # of a chain, as in peer/drive.py
PREPARING = 3  # times the limit, once: to have something that can be resumed
Figures = dict[str, float | None]


@dataclass(frozen=True)
class Peer:
    """One of the others: its script in `peer/`, the package it needs, and whether it gets a database."""

    name: str
    package: str
    database: bool = False

    @property
    def script(self) -> Path:
        return Path(__file__).parent / "peer" / f"on_{self.package}.py"


PEERS = (
    Peer("dbos-sqlite", "dbos"),
    Peer("dbos-postgres", "dbos", database=True),
    Peer("luigi", "luigi"),
    Peer("huey", "huey"),
)


@dataclass(frozen=True)
class Load:
    """How many of everything."""

    tasks: int
    chains: int
    finished: int


class Folders:
    """Places for state that are folders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def lend(self, copy_of: str | None = None) -> Iterator[str]:
        """A new one for one measurement, or a copy."""
        place = self._folder / "peer"
        if copy_of is not None:
            shutil.copytree(copy_of, place)
        try:
            yield str(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def keep(self, peer: Peer) -> str:
        """One that stays until the end."""
        return str(self._folder / f"left-{peer.name}")


class Databases:
    """Places for state that are databases of one server, started when first asked for."""

    def __init__(self) -> None:
        self._server: Server | None = None
        self.version: str | None = None

    def server(self) -> Server:
        if self._server is None:
            try:
                self._server = Server()
                self._server.start(fsync="on", full_page_writes="on", shared_buffers="128MB")
            except pytest.fail.Exception as error:
                raise Unmeasured(f"PostgreSQL: {error.msg}") from None
            with psycopg.connect(self._server.url) as connection:
                self.version = connection.execute("SHOW server_version").fetchall()[0][0]
        return self._server

    @contextmanager
    def lend(self, copy_of: str | None = None) -> Iterator[str]:
        """A new one for one measurement, or a copy."""
        template = "template1" if copy_of is None else self._name(copy_of)
        self._call("CREATE DATABASE trial TEMPLATE {}", template)
        try:
            yield self._url("trial")
        finally:
            self._call("DROP DATABASE trial WITH (FORCE)")

    def keep(self, peer: Peer) -> str:
        """One that stays until the end."""
        name = f"left-{peer.name}"
        self._call("CREATE DATABASE {}", name)
        return self._url(name)

    def close(self) -> None:
        if self._server is not None:
            self._server.discard()

    def _url(self, name: str) -> str:
        return self.server().url.replace("/postgres?", f"/{name}?")

    def _name(self, url: str) -> str:
        """Of a database nobody is connected to any more, as a template has to be."""
        name = url.partition("?")[0].rpartition("/")[2]
        ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
        with psycopg.connect(self.server().url) as connection:
            connection.execute(ended, [name])
        return name

    def _call(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self.server().url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class Contest:
    """Measures the peers, round by round."""

    def __init__(self, folder: Path, cache: Path, load: Load, limit: float) -> None:
        self._cache, self.load, self._limit = cache, load, limit
        self._folders, self._databases = Folders(folder), Databases()
        self._found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._left: dict[str, str] = {}
        self.missing: dict[str, dict[str, str]] = defaultdict(dict)
        self.versions: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._databases.close()

    def round(self) -> None:
        """Everything once, with every peer that has not failed at it."""
        for peer in PEERS:
            print(f"  {peer.name}", file=sys.stderr, flush=True)
            for key, measure in self._measures().items():
                if key in self.missing[peer.name]:
                    continue
                try:
                    self._found[peer.name][key].append(measure(peer))
                except Unmeasured as why:
                    self.missing[peer.name][key] = str(why)

    def figures(self) -> dict[str, Figures]:
        """Medians over the rounds; None where there is none, and `missing` says why."""
        return {peer.name: {key: self._figure(peer, key) for key in self._measures()} for peer in PEERS}

    def _figure(self, peer: Peer, key: str) -> float | None:
        if key in self.missing[peer.name]:
            return None
        return round(median(self._found[peer.name][key]), 0 if key.endswith("_s") else 3)

    def _measures(self) -> dict[str, Callable[[Peer], float]]:
        return {
            f"fanout_{self.load.tasks}_tasks_per_s": self._fanout,
            "chain_ms_per_stage": self._chain,
            f"resume_{self.load.finished}_ms": self._resume,
        }

    def _fanout(self, peer: Peer) -> float:
        return self.load.tasks / self._new(peer, "fanout", self.load.tasks)

    def _chain(self, peer: Peer) -> float:
        return self._new(peer, "chain", self.load.chains) / self.load.chains / STAGES * 1e3

    def _resume(self, peer: Peer) -> float:
        places = self._places(peer)
        if peer.name not in self._left:
            kept = places.keep(peer)
            leave(self._command(peer, "leave", self.load.finished, kept), self._limit * PREPARING)
            self._left[peer.name] = kept
        with places.lend(self._left[peer.name]) as place:
            return self._seconds(peer, "resume", self.load.finished, place) * 1e3

    def _new(self, peer: Peer, what: str, count: int) -> float:
        with self._places(peer).lend() as place:
            return self._seconds(peer, what, count, place)

    def _seconds(self, peer: Peer, what: str, count: int, place: str) -> float:
        found: Found = run(self._command(peer, what, count, place), self._limit)
        self.versions[peer.package] = found["version"]
        if self._databases.version is not None:
            self.versions["postgresql"] = self._databases.version
        return float(found["seconds"])

    def _places(self, peer: Peer) -> Any:
        return self._databases if peer.database else self._folders

    def _command(self, peer: Peer, what: str, count: int, place: str) -> list[str]:
        python = installed(peer.package, self._cache)
        return [str(python), str(peer.script), what, str(count), place]


def installed(package: str, cache: Path) -> Path:
    """The interpreter of an environment that has the package (or several, with blanks between them), made
    now if it is not there.
    """
    folder = cache / f"{package.replace(' ', '+')}-{sys.version_info.major}.{sys.version_info.minor}"
    python, mark = folder / "bin" / "python", folder / "installed"
    if not mark.exists():
        print(f"installing {package} into {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        for command in ([sys.executable, "-m", "venv", str(folder)], [*pip, *package.split()]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unmeasured(f"{package} cannot be installed: {done.stderr.strip()[-300:]}")
        mark.touch()
    return python
