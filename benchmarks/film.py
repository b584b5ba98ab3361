"""What a film costs against the least it could: encoding ready frames, and nothing else.

python benchmarks/film.py                    # 1080p films of 6 clips, a table; about ten minutes
python benchmarks/film.py --no-moviepy       # without the film by MoviePy, which takes the longest
python benchmarks/film.py --out film.json    # the object into a file, the table on the screen

`kb_cpu_ratio`: CPU time of the parts of a film of camera moves and dissolves, drawn and encoded as the
renderer does it, by that of encoding the same frames, ready in memory, by the same encoder in as many
processes with the same environment. `morph_cpu_ratio`: the same for clips in which one view of a scene
becomes another. `clip_fps` and `floor_fps`: frames a second of all processes. `film_wall_s`: from the
command to the film of camera moves, composed, checked and stored. `film_wall_ratio`: that, by the time in
which the bare encoder gets through all of its frames, right before the film and right after it;
`film_cpu_ratio`: the same of CPU time, which other programs disturb less. `film_wall_ratios` are those of all
rounds, of which the middle one counts. `film_fps` and `moviepy_fps`: frames of the finished film a second,
ours, and MoviePy's for the same photos, moves, dissolves and the music ready made; `moviepy_ratio` is the one
by the other, and `moviepy_cpu_ratio` MoviePy's CPU time by ours. `join_copy_s` and `join_encode_s`: joining
the film's pieces by copying packets, and by encoding them again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import av
from command import Command
from platformdirs import user_cache_path
from render import Cost, Piece, drawn_and_encoded, kept, only_encoded, pieces_of, quiet
from report import ROOT, publish, surroundings
from stopwatch import run

from genlock.media.film.encode import Encoder
from genlock.media.film.mux import join
from genlock.media.film.segment import Encoding
from genlock.media.request import JoinedFilm, JoinSegments, Part
from genlock.pipelines.models import CampaignOrder, Cut, Storyboard

JOB = "film"
SECOND_VIEWS = "*-near.*"  # photos that show what another one shows: pairs of them become morphs
FILM_MAY_TAKE, MOVIEPY_MAY_TAKE = 900.0, 1800.0  # seconds
PACKAGES = ("genlock", "av", "opencv-python-headless", "numpy", "SQLAlchemy")
Figures = dict[str, Any]


def main() -> int:
    """Exit code 0 if the films were made, whatever it took."""
    given = arguments()
    table = sys.stderr if given.json else sys.stdout
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="genlock-film-") as name:
        folder = Path(name)
        strangers = without_second_views(given.photos, folder / "photos")
        scenes = made_film(folder / "scenes", given.photos, given)
        morphs = [piece for piece in scenes.pieces if piece.morphs][: 3 * given.processes]
        flat = made_film(folder / "first", strangers, given).pieces
        if any(piece.morphs for piece in flat) or not morphs:
            raise SystemExit(f"{strangers} must not show a scene twice, and {given.photos} must")
        rounds = [
            one_round(folder / str(number), strangers, (flat, morphs), given)
            for number in range(given.repeats)
        ]
        last = rounds[-1].film
        figures = {**ratios(rounds), **joining(last, folder)}
        if given.moviepy:
            figures |= by_moviepy(last, folder, given)
            figures["moviepy_ratio"] = round(figures["film_fps"] / figures["moviepy_fps"], 2)
            figures["moviepy_cpu_ratio"] = round(figures["moviepy_cpu_s"] / figures["film_cpu_s"], 2)
    report = {
        **figures,
        "stages_s": last.stages,
        "film": {"frames": last.cost.frames, "parts": len(last.pieces)},
        "morph_film": {"wall_s": round(scenes.cost.wall, 2), "stages_s": scenes.stages},
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
class Film:
    """A film as it was made: what it took, and where it and its parts are."""

    cost: Cost
    stages: dict[str, float]
    outputs: dict[str, Any]
    objects: Path

    @property
    def pieces(self) -> list[Piece]:
        return pieces_of(self.outputs, self.objects)


@dataclass(frozen=True)
class Round:
    """A film between two times its frames were only encoded, and these frames made: a machine whose pace
    changes has nearly the same for all.
    """

    before: Cost
    film: Film
    bare: Cost
    made: Cost
    morphed: Cost
    bare_morphed: Cost

    @property
    def film_wall_ratio(self) -> float:
        return 2 * self.film.cost.wall / (self.before.wall + self.bare.wall)

    @property
    def film_cpu_ratio(self) -> float:
        return 2 * self.film.cost.cpu / (self.before.cpu + self.bare.cpu)


def one_round(
    folder: Path, photos: Path, pieces: tuple[Sequence[Piece], Sequence[Piece]], given: argparse.Namespace
) -> Round:
    """A film in a new home, and its pieces, those without a morph and those with one, in order of time."""
    flat, morphs = pieces
    folder.mkdir()
    return Round(
        before=only_encoded(flat, given.processes, folder),
        film=made_film(folder / "film", photos, given),
        bare=only_encoded(flat, given.processes, folder),
        made=drawn_and_encoded(flat, given.processes, folder),
        morphed=drawn_and_encoded(morphs, given.processes, folder),
        bare_morphed=only_encoded(morphs, given.processes, folder),
    )


def ratios(rounds: Sequence[Round]) -> Figures:
    """The middle of all rounds, each film and part held against the encoder of its own round."""

    def middle(figure: Callable[[Round], float], digits: int) -> float:
        return round(median(map(figure, rounds)), digits)

    return {
        "kb_cpu_ratio": middle(lambda one: one.made.cpu / one.bare.cpu, 3),
        "morph_cpu_ratio": middle(lambda one: one.morphed.cpu / one.bare_morphed.cpu, 3),
        "film_wall_ratio": middle(lambda one: one.film_wall_ratio, 2),
        "film_wall_ratios": [round(one.film_wall_ratio, 2) for one in rounds],
        "film_cpu_ratio": middle(lambda one: one.film_cpu_ratio, 2),
        "film_wall_s": middle(lambda one: one.film.cost.wall, 2),
        "film_cpu_s": middle(lambda one: one.film.cost.cpu, 2),
        "film_fps": middle(lambda one: one.film.cost.fps, 1),
        "clip_fps": middle(lambda one: one.made.fps, 1),
        "floor_fps": middle(lambda one: one.bare.fps, 1),
        "clip_cpu_ms": middle(lambda one: one.made.cpu_ms, 2),
        "floor_cpu_ms": middle(lambda one: one.bare.cpu_ms, 2),
        "morph_cpu_ms": middle(lambda one: one.morphed.cpu_ms, 2),
    }


def without_second_views(photos: Path, folder: Path) -> Path:
    """The same photos, but of each scene only one."""
    folder.mkdir()
    views = set(photos.glob(SECOND_VIEWS))
    for photo in photos.iterdir():
        if photo.is_file() and photo not in views:
            shutil.copy(photo, folder)
    return folder


def made_film(folder: Path, photos: Path, given: argparse.Namespace) -> Film:
    """From starting `genlock run` to its end, the film being checked and stored."""
    with Command(folder) as command:
        order = [photos, "--pairs", given.pairs, "--clip-duration", given.clip_duration]
        order += ["--resolution", given.resolution, "--seed", given.seed, "--transitions", "dissolve"]
        began, used = time.perf_counter(), children_cpu()
        process = command.start("run", "campaign", *order, "--job-id", JOB, "--quiet")
        if process.wait(FILM_MAY_TAKE):
            raise SystemExit(f"no film: {process.out}{process.err}")
        wall, cpu = time.perf_counter() - began, children_cpu() - used
        outputs = command.outputs(JOB)
        stages = split(command.answer("jobs", "show", JOB)["tasks"])
    cost = Cost(wall, cpu, outputs["video_storage"]["frames"])
    return Film(cost, stages, outputs, command.home / "store" / "objects")


def children_cpu() -> float:
    """CPU seconds of all processes that were started from here and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def split(tasks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds from the first start to the last end of each stage that ran; stages overlap."""
    spans: dict[str, tuple[datetime, datetime]] = {}
    for task in tasks:
        if task["startedAt"] is None:
            continue
        began, ended = (datetime.fromisoformat(task[name]) for name in ("startedAt", "finishedAt"))
        first, last = spans.get(task["stage"], (began, ended))
        spans[task["stage"]] = min(first, began), max(last, ended)
    ordered = sorted(spans.items(), key=lambda item: item[1])
    return {stage: round((last - first).total_seconds(), 2) for stage, (first, last) in ordered}


# Joining


def joining(film: Film, folder: Path) -> Figures:
    """The film's pieces joined by copying, and joined again with a last one that must be encoded."""
    cut = Cut.model_validate(film.outputs["video_combination"])
    parts = [
        Part(path=kept(film.objects, piece.artifact.sha256), frames=piece.frames) for piece in cut.pieces
    ]
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


def unlike(part: Part, to: Path) -> Path:
    """The same frames with other parameter sets."""
    with av.open(str(part.path)) as film:
        stream = film.streams.video[0]
        encoding = Encoding(preset="ultrafast", tuning="cabac=0")
        with Encoder(to, (stream.width, stream.height), 30, encoding) as encoder:
            for frame in film.decode(stream):
                encoder.write(frame)
    return to


# MoviePy


def by_moviepy(film: Film, folder: Path, given: argparse.Namespace) -> Figures:
    """The same film made with MoviePy, in an environment of its own."""
    from contest import installed

    order = folder / "order.json"
    order.write_text(json.dumps(order_of(film, folder / "moviepy.mp4", given.processes)), encoding="utf-8")
    script = ROOT / "benchmarks" / "peer" / "on_moviepy.py"
    python = installed("moviepy", given.cache)
    used = children_cpu()
    found = run([str(python), str(script), str(order)], MOVIEPY_MAY_TAKE)
    made = Part(path=folder / "moviepy.mp4", frames=film.cost.frames)
    with av.open(str(made.path)) as opened:
        frames = sum(1 for packet in opened.demux(video=0) if packet.size)
    if abs(frames - made.frames) > 1:
        raise SystemExit(f"MoviePy made {frames} frames where {made.frames} were ordered")
    return {
        "moviepy_s": round(found["seconds"], 1),
        "moviepy_cpu_s": round(children_cpu() - used, 1),
        "moviepy_fps": round(frames / found["seconds"], 2),
        "moviepy_version": found["version"],
    }


def order_of(film: Film, to: Path, threads: int) -> dict[str, Any]:
    """All that was decided about the film, in seconds."""
    board, encoding = Storyboard.model_validate(film.outputs["sub_job_creation"]), Encoding()
    plan = board.plan
    return {
        "to": str(to),
        "size": [plan.width, plan.height],
        "fps": plan.fps,
        "seconds": plan.duration,
        "preset": encoding.preset,
        "crf": encoding.crf,
        "threads": threads,
        "music": str(kept(film.objects, film.outputs["audio_generation"]["artifact"]["sha256"])),
        "shots": list(shots_of(board, film.objects)),
    }


def shots_of(board: Storyboard, objects: Path) -> Iterator[dict[str, Any]]:
    start = 0
    for brief in board.briefs:
        shot = brief.shot
        yield {
            "start": start / shot.fps,
            "seconds": shot.frames / shot.fps,
            "lead": shot.lead / shot.fps,
            "blend_start": shot.blend_start / shot.fps,
            "blend": shot.blend_frames / shot.fps,
            **{
                name: {
                    "path": str(kept(objects, asset.artifact.sha256)),
                    "width": asset.picture.width,
                    "height": asset.picture.height,
                    **move.model_dump(),
                }
                for name, asset, move in (
                    ("first", brief.first, shot.first_move),
                    ("last", brief.last, shot.last_move),
                )
            },
        }
        start += shot.frames - shot.tail


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
    cache = user_cache_path("genlock", appauthor=False) / "peers"
    parser.add_argument("--photos", type=Path, default=ROOT / "examples" / "photos", help="a folder")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--clip-duration", type=float, default=6.0)
    parser.add_argument("--resolution", default=fields["resolution"].default)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--moviepy", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--cache", type=Path, default=cache, help="where MoviePy is installed")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout, the table on stderr")
    parser.add_argument("--out", type=Path, help="write the JSON object to this file")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
