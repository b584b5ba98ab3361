"""What all simulated vendors have in common: refusals in their own words, acceptance, files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode, urlsplit

from genlock.testing.simulator.book import Charge
from genlock.testing.simulator.courier import Notice
from genlock.testing.simulator.fault import Do, Fault
from genlock.testing.simulator.job import Job, Phase, Piece, Yard
from genlock.testing.simulator.outgoing import is_loopback
from genlock.testing.simulator.price import Units
from genlock.testing.simulator.shelf import MEDIA_TYPES
from genlock.testing.simulator.trace import find_seed, inline, is_picture
from genlock.testing.simulator.visit import Objection, Route, Trouble, Visit, route
from genlock.testing.simulator.wire import Reply, Request, json_reply

if TYPE_CHECKING:
    from genlock.testing.simulator.world import World

HOUR = 3600.0
EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
WRONG = b"<!doctype html><html><body><h1>Please sign in</h1></body></html>"


class Vendor:
    """One vendor: subclasses have its routes, its words and its shapes."""

    name: ClassVar[str]
    slots: ClassVar[int | None] = None  # requests worked on at once; more are accepted and wait
    lifetime: ClassVar[float] = 24 * HOUR  # of an address at which a file is fetched
    expired: ClassVar[int] = 403
    bills_failures: ClassVar[bool] = False
    statuses: ClassVar[Mapping[Trouble, int]] = {}
    _statuses: ClassVar[Mapping[Trouble, int]] = {
        Trouble.BUSY: 429,
        Trouble.NO_CREDIT: 402,
        Trouble.DENIED: 401,
        Trouble.BAD_INPUT: 400,
        Trouble.NOT_FOUND: 404,
        Trouble.CENSORED: 400,
        Trouble.BROKEN: 500,
    }

    def __init__(self) -> None:
        self.yard = Yard(self.slots)
        self.routes = [
            Route(method, pattern, names, name, attribute)
            for kind in type(self).__mro__
            for attribute, handler in vars(kind).items()
            for method, pattern, names, name in getattr(handler, "_routes", ())
        ]

    @property
    def secret(self) -> str:
        """The key that this vendor takes; any other is refused."""
        return f"simulated-{self.name}-key"

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
        """The route of a request and the parts of its path."""
        for candidate in self.routes:
            found = candidate.pattern.fullmatch(path) if candidate.method == method else None
            if found is not None:
                return candidate, found.groupdict()
        return None

    def knows(self, request: Request, now: float) -> bool:
        """Whether the request shows the right key."""
        del now
        return request.headers.get("authorization") == f"Bearer {self.secret}"

    def status(self, trouble: Trouble) -> int:
        """The HTTP status that this vendor gives it."""
        return self.statuses.get(trouble) or self._statuses[trouble]

    def complaint(self, trouble: Trouble, status: int, message: str) -> Any:
        """The body of a refusal, as JSON."""
        del trouble, status
        return {"error": {"message": message}}

    def problem(self, trouble: Trouble, message: str, status: int | None = None) -> Reply:
        """A refusal in the vendor's own words."""
        status = status or self.status(trouble)
        return json_reply(self.complaint(trouble, status, message), status)

    def notice(self, world: World, job: Job) -> Notice | None:
        """What is reported to the job's webhook now that it came into this phase; None: nothing."""
        del world, job
        return None

    def charge(self, visit: Visit, *, id: str, model: str, units: Units) -> Charge:
        """Accept the request: from here on it is owed. `Objection` if the account does not have as much."""
        later = self.makes_later(visit)
        if not later and visit.told(Do.CENSOR):
            raise Objection(Trouble.CENSORED, "the content was refused by our safety system")
        if not later and visit.told(Do.FAIL):
            raise Objection(Trouble.BROKEN, "the model failed")
        world, receipt = visit.world, visit.receipt
        amount = world.prices.amount(self.name, model, units)
        if not world.spend(self.name, amount):
            raise Objection(Trouble.NO_CREDIT, "the account has not enough credit for this request")
        charge = Charge(
            len(world.book.charges) + 1, visit.now, self.name, model, id, receipt.key,
            find_seed(visit.body), receipt.input, amount, receipt.number,
        )  # fmt: skip
        world.book.charge(charge)
        receipt.charge = charge.number
        return charge

    def makes_later(self, visit: Visit) -> bool:
        """Whether what this request asks for is made after it was accepted, or before it is answered."""
        del visit
        return True

    def accept(
        self,
        visit: Visit,
        *,
        id: str,
        model: str,
        units: Units,
        piece: Piece | None = None,
        webhook: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> Job:
        """Charge for it, and begin to make it. `facts` is what the vendor wants to remember of it."""
        charge = self.charge(visit, id=id, model=model, units=units)
        world = visit.world
        job = Job(
            self.name, id, model, charge.key, visit.now, charge.number, visit.body, piece,
            queue=world.queue, work=world.work, listed_at=visit.now + world.lag, webhook=webhook,
            facts=dict(facts or {}),
        )  # fmt: skip
        for fault in visit.faults:
            _destine(job, fault)
        world.begin(self, job)
        return job

    def job(self, id: str) -> Job:
        """The job with this id. `Objection` if there is none."""
        found = self.yard.get(id)
        if found is None:
            raise Objection(Trouble.NOT_FOUND, f"{id} was not found")
        return found

    def listed(self, now: float) -> list[Job]:
        """The jobs that the vendor's list shows by now, newest first."""
        return [job for job in reversed(list(self.yard)) if job.listed_at <= now]

    def film(
        self,
        visit: Visit,
        *,
        seconds: float,
        aspect: str | None = None,
        first: Any = None,
        last: Any = None,
        sound: bool = False,
    ) -> Piece:
        """The film to be made, as small and as long as the simulator was told to make films."""
        studio = visit.world.studio
        seed = int(visit.receipt.input[:8], 16)
        return Piece(
            "film", "mp4", studio.length(seconds), seed, studio.size(aspect), sound,
            (self.picture(visit, first), self.picture(visit, last)), rate=studio.fps,
        )  # fmt: skip

    def music(self, visit: Visit, seconds: float, format: str, rate: int = 44100) -> Piece:
        """The music to be made, as long as was asked for unless the simulator was told otherwise."""
        length = visit.world.studio.music or seconds
        return Piece("music", format, length, int(visit.receipt.input[:8], 16), rate=rate)

    def look(self, job: Job, visit: Visit) -> None:
        """Somebody asks how a job is going: those that take a number of looks come nearer to their end."""
        self.yard.look(job)
        visit.world.settle(self)

    def picture(self, visit: Visit, given: Any) -> str | None:
        """The hash of a picture that came with the request, or the address from which it can be fetched here;
        None if it is elsewhere or there is none.
        """
        if given is None or given == "":
            return None
        if not isinstance(given, str):
            raise Objection(Trouble.BAD_INPUT, "a picture is its address, or its bytes in base64")
        data = inline(given)
        if data is not None and is_picture(data):
            return visit.world.shelf.put(data)
        if not given.startswith(("http://", "https://", "gs://")):
            raise Objection(Trouble.BAD_INPUT, "the picture is neither JPEG nor PNG, WebP or GIF")
        here = given.startswith("http://") and is_loopback(urlsplit(given).hostname)
        return visit.world.held(given) or (given if here else None)

    # Files

    def url(self, world: World, job: Job, number: int = 0) -> str:
        """Where a job's file is to be had, for as long as the vendor keeps it."""
        until = {"expires": str(round((job.ended_at or job.at) + self.lifetime))}
        assert job.piece is not None
        return f"{world.origin(self)}/_files/{job.id}/{number}.{job.piece.format}?{urlencode(until)}"

    @route("GET", "/_files/{id}/{name}", "file")
    async def file(self, visit: Visit) -> Reply:
        """A file that was made, while its address holds."""
        if visit.now > float(visit.request.query.get("expires", "0")):
            return self.gone()
        return await self.handed(visit, self.job(visit.params["id"]))

    def gone(self) -> Reply:
        """What an address that has expired answers."""
        return Reply(self.expired, EXPIRED, {"content-type": "application/xml"})

    async def handed(self, visit: Visit, job: Job) -> Reply:
        """The job's file, or part of it if that was asked for, or what the fault makes of it."""
        if job.phase is not Phase.MADE or job.piece is None:
            raise Objection(Trouble.NOT_FOUND, f"there is no file of {job.id}")
        pictures = await visit.world.courier.pictures(job.piece.pictures)
        first, last = pictures
        data = await visit.world.shelf.make(replace(job.piece, pictures=(first, last)))
        headers = {"content-type": MEDIA_TYPES[job.piece.format], "accept-ranges": "bytes"}
        if visit.told(Do.EXPIRED):
            return self.gone()
        if visit.told(Do.WRONG_FILE):
            return Reply(200, WRONG, headers)
        if visit.told(Do.SHORT_FILE):
            return Reply(200, data[: len(data) // 2], headers)
        reply = _part(data, headers, visit.request.headers.get("range", ""))
        return replace(reply, cut=len(reply.body) // 2) if visit.told(Do.HALF_FILE) else reply


def _part(data: bytes, headers: dict[str, str], asked: str) -> Reply:
    """All of a file, or the part that the header Range asks for."""
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
    if found is None:
        return Reply(200, data, headers)
    first, last = int(found[1]), min(int(found[2] or len(data) - 1), len(data) - 1)
    if first > last:
        return Reply(416, b"", {**headers, "content-range": f"bytes */{len(data)}"})
    headers = {**headers, "content-range": f"bytes {first}-{last}/{len(data)}"}
    return Reply(206, data[first : last + 1], headers)


def _destine(job: Job, fault: Fault) -> None:
    """What is to become of a job."""
    if fault.do is Do.LONG_WORK:
        job.work, job.polls = fault.seconds, fault.polls
    elif fault.do is Do.FAIL:
        job.ends_as = Phase.FAILED
    elif fault.do is Do.CENSOR:
        job.ends_as = Phase.CENSORED
    elif fault.do is Do.LIST_LATE:
        job.listed_at = job.at + fault.seconds
