"""Kling: the one vendor that keeps our own key, so that a request sent twice is known to be the same."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from typing_extensions import override

from genlock.errors import Doubtful, GenlockError, NotAccepted, NotFound, OutOfCredit, Refused, Transient
from genlock.paid import Accepted, Broke, Made, Notice, Policy, Remote, Sending, Working
from genlock.providers.adapter import VendorAdapter, part
from genlock.providers.asks import VideoAsk
from genlock.providers.body import is_refusal
from genlock.providers.picture import Ways, fits
from genlock.providers.reply import Reply
from genlock.providers.signature import digest
from genlock.store.artifact import Artifact

PATH = "/v1/videos/image2video"
_NO_CREDIT = {1101, 1102}  # in arrears; what was bought beforehand is used up
_BUSY = {1302, 1303}  # too often; too many at once
_NOT_TAKEN = {5001}  # closed for maintenance


def judge(reply: Reply) -> GenlockError | None:
    """Kling's own codes, which say more than its statuses: an empty account answers 429 like a busy one."""
    body = reply.maybe()
    code = body.get("code") if body else None
    said = reply.words()
    if code in _NO_CREDIT:
        return OutOfCredit(f"the account at kling is empty ({code}): {said}")
    if code in _BUSY | _NOT_TAKEN:
        return NotAccepted(f"kling did not take it ({code}): {said}", retry_after=reply.retry_after)
    return None


class Kling(VendorAdapter[VideoAsk]):
    """Clips from one picture to another. `external_task_id` is our key."""

    asks = VideoAsk
    policy = Policy.IDEMPOTENT
    ways = Ways(inline=14_000_000)  # 10 MB of picture, as text

    @override
    async def submit(self, sending: Sending, request: VideoAsk) -> Accepted:
        """Send it, unless Kling has this key: then it is the request that was sent before. It is asked
        beforehand, because that it refuses a key twice is what it says, and not what it was seen to do.
        """
        body = await self._body(sending, request)
        before = await self._before(sending, request)
        if before is not None:
            return Accepted(before)
        try:
            reply = await self._door.submit(PATH, body, in_time=sending.in_time)
        except Refused as error:
            if "external_task_id" not in str(error):
                raise
            return await self._sent_before(sending, request, error)
        if reply.object().get("code", 0) != 0:
            raise self._fault(reply)
        return Accepted(reply.text("data", "task_id"))

    @override
    async def look(self, handle: str) -> Working | Made | Broke:
        task = await self._task(handle)
        match task.get("task_status"):
            case "succeed":
                return self._made(task)
            case "failed":
                said = self._door.hide(str(task.get("task_status_msg") or "it gives no reason"))[:300]
                return Broke(said, again=not is_refusal(said))
            case "submitted":
                return Working(note="waits at kling")
            case _:
                return Working(note="kling is at work on it")

    @override
    async def find(self, sending: Sending, request: VideoAsk) -> str | None:
        try:
            task = await self._task(sending.key)
        except NotFound:
            return None
        return _id(task)

    @override
    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """Unsigned: it only says that looking is worth while, so nothing in it is believed."""
        return Notice(digest(body))

    @override
    async def probe(self) -> str:
        await self._door.ask(PATH, "its newest task", query={"pageNum": "1", "pageSize": "1"})
        return "the key works"

    async def _before(self, sending: Sending, request: VideoAsk) -> str | None:
        try:
            return await self.find(sending, request)
        except Transient as error:
            raise NotAccepted(str(error), retry_after=error.retry_after) from None

    async def _sent_before(self, sending: Sending, request: VideoAsk, refused: Refused) -> Accepted:
        try:
            found = await self.find(sending, request)
        except Transient as error:
            raise Doubtful(f"kling has the key already, and cannot be asked about it: {error}") from None
        if found is None:
            raise refused
        return Accepted(found)

    async def _task(self, handle: str) -> dict[str, Any]:
        reply = await self._door.ask(f"{PATH}/{part(handle)}", f"task {handle}", allow=(400,))
        body = reply.object()
        if body.get("code", 0) == 1203 or (reply.ok and body.get("code", 0) == 0 and not body.get("data")):
            raise NotFound(f"kling has no task {handle}")
        if body.get("code", 0) != 0 or not isinstance(body.get("data"), dict):
            raise Transient(f"kling cannot be asked for task {handle}: {reply.words()}")
        data: dict[str, Any] = body["data"]
        return data

    async def _body(self, sending: Sending, request: VideoAsk) -> dict[str, Any]:
        names, sound = self.model.inputs, self.model.audio
        return {
            "model_name": self.model.id,
            "image": await self._picture(request.first, sending.key),
            **({"image_tail": await self._picture(request.last, sending.key)} if request.last else {}),
            "prompt": request.prompt,
            **({"negative_prompt": request.negative_prompt} if request.negative_prompt else {}),
            **({names.get("audio", "sound"): "on" if request.audio else "off"} if sound else {}),
            "duration": f"{request.seconds:g}",
            **self.model.fixed,
            **({"callback_url": sending.webhook} if sending.webhook else {}),
            "external_task_id": sending.key,
        }

    async def _picture(self, picture: Artifact, key: str) -> str:
        """Bare base64: Kling takes no data URI."""
        if fits(self.ways, picture):
            return await self._pictures.base64(picture)
        return self._pictures.address(picture, key)

    def _fault(self, reply: Reply) -> GenlockError:
        """An error inside a 200."""
        said, code = reply.words(), reply.object().get("code")
        judged = judge(reply)
        if judged is not None:
            return judged
        if isinstance(code, int) and 1000 <= code < 5000:
            return Refused(f"kling refuses ({code}): {said}")
        return Doubtful(f"kling answered with code {code}: {said}")

    def _made(self, task: dict[str, Any]) -> Made:
        videos = (task.get("task_result") or {}).get("videos") or []
        urls = [video["url"] for video in videos if isinstance(video, dict) and video.get("url")]
        if not urls:
            raise Transient(f"kling says that task {_id(task)} has succeeded, and gives no address")
        return Made([Remote("video", "video/mp4", urls[0])], {"task_id": _id(task)})


def _id(task: dict[str, Any]) -> str:
    found = task.get("task_id")
    if not isinstance(found, str | int) or not found:
        raise Transient("kling answered without a task_id")
    return str(found)
