"""What comes of work that was bought, as stages hand it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from genlock.money import Money
from genlock.store.artifact import Artifact

T = TypeVar("T")


class Bought(BaseModel):
    """By whom it was made and for how much, in millionths of `currency`. `passed` says which providers were
    asked before in vain, and why.
    """

    model_config = ConfigDict(frozen=True)

    provider: str
    cost_micros: int
    currency: str
    passed: Sequence[str] = ()

    @property
    def cost(self) -> Money:
        return Money(self.cost_micros, self.currency)


class Footage(Bought):
    """A clip that was asked for as `seconds` long; `facts` is what the vendor and the check said of it."""

    clip: Artifact
    seconds: float
    facts: Mapping[str, Any] = {}


class Tune(Bought):
    """Music."""

    sound: Artifact
    facts: Mapping[str, Any] = {}


class Word(BaseModel):
    """A word and the seconds at which it begins and ends."""

    model_config = ConfigDict(frozen=True)

    word: str
    start: float
    end: float


class Speech(Bought):
    """Speech; without `words` their times are not known."""

    sound: Artifact
    words: Sequence[Word] = ()
    facts: Mapping[str, Any] = {}


class Answered(Bought, Generic[T]):
    """An answer."""

    value: T
