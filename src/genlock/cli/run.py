"""`genlock run PIPELINE`: start a job and see it through."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from genlock.errors import BadInput, NotFound

if TYPE_CHECKING:
    from genlock.cli.option import Common
    from genlock.cli.session import Interrupt, Session
    from genlock.engine.declare import Pipeline
    from genlock.engine.service import JobService
    from genlock.engine.views import EventView, JobView
    from genlock.rendering import HeadStart

# Pipelines whose first stage asks for rendering processes, known before their modules are loaded.
RENDER = frozenset(("campaign", "campaign_set"))
IDLE = frozenset(("-h", "--help", "--detach"))  # options with which nothing is rendered here


class PipelineGroup(TyperGroup):
    """A command for each pipeline, made when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """The pipelines by name."""
        from genlock.bootstrap import pipelines

        return sorted(pipelines())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of one pipeline, None if there is no such pipeline."""
        from genlock.bootstrap import pipelines

        found = pipelines().get(cmd_name)
        return None if found is None else _command(found, ctx.obj if ctx else None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is named. `NotFound` with the pipelines there are, if it is none of them."""
        if not ctx.resilient_parsing:
            ctx.obj = _head_start(ctx, args)
        from genlock.bootstrap import pipelines

        name, known = args[0], pipelines()
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            raise NotFound(f"there is no pipeline {name!r}. Pipelines are: {', '.join(sorted(known))}")
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=PipelineGroup,
    help="Start a job of a pipeline and see it through.",
    rich_markup_mode=None,
    no_args_is_help=True,
    subcommand_metavar="PIPELINE [ARGS]...",
)


@app.callback()
def run() -> None:
    """Start a job of a pipeline and see it through, as in `genlock run campaign photos/ -o film.mp4`."""


def _head_start(ctx: Any, args: list[str]) -> HeadStart | None:
    """Rendering processes for what is about to be run, unless the process that owns the home has its own."""
    if args[0] not in RENDER or IDLE.intersection(args):
        return None
    from genlock.owner import owner_of
    from genlock.rendering import HeadStart
    from genlock.settings import load_settings

    settings = load_settings()
    if owner_of(settings) is not None:
        return None
    ahead = HeadStart(settings)
    ctx.call_on_close(ahead.close)
    return ahead


def _command(pipeline: Pipeline[..., Any], ahead: HeadStart | None) -> Any:
    """`run PIPELINE` with the options of this pipeline."""
    from genlock.cli.option import read_options, signature_of

    def start(**given: Any) -> None:
        params, common = read_options(pipeline, given)
        raise typer.Exit(run_pipeline(pipeline.name, params, common, ahead))

    start.__signature__ = signature_of(pipeline)  # type: ignore[attr-defined]
    start.__annotations__ = {
        name: one.annotation
        for name, one in start.__signature__.parameters.items()  # type: ignore[attr-defined]
    }
    alone = typer.Typer(
        rich_markup_mode=None,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    doc = (pipeline.__doc__ or f"Start a job of {pipeline.name}.").strip()
    alone.command(pipeline.name, help=doc)(start)
    return typer.main.get_command(alone)


def run_pipeline(name: str, params: dict[str, Any], common: Common, ahead: HeadStart | None) -> int:
    """Start a job and follow it to its end; the exit code."""
    from genlock.cli.session import run_async
    from genlock.log import log_to_stderr
    from genlock.settings import load_settings

    settings = ahead.settings if ahead else load_settings()
    log_to_stderr(settings)

    async def act(interrupt: Interrupt) -> int:
        from genlock.cli.session import connect, pursue

        command = f"genlock run {name}"
        if common.detach:
            async with connect(settings, command=command, execute=False) as session:
                return await _detach(session, name, params, common)
        order = _Order(name, params, common, interrupt)
        pool = ahead.pool if ahead else None
        return await pursue(settings, command, order.carry, notice=order.screen.notice, pool=pool)

    return run_async(act, ahead.run) if ahead else run_async(act)


class _Order:
    """One `run`: the job is started once, and followed by whichever process owns the home."""

    def __init__(self, name: str, params: dict[str, Any], common: Common, interrupt: Interrupt) -> None:
        from genlock.cli.display import screen_for
        from genlock.cli.follow import Follow

        self._name, self._params, self._common = name, params, common
        self.screen = screen_for(quiet=common.quiet, json=common.json)
        self._follow = Follow(self.screen, interrupt, hear=self._hear)
        self._job: JobView | None = None
        self._asks = bool(params.get("skip_bad"))

    async def carry(self, session: Session) -> int:
        if self._job is None:
            self._job = await _start(session, self._name, self._params, self._common)
            self.screen.started(self._job)
        await session.open_socket()
        code = await self._follow.to_end(session, self._job.id)
        if session.home is not None:
            await self._tell_others(session)
        return code

    async def _hear(self, service: JobService, event: EventView) -> None:
        """Say what is left out as soon as it is known: the person may rather stop here than go without."""
        if not self._asks or event.kind != "task.done":
            return
        from genlock.cli.film import left_out_lines

        self._asks = False  # the first stage knows, and only it
        for task in await service.tasks(event.job):
            for name, value in left_out_lines(task.output):
                self.screen.notice(f"{name} {value}" if name else f"  {value}")

    async def _tell_others(self, session: Session) -> None:
        """Jobs of other commands stop with this process: their commands take over, or a person does."""
        from genlock.cli.resume import unfinished

        assert self._job is not None
        others = [job for job in await unfinished(session.service) if job.id != self._job.id]
        if others:
            many = "another job is" if len(others) == 1 else f"{len(others)} other jobs are"
            self.screen.notice(f"{many} unfinished and stops here: genlock resume goes on")


async def _start(session: Session, name: str, params: dict[str, Any], common: Common) -> JobView:
    from genlock.bootstrap import pipelines
    from genlock.cli.param import check_numbers, in_options

    pipeline = pipelines()[name]
    check_numbers(pipeline, params)
    labels = {"cap": common.cap} if common.cap else None
    try:
        return await session.service.start(
            name, params, id=common.job_id, deadline=common.deadline, labels=labels
        )
    except BadInput as error:
        raise in_options(pipeline, error) from error


async def _detach(session: Session, name: str, params: dict[str, Any], common: Common) -> int:
    job = await _start(session, name, params, common)
    print(job.id)
    if session.home is not None:
        print(f"It waits: `genlock serve` or `genlock resume {job.id}` runs it.", file=sys.stderr)
    return 0
