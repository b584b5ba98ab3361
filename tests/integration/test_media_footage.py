"""Footage from anywhere, looked at and conformed to a film, through a real rendering child."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import pytest_asyncio

from footage import TICKS, Roll, number_of, picture, roll
from genlock.errors import Permanent, RenderRefused
from genlock.media.film.colour import as_bt709
from genlock.media.film.footage import Footage, FootageReport, LookAtFootage, conform
from genlock.media.film.motion import Picture, Size
from genlock.media.film.part import parts
from genlock.media.film.plan import plan_shots
from genlock.media.film.segment import Segment, body
from genlock.media.film.shot import Shot
from genlock.media.pool import RenderPool
from genlock.media.request import RenderSegment

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one rendering child for all of them

SIZE = (160, 90)
FILE = "f" * 64


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[RenderPool]:
    async with RenderPool(1, memory=2 * 1024**3) as pool:
        yield pool


async def look(pool: RenderPool, path: Path) -> FootageReport:
    return await pool.run("look_at_footage", LookAtFootage(path=path, name="the footage"))


def photo(number: int, *, width: int = 1600, height: int = 900, focus: tuple[float, float] = (0.5, 0.5)):  # type: ignore[no-untyped-def]
    x, y = focus
    region = (max(0, x - 0.1), max(0, y - 0.1), min(1, x + 0.1), min(1, y + 0.1))
    return Picture(sha256=f"{number:064x}", width=width, height=height, focus=focus, region=region)


def shot_of(footage: Footage | None, frames: int, size: Size = SIZE, fps: int = 30) -> Shot:
    plan = plan_shots([(photo(1), photo(2))], size=size, seconds_per_clip=frames / fps, fps=fps)
    (shot,) = plan.shots
    assert shot.frames == frames
    return shot.model_copy(update={"footage": footage})


async def shown(pool: RenderPool, segment: Segment, path: Path, to: Path) -> list[np.ndarray]:
    """The frames of a segment, decoded."""
    sources = dict.fromkeys(segment.sources, path)
    await pool.run("render_segment", RenderSegment(segment=segment, sources=sources, to=to))
    with av.open(str(to)) as film:
        return [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


async def filmed(
    pool: RenderPool,
    path: Path,
    frames: int,
    to: Path,
    size: Size = SIZE,
    focus: tuple[float, float] = (0.5, 0.5),
) -> tuple[FootageReport, Footage, list[np.ndarray]]:
    report = await look(pool, path)
    ends = photo(1, focus=focus), photo(2, focus=focus)
    footage = conform(report, FILE, frames=frames, fps=30, size=size, ends=ends)
    segment = body(shot_of(footage, frames, size))
    assert segment.frames == frames
    return report, footage, await shown(pool, segment, path, to)


@pytest.mark.parametrize(
    ("rate", "frames"),
    [
        (Fraction(24), 48),
        (Fraction(25), 50),
        (Fraction(30000, 1001), 60),
        (Fraction(30), 60),
        (Fraction(60), 120),
    ],
)
async def test_each_frame_shows_the_frame_of_the_footage_that_is_nearest_in_time(
    pool: RenderPool, tmp_path: Path, rate: Fraction, frames: int
) -> None:
    path = roll(tmp_path / "in.mp4", Roll(fps=rate, frames=frames, sound=rate == 24))
    report, footage, images = await filmed(pool, path, 60, tmp_path / "out.mp4")
    assert (report.frames, report.width, report.height) == (frames, *SIZE)
    assert report.has_audio == (rate == 24)
    assert report.fps == pytest.approx(float(rate), abs=0.02)
    seen = [number_of(image) for image in images]
    assert (seen[0], seen[-1], len(seen)) == (0, frames - 1, 60)
    times = [round(number * TICKS / rate) / TICKS for number in range(frames)]
    for number, found in enumerate(seen):
        moment = footage.begin + number / 30 * footage.speed
        assert abs(times[found] - moment) <= min(abs(time - moment) for time in times) + 1e-3
    assert [later - earlier for earlier, later in pairwise(seen)].count(0) == max(0, 60 - frames)
    assert min(psnr(image, picture(found, SIZE)) for image, found in zip(images, seen, strict=True)) > 27


@pytest.mark.parametrize(("seconds", "last"), [(1.78, -1), (1.9, -1), (2.2, -1), (2.24, -1), (3.0, None)])
async def test_footage_is_played_up_to_12_percent_faster_or_slower_and_what_is_too_long_is_cut_off(
    pool: RenderPool, tmp_path: Path, seconds: float, last: int | None
) -> None:
    frames = round(seconds * 30)
    path = roll(tmp_path / "in.mp4", Roll(frames=frames))
    report, footage, images = await filmed(pool, path, 60, tmp_path / "out.mp4")
    seen = [number_of(image) for image in images]
    assert seen[0] == 0
    if last is None:
        assert footage.speed == pytest.approx(1.12)
        assert seen[-1] == round(59 * 1.12)
        assert footage.unused == pytest.approx(report.span - 59 / 30 * 1.12)
    else:
        assert footage.speed == pytest.approx((frames - 1) / 59, abs=1e-3)
        assert footage.unused == pytest.approx(0, abs=1e-3)
        assert seen[-1] == frames - 1
    assert seen[-6:] != [seen[-1]] * 6, "the end does not stand still"


async def test_a_clip_that_the_next_one_goes_on_from_is_cut_off_at_its_beginning(
    pool: RenderPool, tmp_path: Path
) -> None:
    path = roll(tmp_path / "in.mp4", Roll(frames=90))
    ends = photo(1), photo(2)
    footage = conform(await look(pool, path), FILE, frames=60, fps=30, size=SIZE, ends=ends, keep_end=True)
    images = await shown(pool, body(shot_of(footage, 60)), path, tmp_path / "out.mp4")
    assert number_of(images[-1]) == 89
    assert number_of(images[0]) == 89 - round(59 * 1.12)


async def test_footage_that_is_too_short_is_refused_with_the_numbers(
    pool: RenderPool, tmp_path: Path
) -> None:
    report = await look(pool, roll(tmp_path / "in.mp4", Roll(frames=50)))
    with pytest.raises(Permanent, match=r"50 frames in 1\.67 s.*60 frames at 30.*1\.73 s") as raised:
        conform(report, FILE, frames=60, fps=30, size=SIZE, ends=(photo(1), photo(2)))
    assert "clip_duration" in str(raised.value)


async def test_frames_that_do_not_last_equally_long_are_shown_at_their_times(
    pool: RenderPool, tmp_path: Path
) -> None:
    times = [50 * at for at in (0, 60, 80, 100, 300, 320, 500, 560, 640, 700, 900, 1180)]
    path = roll(tmp_path / "in.mp4", Roll(times=times))
    report, footage, images = await filmed(pool, path, 60, tmp_path / "out.mp4")
    assert report.fps is None
    assert "do not last equally long" in report.notes[0]
    for number, image in enumerate(images):
        moment = footage.begin + number / 30 * footage.speed
        nearest = min(abs(time / TICKS - moment) for time in times)
        assert abs(times[number_of(image)] / TICKS - moment) <= nearest + 1e-3


@pytest.mark.parametrize("begins", [0, 90_000])
async def test_a_part_reads_on_from_where_it_begins(pool: RenderPool, tmp_path: Path, begins: int) -> None:
    """Parts are drawn by different children; each shows what the whole would show there."""
    path = roll(tmp_path / "in.mp4", Roll(fps=Fraction(24), frames=144, begins=begins))
    report = await look(pool, path)
    footage = conform(report, FILE, frames=180, fps=30, size=SIZE, ends=(photo(1), photo(2)))
    assert footage.begin == pytest.approx(begins / TICKS, abs=1e-3)
    whole = body(shot_of(footage, 180))
    pieces = parts(whole)
    assert len(pieces) == 3
    seen = [
        number_of(image)
        for number, piece in enumerate(pieces)
        for image in await shown(pool, piece, path, tmp_path / f"{number}.mp4")
    ]
    times = [number / 24 + footage.begin for number in range(144)]
    for number, found in enumerate(seen):
        moment = footage.begin + number / 30 * footage.speed
        assert abs(times[found] - moment) <= min(abs(time - moment) for time in times) + 2e-3


@pytest.mark.parametrize(
    ("size", "focus", "box"),
    [
        ((160, 120), (0.5, 0.5), (0, 15, 160, 105)),  # 4:3
        ((160, 120), (0.5, 0.05), (0, 0, 160, 90)),
        ((90, 160), (0.5, 0.3), (0, 22, 90, 74)),  # upright
        ((161, 91), (0.5, 0.5), (0, 0, 160, 90)),  # odd
        ((320, 180), (0.5, 0.5), (0, 0, 320, 180)),
        ((64, 36), (0.5, 0.5), (0, 0, 64, 36)),
    ],
)
async def test_what_stands_out_stays_in_view_and_nothing_is_stretched(
    pool: RenderPool, tmp_path: Path, size: Size, focus: tuple[float, float], box: tuple[int, int, int, int]
) -> None:
    wanted = Roll(size=size, frames=30, pixels="yuv444p" if size[0] % 2 else "yuv420p")
    path = roll(tmp_path / "in.mp4", wanted)
    report, footage, images = await filmed(pool, path, 30, tmp_path / "out.mp4", focus=focus)
    assert (report.width, report.height) == tuple(side // 2 * 2 for side in size)
    assert footage.move.start == footage.move.end
    x0, y0, x1, y1 = box
    expected = cv2.resize(picture(11, size)[y0:y1, x0:x1], SIZE, interpolation=cv2.INTER_AREA)
    number = round(11 / footage.speed)
    assert psnr(images[number], expected) > 20
    aside = np.roll(expected, 6, axis=0)
    assert psnr(images[number], expected) > psnr(images[number], aside) + 4


@pytest.mark.parametrize("turned", [90, 180, 270])
async def test_footage_is_shown_upright(pool: RenderPool, tmp_path: Path, turned: int) -> None:
    size = (90, 160) if turned != 180 else (160, 90)
    path = roll(tmp_path / "in.mp4", Roll(size=size, turned=turned))
    report, _, images = await filmed(pool, path, 30, tmp_path / "out.mp4")
    assert (report.width, report.height) == SIZE
    assert any("stored" in note for note in report.notes)
    assert [number_of(image) for image in images] == list(range(30))
    assert psnr(images[9], picture(9, SIZE)) > 25


async def test_pixels_that_are_not_square_are_made_so(pool: RenderPool, tmp_path: Path) -> None:
    path = roll(tmp_path / "in.mp4", Roll(size=(120, 90), aspect=Fraction(4, 3)))
    report, _, images = await filmed(pool, path, 30, tmp_path / "out.mp4")
    assert (report.width, report.height) == SIZE
    expected = cv2.resize(picture(9, (120, 90)), SIZE, interpolation=cv2.INTER_CUBIC)
    assert psnr(images[9], expected) > 24


FULL = {"color_range": 2, "colorspace": 1}
SMALL = {"colorspace": 5, "color_range": 1}


@pytest.mark.parametrize(
    ("pixels", "tags"),
    [
        ("yuv420p", FULL),
        ("yuvj420p", FULL),
        ("yuv420p", SMALL),
        ("yuv444p", {"colorspace": 1}),
        ("yuv420p10le", {"colorspace": 1}),
    ],
)
async def test_colours_stay_what_they_were(
    pool: RenderPool, tmp_path: Path, pixels: str, tags: dict[str, int]
) -> None:
    path = roll(tmp_path / "in.mp4", Roll(pixels=pixels, tags=tags))
    _, _, images = await filmed(pool, path, 30, tmp_path / "out.mp4")
    wanted = picture(9, SIZE)
    assert psnr(images[9], wanted) > 25
    assert np.abs(images[9].mean((0, 1)) - wanted.mean((0, 1))).max() < 4.5, "by channel"


@pytest.mark.parametrize(
    ("matrix", "weights"), [(1, (0.2126, 0.0722)), (5, (0.299, 0.114)), (9, (0.2627, 0.0593))]
)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("colour", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (0, 0, 0), (0.2, 0.5, 0.9)])
async def test_a_colour_has_the_levels_of_bt709_to_within_one(
    matrix: int, weights: tuple[float, float], full: bool, colour: tuple[float, float, float]
) -> None:
    stored = levels(colour, weights, full=full)
    planes = [np.full((2, 2) if number else (4, 4), level, np.uint8) for number, level in enumerate(stored)]
    made = as_bt709((planes[0], planes[1], planes[2]), matrix, full=full)
    wanted = levels(colour, (0.2126, 0.0722), full=False)
    for plane, level in zip(made, wanted, strict=True):
        assert np.abs(plane.astype(int) - level).max() <= 1


def levels(colour: tuple[float, float, float], weights: tuple[float, float], *, full: bool) -> list[int]:
    """Luma, blue and red of a colour, as ITU-R BT.601, 709 and 2020 define them."""
    (r, g, b), (kr, kb) = colour, weights
    y = kr * r + (1 - kr - kb) * g + kb * b
    parts = y, (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    span = (255, 255, 255) if full else (219, 224, 224)
    offset = (0, 128, 128) if full else (16, 128, 128)
    return [min(255, round(o + s * part)) for part, s, o in zip(parts, span, offset, strict=True)]


async def test_hdr_is_brought_down_to_the_light_of_a_film(pool: RenderPool, tmp_path: Path) -> None:
    """A photo as HDR shows it: paper white at 203 candelas a square metre becomes white again."""
    tags = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": 16}
    path = roll(tmp_path / "in.mp4", Roll(pixels="yuv420p10le", tags=tags))
    report, _, images = await filmed(pool, path, 30, tmp_path / "out.mp4")
    assert "it is HDR (PQ), and all above paper white becomes white" in report.notes
    bright = images[9].mean(axis=2)
    # A level of 127 of 255 is 92 candelas, which is 0.45 of paper white: 0.67 as BT.709 writes it.
    assert np.percentile(bright, 99) > 235
    assert number_of(images[9]) == 9


async def test_a_webm_and_an_mp4_in_fragments_are_read(pool: RenderPool, tmp_path: Path) -> None:
    for wanted, name in (
        (Roll(codec="libvpx-vp9"), "in.webm"),
        (Roll(fragmented=True), "in.mp4"),
        (Roll(), "in.mov"),
    ):
        path = roll(tmp_path / name, wanted)
        report, _, images = await filmed(pool, path, 30, tmp_path / "out.mp4")
        assert report.frames == 30
        assert [number_of(image) for image in images] == list(range(30))


# What is refused


async def refused(pool: RenderPool, path: Path) -> str:
    with pytest.raises(RenderRefused) as raised:
        await look(pool, path)
    said = str(raised.value)
    assert said.startswith("the footage"), said
    assert str(path) not in said
    print(said)
    return said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><title>502 Bad Gateway</title>", "a page of text (<!DOCTYPE html>"),
        (b'{"error": "expired"}', 'is JSON ({"error": "expired"})'),
        (b"#EXTM3U\n#EXTINF:4,\nsecret.ts\n", "is a playlist, which names other files"),
        (b"ffconcat version 1.0\nfile secret.mp4\n", "is a playlist, which names other files"),
        (b"\x00" * 4000, "cannot be opened"),
    ],
)
async def test_what_is_no_video_is_named(pool: RenderPool, tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "in.mp4"
    path.write_bytes(content)
    assert said in await refused(pool, path)


async def test_no_decoder_opens_another_file(pool: RenderPool, tmp_path: Path) -> None:
    """A playlist beside the file that it names plays nothing, whatever its name says it is."""
    roll(tmp_path / "secret.mp4", Roll(frames=30))
    named = (tmp_path / "secret.mp4").as_posix()
    texts = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{named}\n#EXT-X-ENDLIST\n",
        "b.mp4": f"ffconcat version 1.0\nfile '{named}'\n",
        "c.mpd": f"<MPD><Period><AdaptationSet><BaseURL>{named}</BaseURL></AdaptationSet></Period></MPD>",
        "d.sdp": f"v=0\nm=video 5004 RTP/AVP 96\na=control:{named}\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        await refused(pool, tmp_path / name)


async def test_a_file_that_is_cut_off_is_refused(pool: RenderPool, tmp_path: Path) -> None:
    for wanted, name in ((Roll(frames=90), "a.mp4"), (Roll(frames=90, codec="libvpx-vp9"), "c.webm")):
        whole = roll(tmp_path / name, wanted)
        half = tmp_path / f"half-{name}"
        half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
        assert "cut off" in await refused(pool, half)
    index_first = tmp_path / "f.mp4"
    with (
        av.open(str(tmp_path / "a.mp4")) as source,
        av.open(str(index_first), "w", options={"movflags": "faststart"}) as to,
    ):
        stream = to.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                to.mux(packet)
    for share in (6, 9):
        half = tmp_path / f"half-{share}.mp4"
        half.write_bytes(index_first.read_bytes()[: index_first.stat().st_size * share // 10])
        assert "cut off" in await refused(pool, half)


async def test_damage_in_the_middle_is_found(pool: RenderPool, tmp_path: Path) -> None:
    whole = bytearray(roll(tmp_path / "in.mp4", Roll(frames=60)).read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 3000] = bytes(3000)
    (tmp_path / "bad.mp4").write_bytes(whole)
    assert "frame" in await refused(pool, tmp_path / "bad.mp4")


async def test_sound_alone_one_frame_and_no_frame_are_no_footage(pool: RenderPool, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.rate, frame.pts = 44100, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "sound, and no picture" in await refused(pool, tmp_path / "sound.mp4")
    assert "one frame" in await refused(pool, roll(tmp_path / "one.mp4", Roll(frames=1)))
    with av.open(str(tmp_path / "none.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        container.start_encoding()
    assert "no picture" in await refused(pool, tmp_path / "none.mp4")


async def test_what_is_too_large_or_too_long_is_refused_before_it_is_decoded(
    pool: RenderPool, tmp_path: Path
) -> None:
    path = roll(tmp_path / "in.mp4", Roll(frames=60))
    for limit, said in (
        ({"pixels": 1000}, "160x90 pixels, more than 1,000"),
        ({"seconds": 1.0}, "longer than 1 s"),
    ):
        with pytest.raises(RenderRefused, match=said):
            await pool.run("look_at_footage", LookAtFootage(path=path, name="the footage", **limit))


async def test_a_cut_film_file_of_another_kind_is_refused(pool: RenderPool, tmp_path: Path) -> None:
    path = tmp_path / "in.avi"
    roll(path, replace(Roll(), codec="mpeg4"))
    assert "MP4, MOV or WebM" in await refused(pool, path)
