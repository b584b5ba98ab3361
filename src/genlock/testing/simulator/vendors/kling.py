"""Kling: the only one that keeps a customer's own id and takes a repeated request for the same one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from genlock.testing.simulator.courier import Notice
from genlock.testing.simulator.job import Job, Phase
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.signature import read_token
from genlock.testing.simulator.vendor import HOUR, Vendor
from genlock.testing.simulator.visit import Objection, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply, Request, json_reply

if TYPE_CHECKING:
    from genlock.testing.simulator.world import World

ACCESS_KEY = "simulated-kling-access"
_STATES = {
    Phase.QUEUED: "submitted",
    Phase.WORKING: "processing",
    Phase.MADE: "succeed",
}
_CODES = {
    Trouble.BUSY: 1303,
    Trouble.NO_CREDIT: 1102,
    Trouble.DENIED: 1000,
    Trouble.BAD_INPUT: 1201,
    Trouble.NOT_FOUND: 1203,
    Trouble.CENSORED: 1301,
    Trouble.BROKEN: 5000,
}


class Kling(Vendor):
    """Film from two pictures, at `/v1/videos/image2video`."""

    name = "kling"
    lifetime = 30 * 24 * HOUR
    statuses = {Trouble.NO_CREDIT: 429}  # noqa: RUF012 - declared by Vendor

    def knows(self, request: Request, now: float) -> bool:
        """A token signed with the secret, of our access key, valid now."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        claims = read_token(token, self.secret) if scheme == "Bearer" else None
        if claims is None or claims.get("iss") != ACCESS_KEY:
            return False
        # The token's times are the client's: a simulator whose own time was moved cannot judge them.
        del now
        begins, ends = claims.get("nbf"), claims.get("exp")
        return isinstance(begins, int | float) and isinstance(ends, int | float) and begins < ends

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        del status
        return {"code": _CODES[trouble], "message": message, "request_id": "simulated"}

    @route("POST", "/v1/videos/image2video", "create", "image2video")
    async def create(self, visit: Visit) -> Reply:
        """A new task, or the one that has this external_task_id already."""
        own = visit.field("external_task_id")
        known = self._by_own_id(own) if own else None
        if known is not None:
            return _said(self._task(visit.world, known))
        seconds = _seconds(visit.text("duration", "5"))
        image, tail = visit.field("image"), visit.field("image_tail")
        if not image and not tail:
            raise Objection(Trouble.BAD_INPUT, "image and image_tail cannot both be empty")
        if visit.field("mode", "std") not in ("std", "pro", "4k"):
            raise Objection(Trouble.BAD_INPUT, "mode is std, pro or 4k")
        piece = self.film(visit, seconds=seconds, aspect="16:9", first=image, last=tail)
        job = self.accept(
            visit,
            id=visit.world.name(self),
            model=visit.text("model_name", "kling-v1"),
            units=Units(seconds=seconds),
            piece=piece,
            webhook=visit.field("callback_url"),
        )
        return _said(self._task(visit.world, job))

    @route("GET", "/v1/videos/image2video/{id}", "get")
    async def get(self, visit: Visit) -> Reply:
        """A task by its id, or by the customer's own."""
        wanted = visit.params["id"]
        job = self.yard.get(wanted) or self._by_own_id(wanted, visit.now)
        if job is None:
            raise Objection(Trouble.NOT_FOUND, f"task {wanted} does not exist")
        self.look(job, visit)
        return _said(self._task(visit.world, job))

    @route("GET", "/v1/videos/image2video", "list")
    async def list(self, visit: Visit) -> Reply:
        """A page of tasks, newest first."""
        try:
            page, size = (
                int(visit.request.query.get(n, d)) for n, d in (("pageNum", "1"), ("pageSize", "30"))
            )
        except ValueError as error:
            raise Objection(Trouble.BAD_INPUT, "pageNum and pageSize are numbers") from error
        if not (1 <= page <= 1000 and 1 <= size <= 500):
            raise Objection(Trouble.BAD_INPUT, "pageNum is 1 to 1000, pageSize 1 to 500")
        jobs = self.listed(visit.now)[(page - 1) * size : page * size]
        return _said([self._task(visit.world, job) for job in jobs])

    def notice(self, world: World, job: Job) -> Notice | None:
        content = self._task(world, job)
        body = json.dumps({**content, "external_task_id": content["task_info"].get("external_task_id", "")})
        state = content["task_status"]
        return Notice(self.name, job.webhook or "", f"{job.id}-{state}", state, body.encode(), retries=(1, 5))

    def _by_own_id(self, own: str, now: float | None = None) -> Job | None:
        """What has this id; asked for by `get`, it is found once it is listed."""
        for job in self.yard:
            if job.body.get("external_task_id") == own and (now is None or job.listed_at <= now):
                return job
        return None

    def _task(self, world: World, job: Job) -> dict[str, Any]:
        task: dict[str, Any] = {
            "task_id": job.id,
            "task_status": _STATES.get(job.phase, "failed"),
            "task_status_msg": "",
            "task_info": {},
            "created_at": round(job.at * 1000),
            "updated_at": round((job.ended_at or job.started_at or job.at) * 1000),
        }
        if "external_task_id" in job.body:
            task["task_info"]["external_task_id"] = job.body["external_task_id"]
        if job.phase is Phase.MADE and job.piece is not None:
            seconds = f"{job.piece.seconds:.3f}".rstrip("0").rstrip(".")
            video = {"id": f"{job.id}-0", "url": self.url(world, job), "duration": seconds}
            task["task_result"] = {"videos": [video]}
        elif job.phase is Phase.CENSORED:
            task["task_status_msg"] = "Failure to pass the risk control system"
        elif job.phase is Phase.FAILED:
            task["task_status_msg"] = "generation failed"
        return task


def _seconds(text: str) -> float:
    if text not in {str(number) for number in range(3, 16)}:
        raise Objection(Trouble.BAD_INPUT, 'duration is text, "3" to "15"')
    return float(text)


def _said(data: Any) -> Reply:
    return json_reply({"code": 0, "message": "SUCCEED", "request_id": "simulated", "data": data})
