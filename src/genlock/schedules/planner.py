"""Schedules of the process that owns the ledger: made, changed and looked at."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from genlock.clock import Clock
from genlock.engine.engine import Engine
from genlock.engine.name import job_id
from genlock.engine.spec import fit_inputs
from genlock.errors import BadInput, Conflict, NotFound
from genlock.ledger.schedules.protocol import ScheduleLedger
from genlock.ledger.schedules.records import FiringState, Kind, ScheduleRow, ScheduleSpec, Timing
from genlock.money import Money
from genlock.schedules.rhythm import every_of, rhythm_of, zone_of
from genlock.schedules.service import ScheduleService
from genlock.schedules.starter import Opener, Starter, as_they_are
from genlock.schedules.view import (
    ID,
    FiringView,
    Plan,
    PlanChange,
    ScheduleView,
    present_firing,
    present_schedule,
)

SCRIPT = "script"  # the pipeline that `script:NAME` is short for
MOST_UPCOMING = 100

Check = Callable[[Mapping[str, Any]], None]  # of a pipeline's params; raises `BadInput`


class Planner(ScheduleService):
    """`ScheduleService` over the ledger.

    `checks` look at the params of pipelines that are particular, by name; `opener` puts files in the place of
    assets, whenever a job is started. `ring` is told of every change,
    so that a timer looks again. Schedules in `built_in` come from settings: the mapping says from which.
    """

    def __init__(
        self,
        ledger: ScheduleLedger,
        engine: Engine,
        *,
        checks: Mapping[str, Check] | None = None,
        opener: Opener = as_they_are,
        built_in: Mapping[str, str] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.ledger, self.engine = ledger, engine
        self.starter = Starter(ledger, engine, opener)
        self._clock: Clock = engine.clock
        self._checks, self._built_in = checks or {}, built_in or {}
        self._rng = rng or random.Random()
        self.ring: Callable[[], None] = lambda: None

    async def create(self, plan: Plan, *, owner: str = "local", id: str | None = None) -> ScheduleView:
        if id is not None and not re.fullmatch(ID, id):
            raise BadInput(f"{id!r} cannot be an id: letters, digits and _ . - only, at most 100")
        name = id or f"s{job_id(self._clock.now(), self._rng)}"
        if name in self._built_in:
            raise Conflict(f"{name!r} is registered by `genlock serve`: take another id")
        spec, timing = await self.planned(name, owner, plan)
        await self._set_cap(spec, None)
        row = await self.ledger.add(spec, timing)
        self.ring()
        return present_schedule(row)

    async def show(self, id: str) -> ScheduleView:
        return present_schedule(await self.ledger.schedule(id))

    async def list(
        self, *, owner: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[ScheduleView]:
        rows = await self.ledger.schedules(owner=owner, after=after, limit=limit)
        return [present_schedule(row) for row in rows]

    async def change(self, id: str, changes: PlanChange) -> ScheduleView:
        row = await self.ledger.schedule(id)
        return await self._alter(row, changes.applied(_plan_of(row.spec)))

    async def replace(self, id: str, plan: Plan) -> ScheduleView:
        return await self._alter(await self.ledger.schedule(id), plan)

    async def delete(self, id: str) -> None:
        if id in self._built_in:
            raise Conflict(f"{id!r} is registered whenever a server starts: set {self._built_in[id]}=off")
        await self.ledger.remove(id)
        self.ring()

    async def pause(self, id: str, reason: str = "") -> ScheduleView:
        return present_schedule(await self.ledger.pause(id, reason))

    async def resume(self, id: str) -> ScheduleView:
        row = await self._runnable(id)
        resumed = await self.ledger.resume(id, self._from_now(row.spec, row.anchor_at))
        self.ring()
        return present_schedule(resumed)

    async def trigger(self, id: str) -> FiringView:
        planned = await self._runnable(id)
        firing = await self.ledger.trigger(id)
        if firing.state is FiringState.STARTED:
            await self.starter.start(planned, firing)
        self.ring()
        [row] = await self.ledger.firings(id, after=firing.due_at + timedelta(microseconds=1), limit=1)
        view = present_firing(row)
        if view.state is FiringState.FAILED and view.job is None:
            raise Conflict(f"schedule {id!r} could not be started: {view.reason}")
        return view

    async def firings(
        self, id: str, *, after: datetime | None = None, limit: int = 100
    ) -> Sequence[FiringView]:
        await self.ledger.schedule(id)
        return [present_firing(row) for row in await self.ledger.firings(id, after=after, limit=limit)]

    async def upcoming(self, id: str, *, count: int = 5) -> Sequence[datetime]:
        row = await self.ledger.schedule(id)
        rhythm = rhythm_of(row.spec.kind, row.spec.expression, row.spec.zone, row.anchor_at)
        at = row.next_at or rhythm.after(self._clock.now())
        times: list[datetime] = []
        while at is not None and len(times) < min(count, MOST_UPCOMING):
            times.append(at)
            at = rhythm.after(at)
        return times

    async def planned(self, id: str, owner: str, plan: Plan) -> tuple[ScheduleSpec, Timing]:
        """What the ledger keeps of a plan. `BadInput` if what it starts, or its times, cannot be."""
        pipeline, params = await self._fit(plan)
        kind, expression = _when(plan)
        zone_of(plan.zone)  # of an interval too, which may become a cron expression later
        spec = ScheduleSpec(
            id=id,
            name=plan.name,
            owner=owner,
            workflow=plan.workflow or plan.pipeline,
            pipeline=pipeline,
            params=json.dumps(params, ensure_ascii=True),
            kind=kind,
            expression=expression,
            zone=plan.zone,
            missed=plan.missed,
            overlap=plan.overlap,
            cap=None if plan.cap is None else _amount(plan.cap),
            patience=plan.patience,
        )
        timing = self._from_now(spec, self._clock.now())
        if timing.next_at is None:
            raise BadInput(f"{expression!r} never comes due")
        return spec, timing

    async def _runnable(self, id: str) -> ScheduleRow:
        """The schedule; `Conflict` if what it starts is not there, or takes other parameters by now."""
        row = await self.ledger.schedule(id)
        try:
            await self._fit(_plan_of(row.spec))
        except (BadInput, NotFound) as error:
            why = row.reason if row.is_unfit else f"cannot run: {error}"
            raise Conflict(f"schedule {id!r} {why}") from error
        return row

    def _from_now(self, spec: ScheduleSpec, anchor: datetime) -> Timing:
        rhythm = rhythm_of(spec.kind, spec.expression, spec.zone, anchor)
        return Timing(anchor, rhythm.after(self._clock.now()))

    async def _fit(self, plan: Plan) -> tuple[str, dict[str, Any]]:
        """The pipeline by its own name, with params that it takes once they are opened."""
        name, _, script = plan.pipeline.partition(":")
        params = dict(plan.params)
        if script and name == SCRIPT:
            params = {**params, "name": script}
        elif plan.pipeline != name:
            raise BadInput(f"{plan.pipeline!r} is no pipeline: only scripts have names, as in script:nightly")
        found = self.engine.pipelines.get(name)
        if found is None:
            known = ", ".join(sorted(self.engine.pipelines))
            raise BadInput(f"there is no pipeline {name!r}; there are: {known}")
        fit_inputs(found, await self.starter.opened(name, params))
        if check := self._checks.get(name):
            check(params)
        return name, params

    async def _alter(self, row: ScheduleRow, plan: Plan) -> ScheduleView:
        kept, same = row.spec, ("kind", "expression", "zone")
        if row.id in self._built_in:
            spec, timing = self._still_built_in(kept, plan), None
        else:
            spec, timing = await self.planned(row.id, kept.owner, plan)
        moves = any(getattr(spec, name) != getattr(kept, name) for name in same)
        await self._set_cap(spec, kept.cap)
        altered = await self.ledger.alter(spec, timing if moves else None)
        self.ring()
        return present_schedule(altered)

    def _still_built_in(self, kept: ScheduleSpec, plan: Plan) -> ScheduleSpec:
        """With other policies. `Conflict` if it is to do something else, or at other times."""
        free = {"missed": plan.missed, "overlap": plan.overlap, "cap": plan.cap, "patience": plan.patience}
        if _plan_of(kept).model_copy(update=free) != plan:
            raise Conflict(
                f"what {kept.id!r} does and when comes from settings ({self._built_in[kept.id]}): only its "
                "missed, overlap, cap and patience can be changed here"
            )
        cap = None if plan.cap is None else _amount(plan.cap)
        return replace(kept, missed=plan.missed, overlap=plan.overlap, cap=cap, patience=plan.patience)

    async def _set_cap(self, spec: ScheduleSpec, before: str | None) -> None:
        """The cap holds before the schedule that it bounds may start anything."""
        scope = f"schedule:{spec.id}"
        if spec.cap != before or (before is None and await self.engine.accounts.budgets([scope])):
            await self.engine.accounts.set_cap(scope, spec.cap)


def _when(plan: Plan) -> tuple[Kind, str]:
    """As the ledger keeps it: a cron expression without more blanks than it needs, or seconds."""
    if plan.cron is not None:
        return Kind.CRON, " ".join(plan.cron.split())
    return Kind.INTERVAL, f"{every_of(plan.every or '').total_seconds():.0f}"


def _plan_of(spec: ScheduleSpec) -> Plan:
    is_cron = spec.kind is Kind.CRON
    return Plan(
        name=spec.name,
        pipeline=spec.pipeline,
        params=json.loads(spec.params),
        cron=spec.expression if is_cron else None,
        every=None if is_cron else spec.expression,
        zone=spec.zone,
        missed=spec.missed,
        overlap=spec.overlap,
        cap=spec.cap,
        patience=spec.patience,
        workflow=spec.workflow,
    )


def _amount(text: str) -> str:
    """The cap as it was written, once it is known to be money."""
    Money.parse(text)
    return text.strip()
