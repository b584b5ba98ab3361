"""Pictures lent to vendors: whoever knows the address of a live request's picture may fetch it, nobody else.

The address has the request's key in it, which only we and the vendor know. So a fetch is a proof that the
vendor has the request, and is written down as one: such a request is never sent again without a person.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from genlock.errors import NotFound
from genlock.ledger.payments import Payments, PaymentsReader
from genlock.ledger.spending import CallRow, CallState, Delivery, fetched_id
from genlock.providers.picture import ENDINGS
from genlock.store.artifact import Artifact, Store

LIVE = frozenset({CallState.INTENDED, CallState.ACCEPTED, CallState.DOUBT})
_NAME = re.compile(r"([0-9a-f]{64})\.([a-z]{3,4})")


class Lending:
    """Finds the pictures of paid calls that are under way."""

    def __init__(self, ledger: Payments, reader: PaymentsReader, store: Store) -> None:
        self._ledger, self._reader, self._store = ledger, reader, store

    async def lend(self, key: str, name: str) -> tuple[Artifact, Path]:
        """The picture of this name, as `SHA256.jpg`, of the live call with this key. `NotFound` otherwise."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise NotFound(f"there is no picture {name!r}")
        call = await self._reader.call(key)
        picture = next((each for each in _pictures(call) if each.sha256 == found[1]), None)
        if call.state not in LIVE or picture is None or ENDINGS.get(picture.media_type) != found[2]:
            raise NotFound(f"there is no picture {name!r}")
        return picture, await self._store.path(picture)

    async def note(self, key: str, picture: Artifact) -> bool:
        """Write down that the vendor has fetched it; whether that is news."""
        call = await self._reader.call(key)
        told = fetched_id(call.key, call.sends, picture.sha256)
        return await self._ledger.deliver(Delivery(call.vendor, told, "{}", call.key))


def _pictures(call: CallRow) -> Iterator[Artifact]:
    """All files that a request names."""
    left: list[Any] = [json.loads(call.request)]
    while left:
        value = left.pop()
        if isinstance(value, dict) and "sha256" in value:
            try:
                yield Artifact.model_validate(value)
            except ValidationError:
                continue
        elif isinstance(value, dict | list):
            left += value.values() if isinstance(value, dict) else value
