"""How commands end, and how little they load."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from genlock import errors
from genlock.cli import main
from genlock.cli.doctor import MISSING, NOTE, OK, Finding, examine
from genlock.errors import GenlockError
from genlock.settings import Settings

MEDIA = ("cv2", "av", "numpy", "PIL")
HEAVY = (*MEDIA, "sqlalchemy", "alembic", "fastapi", "uvicorn", "httpx2", "rich")
LOADED = "print(json.dumps([m for m in sys.argv[1].split(',') if m in sys.modules]))"


def loaded(code: str, names: tuple[str, ...], home: Path) -> list[str]:
    script = f"import json, os, sys\nos.environ['GENLOCK_HOME'] = {str(home)!r}\n{code}\n{LOADED}"
    told = subprocess.run(
        [sys.executable, "-c", script, ",".join(names)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return list(json.loads(told.stdout.splitlines()[-1]))


def command(*words: str) -> str:
    return f"""
from genlock.cli.main import main
names, sys.argv = sys.argv[1], {["genlock", *words]!r}
try:
    main()
except SystemExit as end:
    assert end.code in (0, None), end.code
sys.argv = ["", names]
"""


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded(command("--help"), (*HEAVY, "pydantic"), tmp_path) == []
    assert loaded(command("jobs", "--help"), HEAVY, tmp_path) == []


def test_a_command_loads_no_other(tmp_path: Path) -> None:
    modules = tuple(f"genlock.cli.{where.partition('.')[0]}" for where in main.COMMANDS.values())
    assert loaded(command("jobs", "--help"), modules, tmp_path) == ["genlock.cli.jobs"]


def test_every_command_is_where_it_is_said_to_be() -> None:
    told = CliRunner().invoke(main.app, ["--help"]).output
    for name in main.COMMANDS:
        answer = CliRunner().invoke(main.app, [name, "--help"])
        assert (answer.exit_code, f"\n  {name} " in told) == (0, True), name


def test_a_name_that_is_no_command_is_told_with_what_it_is_like() -> None:
    answer = CliRunner().invoke(main.app, ["jbos"])
    assert answer.exit_code == 2
    assert "Did you mean 'jobs'?" in answer.output


def test_a_job_is_committed_before_any_media_library_is_loaded(tmp_path: Path) -> None:
    photos = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for photo in photos:
        photo.touch()
    words = ("run", "campaign", *map(str, photos), "--detach")
    assert loaded(command(*words), (*MEDIA, "sqlalchemy"), tmp_path / "home") == ["sqlalchemy"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BadPicture("x"), 2),
        (errors.GraphError("x"), 2),
        (errors.NotFound("x"), 3),
        (errors.ClaimLost("x"), 3),
        (errors.HomeTaken("x"), 4),
        (errors.SchemaTooNew("x"), 4),
        (errors.StoreError("x"), 4),
        (errors.CheckFailed("x"), 1),
        (RuntimeError("x"), 70),
    ],
)
def test_every_error_has_its_exit_code_and_is_one_line(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)
    monkeypatch.delenv("GENLOCK_LOG_LEVEL", raising=False)
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == code
    told = capsys.readouterr().err
    assert told.startswith("genlock: ")
    assert told.count("\n") == 1


def test_debugging_shows_the_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GENLOCK_LOG_LEVEL", "debug")
    assert main.complain(errors.NotFound("there is no job 'x'")) == 3
    told = capsys.readouterr().err
    assert "NotFound: there is no job 'x'\n" in told
    assert told.endswith("genlock: there is no job 'x'\n")


def test_a_setting_that_does_not_fit_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GENLOCK_CPU", "none")
    monkeypatch.setattr(sys, "argv", ["genlock", "jobs"])
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 2
    assert "GENLOCK_CPU" in capsys.readouterr().err


def test_every_error_has_an_exit_code() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, GenlockError)]
    assert all(any(issubclass(kind, known) for known, _ in main.EXIT_CODES) for kind in kinds)


def test_the_version_is_said() -> None:
    assert CliRunner().invoke(main.app, ["--version"]).output.startswith("genlock 0.")


def states(findings: list[Finding]) -> dict[str, str]:
    return {one.what: one.state for one in findings}


def test_the_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    found = states(list(examine(Settings(home=tmp_path / "home", child_memory_mb=256))))
    assert MISSING not in found.values()
    assert set(found) == {
        *("python", "packages", "sqlite", "media", "encoders", "filters"),
        *("machine", "home", "owner", "disk"),
        *("video", "music", "speech", "language"),
    }


def test_the_doctor_says_what_an_old_sqlite_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    for version, state in (((3, 51, 2), NOTE), ((3, 51, 3), OK)):
        monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
        assert states(list(examine(Settings(home=tmp_path))))["sqlite"] == state


def test_the_doctor_misses_what_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genlock.cli import doctor

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(doctor, "MEDIA", "import av_is_not_here")
    monkeypatch.setattr(doctor, "PACKAGES", ("pydantic", "av-is-not-here"))
    found = list(examine(Settings(home=tmp_path / "file", disk_reserve=0.9999999)))
    missing = {one.what: one.found for one in found if one.state == MISSING}
    assert "ModuleNotFoundError" in missing["media"]
    assert missing["packages"] == "not installed: av-is-not-here"
    assert "is a file, not a folder" in missing["home"]


def test_the_doctor_answers_in_json_and_by_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genlock.cli import doctor

    monkeypatch.setenv("GENLOCK_HOME", str(tmp_path))
    findings: Any = [Finding("media", MISSING, "gone")]
    monkeypatch.setattr(doctor, "examine", lambda _: iter(findings))
    answer = CliRunner().invoke(main.app, ["doctor", "--json"])
    assert (answer.exit_code, json.loads(answer.output)) == (
        1,
        [{"what": "media", "state": "missing", "found": "gone"}],
    )
