"""Wirings a type checker must accept, with the types it must find. Read by mypy and basedpyright."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol, assert_type

from pydantic import BaseModel
from typing_extensions import TypedDict

from genlock import Engine, Pipeline, Retry, Skip, Task, Transient, minutes, pipeline, provided, stage


class Order(BaseModel):
    topic: str
    with_audio: bool = True


class Shot(BaseModel):
    prompt: str


class Plan(BaseModel):
    shots: list[Shot]
    tempo: float


class Clip(BaseModel):
    uri: str


class Film(BaseModel):
    uri: str


class Grade(TypedDict):
    look: str


class VideoModel(Protocol):
    async def generate(self, prompt: str) -> str: ...


@stage
async def plan_film(order: Order, count: int = 3) -> Plan:
    """Bare, with a parameter that may be left out."""
    return Plan(shots=[Shot(prompt=order.topic)] * count, tempo=90)


@stage(
    name="video_generation",
    version=2,
    resources={"cpu": 1},
    queue="gpu",
    timeout=minutes(30),
    retry=Retry(attempts=4, on=(Transient, OSError), base=timedelta(seconds=2)),
    reuse=True,
)
async def make_clip(
    shot: Shot, style: str, *, video: VideoModel = provided(), task: Task = provided()
) -> Clip:
    """With every option, and with tools."""
    if not shot.prompt:
        raise Skip("nothing to show")
    await task.report(0.5)
    return Clip(uri=await video.generate(shot.prompt + style))


@stage
async def compose(plan: Plan) -> Clip:
    return Clip(uri=str(plan.tempo))


@stage
async def grade(order: Order) -> Grade:
    return {"look": order.topic}


@stage
async def combine(clips: list[Clip], music: Clip | None) -> Film:
    return Film(uri=clips[0].uri + (music.uri if music else ""))


@stage
async def combine_some(clips: list[Clip | None], look: str = "plain") -> Film:
    return Film(uri=look + str(len(clips)))


@stage
async def gather(films: list[Film]) -> Film:
    return films[0]


@pipeline
def short(order: Order) -> Film:
    plan = plan_film(order)
    assert_type(plan, Plan)
    clips = make_clip.map(plan.shots, order.topic)
    assert_type(clips, list[Clip])
    music = compose.when(order.with_audio)(plan)
    assert_type(music, Clip | None)
    return combine(clips, music)


@pipeline(name="tolerant")
def tolerant(order: Order) -> Film:
    plan = plan_film(order, count=5)
    some = make_clip.map(plan.shots, order.topic, need=2)
    assert_type(some, list[Clip | None])
    maybe = make_clip.when(order.with_audio).map(plan.shots, style="warm")
    assert_type(maybe, list[Clip] | None)
    few = make_clip.when(order.with_audio).map(plan.shots, "warm", need=1)
    assert_type(few, list[Clip | None] | None)
    one = make_clip(Shot(prompt="sea"), style="warm")
    assert_type(one, Clip)
    return combine_some(some, grade(order)["look"])


@stage
async def split(topic: str) -> list[Order]:
    return [Order(topic=topic)]


@pipeline
def season(topic: str) -> Film:
    orders = split(topic)
    films = short.map(orders)
    assert_type(films, list[Film])
    assert_type(short.map(orders, need=1), list[Film | None])
    assert_type(short.when(True)(Order(topic="sky")), Film | None)
    assert_type(tolerant(Order(topic="sea")), Film)
    return gather(films)


async def use(engine: Engine, video: VideoModel, task: Task) -> None:
    """A stage's body is the plain function; a pipeline types its inputs."""
    clip = await make_clip.body(Shot(prompt="sea"), "warm", video=video, task=task)
    assert_type(clip, Clip)
    one: Pipeline[[Order], Film] = short
    one.encode_inputs(Order(topic="sea"))
    short.encode_inputs(order=Order(topic="sea"))
