"""Runway: has neither a key nor a list, so a request whose answer is lost stays in doubt."""

from __future__ import annotations

from typing import Any

from genlock.testing.simulator.job import Job, Phase
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.timeline import iso
from genlock.testing.simulator.vendor import Vendor
from genlock.testing.simulator.visit import Objection, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply, json_reply

VERSION = "2024-11-06"
_STATES = {
    Phase.WORKING: "RUNNING",
    Phase.MADE: "SUCCEEDED",
    Phase.FAILED: "FAILED",
    Phase.CENSORED: "FAILED",
    Phase.CANCELLED: "CANCELLED",
    Phase.ABORTED: "CANCELLED",
}


class Runway(Vendor):
    """Film from two pictures, two at a time: what is accepted beyond that is THROTTLED."""

    name = "runway"
    slots = 2
    statuses = {Trouble.NO_CREDIT: 400}  # noqa: RUF012 - declared by Vendor

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        del status
        if trouble is Trouble.NO_CREDIT:
            return {"error": "You do not have enough credits to run this task."}
        return {"error": message}

    @route("POST", "/v1/image_to_video", "create", "image_to_video")
    async def create(self, visit: Visit) -> Reply:
        """A task: its id and nothing else."""
        if visit.request.headers.get("x-runway-version") != VERSION:
            raise Objection(Trouble.BAD_INPUT, f"the header X-Runway-Version has to be {VERSION}")
        pictures = _pictures(visit.field("promptImage"))
        seconds, ratio = visit.field("duration", 10), visit.text("ratio", "1280:720")
        if not isinstance(seconds, int | float) or not 2 <= seconds <= 10:
            raise Objection(Trouble.BAD_INPUT, "duration is 2 to 10 seconds")
        first, last = pictures.get("first"), pictures.get("last")
        job = self.accept(
            visit,
            id=visit.world.name(self),
            model=visit.text("model"),
            units=Units(seconds=seconds),
            piece=self.film(visit, seconds=seconds, aspect=ratio, first=first, last=last),
        )
        return json_reply({"id": job.id})

    @route("GET", "/v1/tasks/{id}", "get")
    async def get(self, visit: Visit) -> Reply:
        """One task; the address of its output holds for a day from its end."""
        job = self.job(visit.params["id"])
        self.look(job, visit)
        return json_reply(self._task(visit, job))

    @route("DELETE", "/v1/tasks/{id}", "cancel")
    async def cancel(self, visit: Visit) -> Reply:
        """Stop a task."""
        visit.world.cancel(self, self.job(visit.params["id"]))
        return Reply(204)

    @route("GET", "/v1/organization", "account", "organization")
    async def organization(self, visit: Visit) -> Reply:
        """What is left, in credits of a cent."""
        left = visit.world.left(self)
        return json_reply({"creditBalance": left // 10_000, "tier": {"maxMonthlyCreditSpend": 10_000}})

    def _task(self, visit: Visit, job: Job) -> dict[str, Any]:
        task: dict[str, Any] = {"id": job.id, "createdAt": iso(job.at), "status": self._state(job)}
        if job.phase is Phase.WORKING and job.started_at is not None:
            task["progress"] = round(min((visit.now - job.started_at) / max(job.work, 1e-9), 0.99), 2)
        elif job.phase is Phase.MADE:
            task["output"] = [self.url(visit.world, job)]
        elif job.phase is Phase.FAILED:
            task |= {"failure": "An unexpected error occurred.", "failureCode": "INTERNAL.BAD_OUTPUT.CODE01"}
        elif job.phase is Phase.CENSORED:
            task |= {"failure": "Content moderation refused it.", "failureCode": "SAFETY.INPUT.TEXT"}
        return task

    def _state(self, job: Job) -> str:
        if job.phase is Phase.QUEUED:
            return "THROTTLED" if self.yard.full else "PENDING"
        return _STATES[job.phase]


def _pictures(given: Any) -> dict[str, str]:
    """Pictures by their position; one alone is the first."""
    if isinstance(given, str):
        return {"first": given}
    try:
        found = {part["position"]: part["uri"] for part in given}
    except (TypeError, KeyError) as error:
        raise Objection(
            Trouble.BAD_INPUT, "promptImage is an address or a list of {uri, position}"
        ) from error
    if not found or set(found) - {"first", "last"}:
        raise Objection(Trouble.BAD_INPUT, "the position of a picture is first or last")
    return found
