"""Whether a provider can be used: one question to the vendor that costs nothing."""

from __future__ import annotations

from typing import Any

from genlock.providers.adapter import VendorAdapter


async def probe(adapter: VendorAdapter[Any]) -> str:
    """What the vendor said of the key, in a line. `Permanent` if it refuses it, `Transient` if it is not
    there.
    """
    return f"{adapter.name}: {await adapter.probe()}"
