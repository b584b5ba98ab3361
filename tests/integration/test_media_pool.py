"""The render pool against real child processes that behave badly."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import genlock.media.pool
from genlock.errors import BadPicture, RenderCrashed, RenderRefused
from genlock.media.fork import ForkServer
from genlock.media.launch import Started
from genlock.media.operation import Request, Value
from genlock.media.pool import RenderPool

ODD_MODELS = """
from genlock.media.operation import Request, Value

class Said(Value):
    text: str
    pid: int

class Say(Request[Said]):
    text: str = ""
    seconds: float = 0.0
"""

ODD_OPERATIONS = """
import os, sys, time
import numpy
from genlock.errors import BadPicture
from genlock.media.operation import Progress, operation
from odd_models import Said, Say

def answer(text): return Said(text=text, pid=os.getpid())

@operation("echo")
def echo(request: Say, progress: Progress) -> Said:
    return answer(request.text)

@operation("count")
def count(request: Say, progress: Progress) -> Said:
    for step in range(4):
        progress(step / 4, f"step {step}")
        time.sleep(0.27)
    return answer("counted")

@operation("hang")
def hang(request: Say, progress: Progress) -> Said:
    progress(0.5, "hanging")
    print("stuck on the third frame", file=sys.stderr, flush=True)
    time.sleep(request.seconds or 600)
    return answer("woke")

@operation("chatter")
def chatter(request: Say, progress: Progress) -> Said:
    os.write(1, b"a library prints to stdout\\n")
    os.write(2, b"x" * 300_000)
    return answer("fine")

@operation("die")
def die(request: Say, progress: Progress) -> Said:
    print("about to fall over", file=sys.stderr, flush=True)
    os.abort()

@operation("refuse")
def refuse(request: Say, progress: Progress) -> Said:
    raise BadPicture(f"{request.text} is not a picture")

@operation("stumble")
def stumble(request: Say, progress: Progress) -> Said:
    raise KeyError("no such plane")

@operation("swallow")
def swallow(request: Say, progress: Progress) -> Said:
    return answer(str(numpy.ones(40 << 30, numpy.uint8)[0]))

@operation("environment")
def environment(request: Say, progress: Progress) -> Said:
    return answer(" ".join(sorted(os.environ)))

@operation("descriptors")
def descriptors(request: Say, progress: Progress) -> Said:
    return answer(" ".join(sorted(os.readlink(f"/proc/self/fd/{fd}") for fd in range(100)
                                  if os.path.lexists(f"/proc/self/fd/{fd}"))))
"""
NAMES = [
    "echo",
    "count",
    "hang",
    "chatter",
    "die",
    "refuse",
    "stumble",
    "swallow",
    "environment",
    "descriptors",
]
MODULES = dict.fromkeys(NAMES, "odd_operations")
LAUNCHERS = {"forked": ForkServer, "started": Started}


class Said(Value):
    text: str
    pid: int


class Say(Request[Said]):
    text: str = ""
    seconds: float = 0.0


@pytest.fixture(autouse=True, params=LAUNCHERS)
def launchers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children behave alike, however they come to be."""
    monkeypatch.setattr("genlock.media.pool.quickest", LAUNCHERS[request.param])


@pytest.fixture(autouse=True)
def odd_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd_models.py").write_text(ODD_MODELS)
    (tmp_path / "odd_operations.py").write_text(ODD_OPERATIONS)
    monkeypatch.syspath_prepend(tmp_path)


def pool(workers: int = 1, **options: float) -> RenderPool:
    return RenderPool(workers, modules=MODULES, **options)  # type: ignore[arg-type]


def gone(pid: int, within: float = 5.0, *, reaped: bool = False) -> bool:
    """Whether a process ends in time; a zombie has ended, unless somebody is to have waited for it."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z" and not reaped:
            return True
        time.sleep(0.02)
    return False


async def test_an_operation_answers_with_its_model_and_the_child_is_used_again() -> None:
    async with pool() as renderers:
        first = await renderers.run("echo", Say(text="Größe ✓"))
        second = await renderers.run("echo", Say(text="b"))
    assert first == Said(text="Größe ✓", pid=first.pid)
    assert first.pid == second.pid != os.getpid()


async def test_children_work_side_by_side_up_to_the_number_of_workers() -> None:
    async with pool(2) as renderers:
        await renderers.warm()  # else one of them may do it all while the other starts
        said = await asyncio.gather(*(renderers.run("hang", Say(seconds=0.3)) for _ in range(4)))
        assert len({one.pid for one in said}) == 2
        assert len(renderers.pids) == 2


async def test_what_takes_long_is_begun_before_anything_is_asked_for() -> None:
    forked = genlock.media.pool.quickest is ForkServer
    async with pool(2) as renderers:
        await renderers.prepare()
        begun = renderers.pids
        assert len(begun) == (0 if forked else 2)
        pid = (await renderers.run("echo", Say())).pid
        assert forked or pid in begun


async def test_a_message_larger_than_the_pipe_and_library_chatter_do_no_harm() -> None:
    async with pool() as renderers:
        large = await renderers.run("echo", Say(text="é" * 1_000_000))
        assert len(large.text) == 1_000_000
        assert (await renderers.run("chatter", Say())).text == "fine"


async def test_progress_is_passed_on_as_it_happens() -> None:
    heard: list[tuple[float, str | None]] = []
    async with pool() as renderers:
        await renderers.run("count", Say(), progress=lambda at, note: heard.append((at, note)))
    assert heard == [(0.0, "step 0"), (0.25, "step 1"), (0.5, "step 2"), (0.75, "step 3")]


async def test_what_the_progress_callback_raises_ends_the_operation_and_its_child() -> None:
    async def stop(at: float, note: str | None) -> None:
        raise LookupError("claim lost")

    async with pool() as renderers:
        with pytest.raises(LookupError, match="claim lost"):
            await renderers.run("hang", Say(), progress=stop)
        assert renderers.pids == []


async def test_errors_travel_by_class_and_the_child_survives_them() -> None:
    async with pool() as renderers:
        before = await renderers.run("echo", Say())
        with pytest.raises(BadPicture, match=r"cat\.txt is not a picture") as caught:
            await renderers.run("refuse", Say(text="cat.txt"))
        assert "odd_operations.py" in caught.value.__notes__[0]
        with pytest.raises(RenderRefused, match="stumble failed: KeyError"):
            await renderers.run("stumble", Say())
        with pytest.raises(RenderRefused, match="no media operation 'dance'"):
            await renderers.run("dance", Say())
        assert (await renderers.run("echo", Say())).pid == before.pid


async def test_a_child_that_dies_is_a_crash_with_its_last_words_and_the_next_one_works() -> None:
    async with pool() as renderers:
        with pytest.raises(RenderCrashed, match=r"(?s)killed by signal 6.*about to fall over"):
            await renderers.run("die", Say())
        assert (await renderers.run("echo", Say(text="on"))).text == "on"


async def test_an_idle_child_that_was_killed_is_replaced() -> None:
    async with pool() as renderers:
        pid = (await renderers.run("echo", Say())).pid
        os.kill(pid, signal.SIGKILL)
        assert await asyncio.to_thread(gone, pid, reaped=True)
        await asyncio.sleep(0.05)  # whoever waited for it tells the loop
        assert (await renderers.run("echo", Say())).pid != pid


async def test_a_child_that_says_nothing_is_killed_and_counts_as_crashed() -> None:
    async with pool(stall=1.5) as renderers:
        await renderers.run("echo", Say())
        pid = renderers.pids[0]
        with pytest.raises(RenderCrashed, match=r"(?s)no sign of life for 1.5 s.*third frame"):
            await renderers.run("hang", Say())
        assert await asyncio.to_thread(gone, pid)
        assert (await renderers.run("echo", Say(text="on"))).text == "on"


async def test_cancelling_kills_the_child_at_once() -> None:
    async with pool() as renderers:
        started = asyncio.Event()
        work = asyncio.create_task(renderers.run("hang", Say(), progress=lambda at, note: started.set()))
        await asyncio.wait_for(started.wait(), 20)
        pid = renderers.pids[0]
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert await asyncio.to_thread(gone, pid)
        assert (await renderers.run("echo", Say(text="on"))).text == "on"


async def test_a_memory_bomb_is_a_clear_error_and_the_pool_goes_on() -> None:
    async with pool() as renderers:
        with pytest.raises(RenderRefused, match="needs more memory than a rendering process may use"):
            await renderers.run("swallow", Say())
        assert (await renderers.run("echo", Say(text="on"))).text == "on"


async def test_children_see_no_secrets_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENLOCK_SECRET_KEY", "hush")
    async with pool() as renderers:
        assert "SECRET" not in (await renderers.run("environment", Say())).text


async def test_children_hold_nothing_of_each_other() -> None:
    async with pool(3) as renderers:
        await renderers.warm()
        held = await asyncio.gather(*(renderers.run("descriptors", Say()) for _ in range(3)))
    sockets = [{name for name in one.text.split() if name.startswith(("socket:", "pipe:"))} for one in held]
    assert all(len(names) in (2, 3) for names in sockets)
    assert len(set.union(*sockets)) == sum(map(len, sockets))


async def test_signals_of_the_terminal_are_left_to_the_parent() -> None:
    async with pool() as renderers:
        pid = (await renderers.run("echo", Say())).pid
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        assert (await renderers.run("echo", Say())).pid == pid


async def test_a_child_is_replaced_after_its_share_of_operations() -> None:
    async with pool(reuse=2) as renderers:
        pids = [(await renderers.run("echo", Say())).pid for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_a_closed_pool_leaves_no_process_and_refuses_work() -> None:
    async with pool(2) as renderers:
        await renderers.warm()
        pids = renderers.pids
        assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
    with pytest.raises(RenderCrashed, match="closed"):
        await renderers.run("echo", Say())


async def test_closing_ends_operations_that_run_and_those_that_wait() -> None:
    async with pool() as renderers:
        started = asyncio.Event()
        works = [
            asyncio.create_task(renderers.run("hang", Say(), progress=lambda at, note: started.set()))
            for _ in range(2)
        ]
        await asyncio.wait_for(started.wait(), 20)
    ends = await asyncio.gather(*works, return_exceptions=True)
    assert [type(end) for end in ends] == [RenderCrashed, RenderCrashed]


@pytest.mark.parametrize("operation", ["hang", "echo"])
def test_killing_the_parent_leaves_no_child(operation: str, tmp_path: Path) -> None:
    launcher = genlock.media.pool.quickest
    program = f"""
import asyncio, sys
sys.path.insert(0, {str(tmp_path)!r})
from {launcher.__module__} import {launcher.__name__}
from genlock.media.pool import RenderPool
from odd_models import Say
async def main():
    async with RenderPool(1, modules={MODULES!r}, launcher={launcher.__name__}()) as pool:
        await pool.run("echo", Say())
        work = asyncio.create_task(pool.run({operation!r}, Say()))
        await asyncio.sleep(0.3)
        print(pool.pids[0], flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not gone(child, 0.1)
        parent.kill()
    assert gone(child)
