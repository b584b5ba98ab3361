"""Bodies at work: each ends by itself, because its time is over, or because it is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from genlock.errors import AttemptTimeout, StageError


class _Watched:
    """A body under a time limit, and why it was cancelled, if it was."""

    __slots__ = ("late", "stopped", "until")

    def __init__(self, until: float) -> None:
        self.until, self.late, self.stopped = until, False, False


class Bodies:
    """Runs bodies in the tasks of their attempts, all their time limits under one timer.

    A timer each, and a task each around the body, would cost more than many a body does.
    """

    def __init__(self) -> None:
        self._watched: dict[asyncio.Task[Any], _Watched] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, body: Coroutine[Any, Any, Any], limit: timedelta, name: object) -> Any:
        """What a body comes to, in the present task. `AttemptTimeout` if it took longer than `limit`.

        A body may do what it likes to itself: only this attempt's own limit is an `AttemptTimeout`, and
        only `stop` ends in a `CancelledError`, whatever the body raises or returns then.
        """
        task = asyncio.current_task()
        assert task is not None
        mine = self._watch(task, limit.total_seconds())
        try:
            return await body
        except SystemExit as error:  # a task lets it through to the event loop, and the process would end
            raise StageError(f"the stage tried to end the process with {error.code!r}") from error
        except asyncio.CancelledError as error:
            if mine.late and not mine.stopped:
                raise AttemptTimeout(f"{name} took longer than {limit}") from error
            if mine.stopped or _everything_ends(task):
                raise
            what = "something that the stage waited for was cancelled, though the stage was not"
            raise StageError(what) from error
        finally:
            del self._watched[task]
            if mine.stopped:
                raise asyncio.CancelledError
            if mine.late:
                task.uncancel()

    def stop(self, task: asyncio.Task[Any]) -> None:
        """Cancel an attempt's task, once: told again while it tidies up, a body would leave that undone."""
        mine = self._watched.get(task)
        if mine is None:
            task.cancel()
        elif not mine.stopped:
            mine.stopped = True
            task.cancel()

    def _watch(self, task: asyncio.Task[Any], seconds: float) -> _Watched:
        loop = task.get_loop()
        mine = self._watched[task] = _Watched(loop.time() + seconds)
        if self._timer is None or self._timer.when() > mine.until:
            self._set_timer(loop, mine.until)
        return mine

    def _set_timer(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(until, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel those whose time is over, and wake up for the next one."""
        self._timer = None
        now = loop.time()
        for task, one in self._watched.items():
            if one.until <= now and not one.late:
                one.late = True
                task.cancel()
        waiting = [one.until for one in self._watched.values() if not one.late]
        if waiting:
            self._set_timer(loop, min(waiting))


def _everything_ends(mine: asyncio.Task[Any]) -> bool:
    """Whether the event loop is being taken down, which cancels all there is; nothing was stopped then."""
    return bool(mine.cancelling()) and all(task.cancelling() for task in asyncio.all_tasks())
