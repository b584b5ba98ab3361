"""What an order will cost, before anything is spent: by the price table, clip by clip."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field, ValidationError

from genlock.clock import Clock
from genlock.engine.declare import Pipeline
from genlock.engine.views import View
from genlock.errors import GenlockError, NotFound, Unsupported
from genlock.ledger.protocol import LedgerReader
from genlock.ledger.records import TaskRef
from genlock.media.film.style import STYLES
from genlock.money import Money
from genlock.pipelines.footage import Terms
from genlock.pipelines.models import CampaignOrder, FilmOrder, SetOrder, Storyboard, shape_of
from genlock.pipelines.purchase import terms_for, vendor_aspect
from genlock.providers import ability
from genlock.providers.asks import VideoAsk
from genlock.providers.catalog import Model
from genlock.providers.faces import Face
from genlock.store.artifact import Artifact

KEPT = 1024  # jobs whose estimates are kept
VALID = timedelta(days=1)  # after which prices are looked at again
CLIPS, PLAN, SHAPES = "video_generation", "sub_job_creation", "rendition"
LOCAL = "local"
_ANY = Artifact(sha256="0" * 64, size=1, media_type="image/jpeg")  # the price does not depend on the pictures
_HERE = "made on this machine: nothing is bought"

Models = Callable[[str | None], Sequence[Model]]


class QuoteLine(View):
    """One line of an estimate: so many of what a stage makes, and what each of them costs."""

    stage: str
    model: str = Field(description="who makes it; `local`: this machine")
    count: int
    each: str | None
    amount: str | None = Field(description="null: nobody can say before it runs")
    micros: int | None = Field(description="the amount in millionths")
    currency: str = "USD"
    note: str


class Quote(View):
    """What an order will cost at most, if nothing has to be made twice. None: nobody can say.

    `estimated_cost` is in whole units of `currency`, `micros` the same in millionths.
    """

    estimated_cost: float | None
    micros: int | None
    currency: str
    breakdown: list[QuoteLine]
    valid_until: datetime


class Quotes:
    """Estimates by this home's price table. `models` are those an order would buy from, in order."""

    def __init__(self, models: Models, reader: LedgerReader, clock: Clock) -> None:
        self._models, self._reader, self._clock = models, reader, clock
        self._known: OrderedDict[str, Quote | None] = OrderedDict()  # of jobs, whose orders stay as they are

    def ahead(self, pipeline: Pipeline[..., Any], inputs: Mapping[str, Any]) -> Quote:
        """Of a job that is not started; `inputs` fit the pipeline. Errors are those the job would meet."""
        order = _order_of(inputs)
        if order is not None:
            return self._quote(self._lines(order))
        if _buys(pipeline):
            note = f"{pipeline.name} asks for models, and only its stages know how often"
            return self._quote([_unknown(pipeline.name, note)])
        return self._quote([_free(pipeline.name, 1, "no stage of it buys anything")])

    async def of_job(self, job: str) -> Quote | None:
        """Of a job that was started; None if nobody can say, or could no longer."""
        if job not in self._known:
            try:
                row = await self._reader.job(job)
            except GenlockError:
                return None
            self._known[job] = self._of_input(row.input)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return self._known[job]

    def _of_input(self, text: str) -> Quote | None:
        try:
            order = _order_of(json.loads(text))
            return None if order is None else self._quote(self._lines(order))
        except (GenlockError, ValidationError):
            return None

    async def of_redo(self, job: str, keys: Iterable[str]) -> Money:
        """What making these tasks of a job again costs at most: clips, or whole shapes of a film."""
        nodes = [key.partition("/") for key in keys]
        prices = await self._clip_prices(job)
        amounts = [prices[int(index)] for node, _, index in nodes if node == CLIPS and _is_of(index, prices)]
        shapes = sum(node.startswith(SHAPES) and bool(slash) for node, slash, _ in nodes)
        quote = await self.of_job(job) if shapes else None
        lines = [line for line in quote.breakdown if line.stage == CLIPS] if quote else []
        amounts += [Money(line.micros or 0, line.currency) for line in lines[:shapes]]
        return _sum(amounts)

    async def _clip_prices(self, job: str) -> list[Money]:
        """Of each clip, as it was planned."""
        try:
            _, text = await self._reader.output(TaskRef(job, PLAN))
        except NotFound:
            return []
        if text is None:
            return []
        board = Storyboard.model_validate_json(text)
        return [
            self._price(brief.purchase.terms[0]) if brief.purchase else Money(0) for brief in board.briefs
        ]

    def _lines(self, order: FilmOrder) -> list[QuoteLine]:
        clips = min(order.num_pairs, len(order.photos) * (len(order.photos) - 1) // 2)
        music = [_free("audio_generation", 1, f"music {_HERE}")] if order.with_audio else []
        models = self._models(order.video)
        aspects = order.aspects if isinstance(order, SetOrder) else [_aspect(order)]
        if not models:
            return [_free(CLIPS, clips * len(aspects), f"camera moves on the photos, {_HERE}"), *music]
        shapes = dict.fromkeys(
            vendor_aspect(models[0].aspects, each) if models[0].aspects else each for each in aspects
        )
        return [*(self._bought(models, order, each, clips) for each in shapes), *music]

    def _bought(self, models: Sequence[Model], order: FilmOrder, aspect: str, clips: int) -> QuoteLine:
        able, why = _able(models, order, aspect)
        if not able:
            raise Unsupported(why)
        each = self._price(able[0])
        then = [f"{terms.model} at {self._price(terms)}" for terms in able[1:]]
        size = f", {able[0].resolution}" if able[0].resolution else ""
        note = f"{able[0].seconds:g} s each{size}, {aspect}; what was bought before is not bought again"
        return QuoteLine(
            stage=CLIPS,
            model=able[0].model,
            count=clips,
            each=str(each),
            amount=str(each * clips),
            micros=(each * clips).micros,
            currency=each.currency,
            note=f"{note}; if it does not take a request: {', '.join(then)}" if then else note,
        )

    def _price(self, terms: Terms) -> Money:
        ask = VideoAsk(
            first=_ANY,
            last=_ANY,
            prompt="a clip",
            seconds=terms.seconds,
            aspect=terms.aspect,
            resolution=terms.resolution,
        )
        (model,) = self._models(terms.model)
        return ability.estimate(ask, model)

    def _quote(self, lines: list[QuoteLine]) -> Quote:
        known = all(line.micros is not None for line in lines)
        total = _sum(Money(line.micros or 0, line.currency) for line in lines)
        return Quote(
            estimated_cost=total.micros / 1_000_000 if known else None,
            micros=total.micros if known else None,
            currency=total.currency,
            breakdown=lines,
            valid_until=self._clock.now() + VALID,
        )


def _sum(amounts: Iterable[Money]) -> Money:
    """What costs nothing has every currency."""
    paid = [amount for amount in amounts if amount.micros]
    return sum(paid[1:], paid[0]) if paid else Money(0)


def _order_of(inputs: Mapping[str, Any]) -> FilmOrder | None:
    """The order of a film among a pipeline's inputs, if it is one."""
    given = inputs.get("order")
    if not isinstance(given, Mapping) or "photos" not in given:
        return None
    return (SetOrder if "aspects" in given else CampaignOrder).model_validate(given)


def _aspect(order: FilmOrder) -> str:
    return order.aspect if isinstance(order, CampaignOrder) else "16:9"


def _able(models: Sequence[Model], order: FilmOrder, aspect: str) -> tuple[list[Terms], str]:
    """What those are asked that can make such clips; why not, of the first that cannot."""
    lines = min(shape_of(aspect, int(order.resolution.removesuffix("p"))))
    seconds = order.clip_duration or STYLES[order.style].seconds
    able, why = [], ""
    for model in models:
        try:
            able.append(terms_for(model, seconds, lines, aspect, "a clip"))
        except Unsupported as error:
            why = why or str(error)
    return able, why


def _buys(pipeline: Pipeline[..., Any]) -> bool:
    tools = (want for stage in pipeline.all_stages() for want in stage.tools.values())
    return any(isinstance(want, type) and issubclass(want, Face) for want in tools)


def _free(stage: str, count: int, note: str) -> QuoteLine:
    nothing = str(Money(0))
    return QuoteLine(stage=stage, model=LOCAL, count=count, each=nothing, amount=nothing, micros=0, note=note)


def _unknown(stage: str, note: str) -> QuoteLine:
    return QuoteLine(stage=stage, model="", count=0, each=None, amount=None, micros=None, note=note)


def _is_of(index: str, prices: Sequence[Money]) -> bool:
    return index.isdigit() and int(index) < len(prices)
