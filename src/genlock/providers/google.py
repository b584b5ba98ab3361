"""Google's Veo: on Vertex, where results go to a folder named by our key, and on the Gemini API, which has
neither a key nor a list.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from typing_extensions import override

from genlock.errors import NotFound, Transient
from genlock.paid import Accepted, Broke, Made, Policy, Remote, Sending, Working
from genlock.providers.ability import resolution
from genlock.providers.adapter import Kit, VendorAdapter
from genlock.providers.asks import VideoAsk
from genlock.providers.body import is_refusal
from genlock.providers.picture import Ways
from genlock.store.artifact import Artifact

if TYPE_CHECKING:
    from genlock.providers.http import Door

INLINE = Ways(inline=20_000_000, fetches=False)
RUN_WITHIN = timedelta(minutes=30)  # several times what a clip takes: until then its folder may be empty
_FOLDER = "folder:"  # a handle that is not an operation's name, but where its results are


class _Veo(VendorAdapter[VideoAsk]):
    """What both ways to Veo have in common: the request, and an operation that ends with a response."""

    asks = VideoAsk
    ways = INLINE

    async def _body(self, request: VideoAsk, **more: Any) -> dict[str, Any]:
        instance: dict[str, Any] = {"prompt": request.prompt, "image": await self._picture(request.first)}
        if request.last is not None:
            instance["lastFrame"] = await self._picture(request.last)
        given = {
            "durationSeconds": int(request.seconds),
            "aspectRatio": request.aspect,
            "resolution": resolution(request, self.model),
            "negativePrompt": request.negative_prompt or None,
            "seed": request.seed,
            "sampleCount": 1,
            **more,
            **self.model.fixed,
        }
        return {
            "instances": [instance],
            "parameters": {name: value for name, value in given.items() if value is not None},
        }

    async def _picture(self, picture: Artifact) -> dict[str, str]:
        return {
            "bytesBase64Encoded": await self._pictures.base64(picture),
            "mimeType": picture.media_type,
        }

    def _outcome(self, operation: Mapping[str, Any]) -> Working | Made | Broke:
        if not operation.get("done"):
            return Working(note="google is at work on it")
        error = operation.get("error")
        if isinstance(error, dict):
            said = self._door.hide(str(error.get("message") or error))[:300]
            return Broke(said, again=error.get("code") not in (3, 7) and not is_refusal(said))
        response = operation.get("response") or {}
        if response.get("raiMediaFilteredCount"):
            reasons = "; ".join(map(str, response.get("raiMediaFilteredReasons") or ["content"]))
            return Broke(self._door.hide(f"filtered: {reasons}")[:300], again=False)
        return Made([self._file(response)], {"operation": str(operation.get("name") or "")})

    @abstractmethod
    def _file(self, response: Mapping[str, Any]) -> Remote:
        """Where the film is of which a response speaks."""


class Gemini(_Veo):
    """Veo on the Gemini API. Results are kept for two days."""

    policy = Policy.BLIND

    @override
    async def submit(self, sending: Sending, request: VideoAsk) -> Accepted:
        path = f"/v1beta/models/{quote(self.model.id)}:predictLongRunning"
        reply = await self._door.submit(path, await self._body(request), in_time=sending.in_time)
        return Accepted(reply.text("name"))

    @override
    async def look(self, handle: str) -> Working | Made | Broke:
        return self._outcome((await self._door.ask(f"/v1beta/{quote(handle)}", f"{handle}")).object())

    @override
    async def probe(self) -> str:
        await self._door.ask(f"/v1beta/models/{quote(self.model.id)}", f"the model {self.model.id}")
        return "the key works, and the model is there"

    @override
    def _file(self, response: Mapping[str, Any]) -> Remote:
        answer = response.get("generateVideoResponse") or response
        samples = answer.get("generatedSamples") or answer.get("generatedVideos") or []
        url = next((s["video"]["uri"] for s in samples if (s.get("video") or {}).get("uri")), None)
        if url is None:
            raise NotFound("google gives no address for what it made: it deletes it after two days")
        return Remote("video", "video/mp4", url, headers=dict(self._door.account.sign()))


class Vertex(_Veo):
    """Veo on Vertex. Each request writes to a folder of its own in `bucket`, so the folder tells whether it
    ran; `storage` is the door to the bucket, `place` is project and region in a path.
    """

    policy = Policy.FINDABLE
    window = RUN_WITHIN

    def __init__(self, kit: Kit, storage: Door, *, place: str, bucket: str) -> None:
        super().__init__(kit)
        self._storage, self._bucket = storage, bucket
        self._model_path = f"/v1/{place}/publishers/google/models/{quote(kit.model.id)}"

    @override
    async def submit(self, sending: Sending, request: VideoAsk) -> Accepted:
        folder = f"gs://{self._bucket}/{_prefix(sending.key)}"
        body = await self._body(request, storageUri=folder, generateAudio=request.audio)
        path = f"{self._model_path}:predictLongRunning"
        return Accepted((await self._door.submit(path, body, in_time=sending.in_time)).text("name"))

    @override
    async def look(self, handle: str) -> Working | Made | Broke:
        if handle.startswith(_FOLDER):
            return await self._look_in(handle.removeprefix(_FOLDER))
        reply = await self._door.ask(
            f"{self._model_path}:fetchPredictOperation",
            f"operation {handle}",
            method="POST",
            body={"operationName": handle},
        )
        return self._outcome(reply.object())

    @override
    async def find(self, sending: Sending, request: VideoAsk) -> str | None:
        prefix = _prefix(sending.key)
        return f"{_FOLDER}{prefix}" if await self._objects(prefix) else None

    @override
    async def probe(self) -> str:
        await self._objects("genlock/probe/")
        return "the token works for the bucket; the model has no free question"

    async def _look_in(self, prefix: str) -> Working | Made:
        found = [name for name in await self._objects(prefix) if name.endswith(".mp4")]
        if not found:
            return Working(note="its folder is still without a film")
        return Made([self._object(found[0])], {"folder": prefix})

    async def _objects(self, prefix: str) -> list[str]:
        path = f"/storage/v1/b/{quote(self._bucket, safe='')}/o"
        body = (await self._storage.ask(path, "the bucket's files", query={"prefix": prefix})).object()
        items = body.get("items", [])
        if not isinstance(items, list):
            raise Transient("the bucket was listed without a list")
        return [str(item["name"]) for item in items if isinstance(item, dict) and item.get("name")]

    def _object(self, name: str) -> Remote:
        bucket, file = quote(self._bucket, safe=""), quote(name, safe="")
        url = f"{self._storage.url}/storage/v1/b/{bucket}/o/{file}?alt=media"
        return Remote("video", "video/mp4", url, headers=dict(self._storage.account.sign()))

    @override
    def _file(self, response: Mapping[str, Any]) -> Remote:
        at = next((v["gcsUri"] for v in response.get("videos") or [] if v.get("gcsUri")), "")
        name = str(at).removeprefix(f"gs://{self._bucket}/")
        if not at or name == at:
            raise NotFound("google says that it has finished, and names no file in the bucket")
        return self._object(name)

    @property
    @override
    def _shelf(self) -> Door:
        return self._storage


def _prefix(key: str) -> str:
    return f"genlock/{key}/"
