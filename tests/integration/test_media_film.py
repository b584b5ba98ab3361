"""From photographs to a finished film, through real rendering children: joined, muxed, shown, probed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from genlock.errors import BadPicture, CheckFailed, RenderRefused
from genlock.media.film.plan import FilmPlan, plan_shots
from genlock.media.film.segment import Encoding, segments
from genlock.media.pool import RenderPool
from genlock.media.request import (
    ImportPicture,
    JoinSegments,
    MakeContactSheet,
    MakePoster,
    MuxFilm,
    Part,
    ProbeMedia,
    RenderSegment,
)

SIZE = (320, 180)
GIB = 1024**3


@dataclass
class Shop:
    """A pool and a film's rendered segments."""

    pool: RenderPool
    folder: Path
    plan: FilmPlan
    sources: dict[str, Path]

    async def render(self, encoding: Encoding | None = None, name: str = "part") -> list[Part]:
        async def one(number: int, segment: object) -> Part:
            to = self.folder / f"{name}{number}.mp4"
            request = RenderSegment(segment=segment, sources=self.sources, to=to)  # type: ignore[arg-type]
            answer = await self.pool.run("render_segment", request)
            return Part(path=answer.path, frames=answer.frames)

        pieces = segments(self.plan, encoding)
        return await asyncio.gather(*(one(number, piece) for number, piece in enumerate(pieces)))

    async def join(self, parts: list[Part]) -> Path:
        answer = await self.pool.run("join", JoinSegments(parts=parts, fps=30, to=self.folder / "joined.mp4"))
        assert answer.encoded_again is None
        return answer.path


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with RenderPool(2, memory=2 * GIB) as pool:
        pictures, sources = [], {}
        for seed in range(4):
            photo = tmp_path / f"photo{seed}.png"
            noise = np.random.default_rng(seed).normal(size=(400, 600, 3)).astype(np.float32)
            scene = cv2.GaussianBlur(noise, (0, 0), 12) * 900 + (60, 120, 150 + 20 * seed)
            Image.fromarray(scene.clip(0, 255).astype(np.uint8)).save(photo)
            to = tmp_path / f"copy{seed}.jpg"
            answer = await pool.run("import_picture", ImportPicture(path=photo, to=to))
            pictures.append(answer.picture)
            sources[answer.picture.sha256] = to
        pairs = [(pictures[0], pictures[1]), (pictures[2], pictures[3])]
        plan = plan_shots(pairs, size=SIZE, seconds_per_clip=1.5)
        yield Shop(pool, tmp_path, plan, sources)


def tone(path: Path, seconds: float, *, rate: int = 48_000, layout: str = "stereo") -> Path:
    """An AAC track of exactly this length."""
    samples = round(seconds * rate)
    wave = (np.sin(np.arange(samples) * 440 * 2 * np.pi / rate) * 0.4).astype(np.float32)
    channels = 2 if layout == "stereo" else 1
    with av.open(str(path), "w", format="mp4") as file:
        stream = file.add_stream("aac", rate=rate, layout=layout)
        stream.bit_rate = 192_000
        for start in range(0, samples, 1024):
            part = np.ascontiguousarray(np.tile(wave[start : start + 1024], (channels, 1)))
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


async def test_segments_join_by_copying_and_every_frame_is_at_its_time(shop: Shop) -> None:
    parts = await shop.render()
    film = await shop.join(parts)
    with av.open(str(film)) as opened:
        times = [frame.pts for frame in opened.decode(video=0)]
    assert times == [512 * number for number in range(shop.plan.total_frames)]
    seen = []
    for part in parts:
        with av.open(str(part.path)) as opened:
            seen += [frame.to_ndarray() for frame in opened.decode(video=0)]
    with av.open(str(film)) as opened:
        for number, frame in enumerate(opened.decode(video=0)):
            assert np.array_equal(frame.to_ndarray(), seen[number])


async def test_a_film_with_sound_is_what_players_expect(shop: Shop) -> None:
    film = await shop.join(await shop.render())
    sound = tone(shop.folder / "music.m4a", shop.plan.duration)
    answer = await shop.pool.run("mux", MuxFilm(video=film, audio=sound, fps=30, to=shop.folder / "film.mp4"))
    assert answer.frames == shop.plan.total_frames
    assert answer.audio_seconds == pytest.approx(answer.video_seconds, abs=1 / 30)
    report = await shop.pool.run("probe", ProbeMedia(path=answer.path))
    assert report.faststart
    assert report.seconds == pytest.approx(shop.plan.duration, abs=0.025)
    video, audio = report.video, report.audio
    assert video is not None
    assert audio is not None
    assert (video.codec, video.profile, video.pixels) == ("h264", "High", "yuv420p")
    assert (video.width, video.height, video.sample_aspect_ratio) == (*SIZE, "1:1")
    assert (video.frames, video.fps, video.start) == (shop.plan.total_frames, 30.0, 0.0)
    assert video.seconds == pytest.approx(shop.plan.duration)
    assert (video.primaries, video.transfer, video.matrix, video.full_range) == (1, 1, 1, False)
    assert (audio.codec, audio.profile, audio.rate, audio.channels) == ("aac", "LC", 48_000, 2)
    assert audio.start == 0.0
    with av.open(str(answer.path)) as opened:
        assert opened.duration / av.time_base == pytest.approx(shop.plan.duration, abs=0.025)


async def test_a_film_without_sound_has_one_track(shop: Shop) -> None:
    film = await shop.join(await shop.render())
    answer = await shop.pool.run("mux", MuxFilm(video=film, fps=30, to=shop.folder / "film.mp4"))
    assert answer.audio_seconds is None
    report = await shop.pool.run("probe", ProbeMedia(path=answer.path))
    assert (report.tracks, report.audio, report.faststart) == (1, None, True)


async def test_segments_that_were_encoded_differently_are_encoded_again_and_it_is_said(shop: Shop) -> None:
    parts = await shop.render()
    odd = await shop.render(Encoding(preset="ultrafast", tuning="cabac=0"), "odd")
    mixed = [parts[0], odd[1], parts[2]]
    answer = await shop.pool.run("join", JoinSegments(parts=mixed, fps=30, to=shop.folder / "joined.mp4"))
    assert answer.frames == shop.plan.total_frames
    assert answer.encoded_again is not None
    assert answer.encoded_again.startswith("odd1.mp4 has another")
    report = await shop.pool.run("probe", ProbeMedia(path=answer.path))
    assert report.video is not None
    assert (report.video.frames, report.video.fps) == (shop.plan.total_frames, 30.0)


async def test_a_segment_with_too_few_frames_fails_with_the_numbers_and_leaves_no_film(shop: Shop) -> None:
    parts = await shop.render()
    wrong = [parts[0], Part(path=parts[1].path, frames=parts[1].frames + 1), parts[2]]
    with pytest.raises(CheckFailed, match=rf"part1\.mp4 must have {parts[1].frames + 1} frames"):
        await shop.join(wrong)
    assert not [path for path in shop.folder.iterdir() if "joined" in path.name]


async def test_sound_that_does_not_fit_is_refused_in_words(shop: Shop) -> None:
    film = await shop.join(await shop.render())
    to = shop.folder / "film.mp4"

    async def mux(sound: Path) -> None:
        await shop.pool.run("mux", MuxFilm(video=film, audio=sound, fps=30, to=to))

    with pytest.raises(
        CheckFailed, match=r"lasts 2\.\d+ s and its sound 1\.0\d+ s: they are more than a frame"
    ):
        await mux(tone(shop.folder / "short.m4a", 1.0))
    with pytest.raises(RenderRefused, match="has aac LC at 44100 Hz with 1 channels; finish it first"):
        await mux(tone(shop.folder / "mono.m4a", shop.plan.duration, rate=44_100, layout="mono"))
    with pytest.raises(RenderRefused, match=r"joined\.mp4 has no sound in it"):
        await mux(film)
    assert not to.exists()


async def test_poster_and_contact_sheet_show_the_film(shop: Shop) -> None:
    film = await shop.join(await shop.render())
    poster = await shop.pool.run("poster", MakePoster(film=film, to=shop.folder / "poster.jpg"))
    assert (poster.width, poster.height) == SIZE
    assert 0 <= poster.at[0] <= 2
    wanted = MakeContactSheet(film=film, to=shop.folder / "sheet.jpg", columns=3, rows=2, width=700)
    sheet = await shop.pool.run("contact_sheet", wanted)
    step = shop.plan.duration / 6
    assert all(number * step - 1 / 30 <= at < (number + 1) * step for number, at in enumerate(sheet.at))
    with Image.open(sheet.path) as image:
        assert image.size == (700, sheet.height)
        cell = np.asarray(image)[20:100, 20:200].mean((0, 1))
    with av.open(str(film)) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    assert np.abs(cell - frames[round(sheet.at[0] * 30)].mean((0, 1))).max() < 12


async def test_files_that_lead_elsewhere_are_not_followed(shop: Shop) -> None:
    film = await shop.join(await shop.render())
    playlist = shop.folder / "list.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{film}\n#EXT-X-ENDLIST\n")
    script = shop.folder / "list.mp4"
    script.write_text(f"ffconcat version 1.0\nfile {film.name}\n")
    for path in (playlist, script):
        with pytest.raises(RenderRefused, match=rf"{path.name} is no film or sound file that is read here"):
            await shop.pool.run("probe", ProbeMedia(path=path))
        with pytest.raises(RenderRefused, match="cannot be opened as MP4"):
            await shop.pool.run("mux", MuxFilm(video=path, fps=30, to=shop.folder / "film.mp4"))
    with pytest.raises(RenderRefused, match="there is no such file"):
        await shop.pool.run("probe", ProbeMedia(path=Path("http:")))


async def test_a_hundred_million_pixels_fit_into_the_memory_of_a_child(tmp_path: Path) -> None:
    path = tmp_path / "vast.jpg"
    Image.new("RGB", (10_000, 10_000), (40, 120, 200)).save(path, quality=60)
    async with RenderPool(1, memory=2 * GIB) as pool:
        answer = await pool.run("import_picture", ImportPicture(path=path, to=tmp_path / "copy.jpg"))
        assert (answer.report.width, answer.picture.width) == (10_000, 2160)
        path.write_bytes(path.read_bytes()[:50_000])
        with pytest.raises(BadPicture, match=r"vast\.jpg is damaged or cut off"):
            await pool.run("import_picture", ImportPicture(path=path, to=tmp_path / "copy.jpg"))
