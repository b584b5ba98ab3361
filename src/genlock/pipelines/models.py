"""What people order and what the stages hand to each other."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from genlock.media.film.caption import LONGEST
from genlock.media.film.plan import FilmPlan, Picture, Shot, Size, Transition
from genlock.media.photo.source import from_text
from genlock.pipelines.footage import Bought, Generated, Purchase
from genlock.pipelines.wording import photos_of
from genlock.store.artifact import Artifact


def _listed(value: Any) -> Any:
    """Shapes with commas between them, as people write them, as a list."""
    return [each.strip() for each in value.split(",")] if isinstance(value, str) else value


def _absolute(path: str) -> str:
    if not from_text(path).is_absolute():
        msg = (
            f"{path} must be an absolute path: the job may run in another folder than the order was given in"
        )
        raise ValueError(msg)
    return path


AbsolutePath = Annotated[str, AfterValidator(_absolute)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST)]
Style = Literal["calm", "bold", "cinematic"]
Aspect = Literal["16:9", "9:16", "1:1"]
Resolution = Literal["1080p", "720p", "540p", "360p", "180p", "90p"]


MOST_PHOTOS = 10_000


class Order(BaseModel):
    """What is common to every order: unknown fields are refused, so a misspelt option is not lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FilmOrder(Order):
    """What is common to films of every shape: photos, length, style, words."""

    photos: list[AbsolutePath] = Field(default=[], validate_default=True, description="picture files")
    skip_bad: bool = Field(
        default=False, description="go on without the photos that cannot be used, and list them"
    )
    num_pairs: int = Field(default=10, ge=1, le=500, description="how many pairs, so how many clips")
    clip_duration: float | None = Field(
        default=None,
        ge=0.4,
        le=60,
        description="seconds of one clip, if not the style's: 6, bold 4, cinematic 7; below 1 with cuts only",
    )
    resolution: Resolution = Field(default="1080p", description="lines on the frame's short side")
    style: Style = Field(default="calm", description="pace, colours, lettering and music of the film")
    music_style: Style | None = Field(
        default=None,
        description="mood of the music, if not the film's style",
        json_schema_extra={"option": "music"},
    )
    transitions: Literal["auto", "dissolve", "cut"] = Field(
        default="auto", description="how clips meet; auto: as suits the pictures and the style"
    )
    video: str | None = Field(
        default=None,
        description="who makes the clips, as in replicate:google/veo-3.1; local: camera moves on the photos; "
        "if not said, as GENLOCK_VIDEO has it",
    )
    with_audio: bool = Field(default=True, description="compose music for the film")
    seed: int = Field(default=1, ge=0, lt=2**31, description="the same seed makes the same film")
    output: AbsolutePath | None = Field(default=None, description="where a copy of the film is written")
    review: bool = Field(
        default=False,
        description="complete only after a person has approved the film, however long that takes",
    )
    title: Text | None = Field(default=None, description="title over the first clip")
    subtitle: Text | None = Field(default=None, description="line below the title, such as a place")
    ending: Text | None = Field(default=None, description="name on the end card")
    call: Text | None = Field(default=None, description="what the end card asks people to do")
    contact: Text | None = Field(default=None, description="address on the end card")
    logo: AbsolutePath | None = Field(default=None, description="logo on the end card")
    captions: dict[str, Text] = Field(default={}, description="words below photos, by the photos' names")

    @field_validator("photos")
    @classmethod
    def _enough(cls, photos: list[str]) -> list[str]:
        if not 2 <= len(photos) <= MOST_PHOTOS:
            given = {0: "none was", 1: "one was"}.get(len(photos), f"{len(photos)} were")
            msg = f"a campaign film needs from two to {MOST_PHOTOS} photos, and {given} given"
            raise ValueError(msg)
        return photos

    @model_validator(mode="before")
    @classmethod
    def _skip_audio(cls, data: Any) -> Any:
        """`skip_audio`, the word of the older interfaces, is `with_audio` turned round."""
        if isinstance(data, dict) and "skip_audio" in data:
            data = dict(data)
            data["with_audio"] = not data.pop("skip_audio")
        return data

    @model_validator(mode="after")
    def _words_have_their_place(self) -> Self:
        if self.subtitle and not self.title:
            raise ValueError(f"the subtitle {self.subtitle!r} has no title to stand below")
        if self.logo and not (self.ending or self.call or self.contact):
            raise ValueError("the logo has no end card to stand on: give ending, call or contact")
        photos_of(self.captions, self.photos)
        return self


class CampaignOrder(FilmOrder):
    """A campaign film from photos: pairs are chosen, each pair is a clip, the clips a film with music."""

    aspect: Aspect = Field(default="16:9", description="shape of the frame")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, both even."""
        return shape_of(self.aspect, int(self.resolution.removesuffix("p")))


class SetOrder(FilmOrder):
    """The same film in several shapes; their `aspect` is each of `aspects` in turn."""

    aspects: Annotated[list[Aspect], BeforeValidator(_listed)] = Field(
        default=["16:9", "9:16", "1:1"],
        min_length=1,
        description="shapes of the frame, with commas between",
        json_schema_extra={"option": "aspect"},
    )

    @field_validator("aspects")
    @classmethod
    def _each_once(cls, aspects: list[Aspect]) -> list[Aspect]:
        if len({*aspects}) < len(aspects):
            raise ValueError(f"each shape once: {', '.join(aspects)}")
        return aspects


class Asset(BaseModel):
    """A photo taken in: its working copy in the store, and what it is."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="the file's name as the person knows it")
    picture: Picture
    artifact: Artifact
    notes: tuple[str, ...] = ()


class LeftOut(BaseModel):
    """A photo of the order that is not in the film. `why` is a sentence that begins with its name."""

    model_config = ConfigDict(frozen=True)

    photo: str
    why: str


class Intake(BaseModel):
    """The photos of an order, taken in, and those that were left out because they cannot be used."""

    model_config = ConfigDict(frozen=True)

    assets: list[Asset]
    left_out: list[LeftOut] = []


class Pair(BaseModel):
    """Two photos that make one clip, in the order of the film, and why they were chosen."""

    model_config = ConfigDict(frozen=True)

    first: Asset
    last: Asset
    score: float = Field(ge=0, le=1)
    criteria: dict[str, float]
    reason: str


class Approach(BaseModel):
    """How the film comes to a clip: by which transition, and from which clip, as that is planned."""

    model_config = ConfigDict(frozen=True)

    transition: Transition
    before: Shot
    first: Asset
    last: Asset


class Brief(BaseModel):
    """One clip to be made: what the camera does and the photos it does it on, or the footage to be bought.

    `approach` leads from one drawn clip to this one.
    """

    model_config = ConfigDict(frozen=True)

    shot: Shot
    first: Asset
    last: Asset
    logo: Artifact | None = None
    purchase: Purchase | None = None
    approach: Approach | None = None


class Storyboard(BaseModel):
    """The film before it is made."""

    model_config = ConfigDict(frozen=True)

    plan: FilmPlan
    briefs: list[Brief]


class Tally(BaseModel):
    """Parts of a film, two seconds each: how many were rendered, and how many were in the store already."""

    model_config = ConfigDict(frozen=True)

    rendered: int = 0
    found: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(rendered=self.rendered + other.rendered, found=self.found + other.found)


class Clip(BaseModel):
    """A clip's body, encoded once. `segment` is the hash of how it was made, `brief` with the take used.

    `bought` is the footage that it was made of; None: it is a camera move on the photos themselves. `ahead`
    are transitions by their names that were rendered with it.
    """

    model_config = ConfigDict(frozen=True)

    brief: Brief
    segment: str
    frames: int
    artifact: Artifact
    parts: Tally = Tally()
    bought: Bought | None = None
    ahead: dict[str, Tally] = {}

    @property
    def made_by(self) -> str:
        """The model that generated what is seen; `photos` where nothing was generated."""
        return self.bought.made_by if self.bought else "photos"


class Piece(BaseModel):
    """One segment of the film as it was joined."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["body", "transition"]
    segment: str
    frames: int
    artifact: Artifact


class Cut(BaseModel):
    """The film without sound."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    frames: int
    pieces: list[Piece]
    parts: Tally = Field(default=Tally(), description="of all clips and transitions")


class Music(BaseModel):
    """The film's sound, at its final loudness."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    key: str
    tempo: float
    integrated: float = Field(description="LUFS")
    true_peak: float = Field(description="dBTP")


class Print(BaseModel):
    """The film with sound, as it will be delivered if it passes."""

    model_config = ConfigDict(frozen=True)

    artifact: Artifact
    frames: int
    parts: Tally = Tally()


class Checked(BaseModel):
    """A film that has passed, with the numbers, and stills to see what it is."""

    model_config = ConfigDict(frozen=True)

    film: Print
    poster: Artifact
    contact_sheet: Artifact
    report: dict[str, Any]


class Film(BaseModel):
    """What a campaign comes to. `path` is where the copy was written that was asked for."""

    model_config = ConfigDict(frozen=True)

    film: Artifact
    poster: Artifact
    contact_sheet: Artifact
    frames: int
    seconds: float
    width: int
    height: int
    fps: int
    clips: int
    report: dict[str, Any]
    parts: Tally = Tally()
    left_out: list[LeftOut] = []
    generated: list[Generated] = Field(default=[], description="clips that are no camera moves on the photos")
    path: str | None = None


def shape_of(aspect: str, lines: int) -> Size:
    """Width and height in pixels, both even, of a frame with so many lines on its short side."""
    wide, high = map(int, aspect.split(":"))
    long = round(lines * max(wide, high) / min(wide, high) / 2) * 2
    return (long, lines) if wide >= high else (lines, long)
