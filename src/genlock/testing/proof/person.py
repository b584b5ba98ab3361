"""What people do while a job is proved: they decide what is in doubt, and answer gates."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from genlock.bootstrap import Home
from genlock.engine.fit import SIGNAL
from genlock.engine.views import CallView
from genlock.errors import BadInput, Conflict
from genlock.ledger.records import TaskRef
from genlock.ledger.spending import BUDGET, CALL, PLACE, CallFilter, CallState, Decision
from genlock.testing.proof.charge import charges_in
from genlock.testing.proof.order import JOB, Order

NAME = "proof"
NO_GATES = (CALL, BUDGET, PLACE, SIGNAL)  # how signals begin that nobody is asked for
MANY = 1000  # calls of a job
DOUBTFUL = CallFilter(states=frozenset({CallState.DOUBT}))


class Unanswered(BadInput):
    """A gate waits for ever, and nobody said what it is to be answered."""


@dataclass
class Person:
    """Does in a home what the order says that people do."""

    order: Order
    home: Home

    async def attend(self) -> None:
        """Decide and answer whatever waits. `Unanswered` if that is not possible."""
        await self._decide()
        await self._answer()

    async def gave_up(self) -> bool:
        """Whether a call was given up without another one in its place."""
        newest: dict[str, CallView] = {}
        for call in await self._calls():
            held = newest.get(place_of(call))
            if held is None or call.number > held.number:
                newest[place_of(call)] = call
        return any(call.state is CallState.ABANDONED for call in newest.values())

    async def _calls(self, *states: CallState) -> list[CallView]:
        return list(await self.home.engine.accounts.calls(job=JOB, states=states, limit=MANY))

    # -- gates ------------------------------------------------------------------------------------------

    async def _answer(self) -> None:
        for task, name in await self.home.engine.reader.awaiting(""):
            if name.startswith(NO_GATES):
                continue
            if name in self.order.subject.answers:
                value = self.order.subject.answers[name]
                with suppress(Conflict):  # whoever was killed has just answered it
                    await self.home.engine.signal(task.job, task.key, name, value)
            elif await self._for_ever(task):
                raise Unanswered(
                    f"{task} waits for {name!r}: say what it is answered with --answer {name}=VALUE"
                )

    async def _for_ever(self, task: TaskRef) -> bool:
        return (await self.home.engine.reader.task(task)).due_at is None

    # -- doubts -----------------------------------------------------------------------------------------

    async def _decide(self) -> None:
        if not await self.home.engine.reader.calls(
            DOUBTFUL
        ):  # which costs less than all that is shown of them
            return
        for call in await self._calls(CallState.DOUBT):
            handle = await self._charged_as(call)
            decision = self.order.decide
            if decision is Decision.ADOPT and handle is None:
                decision = Decision.RESEND  # the vendor never had it: there is nothing to adopt
            adopted = handle if decision is Decision.ADOPT else None
            with suppress(Conflict):
                await self.home.engine.accounts.resolve(call.key, decision, by=NAME, handle=adopted)

    async def _charged_as(self, call: CallView) -> str | None:
        """The vendor's id of a request that it charged for and that no call is known to be."""
        if self.order.book is None:
            return None
        wanted = self.order.inputs.get(place_of(call))
        taken = {each.provider_id for each in await self._calls()}
        for charge in reversed(charges_in(self.order.book)):
            if charge.id not in taken and (charge.key == call.key if charge.key else charge.input == wanted):
                return charge.id
        return None


def place_of(call: CallView) -> str:
    """Where in its job a call is made, whatever number it has: job/task/name."""
    return f"{call.job}/{call.task}/{call.name}"
