"""Runway: no key of ours, no list. A request whose answer is lost is a person's to decide about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from typing_extensions import override

from genlock.errors import NotFound
from genlock.paid import Accepted, Broke, Made, Policy, Remote, Sending, Working
from genlock.providers.adapter import VendorAdapter, part
from genlock.providers.asks import VideoAsk
from genlock.providers.body import first_url, is_refusal
from genlock.providers.picture import Ways, fits
from genlock.store.artifact import Artifact

VERSION = {"x-runway-version": "2024-11-06"}
_AGAIN = timedelta(seconds=30)  # while it waits for a place of the account's


class Runway(VendorAdapter[VideoAsk]):
    """Clips from one picture to another."""

    asks = VideoAsk
    policy = Policy.BLIND
    ways = Ways(inline=5_000_000)

    @override
    async def submit(self, sending: Sending, request: VideoAsk) -> Accepted:
        body = await self._body(sending, request)
        reply = await self._door.submit("/v1/image_to_video", body, in_time=sending.in_time)
        return Accepted(reply.text("id"))

    @override
    async def look(self, handle: str) -> Working | Made | Broke:
        task = (await self._door.ask(f"/v1/tasks/{part(handle)}", f"task {handle}")).object()
        match task.get("status"):
            case "SUCCEEDED":
                url = first_url(task.get("output"))
                if url is None:
                    raise NotFound(f"runway has deleted what task {handle} made")
                return Made([Remote("video", "video/mp4", url)], {"task": handle})
            case "FAILED":
                return self._failed(task)
            case "CANCELLED":
                return Broke("it was cancelled", cancelled=True)
            case "THROTTLED":
                return Working(note="accepted; waits for a place of the account", retry_in=_AGAIN)
            case _:
                progress = task.get("progress")
                share = float(progress) if isinstance(progress, int | float) else None
                return Working(share, "runway is at work on it")

    @override
    async def cancel(self, handle: str) -> None:
        """A task that has ended is left alone: the same request would delete what it made."""
        if isinstance(await self.look(handle), Working):
            await self._door.ask(f"/v1/tasks/{part(handle)}", f"an end of {handle}", method="DELETE")

    @override
    async def probe(self) -> str:
        reply = await self._door.ask("/v1/organization", "the organization")
        left = reply.object().get("creditBalance")
        return "the key works" + (f", {left} credits are left" if left is not None else "")

    def _failed(self, task: dict[str, Any]) -> Broke:
        code = str(task.get("failureCode") or "")
        said = self._door.hide(": ".join(filter(None, (code, str(task.get("failure") or "")))))[:300]
        refused = code.startswith(("SAFETY", "INPUT")) or is_refusal(said)
        return Broke(said or "it gives no reason", again=not refused)

    async def _body(self, sending: Sending, request: VideoAsk) -> dict[str, Any]:
        pictures = [{"uri": await self._picture(request.first, sending.key), "position": "first"}]
        if request.last is not None:
            pictures.append({"uri": await self._picture(request.last, sending.key), "position": "last"})
        aspect = request.aspect or next(iter(self.model.ratios), "")
        return {
            "model": self.model.id,
            "promptImage": pictures,
            "promptText": request.prompt,
            "ratio": self.model.ratios.get(aspect, aspect),
            "duration": int(request.seconds),
            **({"seed": request.seed} if request.seed is not None else {}),
            **self.model.fixed,
        }

    async def _picture(self, picture: Artifact, key: str) -> str:
        if fits(self.ways, picture):
            return await self._pictures.inline(picture)
        return self._pictures.address(picture, key)
