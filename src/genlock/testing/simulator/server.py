"""One simulator's event loop: its door, its vendors, its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from genlock.testing.simulator import desk
from genlock.testing.simulator.timeline import Timeline
from genlock.testing.simulator.vendor import Vendor
from genlock.testing.simulator.vendors.elevenlabs import Elevenlabs
from genlock.testing.simulator.vendors.fal import Fal
from genlock.testing.simulator.vendors.google import Google
from genlock.testing.simulator.vendors.kling import Kling
from genlock.testing.simulator.vendors.luma import Luma
from genlock.testing.simulator.vendors.openai import Openai
from genlock.testing.simulator.vendors.replicate import Replicate
from genlock.testing.simulator.vendors.runway import Runway
from genlock.testing.simulator.vendors.xai import Xai
from genlock.testing.simulator.wire import Listener, Reply, Request
from genlock.testing.simulator.world import World

VENDORS: tuple[type[Vendor], ...] = (
    Kling, Replicate, Runway, Xai, Elevenlabs, Fal, Luma, Google, Openai,
)  # fmt: skip


async def serve(
    port: int, state: Path | None, ready: Callable[[World, int], None], stop: asyncio.Event
) -> None:
    """Answer until `stop`; `ready` is told the world and its port. `OSError` if the port is taken."""
    world = World({kind.name: kind() for kind in VENDORS}, Timeline())

    async def answer(request: Request) -> Reply:
        if request.path.startswith("/_"):
            return desk.answer(world, request)
        return await world.answer(request)

    if state is not None:
        world.keep_in(state)
    world.listener = listener = Listener(answer, port)
    await listener.start()
    passing = asyncio.create_task(world.run())
    try:
        ready(world, listener.port)
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, passing}, return_when=asyncio.FIRST_COMPLETED)
        if passing.done():
            passing.result()
    finally:
        passing.cancel()
        with suppress(asyncio.CancelledError):
            await passing
        await listener.stop()
        await world.stop()
