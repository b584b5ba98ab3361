"""Buying the footage of a clip: what each model is asked, decided in the plan, and the buying itself."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from genlock.engine.task import Task
from genlock.errors import Unsupported
from genlock.media.film.footage import MOST_SPEED_CHANGE, FootageReport, conform, crop, framed
from genlock.media.film.motion import Size
from genlock.media.film.shot import Shot
from genlock.media.film.titling import MOST_SCRIM
from genlock.media.request import CutPicture
from genlock.pipelines.footage import Bought, Purchase, Terms
from genlock.pipelines.models import Asset, Brief, CampaignOrder, shape_of
from genlock.pipelines.studio import Studio
from genlock.providers.asks import VideoAsk
from genlock.providers.catalog import Model
from genlock.providers.faces import VideoModel
from genlock.providers.result import Footage as Made
from genlock.store.artifact import Artifact

_SPARE = 0.02  # of a clip's length: what vendors call six seconds may be a few frames less
_LONGEST = 60  # seconds: of a model that names no longest
_SHARP = 720  # lines of a picture for a model that chooses its own size

_PROMPT = (
    "One continuous shot that begins exactly on the first picture and ends exactly on the last. {manner} The "
    "camera goes from the one view to the other; if they show different places, the one turns into the other "
    "without a cut. Everything that is in the pictures stays as it is and nothing is added to it. "
    "Photorealistic, steady exposure, no text."
)
_MANNER = {
    "calm": "Calm and even: a slow, gliding camera and soft, natural light.",
    "bold": "Energetic: a fast, decided camera move and strong, vivid colours.",
    "cinematic": "Cinematic: a slow, smooth camera on a track, filmic light and muted colours.",
}
_NEVER = "cuts, text, captions, logos, watermarks, flicker, distortion, blur, new people, new objects"


def with_purchases(briefs: Sequence[Brief], order: CampaignOrder, video: VideoModel) -> list[Brief]:
    """The briefs with what is bought for each clip, if anything is; the end card is always drawn.

    Words over footage get the darkest ground there is, for nobody knows yet how bright it will be.
    `Unsupported` if no model can make one of the clips, before anything was asked of any.
    """
    chosen = video.by(order.video)
    if not chosen.bought:
        return list(briefs)
    return [brief if brief.shot.is_card else _bought(brief, order, chosen) for brief in briefs]


def _bought(brief: Brief, order: CampaignOrder, video: VideoModel) -> Brief:
    able, why = [], ""
    for model in video.models:
        try:
            able.append(terms_of(model, brief.shot, order.aspect))
        except Unsupported as error:
            why = why or str(error)
    if not able:
        raise Unsupported(why)
    shape = _shape(able[0], order)
    purchase = Purchase(prompt=_PROMPT.format(manner=_MANNER[order.style]), shape=shape, terms=able)
    about = {"size": math.prod(shape)}  # a good JPEG has less than a byte a pixel
    ends = _Ends(*(each.artifact.model_copy(update=about) for each in (brief.first, brief.last)))
    video.by(purchase.names).check(_fit(purchase, ends, brief.shot))
    captions = tuple(each.model_copy(update={"scrim": MOST_SCRIM}) for each in brief.shot.captions)
    shot = brief.shot.model_copy(update={"captions": captions})
    return brief.model_copy(update={"shot": shot, "purchase": purchase})


def _shape(terms: Terms, order: CampaignOrder) -> Size:
    """Of the pictures for a model: as large as what it makes of them."""
    said = terms.resolution or order.resolution
    return shape_of(terms.aspect or order.aspect, max(_SHARP, int(said[:-1])))


def terms_of(model: Model, shot: Shot, aspect: str) -> Terms:
    """What this model is asked for a clip: its shortest length that fills it, the nearest shape and size.

    `Unsupported` if it cannot end on a picture or is too short.
    """
    return terms_for(model, shot.frames / shot.fps, min(shot.size), aspect, f"clip {shot.index}")


def terms_for(model: Model, seconds: float, lines: int, aspect: str, what: str) -> Terms:
    """As `terms_of`, of a clip that is not drawn yet: so long, and so many lines on its short side."""
    if not model.last_frame:
        raise Unsupported(f"{model.name} cannot end on a picture, and every clip does: choose another model")
    return Terms(
        model=model.name,
        seconds=_seconds(model, seconds, what),
        aspect=vendor_aspect(model.aspects, aspect) if model.aspects else None,
        resolution=_resolution(model.resolutions, lines),
        has_seed=model.seed,
        has_negative=model.negative_prompt,
    )


def _seconds(model: Model, wanted: float, what: str) -> float:
    least = wanted * (1 - MOST_SPEED_CHANGE + _SPARE)
    whole = range(max(1, round(model.shortest or 1)), int(model.longest or _LONGEST) + 1)
    lengths = sorted(model.seconds) if model.seconds else list(map(float, whole))
    found = next((seconds for seconds in lengths if seconds >= least), None)
    if found is None:
        longest = lengths[-1] / (1 - MOST_SPEED_CHANGE + _SPARE)
        raise Unsupported(
            f"{model.name} makes {model.lengths()}, and {what} lasts {wanted:.1f} s: make the clips no "
            f"longer than {int(longest * 10) / 10:g} s (clip_duration), or choose another model"
        )
    return found


def vendor_aspect(offered: Iterable[str], wanted: str) -> str:
    """The shape that loses least when it is cut to the wanted one."""
    return max(offered, key=lambda one: min(_ratio(one) / _ratio(wanted), _ratio(wanted) / _ratio(one)))


def footage_shapes(aspects: Sequence[str], video: VideoModel) -> list[str]:
    """The shape of the footage for films of each of these shapes: a model may have few. Their own, if none is
    bought or the model makes whatever shape it is given.
    """
    offered = video.models[0].aspects if video.bought else ()
    return [vendor_aspect(offered, aspect) if offered else aspect for aspect in aspects]


def _resolution(offered: Sequence[str], lines: int) -> str | None:
    """The smallest that is not blown up in the film, or else the largest; None: the model has but one."""
    known = {name: int(name[:-1]) for name in offered if name[:-1].isdigit() and name[-1] in "pP"}
    enough = [name for name in known if known[name] >= lines]
    if enough:
        return min(enough, key=known.__getitem__)
    return max(known, key=known.__getitem__, default=None)


class _Ends(NamedTuple):
    """The pictures that footage begins and ends on, as the model gets them."""

    first: Artifact
    last: Artifact


async def buy(
    shot: Shot, brief: Brief, purchase: Purchase, studio: Studio, video: VideoModel, task: Task
) -> Bought:
    """The footage of a clip, looked into. What was bought before is not bought again.

    Runs from its first line after each wait for the provider, so the pictures are kept in the task.
    """
    ends = await _keyframes(brief, purchase, studio, task)
    name = _name(purchase, ends, shot)
    found = await _found(name, studio)
    if found is not None:
        return found
    made = await video.by(purchase.names).shoot(_fit(purchase, ends, shot))
    bought = Bought(
        footage=made.clip,
        made_by=made.provider,
        seconds=made.seconds,
        cost=str(made.cost),
        passed=[*made.passed],
        report=await _seen(made, studio),
    )
    record = task.workdir / "bought.json"
    record.write_text(bought.model_dump_json())
    kept = await studio.keep(record, "application/json")
    await studio.store.bind(name, kept)
    return bought.model_copy(update={"record": kept})


async def _seen(made: Made, studio: Studio) -> FootageReport:
    """What the footage is: seen when it was downloaded, or else looked at now."""
    facts = made.facts.get("footage")
    return await studio.look(made.clip) if facts is None else FootageReport.model_validate(facts)


def conformed(shot: Shot, purchase: Purchase, bought: Bought) -> Shot:
    """The clip with its footage in the place of the photos. One that the next clip goes on from has to come
    to its end, whatever becomes of its beginning.
    """
    begins_on_last, ends_on_next = shot.meets
    footage = conform(
        bought.report,
        bought.footage.sha256,
        frames=shot.frames,
        fps=shot.fps,
        size=shot.size,
        ends=(framed(shot.first, purchase.shape), framed(shot.last, purchase.shape)),
        keep_end=ends_on_next and not begins_on_last,
    )
    return shot.model_copy(update={"footage": footage})


async def _found(name: str, studio: Studio) -> Bought | None:
    """The same footage, if it was bought before."""
    kept = await studio.store.find(name)
    if kept is None:
        return None
    (path,) = await studio.paths([kept])
    bought = Bought.model_validate_json(await asyncio.to_thread(path.read_bytes))
    return bought.model_copy(update={"shared": True, "record": kept})


async def _keyframes(brief: Brief, purchase: Purchase, studio: Studio, task: Task) -> _Ends:
    """Both photos cut to the shape of the footage, around what stands out; vendors take the middle."""

    async def make() -> list[Artifact]:
        photos = {"first": brief.first, "last": brief.last}
        cutting = (_cut(photo, purchase.shape, end, studio, task) for end, photo in photos.items())
        return list(await asyncio.gather(*cutting))

    first, last = await task.once("pictures", make, list[Artifact])
    return _Ends(first, last)


async def _cut(photo: Asset, shape: Size, end: str, studio: Studio, task: Task) -> Artifact:
    (path,) = await studio.paths([photo.artifact])
    to = task.workdir / f"{end}.jpg"
    request = CutPicture(path=path, box=crop(photo.picture, shape), size=shape, to=to)
    await studio.pool.run("cut_picture", request)
    return await studio.keep(to, "image/jpeg")


def _fit(purchase: Purchase, ends: _Ends, shot: Shot) -> Callable[[Model], VideoAsk]:
    """What each model is asked, as it was decided in the plan."""

    def fit(model: Model) -> VideoAsk:
        terms = purchase.of(model.name)
        return VideoAsk(
            first=ends.first,
            last=ends.last,
            prompt=purchase.prompt,
            negative_prompt=_NEVER if terms.has_negative else "",
            seconds=terms.seconds,
            aspect=terms.aspect,
            resolution=terms.resolution,
            seed=_seed(shot) if terms.has_seed else None,
        )

    return fit


def _seed(shot: Shot) -> int:
    """Another one for each clip and each take of it."""
    return zlib.crc32(f"{shot.seed}/{shot.index}/{shot.take}".encode()) & 0x7FFFFFFF


def _name(purchase: Purchase, ends: _Ends, shot: Shot) -> str:
    """The hash of all that is asked for: what has this name already was paid for."""
    asked = {
        "purchase": purchase.model_dump(mode="json"),
        "pictures": [ends.first.sha256, ends.last.sha256],
        "seed": _seed(shot),
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _ratio(aspect: str) -> float:
    wide, high = map(int, aspect.split(":"))
    return wide / high
