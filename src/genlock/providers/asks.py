"""What can be asked of a provider: data and references to files, kept in the ledger with the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from genlock.store.artifact import Artifact


class Asked(BaseModel):
    """What all of them have in common: once written down they do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class VideoAsk(Asked):
    """A clip of `seconds` that begins on the first picture and, if there is one, ends on the last.

    `aspect` is as in 16:9, `resolution` as in 1080p; None: what the model makes by itself. `audio` asks for
    sound made along with the pictures.
    """

    first: Artifact
    last: Artifact | None = None
    prompt: str = Field(min_length=1)
    negative_prompt: str = ""
    seconds: float = Field(gt=0)
    aspect: str | None = Field(default=None, pattern=r"^\d+:\d+$")
    resolution: str | None = None
    seed: int | None = Field(default=None, ge=0, lt=2**31)
    audio: bool = False

    @property
    def pictures(self) -> tuple[Artifact, ...]:
        return (self.first,) if self.last is None else (self.first, self.last)


class MusicAsk(Asked):
    """Music of about `seconds`."""

    prompt: str = Field(min_length=1)
    seconds: float = Field(gt=0)
    instrumental: bool = True
    seed: int | None = Field(default=None, ge=0, lt=2**31)


class SpeechAsk(Asked):
    """A text, spoken by one of the vendor's voices. `before` and `after` are what is said around it, for the
    tone; `speed` 1 is the voice's own.
    """

    text: str = Field(min_length=1)
    voice: str = Field(min_length=1, max_length=200)
    language: str | None = Field(default=None, pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$")
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    instructions: str = ""
    before: str = ""
    after: str = ""
    seed: int | None = Field(default=None, ge=0, lt=2**31)


class LanguageAsk(Asked):
    """A question, perhaps about pictures in this order. `answer` is the JSON schema that the answer has to
    fit, `title` what the schema is called; `most` is how many tokens it may have.
    """

    prompt: str = Field(min_length=1)
    system: str = ""
    pictures: tuple[Artifact, ...] = ()
    answer: Mapping[str, Any] | None = None
    title: str = Field(default="answer", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    temperature: float | None = Field(default=None, ge=0, le=2)
    most: int = Field(default=4096, ge=1)
