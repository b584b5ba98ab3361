"""Two views of a scene become one camera move: held against what a camera there would have seen."""

from __future__ import annotations

import hashlib
import random
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from album import PHOTOS, Labelled, candidate, labelled
from genlock.errors import BadPicture
from genlock.media.film.canvas import looking_at
from genlock.media.film.frames import Easel
from genlock.media.film.layer import Entry, Layer, Morph
from genlock.media.film.link import Link, LinkPictures
from genlock.media.film.morph import bent, blended
from genlock.media.film.motion import Move, Picture, View
from genlock.media.film.plan import FilmPlan, meetings, plan_shots
from genlock.media.film.relation import link_pictures
from genlock.media.film.route import quad_at
from genlock.media.film.segment import Segment, body, segments, transition
from genlock.media.film.style import Style
from genlock.media.pairing.choice import ChoosePairs
from genlock.media.pairing.chooser import choose_pairs

SIZE = (320, 180)
Image = NDArray[np.uint8]
Luma = NDArray[np.float64]


def quiet(fraction: float, note: str | None = None) -> None: ...


class Views:
    """Pictures in a folder, by their hashes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.paths = folder, dict[str, Path]()

    def add(self, image: Image, focus: tuple[float, float] = (0.5, 0.5)) -> Picture:
        path = self.folder / f"{len(self.paths)}.png"
        cv2.imwrite(str(path), image)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.paths[sha256] = path
        return Picture(sha256=sha256, width=image.shape[1], height=image.shape[0], focus=focus)

    def link(self, *pictures: Picture) -> list[Link]:
        steps = [(one.sha256, other.sha256) for one, other in pairwise(pictures)]
        return link_pictures(LinkPictures(pictures=self.paths, steps=steps), quiet).links

    def drawn(self, segment: Segment) -> list[Luma]:
        easel = Easel(segment, self.paths)
        return [np.array(easel.draw(number).planes[0], np.float64) for number in range(segment.frames)]


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return Views(tmp_path)


def photo(name: str, width: int = 960) -> Image:
    image = cv2.imread(str(PHOTOS / f"{name}.jpg"))
    assert image is not None
    return np.asarray(cv2.resize(image, (width, round(image.shape[0] * width / image.shape[1]))), np.uint8)


def seen_from(image: Image, quad: list[tuple[float, float]], light: float = 1.0) -> Image:
    """What a camera sees that has this part of a picture, in shares, in its frame."""
    size = image.shape[1] * 4 // 5, image.shape[0] * 4 // 5
    matrix = looking_at(tuple(quad), image.shape[1], image.shape[0], size)  # type: ignore[arg-type]
    centred = (
        np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
        @ matrix
        @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    )
    view = cv2.warpPerspective(image, centred, size, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    return cv2.convertScaleAbs(view, alpha=light)


WIDE = [(0.02, 0.03), (0.97, 0.02), (0.98, 0.97), (0.03, 0.98)]
NEAR = [(0.2, 0.22), (0.85, 0.18), (0.86, 0.83), (0.19, 0.86)]


def clip(views: Views, first: Picture, last: Picture, seconds: float = 4.0) -> FilmPlan:
    return plan_shots([(first, last)], links=views.link(first, last), size=SIZE, seconds_per_clip=seconds)


def psnr(one: Luma, other: Luma) -> float:
    return float(10 * np.log10(255**2 / np.mean((one - other) ** 2)))


@pytest.mark.parametrize(("here", "there"), [(WIDE, NEAR), (NEAR, WIDE)], ids=["closer", "back"])
def test_every_frame_is_what_a_camera_on_this_way_would_have_seen(
    views: Views, here: list[tuple[float, float]], there: list[tuple[float, float]]
) -> None:
    scene = photo("forest-stream")
    first, last = views.add(seen_from(scene, here)), views.add(seen_from(scene, there))
    segment = body(clip(views, first, last).shots[0])
    layer = segment.layers[0]
    assert isinstance(layer, Morph)
    truth = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY) * (219 / 255) + 16
    to_scene = looking_at(tuple(here), 1, 1, (first.width, first.height))  # type: ignore[arg-type]
    for number, frame in enumerate(views.drawn(segment)):
        if number % 8 and blended(layer, number) % 1 == 0:
            continue
        share, turned = number / layer.move_frames, bent(layer, number)
        quad = quad_at(layer.route, first, last, SIZE, share=share, turned=turned)
        camera = to_scene @ looking_at(quad, first.width, first.height, SIZE)
        wanted = scene_through(truth, camera)
        assert psnr(frame[2:-2, 2:-2], wanted[2:-2, 2:-2]) > 24, number


def scene_through(truth: Luma, camera: NDArray[np.float64]) -> Luma:
    """The scene in shares through a camera, four samples a pixel each way, as a frame shows it."""
    height, width = truth.shape
    fine = np.diag([0.25, 0.25, 1.0]) @ np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrix = np.array([[width, 0, -0.5], [0, height, -0.5], [0, 0, 1]]) @ camera @ fine
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    large = cv2.warpPerspective(truth, matrix, (SIZE[0] * 4, SIZE[1] * 4), flags=flags)
    return np.asarray(cv2.resize(large, SIZE, interpolation=cv2.INTER_AREA))


def nearer_things_move_more(image: Image, side: float) -> Image:
    """The scene from further aside: what is lower in the picture is nearer, and moves more."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    depth = np.clip((y / height - 0.4) / 0.6, 0, 1) * np.float32(side * width)
    view = cv2.remap(image, (x + depth).astype(np.float32), y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    edge = width // 12
    return np.asarray(view[:, edge:-edge], np.uint8)


def test_parallax_does_not_show_anything_twice(views: Views) -> None:
    """Half-way between two views frames are as sharp as at the ends; a dissolve of the same is not."""
    scene = photo("forest-stream")
    first, last = (views.add(nearer_things_move_more(scene, side)) for side in (-0.02, 0.02))
    plan = clip(views, first, last)
    shot = plan.shots[0]
    assert shot.morph
    middle = shot.blend_start + shot.blend_frames // 2
    frames = views.drawn(body(shot))
    ends = (sharpness(frames[4]) + sharpness(frames[-4])) / 2
    assert sharpness(frames[middle]) > 0.85 * ends
    plain = plan_shots([(first, last)], size=SIZE, seconds_per_clip=4.0).shots[0]
    mixed = views.drawn(body(plain))[plain.blend_start + plain.blend_frames // 2]
    assert sharpness(frames[middle]) > 1.15 * sharpness(mixed)


def sharpness(frame: Luma) -> float:
    return float(cv2.Laplacian(frame, cv2.CV_64F).std())


def test_a_morph_begins_and_ends_on_its_pictures_as_they_are(views: Views) -> None:
    scene = photo("mountain-path")
    first, last = views.add(seen_from(scene, WIDE)), views.add(seen_from(scene, NEAR, 1.15))
    shot = clip(views, first, last).shots[0]
    assert shot.morph
    frames = views.drawn(body(shot))
    for frame, picture, view in ((frames[0], first, shot.morph.start), (frames[-1], last, shot.morph.end)):
        image = cv2.imread(str(views.paths[picture.sha256]))
        assert image is not None
        luma = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) * (219 / 255) + 16
        wide = 1 / view.zoom
        high = wide * SIZE[1] / SIZE[0] * picture.width / picture.height
        left, top = (view.x - wide / 2) * picture.width, (view.y - high / 2) * picture.height
        scale = wide * picture.width / SIZE[0]
        matrix = np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
        soft = cv2.GaussianBlur(luma, (0, 0), 0.4 * scale)
        still = cv2.warpAffine(soft, matrix, SIZE, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        assert psnr(frame, np.asarray(still)) > 30
        assert abs(float(frame.mean()) - float(still.mean())) < 1


def flow(before: Luma, after: Luma) -> NDArray[np.float32]:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    planes = [frame.astype(np.uint8) for frame in (before, after)]
    return np.asarray(search.calc(planes[0], planes[1], np.zeros((*before.shape, 2), np.float32)))


def test_motion_is_smooth_from_the_first_frame_to_the_last(views: Views) -> None:
    """No jump where the pictures change or begin to bend, and no stand-still at the end."""
    scene = photo("forest-stream")
    first = views.add(nearer_things_move_more(scene, -0.01))
    last = views.add(nearer_things_move_more(scene, 0.01)[20:-60, 30:-60])
    shot = clip(views, first, last).shots[0]
    assert shot.morph
    frames = views.drawn(body(shot))
    speeds = np.array(
        [float(np.percentile(np.linalg.norm(flow(*pair), axis=2), 60)) for pair in pairwise(frames)]
    )
    assert speeds.min() > 0.02
    assert np.abs(np.diff(speeds)).max() < 0.15
    assert min(float(np.abs(after - before).mean()) for before, after in pairwise(frames)) > 0.05


def test_light_changes_slowly_though_the_pictures_differ_in_it(views: Views) -> None:
    scene = photo("autumn-meadow")
    first, last = views.add(seen_from(scene, WIDE)), views.add(seen_from(scene, NEAR, 1.2))
    shot = clip(views, first, last).shots[0]
    assert shot.morph
    levels = [float(frame.mean()) for frame in views.drawn(body(shot))]
    assert abs(levels[-1] - levels[0]) > 8
    assert max(abs(after - before) for before, after in pairwise(levels)) < 0.12 * abs(levels[-1] - levels[0])


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> list[Labelled]:
    return labelled(tmp_path_factory.mktemp("album"))


def measured(album: list[Labelled], steps: list[tuple[Labelled, Labelled]]) -> list[Link]:
    paths = {one.candidate.sha256: one.candidate.path for one in album}
    hashes = [(one.candidate.sha256, other.candidate.sha256) for one, other in steps]
    return link_pictures(LinkPictures(pictures=paths, steps=hashes), quiet).links


def test_flow_carries_views_of_one_scene_into_each_other_and_strangers_never(album: list[Labelled]) -> None:
    kin = [
        (one, other) for one, other in pairwise(album) if one.scene == other.scene and one.view != other.view
    ]
    strangers = [(one, other) for one, other in zip(album, album[5:] + album[:5], strict=True)]
    strangers = [(one, other) for one, other in strangers if one.scene != other.scene]
    assert len(kin) >= 16
    assert len(strangers) >= 28
    assert all(link.one_scene and link.agreement > 0.55 for link in measured(album, kin))
    assert all(not link.one_scene and link.agreement < 0.05 for link in measured(album, strangers))


def test_the_same_photos_in_another_order_are_the_same_film(tmp_path: Path) -> None:
    names = ("dandelion", "dandelion-near", "two-dogs", "two-dogs-near", "wall-clock", "bridge-cables")
    paths = []
    for name in names:
        paths.append(tmp_path / f"{name}.jpg")
        cv2.imwrite(str(paths[-1]), photo(name, 480))
    films = []
    for seed in range(2):
        random.Random(seed).shuffle(paths)
        films.append([piece.name for piece in segments(film_of(paths))])
    assert films[0] == films[1]


def film_of(paths: list[Path]) -> FilmPlan:
    """The plan of a film of three pairs, as a campaign would make it."""
    candidates = [candidate(path) for path in paths]
    choice = choose_pairs(ChoosePairs(pictures=candidates, num_pairs=3), quiet)
    by_id = {one.id: one for one in candidates}
    pictures = {}
    for one in candidates:
        image = cv2.imread(str(one.path))
        assert image is not None
        pictures[one.id] = Picture(sha256=one.sha256, width=image.shape[1], height=image.shape[0])
    pairs = [(pictures[pair.first], pictures[pair.last]) for pair in choice.pairs]
    steps = [(one.sha256, other.sha256) for one, other in meetings(pairs)]
    request = LinkPictures(pictures={one.sha256: one.path for one in by_id.values()}, steps=steps)
    plan = plan_shots(pairs, links=link_pictures(request, quiet).links, size=SIZE, tempo=84)
    assert sum(shot.morph is not None for shot in plan.shots) == 2
    return plan


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    request = LinkPictures(pictures={"a": path, "b": path}, steps=[("a", "b")])
    with pytest.raises(BadPicture, match=r"broken\.jpg cannot be read"):
        link_pictures(request, quiet)


@pytest.mark.parametrize("kind", ["push", "zoom"])
def test_a_passage_begins_on_one_picture_and_ends_on_the_next_without_a_jump(views: Views, kind: str) -> None:
    pictures = [
        views.add(photo(name, 640)) for name in ("dragonfly", "bridge-cables", "wall-clock", "fig-in-bowl")
    ]
    style = Style(name=kind, dissolve=0.0, push=float(kind == "push"), zoom=float(kind == "zoom"))
    pairs = [(pictures[0], pictures[1]), (pictures[2], pictures[3])]
    plan = plan_shots(pairs, links=[Link()] * 3, size=SIZE, seconds_per_clip=3.0, style=style)
    one, other = plan.shots
    frames = [
        *views.drawn(body(one))[-2:],
        *views.drawn(transition(one, other, plan.transitions[0])),
        *views.drawn(body(other))[:2],
    ]
    changes = [float(np.abs(after - before).mean()) for before, after in pairwise(frames)]
    assert max(changes[:2] + changes[-2:]) < 0.5 * max(changes)
    assert min(changes) > 0.02
    middle = np.argmax(changes)
    assert 3 < middle < len(changes) - 3


def test_both_pictures_of_a_push_are_seen_side_by_side(views: Views) -> None:
    dark, light = (views.add(np.full((360, 640, 3), level, np.uint8)) for level in (40, 220))
    style = Style(name="push", dissolve=0.0, push=1.0)
    shot = plan_shots([(dark, light)], links=[Link()], size=SIZE, seconds_per_clip=3.0, style=style).shots[0]
    assert shot.turn == "right"
    frames = views.drawn(body(shot))
    row_of_dark, row_of_light = frames[0][90], frames[-1][90]
    shares = []
    for number in range(shot.blend_start, shot.blend_start + shot.blend_frames):
        row = frames[number][90]
        assert np.all(np.diff(row) >= 0)
        shares.append(float((row - row_of_dark).mean() / (row_of_light - row_of_dark).mean()))
    assert all(after > before for before, after in pairwise(shares[1:-1]))
    assert 0 <= shares[0] < 0.02
    assert 0.98 < shares[-1] <= 1


@pytest.mark.parametrize("side", ["left", "right", "up", "down"])
def test_a_push_begins_with_the_picture_before_and_ends_with_the_next_without_a_sliver(
    views: Views, side: str
) -> None:
    dark, light = (views.add(np.full((360, 640, 3), level, np.uint8)) for level in (40, 220))
    rest = Move(start=View(x=0.5, y=0.5, zoom=1.0), end=View(x=0.5, y=0.5, zoom=1.0))
    below, above = (Layer(picture=one, move=rest, move_start=0, move_frames=10) for one in (dark, light))
    above = above.model_copy(update={"entry": Entry(kind=side, start=0, frames=10)})  # type: ignore[arg-type]
    segment = Segment(
        kind="transition", width=SIZE[0], height=SIZE[1], fps=30, frames=10, layers=[below, above]
    )
    frames = views.drawn(segment)
    low, high = (16 + level * 219 / 255 for level in (40, 220))
    assert np.abs(frames[0] - low).max() < 0.1 * (high - low)
    assert np.abs(frames[-1] - high).max() < 0.1 * (high - low)
    steepest = max(np.abs(np.diff(frame, axis=axis)).max() for frame in frames for axis in (0, 1))
    assert steepest < 0.1 * (high - low)


@pytest.mark.parametrize("kind", ["dissolve", "zoom"])
def test_two_pictures_full_of_detail_are_out_of_focus_while_they_are_mixed(views: Views, kind: str) -> None:
    one, other = (views.add(photo(name)) for name in ("forest-stream", "mountain-path"))
    style = Style(name=kind, dissolve=float(kind == "dissolve"), zoom=float(kind == "zoom"))

    def sharpness(detail: float) -> list[float]:
        pair = tuple(each.model_copy(update={"detail": detail}) for each in (one, other))
        shot = plan_shots([pair], links=[Link()], size=SIZE, seconds_per_clip=3.0, style=style).shots[0]  # type: ignore[list-item]
        frames = views.drawn(body(shot))[shot.blend_start : shot.blend_start + shot.blend_frames]
        return [float(np.abs(cv2.Laplacian(frame, cv2.CV_64F)).mean()) for frame in frames]

    soft, plain = sharpness(0.4), sharpness(0.0)
    middle = len(soft) // 2
    assert soft[middle] < 0.7 * plain[middle]
    assert soft[0] == pytest.approx(plain[0], rel=0.01)
    assert soft[-1] == pytest.approx(plain[-1], rel=0.01)
