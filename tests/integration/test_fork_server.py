"""The warm process that rendering children are forked from: what becomes of them, of it, and of who asks."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from genlock.errors import NoRenderer, RenderCrashed
from genlock.media.operation import Request, Value
from genlock.media.pool import RenderPool

OPERATIONS = """
import os, threading, time
from genlock.media.operation import Progress, Request, Value, operation

class Who(Value):
    pid: int
    parent: int
    threads: int

class Ask(Request[Who]):
    seconds: float = 0.0

@operation("who")
def who(request: Ask, progress: Progress) -> Who:
    progress(0.5)
    time.sleep(request.seconds)
    return Who(pid=os.getpid(), parent=os.getppid(), threads=threading.active_count())
"""
THREADED = """
import threading, time
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
from operations import *
"""


class Who(Value):
    pid: int
    parent: int
    threads: int


class Ask(Request[Who]):
    seconds: float = 0.0


@pytest.fixture(autouse=True)
def operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "operations.py").write_text(OPERATIONS)
    (tmp_path / "threaded.py").write_text(THREADED)
    monkeypatch.syspath_prepend(tmp_path)


def pool(workers: int = 1, module: str = "operations", **options: float) -> RenderPool:
    return RenderPool(workers, modules={"who": module}, **options)  # type: ignore[arg-type]


def status(pid: int) -> dict[str, str]:
    """What the system says of a process, nothing if it is not there."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def runs(pid: int) -> bool:
    """Whether it is there, and not only waits to be counted by whoever inherited it."""
    return status(pid).get("State", "Z")[0] not in "ZX"


def threads_of(pid: int) -> int:
    return int(status(pid)["Threads"])


def words_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def until(true: Callable[[], bool]) -> None:
    """It becomes true within twenty seconds."""

    def look() -> bool:
        end = time.monotonic() + 20
        while not true() and time.monotonic() < end:
            time.sleep(0.02)
        return true()

    assert await asyncio.to_thread(look)


async def test_children_come_from_one_process_and_so_do_those_that_replace_them() -> None:
    async with pool(2, reuse=1) as renderers:
        await renderers.warm()
        first = await asyncio.gather(*(renderers.run("who", Ask()) for _ in range(2)))
        second = await asyncio.gather(*(renderers.run("who", Ask()) for _ in range(2)))
    assert len({one.pid for one in (*first, *second)}) == 4
    (server,) = {one.parent for one in (*first, *second)}
    assert server != os.getpid()
    assert not runs(server)


async def test_what_is_asked_before_it_has_loaded_is_done() -> None:
    async with pool(3) as renderers:
        await renderers.prepare()
        said = await asyncio.gather(*(renderers.run("who", Ask(seconds=0.5)) for _ in range(3)))
    assert len({one.pid for one in said}) == 3


async def test_if_it_is_killed_its_children_end_and_the_next_have_a_new_one() -> None:
    async with pool() as renderers:
        old = await renderers.run("who", Ask())
        begun = asyncio.Event()
        work = asyncio.create_task(
            renderers.run("who", Ask(seconds=600), progress=lambda at, note: begun.set())
        )
        await asyncio.wait_for(begun.wait(), 20)
        os.kill(old.parent, signal.SIGKILL)
        with pytest.raises(RenderCrashed, match="who: the rendering process"):
            await work
        new = await renderers.run("who", Ask())
    assert new.parent != old.parent
    assert not runs(old.pid)


async def test_one_that_hangs_is_replaced_and_keeps_nobody_from_closing() -> None:
    async with pool(2, stall=4) as renderers:
        hung = (await renderers.run("who", Ask())).parent
        os.kill(hung, signal.SIGSTOP)
        with pytest.raises(NoRenderer, match="no rendering process could be started in 4 s"):
            await renderers.warm()
        assert not runs(hung)
        stopped = (await renderers.run("who", Ask())).parent
        assert stopped != hung
        os.kill(stopped, signal.SIGSTOP)
    assert not runs(stopped)


async def test_beside_a_library_that_starts_threads_children_start_from_nothing() -> None:
    async with pool(2, "threaded") as renderers:
        forked = await renderers.run("who", Ask())
        await until(lambda: threads_of(forked.parent) > 1)  # it loads while nobody asks
        os.kill(forked.pid, signal.SIGKILL)
        await until(lambda: not status(forked.pid))
        started = await renderers.run("who", Ask())
        assert b"genlock.media.child" in words_of(started.pid)
        assert started.parent == forked.parent
    assert not runs(started.pid)


async def test_that_it_cannot_start_is_said_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'no libc here' >&2\nexit 3\n")
    broken.chmod(0o755)
    async with pool() as renderers:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(broken))
            with pytest.raises(NoRenderer, match=r"(?s)no rendering process can be started.*no libc here"):
                await renderers.run("who", Ask())
        assert (await renderers.run("who", Ask())).pid > 0


async def test_who_is_called_off_while_it_waits_for_a_child_leaves_none() -> None:
    async with pool() as renderers:
        await renderers.prepare()
        work = asyncio.create_task(renderers.run("who", Ask()))
        await asyncio.sleep(0.05)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert renderers.pids == []
        who = await renderers.run("who", Ask())
        assert children_of(who.parent) == [who.pid]
