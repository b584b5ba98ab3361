"""Streams of one job share what is heard of it, and lose nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from genlock.api.channel import KEPT, PAGE, Channels
from genlock.engine.views import EventView
from genlock.ledger.records import JobState


class Counted:
    """A service that counts how often it is asked."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self.watched, self.read, self.heard = 0, 0, 0

    async def watch(self, job: str, *, after: int = 0) -> AsyncIterator[EventView]:
        self.watched += 1
        async for event in self._service.watch(job, after=after):
            self.heard += 1
            yield event

    async def events(self, job: str, *, after: int = 0, limit: int = 1000) -> Any:
        self.read += 1
        return await self._service.events(job, after=after, limit=limit)


def numbers(chunks: list[bytes]) -> list[int]:
    return [int(number) for number in re.findall(rb"^id: (\d+)$", b"".join(chunks), flags=re.MULTILINE)]


async def whole(channels: Channels, job: str, after: int = 0, newest: int = 0) -> list[bytes]:
    return [chunk async for chunk in channels.stream(job, after, "/x", newest=newest)]


async def test_hundreds_of_streams_look_once(service: Any) -> None:
    service.add("abc")
    counted = Counted(service)
    channels = Channels(counted)  # type: ignore[arg-type]
    streams = [asyncio.create_task(whole(channels, "abc")) for _ in range(300)]
    await asyncio.sleep(0.01)
    for _ in range(20):
        service.tell("abc", "task.progress", "a")
        await asyncio.sleep(0)
    service.set("abc", state=JobState.COMPLETED)
    found = await asyncio.wait_for(asyncio.gather(*streams), 20)
    assert all(numbers(chunks) == list(range(1, 21)) for chunks in found)
    assert all(chunks[-1].startswith(b"event: end") for chunks in found)
    assert counted.watched == 1


async def test_a_stream_that_begins_later_or_further_on_misses_nothing(service: Any) -> None:
    service.add("abc")
    for _ in range(3):
        service.tell("abc", "task.progress", "a")
    channels = Channels(service)
    first = asyncio.create_task(whole(channels, "abc"))
    await asyncio.sleep(0.01)
    service.tell("abc", "task.progress", "a")
    second, third = (asyncio.create_task(whole(channels, "abc", after)) for after in (0, 3))
    await asyncio.sleep(0.01)
    service.tell("abc", "task.progress", "a")
    service.set("abc", state=JobState.COMPLETED)
    found = [numbers(await asyncio.wait_for(each, 20)) for each in (first, second, third)]
    assert found == [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [4, 5]]


async def test_a_reader_that_falls_far_behind_reads_what_is_not_kept_any_more(service: Any) -> None:
    service.add("abc")
    channels = Channels(service)
    slow = channels.stream("abc", 0, "/x", quiet=0.01)
    await anext(slow)
    fast = asyncio.create_task(whole(channels, "abc"))
    count = KEPT + 100
    for _ in range(count):
        service.tell("abc", "task.progress", "a")
    await asyncio.sleep(0.05)
    service.set("abc", state=JobState.COMPLETED)
    chunks = [chunk async for chunk in slow]
    assert numbers(chunks) == list(range(1, count + 1))
    assert numbers(await asyncio.wait_for(fast, 20)) == list(range(1, count + 1))


async def test_a_long_history_is_read_by_the_page(service: Any) -> None:
    service.add("abc", JobState.COMPLETED)
    count = 2 * PAGE + 5
    for _ in range(count):
        service.tell("abc", "task.progress", "a")
    assert numbers(await whole(Channels(service), "abc")) == list(range(1, count + 1))


async def test_streams_that_begin_at_once_share_what_has_happened_before(service: Any) -> None:
    service.add("abc", JobState.COMPLETED)
    for _ in range(50):
        service.tell("abc", "task.progress", "a")
    counted = Counted(service)
    channels = Channels(counted)  # type: ignore[arg-type]
    found = await asyncio.gather(*(whole(channels, "abc", newest=50) for _ in range(300)))
    assert all(numbers(chunks) == list(range(1, 51)) for chunks in found)
    assert (counted.watched, counted.read) == (1, 0)


async def test_a_channel_does_not_begin_further_back_than_it_keeps(service: Any) -> None:
    service.add("abc", JobState.COMPLETED)
    count = 2 * PAGE + KEPT
    for _ in range(count):
        service.tell("abc", "task.progress", "a")
    counted = Counted(service)
    channels = Channels(counted)  # type: ignore[arg-type]
    assert numbers(await whole(channels, "abc", newest=count)) == list(range(1, count + 1))
    assert counted.heard == KEPT
    assert numbers(await whole(channels, "abc", count - 3, newest=count)) == [count - 2, count - 1, count]
    assert counted.heard == KEPT + 3


async def test_streams_end_when_an_error_that_nobody_expected_ends_their_channel(service: Any) -> None:
    class Broken(Counted):
        async def watch(self, job: str, *, after: int = 0) -> AsyncIterator[EventView]:
            async for event in super().watch(job, after=after):
                yield event
                raise RuntimeError("a secret")

    service.add("abc")
    service.tell("abc", "task.progress", "a")
    channels = Channels(Broken(service))  # type: ignore[arg-type]
    found = await asyncio.wait_for(asyncio.gather(*(whole(channels, "abc") for _ in range(3))), 20)
    for chunks in found:
        assert numbers(chunks) == [1]
        assert chunks[-1].startswith(b"event: problem")
        assert b"secret" not in chunks[-1]


async def test_nothing_is_left_of_a_channel_that_nobody_reads(service: Any) -> None:
    service.add("abc")
    channels = Channels(service)
    lines = channels.stream("abc", 0, "/x", quiet=0.01)
    assert (await anext(lines)).startswith(b":")
    before = {task.get_name() for task in asyncio.all_tasks()}
    await lines.aclose()
    after = {task.get_name() for task in asyncio.all_tasks()}
    assert before - after == {"genlock-channel abc"}
