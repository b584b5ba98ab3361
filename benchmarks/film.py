"""What a film costs against the least it could: encoding ready frames, and nothing else.

python benchmarks/film.py                    # a 1080p film of 6 clips, a table
python benchmarks/film.py --pairs 20 --json  # one JSON object
python benchmarks/film.py --out film.json    # the object into a file, the table on the screen

`kb_cpu_ratio`: CPU time of clips drawn and encoded, by that of encoding the same frames, ready in memory,
by the same encoder in as many processes. `clip_fps` and `floor_fps`: frames a second of all processes.
`join_copy_s` and `join_encode_s`: joining the film's pieces by copying packets, and by encoding them again.
`film_wall_s`: from the command to the film. `film_wall_ratio`: that, by the time in which the bare encoder
gets through as many frames; `film_cpu_ratio`: the same of CPU time, which other programs disturb less.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import av
import cv2
from command import Command
from report import ROOT, publish, surroundings

from crash import PACKAGES
from genlock.media.film.encode import Encoder, Frame
from genlock.media.film.frames import Easel
from genlock.media.film.mux import join
from genlock.media.film.segment import Encoding, Segment, body
from genlock.media.request import JoinedFilm, JoinSegments, Part
from genlock.pipelines.models import Brief, CampaignOrder, Cut, Storyboard

JOB = "film"
Figures = dict[str, Any]


@dataclass(frozen=True)
class Clip:
    """A clip to be made, and where its pictures are."""

    segment: Segment
    pictures: Mapping[str, Path]


@dataclass(frozen=True)
class Cost:
    """What making clips took: seconds of wall time, seconds of CPU of all processes, frames made."""

    wall: float
    cpu: float
    frames: int

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU a frame."""
        return self.cpu / self.frames * 1000


def main() -> int:
    """Exit code 0 if the film was made, whatever it took."""
    given = arguments()
    table = sys.stderr if given.json else sys.stdout
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="genlock-film-") as name:
        rounds = [one_round(Path(name) / str(number), given) for number in range(given.repeats)]
        last = rounds[-1]
        figures = {**ratios(rounds), **joining(last.outputs, last.objects, Path(name))}
    stored = last.outputs["video_storage"]
    report = {
        **figures,
        "stages_s": last.stages,
        "film": {"frames": stored["frames"], "seconds": round(stored["seconds"], 2)},
        "order": {name: getattr(given, name) for name in ("pairs", "clip_duration", "resolution", "seed")},
        "processes": given.processes,
        "repeats": given.repeats,
        "load": {"before": round(load, 2), "after": round(os.getloadavg()[0], 2)},
        **surroundings(PACKAGES),
    }
    show(report, table)
    publish(report, as_json=given.json, out=given.out)
    return 0


@dataclass(frozen=True)
class Round:
    """A film and, right after it, clips of it made, and only encoded: the machine has one pace for all."""

    film: Cost
    made: Cost
    bare: Cost
    stages: dict[str, float]
    outputs: dict[str, Any]
    objects: Path


def one_round(folder: Path, given: argparse.Namespace) -> Round:
    """Everything in a new home."""
    with Command(folder) as command:
        wall, cpu = run_film(command, given)
        outputs = command.outputs(JOB)
        stages = split(command.answer("jobs", "show", JOB)["tasks"])
    objects = command.home / "store" / "objects"
    clips = clips_of(outputs, objects)[: given.processes]
    return Round(
        film=Cost(wall, cpu, outputs["video_storage"]["frames"]),
        made=together(draw_and_encode, clips, folder),
        bare=together(encode_only, clips, folder),
        stages=stages,
        outputs=outputs,
        objects=objects,
    )


def ratios(rounds: Sequence[Round]) -> Figures:
    """The middle of all rounds, each film and clip held against the encoder of its own round."""

    def middle(figure: Callable[[Round], float], digits: int) -> float:
        return round(median(map(figure, rounds)), digits)

    return {
        "kb_cpu_ratio": middle(lambda one: one.made.cpu / one.bare.cpu, 3),
        "clip_fps": middle(lambda one: one.made.frames / one.made.wall, 1),
        "floor_fps": middle(lambda one: one.bare.frames / one.bare.wall, 1),
        "clip_cpu_ms": middle(lambda one: one.made.cpu_ms, 2),
        "floor_cpu_ms": middle(lambda one: one.bare.cpu_ms, 2),
        "film_wall_s": middle(lambda one: one.film.wall, 2),
        "film_wall_ratio": middle(
            lambda one: one.film.wall / one.film.frames / (one.bare.wall / one.bare.frames), 2
        ),
        "film_cpu_ratio": middle(lambda one: one.film.cpu_ms / one.bare.cpu_ms, 2),
    }


def run_film(command: Command, given: argparse.Namespace) -> tuple[float, float]:
    """Seconds from starting `genlock run` to its end, the film being checked and stored; its CPU seconds."""
    order = [given.photos, "--pairs", given.pairs, "--clip-duration", given.clip_duration]
    order += ["--resolution", given.resolution, "--seed", given.seed, "--job-id", JOB]
    began, used = time.perf_counter(), children_cpu()
    command("run", "campaign", *order, "--quiet")
    return time.perf_counter() - began, children_cpu() - used


def children_cpu() -> float:
    """CPU seconds of all processes that were started from here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def split(tasks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds from the first start to the last end of each stage; stages overlap."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    for task in tasks:
        began, ended = (datetime.fromisoformat(task[name]) for name in ("startedAt", "finishedAt"))
        first, last = spans.get(task["stage"], (began, ended))
        spans[task["stage"]] = min(first, began), max(last, ended)
    ordered = sorted(spans.items(), key=lambda item: item[1])
    return {stage: round((last - first).total_seconds(), 2) for stage, (first, last) in ordered}


def clips_of(outputs: Mapping[str, Any], objects: Path) -> list[Clip]:
    """The film's clips, as they were ordered."""
    board = Storyboard.model_validate(outputs["sub_job_creation"])
    return [Clip(body(brief.shot), pictures_of(brief, objects)) for brief in board.briefs]


def pictures_of(brief: Brief, objects: Path) -> dict[str, Path]:
    return {one.artifact.sha256: kept(objects, one.artifact.sha256) for one in (brief.first, brief.last)}


def kept(objects: Path, sha256: str) -> Path:
    """Where the store keeps a file."""
    return objects / sha256[:2] / sha256


# Drawing and encoding


def together(work: Any, clips: Sequence[Clip], folder: Path) -> Cost:
    """A clip in each of as many processes, which begin at one moment."""
    context = multiprocessing.get_context("spawn")
    gate, costs = context.Barrier(len(clips)), context.SimpleQueue()
    processes = [
        context.Process(target=work, args=(clip, folder / f"bare{number}.mp4", gate, costs))
        for number, clip in enumerate(clips)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("a process that was measured has failed")
    all_costs: list[Cost] = [costs.get() for _ in clips]
    return Cost(
        wall=max(cost.wall for cost in all_costs),
        cpu=sum(cost.cpu for cost in all_costs),
        frames=sum(cost.frames for cost in all_costs),
    )


def draw_and_encode(clip: Clip, to: Path, gate: Any, costs: Any) -> None:
    """In a process of its own: what the renderer does, from the pictures' files on."""
    cv2.setNumThreads(1)
    segment = clip.segment
    gate.wait()
    with measured(segment.frames, costs), writing(segment, to) as encoder:
        easel = easel_of(clip)
        for number in range(segment.frames):
            encoder.write(easel.draw(number).buffer)


def encode_only(clip: Clip, to: Path, gate: Any, costs: Any) -> None:
    """In a process of its own: the least that any renderer must do."""
    cv2.setNumThreads(1)
    segment, easel = clip.segment, easel_of(clip)
    frames = [copy_of(easel.draw(number), segment) for number in range(segment.frames)]
    gate.wait()
    with measured(segment.frames, costs), writing(segment, to) as encoder:
        for frame in frames:
            encoder.write(frame.buffer)


def easel_of(clip: Clip) -> Easel:
    return Easel(clip.segment, clip.pictures)


def copy_of(frame: Frame, segment: Segment) -> Frame:
    copy = Frame(*segment.size)
    for target, plane in zip(copy.planes, frame.planes, strict=True):
        target[:] = plane
    return copy


def writing(segment: Segment, to: Path) -> Encoder:
    return Encoder(to, segment.size, segment.fps, segment.encoding)


@contextmanager
def measured(frames: int, costs: Any) -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    costs.put(Cost(time.perf_counter() - wall, time.process_time() - cpu, frames))


# Joining


def joining(outputs: Mapping[str, Any], objects: Path, folder: Path) -> Figures:
    """The film's pieces joined by copying, and joined again with a last one that must be encoded."""
    cut = Cut.model_validate(outputs["video_combination"])
    parts = [Part(path=kept(objects, piece.artifact.sha256), frames=piece.frames) for piece in cut.pieces]
    copied, copy_seconds = joined(parts, folder)
    odd = Part(path=unlike(parts[-1], folder / "unlike.mp4"), frames=parts[-1].frames)
    encoded, encode_seconds = joined([*parts[:-1], odd], folder)
    if copied.encoded_again or not encoded.encoded_again:
        raise SystemExit("the pieces were not joined as they were meant to be")
    return {"join_copy_s": round(copy_seconds, 3), "join_encode_s": round(encode_seconds, 2)}


def joined(parts: list[Part], folder: Path) -> tuple[JoinedFilm, float]:
    began = time.perf_counter()
    film = join(JoinSegments(parts=parts, fps=30, to=folder / "joined.mp4"), quiet)
    return film, time.perf_counter() - began


def quiet(fraction: float, note: str | None = None) -> None:
    """Nobody watches."""


def unlike(part: Part, to: Path) -> Path:
    """The same frames with other parameter sets."""
    with av.open(str(part.path)) as film:
        stream = film.streams.video[0]
        encoding = Encoding(preset="ultrafast", tuning="cabac=0")
        with Encoder(to, (stream.width, stream.height), 30, encoding) as encoder:
            for frame in film.decode(stream):
                encoder.write(frame)
    return to


def show(report: Mapping[str, Any], table: Any) -> None:
    """The figures, and where they come from, a line each."""
    for name, value in report.items():
        if isinstance(value, dict):
            print(name, file=table)
            for part, number in value.items():
                print(f"  {part:<24} {number}", file=table)
        else:
            print(f"{name:<26} {value}", file=table)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    fields = CampaignOrder.model_fields
    parser.add_argument("--photos", type=Path, default=ROOT / "examples" / "photos", help="a folder")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--clip-duration", type=float, default=fields["clip_duration"].default)
    parser.add_argument("--resolution", default=fields["resolution"].default)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, the table on stderr")
    parser.add_argument("--out", type=Path, help="write the JSON object to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
