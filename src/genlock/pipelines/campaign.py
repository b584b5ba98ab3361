"""Photos into a campaign film: choose pairs, plan, make a clip of each, join, add music, check, store."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from genlock.engine.declare import pipeline, provided, stage
from genlock.engine.task import Task
from genlock.errors import BadPicture, CheckFailed
from genlock.media.check.planned import planned
from genlock.media.check.report import CheckReport, ReviewFilm
from genlock.media.film.plan import FilmPlan, plan_shots, retake
from genlock.media.film.segment import body, segments
from genlock.media.film.style import STYLES
from genlock.media.film.titling import titled
from genlock.media.music.mood import MOODS
from genlock.media.music.tune import ComposeMusic
from genlock.media.pairing.choice import Candidate, ChoosePairs
from genlock.media.request import (
    JoinSegments,
    MuxFilm,
    Part,
)
from genlock.media.sound.soundtrack import FinishAudio
from genlock.pipelines.drawing import ahead_of, sources_of, with_approaches
from genlock.pipelines.footage import Generated
from genlock.pipelines.intake import gathered, take_in
from genlock.pipelines.meeting import links_of
from genlock.pipelines.models import (
    Asset,
    Brief,
    CampaignOrder,
    Checked,
    Clip,
    Cut,
    Film,
    Intake,
    LeftOut,
    Music,
    Pair,
    Piece,
    Print,
    Storyboard,
    Tally,
)
from genlock.pipelines.purchase import buy, conformed, with_purchases
from genlock.pipelines.review import await_review
from genlock.pipelines.studio import Studio
from genlock.pipelines.words import try_captions, words_of
from genlock.providers.faces import VideoModel

FPS = 30
AT_ONCE = 64  # photos under way in one order: more than there are rendering processes, or they wait for disks
LONG = timedelta(hours=2)  # ten thousand photos are a quarter of an hour of work, or two, for a small machine


@stage(name="asset_collection", resources={"cpu": 1}, timeout=LONG)
async def collect_assets(
    photos: list[str], skip_bad: bool, *, studio: Studio = provided(), task: Task = provided()
) -> Intake:
    """Working copies of all photos, in the store. All that cannot be used are named together, or left out."""
    done, turn = 0, asyncio.Semaphore(AT_ONCE)

    async def one(number: int, photo: str) -> Asset | BadPicture:
        nonlocal done
        found: Asset | BadPicture
        try:
            async with turn:  # whether there is room is asked for each when its turn has come
                found = await take_in(number, photo, studio, task)
        except BadPicture as error:
            found = error
        done += 1
        await task.report(done / len(photos), f"{done} of {len(photos)} photos")
        return found

    async with asyncio.TaskGroup() as group:  # a crash, or a full disk, ends the others as well
        importing = [group.create_task(one(number, photo)) for number, photo in enumerate(photos)]
    return gathered(photos, [each.result() for each in importing], skip_bad=skip_bad)


@stage(name="image_pair_selection", resources={"cpu": 1}, timeout=LONG)
async def select_pairs(
    assets: list[Asset], count: int, seed: int, *, studio: Studio = provided(), task: Task = provided()
) -> list[Pair]:
    """The pairs that make the best clips, in the order of the film."""
    by_hash = {asset.artifact.sha256: asset for asset in assets}
    paths = await studio.paths(asset.artifact for asset in by_hash.values())
    candidates = [
        Candidate(id=sha256, path=path, sha256=sha256) for sha256, path in zip(by_hash, paths, strict=True)
    ]
    request = ChoosePairs(pictures=candidates, num_pairs=count, seed=seed)
    choice = await studio.run("choose_pairs", request, task)
    return [
        Pair(
            first=by_hash[pair.first],
            last=by_hash[pair.last],
            score=pair.score,
            criteria=pair.criteria.model_dump(),
            reason=pair.reason,
        )
        for pair in choice.pairs
    ]


@stage(name="sub_job_creation", resources={"cpu": 1})
async def plan_film(
    pairs: list[Pair],
    order: CampaignOrder,
    intake: Intake,
    *,
    studio: Studio = provided(),
    video: VideoModel = provided(),
    task: Task = provided(),
) -> Storyboard:
    """Tempo, cuts, camera moves, transitions and words of the whole film, before anything is made."""
    style = STYLES[order.style]
    mood = MOODS[order.music_style or order.style]
    pictures = [(pair.first.picture, pair.last.picture) for pair in pairs]
    plan = await asyncio.to_thread(
        plan_shots,
        pictures,
        links=await links_of(pairs, pictures, studio, task),
        size=order.size,
        fps=FPS,
        seconds_per_clip=order.clip_duration or style.seconds,
        seed=order.seed,
        tempo=mood.tempo,
        mood=mood.name,
        transition=order.transitions,
        style=style,
    )
    words, logo = await words_of(order, intake, studio, task)
    plan = titled(plan, words, order.style)
    await try_captions(plan, studio, task)
    on_card = [(pairs[-1].last, pairs[-1].last)] * (len(plan.shots) - len(pairs))
    assets = [*((pair.first, pair.last) for pair in pairs), *on_card]
    briefs = [
        Brief(shot=shot, first=first, last=last, logo=logo if shot.is_card else None)
        for shot, (first, last) in zip(plan.shots, assets, strict=True)
    ]
    briefs = with_approaches(with_purchases(briefs, order, video), plan.transitions)
    plan = plan.model_copy(update={"shots": [brief.shot for brief in briefs]})
    return Storyboard(plan=plan, briefs=briefs)


@stage(name="video_generation", resources={"cpu": 1})
async def make_clip(
    brief: Brief, *, studio: Studio = provided(), video: VideoModel = provided(), task: Task = provided()
) -> Clip:
    """One clip's body, rendered from its photos, or from footage that a model makes of them.

    Made again, it gets other camera moves, or is bought anew. With a planned clip the transition to it is
    rendered ahead: it is in the store when the clips are combined.
    """
    shot = retake(brief.shot, task.revision - 1) if task.revision > 1 else brief.shot
    bought = None
    if brief.purchase:
        bought = await buy(shot, brief, brief.purchase, studio, video, task)
        shot = conformed(shot, brief.purchase, bought)
    planned_too = ahead_of(brief) if task.revision == 1 else []
    segment = body(shot)
    made = await studio.segments([segment, *planned_too], sources_of(brief, bought), task)
    return Clip(
        brief=brief.model_copy(update={"shot": shot, "approach": None}),
        segment=segment.name,
        frames=segment.frames,
        artifact=made[segment.name].artifact,
        parts=made[segment.name].parts,
        bought=bought,
        ahead={each.name: made[each.name].parts for each in planned_too},
    )


@stage(name="audio_generation", resources={"cpu": 1})
async def compose_music(
    plan: FilmPlan, seed: int, *, studio: Studio = provided(), task: Task = provided()
) -> Music:
    """Music that ends with the film, at its final loudness."""
    raw, finished = task.workdir / "music.wav", task.workdir / "music.m4a"
    compose = ComposeMusic(
        path=raw, frames=plan.total_frames, fps=plan.fps, mood=plan.mood, tempo=plan.tempo, seed=seed
    )
    tune = await studio.run("compose_music", compose, task, share=(0.0, 0.6))
    finish = FinishAudio(source=raw, path=finished, frames=plan.total_frames, fps=plan.fps)
    track = await studio.run("finish_audio", finish, task, share=(0.6, 1.0))
    return Music(
        artifact=await studio.keep(finished, "audio/mp4"),
        key=tune.key,
        tempo=tune.tempo,
        integrated=track.loudness.integrated,
        true_peak=track.loudness.true_peak,
    )


@stage(name="video_combination", resources={"cpu": 1})
async def combine_clips(
    board: Storyboard, clips: list[Clip], *, studio: Studio = provided(), task: Task = provided()
) -> Cut:
    """The clips and the transitions between them as one film. Only what is new is rendered."""
    shots = [clip.brief.shot for clip in clips]
    plan = board.plan.model_copy(update={"shots": shots})
    sources = {name: each for clip in clips for name, each in sources_of(clip.brief, clip.bought).items()}
    wanted = segments(plan)
    joints = [segment for segment in wanted if segment.kind == "transition"]
    made = await studio.segments(joints, sources, task, share=(0.0, 0.8))
    bodies = iter(clip.artifact for clip in clips)
    pieces = [
        Piece(
            kind=segment.kind,
            segment=segment.name,
            frames=segment.frames,
            artifact=next(bodies) if segment.kind == "body" else made[segment.name].artifact,
        )
        for segment in wanted
    ]
    paths = await studio.paths(piece.artifact for piece in pieces)
    parts = [Part(path=path, frames=piece.frames) for path, piece in zip(paths, pieces, strict=True)]
    to = task.workdir / "cut.mp4"
    joined = await studio.run("join", JoinSegments(parts=parts, fps=plan.fps, to=to), task, share=(0.8, 1.0))
    ahead = {name: parts for clip in clips for name, parts in clip.ahead.items()}
    tallies = [clip.parts for clip in clips] + [ahead.get(name, each.parts) for name, each in made.items()]
    return Cut(
        artifact=await studio.keep(to, "video/mp4"),
        frames=joined.frames,
        pieces=pieces,
        parts=sum(tallies, Tally()),
    )


@stage(name="audio_merging", resources={"cpu": 1})
async def merge_audio(
    cut: Cut, music: Music | None, *, studio: Studio = provided(), task: Task = provided()
) -> Print:
    """Picture and sound in one file that players and browsers start at once."""
    video = await studio.store.path(cut.artifact)
    audio = await studio.store.path(music.artifact) if music else None
    to = task.workdir / "film.mp4"
    made = await studio.run("mux", MuxFilm(video=video, audio=audio, fps=FPS, to=to), task)
    return Print(artifact=await studio.keep(to, "video/mp4"), frames=made.frames, parts=cut.parts)


@stage(name="film_check", resources={"cpu": 1})
async def check_film(
    film: Print,
    cut: Cut,
    plan: FilmPlan,
    clips: list[Clip],
    with_audio: bool,
    *,
    studio: Studio = provided(),
    task: Task = provided(),
) -> Checked:
    """Hold the film against the plan and the delivery rules. `CheckFailed` has the numbers.

    The cut's frames were looked at when they were drawn; what the film adds to that is looked at here, and
    listened to beside that, and the stills are taken from what is decoded.
    """
    made = plan.model_copy(update={"shots": [clip.brief.shot for clip in clips]})
    path, witness = await studio.paths([film.artifact, cut.artifact])
    whole = planned(path, made, has_audio=with_audio, witness=witness)
    looking, listening = (whole.model_copy(update={"of": part}) for part in ("picture", "sound"))
    poster, sheet = task.workdir / "poster.jpg", task.workdir / "sheet.jpg"
    request = ReviewFilm(check=looking, poster=poster, sheet=sheet)
    async with asyncio.TaskGroup() as group:
        seeing = group.create_task(studio.run("review_film", request, task))
        hearing = group.create_task(studio.pool.run("check_film", listening)) if with_audio else None
    heard = hearing.result().findings if hearing else []
    report = CheckReport(findings=[*seeing.result().report.findings, *heard])
    if not report.passed:
        raise CheckFailed(report.sentence())
    return Checked(
        film=film,
        poster=await studio.keep(poster, "image/jpeg"),
        contact_sheet=await studio.keep(sheet, "image/jpeg"),
        report=report.model_dump(mode="json"),
    )


@stage(name="video_storage", resources={"cpu": 1})
async def store_film(
    checked: Checked,
    board: Storyboard,
    left_out: list[LeftOut],
    output: str | None,
    clips: list[Clip] | None = None,
    *,
    studio: Studio = provided(),
) -> Film:
    """The film with a poster and a contact sheet, and a copy where the order asked for one."""
    plan = board.plan
    if output is not None:
        await studio.store.export(checked.film.artifact, Path(output))
    return Film(
        film=checked.film.artifact,
        poster=checked.poster,
        contact_sheet=checked.contact_sheet,
        frames=plan.total_frames,
        seconds=plan.duration,
        width=plan.width,
        height=plan.height,
        fps=plan.fps,
        clips=plan.clips,
        report=checked.report,
        parts=checked.film.parts,
        left_out=left_out,
        generated=[
            Generated(clip=number, made_by=clip.made_by, footage=clip.bought.footage)
            for number, clip in enumerate(clips or [], 1)
            if clip.bought
        ],
        path=output,
    )


@pipeline
def campaign(order: CampaignOrder) -> Film:
    """A campaign film from photos."""
    intake = collect_assets(order.photos, order.skip_bad)
    pairs = select_pairs(intake.assets, order.num_pairs, order.seed)
    board = plan_film(pairs, order, intake)
    clips = make_clip.map(board.briefs)
    music = compose_music.when(order.with_audio)(board.plan, order.seed)
    cut = combine_clips(board, clips)
    film = merge_audio(cut, music)
    checked = check_film(film, cut, board.plan, clips, order.with_audio)
    stored = store_film(checked, board, intake.left_out, order.output, clips)
    await_review.when(order.review)(stored)
    return stored
