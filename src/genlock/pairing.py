"""Which store belongs to a ledger that several servers share: films must be where the ledger says they are.

A ledger that is a file has its store beside it, in one home, and nothing needs to be said. One on a database
server may be opened from many homes: the first of them binds its store to it, and all others must have the
same. A store belongs to one ledger, or what is of use to another would be cleaned away.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from genlock.errors import BadInput, OwnerError
from genlock.settings import Settings
from genlock.store.local import LocalStore


class Bound(Protocol):
    """The part of a ledger that this needs."""

    async def bind_store(self, id: str, place: str, *, free: bool) -> tuple[str, str] | None: ...


def check_store(settings: Settings) -> None:
    """`BadInput` for a store elsewhere whose ledger is in the home: it would be found by that home alone."""
    if settings.store_dir is not None and settings.database_url is None:
        raise BadInput(
            "GENLOCK_STORE_DIR is for servers that share a ledger: set GENLOCK_DATABASE_URL too, or unset it"
        )
    if settings.store_dir is not None and not settings.store_dir.is_absolute():
        raise BadInput(f"GENLOCK_STORE_DIR is {settings.store_dir}: name the folder by its whole path")


async def store_of(settings: Settings, ledger: Bound) -> LocalStore:
    """The store, bound to its ledger or seen to be the one. `OwnerError` says which one it should be."""
    store = LocalStore(settings.store)
    if settings.database_url is not None:
        await _pair(ledger, store)
    return store


async def _pair(ledger: Bound, store: LocalStore) -> None:
    mine, taken = await asyncio.to_thread(store.identify)  # taken: its ledger has it in its row since before
    here = f"{store.root} on {socket.gethostname()}"
    found = await ledger.bind_store(mine, here, free=not taken)
    if found is None:
        raise OwnerError(
            f"the files in {here} are those of another ledger than GENLOCK_DATABASE_URL names, which is new: "
            "name that ledger's database, or begin with a store of its own (another GENLOCK_HOME, or another "
            "GENLOCK_STORE_DIR)"
        )
    theirs, place = found
    if theirs != mine:
        raise OwnerError(
            f"the ledger that GENLOCK_DATABASE_URL names keeps its files in {place}, and {here} is another "
            "store: servers that share a ledger share its store. Set GENLOCK_STORE_DIR on all of them to one "
            "folder that all of them reach, with the files of that store in it; or give this home a database "
            "of its own"
        )
    if not taken:
        await asyncio.to_thread(store.bound)
