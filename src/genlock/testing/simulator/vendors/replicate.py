"""Replicate: predictions that are listed, with their input for an hour, and reported with a signature."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

from genlock.testing.simulator.courier import Notice
from genlock.testing.simulator.fault import Do
from genlock.testing.simulator.form import form
from genlock.testing.simulator.job import Job, Phase, Piece
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.shelf import Upload
from genlock.testing.simulator.signature import sign_report
from genlock.testing.simulator.timeline import iso, moment
from genlock.testing.simulator.vendor import HOUR, Vendor
from genlock.testing.simulator.visit import Objection, Trouble, Visit, parse, route
from genlock.testing.simulator.wire import Reply, json_reply

if TYPE_CHECKING:
    from genlock.testing.simulator.world import World

WEBHOOK_SECRET = f"whsec_{base64.b64encode(b'simulated webhook secret').decode()}"
PAGE = 100
_KEEPS = HOUR  # of input, output and logs
_STATES = {
    Phase.QUEUED: "starting",
    Phase.WORKING: "processing",
    Phase.MADE: "succeeded",
    Phase.FAILED: "failed",
    Phase.CENSORED: "failed",
    Phase.CANCELLED: "canceled",
    Phase.ABORTED: "aborted",
}
_MUSIC = re.compile(r"music|audio|sound|riffusion", re.IGNORECASE)


class Replicate(Vendor):
    """Models of all kinds under one API: film, or music if the model's name says so."""

    name = "replicate"
    lifetime = HOUR
    expired = 404
    statuses = {Trouble.BAD_INPUT: 422}  # noqa: RUF012 - declared by Vendor

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        titles = {Trouble.NO_CREDIT: "Insufficient credit", Trouble.BAD_INPUT: "Input validation failed"}
        return {"title": titles.get(trouble, trouble.value), "detail": message, "status": status}

    @route("POST", "/v1/models/{owner}/{model}/predictions", "create", "prediction")
    async def create_by_model(self, visit: Visit) -> Reply:
        """A prediction of an official model."""
        return await self._create(visit, f"{visit.params['owner']}/{visit.params['model']}")

    @route("POST", "/v1/predictions", "create", "prediction")
    async def create_by_version(self, visit: Visit) -> Reply:
        """A prediction of a version: its hash, or `owner/model` with or without one."""
        return await self._create(visit, visit.text("version").partition(":")[0])

    async def _create(self, visit: Visit, model: str) -> Reply:
        given = visit.field("input")
        if not isinstance(given, dict):
            raise Objection(Trouble.BAD_INPUT, "- input: required, an object")
        world, headers = visit.world, visit.request.headers
        patience = _patience(headers.get("prefer", ""))
        limit = _span(headers.get("cancel-after"))
        seconds = _number(given.get("duration", 8))
        job = self.accept(
            visit,
            id=world.name(self),
            model=model,
            units=Units(seconds=seconds),
            piece=self._piece(visit, model, given, seconds),
            webhook=visit.field("webhook"),
            facts={"events": visit.field("webhook_events_filter", ["start", "output", "logs", "completed"])},
        )
        early = visit.told(Do.EARLY_WEBHOOK)
        if limit is not None:
            world.later(limit, lambda: world.cancel(self, job))
        if patience and not early:
            await world.until(self, job, patience)
        return json_reply(self._prediction(world, job), 201)

    @route("GET", "/v1/predictions/{id}", "get")
    async def get(self, visit: Visit) -> Reply:
        """One prediction."""
        job = self.job(visit.params["id"])
        self.look(job, visit)
        return json_reply(self._prediction(visit.world, job))

    @route("POST", "/v1/predictions/{id}/cancel", "cancel")
    async def cancel(self, visit: Visit) -> Reply:
        """Stop a prediction: not charged if it had not started."""
        job = self.job(visit.params["id"])
        visit.world.cancel(self, job)
        return json_reply(self._prediction(visit.world, job))

    @route("GET", "/v1/predictions", "list")
    async def list(self, visit: Visit) -> Reply:
        """A page of predictions, newest first, between two times, from a cursor on."""
        query = visit.request.query
        try:
            after, before = moment(query.get("created_after", "1970-01-01")), query.get("created_before")
            until = moment(before) if before else float("inf")
            below = int(base64.b64decode(query["cursor"])) if "cursor" in query else None
        except ValueError as error:
            raise Objection(Trouble.BAD_INPUT, f"created_after, created_before or cursor: {error}") from error
        jobs = [
            job
            for job in self.listed(visit.now)
            if after <= job.at < until and (below is None or job.number < below)
        ]
        following = None
        if len(jobs) > PAGE:
            cursor = base64.b64encode(str(jobs[PAGE - 1].number).encode()).decode()
            kept = "".join(
                f"&{name}={query[name]}" for name in ("created_after", "created_before") if name in query
            )
            following = f"{visit.world.origin(self)}/v1/predictions?cursor={cursor}{kept}"
        page = [self._prediction(visit.world, job) for job in jobs[:PAGE]]
        return json_reply({"previous": None, "next": following, "results": page})

    @route("POST", "/v1/files", "upload")
    async def upload(self, visit: Visit) -> Reply:
        """A file by multipart form, in the field `content`, perhaps with `metadata`; its address may be an
        input.
        """
        parts = form(visit.request.headers.get("content-type", ""), visit.request.body)
        if "content" not in parts:
            raise Objection(Trouble.BAD_INPUT, "a multipart form with the field content is needed")
        content, metadata = parts["content"], parse(parts["metadata"].data) if "metadata" in parts else {}
        if not isinstance(metadata, dict):
            raise Objection(Trouble.BAD_INPUT, "metadata has to be a JSON object")
        upload = Upload(
            id=visit.world.name(self),
            name=visit.world.shelf.put(content.data),
            file=content.file,
            media_type=content.media_type,
            size=len(content.data),
            at=visit.now,
            metadata=metadata,
        )
        visit.world.keep(upload)
        return json_reply(self._upload(visit.world, upload), 201)

    @route("GET", "/v1/files/{id}", "get", "uploaded")
    async def uploaded(self, visit: Visit) -> Reply:
        """What is known of a file that was uploaded."""
        found = visit.world.shelf.uploads.get(visit.params["id"])
        if found is None:
            raise Objection(Trouble.NOT_FOUND, "there is no such file")
        return json_reply(self._upload(visit.world, found))

    @route("GET", "/v1/account", "account")
    async def account(self, visit: Visit) -> Reply:
        """Whose key it is."""
        del visit
        return json_reply({"type": "user", "username": "simulated", "name": "A simulated customer"})

    @route("GET", "/v1/webhooks/default/secret", "account", "secret")
    async def tell_secret(self, visit: Visit) -> Reply:
        """What reports are signed with."""
        del visit
        return json_reply({"key": WEBHOOK_SECRET})

    def notice(self, world: World, job: Job) -> Notice | None:
        event = "start" if job.phase is Phase.WORKING else "completed"
        if event not in job.facts.get("events", ()):
            return None
        body = json.dumps(self._prediction(world, job)).encode()
        name = f"msg_{job.id}_{event}"
        headers = sign_report(name, world.timeline.now(), body, WEBHOOK_SECRET)
        return Notice(self.name, job.webhook or "", name, event, body, headers, retries=(1, 4, 16, 64))

    def _piece(self, visit: Visit, model: str, given: dict[str, Any], seconds: float) -> Piece:
        if _MUSIC.search(model):
            return self.music(visit, seconds, "wav")
        first = given.get("first_frame_image") or given.get("image") or given.get("start_image")
        last = given.get("last_frame_image") or given.get("last_frame") or given.get("end_image")
        sound = bool(given.get("generate_audio", False))
        aspect = given.get("aspect_ratio")
        return self.film(visit, seconds=seconds, aspect=aspect, first=first, last=last, sound=sound)

    def _upload(self, world: World, upload: Upload) -> dict[str, Any]:
        return {
            "id": upload.id,
            "name": upload.file,
            "content_type": upload.media_type,
            "size": upload.size,
            "checksums": {"sha256": upload.name},
            "metadata": dict(upload.metadata),
            "created_at": iso(upload.at),
            "urls": {"get": f"{world.origin(self)}/v1/files/{upload.id}"},
        }

    def _prediction(self, world: World, job: Job) -> dict[str, Any]:
        gone = job.ended_at is not None and world.timeline.now() > job.ended_at + _KEEPS
        here = f"{world.origin(self)}/v1/predictions/{job.id}"
        output = self.url(world, job) if job.phase is Phase.MADE and not gone else None
        errors = {
            Phase.FAILED: "Prediction failed: the model stopped unexpectedly (code: PA)",
            Phase.CENSORED: "The input or output was flagged as sensitive. Please try again (E005)",
        }
        return {
            "id": job.id,
            "model": job.model,
            "version": job.body.get("version", "hidden"),
            "input": {} if gone else job.body.get("input"),
            "output": output,
            "logs": None if gone else "",
            "error": errors.get(job.phase),
            "status": _STATES[job.phase],
            "created_at": iso(job.at),
            "started_at": iso(job.started_at) if job.started_at else None,
            "completed_at": iso(job.ended_at) if job.ended_at else None,
            "data_removed": gone,
            "source": "api",
            "urls": {"get": here, "cancel": f"{here}/cancel"},
            "metrics": {"predict_time": job.work} if job.phase is Phase.MADE else {},
        }


def _patience(prefer: str) -> float:
    """How long `Prefer: wait` or `wait=N` wants the answer held back."""
    found = re.search(r"\bwait(?:=(\d+))?\b", prefer)
    if found is None:
        return 0.0
    seconds = int(found[1] or 60)
    if not 1 <= seconds <= 60:
        raise Objection(Trouble.BAD_INPUT, "Prefer: wait takes 1 to 60 seconds")
    return float(seconds)


def _span(text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if found is None or not any(found.groups()):
        raise Objection(Trouble.BAD_INPUT, f"Cancel-After: {text!r} is no span like 15m")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if total < 5:
        raise Objection(Trouble.BAD_INPUT, "Cancel-After takes 5 seconds at least")
    return float(total)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise Objection(Trouble.BAD_INPUT, "- input.duration: a number is needed") from error
