"""What people order and what the stages hand to each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _absolute(path: str) -> str:
    if not Path(path).is_absolute():
        msg = (
            f"{path} must be an absolute path: the job may run in another folder than the order was given in"
        )
        raise ValueError(msg)
    return path


AbsolutePath = Annotated[str, AfterValidator(_absolute)]
Style = Literal["calm", "bold", "cinematic"]
Aspect = Literal["16:9", "9:16", "1:1"]
Resolution = Literal["1080p", "720p", "540p", "360p", "180p"]


class Order(BaseModel):
    """What is common to every order: unknown fields are refused, so a misspelt option is not lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CampaignOrder(Order):
    """A campaign film from photos: pairs are chosen, each pair is a clip, the clips a film with music."""

    photos: list[AbsolutePath] = Field(min_length=1, max_length=10_000, description="picture files")
    num_pairs: int = Field(default=10, ge=1, le=500, description="how many pairs, so how many clips")
    clip_duration: float = Field(default=6.0, ge=1, le=60, description="seconds of one clip")
    aspect: Aspect = Field(default="16:9", description="shape of the frame")
    resolution: Resolution = Field(default="1080p", description="lines on the frame's short side")
    style: Style = Field(default="calm", description="pace and mood of the film")
    music_style: Style | None = Field(default=None, description="mood of the music, if not the film's style")
    transitions: Literal["dissolve", "cut"] = Field(default="dissolve", description="how clips meet")
    with_audio: bool = Field(default=True, description="compose music for the film")
    seed: int = Field(default=1, ge=0, lt=2**31, description="the same seed makes the same film")
    output: AbsolutePath | None = Field(default=None, description="where a copy of the film is written")

    @model_validator(mode="before")
    @classmethod
    def _skip_audio(cls, data: Any) -> Any:
        """`skip_audio`, the word of the older interfaces, is `with_audio` turned round."""
        if isinstance(data, dict) and "skip_audio" in data:
            data = dict(data)
            data["with_audio"] = not data.pop("skip_audio")
        return data

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, both even."""
        short = int(self.resolution.removesuffix("p"))
        wide, high = map(int, self.aspect.split(":"))
        long = round(short * max(wide, high) / min(wide, high) / 2) * 2
        return (long, short) if wide >= high else (short, long)
