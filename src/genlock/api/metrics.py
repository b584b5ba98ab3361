"""What Prometheus is told: the only door to its library, with a registry of its own.

Counters follow the events that this process commits, told by the ledger after each commit, so that nothing
has to be looked through; gauges are a census, taken when somebody asks and kept for a moment. No name of
a job, task or person is ever a label.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from genlock.clock import Clock
from genlock.engine.engine import Engine
from genlock.errors import NotFound
from genlock.ledger.census import Census, Said, Watched

KEEP = 2.0  # seconds that a census is good for
REMEMBERED = 10_000  # open calls whose vendor is known, and outcomes whose labels are looked up when asked
UNKNOWN = "unknown"  # a label of what was forgotten before anybody asked
MILLION = 1_000_000
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # of an answer
LONG = (0.01, 0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)  # of an attempt
SPEEDS = (1, 5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 240)  # frames a second
STATES = ("pending", "running", "waiting", "paused")
CALLS = ("intended", "accepted", "doubt")
ENDS = {"job.completed": "completed", "job.failed": "failed", "job.cancelled": "cancelled"}
ATTEMPTS = {
    "task.done": "done",
    "task.skipped": "skipped",
    "task.parked": "parked",
    "task.snoozed": "snoozed",
    "task.spread": "spread",
    "task.nested": "nested",
    "task.released": "released",
    "task.reclaimed": "reclaimed",
}
TASKS = {"task.done": "done", "task.kept": "kept", "task.skipped": "skipped"}
OVER = ("settled", "failed", "released")  # a call, for good or until it is intended anew
LATE = "AttemptTimeout"


class Metrics:
    """All that is counted in this process. `attach` it to what is counted, once."""

    def __init__(self, clock: Clock) -> None:
        # A second series for each, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._clock = clock
        self._engine: Engine | None = None
        self._ledger: Watched | None = None
        self._taken = float("-inf")
        self._lock = threading.Lock()  # the ledger's thread tells, the event loop asks
        self._vendors: OrderedDict[str, str] = OrderedDict()  # of open calls by key
        self._ended: deque[tuple[str, str]] = deque()  # jobs and what they came to
        self._decided: deque[tuple[str, str]] = deque()  # calls whose vendor is not known here
        self._make()

    def _make(self) -> None:
        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"genlock_{name}", what, labels, registry=self.registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"genlock_{name}", what, labels, registry=self.registry)

        def histogram(name: str, what: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"genlock_{name}", what, labels, registry=self.registry, buckets=buckets)

        self._created = counter("jobs_started", "Jobs that were started, nested ones too.", "pipeline")
        self._jobs = counter("jobs", "Jobs that have ended.", "executor", "outcome")
        self._tasks = counter("tasks", "Tasks that have ended.", "stage", "outcome")
        self._attempts = counter("attempts", "What tries at tasks came to.", "stage", "outcome")
        self._seconds = histogram(
            "attempt_seconds", "How long tries took that came to a result.", LONG, "stage"
        )
        self._recoveries = counter("recoveries", "Tasks taken back from a process that was gone.", "stage")
        self._late = counter("time_outs", "Tries that took longer than their stage allows.", "stage")
        self._deadlines = counter("deadlines_passed", "Jobs that were not finished by their deadline.")
        self._calls = counter("calls", "What became of requests that cost money.", "vendor", "outcome")
        self._fps = histogram("render_fps", "Frames a second while a piece of film was rendered.", SPEEDS)
        self._frames = counter("render_frames", "Frames that were rendered.")
        self._rendering = counter(
            "render_seconds", "Seconds that rendering processes were at work.", "operation"
        )
        self._requests = counter("http_requests", "Requests that were answered.", "method", "route", "status")
        self._answers = histogram(
            "http_request_seconds", "How long answers took.", SECONDS, "method", "route"
        )
        self.streams = gauge("http_streams", "Event streams that are open.")
        self._open = gauge("jobs_open", "Jobs that are not finished, in the whole ledger.", "state")
        self._ready = gauge("tasks_ready", "Tasks that wait for a process, in the whole ledger.")
        self._age = gauge("queue_age_seconds", "How long the first of them has waited.")
        self._open_calls = gauge("calls_open", "Requests that cost money and are not over.", "state")
        self._spent = gauge("money_spent", "Spent on requests, in units of the currency.", "currency")
        self._reserved = gauge("money_reserved", "Reserved for requests under way.", "currency")
        self._doubt = gauge("money_in_doubt", "The part of it that nobody knows the fate of.", "currency")

    def attach(self, engine: Engine, ledger: Watched, recovered: Sequence[Any] = ()) -> None:
        """Count what this ledger commits from now on, and what was `recovered` when it was opened (tasks)."""
        self._engine, self._ledger = engine, ledger
        for ref in recovered:
            self._recoveries.labels(ref.node).inc()
        ledger.listen(self._hear)

    # -- told by others --------------------------------------------------------------------------------

    def answered(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """A request was answered; a stream, which lasts as long as its reader likes, has no `seconds`."""
        self._requests.labels(method, route, str(status)).inc()
        if seconds is not None:
            self._answers.labels(method, route).observe(seconds)

    def rendered(self, operation: str, seconds: float, frames: int | None) -> None:
        """A rendering process has done something, and how many frames of film came of it."""
        self._rendering.labels(operation).inc(seconds)
        if frames and seconds > 0:
            self._frames.inc(frames)
            self._fps.observe(frames / seconds)

    def _hear(self, said: Sequence[tuple[str, int, int, str, str | None, str]]) -> None:
        for each in said:
            told = Said(*each)
            family = told.kind.partition(".")[0]
            if family == "task":
                self._hear_task(told)
            elif family == "job":
                self._hear_job(told)
            elif family == "call":
                self._hear_call(told)

    def _hear_task(self, told: Said) -> None:
        stage = (told.task or "").partition("/")[0]
        if told.kind in TASKS:
            self._tasks.labels(stage, TASKS[told.kind]).inc()
        if told.kind in ATTEMPTS:
            self._attempts.labels(stage, ATTEMPTS[told.kind]).inc()
        if told.kind == "task.done" and (seconds := json.loads(told.data).get("seconds")) is not None:
            self._seconds.labels(stage).observe(seconds)
        elif told.kind == "task.reclaimed":
            self._recoveries.labels(stage).inc()
        elif told.kind == "task.failed":
            data = json.loads(told.data)
            self._attempts.labels(stage, "failed" if data.get("final") else "retried").inc()
            if data.get("final"):
                self._tasks.labels(stage, "failed").inc()
            if data.get("kind") == LATE:
                self._late.labels(stage).inc()

    def _hear_job(self, told: Said) -> None:
        if told.kind in ENDS:
            _push(self._ended, (told.job, ENDS[told.kind]), self._jobs)
        elif told.kind == "job.created":
            self._created.labels(json.loads(told.data)["pipeline"]).inc()
        elif told.kind == "job.deadline" and json.loads(told.data).get("passed"):
            self._deadlines.inc()

    def _hear_call(self, told: Said) -> None:
        data = json.loads(told.data)
        key, outcome = data.get("call", ""), told.kind.partition(".")[2]
        with self._lock:
            vendor = data.get("vendor") or self._vendors.get(key)
            if vendor is None or outcome in OVER:
                self._vendors.pop(key, None)
            else:
                self._vendors[key] = vendor
            while len(self._vendors) > REMEMBERED:
                self._vendors.popitem(last=False)
        if vendor is not None:
            self._calls.labels(vendor, outcome).inc()
        else:
            _push(self._decided, (key, outcome), self._calls)

    # -- asked by Prometheus ---------------------------------------------------------------------------

    async def text(self) -> bytes:
        """Everything in Prometheus' own format."""
        await asyncio.gather(self._name_jobs(), self._name_calls(), self._look())
        return generate_latest(self.registry)

    async def _look(self) -> None:
        if self._ledger is not None and self._clock.monotonic() - self._taken >= KEEP:
            self._taken = self._clock.monotonic()
            self._show(await self._ledger.census())

    def _show(self, census: Census) -> None:
        for state in STATES:
            self._open.labels(state).set(census.open_jobs.get(state, 0))
        for state in CALLS:
            self._open_calls.labels(state).set(census.open_calls.get(state, 0))
        self._ready.set(census.ready)
        self._age.set(census.queue_age / timedelta(seconds=1))
        for gauge, amounts in (
            (self._spent, census.spent),
            (self._reserved, census.reserved),
            (self._doubt, census.doubt),
        ):
            for currency in census.spent.keys() | census.reserved.keys():
                gauge.labels(currency).set(amounts.get(currency, 0) / MILLION)

    async def _name_jobs(self) -> None:
        """By which executor the jobs ran that have ended since."""
        while self._ended and self._engine is not None:
            job, outcome = self._ended.popleft()
            try:
                executor = (await self._engine.reader.job(job)).executor
            except NotFound:
                executor = UNKNOWN
            self._jobs.labels(executor, outcome).inc()

    async def _name_calls(self) -> None:
        """Whose calls those were that a process before this one had begun."""
        while self._decided and self._engine is not None:
            key, outcome = self._decided.popleft()
            try:
                vendor = (await self._engine.reader.call(key)).vendor
            except NotFound:
                vendor = UNKNOWN
            self._calls.labels(vendor, outcome).inc()


def _push(waiting: deque[tuple[str, str]], one: tuple[str, str], counted: Counter) -> None:
    """To be named when somebody asks. If nobody does for long, the first is counted without a name."""
    waiting.append(one)
    if len(waiting) > REMEMBERED:
        _, outcome = waiting.popleft()
        counted.labels(UNKNOWN, outcome).inc()
