"""What drawing and encoding frames costs, beside encoding the same frames ready in memory."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2

from genlock.media.film.encode import Encoder, Frame
from genlock.media.film.frames import Easel, render_segment
from genlock.media.film.layer import Morph
from genlock.media.film.part import parts
from genlock.media.film.segment import Segment, segments
from genlock.media.launch import ENVIRONMENT
from genlock.media.request import RenderSegment
from genlock.pipelines.models import Storyboard


@dataclass(frozen=True)
class Piece:
    """A part of a film, as the renderer is asked for it, and where its pictures are."""

    segment: Segment
    pictures: Mapping[str, Path]

    @property
    def morphs(self) -> bool:
        return any(isinstance(layer, Morph) for layer in self.segment.layers)


@dataclass(frozen=True)
class Cost:
    """What making frames took: seconds of wall time of the processes together, their CPU, frames made."""

    wall: float
    cpu: float
    frames: int

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU a frame."""
        return self.cpu / self.frames * 1000

    @property
    def fps(self) -> float:
        return self.frames / self.wall


def pieces_of(outputs: Mapping[str, Any], objects: Path) -> list[Piece]:
    """All parts of a film, as the renderer was asked for them."""
    board = Storyboard.model_validate(outputs["sub_job_creation"])
    pictures = {
        one.artifact.sha256: kept(objects, one.artifact.sha256)
        for brief in board.briefs
        for one in (brief.first, brief.last)
    }
    return [Piece(part, pictures) for segment in segments(board.plan) for part in parts(segment)]


def kept(objects: Path, sha256: str) -> Path:
    """Where the store keeps a file."""
    return objects / sha256[:2] / sha256


def drawn_and_encoded(pieces: Sequence[Piece], processes: int, folder: Path) -> Cost:
    """What the renderer does, from the pictures' files on."""
    return _together(_draw_and_encode, pieces, processes, folder)


def only_encoded(pieces: Sequence[Piece], processes: int, folder: Path) -> Cost:
    """The least that any renderer must do: the same frames in the same settings, drawn beforehand."""
    return _together(_encode, pieces, processes, folder)


Measure = Callable[[Piece, Path, Any], tuple[float, float]]


def _together(work: Measure, pieces: Sequence[Piece], processes: int, folder: Path) -> Cost:
    """The pieces dealt out to processes which do the same thing at the same time.

    Each gets a run of the film, as parts of a clip are rendered by one process that remembers its pictures.
    """
    context = multiprocessing.get_context("spawn")
    gate, costs = context.Barrier(processes), context.SimpleQueue()
    rounds = -(-len(pieces) // processes)
    hands = [list(pieces[number * rounds : (number + 1) * rounds]) for number in range(processes)]
    started = [
        context.Process(target=_one, args=(work, hand, rounds, folder / f"bare{number}.mp4", gate, costs))
        for number, hand in enumerate(hands)
    ]
    with _surroundings():
        for process in started:
            process.start()
    found = [costs.get() for _ in started]
    for process in started:
        process.join()
    if None in found or any(process.exitcode for process in started):
        raise SystemExit("a process that was measured has failed")
    wall, cpu = (sum(each[place] for each in found) for place in (0, 1))
    return Cost(wall / processes, cpu, sum(piece.segment.frames for piece in pieces))


@contextmanager
def _surroundings() -> Iterator[None]:
    """All that is measured here runs as rendering processes do, and nothing that comes after it."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def _one(work: Measure, hand: Sequence[Piece], rounds: int, to: Path, gate: Any, costs: Any) -> None:
    cv2.setNumThreads(1)
    wall = cpu = 0.0
    try:
        for number in range(rounds):
            if number < len(hand):
                took, used = work(hand[number], to, gate)
                wall, cpu = wall + took, cpu + used
            else:
                gate.wait()
    except BaseException:
        gate.abort()  # or the others wait for this one, and the caller for all of them
        costs.put(None)
        raise
    costs.put((wall, cpu))


def _draw_and_encode(piece: Piece, to: Path, gate: Any) -> tuple[float, float]:
    request = RenderSegment(segment=piece.segment, sources=dict(piece.pictures), to=to)
    gate.wait()
    with _measured() as spent:
        render_segment(request, quiet)
    return spent[0], spent[1]


def _encode(piece: Piece, to: Path, gate: Any) -> tuple[float, float]:
    segment, easel = piece.segment, Easel(piece.segment, piece.pictures)
    frames = [_copy_of(easel.draw(number)) for number in range(segment.frames)]
    gate.wait()
    with _measured() as spent, Encoder(to, segment.size, segment.fps, segment.encoding) as encoder:
        for frame in frames:
            encoder.write(frame)
    return spent[0], spent[1]


def _copy_of(frame: Frame) -> av.VideoFrame:
    """The frame in memory that libav chose: there is none that suits the encoder better."""
    return av.VideoFrame.from_ndarray(frame.buffer.to_ndarray(), format="yuv420p")


@contextmanager
def _measured() -> Iterator[list[float]]:
    """Wall and CPU seconds, when the block has ended."""
    spent: list[float] = []
    wall, cpu = time.perf_counter(), time.process_time()
    yield spent
    spent += [time.perf_counter() - wall, time.process_time() - cpu]


def quiet(fraction: float, note: str | None = None) -> None:
    """Nobody watches."""
