"""A task that waits for a word is answered from the command line, by real processes on a real home."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from genlock import Task, open_engine, pipeline, provided, stage


@stage
async def gate(word: str, *, task: Task = provided()) -> str:
    """Waits until somebody agrees."""
    return f"{word}: {await task.event('agreed')}"


@pipeline
def gated(word: str) -> str:
    """One gate."""
    return gate(word)


async def wait_at_the_gate(home: Path) -> str:
    async with asyncio.timeout(30), open_engine([gated], home=home) as engine:
        job = await engine.start("gated", {"word": "film"})
        async for event in engine.watch(job.id):
            if event.kind == "task.parked":
                break
        return job.id


async def finish(home: Path, job: str) -> str:
    async with asyncio.timeout(30), open_engine([gated], home=home) as engine:
        return await engine.result(gated, job)


def genlock(home: Path, *words: str, code: int = 0) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("GENLOCK_")} | {"GENLOCK_HOME": str(home)}
    line = [sys.executable, "-c", "from genlock.cli.main import main; main()", "jobs", *words]
    found = subprocess.run(line, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == code, found
    return found.stdout if code == 0 else found.stderr


async def test_a_gate_is_answered_once_from_the_command_line(tmp_path: Path) -> None:
    job = await wait_at_the_gate(tmp_path)
    ask = f"genlock jobs signal {job} gate agreed [VALUE]"
    assert ask in await asyncio.to_thread(genlock, tmp_path, "show", job)

    unknown = await asyncio.to_thread(lambda: genlock(tmp_path, "signal", job, "door", "agreed", code=3))
    assert "has no task 'door'" in unknown
    await asyncio.to_thread(genlock, tmp_path, "signal", job, "gate", "agreed", "with pleasure")
    second = await asyncio.to_thread(lambda: genlock(tmp_path, "signal", job, "gate", "agreed", code=3))
    assert "was answered before; the first answer stays" in second

    assert "film: with pleasure" in await finish(tmp_path, job)
    late = await asyncio.to_thread(lambda: genlock(tmp_path, "signal", job, "gate", "agreed", code=3))
    assert "is done: nothing waits for 'agreed' there any more" in late
