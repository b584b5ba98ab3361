"""A film beside a plain slideshow of the same photos: contact sheets around each change, for the eye.

python benchmarks/slideshow.py examples/photos/*.jpg --pairs 6 --style calm --out sheets/calm

Writes `sheets/calm-film.png` and `sheets/calm-slideshow.png`: a row for each change of pictures, six
frames a second from half a second before its middle to half a second after. The slideshow shows the same
pictures in the same order for the same time; they stand still and dissolve into each other. Nothing on a
sheet tells which it is.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from genlock.media.film.encode import Frame
from genlock.media.film.frames import Easel
from genlock.media.film.link import LinkPictures
from genlock.media.film.motion import Move, View
from genlock.media.film.plan import FilmPlan, Picture, meetings, plan_shots
from genlock.media.film.relation import link_pictures
from genlock.media.film.segment import segments
from genlock.media.film.style import STYLES, Style
from genlock.media.music.mood import MOODS
from genlock.media.pairing.choice import Candidate, ChoosePairs
from genlock.media.pairing.chooser import choose_pairs
from genlock.media.photo.picture import import_picture
from genlock.media.request import ImportPicture

RATE, COLUMNS, GAP = 6, 7, 6
Pixels = NDArray[np.uint8]


def main() -> int:
    """Exit code 0 when both sheets are written."""
    given = arguments()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="genlock-sheets-") as name:
        plan, paths = planned(given, Path(name))
        given.out.parent.mkdir(parents=True, exist_ok=True)
        for film, which in ((plan, "film"), (plain(plan, given), "slideshow")):
            to = given.out.with_name(f"{given.out.name}-{which}.png")
            cv2.imwrite(str(to), sheet(film, paths, given.cell))
            print(to)
    return 0


def planned(given: argparse.Namespace, folder: Path) -> tuple[FilmPlan, dict[str, Path]]:
    """The film as a campaign would plan it, and its pictures' working copies by their hashes."""
    pictures: dict[str, Picture] = {}
    paths: dict[str, Path] = {}
    candidates = []
    for number, photo in enumerate(sorted(given.photos)):
        made = import_picture(ImportPicture(path=photo, to=folder / f"{number}.jpg"), quiet)
        sha256 = made.picture.sha256
        pictures[sha256], paths[sha256] = made.picture, made.path
        candidates.append(Candidate(id=sha256, path=made.path, sha256=sha256))
    wanted = ChoosePairs(pictures=candidates, num_pairs=given.pairs, seed=given.seed)
    pairs = [(pictures[pair.first], pictures[pair.last]) for pair in choose_pairs(wanted, quiet).pairs]
    steps = [(first.sha256, last.sha256) for first, last in meetings(pairs)]
    plan = plan_shots(
        pairs,
        links=link_pictures(LinkPictures(pictures=paths, steps=steps), quiet).links,
        size=given.size,
        seconds_per_clip=given.seconds,
        tempo=MOODS[given.style].tempo,
        style=STYLES[given.style],
        seed=given.seed,
    )
    return plan, paths


def plain(plan: FilmPlan, given: argparse.Namespace) -> FilmPlan:
    """The same pictures for the same time, standing still, as they are, with dissolves between them."""
    dull = plan_shots(
        [(as_it_is(shot.first), as_it_is(shot.last)) for shot in plan.shots],
        size=given.size,
        seconds_per_clip=given.seconds,
        tempo=MOODS[given.style].tempo,
        transition="dissolve",
        style=Style(name="plain"),
    )
    rest = {"first_move": Move(start=MIDDLE, end=MIDDLE), "last_move": Move(start=MIDDLE, end=MIDDLE)}
    return dull.model_copy(update={"shots": [shot.model_copy(update=rest) for shot in dull.shots]})


def as_it_is(picture: Picture) -> Picture:
    """The picture as one of which nothing is known, so that its dissolves stay plain."""
    return picture.model_copy(update={"detail": 0.0})


MIDDLE = View(x=0.5, y=0.5, zoom=1.0)


def sheet(plan: FilmPlan, paths: dict[str, Path], width: int) -> Pixels:
    """A row for each change, under each frame when it is shown."""
    height = round(width * plan.height / plan.width)
    end = sum(segment.frames for segment in segments(plan))
    moments = sorted(at for at in set(changes(plan)) if 0 < at < end)
    steps = [round((place - COLUMNS // 2) * plan.fps / RATE) for place in range(COLUMNS)]
    wanted = [[min(max(at + step, 0), end - 1) for step in steps] for at in moments]
    shown = dict(drawn(plan, paths, {number for row in wanted for number in row}))
    cell = height + 20 + GAP, width + GAP
    page = np.full((cell[0] * len(wanted) + GAP, cell[1] * COLUMNS + GAP, 3), 18, np.uint8)
    for line, row in enumerate(wanted):
        for place, number in enumerate(row):
            top, left = GAP + line * cell[0], GAP + place * cell[1]
            small = cv2.resize(shown[number], (width, height), interpolation=cv2.INTER_AREA)
            page[top : top + height, left : left + width] = small
            told = f"{number / plan.fps:.2f} s"
            font = cv2.FONT_HERSHEY_SIMPLEX
            cv2.putText(page, told, (left, top + height + 15), font, 0.42, (220, 220, 220), 1, cv2.LINE_AA)
    return page


def changes(plan: FilmPlan) -> Iterator[int]:
    """The frames in the middle of which one picture gives way to another."""
    at = 0
    yield from plan.cuts
    for shot in plan.shots:
        if shot.blend_frames:
            yield at + shot.blend_start + shot.blend_frames // 2
        at += shot.frames - shot.tail


def drawn(plan: FilmPlan, paths: dict[str, Path], wanted: set[int]) -> Iterator[tuple[int, Pixels]]:
    """These frames of the film, as BGR."""
    at = 0
    for segment in segments(plan):
        numbers = sorted(number - at for number in wanted if at <= number < at + segment.frames)
        easel = Easel(segment, paths) if numbers else None
        for number in numbers:
            assert easel
            yield at + number, seen(easel.draw(number))
        at += segment.frames


def seen(frame: Frame) -> Pixels:
    """A frame in the colours of a screen."""
    shown = frame.buffer.reformat(format="bgr24", src_colorspace="ITU709", dst_color_range="JPEG")
    return np.asarray(shown.to_ndarray(), np.uint8)


def quiet(fraction: float, note: str | None = None) -> None:
    """Nobody waits for progress here."""


def size(text: str) -> tuple[int, int]:
    """`640x360` as numbers."""
    width, height = text.split("x")
    return int(width), int(height)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=6.0, help="of a clip")
    parser.add_argument("--style", choices=list(STYLES), default="calm")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=size, default=(960, 540))
    parser.add_argument("--cell", type=int, default=320, help="pixels of a frame on the sheet")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args(words)


if __name__ == "__main__":
    raise SystemExit(main())
