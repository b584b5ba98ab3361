"""What a provider has made: fetched, looked into, kept, and read back from the ledger."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genlock.clock import Clock
from genlock.engine.codec import canonical
from genlock.errors import Permanent, Transient
from genlock.ledger.payments import PaymentsReader
from genlock.ledger.spending import CallRow, Settlement, fetched_id
from genlock.money import Money
from genlock.paid import Adapter, Answer, Broke, Made, Remote, Verify
from genlock.store.artifact import Artifact, Store

DOWNLOADS = 3  # of a file that turns out broken: a connection may have been cut without an error
BETWEEN = 1.0  # seconds


async def was_fetched(reader: PaymentsReader, row: CallRow) -> bool:
    """Whether the vendor came for a picture of this very request: then it has it, whatever its list says."""
    told = fetched_id(row.key, row.sends)
    return any(each.id.startswith(told) for each in await reader.deliveries(key=row.key))


@dataclass(frozen=True)
class Keeper:
    """Takes what providers made into the store. `work` is the folder for files on their way."""

    store: Store
    clock: Clock
    work: Path

    async def fetch(self, adapter: Adapter[Any], row: CallRow, made: Made, verify: Verify | None) -> str:
        """Download all files of a result: their references and facts as JSON.

        `Transient` if it may still work later, `NotFound` if a file is gone, `Permanent` if a file is there
        but is not what was asked for.
        """
        files: list[Artifact] = []
        facts = dict(made.facts)
        for remote in made.files:
            artifact, found = await self._file(adapter, row, remote, verify)
            files.append(artifact)
            facts.update(found)
        return canonical({"files": [file.model_dump(mode="json") for file in files], "facts": facts})

    async def _file(
        self, adapter: Adapter[Any], row: CallRow, remote: Remote, verify: Verify | None
    ) -> tuple[Artifact, Mapping[str, Any]]:
        self.work.mkdir(parents=True, exist_ok=True)
        for left in reversed(range(DOWNLOADS)):
            with tempfile.TemporaryDirectory(prefix=f"call-{row.key[-8:]}-", dir=self.work) as folder:
                path = Path(folder) / "file"
                await self._download(adapter, remote, path)
                try:
                    facts = await verify(path, remote.media_type) if verify else {}
                except Permanent:
                    if not left or remote.url is None:
                        raise
                else:
                    return await self.store.put(path, remote.media_type, move=True), facts
            await self.clock.sleep(BETWEEN)
        raise AssertionError("the last download answers or raises")

    async def _download(self, adapter: Adapter[Any], remote: Remote, path: Path) -> None:
        if remote.data is not None:
            await asyncio.to_thread(path.write_bytes, remote.data)
        else:
            await adapter.download(remote, path)
        if (await asyncio.to_thread(path.stat)).st_size == 0:
            raise Transient(f"{remote.name} came without a single byte")


def recorded(row: CallRow) -> Answer:
    """The answer of a settled call."""
    kept = json.loads(row.result or "{}")
    files = [Artifact.model_validate(file) for file in kept.get("files", ())]
    return Answer(files, kept.get("facts", {}), Money(row.spent, row.currency), row.adapter)


def failed(row: CallRow, broke: Broke) -> Settlement:
    """How a call ends that the provider accepted and made nothing of: free of charge unless it says so."""
    cost = broke.cost or Money(0, row.currency)
    return Settlement(False, cost, broke.cost is None, reason=broke.reason)


def request_hash(request: str) -> str:
    """By which two requests are told apart."""
    return hashlib.sha256(request.encode()).hexdigest()
