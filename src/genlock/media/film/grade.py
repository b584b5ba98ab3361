"""The colour of a film: what is made of a picture's light once, when it is loaded, and of no frame. Light."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from genlock.media.operation import Value

Tint = tuple[float, float]  # towards blue and towards red, in levels of 0..255
Table = list[int]

_BLACK, _WHITE = 16, 235
_MIDDLE = 128


class Grade(Value):
    """How a picture is developed; as it stands, nothing is changed.

    `contrast` bends luma around the middle, flatter below 0, black and white staying; `lift` raises black by
    so many levels. `shadows` and `lights` tint the dark and the bright half, never black or white. `dim` is
    the share of light taken away, `blur` the radius of softening as a share of the frame's longer side.
    """

    contrast: float = Field(default=0.0, ge=-0.5, le=0.5)
    lift: float = Field(default=0.0, ge=0, le=32)
    saturation: float = Field(default=1.0, ge=0, le=2)
    shadows: Tint = (0.0, 0.0)
    lights: Tint = (0.0, 0.0)
    dim: float = Field(default=0.0, ge=0, lt=1)
    blur: float = Field(default=0.0, ge=0, le=0.1)

    @property
    def changes_light(self) -> bool:
        """Whether anything but sharpness is changed."""
        return self.model_copy(update={"blur": 0.0}) != NEUTRAL

    def luma(self) -> Table:
        """A level of luma for each of 0..255, of limited range."""
        return _table(lambda light: _BLACK + (_WHITE - _BLACK) * self._developed(light))

    def chroma(self) -> Table:
        """A level of blue or red for each of 0..255, before any tint."""
        kept = self.saturation * (1 - self.dim)
        return [_byte(_MIDDLE + (level - _MIDDLE) * kept) for level in range(256)]

    def tint(self, number: int) -> Table:
        """For each level of the picture's luma, what is added to blue (0) or red (1), plus 128."""
        dark, bright = self.shadows[number], self.lights[number]
        return _table(
            lambda light: _MIDDLE + (1 - self.dim) * (dark * _shadow(light) + bright * _glow(light))
        )

    def _developed(self, light: float) -> float:
        bent = light + self.contrast * 4 * light * (1 - light) * (light - 0.5)
        lift = self.lift / 255
        return (lift + (1 - lift) * bent) * (1 - self.dim)


NEUTRAL = Grade()


def _shadow(light: float) -> float:
    """1 at a quarter of the way to white, 0 at black and from three quarters on."""
    return _bump(light / 0.25) if light < 0.25 else _bump(1 + (light - 0.25) / 0.5)


def _glow(light: float) -> float:
    return _shadow(1 - light)


def _bump(at: float) -> float:
    """Up from 0 to 1 at 1, and down to 0 at 2."""
    share = min(max(1 - abs(at - 1), 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _table(of: Callable[[float], float]) -> Table:
    """What becomes of each level, given as a share of the way from black to white."""
    return [_byte(of(min(max((level - _BLACK) / (_WHITE - _BLACK), 0.0), 1.0))) for level in range(256)]


def _byte(level: float) -> int:
    return min(max(round(level), 0), 255)
