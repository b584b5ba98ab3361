"""What all adapters have in common: a model, a door, and no memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar
from urllib.parse import quote

from genlock.clock import Clock
from genlock.errors import Unsupported
from genlock.money import Money
from genlock.paid import SETTLE_WINDOW, Accepted, Broke, Made, Notice, Policy, Remote, Sending, Working
from genlock.providers import ability
from genlock.providers.asks import Asked, VideoAsk
from genlock.providers.catalog import Model
from genlock.providers.picture import Pictures, Ways

if TYPE_CHECKING:  # a home in which nothing is bought never loads an HTTP client
    from genlock.providers.http import Door

LOOK_BACK = timedelta(hours=1)

AskT = TypeVar("AskT", bound=Asked)


@dataclass(frozen=True, slots=True)
class Kit:
    """What an adapter is made of: the model, the way to its vendor, pictures to send, the time."""

    model: Model
    door: Door
    pictures: Pictures
    clock: Clock


class VendorAdapter(ABC, Generic[AskT]):
    """The parts of `genlock.paid.Adapter` that are the same for all vendors, or that many of them lack."""

    asks: type[AskT]
    policy: ClassVar[Policy]
    window: ClassVar[timedelta] = SETTLE_WINDOW
    ways: ClassVar[Ways] = Ways()

    def __init__(self, kit: Kit) -> None:
        self.model, self._door, self._pictures, self._clock = kit.model, kit.door, kit.pictures, kit.clock

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @property
    def door(self) -> Door:
        """The way to its vendor, to be closed by who opened it."""
        return self._door

    @property
    def _shelf(self) -> Door:
        """The way to what the vendor has made."""
        return self._door

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def vendor(self) -> str:
        return self.model.vendor

    @property
    def limit(self) -> int | None:
        return self.model.limit

    @property
    def poll(self) -> timedelta:
        return self.model.poll_after

    @property
    def settle_window(self) -> timedelta:
        return self.window if self.model.settle is None else timedelta(seconds=self.model.settle)

    def check(self, request: AskT) -> None:
        ability.check(request, self.model)
        if isinstance(request, VideoAsk):
            for picture in request.pictures:
                self._pictures.check(self.vendor, self.ways, picture)

    def estimate(self, request: AskT) -> Money:
        return ability.estimate(request, self.model)

    @abstractmethod
    async def submit(self, sending: Sending, request: AskT) -> Accepted | Made:
        """Send it, once, in the vendor's own words: see `genlock.paid.Adapter`."""

    async def look(self, handle: str) -> Working | Made | Broke:
        raise Unsupported(f"{self.name} answers at once: there is nothing to look at as {handle[:80]}")

    async def find(self, sending: Sending, request: AskT) -> str | None:
        del request
        raise Unsupported(f"{self.vendor} cannot be asked for the request {sending.key}")

    async def cancel(self, handle: str) -> None:
        raise Unsupported(f"{self.vendor} cannot be asked to stop {handle[:80]}")

    def receive(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Notice:
        del headers, body, now
        raise Unsupported(f"{self.vendor} reports nothing here")

    async def download(self, remote: Remote, to: Path) -> None:
        from genlock.providers.download import download

        await download(self._shelf, remote, to)

    def _long_before(self, sending: Sending) -> datetime:
        """From when on a vendor's list is read. A clock may have been set since, or be wrong now, and what
        is not in the list is sent again: an hour too much costs nothing but pages.
        """
        return min(sending.since, self._clock.now()) - LOOK_BACK

    async def probe(self) -> str:
        """Whether the key works, in words, from a question that costs nothing. `Permanent` if it does not."""
        return "the vendor has no free question that would show whether the key works"


def part(handle: str) -> str:
    """A vendor's id as one part of a path: a person may have typed it."""
    return quote(handle, safe="")
