"""Rendered segments, decoded again and compared with the pictures they were drawn from."""

import hashlib
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genlock.errors import RenderRefused
from genlock.media.film.dissolve import opacity
from genlock.media.film.frames import Easel, render_segment
from genlock.media.film.layer import Entry, Layer
from genlock.media.film.motion import Move, Picture, View, cover, view_at
from genlock.media.film.plan import plan_shots
from genlock.media.film.segment import Encoding, Segment, segments
from genlock.media.request import RenderedSegment, RenderSegment

SIZE = (320, 180)


def quiet(fraction: float, note: str | None = None) -> None: ...


def scene(seed: int, width: int = 640, height: int = 427) -> NDArray[np.uint8]:
    """A colourful picture with detail of many sizes, as RGB."""
    noise = np.random.default_rng(seed).normal(size=(height, width, 3)).astype(np.float32)
    layers = [cv2.GaussianBlur(noise, (0, 0), sigma) * sigma for sigma in (2, 6, 20, 60)]
    image = np.asarray(sum(layers)) * 22 + np.random.default_rng(seed + 1).integers(80, 170, 3)
    return image.clip(8, 247).astype(np.uint8)


def kept(folder: Path, image: NDArray[np.uint8]) -> tuple[Picture, dict[str, Path]]:
    """The picture as a working copy."""
    path = folder / "kept.jpg"
    Image.fromarray(image).save(path, quality=98, subsampling=0)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    path = path.rename(folder / f"{sha256}.jpg")
    height, width = image.shape[:2]
    return Picture(sha256=sha256, width=width, height=height), {sha256: path}


def still(picture: Picture, move: Move, frames: int = 12, crf: int = 4) -> Segment:
    layer = Layer(picture=picture, move=move, move_start=0, move_frames=frames)
    segment = Segment(kind="body", width=SIZE[0], height=SIZE[1], fps=30, frames=frames, layers=[layer])
    fine = segment.encoding.model_copy(update={"crf": crf})
    return segment.model_copy(update={"encoding": fine})


def rendered(segment: Segment, sources: dict[str, Path], to: Path) -> RenderedSegment:
    return render_segment(RenderSegment(segment=segment, sources=sources, to=to), quiet)


def decoded(path: Path) -> list[NDArray[np.float64]]:
    """Every frame as RGB, computed from the planes by the formulas of BT.709."""
    with av.open(str(path)) as film:
        return [rgb(frame) for frame in film.decode(video=0)]


def rgb(frame: av.VideoFrame) -> NDArray[np.float64]:
    planes = [
        np.frombuffer(memoryview(plane), np.uint8)
        .reshape(-1, plane.line_size)[: plane.height, : plane.width]
        .astype(np.float64)
        for plane in frame.planes
    ]
    luma = (planes[0] - 16) * 255 / 219
    blue, red = (
        cv2.resize(plane - 128, luma.shape[::-1], interpolation=cv2.INTER_LINEAR) * 255 / 224
        for plane in planes[1:]
    )
    r, b = luma + 1.5748 * red, luma + 1.8556 * blue
    g = (luma - 0.2126 * r - 0.0722 * b) / 0.7152
    return np.stack([r, g, b], axis=2).clip(0, 255)


def expected(image: NDArray[np.uint8], picture: Picture, view: View) -> NDArray[np.float64]:
    """What the view shows, by Pillow's best filter."""
    wide, high = (share / view.zoom for share in cover(picture, SIZE))
    box = (
        (view.x - wide / 2) * picture.width,
        (view.y - high / 2) * picture.height,
        (view.x + wide / 2) * picture.width,
        (view.y + high / 2) * picture.height,
    )
    shown = Image.fromarray(image).resize(SIZE, Image.Resampling.LANCZOS, box=box)
    return np.asarray(shown).astype(np.float64)


def psnr(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    return float(10 * np.log10(255**2 / np.mean((left - right) ** 2)))


PAN = Move(start=View(x=0.46, y=0.45, zoom=1.1), end=View(x=0.54, y=0.56, zoom=1.12))


@pytest.mark.parametrize("shape", [(640, 427), (427, 640), (1280, 853), (200, 150)])
def test_frames_show_exactly_what_the_camera_sees_in_true_colours(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    image = scene(1, *shape)
    picture, sources = kept(tmp_path, image)
    frames = decoded(rendered(still(picture, PAN), sources, tmp_path / "out.mp4").path)
    assert len(frames) == 12
    for number in (0, 5, 11):
        wanted = expected(image, picture, view_at(PAN, number / 12))
        assert np.abs(frames[number].mean((0, 1)) - wanted.mean((0, 1))).max() < 1.0
        assert psnr(frames[number], wanted) > 33


def drawn(segment: Segment, sources: dict[str, Path]) -> list[NDArray[np.float64]]:
    """The luma of every frame, before it is encoded."""
    easel = Easel(segment, sources)
    return [np.array(easel.draw(number).planes[0], np.float64) for number in range(segment.frames)]


def gravel(width: int, height: int) -> NDArray[np.uint8]:
    """As much that is fine as a lens shows."""
    grains = np.random.default_rng(5).integers(0, 256, (height, width, 1)).astype(np.float32)
    return np.repeat(cv2.GaussianBlur(grains, (0, 0), 0.8)[..., None], 3, axis=2).astype(np.uint8)


def detail(luma: NDArray[np.float64]) -> float:
    """How much there is of what is finest."""
    return float(np.abs(cv2.Laplacian(luma.astype(np.float32), cv2.CV_32F)).mean())


@pytest.mark.parametrize("shape", [(200, 150), (320, 213), (384, 256), (640, 427)])
def test_a_picture_is_as_sharp_as_the_best_filter_makes_it_however_large_it_is(
    tmp_path: Path, shape: tuple[int, int]
) -> None:
    image = gravel(*shape)
    picture, sources = kept(tmp_path, image)
    for number, luma in enumerate(drawn(still(picture, PAN), sources)):
        wanted = expected(image, picture, view_at(PAN, number / 12)) @ np.array([0.2126, 0.7152, 0.0722])
        assert 0.92 < detail((luma - 16) * 255 / 219) / detail(wanted) < 1.08


def shift(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """How far the picture moved to the left, in pixels: by the brightness that slid along its slopes."""
    before, after = (cv2.GaussianBlur(frame, (0, 0), 1)[8:-8, 8:-8] for frame in (before, after))
    slope = (np.gradient(before, axis=1) + np.gradient(after, axis=1)) / 2
    return float((slope * (after - before)).sum() / (slope**2).sum())


def test_motion_is_smooth_to_a_few_hundredths_of_a_pixel(tmp_path: Path) -> None:
    picture, sources = kept(tmp_path, scene(3, 1280, 853))
    wide = cover(picture, SIZE)[0] / 1.1
    slow = Move(start=View(x=0.49, y=0.5, zoom=1.1), end=View(x=0.49 + 0.02 * wide, y=0.5, zoom=1.1))
    moved = [shift(*frames) for frames in pairwise(drawn(still(picture, slow, 24), sources))]
    xs = [view_at(slow, number / 24).x / wide * SIZE[0] for number in range(24)]
    planned = [later - earlier for earlier, later in pairwise(xs)]
    assert 0.19 < min(planned) < max(planned) < 0.35
    slope = float(np.dot(moved, planned) / np.dot(planned, planned))
    assert slope == pytest.approx(1.0, abs=0.12)  # the estimate is coarse in scale, and fine in evenness
    assert np.abs(np.array(moved) - slope * np.array(planned)).max() < 0.05


def test_nothing_flickers_while_the_camera_moves(tmp_path: Path) -> None:
    picture, sources = kept(tmp_path, scene(5, 1280, 853))
    frames = drawn(still(picture, PAN, 24), sources)
    detail = [float(cv2.Laplacian(frame, cv2.CV_64F).std()) for frame in frames]
    assert max(abs(later / earlier - 1) for earlier, later in pairwise(detail)) < 0.02


def test_a_dissolve_mixes_both_pictures_by_its_opacity(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    dark, first = kept(tmp_path / "a", np.full((200, 360, 3), 40, np.uint8))
    light, second = kept(tmp_path / "b", np.full((200, 360, 3), 220, np.uint8))
    rest = Move(start=View(x=0.5, y=0.5, zoom=1.0), end=View(x=0.5, y=0.5, zoom=1.0))
    below = Layer(picture=dark, move=rest, move_start=0, move_frames=8)
    entry = Entry(kind="dissolve", start=2, frames=6)
    above = Layer(picture=light, move=rest, move_start=2, move_frames=10, entry=entry)
    segment = still(dark, rest).model_copy(update={"layers": [below, above]})
    frames = decoded(rendered(segment, first | second, tmp_path / "out.mp4").path)
    levels = [float(frame.mean()) for frame in frames]
    wanted = [40 + 180 * opacity(entry.share(number)) for number in range(12)]
    assert levels == pytest.approx(wanted, abs=1.5)
    assert levels[:2] == pytest.approx([40, 40], abs=1.5)
    assert levels[8:] == pytest.approx([220] * 4, abs=1.5)
    assert all(later > earlier for earlier, later in pairwise(levels[1:9]))


def test_the_whole_film_of_a_plan_moves_in_every_frame(tmp_path: Path) -> None:
    sources: dict[str, Path] = {}
    pictures = []
    for seed in range(4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        picture, path = kept(folder, scene(10 + seed))
        pictures.append(picture)
        sources |= path
    plan = plan_shots(
        [(pictures[0], pictures[1]), (pictures[2], pictures[3])], size=SIZE, seconds_per_clip=2.0, seed=4
    )
    frames = []
    for number, segment in enumerate(segments(plan, Encoding(crf=10))):
        answer = rendered(segment, sources, tmp_path / f"{number}.mp4")
        assert (answer.frames, answer.name) == (segment.frames, segment.name)
        frames += decoded(answer.path)
    assert len(frames) == plan.total_frames
    changes = [float(np.abs(later - earlier).mean()) for earlier, later in pairwise(frames)]
    assert min(changes) > 0.1
    # Nothing jumps either: the frames at both sides of each join differ like any others of a dissolve.
    assert max(changes) < 25


def test_segments_are_encoded_as_the_film_must_be(tmp_path: Path) -> None:
    picture, sources = kept(tmp_path, scene(1))
    path = rendered(still(picture, PAN, 130, crf=20), sources, tmp_path / "out.mp4").path
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        context = stream.codec_context
        assert (context.name, stream.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.width, context.height, stream.average_rate) == (*SIZE, 30)
        assert stream.sample_aspect_ratio == 1
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
        assert context.color_range == 1
        packets = [packet for packet in film.demux(stream) if packet.size]
    ordered = sorted(packets, key=lambda packet: packet.pts or 0)
    assert [packet.pts for packet in ordered] == [512 * number for number in range(130)]
    assert [number for number, packet in enumerate(ordered) if packet.is_keyframe] == [0, 60, 120]


def test_the_same_segment_is_the_same_file_to_the_byte(tmp_path: Path) -> None:
    picture, sources = kept(tmp_path, scene(1))
    segment = still(picture, PAN)
    files = [rendered(segment, sources, tmp_path / f"{name}.mp4").path for name in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_progress_counts_frames(tmp_path: Path) -> None:
    picture, sources = kept(tmp_path, scene(1))
    heard: list[tuple[float, str | None]] = []
    request = RenderSegment(segment=still(picture, PAN), sources=sources, to=tmp_path / "out.mp4")
    render_segment(request, lambda at, note=None: heard.append((at, note)))
    assert len(heard) == 12
    assert heard[-1] == (1.0, "12 of 12 frames")


def test_a_wrong_or_missing_picture_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    picture, sources = kept(tmp_path, scene(1))
    before = sorted(tmp_path.iterdir())
    segment = still(picture.model_copy(update={"width": 800, "height": 534}), PAN)
    with pytest.raises(RenderRefused, match=r"has 640x427 pixels, but the plan was made for 800x534"):
        rendered(segment, sources, tmp_path / "out.mp4")
    with pytest.raises(RenderRefused, match="no file was given for picture"):
        rendered(segment, {}, tmp_path / "out.mp4")
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    with pytest.raises(RenderRefused, match=r"text\.jpg cannot be decoded"):
        rendered(segment, {picture.sha256: text}, tmp_path / "out.mp4")
    assert sorted(tmp_path.iterdir()) == [*before, text]
