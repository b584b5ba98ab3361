"""Luma: pictures come from an address of ours, which has the key in it, and its list shows that address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from typing_extensions import override

from genlock.errors import NotFound, Transient, Unsupported
from genlock.paid import Accepted, Broke, Made, Notice, Policy, Remote, Sending, Working
from genlock.providers.ability import resolution
from genlock.providers.adapter import VendorAdapter, part
from genlock.providers.asks import VideoAsk
from genlock.providers.body import is_refusal
from genlock.providers.moment import moment
from genlock.providers.picture import Ways
from genlock.providers.signature import digest

PATH = "/dream-machine/v1/generations"
PAGE, PAGES = 100, 50


class Luma(VendorAdapter[VideoAsk]):
    """Clips from one picture to another."""

    asks = VideoAsk
    policy = Policy.FINDABLE
    ways = Ways(inline=0)

    @override
    async def submit(self, sending: Sending, request: VideoAsk) -> Accepted:
        reply = await self._door.submit(PATH, self._body(sending, request), in_time=sending.in_time)
        return Accepted(reply.text("id"))

    @override
    async def look(self, handle: str) -> Working | Made | Broke:
        item = (await self._door.ask(f"{PATH}/{part(handle)}", f"generation {handle}")).object()
        match item.get("state"):
            case "completed":
                url = (item.get("assets") or {}).get("video")
                if not url:
                    raise NotFound(f"luma has deleted what generation {handle} made")
                return Made([Remote("video", "video/mp4", url)], {"generation": handle})
            case "failed":
                said = self._door.hide(str(item.get("failure_reason") or "it gives no reason"))[:300]
                return Broke(said, again=not is_refusal(said))
            case "queued":
                return Working(note="waits at luma")
            case _:
                return Working(note="luma is at work on it")

    @override
    async def find(self, sending: Sending, request: VideoAsk) -> str | None:
        async for item in self._since(self._long_before(sending)):
            if sending.key in str(item.get("request") or item) and item.get("id"):
                return str(item["id"])
        return None

    @override
    async def cancel(self, handle: str) -> None:
        raise Unsupported(f"luma can only delete {handle[:80]}, and then nobody knows what it cost")

    @override
    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        """Unsigned: it only says that looking is worth while, so nothing in it is believed."""
        return Notice(digest(body))

    @override
    async def probe(self) -> str:
        reply = await self._door.ask("/dream-machine/v1/credits", "the credits")
        cents = reply.object().get("credit_balance")
        left = f", ${cents / 100:.2f} are left" if isinstance(cents, int | float) else ""
        return f"the key works{left}"

    def _body(self, sending: Sending, request: VideoAsk) -> dict[str, Any]:
        frames = {f"frame{n}": picture for n, picture in enumerate(request.pictures)}
        quality = resolution(request, self.model)
        return {
            "prompt": request.prompt,
            "model": self.model.id,
            "keyframes": {
                name: {"type": "image", "url": self._pictures.address(picture, sending.key)}
                for name, picture in frames.items()
            },
            "duration": f"{request.seconds:g}s",
            **({"resolution": quality} if quality else {}),
            **({"aspect_ratio": request.aspect} if request.aspect else {}),
            **({"callback_url": sending.webhook} if sending.webhook else {}),
            **self.model.fixed,
        }

    async def _since(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """All generations from then on. The list moves while it is read, so pages overlap."""
        for page in range(PAGES):
            query = {"limit": str(PAGE), "offset": str(page * (PAGE - 10))}
            body = (await self._door.ask(PATH, "its generations", query=query)).object()
            items = body.get("generations")
            if not isinstance(items, list):
                raise Transient("luma answered without a list of generations")
            ages = [moment(item.get("created_at")) for item in items if isinstance(item, dict)]
            for item in items:
                if isinstance(item, dict):
                    yield item
            if not body.get("has_more", len(items) == PAGE) or any(at and at < since for at in ages):
                return
        raise Transient(f"luma's list of generations has more than {PAGES} pages")
