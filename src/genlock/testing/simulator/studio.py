"""How small the simulator's films are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Studio:
    """Films are `frames` long, at `fps` and with a long side of `width` pixels. Without `frames` they are as
    long as was asked for; so is music, unless `music` says how many seconds.
    """

    width: int = 160
    frames: int | None = 12
    fps: int = 24
    music: float | None = None

    def length(self, seconds: float) -> float:
        """How long a film becomes that was to be so many seconds long."""
        return seconds if self.frames is None else self.frames / self.fps

    def size(self, aspect: str | None) -> tuple[int, int]:
        """Even pixels for `16:9`, `9:16`, `1:1` or a vendor's own `1280:720`; 16:9 for anything else."""
        try:
            wide, high = (int(part) for part in (aspect or "16:9").split(":"))
        except ValueError:
            wide, high = 16, 9
        scale = self.width / max(wide, high, 1)
        return max(16, round(wide * scale / 2) * 2), max(16, round(high * scale / 2) * 2)
