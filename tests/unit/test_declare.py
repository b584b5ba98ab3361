"""Declaring stages and pipelines: what the graph says when all is well."""

from __future__ import annotations

import dataclasses
import inspect
from datetime import timedelta
from typing import Annotated, Any, Generic, Protocol, TypeVar

import pytest
from pydantic import BaseModel, Field, RootModel
from typing_extensions import TypedDict

from genlock import Retry, Stage, Transient, minutes, pipeline, provided, seconds, stage
from genlock.engine.graph import INPUT, Const, Ref
from genlock.errors import BadInput

T = TypeVar("T")


class Shot(BaseModel):
    prompt: str


class Music(BaseModel):
    tempo: float


class Plan(BaseModel):
    shots: list[Shot]
    music: Music | None = None
    wanted: bool = True


class Order(BaseModel):
    topic: str
    style: str = "plain"


class Film(BaseModel):
    uri: str


class Vendor(Protocol):
    async def make(self, prompt: str) -> str: ...


class Grade(TypedDict):
    look: Annotated[str, "a name"]


class Frames(RootModel[list[Shot]]):
    pass


@dataclasses.dataclass
class Box(Generic[T]):
    inside: T


@stage
async def plan_film(order: Order, count: int = 3) -> Plan:
    return Plan(shots=[Shot(prompt=order.topic)] * count)


@stage(name="video_generation", resources={"gpu": 2, "cpu": 1}, queue="render", version=3)
async def make_clip(shot: Shot, style: str = "plain", *, vendor: Vendor = provided()) -> Film:
    """One clip."""
    return Film(uri=await vendor.make(shot.prompt + style))


@stage
async def compose(plan: Plan) -> Music:
    return Music(tempo=len(plan.shots))


@stage
async def combine(clips: list[Film], music: Music | None = None) -> Film:
    return clips[0]


@pipeline
def short(order: Order) -> Film:
    plan = plan_film(order)
    clips = make_clip.map(plan.shots, order.style)
    music = compose.when(plan.wanted)(plan)
    return combine(clips, music)


def test_the_graph_is_there_before_anything_runs() -> None:
    assert list(short.graph.nodes) == ["plan_film", "video_generation", "compose", "combine"]
    clip = short.graph.nodes["video_generation"]
    assert clip.bindings == {"shot": Ref("plan_film", ("shots",)), "style": Ref(INPUT, ("order", "style"))}
    assert (clip.mapped, clip.need, clip.when, clip.nested) == ("shot", None, None, False)
    assert (clip.version, clip.queue, clip.resources) == (3, "render", {"gpu": 2, "cpu": 1})
    assert short.graph.nodes["compose"].when == Ref("plan_film", ("wanted",))
    assert short.graph.nodes["combine"].optional == {"music"}
    assert short.graph.result == Ref("combine")
    assert short.stages["video_generation"] is make_clip


def test_a_stage_keeps_its_body_its_options_and_its_words() -> None:
    found = stage(timeout=minutes(2), retry=Retry(attempts=2, base=seconds(3)), reuse=True)(make_clip.body)
    assert (found.name, found.timeout, found.reuse) == ("make_clip", timedelta(minutes=2), True)
    assert found.retry == Retry(2, Transient, timedelta(seconds=3), timedelta(seconds=600))
    assert found.__doc__ == "One clip."
    assert found.body is make_clip.body
    assert inspect.signature(found) == inspect.signature(found.body) == found.signature


def test_what_is_not_said_is_left_to_the_settings() -> None:
    assert (plan_film.version, plan_film.queue, plan_film.resources) == (1, "default", {})
    assert (plan_film.timeout, plan_film.retry, plan_film.reuse) == (None, None, False)


async def test_a_body_runs_without_an_engine() -> None:
    class Fake:
        async def make(self, prompt: str) -> str:
            return prompt.upper()

    assert await make_clip.body(Shot(prompt="sea"), "!", vendor=Fake()) == Film(uri="SEA!")


def test_data_and_tools_are_told_apart() -> None:
    assert list(make_clip.inputs) == ["shot", "style"]
    assert make_clip.tools == {"vendor": Vendor}
    assert make_clip.inputs["shot"].validate_python({"prompt": "x"}) == Shot(prompt="x")
    assert make_clip.output.validate_python({"uri": "x"}) == Film(uri="x")


def test_what_is_fixed_in_the_wiring_and_what_is_left_out_become_constants() -> None:
    @pipeline
    def fixed(order: Order) -> Film:
        plan = plan_film(Order(topic="sea"))
        return combine(make_clip.map([Shot(prompt="a"), Shot(prompt="b")]), compose(plan))

    nodes = fixed.graph.nodes
    assert nodes["plan_film"].bindings == {
        "order": Const({"topic": "sea", "style": "plain"}),
        "count": Const(3),
    }
    assert nodes["video_generation"].bindings["shot"] == Const([{"prompt": "a"}, {"prompt": "b"}])
    assert nodes["video_generation"].bindings["style"] == Const("plain")


def test_whole_numbers_given_for_floats_are_kept_as_floats() -> None:
    @stage
    async def slow(factor: float) -> Film: ...

    @pipeline
    def slowed() -> Film:
        return slow(2)

    assert repr(slowed.graph.nodes["slow"].bindings["factor"]) == repr(Const(2.0))


def test_a_stage_placed_twice_gets_a_number() -> None:
    @pipeline
    def twice(order: Order) -> Film:
        first = plan_film(order)
        return combine(make_clip.map(plan_film(order, 2).shots), compose(first))

    assert list(twice.graph.nodes)[:2] == ["plan_film", "plan_film-2"]
    assert twice.graph.nodes["plan_film-2"].stage == "plan_film"
    assert twice.stages["plan_film-2"] is plan_film


def test_need_and_when_go_together_with_map() -> None:
    @stage
    async def gather(films: list[Film | None] | None) -> Film: ...

    @pipeline
    def tolerant(order: Order) -> Film:
        plan = plan_film(order)
        return gather(make_clip.when(plan.wanted).map(plan.shots, need=2))

    node = tolerant.graph.nodes["video_generation"]
    assert (node.mapped, node.need, node.when) == ("shot", 2, Ref("plan_film", ("wanted",)))
    assert tolerant.graph.nodes["gather"].optional == {"films"}


def test_a_flag_may_be_known_already() -> None:
    @pipeline
    def never(order: Order) -> Film:
        plan = plan_film(order)
        return combine(make_clip.map(plan.shots), compose.when(False)(plan))

    assert never.graph.nodes["compose"].when == Const(False)


def test_pipelines_nest_by_call_and_by_map() -> None:
    @stage
    async def split(topic: str) -> list[Order]: ...

    @pipeline
    def season(topic: str) -> Film:
        return combine(short.map(split(topic)))

    @pipeline
    def saga(topic: str) -> Film:
        return season(topic)

    node = season.graph.nodes["short"]
    assert (node.nested, node.mapped, node.bindings) == (True, "order", {"order": Ref("split")})
    assert season.stages["short"] is short
    assert list(saga.pipelines()) == [season, short]
    assert [each.name for each in saga.all_stages()] == [
        "split",
        "combine",
        "plan_film",
        "video_generation",
        "compose",
    ]
    assert all(isinstance(each, Stage) for each in saga.all_stages())


def test_fields_are_taken_from_models_dataclasses_typed_dicts_and_through_none() -> None:
    @stage
    async def boxes(order: Order) -> Box[Plan]: ...

    @stage
    async def grade(order: Order) -> Grade: ...

    @stage
    async def frames(order: Order) -> Frames: ...

    @stage
    async def use(tempo: float | None, look: str, shots: list[Shot], more: list[Shot]) -> Film: ...

    @pipeline
    def taken(order: Order) -> Film:
        box = boxes(order)
        music = compose.when(box.inside.wanted)(box.inside)
        return use(music.tempo, grade(order)["look"], box.inside.shots, frames(order).root)

    assert taken.graph.nodes["use"].bindings == {
        "tempo": Ref("compose", ("tempo",)),
        "look": Ref("grade", ("look",)),
        "shots": Ref("boxes", ("inside", "shots")),
        "more": Ref("frames"),  # the JSON of a root model is that of its root
    }


def test_annotations_may_name_what_only_a_function_around_knows() -> None:
    class Local(BaseModel):
        n: int

    @stage
    async def local(value: Local) -> list[Local]: ...

    @pipeline
    def locally(value: Local) -> list[Local]:
        return local(value)

    assert locally.output.validate_python([{"n": 1}]) == [Local(n=1)]


def test_anything_goes_where_the_types_say_nothing() -> None:
    @stage
    async def loose(value: Any) -> Any: ...

    @pipeline
    def loosely(order: Order) -> Film:
        found = loose(order)
        assert make_clip.map(found.shots.of.any_depth) is not None
        return found.film

    assert loosely.graph.result == Ref("loose", ("film",))
    assert loosely.graph.nodes["loose"].optional == {"value"}


def test_the_inputs_of_a_job_are_checked_and_completed() -> None:
    @pipeline
    def film(order: Order, count: Annotated[int, Field(gt=0)] = 3) -> Plan:
        return plan_film(order, count)

    whole = {"order": {"topic": "sea", "style": "plain"}, "count": 3}
    assert film.encode_inputs(Order(topic="sea")) == whole
    assert film.encode_inputs(order=Order(topic="sea"), count=3) == whole
    assert film.accept_inputs({"order": {"topic": "sea"}}) == whole
    assert film.defaults == {"count": 3}


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"ordr": {}}, "short has no input 'ordr': did you mean 'order'?"),
        ({}, "short needs order"),
        ({"order": {"style": "x"}}, "order.topic: field required"),
        ({"order": {"topic": 3}}, "order.topic: input should be a valid string"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_in_words(params: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        short.accept_inputs(params)
    assert str(caught.value) == says


def test_python_values_that_do_not_fit_are_refused_in_words() -> None:
    with pytest.raises(
        BadInput, match=r"short: missing a required argument: 'order'; it takes \(order: Order\)"
    ):
        short.encode_inputs()  # type: ignore[call-arg]
    with pytest.raises(BadInput, match=r"short\(order\)"):
        short.encode_inputs("sea")  # type: ignore[arg-type]


def test_declared_things_say_what_they_are() -> None:
    assert (repr(make_clip), repr(short)) == ("<stage video_generation>", "<pipeline short>")
