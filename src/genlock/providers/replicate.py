"""Replicate: any model by its id, with the names of its inputs as data.

It takes no key of ours, so the key goes along in what its list shows: a seed made of the key, the address
the report goes to, or pictures that were uploaded with the key in their metadata.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from pydantic import SecretStr
from typing_extensions import override

from genlock.errors import NotAccepted, NotFound, Transient, Unsupported
from genlock.money import Money
from genlock.paid import Accepted, Broke, Made, Notice, Policy, Remote, Sending, Working
from genlock.providers.ability import resolution
from genlock.providers.adapter import Kit, VendorAdapter, part
from genlock.providers.asks import MusicAsk, VideoAsk
from genlock.providers.body import first_url, handle_in, is_refusal, named
from genlock.providers.likeness import Likeness
from genlock.providers.moment import moment
from genlock.providers.picture import ENDINGS, Ways, fits
from genlock.providers.signature import check_webhook, seed_of
from genlock.store.artifact import Artifact

AskT = TypeVar("AskT", VideoAsk, MusicAsk)

CANCEL_AFTER = "1h"  # a request that has not ended by then is ended by Replicate
PAGES = 100  # of a hundred predictions: more than an account makes in the time that is looked at
MARK = "genlock"  # under this name the metadata of a picture have the key
_FILES = "/v1/files"


class Replicate(VendorAdapter[AskT]):
    """One model: a clip or music, by what is asked. Its files are deleted after an hour."""

    policy = Policy.FINDABLE
    ways = Ways(inline=250_000, upload=True, fetches=False)  # larger data URIs are refused
    media_type: str

    def __init__(self, kit: Kit, webhook_secret: SecretStr | None = None) -> None:
        super().__init__(kit)
        self._secret = webhook_secret

    @override
    async def submit(self, sending: Sending, request: AskT) -> Accepted:
        webhook = self._webhook(sending)
        body: dict[str, Any] = {"input": await self._input(sending, request)}
        if webhook is not None:
            body |= {"webhook": webhook, "webhook_events_filter": ["start", "completed"]}
        reply = await self._door.submit(
            f"/v1/models/{self.model.id}/predictions",
            body,
            headers={"cancel-after": CANCEL_AFTER},
            in_time=sending.in_time,
        )
        return Accepted(reply.text("id"))

    @override
    async def look(self, handle: str) -> Working | Made | Broke:
        reply = await self._door.ask(f"/v1/predictions/{part(handle)}", f"prediction {handle}")
        item = reply.object()
        status = item.get("status")
        if status == "succeeded":
            return self._made(handle, item)
        said = self._door.hide(str(item.get("error") or f"it was {status}"))[:300]
        if status == "failed":
            return Broke(said, again=not is_refusal(said))
        if status in ("canceled", "aborted"):
            return Broke(said, cost=self._cost(item) if status == "canceled" else None, cancelled=True)
        return Working(note="waits at replicate" if status == "starting" else "replicate is at work on it")

    @override
    async def find(self, sending: Sending, request: AskT) -> str | None:
        """By the key, where it shows; else by what was asked for."""
        like = Likeness(self.vendor, sending.since)
        wanted = self._scalars(sending, request)
        async for item in self._since(self._long_before(sending)):
            if str(item.get("model") or self.model.id) != self.model.id:
                continue
            key = await self._key_in(item, sending)
            if key == sending.key:
                return str(item["id"])
            given = item.get("input")
            if key is None and (not given or all(given.get(n) == v for n, v in wanted.items())):
                like.add(str(item["id"]), moment(item.get("created_at")), certain=bool(given))
        return like.verdict()

    @override
    async def cancel(self, handle: str) -> None:
        await self._door.ask(f"/v1/predictions/{part(handle)}/cancel", f"an end of {handle}", method="POST")

    @override
    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        if self._secret is None:
            raise Unsupported("reports of replicate are not taken without REPLICATE_WEBHOOK_SECRET")
        report = check_webhook("replicate", self._secret, headers, body, now)
        return Notice(report, handle_in(body, "id"))

    @override
    async def probe(self) -> str:
        reply = await self._door.ask("/v1/account", "the account")
        return f"the key works, it is that of {reply.object().get('username', 'somebody')}"

    def _webhook(self, sending: Sending) -> str | None:
        """Only an address with TLS is taken, and only a signed report is of use."""
        at = sending.webhook
        secure = at is not None and (at.startswith("https://") or self._door.url.startswith("http://"))
        return at if secure and self._secret else None

    def _scalars(self, sending: Sending, request: AskT) -> dict[str, Any]:
        """The input without pictures, by the vendor's names."""
        ours = {**request.model_dump(exclude={"first", "last", "instrumental"}, exclude_none=True)}
        if isinstance(request, VideoAsk):
            ours["resolution"] = resolution(request, self.model)
        ours["seed"] = seed_of(sending.key) if request.seed is None else request.seed
        ours["seconds"] = int(request.seconds) if request.seconds == int(request.seconds) else request.seconds
        return {**self.model.fixed, **named(ours, self.model.inputs, self.model.formats)}

    async def _input(self, sending: Sending, request: AskT) -> dict[str, Any]:
        """All of it. Pictures are uploaded if that is the only way for the key to go along."""
        given = self._scalars(sending, request)
        upload = request.seed is not None or "seed" not in self.model.inputs
        if isinstance(request, VideoAsk):
            for field, picture in (("first", request.first), ("last", request.last)):
                if picture is not None:
                    name = self.model.inputs[field]
                    given[name] = await self._picture(picture, sending.key, upload=upload)
        return given

    async def _picture(self, picture: Artifact, key: str, *, upload: bool) -> str:
        if fits(self.ways, picture) and not upload:
            return await self._pictures.inline(picture)
        name = f"{key}.{ENDINGS[picture.media_type]}"
        content = await self._pictures.bytes(picture)
        fields = {"metadata": f'{{"{MARK}": "{key}"}}'}
        reply = await self._door.upload(_FILES, name, content, picture.media_type, fields=fields)
        try:
            return reply.text("urls", "get")
        except Transient as error:
            raise NotAccepted(str(error)) from None

    async def _since(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """All predictions from then on, newest first; `Transient` if the list does not come to an end."""
        query: dict[str, str] | None = {"created_after": f"{since:%Y-%m-%dT%H:%M:%SZ}"}
        path = "/v1/predictions"
        for _ in range(PAGES):
            page = (await self._door.ask(path, "its predictions", query=query)).object()
            results = page.get("results")
            if not isinstance(results, list):
                raise Transient("replicate answered without a list of predictions")
            for item in results:
                if isinstance(item, dict) and item.get("id"):
                    at = moment(item.get("created_at"))
                    if at is not None and at < since:
                        return
                    yield item
            following = page.get("next")
            if not following:
                return
            path, query = str(following), None
        raise Transient(f"replicate's list of predictions has more than {PAGES} pages")

    async def _key_in(self, item: Mapping[str, Any], sending: Sending) -> str | None:
        """The key that a prediction shows, ours or another's; None if it shows none."""
        if sending.key in str(item.get("webhook") or ""):
            return sending.key
        given = item.get("input")
        if not isinstance(given, dict):
            return None
        if given.get(self.model.inputs.get("seed", "")) == seed_of(sending.key):
            return sending.key
        for value in given.values():
            found = await self._uploaded_for(value) if isinstance(value, str) else None
            if found:
                return found
        return None

    async def _uploaded_for(self, url: str) -> str | None:
        """The key that a picture in an input was uploaded for, if it was uploaded here."""
        ours, _, file = url.partition(f"{_FILES}/")
        if not file or not self._door.own(ours):
            return None
        try:
            reply = await self._door.ask(f"{_FILES}/{part(file.split('/')[0])}", "an uploaded picture")
        except NotFound:
            return None
        metadata = reply.object().get("metadata")
        found = metadata.get(MARK) if isinstance(metadata, dict) else None
        return found if isinstance(found, str) else None

    def _made(self, handle: str, item: Mapping[str, Any]) -> Made:
        url = first_url(item.get("output"))
        if url is None:
            raise NotFound(f"replicate has deleted what prediction {handle} made: it does so after an hour")
        given = item.get("input") or {}
        facts = {name: given[name] for name in ("seed",) if name in given}
        return Made([Remote(self.model.kind, self.media_type, url)], {"prediction": handle, **facts})

    def _cost(self, item: Mapping[str, Any]) -> Money | None:
        """Of a prediction that was stopped while it ran: charged, the vendor does not say how much."""
        given, names = item.get("input") or {}, self.model.inputs
        seconds = given.get(names.get("seconds", ""))
        if not item.get("started_at") or not isinstance(seconds, int | float):
            return None
        facets = {"audio": given.get(names.get("audio", ""), False), "resolution": given.get("resolution")}
        try:
            return self.model.cost({"second": seconds, "call": 1}, facets)
        except Unsupported:
            return None


class ReplicateVideo(Replicate[VideoAsk]):
    """Clips."""

    asks = VideoAsk
    media_type = "video/mp4"


class ReplicateMusic(Replicate[MusicAsk]):
    """Music."""

    asks = MusicAsk
    media_type = "audio/mpeg"
