"""A script of one's own as a job: a child process, its output in the log, its exit code its success."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import structlog
from pydantic import BaseModel, Field

from genlock.engine.declare import Retry, pipeline, provided, stage
from genlock.engine.task import Task
from genlock.errors import ScriptFailed
from genlock.pipelines import guard
from genlock.pipelines.roster import Roster, Script
from genlock.pipelines.transcript import CHUNK, Transcript
from genlock.settings import bare_environment
from genlock.span import told_span
from genlock.store.artifact import Artifact, Store

log = structlog.get_logger(__name__)

GRACE = 3.0  # seconds a script may take to end when it is asked to
LOGGED = 1000  # lines of one run that go into the log; all of them are in the file
TOLD = 5  # last lines that the error of a failed run holds
_GUARD = Path(guard.__file__)


class ScriptOrder(BaseModel):
    """Which script is run, by its name in the settings."""

    name: str = Field(min_length=1, max_length=64, description="a script named in the settings")


class ScriptRun(BaseModel):
    """What came of a script: how many lines it wrote, all of them as a file, and the last ones."""

    name: str
    code: int
    lines: int
    output: Artifact
    tail: list[str]


class Scripts:
    """Runs scripts of the roster and keeps what they say."""

    def __init__(self, roster: Roster, store: Store) -> None:
        self._roster, self._store = roster, store

    async def run(self, name: str, task: Task) -> ScriptRun:
        """Run a script to its end. `ScriptFailed` with its last lines for an exit code other than 0.

        Without our settings and keys in its environment. It ends with this call, however that ends.
        """
        script = self._roster.find(name)
        log.info(f"Running script {name}", action="script", script=name)
        path = task.workdir / "output.log"
        with Transcript(path) as transcript:
            code = await self._carry(name, script, transcript, task)

        async def keep() -> Artifact:
            return await self._store.put(path, "text/plain", move=True)

        output = await task.once(f"output {task.attempt}", keep, Artifact)
        tail = list(transcript.tail)
        if code != 0:
            raise _failed(name, code, script.timeout, tail)
        log.info(f"script {name} completed successfully", action="script", script=name)
        return ScriptRun(name=name, code=code, lines=transcript.count, output=output, tail=tail)

    async def _carry(self, name: str, script: Script, transcript: Transcript, task: Task) -> int | None:
        """The exit code; None if its time was over."""
        process = await _start(script)
        try:
            async with asyncio.timeout(None if script.timeout is None else script.timeout.total_seconds()):
                assert process.stdout is not None
                while data := await process.stdout.read(CHUNK):
                    await _tell(name, transcript, transcript.feed(data), task)
                await _tell(name, transcript, transcript.end(), task)
                return await process.wait()
        except TimeoutError:
            return None
        finally:
            await _end(process)


async def _start(script: Script) -> asyncio.subprocess.Process:
    order = {
        "command": script.command,
        "folder": str(script.folder or script.path.parent),
        "grace": GRACE,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-ISB",
        str(_GUARD),
        json.dumps(order),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=bare_environment(),
        start_new_session=True,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    """The guard ends the script and all that it has started, and then itself."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(2 * GRACE):
            while process.stdout is not None and await process.stdout.read(CHUNK):
                pass  # nobody reads it any more, and a full pipe must hold nobody up
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _tell(name: str, transcript: Transcript, lines: list[str], task: Task) -> None:
    first = transcript.count - len(lines)
    for number, line in enumerate(lines, first):
        if number < LOGGED:
            log.info(f"Output: {line}", action="script", script=name)
        elif number == LOGGED:
            log.info(f"Output: … the rest is in what the job keeps of script {name}", action="script")
    if lines:
        await task.report(0.0, lines[-1])


def _failed(name: str, code: int | None, timeout: timedelta | None, tail: list[str]) -> ScriptFailed:
    if code is None:
        limit = told_span(timeout or timedelta())
        what = f"script {name} did not end within {limit} and was ended"
    else:
        what = f"script {name} failed with code {code}"
    log.error(what, action="script", script=name)
    for line in tail[-TOLD:]:
        log.error(f"Error: {line}", action="script", script=name)
    said = "; its last lines: " + " | ".join(tail[-TOLD:]) if tail else "; it said nothing"
    return ScriptFailed(what + said)


@stage(name="script", timeout=timedelta(days=1), retry=Retry(attempts=1))
async def run_script(
    order: ScriptOrder, *, scripts: Scripts = provided(), task: Task = provided()
) -> ScriptRun:
    """One run of a script: what it does it does again if the server is killed, and not if it fails."""
    return await scripts.run(order.name, task)


@pipeline
def script(order: ScriptOrder) -> ScriptRun:
    """Run a script that is named in the settings."""
    return run_script(order)
