"""Luma: a list with the requests in it, and a balance that shows what was charged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from genlock.testing.simulator.courier import Notice
from genlock.testing.simulator.job import Job, Phase
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.timeline import iso
from genlock.testing.simulator.vendor import Vendor
from genlock.testing.simulator.visit import Objection, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply, json_reply

if TYPE_CHECKING:
    from genlock.testing.simulator.world import World

_HERE = "/dream-machine/v1"
_CENT = 10_000
_STATES = {Phase.QUEUED: "queued", Phase.WORKING: "dreaming", Phase.MADE: "completed"}
_REASONS = {
    Phase.FAILED: "the generation failed",
    Phase.CENSORED: "prompt or keyframe failed moderation",
    Phase.CANCELLED: "deleted",
    Phase.ABORTED: "deleted",
}


class Luma(Vendor):
    """Generations with keyframes that are addresses of pictures."""

    name = "luma"

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        del status
        return {"detail": "Insufficient credits" if trouble is Trouble.NO_CREDIT else message}

    @route("POST", f"{_HERE}/generations", "create", "generation")
    async def create(self, visit: Visit) -> Reply:
        """A generation, queued."""
        visit.text("prompt")
        duration = visit.text("duration", "5s")
        if duration not in ("5s", "9s"):
            raise Objection(Trouble.BAD_INPUT, "duration is 5s or 9s")
        frames = visit.field("keyframes", {})
        first, last = (_address(frames, name) for name in ("frame0", "frame1"))
        seconds, aspect = float(duration[:-1]), visit.field("aspect_ratio")
        job = self.accept(
            visit,
            id=visit.world.name(self),
            model=visit.text("model"),
            units=Units(seconds=seconds),
            piece=self.film(visit, seconds=seconds, aspect=aspect, first=first, last=last),
            webhook=visit.field("callback_url"),
        )
        return json_reply(self._generation(visit.world, job), 201)

    @route("GET", f"{_HERE}/generations/{{id}}", "get")
    async def get(self, visit: Visit) -> Reply:
        """One generation."""
        job = self.job(visit.params["id"])
        self.look(job, visit)
        return json_reply(self._generation(visit.world, job))

    @route("GET", f"{_HERE}/generations", "list")
    async def list(self, visit: Visit) -> Reply:
        """A page of generations, newest first."""
        try:
            limit, offset = (
                int(visit.request.query.get(n, d)) for n, d in (("limit", "10"), ("offset", "0"))
            )
        except ValueError as error:
            raise Objection(Trouble.BAD_INPUT, "limit and offset are numbers") from error
        if not (1 <= limit <= 100 and offset >= 0):
            raise Objection(Trouble.BAD_INPUT, "limit is 1 to 100, offset 0 or more")
        jobs = self.listed(visit.now)
        page = [self._generation(visit.world, job) for job in jobs[offset : offset + limit]]
        more = offset + limit < len(jobs)
        return json_reply(
            {"has_more": more, "count": len(page), "limit": limit, "offset": offset, "generations": page}
        )

    @route("DELETE", f"{_HERE}/generations/{{id}}", "cancel")
    async def cancel(self, visit: Visit) -> Reply:
        """Stop a generation."""
        visit.world.cancel(self, self.job(visit.params["id"]))
        return Reply(204)

    @route("GET", f"{_HERE}/credits", "account", "credits")
    async def credits(self, visit: Visit) -> Reply:
        """What is left, in cents."""
        return json_reply({"credit_balance": visit.world.left(self) / _CENT})

    def notice(self, world: World, job: Job) -> Notice | None:
        content = self._generation(world, job)
        body = json.dumps(content).encode()
        state = content["state"]
        return Notice(self.name, job.webhook or "", f"{job.id}-{state}", state, body, retries=(0.1, 0.1, 0.1))

    def _generation(self, world: World, job: Job) -> dict[str, Any]:
        made = job.phase is Phase.MADE
        return {
            "id": job.id,
            "generation_type": "video",
            "state": _STATES.get(job.phase, "failed"),
            "failure_reason": _REASONS.get(job.phase),
            "created_at": iso(job.at),
            "assets": {"video": self.url(world, job)} if made else None,
            "model": job.model,
            "request": dict(job.body),
        }


def _address(frames: Any, name: str) -> str | None:
    frame = frames.get(name) if isinstance(frames, dict) else None
    if frame is None:
        return None
    if not isinstance(frame, dict) or frame.get("type") not in ("image", "generation"):
        raise Objection(Trouble.BAD_INPUT, f"{name} is {{type: image, url}}")
    if frame["type"] == "image" and not str(frame.get("url", "")).startswith(("http://", "https://")):
        raise Objection(Trouble.BAD_INPUT, f"the url of {name} has to be the address of a picture")
    return frame.get("url")
