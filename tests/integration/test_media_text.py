"""Words as they are seen: legible on white, inside the frame, in letters that exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genlock.errors import BadInput, BadPicture
from genlock.media.film.caption import Caption, Design, Role
from genlock.media.film.encode import Frame
from genlock.media.film.motion import Picture, Size, Tone
from genlock.media.film.style import STYLES
from genlock.media.film.titling import _dim, _scrim
from genlock.media.text.audit import import_logo, set_captions
from genlock.media.text.design import SAFE
from genlock.media.text.face import FILES, WIDEST, face_for, missing
from genlock.media.text.request import ImportLogo, SetCaptions
from genlock.media.text.setting import FINE, set_caption
from genlock.media.text.tile import Tile

DESIGNS: tuple[Design, ...] = ("calm", "bold", "cinematic")
SIZES: tuple[Size, ...] = ((640, 360), (360, 640), (360, 360))
LINES: dict[Role, tuple[str, ...]] = {
    "title": ("Autumn at Hillside Farm", "Three rooms above the lake"),
    "lower": ("Ten minutes to the stream",),
    "card": ("Hillside Farm", "Come and stay", "hillside-farm.example · 020 7946 0000"),
}
WHITE = Picture(sha256="0" * 64, width=600, height=400, tone=Tone(across=0, down=0, light=255))


def quiet(fraction: float, note: str | None = None) -> None: ...


def plain(size: Size, luma: int) -> Frame:
    frame = Frame(*size)
    for plane, level in zip(frame.planes, (luma, 128, 128), strict=True):
        plane[:] = level
    return frame


def light(frame: Frame) -> NDArray[np.float64]:
    """Relative luminance of each pixel, as WCAG defines it; all is grey here."""
    value = np.clip((frame.planes[0].astype(float) - 16) / 219, 0, 1)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("role", ["title", "lower", "card"])
@pytest.mark.parametrize("size", SIZES)
def test_letters_on_a_white_picture_have_more_than_four_and_a_half_times_its_light(
    design: Design, role: Role, size: Size
) -> None:
    grade = STYLES[design].grade
    scrim = 0.0 if role == "card" else _scrim([WHITE], grade)
    ground = round(16 + 219 * (1 - _dim(WHITE))) if role == "card" else 235
    caption = Caption(role=role, design=design, lines=LINES[role], start=0, frames=9, scrim=scrim)
    frame = plain(size, ground)
    Tile(caption, size, {}).lay(frame, 4)
    block = set_caption(caption, size)
    rows = light(frame)[block.top // FINE : block.bottom // FINE]
    darkest_ground = rows[:, -4:].max()  # beside the words, where no shadow helps
    assert (np.quantile(rows, 0.998) + 0.05) / (darkest_ground + 0.05) > 4.5


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("role", ["title", "lower", "card"])
@pytest.mark.parametrize("size", SIZES)
def test_words_keep_to_the_safe_area(design: Design, role: Role, size: Size) -> None:
    caption = Caption(role=role, design=design, lines=LINES[role], start=0, frames=9, scrim=0.0)
    frame = plain(size, 60)
    Tile(caption, size, {}).lay(frame, 4)
    rows, columns = np.nonzero(frame.planes[0] > 120)
    assert len(rows) > 50
    wide, high = size
    assert columns.min() >= wide * SAFE - 2
    assert columns.max() <= wide * (1 - SAFE) + 2
    assert rows.min() >= high * SAFE - 2
    assert rows.max() <= high * (1 - SAFE) + 2


def test_a_caption_changes_only_the_rows_it_covers_and_only_while_it_is_seen() -> None:
    size = (640, 360)
    caption = Caption(role="lower", lines=LINES["lower"], start=5, frames=20, fade=4)
    tile = Tile(caption, size, {})
    frames = {}
    for number in (4, 6, 15, 25):
        frames[number] = plain(size, 100)
        tile.lay(frames[number], number)
    changed = {number: (frame.planes[0] != 100).any(axis=1) for number, frame in frames.items()}
    assert not changed[4].any()
    assert not changed[25].any()
    assert changed[15][300:].all()
    assert not changed[15][:160].any()
    assert 100 < frames[6].planes[0].max() < frames[15].planes[0].max()


def test_a_long_title_takes_two_even_lines_and_gets_smaller_before_it_is_refused() -> None:
    def lines(text: str) -> list[str]:
        caption = Caption(role="title", design="bold", lines=(text,), start=0, frames=9)
        return [line.text for line in set_caption(caption, (640, 360)).lines]

    assert lines("Hillside Farm") == ["HILLSIDE FARM"]
    assert lines("Autumn at Hillside Farm above the lake") == ["AUTUMN AT HILLSIDE", "FARM ABOVE THE LAKE"]
    with pytest.raises(BadInput, match=r"is too long: its \d+ letters do not fit into two lines"):
        lines("Autumn at Hillside Farm above the lake " * 3)
    with pytest.raises(BadInput, match="is too long"):
        lines("Donaudampfschifffahrtsgesellschaftskapitän")


@pytest.mark.parametrize("design", DESIGNS)
def test_european_alphabets_can_be_written_in_every_style(design: Design) -> None:
    for text in ("Zürich · Ærø — “Łódź”", "Ελλάδα", "Осень в горах", "Cafe\u0301 crème €5"):
        name = face_for(design, [text])
        assert name in (FILES[design], WIDEST)
        assert missing(name, text) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("山の家", "CJK UNIFIED IDEOGRAPH-5C71"),
        ("בית", "HEBREW LETTER BET"),
        ("بيت", "ARABIC LETTER BEH"),
        ("Farm 🏡", "HOUSE WITH GARDEN"),
    ],
)
def test_letters_that_no_typeface_has_are_named(text: str, named: str) -> None:
    request = SetCaptions(captions=[Caption(role="title", lines=(text,), start=0, frames=9)], size=(640, 360))
    with pytest.raises(BadInput, match=named):
        set_captions(request, quiet)


def test_a_logo_keeps_its_shape_and_what_is_transparent_in_it(tmp_path: Path) -> None:
    image = Image.new("RGBA", (400, 300), (0, 0, 0, 0))
    image.paste((220, 30, 30, 255), (100, 100, 300, 200))
    image.paste((0, 0, 0, 0), (150, 120, 250, 180))
    image.save(tmp_path / "logo.png")
    made = import_logo(
        ImportLogo(path=tmp_path / "logo.png", to=tmp_path / "kept.png", name="logo.png"), quiet
    )
    assert (made.picture.width, made.picture.height) == (200, 100)
    caption = Caption(role="card", lines=("A",), start=0, frames=9, scrim=0.0, logo=made.picture)
    frame, size = plain((640, 360), 60), (640, 360)
    Tile(caption, size, {made.picture.sha256: made.path}).lay(frame, 4)
    left, top, right, bottom = (round(side / FINE) for side in set_caption(caption, size).logo or ())
    assert (right - left) / (bottom - top) == pytest.approx(2, rel=0.05)
    red = frame.planes[2][top // 2 : bottom // 2, left // 2 : right // 2]
    assert red[1, 1] > 200
    assert red[len(red) // 2, red.shape[1] // 2] == 128


def test_a_logo_of_nothing_is_refused(tmp_path: Path) -> None:
    Image.new("RGBA", (90, 80), (0, 0, 0, 0)).save(tmp_path / "logo.png")
    with pytest.raises(BadPicture, match=r"logo\.png is transparent all over"):
        import_logo(ImportLogo(path=tmp_path / "logo.png", to=tmp_path / "x.png", name="logo.png"), quiet)
