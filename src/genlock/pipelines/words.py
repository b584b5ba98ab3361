"""What an order says, brought together with the pictures it says it of, and tried before it is rendered."""

from __future__ import annotations

from genlock.engine.task import Task
from genlock.errors import BadPicture, RenderRefused
from genlock.media.film.shot import FilmPlan
from genlock.media.film.titling import Words
from genlock.media.photo.source import called, from_text
from genlock.media.text.request import ImportLogo, SetCaptions
from genlock.pipelines.models import CampaignOrder, Intake
from genlock.pipelines.studio import Studio
from genlock.pipelines.wording import photos_of
from genlock.store.artifact import Artifact


async def words_of(
    order: CampaignOrder, intake: Intake, studio: Studio, task: Task
) -> tuple[Words, Artifact | None]:
    """The film's words, and the file of its logo. Captions of photos that were left out are not used."""
    picture, artifact = None, None
    if order.logo:
        path, to = from_text(order.logo), task.workdir / "logo.png"
        try:
            request = ImportLogo(path=await studio.opened(path), to=to, name=called(path.name))
            picture = (await studio.pool.run("import_logo", request)).picture
        except RenderRefused as error:
            raise BadPicture(f"the logo {called(path.name)} cannot be used: {error}") from error
        artifact = await studio.keep(to, "image/png")
    missing = {each.photo for each in intake.left_out}
    taken = [photo for photo in order.photos if photo not in missing]
    pictures = {photo: asset.picture for photo, asset in zip(taken, intake.assets, strict=True)}
    said = photos_of(order.captions, order.photos)
    words = Words(
        title=order.title,
        subtitle=order.subtitle,
        ending=order.ending,
        call=order.call,
        contact=order.contact,
        logo=picture,
        captions={pictures[photo].sha256: text for photo, text in said.items() if photo in pictures},
    )
    return words, artifact


async def try_captions(plan: FilmPlan, studio: Studio, task: Task) -> None:
    """`BadInput` unless all of a film's words can be written and fit."""
    captions = [caption for shot in plan.shots for caption in shot.captions]
    if captions:
        await studio.run("set_captions", SetCaptions(captions=captions, size=(plan.width, plan.height)), task)
