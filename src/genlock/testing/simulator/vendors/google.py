"""Google's Veo: operations that nobody lists, and a bucket that shows what has been made."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import quote

from genlock.testing.simulator.job import Job, Phase
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.timeline import iso
from genlock.testing.simulator.vendor import HOUR, Vendor
from genlock.testing.simulator.visit import Objection, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply, Request, json_reply

_WORDS = {
    Trouble.BUSY: "RESOURCE_EXHAUSTED",
    Trouble.NO_CREDIT: "PERMISSION_DENIED",
    Trouble.DENIED: "UNAUTHENTICATED",
    Trouble.BAD_INPUT: "INVALID_ARGUMENT",
    Trouble.NOT_FOUND: "NOT_FOUND",
    Trouble.CENSORED: "INVALID_ARGUMENT",
    Trouble.BROKEN: "INTERNAL",
}
_PAGE = 1000
_GEMINI = "/v1beta/"


class Google(Vendor):
    """Model hosts and the storage host are one here: their paths do not meet."""

    name = "google"
    lifetime = 48 * HOUR
    statuses = {Trouble.NO_CREDIT: 403}  # noqa: RUF012 - declared by Vendor

    def knows(self, request: Request, now: float) -> bool:
        """A token, or the key of the Gemini API."""
        return super().knows(request, now) or request.headers.get("x-goog-api-key") == self.secret

    @route("GET", "/v1beta/models/{model}", "account", "model")
    async def model(self, visit: Visit) -> Reply:
        """What is known of a model."""
        return json_reply({"name": f"models/{visit.params['model']}", "version": "1"})

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        if trouble is Trouble.NO_CREDIT:
            message = "This API method requires billing to be enabled."
        return {"error": {"code": status, "message": message, "status": _WORDS[trouble]}}

    @route("POST", "{parent:}/models/{model}:predictLongRunning", "create", "predictLongRunning")
    async def create(self, visit: Visit) -> Reply:
        """An operation: its name and nothing else."""
        instances, parameters = visit.field("instances"), visit.field("parameters", {})
        if not (isinstance(instances, list) and instances and isinstance(instances[0], dict)):
            raise Objection(Trouble.BAD_INPUT, "instances: one is required")
        seconds = parameters.get("durationSeconds", 8)
        if seconds not in (4, 6, 8):
            raise Objection(Trouble.BAD_INPUT, "durationSeconds is 4, 6 or 8")
        bucket = parameters.get("storageUri")
        if bucket is not None and not re.fullmatch(r"gs://[^/]+/.+", bucket):
            raise Objection(Trouble.BAD_INPUT, "storageUri is gs://bucket/prefix")
        first, last = (_bytes(instances[0].get(name)) for name in ("image", "lastFrame"))
        aspect, sound = parameters.get("aspectRatio"), bool(parameters.get("generateAudio", False))
        own, model = visit.world.name(self), visit.params["model"]
        parent = visit.params["parent"].lstrip("/").partition("/")[2]
        name = "/".join(part for part in (parent, "models", model, "operations", own) if part)
        self.accept(
            visit,
            id=own,
            model=model,
            units=Units(seconds=seconds),
            piece=self.film(visit, seconds=seconds, aspect=aspect, first=first, last=last, sound=sound),
            facts={"name": name, "storage": bucket, "path": visit.receipt.path},
        )
        return json_reply({"name": name})

    @route("POST", "{parent:}/models/{model}:fetchPredictOperation", "get", "fetchPredictOperation")
    async def fetch(self, visit: Visit) -> Reply:
        """An operation by its name, as Vertex is asked."""
        return await self._operation(visit, visit.text("operationName"))

    @route("GET", "/{version}/{parent:}/operations/{id}", "get", "operation")
    async def get(self, visit: Visit) -> Reply:
        """An operation by its name, as the Gemini API is asked."""
        return await self._operation(visit, f"{visit.params['parent']}/operations/{visit.params['id']}")

    async def _operation(self, visit: Visit, name: str) -> Reply:
        job = self.job(name.rpartition("/")[2])
        if job.facts.get("name") != name:
            raise Objection(Trouble.NOT_FOUND, f"{name} was not found")
        self.look(job, visit)
        if not job.final:
            return json_reply({"name": name})
        content: dict[str, Any] = {"name": name, "done": True}
        if job.phase is Phase.MADE:
            content["response"] = await self._response(visit, job)
        elif job.phase is Phase.CENSORED:
            reasons = ["The prompt was blocked by the safety filters. Support codes: 58061214"]
            content["response"] = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": reasons}
        else:
            content["error"] = {"code": 13, "message": "Internal error: the video could not be generated"}
        return json_reply(content)

    async def _response(self, visit: Visit, job: Job) -> dict[str, Any]:
        if job.facts["path"].startswith(_GEMINI):
            sample = {"video": {"uri": self.url(visit.world, job)}}
            return {"generateVideoResponse": {"generatedSamples": [sample]}}
        video: dict[str, Any] = {"mimeType": "video/mp4"}
        if job.facts["storage"]:
            video["gcsUri"] = f"gs://{'/'.join(_object(job))}"
        else:
            film = (await self.handed(visit, job)).body
            video["bytesBase64Encoded"] = base64.b64encode(film).decode()
        return {"raiMediaFilteredCount": 0, "videos": [video]}

    @route("GET", "/storage/v1/b/{bucket}/o", "list")
    async def list(self, visit: Visit) -> Reply:
        """The objects of a bucket whose name begins with `prefix`, by name."""
        query, bucket = visit.request.query, visit.params["bucket"]
        prefix, token = query.get("prefix", ""), query.get("pageToken", "")
        size = int(query.get("maxResults", str(_PAGE)))
        found = sorted(
            (name, job)
            for job in self.yard
            if job.phase is Phase.MADE and job.facts.get("storage") and job.listed_at <= visit.now
            for where, name in [_object(job)]
            if where == bucket and name.startswith(prefix) and name > token
        )
        items = [self._item(visit, job) for _, job in found[:size]]
        content: dict[str, Any] = {"kind": "storage#objects"}
        if items:
            content["items"] = items
        if len(found) > size:
            content["nextPageToken"] = found[size - 1][0]
        return json_reply(content)

    @route("GET", "/storage/v1/b/{bucket}/o/{name:}", "file", "object")
    @route("GET", "/download/storage/v1/b/{bucket}/o/{name:}", "file", "object")
    async def download(self, visit: Visit) -> Reply:
        """An object of a bucket, or what is known of it."""
        if not self.knows(visit.request, visit.now):
            raise Objection(Trouble.DENIED, "the API key is missing or not valid")
        wanted = visit.params["bucket"], visit.params["name"]
        for job in self.yard:
            if job.phase is Phase.MADE and job.facts.get("storage") and _object(job) == wanted:
                if visit.request.query.get("alt") == "media" or visit.receipt.path.startswith("/download"):
                    return await self.handed(visit, job)
                return json_reply(self._item(visit, job))
        raise Objection(Trouble.NOT_FOUND, f"no such object: {'/'.join(wanted)}")

    def _item(self, visit: Visit, job: Job) -> dict[str, Any]:
        bucket, name = _object(job)
        here = f"{visit.world.origin(self)}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/1",
            "name": name,
            "bucket": bucket,
            "contentType": "video/mp4",
            "timeCreated": iso(job.ended_at or job.at),
            "selfLink": here,
            "mediaLink": f"{here}?alt=media",
        }


def _object(job: Job) -> tuple[str, str]:
    """Bucket and name of what a job wrote."""
    bucket, _, prefix = job.facts["storage"].removeprefix("gs://").partition("/")
    return bucket, f"{prefix.rstrip('/')}/{job.id}/sample_0.mp4"


def _bytes(picture: Any) -> str | None:
    """A picture as base64; None if it is in a bucket or not there."""
    if picture is None:
        return None
    if not isinstance(picture, dict) or not ({"bytesBase64Encoded", "gcsUri"} & set(picture)):
        raise Objection(Trouble.BAD_INPUT, "a picture has bytesBase64Encoded or gcsUri, and mimeType")
    found = picture.get("bytesBase64Encoded")
    return f"data:;base64,{found}" if isinstance(found, str) else None
