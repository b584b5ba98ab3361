"""fal: a queue before many models. Its list shows what was sent once that has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from genlock.errors import NotFound, Transient
from genlock.paid import Accepted, Broke, Made, Policy, Remote, Sending, Working
from genlock.providers.ability import resolution
from genlock.providers.adapter import Kit, VendorAdapter, part
from genlock.providers.asks import VideoAsk
from genlock.providers.body import first_url, is_refusal, named
from genlock.providers.likeness import Likeness
from genlock.providers.moment import moment
from genlock.providers.picture import Ways, fits
from genlock.providers.reply import Reply
from genlock.providers.signature import seed_of
from genlock.store.artifact import Artifact

if TYPE_CHECKING:
    from genlock.providers.http import Door

LIST = "/v1/models/requests/by-endpoint"
START_WITHIN = timedelta(minutes=15)  # in the queue; then fal gives the request up
RUN_WITHIN = timedelta(minutes=30)  # longer than any clip takes
PAGES = 50
_ENDED = (400, 422, 500)  # how a request that failed answers when its result is fetched


class Fal(VendorAdapter[VideoAsk]):
    """One model behind fal's queue. `platform` is the door to its other server, where requests are listed.

    The list is of requests that have ended. That is why the window is as long as one may wait and run:
    before it is over, not being in the list proves nothing.
    """

    asks = VideoAsk
    policy = Policy.FINDABLE
    window = START_WITHIN + RUN_WITHIN + timedelta(minutes=2)
    ways = Ways(inline=8_000_000)

    def __init__(self, kit: Kit, platform: Door) -> None:
        super().__init__(kit)
        self._platform = platform

    @override
    async def submit(self, sending: Sending, request: VideoAsk) -> Accepted:
        headers = {
            "x-fal-request-start-timeout": str(int(START_WITHIN.total_seconds())),
            "x-fal-tags": sending.key,
        }
        body = await self._input(sending, request)
        reply = await self._door.submit(f"/{self.model.id}", body, headers=headers, in_time=sending.in_time)
        return Accepted(self._handle(reply))

    @override
    async def look(self, handle: str) -> Working | Made | Broke:
        status, response, _ = self._addresses(handle)
        reply = await self._door.ask(status, f"request {_id(handle)}")
        body = reply.object()
        match body.get("status"):
            case "COMPLETED" if not body.get("error"):
                return await self._result(handle, response)
            case "COMPLETED":
                said = self._door.hide(str(body["error"]))[:300]
                return Broke(said, again=not is_refusal(said))
            case "IN_QUEUE":
                place = body.get("queue_position")
                return Working(note="waits at fal" + (f", {place} before it" if place else ""))
            case _:
                return Working(note="fal is at work on it")

    @override
    async def find(self, sending: Sending, request: VideoAsk) -> str | None:
        wanted, like = self._scalars(sending, request), Likeness(self.vendor, sending.since)
        async for item in self._since(self._long_before(sending)):
            given = item.get("json_input")
            if sending.key in str(item.get("tags") or "") or self._shows(given, sending):
                return str(item["request_id"])
            shown = given if isinstance(given, dict) else {}
            if not shown or all(shown.get(name) == value for name, value in wanted.items()):
                at = moment(item.get("sent_at") or item.get("started_at"))
                like.add(str(item["request_id"]), at, certain=bool(shown))
        return like.verdict()

    @override
    async def cancel(self, handle: str) -> None:
        await self._door.ask(self._addresses(handle)[2], "an end", method="PUT", allow=(400, 404))

    @override
    async def probe(self) -> str:
        query = {"endpoint_id": self.model.id, "limit": "1"}
        await self._platform.ask(LIST, "its newest request", query=query)
        return "the key works"

    async def _result(self, handle: str, response: str) -> Made | Broke:
        reply = await self._door.ask(response, f"the result of {_id(handle)}", allow=_ENDED)
        if not reply.ok:
            return await self._failed(handle, reply)
        body = reply.object()
        url = first_url(body.get("video") or body)
        if url is None:
            raise NotFound(f"fal has deleted what request {_id(handle)} made")
        facts = {name: body[name] for name in ("seed",) if name in body}
        return Made([Remote("video", "video/mp4", url)], {"request": _id(handle), **facts})

    async def _failed(self, handle: str, reply: Reply) -> Broke:
        """The result's status is the request's own; but 500 is what fal's server says of itself as well, and
        then its list knows better.
        """
        said = reply.words()
        if reply.status >= 500 and not await self._has_failed(_id(handle)):
            raise Transient(f"fal cannot be asked for the result now ({reply.status}): {said}")
        again = reply.status >= 500 or not is_refusal(said)
        return Broke(f"{reply.status}: {said}", again=again, cancelled="cancelled" in said)

    async def _has_failed(self, request_id: str) -> bool:
        query = {"endpoint_id": self.model.id, "request_id": request_id, "limit": "100"}
        items = (await self._platform.ask(LIST, "the request", query=query)).object().get("items") or []
        found = [i for i in items if isinstance(i, dict) and i.get("request_id") == request_id]
        codes = [item.get("status_code") for item in found]
        return any(isinstance(code, int) and code >= 400 for code in codes)

    def _handle(self, reply: Reply) -> str:
        """The id, and the addresses that came with it where they are not those that follow from it."""
        named_by = reply.text("request_id")
        body = reply.object()
        given = [str(body.get(f"{name}_url") or "") for name in ("status", "response", "cancel")]
        if all(self._door.own(url) for url in given) and given != list(self._derived(named_by)):
            return " ".join([named_by, *given])
        return named_by

    def _addresses(self, handle: str) -> tuple[str, str, str]:
        named_by, *given = handle.split()
        if len(given) == 3:
            return given[0], given[1], given[2]
        return self._derived(named_by)

    def _derived(self, request_id: str) -> tuple[str, str, str]:
        """Of a path with more parts only the first two, owner and app, are in the addresses of a request."""
        app = "/".join(self.model.id.split("/")[:2])
        at = f"{self._door.url}/{app}/requests/{part(request_id)}"
        return f"{at}/status", at, f"{at}/cancel"

    def _scalars(self, sending: Sending, request: VideoAsk) -> dict[str, Any]:
        ours = request.model_dump(exclude={"first", "last"}, exclude_none=True)
        ours["resolution"] = resolution(request, self.model)
        ours["seed"] = seed_of(sending.key) if request.seed is None else request.seed
        ours["seconds"] = int(request.seconds) if request.seconds == int(request.seconds) else request.seconds
        return {**self.model.fixed, **named(ours, self.model.inputs, self.model.formats)}

    async def _input(self, sending: Sending, request: VideoAsk) -> dict[str, Any]:
        given = self._scalars(sending, request)
        for field, picture in (("first", request.first), ("last", request.last)):
            if picture is not None:
                given[self.model.inputs[field]] = await self._picture(picture, sending.key)
        return given

    async def _picture(self, picture: Artifact, key: str) -> str:
        """From our address if there is one, for that shows the key in its list; else along."""
        if self._pictures.public_url or not fits(self.ways, picture):
            return self._pictures.address(picture, key)
        return await self._pictures.inline(picture)

    def _shows(self, given: Any, sending: Sending) -> bool:
        if not isinstance(given, dict):
            return False
        if given.get(self.model.inputs.get("seed", "")) == seed_of(sending.key):
            return True
        return any(sending.key in value for value in given.values() if isinstance(value, str))

    async def _since(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        query = {
            "endpoint_id": self.model.id,
            "start": f"{since:%Y-%m-%dT%H:%M:%SZ}",
            "expand": "payloads",
            "limit": "100",
        }
        for _ in range(PAGES):
            body = (await self._platform.ask(LIST, "its requests", query=query)).object()
            items = body.get("items")
            if not isinstance(items, list):
                raise Transient("fal answered without a list of requests")
            for item in items:
                if isinstance(item, dict) and item.get("request_id"):
                    yield item
            if not body.get("next_cursor"):
                return
            query = {**query, "cursor": str(body["next_cursor"])}
        raise Transient(f"fal's list of requests has more than {PAGES} pages")


def _id(handle: str) -> str:
    return handle.partition(" ")[0]
