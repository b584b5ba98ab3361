"""`genlock jobs`: look at jobs and steer them, beside whatever process runs them."""

from __future__ import annotations

import json as jsons
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genlock.cli.inquiry import Json, inquire, plain, print_json, word_of

if TYPE_CHECKING:
    from genlock.cli.session import Session
    from genlock.engine.views import EventView, JobView, RedoView

Id = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or enough letters of it.")]
Reason = Annotated[str, typer.Option(help="Why, for the job's history.")]

app = typer.Typer(help="List, show and steer jobs.", rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def default(context: typer.Context) -> None:
    """List, show and steer jobs. Without a command: list them."""
    if context.invoked_subcommand is None:
        list_jobs()


@app.command("list")
def list_jobs(
    status: Annotated[
        list[str] | None, typer.Option(help="Only jobs in this state; may be repeated.")
    ] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only jobs of this pipeline.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    json: Json = False,
) -> None:
    """List jobs, newest first."""
    from genlock.ledger.records import JobState

    states = [word_of(JobState, each, "state") for each in status or ()]

    async def act(session: Session) -> None:
        found = list(await session.service.list(states=states, pipeline=pipeline, limit=limit))
        if json:
            print_json([plain(job) for job in found])
            return
        from genlock.cli.table import jobs_table
        from genlock.clock import SystemClock

        jobs_table(found, SystemClock().now())
        _idle(session, found)

    inquire("genlock jobs list", act)


@app.command()
def show(job: Id, json: Json = False) -> None:
    """Show one job: its stages, and its tasks with attempts and errors."""

    async def act(session: Session) -> None:
        found = await session.service.show(job)
        tasks = list(await session.service.tasks(found.id))
        if json:
            print_json({**plain(found), "tasks": [plain(task) for task in tasks]})
            return
        from genlock.cli.film import keep_place
        from genlock.cli.table import job_page
        from genlock.clock import SystemClock

        job_page(found, tasks, SystemClock().now(), await keep_place(session.settings, found.result))
        _idle(session, [found])

    inquire("genlock jobs show", act)


@app.command()
def cancel(job: Id, reason: Reason = "") -> None:
    """Stop a job for good."""
    _steer("genlock jobs cancel", lambda session: session.service.cancel(job, reason))


@app.command()
def pause(job: Id, reason: Reason = "") -> None:
    """Start nothing new in a job; what runs is finished."""
    _steer("genlock jobs pause", lambda session: session.service.pause(job, reason))


@app.command()
def resume(job: Id) -> None:
    """Undo a pause."""
    _steer("genlock jobs resume", lambda session: session.service.resume(job))


@app.command()
def retry(job: Id) -> None:
    """Try what failed again; what is done stays done."""
    _steer("genlock jobs retry", lambda session: session.service.retry(job))


@app.command()
def signal(
    job: Id,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The task that waits, as in `jobs show`.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it waits for.")],
    value: Annotated[str, typer.Argument(metavar="[VALUE]", help="JSON, or plain text.")] = "true",
) -> None:
    """Answer a task that waits for a word from outside; the first answer stays."""
    from genlock.pipelines.review import refuse_gate

    refuse_gate(name)
    answer = _value(value)
    _steer("genlock jobs signal", lambda session: session.service.signal(job, task, name, answer))


@app.command()
def redo(
    job: Id,
    target: Annotated[str, typer.Argument(metavar="STAGE|TASK", help="`video_generation`, or …/3 for one.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    json: Json = False,
) -> None:
    """Run a stage or one task again although it is done, and what follows from it."""

    async def act(session: Session) -> None:
        plan = await session.service.redo(job, target, dry_run=dry_run)
        if json:
            print_json(plain(plan))
        else:
            _print_plan(plan)
        if not dry_run and not session.executes:
            print(f"Nothing is running jobs now: genlock resume {plan.job}", file=sys.stderr)

    inquire("genlock jobs redo", act)


@app.command()
def events(
    job: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
    json: Json = False,
) -> None:
    """Show a job's history."""

    async def act(session: Session) -> None:
        found = await session.service.show(job)
        seen = 0
        while page := await session.service.events(found.id, after=seen):
            for event in page:
                _print_event(event, json=json)
            seen = page[-1].seq
        if follow and not found.state.finished and session.executes:
            async for event in session.service.watch(found.id, after=seen):
                _print_event(event, json=json)
        elif follow:
            _idle(session, [found])

    inquire("genlock jobs events", act)


@app.command()
def diff(
    job: Annotated[str | None, typer.Argument(metavar="[ID]", help="One job; without it, all.")] = None,
    module: Annotated[
        list[str] | None, typer.Option(help="With the pipelines of this module too; may be repeated.")
    ] = None,
    json: Json = False,
) -> None:
    """Compare jobs in flight with this version's code, before it is deployed.

    Names the stages that are not what they were when their job was started. Exit code 1 if one of
    them would wait for a version that fits.
    """
    from genlock.cli.diff import known_pipelines, look

    answers: list[bool] = []
    known = known_pipelines(module or ())

    async def act(session: Session) -> None:
        answers.append(await look(session.service, job, known, json=json))

    inquire("genlock jobs diff", act)
    raise typer.Exit(0 if all(answers) else 1)


def _steer(command: str, verb: Callable[[Session], Awaitable[JobView]]) -> None:
    async def act(session: Session) -> None:
        job = await verb(session)
        print(f"{job.id} {job.state}")
        _idle(session, [job])

    inquire(command, act)


def _idle(session: Session, jobs: list[JobView]) -> None:
    """Say so if jobs stand still because no process runs them."""
    from genlock.ledger.records import JobState

    still = [job for job in jobs if job.state in (JobState.PENDING, JobState.RUNNING)]
    if still and not session.executes:
        which = f" {still[0].id}" if len(still) == 1 else ""
        print(f"Nothing is running jobs now. Go on with: genlock resume{which}", file=sys.stderr)


def _value(text: str) -> Any:
    """What was typed as JSON, or as the text it is."""
    try:
        return jsons.loads(text)
    except ValueError:
        return text


def _print_plan(plan: RedoView) -> None:
    print(f"{'would run again' if plan.dry_run else 'runs again':<16} {_keys(plan.redone)}")
    print(f"{'only if changed':<16} {_keys(plan.maybe)}")
    print(f"{'kept':<16} {_keys(plan.kept)}")


def _keys(keys: list[str]) -> str:
    """Task keys in words, children of one stage together: `video_generation/0,2`."""
    stages: dict[str, list[str]] = {}
    for key in keys:
        stage, _, index = key.partition("/")
        stages.setdefault(stage, []).extend([index] if index else [])
    return ", ".join(f"{s}/{_ranges(i)}" if i else s for s, i in stages.items()) or "nothing"


def _ranges(indexes: list[str]) -> str:
    """`0-3,5` for 0 1 2 3 5."""
    runs: list[list[int]] = []
    for number in sorted(map(int, indexes)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _print_event(event: EventView, *, json: bool) -> None:
    if json:
        print(jsons.dumps(plain(event)), flush=True)
        return
    from genlock.cli.word import briefly

    told = " ".join(f"{k}={briefly(str(v), 120)}" for k, v in event.data.items() if v not in (None, ""))
    when = event.at.astimezone().strftime("%H:%M:%S.%f")[:-3]
    print(f"{event.seq:>5}  {when}  {event.kind:<16} {event.task or '':<24} {told}".rstrip(), flush=True)
