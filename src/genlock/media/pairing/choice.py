"""What is asked of the chooser of pairs, and its choice. Light: the parent imports this."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from genlock.media.operation import Request, Value


class Candidate(Value):
    """A picture that may be chosen: its working copy, the hash of its content, the caller's name for it."""

    id: str
    path: Path
    sha256: str


class Criteria(Value):
    """How well two pictures go together, each 0..1, measured on the pictures.

    `visual_continuity`: the same scene (points that match under one geometry), alike in layout and light.
    `thematic_coherence`: alike in colours and texture, or one scene. `brand_consistency`: the same treatment
    (saturation, warmth, contrast, sharpness). `transition_potential`: how well one can become the other: a
    camera move within a scene, or else a soft dissolve; nearly nothing for a picture and its copy.
    """

    visual_continuity: float = Field(ge=0, le=1)
    thematic_coherence: float = Field(ge=0, le=1)
    brand_consistency: float = Field(ge=0, le=1)
    transition_potential: float = Field(ge=0, le=1)


class ChosenPair(Value):
    """Two pictures, by id, in the order in which the clip shows them, with the measured reasons."""

    first: str
    last: str
    score: float = Field(ge=0, le=1)
    criteria: Criteria
    reason: str


class Choice(Value):
    """The pairs in the order of the film: fewer than asked for when no more different ones exist."""

    pairs: list[ChosenPair]
    unused: list[str]


class ChoosePairs(Request[Choice]):
    """Ask for up to `num_pairs` pairs: the same ones in whatever order the pictures are given.

    Raises `BadInput` for fewer than two pictures, `BadPicture` for one that cannot be read.
    """

    pictures: list[Candidate]
    num_pairs: int = Field(default=10, ge=1)
    seed: int = 0
