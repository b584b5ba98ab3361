"""Whether a model can do what is asked, and how much of what it counts by that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import singledispatch
from typing import Any

from genlock.errors import Unsupported
from genlock.money import Money
from genlock.providers.asks import Asked, LanguageAsk, MusicAsk, SpeechAsk, VideoAsk
from genlock.providers.catalog import Model

CHARACTERS_A_TOKEN = 2  # on the safe side: English has four, Japanese one to two
_TOKENS_AROUND = 200  # what a vendor puts around a question


@singledispatch
def check(ask: Asked, model: Model) -> None:
    """`Unsupported` if the model cannot do this, with what it can do."""
    raise Unsupported(f"{model.name} makes no {type(ask).__name__}")


@check.register
def _(ask: VideoAsk, model: Model) -> None:
    _length(ask.seconds, model)
    if ask.last is not None and not model.last_frame:
        raise Unsupported(
            f"{model.name} cannot end on a picture: ask without `last`, or choose another model"
        )
    _among(ask.aspect, model.aspects, model, "the aspect", "the shape of the pictures")
    _among(ask.resolution, model.resolutions, model, "the resolution", "one of its own")
    _has(bool(ask.negative_prompt), model.negative_prompt, model, "a negative prompt")
    _has(ask.audio, model.audio, model, "sound of its own")
    _has(ask.seed is not None, model.seed, model, "a seed")


@check.register
def _(ask: MusicAsk, model: Model) -> None:
    _length(ask.seconds, model)
    _has(not ask.instrumental, model.vocals, model, "singing")
    _has(ask.seed is not None, model.seed, model, "a seed")


@check.register
def _(ask: SpeechAsk, model: Model) -> None:
    if model.characters is not None and len(ask.text) > model.characters:
        raise Unsupported(
            f"{model.name} speaks {model.characters} characters at once, not {len(ask.text)}: divide the text"
        )
    _has(ask.speed != 1.0, model.speed, model, "another speed than its own")
    _has(ask.language is not None, model.language, model, "a language: it hears that from the text")
    _has(bool(ask.instructions), model.instructions, model, "instructions how to speak")
    _has(bool(ask.before or ask.after), model.context, model, "what is said before and after")
    _has(ask.seed is not None, model.seed, model, "a seed")


@check.register
def _(ask: LanguageAsk, model: Model) -> None:
    if len(ask.pictures) > model.pictures:
        raise Unsupported(f"{model.name} looks at {model.pictures} pictures at once, not {len(ask.pictures)}")


def _length(seconds: float, model: Model) -> None:
    if seconds not in model.seconds if model.seconds else model.length(seconds) != seconds:
        raise Unsupported(f"{model.name} makes {model.lengths()}, not {seconds:g} s")


def _among(value: str | None, known: Sequence[str], model: Model, what: str, otherwise: str) -> None:
    if value is not None and value not in known:
        can = ", ".join(known) or f"{otherwise}, so ask without"
        raise Unsupported(f"{model.name} cannot do {what} {value}: it has {can}")


def _has(wanted: bool, able: bool, model: Model, what: str) -> None:
    if wanted and not able:
        raise Unsupported(f"{model.name} takes no request for {what}")


def facets(ask: Asked, model: Model) -> Mapping[str, Any]:
    """What a price may depend on."""
    if isinstance(ask, VideoAsk):
        return {"audio": ask.audio, "resolution": resolution(ask, model), "aspect": ask.aspect}
    return {}


def resolution(ask: VideoAsk, model: Model) -> str | None:
    """What was asked for, or else the first that the model has: said outright, since prices depend on it."""
    return ask.resolution or (model.resolutions[0] if model.resolutions else None)


def estimate(ask: Asked, model: Model) -> Money:
    """The most it may cost."""
    return model.cost(_units(ask, model), facets(ask, model))


def _units(ask: Asked, model: Model) -> Mapping[str, Decimal | int | float]:
    units: dict[str, Decimal | int | float] = dict.fromkeys(
        ("second", "thousand_characters", "million_input_tokens", "million_output_tokens"), 0
    )
    units["call"] = 1
    if isinstance(ask, VideoAsk | MusicAsk):
        units["second"] = ask.seconds
    if isinstance(ask, SpeechAsk):
        units["thousand_characters"] = Decimal(len(ask.text)) / 1000
    if isinstance(ask, LanguageAsk):
        said = len(ask.prompt) + len(ask.system) + len(str(ask.answer or ""))
        read = said // CHARACTERS_A_TOKEN + len(ask.pictures) * model.tokens_a_picture + _TOKENS_AROUND
        units["million_input_tokens"] = Decimal(read) / 10**6
        units["million_output_tokens"] = Decimal(ask.most) / 10**6
    return units
