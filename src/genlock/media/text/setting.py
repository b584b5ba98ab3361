"""Setting words: from lines of text to places of letters in a frame; in rendering children only.

Everything is set three times as large as it is drawn and scaled down, so that letters stand between pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from genlock.errors import BadInput
from genlock.media.film.caption import Caption
from genlock.media.film.motion import Size
from genlock.media.text.design import LOOKS, SAFE, SAFE_UPRIGHT, SOFT, WHITE, Colour, Look
from genlock.media.text.face import face_for, font, plain

FINE = 3
_MOST_LINES = 2
_BETWEEN = " ·•|/–—"
_SMALLEST = 0.62  # of the designed size, before a text counts as too long
_THICK, _APART = 0.1, 0.42  # of a bar's length: how thick it is, and what it stands apart from the words
_UPRIGHT = 0.16  # of its length: an upright bar is short
_HAIR = 0.0016  # of the frame's shorter side: how thick a rule is
_LESSER_LEADING = 1.28
_BELOW_LOGO = 1.35  # of its height
_LOGO = (0.42, 0.17)  # of the frame's width and of its shorter side

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text at its place: `x` and `y` are where its first letter's upper left corner is, fine."""

    text: str
    face: ImageFont.FreeTypeFont
    x: float
    y: float
    spacing: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class Block:
    """All of a caption, in fine pixels of the frame: lines, filled boxes, and the box of its logo."""

    lines: list[Line]
    boxes: list[tuple[Box, Colour]]
    logo: Box | None
    top: int
    bottom: int


@dataclass(frozen=True, slots=True)
class _Row:
    text: str
    face: ImageFont.FreeTypeFont
    spacing: float
    height: float
    above: float
    colour: Colour
    first_lesser: bool


def set_caption(caption: Caption, size: Size) -> Block:
    """Where everything of a caption goes in a frame of this size. `BadInput` if it does not fit."""
    page = _Page(caption, size)
    if page.tall > page.high * (1 - 2 * SAFE):
        raise BadInput(f"{caption.lines[0]!r} and what is below it do not fit into a frame; shorten it")
    return page.block()


class _Page:
    """A caption's measures in a frame, and the way down it from one thing to the next."""

    def __init__(self, caption: Caption, size: Size) -> None:
        look = self.look = LOOKS[caption.design, caption.role]
        self.wide, self.high = size[0] * FINE, size[1] * FINE
        self.unit = min(self.wide, self.high)
        self.left = self.wide * SAFE
        beside = look.bar > 0 and caption.role == "lower"
        self.beside = look.bar * self.unit * _UPRIGHT if beside else 0.0
        self.above = look.bar * self.unit * _APART if look.bar and not beside else 0.0
        self.indent = self.beside * 3
        self.rows = _rows(caption, look, self.unit, self.wide * (1 - 2 * SAFE) - self.indent)
        self.rule = look.gap * look.lesser * self.unit if look.rule and len(caption.lines) > 1 else 0.0
        self.logo = _logo(caption, self.wide, self.unit)
        self.tall = sum(row.height + row.above for row in self.rows) + self.rule + self.above
        self.tall += self.logo[1] * _BELOW_LOGO if self.logo else 0.0

    def block(self) -> Block:
        """Everything at its place."""
        at_bottom = self.look.at == "bottom"
        below = SAFE_UPRIGHT if self.high > self.wide else SAFE
        top = self.high * (1 - below) - self.tall if at_bottom else (self.high - self.tall) / 2
        y, place, bar = top, None, self.look.bar * self.unit
        if self.logo:
            place = _box(self._x(self.logo[0]), y, *self.logo)
            y += self.logo[1] * _BELOW_LOGO
        boxes = [_box(self.left, y, bar, bar * _THICK)] if self.above else []
        if self.beside:
            boxes.append(_box(self.left, top, self.beside, self.tall))
        lines, rules = self._lines(y + self.above)
        filled = [(box, self.look.accent) for box in (*boxes, *rules)]
        return Block(lines, filled, place, round(top), round(top + self.tall))

    def _lines(self, y: float) -> tuple[list[Line], list[Box]]:
        lines: list[Line] = []
        rules: list[Box] = []
        for row in self.rows:
            if self.rule and row.first_lesser:
                length = self.look.rule * self.unit
                at = y + (row.above + self.rule) / 2
                rules.append(_box((self.wide - length) / 2, at, length, self.unit * _HAIR))
                y += self.rule
            y += row.above
            x = self._x(_width(row.text, row.face, row.spacing)) + (self.indent if self.look.aside else 0)
            lines.append(Line(row.text, row.face, x, y, row.spacing, row.colour))
            y += row.height
        return lines, rules

    def _x(self, width: float) -> float:
        return self.left if self.look.aside else (self.wide - width) / 2


def draw_line(pen: ImageDraw.ImageDraw, line: Line, *, y: float) -> None:
    """The line's letters as a mask; `y` is what is taken off its place from above."""
    if not line.spacing:
        pen.text((line.x, line.y - y), line.text, font=line.face, fill=255)
        return
    x = line.x
    for letter in line.text:
        pen.text((x, line.y - y), letter, font=line.face, fill=255)
        x += line.face.getlength(letter) + line.spacing


def blank(size: Size) -> Image.Image:
    """An empty mask."""
    return Image.new("L", size, 0)


def _rows(caption: Caption, look: Look, unit: float, room: float) -> list[_Row]:
    texts = [plain(line) for line in caption.lines]
    name = face_for(caption.design, texts)
    rows: list[_Row] = []
    for number, text in enumerate(texts):
        lesser = number > 0
        share, spacing = (look.lesser, look.lesser_spacing) if lesser else (look.heading, look.spacing)
        written = text.upper() if (look.lesser_capitals if lesser else look.capitals) else text
        pixels, broken = _broken(written, name, share * unit, spacing, room)
        for turn, each in enumerate(broken):
            gap = look.gap * look.lesser * unit if lesser and not turn else 0.0
            row = _Row(
                text=each,
                face=font(name, pixels),
                spacing=spacing * pixels,
                height=pixels * (_LESSER_LEADING if lesser else look.leading),
                above=gap,
                colour=SOFT if lesser else WHITE,
                first_lesser=number == 1 and not turn,
            )
            rows.append(row)
    return rows


def _broken(text: str, name: str, pixels: float, spacing: float, room: float) -> tuple[int, list[str]]:
    """The text in at most two lines, as large as designed or smaller, down to a limit."""
    share = 1.0
    while share >= _SMALLEST:
        size = max(FINE * 6, round(pixels * share))
        lines = _evenly(text, font(name, size), spacing * size, room)
        if lines:
            return size, lines
        share -= 0.04
    raise BadInput(
        f"{text!r} is too long: its {len(text)} letters do not fit into two lines of this film; shorten it"
    )


def _evenly(text: str, face: ImageFont.FreeTypeFont, spacing: float, room: float) -> list[str]:
    """One line, or two of nearly the same length; none if they are too long."""
    if _width(text, face, spacing) <= room:
        return [text]
    words = text.split(" ")
    ways = [[_end(words[:n]), _end(words[n:])] for n in range(1, len(words))]
    best = min(ways, key=lambda way: _longest(way, face, spacing), default=None)
    return best if best and len(best) <= _MOST_LINES and _longest(best, face, spacing) <= room else []


def _end(words: Sequence[str]) -> str:
    """A line of these words; a sign that stood between two things stands for the end of a line as well."""
    return " ".join(words).strip(_BETWEEN) or " ".join(words)


def _longest(lines: Sequence[str], face: ImageFont.FreeTypeFont, spacing: float) -> float:
    return max(_width(line, face, spacing) for line in lines)


def _width(text: str, face: ImageFont.FreeTypeFont, spacing: float) -> float:
    if not spacing:
        return face.getlength(text)
    return sum(face.getlength(letter) for letter in text) + spacing * (len(text) - 1)


def _logo(caption: Caption, wide: float, unit: float) -> tuple[float, float] | None:
    if caption.logo is None:
        return None
    scale = min(wide * _LOGO[0] / caption.logo.width, unit * _LOGO[1] / caption.logo.height)
    return caption.logo.width * scale, caption.logo.height * scale


def _box(x: float, y: float, width: float, height: float) -> Box:
    return round(x), round(y), round(x + width), round(y + max(1.0, height))
