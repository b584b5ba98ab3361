"""The lock, the socket and the home they live in."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from genlock import owner
from genlock.errors import OwnerError
from genlock.owner import Ownership, filesystem_of, owner_of, short_path
from genlock.settings import Settings

HOLD = """
import os, sys, time
from pathlib import Path
from genlock.owner import Ownership
from genlock.settings import Settings
held = Ownership.take(Settings(home=Path(sys.argv[1])), command="genlock serve")
assert held is not None
if "fork" in sys.argv and os.fork() == 0:
    time.sleep(30)
    os._exit(0)
print("held", flush=True)
time.sleep(30)
"""


class _At:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


def hold(home: Path, *words: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), *words], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait(5)
    assert child.stdout is not None
    child.stdout.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def test_the_first_to_come_owns_the_home_and_signs_the_lock(settings: Settings) -> None:
    with Ownership.take(settings, command="genlock run", clock=_At()) or pytest.fail("was free"):
        assert Ownership.take(settings) is None
        text = json.loads(settings.lock.read_text())
        assert text == {
            "pid": os.getpid(),
            "command": "genlock run",
            "startedAt": "2026-03-01T12:00:00+00:00",
        }
        assert settings.lock.stat().st_mode & 0o777 == 0o600
        assert settings.home.stat().st_mode & 0o777 == 0o700
        there = owner_of(settings)
        assert there is not None
        assert (there.pid, there.command) == (os.getpid(), "genlock run")
    assert owner_of(settings) is None
    again = Ownership.take(settings)
    assert again is not None
    again.release()
    again.release()


def test_a_killed_owner_leaves_the_home_free_and_its_socket_is_swept(settings: Settings) -> None:
    child = hold(settings.home)
    assert Ownership.take(settings) is None
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(settings.socket))
    stale.close()
    end(child)
    with Ownership.take(settings) or pytest.fail("the dead hold nothing"):
        assert not settings.socket.exists()


def test_a_forked_child_that_outlives_its_owner_does_not_keep_the_home(settings: Settings) -> None:
    child = hold(settings.home, "fork")
    orphans = subprocess.run(["pgrep", "-P", str(child.pid)], capture_output=True, text=True, check=True)
    end(child)
    try:
        with Ownership.take(settings) or pytest.fail("the child keeps the lock"):
            pass
    finally:
        os.kill(int(orphans.stdout), signal.SIGKILL)


def test_the_lock_is_inherited_by_no_program(settings: Settings) -> None:
    with Ownership.take(settings) or pytest.fail("was free"):
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        with Ownership.take(settings) or pytest.fail("the child keeps the lock"):
            pass
    finally:
        child.kill()
        child.wait(5)


@pytest.mark.parametrize("length", [10, 300])
def test_the_socket_is_private_and_works_however_long_the_path_is(tmp_path: Path, length: int) -> None:
    home = tmp_path
    while len(str(home)) < length:
        home /= "x" * 40
    settings = Settings(home=home / "home")
    with Ownership.take(settings) or pytest.fail("was free") as ownership, ownership.bind() as server:
        server.listen()
        assert settings.socket.stat().st_mode & 0o777 == 0o600
        with short_path(settings.socket) as path, socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            server.accept()[0].close()
    assert not settings.socket.exists()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(OwnerError, match="is a file, not a folder"):
        Ownership.take(Settings(home=tmp_path / "home"))


def test_a_home_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OwnerError, match="cannot create"):
        Ownership.take(Settings(home=tmp_path / "file" / "home"))


def test_a_home_that_cannot_be_written_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner.os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(OwnerError, match="cannot write to"):
        Ownership.take(settings)


def test_a_network_filesystem_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "filesystem_of", lambda _: "nfs4")
    with pytest.raises(OwnerError, match=r"network filesystem \(nfs4\).*local disk"):
        Ownership.take(settings)


def test_a_filesystem_without_locks_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(owner.fcntl, "flock", refuse)
    with pytest.raises(OwnerError, match=r"cannot be locked on this filesystem"):
        Ownership.take(settings)


def test_the_filesystem_of_a_path_is_that_of_its_deepest_mount() -> None:
    if sys.platform != "linux":
        pytest.skip("the system does not tell")
    assert filesystem_of(Path("/proc/self")) == "proc"
    assert filesystem_of(Path("/")) != ""


def test_a_home_nobody_opened_has_no_owner(tmp_path: Path) -> None:
    assert owner_of(Settings(home=tmp_path / "missing")) is None
