"""All vendors behind one door: finds the one that is meant, lets it answer, and misbehaves in its place."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

from genlock.errors import GenlockError
from genlock.testing.simulator import trace
from genlock.testing.simulator.book import Book, Receipt
from genlock.testing.simulator.chat import Script
from genlock.testing.simulator.courier import Courier
from genlock.testing.simulator.fault import AFTER, BEFORE, Do, Fault, Mischief
from genlock.testing.simulator.job import Job, Phase
from genlock.testing.simulator.price import Prices
from genlock.testing.simulator.shelf import Shelf, Upload
from genlock.testing.simulator.studio import Studio
from genlock.testing.simulator.timeline import Timeline
from genlock.testing.simulator.vendor import Vendor
from genlock.testing.simulator.visit import Objection, Route, Trouble, Visit, parse
from genlock.testing.simulator.wire import LOOPBACK, Listener, Reply, Request, json_reply

PAGE = b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
_BALANCE = 1_000_000_000  # millionths of a dollar
_RESETS = frozenset({Do.DROP, Do.REFUSE, Do.HANG, Do.ACCEPT_THEN_DROP, Do.ACCEPT_THEN_HANG})


@dataclass
class World:
    """Everything that the simulated vendors know. Lives in one event loop; nothing is shared with others.

    `queue`, `work` and `lag` are seconds of the vendors' time: before a job is begun, until it is done, until
    it is listed. `credit` is what is left in a vendor's account, in millionths of a dollar; one that is not
    there is bottomless.
    """

    vendors: dict[str, Vendor]
    timeline: Timeline
    studio: Studio = field(default_factory=Studio)
    book: Book = field(default_factory=Book)
    mischief: Mischief = field(default_factory=Mischief)
    prices: Prices = field(default_factory=Prices)
    shelf: Shelf = field(default_factory=Shelf)
    queue: float = 0.0
    work: float = 1.0
    lag: float = 0.0
    credit: dict[str, int] = field(default_factory=dict)
    script: Script = field(default_factory=Script)
    listener: Listener | None = None
    courier: Courier = field(init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.courier = Courier(self.book, self.mischief, self.timeline, self.shelf)

    # Its life

    def keep_in(self, folder: Path) -> None:
        """Keep everything in this folder, and go on with what is there."""
        self.shelf.keep_in(folder / "pictures")
        jobs: dict[str, dict[str, Any]] = {}
        for line in self.book.keep_in(folder):
            kind = line.pop("kind")
            if kind == "job":
                jobs.setdefault(line["id"], {}).update(line)
            elif kind == "upload":
                self.shelf.uploads[line["id"]] = Upload(**line)
        for job in map(Job.read, jobs.values()):
            self.vendors[job.vendor].yard.add(job)
        if self.book.requests:  # time that was put forward does not go back
            self.timeline.set(at=max(self.timeline.now(), self.book.requests[-1].at))

    async def run(self) -> None:
        """Let jobs begin and end at their times; until it is cancelled."""
        while True:
            for vendor in self.vendors.values():
                self.settle(vendor)
            due = [at for vendor in self.vendors.values() if (at := vendor.yard.due()) is not None]
            await self.timeline.reach(min(due, default=None))

    async def stop(self) -> None:
        """End what is under way."""
        await self.courier.stop()
        self.book.close()

    def reset(self) -> None:
        """Forget everything that happened, and behave."""
        for vendor in self.vendors.values():
            vendor.yard.clear()
        self.book.clear()
        self.mischief.clear()
        self.shelf.clear()
        self.credit.clear()
        self.script.clear()

    def origin(self, vendor: Vendor) -> str:
        """Where a vendor is found."""
        assert self.listener is not None
        return f"http://{LOOPBACK}:{self.listener.port}/{vendor.name}"

    # Answering

    async def answer(self, request: Request) -> Reply:
        """What the vendor says whose name is the first part of the path."""
        name, _, rest = request.path.lstrip("/").partition("/")
        vendor = self.vendors.get(name)
        if vendor is None:
            return json_reply({"error": f"no vendor is called {name!r}: {', '.join(self.vendors)}"}, 404)
        self.settle(vendor)
        found = vendor.find("GET" if request.method == "HEAD" else request.method, f"/{rest}")
        visit = self._enter(vendor, f"/{rest}", found[0] if found else None, request)
        reply = await self._misbehave(vendor, visit, found[0] if found else None, found[1] if found else {})
        self.book.answer(visit.receipt, 0 if reply.reset else reply.status)
        reply.headers.setdefault("date", formatdate(visit.now, usegmt=True))
        return reply

    def _enter(self, vendor: Vendor, path: str, route: Route | None, request: Request) -> Visit:
        body = parse(request.body)
        key = self.key_of(request, path, body)
        now = self.timeline.now()
        asked = trace.input_hash(vendor.name, path, body, self.held)
        receipt = Receipt(
            len(self.book.requests) + 1, now, vendor.name, route.name if route else "", request.method, path,
            dict(request.query), key, asked, trace.shortened(body),
        )  # fmt: skip
        self.book.receive(receipt)
        return Visit(self, request, receipt, {}, body, now=now)

    async def _misbehave(self, vendor: Vendor, visit: Visit, route: Route | None, params: Any) -> Reply:
        receipt = visit.receipt
        visit.params = params
        if route is None:
            return vendor.problem(Trouble.NOT_FOUND, f"{receipt.method} {receipt.path} is not a route")
        if not vendor.knows(visit.request, visit.now) and "file" not in route.names:
            return vendor.problem(Trouble.DENIED, "the API key is missing or not valid")
        if not self.mischief.planned:
            return await self._serve(vendor, visit, route)
        text = f"{receipt.key} {receipt.path} {visit.request.body.decode('utf-8', 'replace')}"
        visit.faults = self.mischief.strike(vendor.name, route.names, text, visit.now)
        receipt.fault = " ".join(fault.do for fault in visit.faults) or None
        for fault in visit.faults:
            if fault.do in BEFORE:
                return await self._before(vendor, fault)
        reply = await self._serve(vendor, visit, route)
        await self._meanwhile(vendor, visit)
        for fault in visit.faults:
            if fault.do in AFTER:
                reply = await self._after(vendor, fault, reply)
        return reply

    async def _meanwhile(self, vendor: Vendor, visit: Visit) -> None:
        """What has to happen to what was accepted before the answer leaves."""
        if visit.receipt.charge is None:
            return
        job = vendor.yard.get(self.book.charges[visit.receipt.charge - 1].id)
        long = visit.told(Do.LONG_WORK)
        if long is not None and (job is None or job.final):
            await self.timeline.sleep(long.seconds)  # it was made while the client waited
        if visit.told(Do.EARLY_WEBHOOK) and job is not None and not job.final:
            await self.hasten(vendor, job)

    async def _serve(self, vendor: Vendor, visit: Visit, route: Route) -> Reply:
        try:
            reply: Reply = await getattr(vendor, route.handler)(visit)
        except Objection as objection:
            return vendor.problem(objection.trouble, objection.message)
        except GenlockError as error:
            return vendor.problem(Trouble.BROKEN, str(error))
        except (TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError) as error:
            return vendor.problem(
                Trouble.BAD_INPUT, f"the request has not the shape it should have: {error!r}"
            )
        return reply

    async def _before(self, vendor: Vendor, fault: Fault) -> Reply:
        troubles = {Do.NO_CREDIT: Trouble.NO_CREDIT, Do.DENY: Trouble.DENIED, Do.REJECT: Trouble.BAD_INPUT}
        if fault.do is Do.ERROR:
            return vendor.problem(Trouble.BROKEN, "internal server error", fault.status)
        if fault.do is Do.BUSY:
            reply = vendor.problem(Trouble.BUSY, "too many requests")
            reply.headers["retry-after"] = str(max(1, round(fault.seconds)))
            return reply
        if fault.do in troubles:
            return vendor.problem(troubles[fault.do], "refused, as the simulator was told to")
        if fault.do is Do.HANG:
            await self.timeline.sleep(fault.seconds)
        if fault.do is Do.REFUSE and self.listener is not None:
            self.listener.shut(fault.seconds)
        return Reply(reset=True)

    async def _after(self, vendor: Vendor, fault: Fault, reply: Reply) -> Reply:
        if fault.do in (Do.SLOW, Do.ACCEPT_THEN_HANG):
            await self.timeline.sleep(fault.seconds)
        if fault.do in _RESETS:
            return Reply(reset=True)
        if fault.do is Do.ACCEPT_THEN_ERROR:
            return vendor.problem(Trouble.BROKEN, "internal server error", fault.status)
        if fault.do is Do.HALF_ANSWER:
            return replace(reply, cut=len(reply.body) // 2)
        if fault.do is Do.GARBAGE:
            return Reply(200, PAGE, {"content-type": "text/html"})
        return reply

    # What vendors ask of it

    def name(self, vendor: Vendor) -> str:
        """A fresh id in the vendor's name: 26 letters and digits."""
        text = f"{vendor.name} {next(self._numbers)} {len(self.book.requests)} {self.timeline.now()}"
        return base64.b32encode(hashlib.sha256(text.encode()).digest())[:26].decode().lower()

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something when so many seconds of the vendors' time have passed."""
        self.courier.later(seconds, act)

    async def until(self, vendor: Vendor, job: Job, seconds: float) -> None:
        """Return when the job is over, or so many seconds of the vendors' time have passed."""
        end = self.timeline.now() + seconds
        while not job.final and (now := self.timeline.now()) < end:
            due = vendor.yard.due()
            await self.timeline.reach(end if due is None else max(min(due, end), now + 1e-6))
            self.settle(vendor)

    def spend(self, vendor: str, amount: int) -> bool:
        """Take this much from a vendor's account, if it has a bottom; False if there is not enough."""
        left = self.credit.get(vendor)
        if left is not None:
            if left < amount:
                return False
            self.credit[vendor] = left - amount
        return True

    def left(self, vendor: Vendor) -> int:
        """What is left in an account; one without a bottom shows a thousand dollars less its charges."""
        charges = (charge for charge in self.book.charges if charge.vendor == vendor.name)
        spent = sum(charge.amount for charge in charges if not charge.returned)
        return self.credit.get(vendor.name, _BALANCE - spent)

    def begin(self, vendor: Vendor, job: Job) -> None:
        """Something was accepted: it is made as time passes."""
        vendor.yard.add(job)
        for name in job.piece.pictures if job.piece else ():
            if name is not None and name.startswith("http"):
                self.courier.fetch(name)
        self.book.write("job", job.written())
        self.timeline.stir()

    def cancel(self, vendor: Vendor, job: Job) -> bool:
        """Stop a job; False if it was over."""
        stopped = vendor.yard.cancel(job, self.timeline.now())
        if stopped:
            if job.phase is Phase.ABORTED:
                self.book.give_back(job.id)
            self._changed(vendor, replace(job))
        return stopped

    def settle(self, vendor: Vendor) -> None:
        """Let the time pass that has passed."""
        for job in vendor.yard.settle(self.timeline.now()):
            self._changed(vendor, job)

    def held(self, url: str) -> str | None:
        """The hash of the file behind an address, if it was uploaded here."""
        upload = self.uploaded(url)
        return upload.name if upload else None

    def uploaded(self, url: str) -> Upload | None:
        """The file behind an address, if it was uploaded here."""
        found = re.match(r"https?://[^/]+/\w+/v1/files/(\w+)", url)
        return self.shelf.uploads.get(found[1]) if found else None

    def keep(self, upload: Upload) -> None:
        """A customer handed over a file."""
        self.shelf.uploads[upload.id] = upload
        self.book.write("upload", asdict(upload))

    def key_of(self, visit: Request, path: str, body: Any) -> str | None:
        """Our key, wherever it travels with a request: also with a picture that was uploaded before."""
        found = trace.find_key(body, visit.query, visit.headers) or trace.find_key(path, {}, {})
        if found is None:
            uploads = filter(None, map(self.uploaded, trace.strings(body)))
            found = trace.find_key([dict(upload.metadata) for upload in uploads], {}, {})
        return found

    def _changed(self, vendor: Vendor, job: Job) -> None:
        if job.phase in (Phase.FAILED, Phase.CENSORED) and not vendor.bills_failures:
            self.book.give_back(job.id)
        self.book.write("job", job.progress())
        notice = vendor.notice(self, job) if job.webhook else None
        if notice is not None:
            self.courier.send(notice)

    async def hasten(self, vendor: Vendor, job: Job) -> None:
        """Finish a job now, and report it before anything else is said."""
        vendor.yard.hasten(job, self.timeline.now())
        self.book.write("job", job.progress())
        notice = vendor.notice(self, replace(job)) if job.webhook else None
        if notice is not None:
            await self.courier.deliver(notice)
