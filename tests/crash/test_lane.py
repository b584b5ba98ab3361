"""What a proof stands on may fail as well: that is told of, and proves nothing of the pipeline."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from genlock.testing.proof.lane import Lane, Lanes
from genlock.testing.proof.order import Subject
from genlock.testing.proof.renderer import Renderer
from genlock.testing.proof.stand import Stand
from genlock.testing.proof.trial import Bench, Trial
from genlock.testing.proof.verdict import Whole

HERE = Path(__file__).resolve().parent.parent
REEL = Subject(pipeline="shop:reel", params={"count": 1})
PARTS = ("simulated vendors", "warm process", "warm renderer")


class Fragile(Lane):
    """A lane of which `victim` dies as soon as the next trial has begun."""

    victim: str | None = None

    def begin(self) -> None:
        super().begin()
        if self.victim is not None:
            os.kill(self.parts[self.victim].pid, signal.SIGKILL)
        self.victim = None


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragile]:
    folder = tmp_path_factory.mktemp("lanes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        with Fragile(folder / "lane", ["shop"], folder / "archive", speed=100.0) as lane:
            lane.face(Stand.of("idempotent"))
            yield lane


@pytest.fixture(scope="module")
def bench(lane: Fragile) -> tuple[Bench, Whole]:
    bench = Bench(lane, REEL, Stand.of("idempotent"))
    return bench, bench.whole()


@pytest.mark.parametrize("part", PARTS)
def test_what_a_lane_loses_in_a_trial_is_named_and_there_for_the_next(
    lane: Fragile, bench: tuple[Bench, Whole], part: str
) -> None:
    tried, whole = bench
    lane.victim = part
    trial = Trial.parse("send:1:before")
    outcome = tried.undergo(trial, whole)
    assert (
        f"the proof's own {part} ended with -9: this says nothing of the pipeline"
        in outcome.verdict.complaints
    )
    after = tried.undergo(trial, whole)
    assert after.verdict.complaints == []
    assert after.kills == 1


def test_lanes_of_which_one_does_not_start_leave_nothing_behind(tmp_path: Path) -> None:
    lanes = Lanes(tmp_path / "lanes", [])
    (tmp_path / "lanes" / "lane-1").mkdir(parents=True)
    with pytest.raises(FileExistsError), lanes:
        pass
    assert lanes.lanes[0].parts["warm process"].poll() is not None


@pytest.fixture
def renderer(tmp_path: Path) -> Iterator[Renderer]:
    with Renderer(tmp_path / "renderer.sock", tmp_path / "archive") as renderer:
        yield renderer


def ask(place: Path, stack: ExitStack) -> socket.socket:
    """For a child that waits for what to do."""
    pairs = [socket.socketpair() for _ in ("line", "messages", "stderr")]
    for end in (end for pair in pairs for end in pair):
        stack.enter_context(end)
    settings = {"memory": 1 << 32, "nice": 0, "modules": {}}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.connect(str(place))
        socket.send_fds(door, [json.dumps(settings).encode()], [theirs.fileno() for _, theirs in pairs])
    for _, theirs in pairs:
        theirs.close()
    return pairs[0][0]


def test_callers_that_are_killed_before_they_have_spoken_or_listened_harm_nobody(
    renderer: Renderer, tmp_path: Path
) -> None:
    place = tmp_path / "renderer.sock"
    for _ in range(5):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
            silent.connect(str(place))
        with ExitStack() as stack:
            ask(place, stack)  # and is gone before there is an answer
    with ExitStack() as stack:
        child = int(ask(place, stack).makefile().readline())
        assert Path(f"/proc/{child}").exists()
    assert renderer.poll() is None


def test_a_renderer_that_ends_has_waited_for_all_it_has_forked(tmp_path: Path) -> None:
    place = tmp_path / "renderer.sock"
    with ExitStack() as stack:
        with Renderer(place, tmp_path / "archive"):
            children = [int(ask(place, stack).makefile().readline()) for _ in range(3)]
        assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
