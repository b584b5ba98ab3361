"""What a stage is handed for work that is bought: its methods ask through the task, which pays once.

    @stage
    async def make_clip(shot: Shot, *, video: VideoModel = provided()) -> Footage:
        return await video.clip(shot.first, shot.last, prompt=shot.prompt, seconds=6, aspect="16:9")

A face holds the providers in the order of the settings. The next is asked only if one before it said that
it does not do this, has no credit or did not take the request; that is kept in the task, so a later attempt
does not turn back to one that was passed, and it stands in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from genlock.errors import NotAccepted, OutOfCredit, Permanent, Refused, Unsupported
from genlock.paid import Answer, Ask, Caller, Verify
from genlock.providers.adapter import VendorAdapter
from genlock.providers.asks import Asked, LanguageAsk, MusicAsk, SpeechAsk, VideoAsk
from genlock.providers.catalog import Kind, Model
from genlock.providers.result import Answered, Footage, Speech, Tune
from genlock.providers.schema import strict
from genlock.settings import variable_of
from genlock.store.artifact import Artifact

M = TypeVar("M", bound=BaseModel)
Chain = Sequence[VendorAdapter[Any]]
PASSED = (Unsupported, OutOfCredit, NotAccepted)


class _Bought(Exception):
    """Carries an answer out of `once`, which keeps only why a provider was passed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class Face:
    """Providers of one kind, in order, and the task that pays them."""

    kind: Kind

    def __init__(
        self,
        chain: Chain,
        caller: Caller,
        verify: Verify | None = None,
        named: Callable[[str], Chain] | None = None,
    ) -> None:
        self._chain, self._caller, self._verify, self._named = list(chain), caller, verify, named

    def by(self, names: str | None) -> Self:
        """The same with the providers that a job names, as settings name them; None: as the settings have it.

        `BadInput` if one cannot be used, with the reason.
        """
        if names is None:
            return self
        if self._named is None:
            raise Unsupported(f"{names} was asked for, and there are no providers here to choose from")
        return type(self)(self._named(names), self._caller, self._verify, self._named)

    @property
    def models(self) -> Sequence[Model]:
        """What can be bought from, in the order in which it is tried."""
        return [adapter.model for adapter in self._chain]

    @property
    def bought(self) -> bool:
        """Whether there is anybody to buy from; if not, the stage does it itself."""
        return bool(self._chain)

    async def _buy(
        self, name: str, ask: Callable[[VendorAdapter[Any]], Asked]
    ) -> tuple[Answer, dict[str, Any]]:
        """The answer of the first that takes it, and what is to be said of that in the result."""
        if not self._chain:
            variable = variable_of(self.kind)
            raise Unsupported(f"nobody makes {self.kind} here: set {variable}, see docs/providers.md")
        passed: list[str] = []
        while True:
            at = len(passed)
            adapter = self._chain[min(at, len(self._chain) - 1)]
            try:
                answer = await self._ask(name, at, adapter, ask(adapter))
            except _Passed as why:
                passed.append(str(why))
                continue
            money = {"cost_micros": answer.cost.micros, "currency": answer.cost.currency}
            return answer, {"provider": answer.adapter or adapter.name, "passed": passed, **money}

    async def _ask(self, name: str, at: int, adapter: VendorAdapter[Any], request: Asked) -> Answer:
        """The answer of the provider at this place. Which place it is follows from what is kept, not from the
        settings, which may be others by now: what is under way at one place is never begun at the next.
        """
        last = at >= len(self._chain) - 1
        called = name if at == 0 else f"{name}:{at + 1}"

        async def passed() -> str:
            try:
                answer = await self._caller.call(called, Ask(adapter, request, self._verify, patient=last))
            except PASSED as error:
                if last:
                    raise
                return f"{adapter.name}: {error}"
            raise _Bought(answer)

        try:
            why = await self._caller.once(f"passed:{called}", passed, str)
        except _Bought as bought:
            return bought.answer
        raise _Passed(why)


class _Passed(Exception):
    """Why a provider was passed."""


class VideoModel(Face):
    """Makes clips."""

    kind = Kind.VIDEO

    async def clip(
        self,
        first: Artifact,
        last: Artifact | None = None,
        *,
        prompt: str,
        seconds: float,
        negative_prompt: str = "",
        aspect: str | None = None,
        resolution: str | None = None,
        seed: int | None = None,
        audio: bool = False,
        name: str = "clip",
    ) -> Footage:
        """A clip from the first picture to the last. Models make a few lengths only: it is the shortest that
        is no shorter than `seconds`, or else the longest, and the result says which.
        """

        def ask(model: Model) -> VideoAsk:
            return VideoAsk(
                first=first,
                last=last,
                prompt=prompt,
                negative_prompt=negative_prompt,
                seconds=model.length(seconds),
                aspect=aspect,
                resolution=resolution,
                seed=seed,
                audio=audio,
            )

        return await self.shoot(ask, name=name)

    async def shoot(self, fit: Callable[[Model], VideoAsk], *, name: str = "clip") -> Footage:
        """A clip for which `fit` says what to ask of each model: they differ in lengths, shapes and sizes."""
        answer, said = await self._buy(name, lambda adapter: fit(adapter.model))
        asked = next((fit(model) for model in self.models if model.name == said["provider"]), None)
        length = asked.seconds if asked else 0.0
        return Footage(clip=_only(answer, "a clip"), seconds=length, facts=dict(answer.facts), **said)

    def check(self, fit: Callable[[Model], VideoAsk]) -> None:
        """`Unsupported` if none of the providers can make such a clip; nothing is asked of any."""
        found: Unsupported | None = None
        for adapter in self._chain:
            try:
                return adapter.check(fit(adapter.model))
            except Unsupported as error:
                found = found or error
        raise found or Unsupported(f"nobody makes {self.kind} here")


class MusicModel(Face):
    """Composes."""

    kind = Kind.MUSIC

    async def compose(
        self,
        prompt: str,
        *,
        seconds: float,
        instrumental: bool = True,
        seed: int | None = None,
        name: str = "tune",
    ) -> Tune:
        """Music of about `seconds`, or as near to that as the model comes."""

        def ask(adapter: VendorAdapter[Any]) -> MusicAsk:
            length = adapter.model.length(seconds)
            return MusicAsk(prompt=prompt, seconds=length, instrumental=instrumental, seed=seed)

        answer, said = await self._buy(name, ask)
        return Tune(sound=_only(answer, "music"), facts=dict(answer.facts), **said)


class SpeechModel(Face):
    """Speaks."""

    kind = Kind.SPEECH

    async def speak(
        self,
        text: str,
        *,
        voice: str,
        language: str | None = None,
        speed: float = 1.0,
        instructions: str = "",
        before: str = "",
        after: str = "",
        seed: int | None = None,
        name: str = "speech",
    ) -> Speech:
        """The text, spoken. `words` is empty if the vendor tells no times: then they have to be measured."""
        wanted = SpeechAsk(
            text=text,
            voice=voice,
            language=language,
            speed=speed,
            instructions=instructions,
            before=before,
            after=after,
            seed=seed,
        )
        answer, said = await self._buy(name, lambda _: wanted)
        facts = dict(answer.facts)
        words = facts.pop("words", [])
        return Speech(sound=_only(answer, "speech"), words=words, facts=facts, **said)


class LanguageModel(Face):
    """Judges and writes, in models of pydantic's."""

    kind = Kind.LANGUAGE

    async def answer(
        self,
        shape: type[M],
        prompt: str,
        pictures: Sequence[Artifact] = (),
        *,
        system: str = "",
        temperature: float | None = None,
        most: int = 4096,
        context: Any = None,
        name: str = "answer",
    ) -> M:
        """The answer in this shape; `answered` says by whom and for how much as well."""
        whole = await self.answered(
            shape,
            prompt,
            pictures,
            system=system,
            temperature=temperature,
            most=most,
            context=context,
            name=name,
        )
        return whole.value

    async def answered(
        self,
        shape: type[M],
        prompt: str,
        pictures: Sequence[Artifact] = (),
        *,
        system: str = "",
        temperature: float | None = None,
        most: int = 4096,
        context: Any = None,
        name: str = "answer",
    ) -> Answered[M]:
        """The answer in this shape. One that does not fit (validators may use `context`) is asked for once
        more, with what is wrong with it; `Permanent` if it does not fit then either, `Refused` if the model
        will not answer.
        """
        wanted = LanguageAsk(
            prompt=prompt,
            system=system,
            pictures=tuple(pictures),
            answer=strict(shape.model_json_schema()),
            title=shape.__name__.replace("[", "_").replace("]", ""),
            temperature=temperature,
            most=most,
        )
        first, said = await self._buy(name, lambda _: wanted)
        value = _read(shape, first, context)
        if not isinstance(value, ValidationError):
            return Answered(value=value, **said)
        repaired = wanted.model_copy(update={"prompt": _repair(prompt, first, value)})
        second, said = await self._buy(f"{name}:repair", lambda _: repaired)
        cost = first.cost + second.cost
        value = _read(shape, second, context)
        if isinstance(value, ValidationError):
            raise Permanent(f"{said['provider']} answered twice what is no {shape.__name__}: {_wrong(value)}")
        return Answered(value=value, **{**said, "cost_micros": cost.micros})


def _only(answer: Answer, what: str) -> Artifact:
    if len(answer.files) != 1:
        raise Permanent(f"the provider made {len(answer.files)} files instead of {what}")
    return answer.files[0]


def _read(shape: type[M], answer: Answer, context: Any) -> M | ValidationError:
    refusal = answer.facts.get("refusal")
    if refusal:
        raise Refused(f"the model will not answer: {str(refusal)[:300]}")
    text = str(answer.facts.get("text") or "").strip()
    if text.startswith("```"):
        text = text.partition("\n")[2].rpartition("```")[0]
    try:
        return shape.model_validate_json(text, context=context)
    except ValidationError as error:
        return error


def _wrong(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)[:8]
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the whole'}: {e['msg']}" for e in found)


def _repair(prompt: str, answer: Answer, error: ValidationError) -> str:
    given = str(answer.facts.get("text") or "nothing")[:20_000]
    return (
        f"{prompt}\n\nThis was answered before:\n{given}\n\nIt cannot be used: {_wrong(error)}.\n"
        "Answer again, with JSON alone, and with all of that put right."
    )
