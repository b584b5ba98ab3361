"""`genlock clean`: remove what no kept job reaches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from genlock.errors import HomeTaken

if TYPE_CHECKING:
    from genlock.cli.session import Session
    from genlock.settings import Settings
    from genlock.store.artifact import Freed


def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    older_than: Annotated[
        float | None,
        typer.Option(min=0, metavar="DAYS", help="Also what finished jobs older than this made."),
    ] = None,
) -> None:
    """Remove files that no kept job reaches. Needs the home to itself."""
    from genlock.cli.word import size
    from genlock.log import log_to_stderr
    from genlock.settings import load_settings

    settings = load_settings()
    log_to_stderr(settings)
    age = None if older_than is None else timedelta(days=older_than)
    freed = _clean(settings, age, dry_run=dry_run)
    files = "1 file" if freed.files == 1 else f"{freed.files} files"
    print(f"{'Would free' if dry_run else 'Freed'} {size(freed.size)} in {files}.")


def _clean(settings: Settings, age: timedelta | None, *, dry_run: bool) -> Freed:
    from genlock.cli.session import ask
    from genlock.owner import owner_of

    async def act(session: Session) -> Freed:
        if session.home is None:
            raise HomeTaken(
                f"{owner_of(settings) or 'another process'} uses {settings.home}: clean when it has ended"
            )
        return await session.home.clean(older_than=age, dry_run=dry_run)

    return ask(settings, "genlock clean", act)
