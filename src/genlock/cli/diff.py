"""`genlock jobs diff`: which jobs in flight this version goes on with, and which would wait."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genlock.cli.inquiry import print_json
from genlock.errors import BadInput, Conflict
from genlock.ledger.records import TaskState

if TYPE_CHECKING:
    from genlock.engine.declare import Pipeline
    from genlock.engine.service import JobService
    from genlock.engine.views import JobView, StageView

ENDED = (TaskState.DONE, TaskState.SKIPPED)
WIDTH = 100  # columns of a sentence


@dataclass(frozen=True, slots=True)
class Finding:
    """One stage that a job has still to go through and that is not what it was. It waits unless it `fits`."""

    job: str
    stage: str
    fits: bool
    why: str


async def compare(
    service: JobService, job: JobView, pipelines: Mapping[str, Pipeline[..., Any]]
) -> AsyncIterator[Finding]:
    """What has changed in the unfinished stages of a job and of the jobs nested in it.

    The graph is asked of whoever owns the home; the code compared with it is that of this program.
    """
    from genlock.engine.fit import fits_of
    from genlock.engine.graph import Graph

    view = await service.graph(job.id)
    kept = {"name": view.pipeline, "nodes": view.nodes, "result": view.result, "declared": view.declared}
    graph = Graph.from_data(kept)
    fits = fits_of(graph, pipelines.get(view.pipeline))
    left = [stage for stage in job.stages if stage.state not in ENDED]
    for stage in left:
        fit = fits[stage.name]
        if fit.misfit or fit.change:
            yield Finding(job.id, stage.name, not fit.misfit, fit.misfit or str(fit.change))
    if any(graph.nodes[stage.name].nested for stage in left):
        async for found in _compare_nested(service, job, left, pipelines):
            yield found


async def _compare_nested(
    service: JobService, job: JobView, left: list[StageView], pipelines: Mapping[str, Pipeline[..., Any]]
) -> AsyncIterator[Finding]:
    names = {stage.name for stage in left}
    for task in await service.tasks(job.id):
        if task.child_job is not None and task.stage in names:
            child = await service.show(task.child_job)
            if not child.state.finished:
                async for found in compare(service, child, pipelines):
                    yield found


def known_pipelines(modules: Iterable[str]) -> Mapping[str, Pipeline[..., Any]]:
    """The pipelines that come with genlock and those of these modules, with all that are nested in them.

    `BadInput` if a module cannot be imported, from the folder this is called in as well, or has none.
    """
    from genlock.bootstrap import pipelines
    from genlock.engine.declare import Pipeline

    found = [*pipelines().values()]
    for name in modules:
        sys.path.insert(0, str(Path.cwd()))
        try:
            there = [each for each in vars(import_module(name)).values() if isinstance(each, Pipeline)]
        except ImportError as error:
            raise BadInput(f"the module {name!r} cannot be imported: {error}") from error
        finally:
            sys.path.pop(0)
        if not there:
            raise BadInput(f"the module {name!r} has no pipelines")
        found += there
    return {each.name: each for top in found for each in (top, *top.pipelines())}


async def look(
    service: JobService, named: str | None, known: Mapping[str, Pipeline[..., Any]], *, json: bool
) -> bool:
    """Print what would wait and what has changed; whether everything goes on."""
    from genlock.cli.resume import unfinished

    jobs = [await service.show(named)] if named is not None else await unfinished(service, paused=True)
    if named is not None and jobs[0].state.finished:
        raise Conflict(f"job {jobs[0].id} is {jobs[0].state}: only jobs in flight are compared")
    findings = [found for job in jobs async for found in compare(service, job, known)]
    if json:
        print_json([asdict(found) for found in findings])
    else:
        _print(len(jobs), findings)
    return all(found.fits for found in findings)


def _print(count: int, findings: list[Finding]) -> None:
    for found in findings:
        print(f"{found.job}  {found.stage}  {'goes on' if found.fits else 'waits'}")
        print(textwrap.fill(f"it {found.why}", WIDTH, initial_indent="    ", subsequent_indent="    "))
    waiting = len({found.job for found in findings if not found.fits})
    jobs = "1 job" if count == 1 else f"{count} jobs"
    if not count:
        print("No jobs in flight.")
    elif waiting:
        print(f"{waiting} of {jobs} in flight would wait for a version that fits.")
    else:
        print(f"{jobs} in flight: this version goes on with {'it' if count == 1 else 'all of them'}.")
