"""`genlock videos`: look at films that are finished or wait, approve or reject them, make a clip again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genlock.cli.inquiry import Json, inquire, plain, print_json, word_of

if TYPE_CHECKING:
    from genlock.cli.session import Session
    from genlock.pipelines.review import Opinion
    from genlock.pipelines.video import VideoView

Id = Annotated[str, typer.Argument(metavar="ID", help="The film's id, which is its job's.")]
Revision = Annotated[
    int | None, typer.Option(min=1, help="The revision that was looked at; if not said, the newest.")
]

app = typer.Typer(
    help="List films; approve or reject them.", rich_markup_mode=None, invoke_without_command=True
)


@app.callback()
def default(context: typer.Context) -> None:
    """List films; approve or reject them. Without a command: list them."""
    if context.invoked_subcommand is None:
        list_videos()


@app.command("list")
def list_videos(
    standing: Annotated[
        str | None, typer.Option(help="Only those that are waiting, approved, rejected, unasked …")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    json: Json = False,
) -> None:
    """List films that are finished or wait for a person, newest first."""
    from genlock.ledger.library.verdict import SoughtFilms, Standing

    sought = SoughtFilms(standing=word_of(Standing, standing, "standing") if standing else None)

    async def act(session: Session) -> None:
        found = list(await session.videos.list(sought, limit=limit))
        if json:
            print_json([plain(video) for video in found])
        else:
            _table(found)

    inquire("genlock videos list", act)


@app.command()
def show(video: Id, json: Json = False) -> None:
    """Show one film: how it stands, what the check found, and all its revisions."""

    async def act(session: Session) -> None:
        found = await session.videos.show(video)
        if json:
            print_json(plain(found))
        else:
            _page(found)

    inquire("genlock videos show", act)


@app.command()
def approve(
    video: Id,
    revision: Revision = None,
    reason: Annotated[str, typer.Option(help="A remark, if there is one.")] = "",
) -> None:
    """Say yes to a film that waits for it; its job completes."""
    from genlock.pipelines.review import Opinion

    _say("genlock videos approve", video, Opinion.APPROVED, revision, reason)


@app.command()
def reject(
    video: Id,
    reason: Annotated[str, typer.Argument(metavar="REASON", help="Why, for who makes it again.")],
    revision: Revision = None,
) -> None:
    """Say no to a film that waits; its job fails with the reason, until something of it is made again."""
    from genlock.pipelines.review import Opinion

    _say("genlock videos reject", video, Opinion.REJECTED, revision, reason)


@app.command()
def redo(
    video: Id,
    clip: Annotated[int, typer.Argument(metavar="CLIP", min=1, help="Which clip, counted from 1.")],
    revision: Revision = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
) -> None:
    """Make one clip of a film again; a film that was to be reviewed waits again."""

    async def act(session: Session) -> None:
        found = await session.videos.show(video)
        plan = await session.videos.redo_clip(found.id, revision or found.revision, clip, dry_run=dry_run)
        print(f"{'would run again' if dry_run else 'runs again':<16} {', '.join(plan.redone)}")
        if not dry_run and not session.executes:
            print(f"Nothing is running jobs now: genlock resume {found.id}", file=sys.stderr)

    inquire("genlock videos redo", act)


def _say(command: str, video: str, verdict: Opinion, revision: int | None, reason: str) -> None:
    async def act(session: Session) -> None:
        from genlock.ledger.access.records import LOCAL
        from genlock.pipelines.video import Word

        found = await session.videos.show(video)
        word = Word(revision=revision or found.revision, verdict=verdict, reason=reason, by=LOCAL)
        said = await session.videos.say(found.id, word)
        print(f"{said.id} revision {word.revision} {verdict}")
        if not session.executes:
            print(f"Nothing is running jobs now. Go on with: genlock resume {said.id}", file=sys.stderr)

    inquire(command, act)


def _table(found: list[VideoView]) -> None:
    from rich.text import Text

    from genlock.cli.table import console, table_of
    from genlock.cli.word import ago
    from genlock.clock import SystemClock

    if not found:
        print("No films.")
        return
    now, table = SystemClock().now(), table_of("ID", "STANDING", "REVISION", "LENGTH", "SIZE", "MADE")
    for video in found:
        size, length = f"{video.width}×{video.height}", f"{video.seconds:.1f} s"
        made = ago(video.finished_at or video.created_at, now)
        table.add_row(video.id, Text(video.standing), str(video.revision), length, size, made)
    console().print(table)


def _page(video: VideoView) -> None:
    passed = [bool(finding.get("passed")) for finding in video.report.get("findings", [])]
    facts: list[tuple[str, Any]] = [
        ("film", f"{video.id}, revision {video.revision}"),
        ("standing", video.standing),
        ("length", f"{video.seconds:.1f} s ({video.frames} frames, {video.width}×{video.height})"),
        ("bytes", f"{video.sha256} ({video.size})"),
        ("check", f"{sum(passed)} of {len(passed)} passed"),
    ]
    for each in video.revisions:
        said = f", {each.review.verdict} by {each.review.by}" if each.review else ""
        why = f": {each.review.reason}" if each.review and each.review.reason else ""
        facts.append(("revision", f"{each.revision}: {each.seconds:.1f} s, {each.sha256[:12]}{said}{why}"))
    if video.standing == "waiting":
        facts.append(("waits", f"genlock videos approve {video.id} --revision {video.revision}"))
    for name, value in facts:
        print(f"{name:<9} {value}")
