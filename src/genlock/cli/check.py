"""`genlock check`: whether a film, from wherever it comes, can be published, or is what a job had planned."""

from __future__ import annotations

import asyncio
import json as jsons
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genlock.cli.inquiry import Json
from genlock.errors import BadInput, NotFound, RenderRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genlock.cli.session import Session
    from genlock.engine.views import TaskView
    from genlock.media.check.report import CheckFilm, CheckReport, Finding
    from genlock.media.film.plan import FilmPlan
    from genlock.media.pool import RenderPool
    from genlock.settings import Settings

PLANNED = {"black", "freeze", "silence", "repeated frames"}  # what may be meant, if a plan says so


def check(
    film: Annotated[str | None, typer.Argument(metavar="FILM", help="The film's file.")] = None,
    job: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Hold it against the plan of this job; without FILM, the job's film."
        ),
    ] = None,
    fps: Annotated[
        int, typer.Option(min=1, max=240, help="Frames a second it must have, without a job.")
    ] = 30,
    skip_audio: Annotated[bool, typer.Option("--skip-audio", help="It is to have no sound.")] = False,
    json: Json = False,
) -> None:
    """Look at all that a film must pass. Exit code 1 if something does not."""
    from genlock.log import log_to_stderr
    from genlock.settings import load_settings

    settings = load_settings()
    log_to_stderr(settings)
    given = _given(film)
    if job is not None:
        given, plan, has_audio = _of_job(settings, job, given)
    elif given is not None:
        plan, has_audio = None, not skip_audio
    else:
        raise BadInput("say which film: genlock check FILM, or genlock check --job ID")
    report = asyncio.run(_check(settings, given, plan, fps=fps, has_audio=has_audio))
    if json:
        print(jsons.dumps({"film": str(given), "passed": report.passed, **report.model_dump()}, indent=2))
    else:
        _print(given, report, planned=plan is not None)
    raise typer.Exit(0 if report.passed else 1)


def _given(film: str | None) -> Path | None:
    if film is None:
        return None
    from genlock.media.photo.source import WHOLE, called, from_text

    path = from_text(film).expanduser().absolute()
    if not path.is_file():
        what = "is no file" if path.exists() else "is not there"
        raise BadInput(f"{called(str(path), WHOLE)} {what}: name a film")
    return path


def _of_job(settings: Settings, job: str, film: Path | None) -> tuple[Path, FilmPlan, bool]:
    """The film, what it was to be, and whether with sound, as the job knows it."""
    from genlock.cli.film import keep_place
    from genlock.cli.session import ask
    from genlock.ledger.records import TaskState

    async def act(session: Session) -> tuple[Path, FilmPlan, bool]:
        found = await session.service.show(job)
        tasks = await session.service.tasks(found.id)
        place = film or await keep_place(settings, found.result)
        plan = _plan(tasks)
        if place is None or plan is None:
            lacking = "film" if plan is not None else "plan"
            raise NotFound(f"job {found.id} has no {lacking} yet: see genlock jobs show {found.id}")
        silent = any(t.stage == "audio_generation" and t.state is TaskState.SKIPPED for t in tasks)
        return Path(place), plan, not silent

    return ask(settings, "genlock check", act)


def _plan(tasks: Sequence[TaskView]) -> FilmPlan | None:
    """The film as it was made: the plan, with the shots of the clips' latest takes."""
    from genlock.pipelines.models import Clip, Storyboard

    board: Mapping[str, Any] | None = next((t.output for t in tasks if t.stage == "sub_job_creation"), None)
    clips = [t for t in tasks if t.stage == "video_generation" and "/" in t.key and t.output]
    if not board or not clips:
        return None
    clips.sort(key=lambda task: int(task.key.rpartition("/")[2]))
    shots = [Clip.model_validate(task.output).brief.shot for task in clips]
    return Storyboard.model_validate(board).plan.model_copy(update={"shots": shots})


async def _check(
    settings: Settings, film: Path, plan: FilmPlan | None, *, fps: int, has_audio: bool
) -> CheckReport:
    """Opened in a rendering process, as every foreign file is."""
    from genlock.media.check.planned import planned
    from genlock.rendering import render_pool

    async with render_pool(settings) as pool:
        if plan is not None:
            request = planned(film, plan, has_audio=has_audio)
        else:
            request = await _as_found(pool, film, fps=fps, has_audio=has_audio)
        try:
            return await pool.run("check_film", request, progress=_progress)
        finally:
            if sys.stderr.isatty():
                print("\r\x1b[K", end="", file=sys.stderr)


async def _as_found(pool: RenderPool, film: Path, *, fps: int, has_audio: bool) -> CheckFilm:
    """What a film without a plan is held against: its own size and length, and the rules for all films."""
    from genlock.media.check.report import CheckFilm
    from genlock.media.request import ProbeMedia

    try:
        found = (await pool.run("probe", ProbeMedia(path=film))).video
    except RenderRefused:  # the check says so as well, as its one finding
        found = None
    width, height, frames = (found.width, found.height, found.frames) if found else (0, 0, 1)
    return CheckFilm(
        path=film, width=width, height=height, frames=max(1, frames), fps=fps, has_audio=has_audio
    )


def _progress(fraction: float, note: str | None) -> None:
    if sys.stderr.isatty():
        print(f"\r{fraction:4.0%} {note or ''}\x1b[K", end="", file=sys.stderr, flush=True)


def _print(film: Path, report: CheckReport, *, planned: bool) -> None:
    from genlock.cli.display import terminal_width
    from genlock.cli.word import folded
    from genlock.media.photo.source import WHOLE, called

    width = terminal_width()
    print(called(str(film), WHOLE))
    for line in _lines(report.findings):
        print(folded(line, width))
    failed = [finding.name for finding in report.failures]
    print(f"{len(report.findings) - len(failed)} of {len(report.findings)} passed", end="")
    print(f"; not: {', '.join(failed)}" if failed else "")
    if PLANNED.intersection(failed) and not planned:
        print("What was planned is not known: --job ID holds the film against a job's plan.")


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    wide = max(len(finding.name) for finding in findings)
    for finding in findings:
        yield f"{'✓' if finding.passed else '✗'} {finding.name:<{wide}}  {finding.got}"
        if not finding.passed:
            yield f"  {'':<{wide}}  wanted: {finding.wanted}"
