"""`genlock backup` and `genlock restore`: a home in another place, and back again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genlock.errors import HomeTaken

if TYPE_CHECKING:
    from genlock.cli.session import Session
    from genlock.settings import Settings
    from genlock.store.transfer import Progress

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]


def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where backups are kept.")],
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Go on although files are missing from the store.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Back up the ledger and every file it reaches, while jobs run.

    Each backup is a snapshot of its own; files that the folder has already are not copied again.
    """
    from genlock.backup import back_up
    from genlock.cli.word import size
    from genlock.clock import SystemClock
    from genlock.log import log_to_stderr
    from genlock.settings import load_settings

    settings = load_settings()
    log_to_stderr(settings)
    folder = folder.absolute()
    made = back_up(
        lambda: _copy_ledger(settings),
        settings,
        folder,
        now=SystemClock().now(),
        progress=_progress("copied", quiet=quiet),
        incomplete=incomplete,
    )
    told = made.manifest
    print(f"{made.folder}")
    print(
        f"{_count(told.jobs, 'job')} ({told.unfinished} unfinished), {_count(len(told.objects), 'file')}, "
        f"{size(told.size)}; {_count(made.copied, 'file')} new, {size(made.copied_size)}"
    )
    if told.missing:
        print(f"{_count(len(told.missing), 'file')} missing from the store", file=sys.stderr)


def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What was given to `genlock backup`.")],
    snapshot: Annotated[
        str | None, typer.Option(metavar="NAME", help="Not the newest, but this one.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only read all of it and say whether it is whole.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Put a backup into an empty home. All of it is checked first.

    Jobs that were not finished go on with `genlock resume` or `genlock serve`.
    """
    from genlock import backup
    from genlock.log import log_to_stderr
    from genlock.owner import Ownership, owner_of
    from genlock.settings import load_settings

    settings = load_settings()
    log_to_stderr(settings)
    source = folder.absolute()
    progress = _progress("read", quiet=quiet)
    if check:
        place, manifest = backup.open_snapshot(source, snapshot)
        backup.check(source, place, manifest, progress)
        print(f"{place} is whole: {_count(manifest.jobs, 'job')}, {_count(len(manifest.objects), 'file')}")
        return
    ownership = Ownership.take(settings, command="genlock restore")
    if ownership is None:
        raise HomeTaken(
            f"{owner_of(settings) or 'another process'} owns {settings.home}: restore into another home"
        )
    with ownership:
        place, manifest = backup.restore(source, settings, name=snapshot, progress=progress)
    print(f"{settings.home} is as {manifest.home} was at {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC.")
    unfinished = f"; go on with {manifest.unfinished} of them: genlock resume" if manifest.unfinished else ""
    print(f"{_count(manifest.jobs, 'job')}, {_count(len(manifest.objects), 'file')}{unfinished}")


def _copy_ledger(settings: Settings) -> Path:
    """By whoever owns the home, who alone may open it."""
    from genlock.cli.session import ask

    async def act(session: Session) -> str:
        return await session.service.copy_ledger()

    return Path(ask(settings, "genlock backup", act))


def _progress(word: str, *, quiet: bool) -> Progress:
    """One line that is written over, for people who watch."""
    from genlock.cli.word import size

    def tell(files: int, done: int, all_files: int, total: int) -> None:
        end = "\n" if files == all_files else ""
        line = f"{word} {files} of {all_files} files, {size(done)} of {size(total)}"
        print(f"\r{line:<60}", end=end, file=sys.stderr, flush=True)

    return tell if sys.stderr.isatty() and not quiet else lambda *_: None


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"
