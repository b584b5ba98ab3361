"""fal: a queue with addresses of its own for each request, and a list of requests by endpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from genlock.testing.simulator.courier import Notice
from genlock.testing.simulator.job import Job, Phase
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.timeline import iso, moment
from genlock.testing.simulator.vendor import HOUR, Vendor
from genlock.testing.simulator.visit import Objection, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply, Request, json_reply

if TYPE_CHECKING:
    from genlock.testing.simulator.world import World

_STATES = {Phase.QUEUED: "IN_QUEUE", Phase.WORKING: "IN_PROGRESS"}
_TRIES = (1, 5, 30, 120, 300, 600, 1200, 1800, 2400)  # ten in two hours
_CODES = {Phase.MADE: 200, Phase.FAILED: 500, Phase.CENSORED: 422}


class Fal(Vendor):
    """What is `queue.fal.run` and what is `api.fal.ai` are one host here: their paths do not meet."""

    name = "fal"
    statuses = {Trouble.BAD_INPUT: 422, Trouble.CENSORED: 422, Trouble.NO_CREDIT: 403}  # noqa: RUF012

    def knows(self, request: Request, now: float) -> bool:
        del now
        return request.headers.get("authorization") == f"Key {self.secret}"

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        del status
        if trouble is Trouble.NO_CREDIT:
            return {"detail": "User is locked. Reason: Exhausted balance. Top up your balance."}
        if trouble in (Trouble.BAD_INPUT, Trouble.CENSORED):
            kind = "content_policy_violation" if trouble is Trouble.CENSORED else "value_error"
            return {"detail": [{"loc": ["body"], "msg": message, "type": kind}]}
        return {"detail": message}

    @route("GET", "/v1/models/requests/by-endpoint", "list")
    async def list(self, visit: Visit) -> Reply:
        """Requests of an endpoint that have ended, newest first; of the last day if no times are given."""
        query = visit.request.query
        if not query.get("endpoint_id"):
            raise Objection(Trouble.BAD_INPUT, "endpoint_id is required")
        try:
            start = moment(query["start"]) if "start" in query else visit.now - 24 * HOUR
            end = moment(query["end"]) if "end" in query else float("inf")
            limit, cursor = int(query.get("limit", "50")), int(query.get("cursor", "0"))
        except ValueError as error:
            raise Objection(Trouble.BAD_INPUT, f"start, end, limit or cursor: {error}") from error
        jobs = [
            job
            for job in self.listed(visit.now)
            if job.final
            and job.model == query["endpoint_id"]
            and start <= job.at < end
            and _has(job, query.get("status"))
            and query.get("request_id") in (None, job.id)
        ]
        payloads = "payloads" in query.get("expand", "")
        page = [self._row(visit.world, job, payloads=payloads) for job in jobs[cursor : cursor + limit]]
        following = str(cursor + limit) if cursor + limit < len(jobs) else None
        return json_reply({"next_cursor": following, "has_more": following is not None, "items": page})

    @route("GET", "/{owner}/{app}/requests/{id}/status", "get", "status")
    async def status_of(self, visit: Visit) -> Reply:
        """How far a request is: 202 until it is completed."""
        job = self.job(visit.params["id"])
        self.look(job, visit)
        content: dict[str, Any] = {
            "status": _STATES.get(job.phase, "COMPLETED"),
            **self._addresses(visit.world, job),
        }
        if job.phase is Phase.QUEUED:
            content["queue_position"] = 0
        if visit.request.query.get("logs") == "1":
            content["logs"] = []
        return json_reply(content, 200 if job.final else 202)

    @route("GET", "/{owner}/{app}/requests/{id}", "get", "response")
    async def response(self, visit: Visit) -> Reply:
        """What came of a request."""
        job = self.job(visit.params["id"])
        if not job.final:
            return json_reply({"detail": "Request is still in progress"}, 400)
        return json_reply(self._payload(visit.world, job), _CODES.get(job.phase, 400))

    @route("PUT", "/{owner}/{app}/requests/{id}/cancel", "cancel")
    async def cancel(self, visit: Visit) -> Reply:
        """Ask for a request to be stopped."""
        if visit.world.cancel(self, self.job(visit.params["id"])):
            return json_reply({"status": "CANCELLATION_REQUESTED"}, 202)
        return json_reply({"status": "ALREADY_COMPLETED"}, 400)

    @route("POST", "/{endpoint:}", "create", "submit")
    async def create(self, visit: Visit) -> Reply:
        """A request of an app, which may have a path of its own: queued."""
        endpoint = visit.params["endpoint"]
        if endpoint.count("/") < 1:
            raise Objection(Trouble.NOT_FOUND, f"there is no application {endpoint}")
        given = visit.field("duration", 5)
        try:
            seconds = float(str(given).removesuffix("s"))
        except ValueError as error:
            raise Objection(Trouble.BAD_INPUT, "duration is a number of seconds") from error
        first = visit.field("image_url") or visit.field("first_frame_url") or visit.field("start_image_url")
        last = visit.field("tail_image_url") or visit.field("last_frame_url") or visit.field("end_image_url")
        sound, aspect = bool(visit.field("generate_audio", False)), visit.field("aspect_ratio")
        job = self.accept(
            visit,
            id=visit.world.name(self),
            model=endpoint,
            units=Units(seconds=seconds),
            piece=self.film(visit, seconds=seconds, aspect=aspect, first=first, last=last, sound=sound),
            webhook=visit.request.query.get("fal_webhook"),
        )
        return json_reply({"status": "IN_QUEUE", **self._addresses(visit.world, job), "queue_position": 0})

    def notice(self, world: World, job: Job) -> Notice | None:
        if not job.final:
            return None
        good = job.phase is Phase.MADE
        content = {
            "request_id": job.id,
            "gateway_request_id": job.id,
            "status": "OK" if good else "ERROR",
            "payload": self._payload(world, job),
            "error": None if good else f"Unexpected status code: {_CODES.get(job.phase, 400)}",
        }
        body = json.dumps(content).encode()
        return Notice(self.name, job.webhook or "", job.id, content["status"], body, retries=_TRIES)

    def _addresses(self, world: World, job: Job) -> dict[str, str]:
        owner, app, *_ = job.model.split("/")
        here = f"{world.origin(self)}/{owner}/{app}/requests/{job.id}"
        return {
            "request_id": job.id,
            "gateway_request_id": job.id,
            "response_url": here,
            "status_url": f"{here}/status",
            "cancel_url": f"{here}/cancel",
        }

    def _payload(self, world: World, job: Job) -> Any:
        if job.phase is Phase.MADE:
            video = {"url": self.url(world, job), "content_type": "video/mp4", "file_name": "output.mp4"}
            return {"video": video, "seed": job.body.get("seed", 0)}
        if job.phase is Phase.CENSORED:
            return self.complaint(Trouble.CENSORED, 422, "the content was flagged by a content checker")
        return {
            "detail": "Request was cancelled" if job.phase is not Phase.FAILED else "Internal server error"
        }

    def _row(self, world: World, job: Job, *, payloads: bool) -> dict[str, Any]:
        row: dict[str, Any] = {
            "request_id": job.id,
            "endpoint_id": job.model,
            "sent_at": iso(job.at),
            "started_at": iso(job.started_at) if job.started_at else None,
            "ended_at": iso(job.ended_at) if job.ended_at else None,
            "status_code": _CODES.get(job.phase, 499),
        }
        if payloads:
            row["json_input"] = dict(job.body)
            row["json_output"] = self._payload(world, job)
        return row


def _has(job: Job, status: str | None) -> bool:
    """Whether a job is a `success`, an `error` or a `user_error`, if one of them is asked for."""
    if status is None:
        return True
    code = _CODES.get(job.phase, 499)
    return {"success": code == 200, "error": code >= 500, "user_error": 400 <= code < 500}.get(status, False)
