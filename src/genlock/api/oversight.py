"""What those who run the service look at: its figures, whether it can work, and traces."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from genlock.api.metrics import Metrics
from genlock.api.readiness import Check, Readiness, Unready
from genlock.media.check.trial import TryEncoder
from genlock.trace import Tracer

if TYPE_CHECKING:
    from genlock.bootstrap import Home
    from genlock.telemetry import Telemetry

ENCODER_FOR = timedelta(minutes=10)  # that an encoder which has started is believed to start again
ENCODER_WITHIN = 60.0  # seconds in which a process may have to be started first, on a machine that is busy
SENT_WITHIN = 3.0  # seconds in which the last traces are sent
SEGMENT = "render_segment"  # the operation that film is made by


@dataclass(frozen=True)
class Oversight:
    """Of one home. `metrics_token` lets somebody read the figures who has no other token."""

    metrics: Metrics
    readiness: Readiness
    tracer: Tracer | None = None
    metrics_token: str | None = None

    def may_read(self, shown: str | None) -> bool:
        """Whether this is the token for figures alone."""
        if self.metrics_token is None or shown is None:
            return False
        return hmac.compare_digest(shown.encode(), self.metrics_token.encode())


@asynccontextmanager
async def oversee(home: Home) -> AsyncIterator[Oversight]:
    """Count, look and trace for as long as this lasts."""
    settings, clock = home.settings, home.engine.clock
    metrics = Metrics(clock)
    metrics.attach(home.engine, home.ledger, home.recovery.tasks)

    def rendered(operation: str, seconds: float, answer: Mapping[str, Any]) -> None:
        metrics.rendered(operation, seconds, answer.get("frames") if operation == SEGMENT else None)

    home.pool.heard = rendered
    telemetry = _telemetry(settings.otlp_endpoint)
    home.engine.attempts.tracer = telemetry
    token = settings.metrics_token.get_secret_value() if settings.metrics_token else None
    try:
        yield Oversight(metrics, Readiness(_checks(home), clock), telemetry, token)
    finally:
        home.engine.attempts.tracer = None
        if telemetry is not None:
            await asyncio.wait([asyncio.create_task(asyncio.to_thread(telemetry.close))], timeout=SENT_WITHIN)


def _telemetry(endpoint: str | None) -> Telemetry | None:
    if endpoint is None:
        return None
    from genlock.telemetry import Telemetry

    return Telemetry(endpoint)


def _checks(home: Home) -> Mapping[str, Check]:
    async def ledger() -> str:
        await home.engine.reader.outlook()
        return "answers"

    async def disk() -> str:
        free, reserve = await asyncio.to_thread(home.store.free_share), home.settings.disk_reserve
        if free < reserve:
            raise Unready(f"{free:.1%} is free and {reserve:.0%} is left to others: rendering waits for room")
        return f"{free:.1%} free"

    async def encoder() -> str:
        made = await home.pool.run("try_encoder", TryEncoder())
        return f"{made.size} bytes of film and sound were made"

    async def broker() -> str:
        return "none: tasks run in this process"

    return {
        "ledger": Check(ledger),
        "disk": Check(disk),
        "encoder": Check(encoder, ENCODER_FOR, ENCODER_WITHIN),
        "broker": Check(broker),
    }
