"""Taking in photos that anybody may have made: what can be used is kept, what cannot is named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from genlock.engine.task import Task
from genlock.errors import BadInput, BadPicture, RenderCrashed, RenderRefused
from genlock.media.photo.source import WHOLE, called, from_text, to_text
from genlock.media.request import ImportedPicture, ImportPicture
from genlock.pipelines.models import Asset, Intake, LeftOut
from genlock.pipelines.studio import Studio

LISTED = 3_000  # characters of a list of bad photos: a message is kept up to 4,000
FEWEST = 2


async def take_in(number: int, photo: str, studio: Studio, task: Task) -> Asset:
    """A photo's working copy, in the store. Made once a task, unless the file has changed meanwhile.

    `BadPicture` names a photo that cannot be used, be it that its decoder dies of it.
    """
    studio.need_room()
    named = from_text(photo).name
    path, name = await studio.opened(from_text(photo)), called(named)

    async def take() -> Asset:
        to = task.workdir / f"{number}.jpg"
        made = await _imported(ImportPicture(path=_spelt(path, to), to=to, name=name), studio)
        artifact = await studio.keep(to, "image/jpeg")
        asset = called(named, WHOLE)
        return Asset(name=asset, picture=made.picture, artifact=artifact, notes=made.report.notes)

    return await task.once(f"photo {number} {_stamp(path)}", take, Asset)


def gathered(photos: Sequence[str], found: Sequence[Asset | BadPicture], *, skip_bad: bool) -> Intake:
    """What was taken in. `BadPicture` lists all that cannot be used, unless there are enough without them."""
    left_out = [
        LeftOut(photo=photo, why=str(each))
        for photo, each in zip(photos, found, strict=True)
        if isinstance(each, BadPicture)
    ]
    assets = [each for each in found if isinstance(each, Asset)]
    if left_out and not skip_bad:
        raise BadPicture(
            f"{len(left_out)} of {len(photos)} photos cannot be used:\n{_listed(left_out)}\n"
            "Mend or replace them, or go on without them: --skip-bad (skip_bad in an order)"
        )
    if left_out and len(assets) < FEWEST:
        number = "none" if not assets else "only one"
        raise BadPicture(
            f"{number} of {len(photos)} photos can be used, and a film needs two:\n{_listed(left_out)}"
        )
    if len({asset.artifact.sha256 for asset in assets}) < FEWEST:
        raise BadInput(f"the {len(assets)} photos are all the same picture: a film needs two different ones")
    return Intake(assets=assets, left_out=left_out)


async def _imported(request: ImportPicture, studio: Studio) -> ImportedPicture:
    """The working copy. A photo that ends the process which decodes it gets a second chance, and no third."""
    try:
        return await _asked(request, studio)
    except RenderCrashed:
        if studio.pool.closed:
            raise
    try:
        return await _asked(request, studio)
    except RenderCrashed as error:
        if studio.pool.closed:
            raise
        first = str(error).splitlines()[0]
        raise BadPicture(
            f"{request.name} ends every process that decodes it ({first}); save it again with another program"
        ) from error


async def _asked(request: ImportPicture, studio: Studio) -> ImportedPicture:
    try:
        return await studio.pool.run("import_picture", request)
    except RenderRefused as error:
        raise BadPicture(f"{request.name} cannot be used: {error}") from error


def _spelt(path: Path, to: Path) -> Path:
    """A path that can be sent to a rendering process as text: that of a link, if its own is none."""
    if to_text(path) == str(path):
        return path
    link = to.with_suffix(".link")
    link.unlink(missing_ok=True)
    link.symlink_to(path)
    return link


def _stamp(path: Path) -> str:
    """What changes with the file."""
    try:
        found = path.stat()
    except OSError:
        return "unseen"
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def _listed(left_out: Iterable[LeftOut]) -> str:
    """A line each, as many as fit into a message."""
    lines, room = [], LISTED
    sentences = [each.why for each in left_out]
    for number, sentence in enumerate(sentences):
        room -= len(sentence) + 1
        if room < 0:
            lines.append(f"and {len(sentences) - number} more")
            break
        lines.append(sentence)
    return "\n".join(lines)
