"""Scripts as jobs: real child processes, what they may know, what is kept of them, and how they end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from genlock.errors import BadInput, ScriptFailed
from genlock.pipelines.roster import Roster
from genlock.pipelines.script import ScriptOrder, ScriptRun, Scripts, run_script
from genlock.pipelines.transcript import LARGEST, Transcript
from genlock.settings import Settings
from genlock.store.local import LocalStore
from genlock.testing.task import FakeTask

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a script of the shell called `it`, and name it in the home's settings."""

    def put(text: str, more: str = "") -> Path:
        path = tmp_path / "it.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        (home / "scripts.toml").write_text(f'[it]\npath = "{path}"\n{more}\n')
        return path

    return put


def scripts(folder: Path, **options: object) -> Scripts:
    settings = Settings(home=folder / "home", **options)
    return Scripts(Roster(settings), LocalStore(settings.store))


async def run(folder: Path, task: FakeTask | None = None) -> ScriptRun:
    found = await run_script.body(ScriptOrder(name="it"), scripts=scripts(folder), task=task or FakeTask())
    assert isinstance(found, ScriptRun)
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def said(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


async def pid_in(path: Path) -> int:
    async with asyncio.timeout(30):
        while not (text := said(path)):  # noqa: ASYNC110 - written by a process
            await asyncio.sleep(0.01)
    return int(text)


async def gone(pid: int) -> bool:
    end = time.monotonic() + 30
    while alive(pid) and time.monotonic() < end:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    return not alive(pid)


async def test_what_a_script_says_is_logged_and_kept_line_by_line(tmp_path: Path, write: Write) -> None:
    write("echo one; echo two >&2; printf three")
    task = FakeTask()
    with structlog.testing.capture_logs() as logged:
        found = await run(tmp_path, task)
    assert (found.code, found.lines, found.tail) == (0, 3, ["one", "two", "three"])
    assert [each["event"] for each in logged] == [
        "Running script it",
        "Output: one",
        "Output: two",
        "Output: three",
        "script it completed successfully",
    ]
    kept = await LocalStore(tmp_path / "home" / "store").path(found.output)
    assert kept.read_text() == "one\ntwo\nthree"
    assert found.output.media_type == "text/plain"
    assert task.reports[-1] == (0.0, "three")


async def test_a_script_that_fails_fails_its_task_with_its_last_lines(tmp_path: Path, write: Write) -> None:
    write("for n in 1 2 3 4 5 6 7; do echo line $n; done; exit 3")
    task = FakeTask()
    with structlog.testing.capture_logs() as logged, pytest.raises(ScriptFailed) as failed:
        await run(tmp_path, task)
    assert str(failed.value) == (
        "script it failed with code 3; its last lines: line 3 | line 4 | line 5 | line 6 | line 7"
    )
    said = [each["event"] for each in logged]
    assert said[-6:] == ["script it failed with code 3", *(f"Error: line {n}" for n in range(3, 8))]
    (kept,) = task.notes.values()  # what it said is kept all the same
    assert kept.size == len("line 1\n") * 7


async def test_a_script_finds_none_of_our_secrets(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENLOCK_ADMIN_TOKEN", "gl_hush" + 32 * "0")
    monkeypatch.setenv("REPLICATE_API_TOKEN", "r8_hush")
    monkeypatch.setenv("GENLOCK_DATABASE_URL", "postgresql://user:hush@host/db")
    monkeypatch.setenv("ITS_OWN", "kept")
    write("env; cat /proc/self/environ | tr '\\0' '\\n'; pwd; ls -l /proc/self/fd")
    found = await run(tmp_path)
    kept = (await LocalStore(tmp_path / "home" / "store").path(found.output)).read_text()
    assert "hush" not in kept
    assert "ITS_OWN=kept" in kept
    assert f"\n{tmp_path}\n" in kept  # the folder that the script lies in
    assert str(tmp_path / "home") not in kept  # no file of the home is open in it


async def test_only_names_in_the_settings_are_run(tmp_path: Path, write: Write) -> None:
    path = write("echo no")
    for name in ("other", str(path), "../it", "it.sh", ""):
        with pytest.raises(BadInput, match="there is no script"):
            Roster(Settings(home=tmp_path / "home")).find(name)


def test_scripts_are_named_in_a_variable_or_a_file(tmp_path: Path, write: Write) -> None:
    path = write("true", 'args = ["-x"]\nfolder = "/"\ntimeout = "90m"')
    one = Roster(Settings(home=tmp_path / "home")).find("it")
    assert (one.command, one.folder, one.timeout) == ([str(path), "-x"], Path("/"), timedelta(minutes=90))
    other = Roster(Settings(home=tmp_path / "home", scripts=f" a.b = {path} , it={path},"))
    assert sorted(other.scripts()) == ["a.b", "it"]
    assert other.find("it").args == ()  # the variable comes first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("it", "names no script"),
        ("it=relative/path", "whole path"),
        ("a/b=/bin/true", "cannot name a script"),
        ("it=/nowhere/at/all", "is not there"),
        ("it=/etc", "is not there, or is no file"),
        ("it=/etc/passwd", "chmod"),
    ],
)
def test_a_variable_that_cannot_be_used_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Roster(Settings(home=tmp_path, scripts=text)).find("it")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("it = 5", "script 'it'"),
        ("[it]\npath = 5", "path"),
        ("[it]\npath = '/bin/true'\nshell = true", "shell"),
        ("[it]\npath = '/bin/true'\ntimeout = 'soon'", "span of time"),
        ("[it", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "scripts.toml").write_text(text)
    with pytest.raises(BadInput, match=said):
        Roster(Settings(home=tmp_path)).find("it")


async def test_python_runs_without_being_executable(tmp_path: Path, write: Write) -> None:
    write("true")
    program = tmp_path / "it.py"
    program.write_text("import sys\nprint(sys.argv[1:], file=sys.stderr)\n")
    toml = f'[it]\npath = "{program}"\nargs = ["a b", "$HOME"]\n'
    (tmp_path / "home" / "scripts.toml").write_text(toml)
    assert (await run(tmp_path)).tail == ["['a b', '$HOME']"]


async def test_a_script_that_is_killed_or_cannot_be_started_says_so(tmp_path: Path, write: Write) -> None:
    write("kill -KILL $$")
    with pytest.raises(ScriptFailed, match="failed with code 137; it said nothing"):
        await run(tmp_path)
    path = write("true")
    path.write_text("#!/nowhere/interpreter\n")
    with pytest.raises(ScriptFailed, match=r"failed with code 126; .*no such file"):
        await run(tmp_path)


async def test_a_script_ends_with_its_attempt_and_all_that_it_started_too(
    tmp_path: Path, write: Write
) -> None:
    write(
        f"echo $$ > {tmp_path}/leader; sleep 300 & echo $! > {tmp_path}/child; "
        f"setsid sh -c 'echo $$ > {tmp_path}/stray; sleep 300' & trap '' TERM; while :; do sleep 0.05; done"
    )
    running = asyncio.create_task(run(tmp_path))
    pids = [await pid_in(tmp_path / name) for name in ("leader", "child", "stray")]
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert running.cancelled()
    assert [await gone(pid) for pid in pids] == [True, True, True]


async def test_a_script_may_tidy_up_when_it_is_asked_to_end(tmp_path: Path, write: Write) -> None:
    write(
        f"trap 'echo bye > {tmp_path}/bye; exit 0' TERM; echo $$ > {tmp_path}/leader; "
        "while :; do sleep 0.05; done"
    )
    running = asyncio.create_task(run(tmp_path))
    await pid_in(tmp_path / "leader")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert (tmp_path / "bye").read_text() == "bye\n"


async def test_a_script_that_takes_too_long_is_ended(tmp_path: Path, write: Write) -> None:
    write(f"echo working; echo $$ > {tmp_path}/leader; sleep 300", 'timeout = "1s"')
    with pytest.raises(ScriptFailed, match=r"did not end within 1 second and was ended; .*: working"):
        await run(tmp_path)
    assert await gone(await pid_in(tmp_path / "leader"))


async def test_what_a_script_leaves_behind_does_not_outlive_it(tmp_path: Path, write: Write) -> None:
    write(f"sleep 300 & echo $! > {tmp_path}/child; setsid sleep 300 & echo $! > {tmp_path}/stray; echo done")
    began = time.monotonic()
    found = await run(tmp_path)
    assert (found.code, found.tail) == (0, ["done"])
    assert time.monotonic() - began < 60  # nobody waits for what holds the pipe open
    assert await gone(await pid_in(tmp_path / "child"))
    assert await gone(await pid_in(tmp_path / "stray"))


async def test_a_script_that_writes_without_end_fills_neither_memory_nor_log(
    tmp_path: Path, write: Write
) -> None:
    write("head -c 12000000 /dev/zero | tr '\\0' 'x'; echo; yes | head -n 5000; echo last")
    with structlog.testing.capture_logs() as logged:
        found = await run(tmp_path)
    assert found.output.size <= LARGEST + 100
    assert found.tail[-1] == "last"
    assert len(logged) < 1010
    assert max(len(each["event"]) for each in logged) < 4100
    kept = await LocalStore(tmp_path / "home" / "store").path(found.output)
    assert kept.read_text()[-60:].endswith("bytes more were left out\n")


def test_a_transcript_shows_what_would_move_a_cursor(tmp_path: Path) -> None:
    with Transcript(tmp_path / "log") as transcript:
        assert transcript.feed(b"\x1b[31mred\x07\r\nb\xffd\tz\n") == ["\\x1b[31mred\\x07", "b\\xffd\tz"]
        assert transcript.feed("é".encode()[:1]) == []
        assert transcript.feed("é".encode()[1:]) == []
        assert transcript.end() == ["é"]
        assert transcript.end() == []
    assert transcript.count == 3
