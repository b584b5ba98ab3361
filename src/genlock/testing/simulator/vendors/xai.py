"""xAI: Grok, which looks at pictures and answers in strict JSON; and films that can be found by nobody."""

from __future__ import annotations

from typing import Any

from genlock.testing.simulator.chat import Chat
from genlock.testing.simulator.job import Phase
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.visit import Objection, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply, json_reply

_RETIRED = frozenset({"grok-4-0709", "grok-code-fast-1", "grok-3"})


class Xai(Chat):
    """Chat completions, responses, and generations of film."""

    name = "xai"

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        del status
        return {"code": trouble.value, "error": message}

    def makes_later(self, visit: Visit) -> bool:
        return visit.receipt.route == "video"

    async def complete(self, visit: Visit) -> Reply:
        self._check_model(visit)
        return await super().complete(visit)

    async def respond(self, visit: Visit) -> Reply:
        self._check_model(visit)
        return await super().respond(visit)

    @route("POST", "/v1/videos/generations", "create", "video")
    async def create(self, visit: Visit) -> Reply:
        """A generation: its request_id and nothing else."""
        visit.text("prompt")
        seconds, image = visit.field("duration", 6), visit.field("image", {})
        if not isinstance(seconds, int | float) or not 1 <= seconds <= 15:
            raise Objection(Trouble.BAD_INPUT, "duration is 1 to 15 seconds")
        first = image.get("url") if isinstance(image, dict) else image
        job = self.accept(
            visit,
            id=visit.world.name(self),
            model=visit.text("model"),
            units=Units(seconds=seconds),
            piece=self.film(visit, seconds=seconds, aspect=visit.field("aspect_ratio"), first=first),
        )
        return json_reply({"request_id": job.id})

    @route("GET", "/v1/videos/{id}", "get", "video_status")
    async def get(self, visit: Visit) -> Reply:
        """How far a generation is: pending, done, failed or expired."""
        job = self.job(visit.params["id"])
        self.look(job, visit)
        if not job.final:
            return json_reply({"status": "pending"}, 202)
        if job.phase is not Phase.MADE or job.piece is None:
            return json_reply({"status": "failed", "error": f"generation {job.phase}"})
        if visit.now > (job.ended_at or job.at) + self.lifetime:
            return json_reply({"status": "expired"})
        video = {"url": self.url(visit.world, job), "duration": job.piece.seconds, "respect_moderation": True}
        return json_reply({"status": "done", "video": video, "model": job.model})

    def _check_model(self, visit: Visit) -> None:
        model = visit.text("model")
        if model in _RETIRED or model.startswith(("grok-4-fast-", "grok-4-1-fast-")):
            raise Objection(Trouble.NOT_FOUND, f"the model {model} does not exist (any more)")
