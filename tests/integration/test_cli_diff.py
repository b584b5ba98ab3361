"""`genlock jobs diff` and what `genlock jobs show` says of a job whose code is gone: on a real home."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

OLDER = """
import asyncio, sys
from genlock import open_engine, pipeline, stage
from genlock.pipelines.campaign import campaign
from genlock.settings import load_settings

@stage
async def greet(name: str) -> str:
    return f"hello {name}"

@stage(name="wait")
async def wait(text: str) -> str:
    await asyncio.sleep(3600)
    return text

@pipeline(name=NAME)
def greeting(name: str) -> str:
    return wait(greet(name))

async def main():
    async with open_engine([greeting]) as engine:
        job = await engine.start(NAME, {"name": "you"}, id="job-1")
        async for event in engine.watch(job.id):
            if event.kind == "task.claimed" and event.task == "wait":
                return

asyncio.run(main())
"""


@pytest.fixture
def stranger(genlock: Any) -> Any:
    """A job of a program that the command line is not."""
    script = OLDER.replace("NAME", "'greeting'")
    subprocess.run([sys.executable, "-c", script], env=genlock.env, check=True, timeout=60)
    return genlock


def differs(genlock: Any, *words: str) -> str:
    """What is printed about jobs that would wait."""
    process = genlock.start("jobs", "diff", *words)
    assert process.wait() == 1, process.err
    return str(process.out)


def test_a_job_that_would_wait_is_named_with_the_reason_before_anything_runs(stranger: Any) -> None:
    told = differs(stranger)
    assert "job-1  wait  waits\n" in told
    assert "it belongs to pipeline 'greeting', and this program has no pipeline 'greeting'" in told
    assert "1 of 1 job in flight would wait for a version that fits." in told
    assert "greet  waits" not in told, "what is done is no matter any more"
    found = json.loads(differs(stranger, "job-1", "--json"))
    assert [(each["job"], each["stage"], each["fits"]) for each in found] == [("job-1", "wait", False)]
    states = {task["state"] for task in stranger.answer("jobs", "show", "job-1")["tasks"]}
    assert "parked" not in states, "looking changes nothing"


def test_a_job_that_waits_for_code_shows_the_whole_reason(stranger: Any) -> None:
    server = stranger.start("serve")
    assert server.until(lambda: "job-1" in stranger("jobs", "list", "--status", "waiting"))
    shown = stranger("jobs", "show", "job-1")
    assert "for code that fits: stage 'wait' of job job-1 belongs to pipeline 'greeting'" in shown
    assert "it goes on by itself, or cancel it" in shown
    assert "waits for code that fits, see above" in shown
    assert "1 of 1 job in flight would wait" in differs(stranger)


NEWER = """
from genlock import pipeline, stage

@stage
async def greet(name: str) -> str:
    return name

@stage
async def wait(text: str, MORE) -> str:
    return text

@pipeline
def greeting(name: str) -> str:
    return wait(greet(name)WORD)
"""


def test_a_module_of_ones_own_is_compared(stranger: Any) -> None:
    module = stranger.folder / "greetings.py"
    module.write_text(NEWER.replace("MORE", "tone: str = 'soft'").replace("WORD", ""))
    told = stranger("jobs", "diff", "--module", "greetings")
    assert "job-1  wait  goes on" in told
    assert "and is now wait(text: str, tone: str = …) -> str" in told
    assert "1 job in flight: this version goes on with it." in told
    module.write_text(NEWER.replace("MORE", "tone: str").replace("WORD", ", 'soft'"))
    assert "'tone' has no value in this job" in " ".join(differs(stranger, "--module", "greetings").split())
    module.write_text("")
    assert "has no pipelines" in stranger("jobs", "diff", "--module", "greetings", code=2)
    assert "cannot be imported" in stranger("jobs", "diff", "--module", "greeting", code=2)


def test_a_home_without_jobs_in_flight_has_nothing_to_compare(genlock: Any) -> None:
    assert "No jobs in flight." in genlock("jobs", "diff")
    genlock("jobs", "diff", "nobody", code=3)
