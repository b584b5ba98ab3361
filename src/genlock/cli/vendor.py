"""What `genlock doctor` says of providers: who is to make what, and whether their keys work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from genlock.errors import GenlockError

if TYPE_CHECKING:
    from genlock.settings import Settings


def ask_providers(settings: Settings) -> Iterator[tuple[str, bool, str]]:
    """Of each kind of work: its name, whether it can be done, and what was found. Costs nothing."""
    yield from asyncio.run(_ask(settings))


async def _ask(settings: Settings) -> list[tuple[str, bool, str]]:
    from genlock.clock import SystemClock
    from genlock.providers.catalog import Kind
    from genlock.providers.probe import probe
    from genlock.providers.registry import Providers
    from genlock.store.local import LocalStore

    clock = SystemClock()
    providers = Providers(settings, LocalStore(settings.store), clock)
    found: list[tuple[str, bool, str]] = []
    try:
        for kind in Kind:
            try:
                chain = providers.chain(kind)
                said = [await probe(adapter) for adapter in chain]
            except GenlockError as error:
                found.append((kind, False, str(error)))
            else:
                found.append((kind, True, "; ".join(said) or "local: nothing is bought"))
    finally:
        await providers.close()
    return found
