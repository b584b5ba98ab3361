"""Rendering processes that are started before the command has loaded its own modules."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from genlock.bootstrap import pipelines
from genlock.cli.run import RENDER
from genlock.engine.declare import Pipeline, Stage
from genlock.media.request import ImportPicture
from genlock.pipelines.studio import Studio
from genlock.rendering import HeadStart
from genlock.settings import Settings

CHILD = "genlock.media."
Photo = Callable[..., list[Path]]


def renders(pipeline: Pipeline[..., Any]) -> bool:
    """Whether any of its stages is handed rendering processes."""
    return any(
        Studio in each.tools.values() if isinstance(each, Stage) else renders(each)
        for each in pipeline.stages.values()
    )


def children(process: Any) -> list[str]:
    return [each for each in process.relatives() if CHILD in each]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def mine() -> list[int]:
    """Processes of ours that this one has started, and that still run."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    found = []
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if parent_of(pid) == os.getpid() and CHILD.encode() in words:
                found.append(pid)
    return found


def test_it_is_for_the_pipelines_that_render() -> None:
    assert {name for name, pipeline in pipelines().items() if renders(pipeline)} == RENDER


def test_what_was_started_ahead_does_the_work_and_is_gone_at_the_end(tmp_path: Path, photo: Photo) -> None:
    ahead = HeadStart(Settings(home=tmp_path / "home", cpu=2))
    begun = mine()
    assert len(begun) == 1
    request = ImportPicture(path=photo("two-dogs")[0], to=tmp_path / "picture")
    assert ahead.run(ahead.pool.run("import_picture", request)).picture.width > 0
    (pid,) = ahead.pool.pids
    assert parent_of(pid) == begun[0]
    ahead.close()
    assert mine() == []
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("words", [("--no-such-option",), ("no-such-folder",)])
def test_a_command_that_is_refused_leaves_nothing_behind(genlock: Any, words: tuple[str, ...]) -> None:
    process = genlock.start("run", "campaign", *words)
    assert process.wait() == 2
    assert process.survivors() == []
    assert "Warning" not in process.err


@pytest.mark.parametrize("words", [("campaign", "--help"), ("script", "--help")])
def test_help_starts_nothing(genlock: Any, words: tuple[str, ...]) -> None:
    process = genlock.start("run", *words)
    seen = []
    while process.code is None:
        seen += children(process)
        time.sleep(0.01)
    assert (process.wait(), seen) == (0, [])


def test_who_asks_another_process_starts_none(genlock: Any, photo: Photo) -> None:
    server = genlock.start("serve", "--port", 0)
    assert server.until(lambda: "Listening on" in server.err)
    order = [*photo("two-dogs", "wall-clock"), "--pairs", 1, "--clip-duration", 1, "--resolution", "90p"]
    process, seen = genlock.start("run", "campaign", *order, "--quiet"), []
    while process.code is None:
        seen += children(process)
        time.sleep(0.01)
    assert (process.wait(), seen) == (0, []), process.err
