"""A clip that is bought, in a real studio: the face asks through a task whose calls are answered here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from footage import Roll, number_of, roll
from genlock.clock import SystemClock
from genlock.errors import Parked, Permanent, RenderRefused, Unsupported
from genlock.media.check.planned import planned
from genlock.media.film.plan import FilmPlan, plan_shots
from genlock.media.film.segment import segments
from genlock.media.pool import RenderPool
from genlock.media.request import ImportPicture, JoinSegments, MuxFilm, Part
from genlock.money import Money
from genlock.paid import Answer
from genlock.pipelines.campaign import make_clip
from genlock.pipelines.models import Asset, Brief, CampaignOrder, Clip
from genlock.pipelines.purchase import footage_shapes, with_purchases
from genlock.pipelines.studio import Studio
from genlock.providers.catalog import Kind
from genlock.providers.faces import VideoModel
from genlock.providers.registry import Providers
from genlock.settings import Settings
from genlock.store.artifact import Artifact
from genlock.store.local import LocalStore
from genlock.testing import FakeTask

MODEL = "replicate:google/veo-3.1"
FRAMES = 123  # of footage that lasts four seconds and a little, at 30 a second


@dataclass
class Shop:
    """A studio with photos in it, and what is planned to be made of them."""

    studio: Studio
    folder: Path
    providers: Providers
    plan: FilmPlan
    briefs: list[Brief]
    order: CampaignOrder

    def face(self, task: FakeTask) -> VideoModel:
        return VideoModel(
            self.providers.chain(Kind.VIDEO),
            task,
            self.studio.verify,
            lambda s: self.providers.chain(Kind.VIDEO, s),
        )

    def bought(self) -> list[Brief]:
        return with_purchases(self.briefs, self.order, self.face(FakeTask()))

    async def footage(self, name: str = "clip", wanted: Roll | None = None) -> Artifact:
        path = roll(self.folder / f"{name}.mp4", wanted or Roll(frames=FRAMES))
        return await self.studio.keep(path, "video/mp4")

    async def make(self, brief: Brief, footage: Artifact | None = None, *, revision: int = 1) -> Clip:
        task = FakeTask(revision=revision)
        if footage is not None:
            task.answers = {"clip": Answer([footage], {}, Money(800_000, "USD"), MODEL)}
        return await make_clip.body(brief, studio=self.studio, video=self.face(task), task=task)


@pytest.fixture
async def shop(tmp_path: Path, photo) -> AsyncIterator[Shop]:  # type: ignore[no-untyped-def]
    async with RenderPool(1, memory=2 * 1024**3) as pool:
        store = LocalStore(tmp_path / "store")
        studio = Studio(pool, store, SystemClock(), reserve=0.0)
        providers = Providers(
            Settings(home=tmp_path, video=MODEL, replicate_key="r8_key"), store, SystemClock()
        )
        assets = []
        for path in photo("dandelion", "two-dogs", "wall-clock", "forest-stream"):
            small = cv2.resize(np.asarray(cv2.imread(str(path)), np.uint8), None, fx=0.3, fy=0.3)
            cv2.imwrite(str(tmp_path / path.name), small)
            to = tmp_path / f"copy-{path.name}"
            made = await pool.run("import_picture", ImportPicture(path=tmp_path / path.name, to=to))
            artifact = await studio.keep(to, "image/jpeg")
            assets.append(Asset(name=path.name, picture=made.picture, artifact=artifact))
        pairs = [(assets[0], assets[1]), (assets[2], assets[3])]
        plan = plan_shots([(a.picture, b.picture) for a, b in pairs], size=(160, 90), seconds_per_clip=4)
        briefs = [Brief(shot=s, first=a, last=b) for s, (a, b) in zip(plan.shots, pairs, strict=True)]
        order = CampaignOrder(photos=["/a.jpg", "/b.jpg"], clip_duration=4, resolution="90p")
        yield Shop(studio, tmp_path, providers, plan, briefs, order)
        await providers.close()


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray(format="bgr24") for frame in film.decode(video=0)]


async def test_a_bought_clip_shows_the_footage_from_its_first_frame_to_its_last(shop: Shop) -> None:
    briefs = shop.bought()
    clips = [await shop.make(brief, await shop.footage(f"{n}")) for n, brief in enumerate(briefs)]
    assert [clip.made_by for clip in clips] == [MODEL, MODEL]
    assert {clip.bought.cost for clip in clips if clip.bought} == {"$0.80"}
    plan = shop.plan.model_copy(update={"shots": [clip.brief.shot for clip in clips]})
    parts, sources = [], {}
    for clip in clips:
        assert clip.bought
        sources[clip.bought.footage.sha256] = clip.bought.footage
    joints = [each for each in segments(plan) if each.kind == "transition"]
    assert {source for joint in joints for source in joint.sources} == set(sources)
    made = await shop.studio.segments(joints, sources, FakeTask())
    bodies = iter(clips)
    for segment in segments(plan):
        artifact = made[segment.name].artifact if segment.kind == "transition" else next(bodies).artifact
        parts.append(Part(path=await shop.studio.store.path(artifact), frames=segment.frames))
    cut, film = shop.folder / "cut.mp4", shop.folder / "film.mp4"
    await shop.studio.pool.run("join", JoinSegments(parts=parts, fps=30, to=cut))
    await shop.studio.pool.run("mux", MuxFilm(video=cut, fps=30, to=film))

    images = frames_of(film)
    assert len(images) == plan.total_frames
    seen = [number_of(image) for image in images[: plan.shots[0].frames - plan.shots[0].tail]]
    assert seen[0] == 0
    assert seen == sorted(seen)
    second = [number_of(image) for image in images[-plan.shots[1].frames + plan.shots[1].lead :]]
    assert second[-1] == FRAMES - 1
    assert second == sorted(second)
    report = await shop.studio.pool.run("check_film", planned(film, plan, has_audio=False, witness=cut))
    assert report.passed, report.sentence()


async def test_footage_of_fewer_frames_a_second_passes_the_check_and_frozen_footage_does_not(
    shop: Shop,
) -> None:
    brief = shop.bought()[0]
    thin = await shop.make(brief, await shop.footage(wanted=Roll(fps=Fraction(24), frames=98)))
    times = [n * 1000 for n in range(30)] + [108_000 + n * 1000 for n in range(15)]
    stuck = await shop.make(brief, await shop.footage(wanted=Roll(times=times)), revision=2)
    alone = {"tail": 0, "lead": 0}
    for clip, passes in ((thin, True), (stuck, False)):
        shot = clip.brief.shot.model_copy(update={**alone, "frames": clip.brief.shot.body_frames})
        plan = FilmPlan(fps=30, width=160, height=90, shots=[shot], transitions=[])
        part = Part(path=await shop.studio.store.path(clip.artifact), frames=clip.frames)
        cut, film = shop.folder / "cut.mp4", shop.folder / "film.mp4"
        await shop.studio.pool.run("join", JoinSegments(parts=[part], fps=30, to=cut))
        await shop.studio.pool.run("mux", MuxFilm(video=cut, fps=30, to=film))
        report = await shop.studio.pool.run("check_film", planned(film, plan, has_audio=False, witness=cut))
        assert report.passed == passes, report.sentence()
        assert {finding.name for finding in report.failures} <= {"freeze"}


async def test_the_pictures_are_cut_once_and_the_same_is_asked_after_each_wait(shop: Shop) -> None:
    brief, task = shop.bought()[0], FakeTask()
    with pytest.raises(Parked, match="is at work on clip"):
        await make_clip.body(brief, studio=shop.studio, video=shop.face(task), task=task)
    first = task.asked["clip"].request
    asked: list[str] = []
    run = shop.studio.pool.run

    async def counted(operation: str, *given, **more):  # type: ignore[no-untyped-def]
        asked.append(operation)
        return await run(operation, *given, **more)

    shop.studio.pool.run = counted  # type: ignore[method-assign]
    again = FakeTask(notes=task.notes, attempt=2)
    with pytest.raises(Parked):
        await make_clip.body(brief, studio=shop.studio, video=shop.face(again), task=again)
    assert asked == [], "nothing is rendered before the footage is there"
    assert again.asked["clip"].request == first
    assert (first.seconds, first.aspect, first.resolution) == (4, "16:9", "720p")
    assert first.negative_prompt
    assert "Calm" in first.prompt
    for artifact in (first.first, first.last):
        image = cv2.imread(str(await shop.studio.store.path(artifact)))
        assert image is not None
        assert image.shape[:2] == (720, 1280)


async def test_a_clip_made_again_is_bought_anew_and_no_other_one_is(shop: Shop) -> None:
    brief = shop.bought()[0]
    one = await shop.make(brief, await shop.footage("one"))
    task = FakeTask(revision=2)
    with pytest.raises(Parked):
        await make_clip.body(brief, studio=shop.studio, video=shop.face(task), task=task)
    other = FakeTask()
    with pytest.raises(Parked):
        await make_clip.body(shop.bought()[1], studio=shop.studio, video=shop.face(other), task=other)
    two = await shop.make(brief, await shop.footage("two", Roll(frames=118)), revision=2)
    assert one.bought
    assert two.bought
    assert one.bought.footage != two.bought.footage
    assert one.segment != two.segment
    assert (one.brief.shot.take, two.brief.shot.take) == (0, 1)
    assert task.asked["clip"].request.seed != other.asked["clip"].request.seed


async def test_what_was_bought_before_is_found_and_not_bought_again(shop: Shop) -> None:
    brief = shop.bought()[0]
    one = await shop.make(brief, await shop.footage())
    same = await shop.make(brief)
    assert one.bought
    assert same.bought
    assert same.bought.footage == one.bought.footage
    assert (one.bought.shared, same.bought.shared) == (False, True)
    assert same.segment == one.segment
    assert same.parts.rendered == 0


async def test_a_square_film_shows_footage_that_was_bought_for_a_wide_one(shop: Shop) -> None:
    one = await shop.make(shop.bought()[0], await shop.footage())
    pairs = [(brief.shot.first, brief.shot.last) for brief in shop.briefs]
    square = plan_shots(pairs, size=(90, 90), seconds_per_clip=4)
    shop.briefs = [b.model_copy(update={"shot": s}) for b, s in zip(shop.briefs, square.shots, strict=True)]
    shop.order = shop.order.model_copy(update={"aspect": "1:1"})
    same = await shop.make(shop.bought()[0])
    assert one.bought
    assert same.bought
    assert same.bought.footage == one.bought.footage
    assert frames_of(await shop.studio.store.path(same.artifact))[0].shape == (90, 90, 3)
    face = shop.face(FakeTask())
    assert footage_shapes(["16:9", "9:16", "1:1"], face) == ["16:9", "9:16", "16:9"]
    assert footage_shapes(["16:9", "1:1"], face.by("local")) == ["16:9", "1:1"]


async def test_footage_that_is_too_short_fails_the_clip_and_is_not_frozen(shop: Shop) -> None:
    with pytest.raises(Permanent, match=r"90 frames in 3\.00 s.*at least"):
        await shop.make(shop.bought()[0], await shop.footage(wanted=Roll(frames=90)))


async def test_what_is_no_film_fails_the_download(shop: Shop) -> None:
    path = shop.folder / "answer.mp4"
    path.write_text("<html>gone</html>")
    with pytest.raises(RenderRefused, match="the footage is a page of text"):
        await shop.studio.verify(path, "video/mp4")
    good = roll(shop.folder / "good.mp4", Roll(frames=10))
    facts = await shop.studio.verify(good, "video/mp4")
    assert facts["footage"]["frames"] == 10
    with pytest.raises(RenderRefused, match="no sound"):
        await shop.studio.verify(good, "audio/mpeg")


async def test_nothing_is_bought_unless_it_is_asked_for_and_what_cannot_be_is_said_before(shop: Shop) -> None:
    local = shop.order.model_copy(update={"video": "local"})
    assert with_purchases(shop.briefs, local, shop.face(FakeTask())) == shop.briefs
    clip = await shop.make(shop.briefs[0])
    assert (clip.made_by, clip.bought) == ("photos", None)
    turbo = shop.order.model_copy(update={"video": "runway:gen4_turbo"})
    shop.providers.settings.__dict__["runway_key"] = shop.providers.settings.replicate_key
    with pytest.raises(Unsupported, match="cannot end on a picture"):
        with_purchases(shop.briefs, turbo, shop.face(FakeTask()))
