"""What is asked of the film check, and its report. Light: the parent imports this."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from genlock.media.operation import Request, Value
from genlock.media.request import StillImage
from genlock.media.sound.soundtrack import CEILING, TARGET


class Span(Value):
    """Frames from `start` up to, not including, `end`."""

    start: int = Field(ge=0)
    end: int = Field(ge=0)


class Finding(Value):
    """One thing that was looked at: what a film must have, what this one has, in words and numbers."""

    name: str
    wanted: str
    got: str
    passed: bool


class CheckReport(Value):
    """All findings, in the order a person would look: file, picture, sound."""

    findings: list[Finding]

    @property
    def passed(self) -> bool:
        """Whether every finding did."""
        return all(finding.passed for finding in self.findings)

    @property
    def failures(self) -> list[Finding]:
        """The findings that did not pass."""
        return [finding for finding in self.findings if not finding.passed]

    def sentence(self) -> str:
        """What is wrong, with the numbers, for an error message; or that nothing is."""
        if self.passed:
            return f"the film passes all {len(self.findings)} checks"
        return "; ".join(f"{f.name}: {f.got} (wanted {f.wanted})" for f in self.failures)


class CheckFilm(Request[CheckReport]):
    """Ask whether the film at `path` is what was planned and can be published.

    `holds`, `blacks` and `silences` are planned: they excuse a still, black or silent film in those frames,
    and `repeats` frames shown twice, as in footage made for fewer frames a second.
    `bitrate` is the least that the audio track must have, measured, in bits a second; for sound so plain that
    the encoder needed less than it was allowed, hand in what the finished soundtrack was measured at.

    `witness` is a file of ours with the film's picture that was watched while it was drawn. If the film has
    its very packets, only key frames are decoded, and held against what was drawn; without one, or if the
    packets differ, every frame is decoded and watched.

    `of` is what is looked at: all of the film, or by two processes at the same time what is to be seen, with
    everything that the file says of itself, and what is to be heard.
    """

    path: Path
    width: int
    height: int
    frames: int = Field(ge=1)
    fps: int = Field(default=30, ge=1, le=240)
    has_audio: bool = True
    holds: list[Span] = Field(default_factory=list)
    blacks: list[Span] = Field(default_factory=list)
    silences: list[Span] = Field(default_factory=list)
    repeats: list[Span] = Field(default_factory=list)
    loudness: float = TARGET
    ceiling: float = CEILING
    bitrate: int = 192_000
    witness: Path | None = None
    of: Literal["film", "picture", "sound"] = "film"


class Review(Value):
    """A film's report, and its stills."""

    report: CheckReport
    poster: StillImage
    sheet: StillImage


class ReviewFilm(Request[Review]):
    """`review_film`: check a film, and take its poster and contact sheet from frames decoded for that anyway.

    Both are JPEG files; they are what `MakePoster` and `MakeContactSheet` make.
    """

    check: CheckFilm
    poster: Path
    sheet: Path
