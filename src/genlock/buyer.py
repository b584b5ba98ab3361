"""What a home buys with: paid calls under its caps, and what stages are handed."""

from __future__ import annotations

from functools import partial
from typing import Any

from genlock.clock import Clock
from genlock.engine.answer import Keeper
from genlock.engine.calls import Calls, Terms
from genlock.engine.purse import Caps, Purse
from genlock.ledger.payments import Payments
from genlock.ledger.protocol import LedgerReader
from genlock.media.pool import RenderPool
from genlock.pipelines.quote import Quotes
from genlock.pipelines.roster import Roster
from genlock.pipelines.script import Scripts
from genlock.pipelines.studio import Studio
from genlock.providers.catalog import Kind, Model
from genlock.providers.registry import Providers
from genlock.settings import Settings
from genlock.store.artifact import Store

HOOKS = "/api/v3/hooks"  # where providers report to, below the public URL


def paid_calls(
    settings: Settings,
    ledger: Payments,
    reader: LedgerReader,
    store: Store,
    clock: Clock,
    providers: Providers,
) -> Calls:
    """What makes paid calls on this ledger, as the settings have it."""
    caps = Caps(
        call=settings.cap_call,
        job=settings.cap_job,
        user=settings.cap_user,
        schedule=settings.cap_schedule,
        day=settings.cap_day,
    )
    return Calls(
        ledger,
        reader,
        Keeper(store, clock, settings.work),
        Purse(reader, clock, caps),
        adapters=providers.adapter,
        vendors=providers.of_vendor,
        clock=clock,
        terms=Terms(settings.settle_window, partial(webhook, settings.public_url)),
    )


def webhook(public_url: str | None, vendor: str, key: str) -> str | None:
    """Where a vendor may report what became of a call; nowhere if nobody can reach this server."""
    return None if public_url is None else f"{public_url}{HOOKS}/{vendor}?key={key}"


def faces(providers: Providers, studio: Studio, *, used: bool = True) -> dict[Any, object]:
    """What stages are handed that costs money, each looking into what it has bought."""
    from genlock.providers.tool import tools

    checks = dict.fromkeys((Kind.VIDEO, Kind.MUSIC, Kind.SPEECH), studio.verify)
    return dict(tools(providers, checks, used=used))


def handed(
    settings: Settings, pool: RenderPool, store: Store, clock: Clock, providers: Providers, *, used: bool
) -> dict[Any, object]:
    """What stages are handed, by the annotation that asks for it; what costs money only if it is `used`."""
    studio = Studio(pool, store, clock, reserve=settings.disk_reserve)
    scripts = Scripts(Roster(settings), store)
    return {Studio: studio, Scripts: scripts, **faces(providers, studio, used=used)}


def price_list(providers: Providers, reader: LedgerReader, clock: Clock) -> Quotes:
    """What orders would cost with the providers that they would buy from."""

    def models(said: str | None) -> list[Model]:
        return [adapter.model for adapter in providers.chain(Kind.VIDEO, said)]

    return Quotes(models, reader, clock)
