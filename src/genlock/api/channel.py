"""A job's events for any number of streams: looked for once, and put on the wire once.

The first stream of a job opens its channel, the last one closes it. A channel watches the job and keeps what
came last, as it goes over the wire, from where the first stream begins if that is not too far behind; a
stream that is further behind reads the ledger until it has caught up. However many streams there are, an
event costs one look at the ledger, and whether their readers may still see it one question for all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress

import structlog
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from genlock.access.access import Access
from genlock.access.identity import ANYBODY, Identity
from genlock.access.presence import Guest, Presence
from genlock.api.wire import END, PROBLEM, QUIET, UNEXPECTED, problem_of
from genlock.engine.service import JobService
from genlock.engine.views import EventView
from genlock.errors import BadInput, GenlockError

log = structlog.get_logger(__name__)
KEPT = 512  # events of a job, for streams that fall behind
PAGE = 1000  # events read at a time by a stream that catches up
LAST = 1 << 53  # a number that no event has, and that everybody's numbers can hold
ENDED = format_sse_event(event=END, data_str="{}")


class Channel:
    """What is heard of one job from an event on. `first` is the number of the eldest event that is kept."""

    def __init__(self, service: JobService, job: str, after: int) -> None:
        self.first, self.last = after + 1, after
        self.ended = False
        self.error: GenlockError | None = None
        self.streams = 0
        self._lines: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._hear(service, job), name=f"genlock-channel {job}")

    async def _hear(self, service: JobService, job: str) -> None:
        try:
            async for event in service.watch(job, after=self.last):
                self._keep(event)
            self.ended = True
        except GenlockError as error:
            self.error = error
        except Exception:
            log.exception("a job can be listened to no more", job=job)
            self.error = GenlockError(UNEXPECTED)  # streams end and come again, instead of waiting for ever
        self._tell()

    def _keep(self, event: EventView) -> None:
        self._lines.append(line_of(event))
        self.last = event.seq
        if len(self._lines) > KEPT:
            self._lines.popleft()
        self.first = self.last - len(self._lines) + 1
        self._tell()

    def _tell(self) -> None:
        """Wake all streams, whatever it is that they have to see."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    def behind(self, after: int) -> list[bytes]:
        """What is kept of the events after this one, which must not lie before `first`."""
        missing = self.last - after
        return list(self._lines)[-missing:] if missing > 0 else []

    @property
    def over(self) -> bool:
        """Whether nothing more will be heard."""
        return self.ended or self.error is not None

    async def wait(self, after: int, seconds: float) -> bool:
        """Return when there is more than this event, or nothing more will come; False after so long."""
        news = self._news
        if self.last > after or self.over:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await news.wait()
        return False

    async def close(self) -> None:
        """Hear no more."""
        self._task.cancel()
        await asyncio.wait([self._task])


class Channels:
    """The channels of a process, and the streams that read them. `stop` ends all streams at once; one whose
    reader may not see it any more (`access` knows) ends with a problem.
    """

    def __init__(self, service: JobService, access: Access | None = None) -> None:
        self._service = service
        self._open: dict[str, Channel] = {}
        self._presence = Presence(access, self._wake)
        self.stopping = False

    def stop(self) -> None:
        """End every stream without a word: their readers come again, here or elsewhere."""
        self.stopping = True
        self._wake()

    def _wake(self) -> None:
        for channel in self._open.values():
            channel._tell()  # noqa: SLF001 - the same module

    async def stream(
        self,
        job: str,
        after: int,
        instance: str,
        who: Identity = ANYBODY,
        *,
        newest: int = 0,
        quiet: float = QUIET,
    ) -> AsyncGenerator[bytes]:
        """A job's events on the wire behind this one, to its end (`end`), or until this process stops.

        `newest` is the number of an event that is there already, the last one if that is known.
        """
        try:
            with self._presence.stay(who) as guest:
                async with (
                    self._channel(job, max(after, newest - KEPT)) as channel,
                    aclosing(self._follow(channel, guest, job, after, quiet)) as told,
                ):
                    async for chunk in told:
                        yield chunk
        except GenlockError as error:
            problem = problem_of(error, instance)
            yield format_sse_event(event=PROBLEM, data_str=problem.model_dump_json(by_alias=True))

    async def _follow(
        self, channel: Channel, guest: Guest, job: str, after: int, quiet: float
    ) -> AsyncGenerator[bytes]:
        while not self.stopping:
            guest.check()
            if after + 1 < channel.first:
                lines, after = await self._catch_up(job, after)
            else:
                lines, after = channel.behind(after), max(after, channel.last)
            if lines:
                yield b"".join(lines)
            elif channel.error is not None:
                raise channel.error
            elif channel.ended:
                yield ENDED
                return
            else:
                if not await channel.wait(after, quiet):
                    yield KEEPALIVE_COMMENT

    async def _catch_up(self, job: str, after: int) -> tuple[list[bytes], int]:
        events = await self._service.events(job, after=after, limit=PAGE)
        return [line_of(event) for event in events], events[-1].seq if events else after

    @asynccontextmanager
    async def _channel(self, job: str, after: int) -> AsyncGenerator[Channel]:
        channel = self._open.get(job)
        if channel is None or channel.over:
            channel = self._open[job] = Channel(self._service, job, after)
        channel.streams += 1
        try:
            yield channel
        finally:
            channel.streams -= 1
            if not channel.streams:
                if self._open.get(job) is channel:
                    del self._open[job]
                await channel.close()


def line_of(event: EventView) -> bytes:
    """An event on the wire."""
    return format_sse_event(
        event=event.kind, id=str(event.seq), data_str=event.model_dump_json(by_alias=True)
    )


def last_seen(header: str | None) -> int | None:
    """The number in a Last-Event-ID header."""
    if header is None or header == "":
        return None
    if not (header.isascii() and header.isdigit() and len(header) <= len(str(LAST))):
        raise BadInput(f"Last-Event-ID is the number of an event, not {header[:100]!r}")
    return min(int(header), LAST)
