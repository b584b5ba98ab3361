"""Pictures of every odd shape and kind, from file to rendered film, in a rendering child with its limits."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from genlock.errors import BadPicture
from genlock.media.check.planned import planned
from genlock.media.film.plan import plan_shots
from genlock.media.film.segment import body
from genlock.media.pool import RenderPool
from genlock.media.request import ImportedPicture, ImportPicture, JoinSegments, MuxFilm, Part, RenderSegment

GIB = 1024**3
SIZES = ((320, 180), (180, 320), (180, 180))


@pytest.fixture
async def pool() -> AsyncIterator[RenderPool]:
    async with RenderPool(1, memory=2 * GIB) as pool:
        yield pool


def scene(width: int, height: int) -> Image.Image:
    """A picture with something to see everywhere, quickly made at any size."""
    noise = np.random.default_rng(7).integers(
        0, 255, (max(2, height // 40), max(2, width // 40), 3), np.uint8
    )
    return Image.fromarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(900, 600).save(path, exif=exif)


def deep_png(path: Path) -> None:
    """RGB with 16 bits, which Pillow can read but not write."""
    pixels = (np.asarray(scene(600, 400)).astype(np.uint16) << 8).astype(">u2").reshape(400, -1)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 600, 400, 16, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 1))
        + chunk(b"IEND", b"")
    )


def deep_grey(path: Path) -> None:
    Image.fromarray(np.asarray(scene(600, 400).convert("L")).astype(np.uint16) << 8).save(path)


def half_clear(path: Path) -> None:
    image = scene(600, 400).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(path)


USABLE: dict[str, Callable[[Path], None]] = {
    "panorama.jpg": lambda path: scene(12_000, 1000).save(path),
    "tower.jpg": lambda path: scene(700, 9000).save(path),
    "ribbon.png": lambda path: scene(6000, 64).save(path),
    "small.png": lambda path: scene(300, 200).save(path),
    "smallest.png": lambda path: scene(64, 64).save(path),
    "odd.png": lambda path: scene(641, 427).save(path),
    "turned.jpg": turned,
    "cmyk.jpg": lambda path: scene(900, 600).convert("CMYK").save(path),
    "deep.png": deep_png,
    "deep grey.png": deep_grey,
    "clear.png": half_clear,
    "palette.gif": lambda path: scene(600, 400).quantize(64).save(path),
    "bilevel.png": lambda path: scene(600, 400).convert("1").save(path),
}


async def taken_in(pool: RenderPool, path: Path) -> ImportedPicture:
    return await pool.run("import_picture", ImportPicture(path=path, to=path.with_suffix(".copy.jpg")))


@pytest.mark.parametrize("name", USABLE)
async def test_a_picture_of_any_shape_and_kind_becomes_a_film(
    pool: RenderPool, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    USABLE[name](path)
    found = await taken_in(pool, path)
    for size in SIZES:
        plan = plan_shots([(found.picture, found.picture)], size=size, seconds_per_clip=1.5, seed=3)
        segment = body(plan.shots[0])
        sources, to = {found.picture.sha256: found.path}, tmp_path / "body.mp4"
        made = await pool.run("render_segment", RenderSegment(segment=segment, sources=sources, to=to))
        parts = [Part(path=made.path, frames=made.frames)]
        cut = await pool.run("join", JoinSegments(parts=parts, fps=30, to=tmp_path / "cut.mp4"))
        film = await pool.run("mux", MuxFilm(video=cut.path, fps=30, to=tmp_path / "film.mp4"))
        report = await pool.run("check_film", planned(film.path, plan, has_audio=False))
        assert report.passed, (size, report.sentence())
        with av.open(str(film.path)) as opened:
            frame = next(opened.decode(video=0)).to_ndarray(format="rgb24")
        assert frame.std() > 5


@pytest.mark.parametrize("name", ["small.png", "smallest.png", "ribbon.png"])
async def test_a_picture_that_will_look_soft_is_used_and_said_so(
    pool: RenderPool, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    USABLE[name](path)
    (note,) = (await taken_in(pool, path)).report.notes
    assert note.endswith("pixels and will look soft")


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (63, 400), (16, 16)])
async def test_a_picture_too_small_for_any_film_is_refused_by_name(
    pool: RenderPool, tmp_path: Path, size: tuple[int, int]
) -> None:
    path = tmp_path / "Pünktchen.png"
    Image.new("RGB", size, (1, 2, 3)).save(path)
    with pytest.raises(
        BadPicture, match=rf"Pünktchen\.png has only {size[0]}x{size[1]} pixels; .* 64 at least"
    ):
        await taken_in(pool, path)


VAST: dict[str, Callable[[Path], None]] = {
    "cmyk.jpg": lambda path: Image.new("CMYK", (10_000, 10_000), (90, 40, 20, 10)).save(path, quality=60),
    "clear.png": lambda path: Image.new("RGBA", (10_000, 10_000), (9, 90, 40, 120)).save(
        path, compress_level=1
    ),
    "deep.png": lambda path: Image.new("I;16", (10_000, 10_000), 30_000).save(path, compress_level=1),
    "palette.png": lambda path: Image.new("P", (10_000, 10_000), 3).save(path, compress_level=1),
}


@pytest.mark.parametrize("name", VAST)
async def test_a_hundred_million_pixels_of_any_kind_fit_into_a_child(
    pool: RenderPool, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    VAST[name](path)
    found = await taken_in(pool, path)
    assert min(found.picture.width, found.picture.height) == 2160


async def test_more_pixels_than_are_decoded_are_refused_by_name(pool: RenderPool, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(BadPicture, match=r"bomb\.png has 20000x20000 = 400 million pixels"):
        await taken_in(pool, path)
