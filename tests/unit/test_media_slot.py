"""Whose turn it is for a rendering process."""

from __future__ import annotations

import asyncio

import pytest

from genlock.media.slot import Slots


async def use(slots: Slots[str], about: str | None, log: list[str], name: str, gate: asyncio.Event) -> None:
    async with slots.one(about) as slot:
        log.append(f"{name} in {slots.all.index(slot)}")
        await gate.wait()


async def settled() -> None:
    """Everything that can go on has done so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_slots_are_given_in_the_order_in_which_they_are_asked_for() -> None:
    slots, log, gate = Slots[str](1), [], asyncio.Event()
    users = [asyncio.create_task(use(slots, None, log, name, gate)) for name in "abc"]
    await settled()
    assert log == ["a in 0"]
    gate.set()
    await asyncio.gather(*users)
    assert log == ["a in 0", "b in 0", "c in 0"]


async def test_who_asks_about_the_same_comes_first_and_goes_to_the_same_slot() -> None:
    slots, log = Slots[str](2), []
    gates = {name: asyncio.Event() for name in ("sea", "town", "sea again", "wood")}
    users = [
        asyncio.create_task(use(slots, name.split()[0], log, name, gates[name]))
        for name in ("sea", "town", "wood", "sea again")
    ]
    await settled()
    (first,) = [line for line in log if line.startswith("sea in")]
    gates["sea"].set()
    await settled()
    assert log[-1] == first.replace("sea", "sea again"), "the wood was asked for before, but is another thing"
    gates["town"].set()
    await settled()
    assert log[-1].startswith("wood in"), "no slot waits for what it was last used for"
    gates["sea again"].set()
    gates["wood"].set()
    await asyncio.gather(*users)


async def test_a_free_slot_that_was_used_for_the_same_is_chosen_before_the_one_used_last() -> None:
    slots: Slots[str] = Slots(2)
    async with slots.one("sea") as sea, slots.one("town") as town:
        pass
    async with slots.one("town"), slots.one("sea") as again:
        assert again is sea
    async with slots.one("town") as there:
        assert there is town


async def test_a_slot_given_to_one_who_is_called_off_goes_to_the_next() -> None:
    slots, log, gate = Slots[str](1), [], asyncio.Event()
    gate.set()
    async with slots.one():
        waiting = [asyncio.create_task(use(slots, None, log, name, gate)) for name in "abc"]
        await settled()
        waiting[0].cancel()
    waiting[1].cancel()  # in the moment in which it was given the slot
    await asyncio.gather(*waiting, return_exceptions=True)
    assert log == ["c in 0"]
    await asyncio.wait_for(slots.unused(), 20)


async def test_an_error_gives_the_slot_back() -> None:
    slots: Slots[str] = Slots(1)
    with pytest.raises(LookupError):
        async with slots.one():
            raise LookupError
    async with slots.one():
        assert slots.free == []
    assert slots.free == slots.all
