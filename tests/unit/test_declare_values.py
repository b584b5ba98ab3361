"""Values that do not fit are refused when the pipeline is declared, without a type checker."""

# ruff: noqa: E501 - messages are quoted whole, so that they can be searched for

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NotRequired

import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field, model_serializer
from typing_extensions import TypedDict

from genlock import GraphError, pipeline, provided, stage


class Shot(BaseModel):
    prompt: str


class Script(BaseModel):
    topic: str
    seconds: float
    shots: list[Shot]
    wanted: bool = True
    title: str | None = None
    secret: str = Field(default="", exclude=True)
    _hidden: int = 0

    @property
    def words(self) -> int:
        return len(self.topic)

    @computed_field
    def letters(self) -> int:
        return len(self.topic)


class Own(BaseModel):
    topic: str

    @model_serializer
    def write(self) -> str:
        return self.topic


class Grade(TypedDict):
    look: str
    lut: NotRequired[str]


class Pair(NamedTuple):
    first: str


class Film(BaseModel):
    model_config = ConfigDict(extra="forbid")
    uri: str


@stage
async def write(topic: str) -> Script: ...


@stage
async def clip(shot: Shot, style: str = "plain", *, vendor: object = provided()) -> Film: ...


@stage
async def join(films: list[Film]) -> Film: ...


@stage
async def speak(script: Script) -> Film: ...


def refusal(wire: Callable[[Any], object]) -> str:
    """What is said when a pipeline is drawn whose wiring does this with a script."""

    def film(topic: str) -> Film:
        wire(write(topic))
        raise AssertionError("slipped through")

    with pytest.raises(GraphError) as caught:
        pipeline(film)
    return str(caught.value)


def returning(kind: Any) -> Any:
    async def make(topic: str) -> Any: ...

    make.__annotations__["return"] = kind
    return stage(make)("x")


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (lambda s: speak(s.topic), "speak(script) takes Script, but write.topic is str"),
        (lambda s: write(s), "write(topic) takes str, but write is Script"),
        (lambda s: write(s.title), "write(topic) takes str, but write.title is str | None: it is None when it was "
         "skipped, so let the parameter accept None"),
        (lambda s: speak(write.when(s.wanted)("x")), "speak(script) takes Script, but write-2 is Script | None: it is "
         "None when it was skipped, so let the parameter accept None"),
        (lambda s: join(s.shots), "join(films) takes list[Film], but write.shots is list[Shot]"),
        (lambda s: join(clip.map(s.shots, need=1)), "join(films) takes list[Film], but clip is list[Film | None]"),
        (lambda s: join(clip.when(s.wanted).map(s.shots)), "join(films) takes list[Film], but clip is list[Film] | "
         "None: it is None when it was skipped"),
        (lambda s: clip.map(s.topic), "write.topic cannot be mapped over: it is str, not a list"),
        (lambda s: clip.map(s), "write cannot be mapped over: it is Script, not a list"),
        (lambda s: clip.map(clip.when(s.wanted).map(s.shots)), "clip cannot be mapped over: it is list[Film] | None and "
         "may be None"),
        (lambda s: join.map(s.shots), "join(films) of .map takes list[Film], but an item of write.shots is Shot"),
        (lambda s: clip.when(s.topic)(Shot(prompt="x")), "clip.when(flag) takes bool, but write.topic is str"),
        (lambda s: clip.when("yes")(Shot(prompt="x")), "clip.when(flag) cannot be written as JSON"),
        (lambda s: clip.map(s.shots, need=0), "clip.map(need=0): need is a whole number of tasks, at least 1"),
        (lambda s: clip.map(s.shots, need=True), "clip.map(need=True): need is"),
        (lambda s: clip.map(s.shots, need=s.seconds), "write.seconds has no value while the pipeline is drawn"),
        (lambda s: clip(), "clip: missing a required argument: 'shot'; it takes (shot: Shot, style: str = …)"),
        (lambda s: speak(s, 2), "speak: too many positional arguments; it takes (script: Script)"),
        (lambda s: speak(s, voice=1), "speak: got an unexpected keyword argument 'voice'"),
        (lambda s: clip(s.shots, vendor=s), "clip(vendor) is provided by the worker: leave it out"),
        (lambda s: speak({"topic": "x"}), "speak(script) cannot be written as JSON"),
        (lambda s: clip(Shot(prompt="x"), 3), "clip(style) cannot be written as JSON"),
        (lambda s: join([clip(Shot(prompt="x"))]), "join(films) is given a list with values in it that are not there "
         "yet: hand them in as parameters of their own, or gather them in a stage"),
        (lambda s: join({"a": (s,)}), "join(films) is given a dict with values in it"),
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_refused_without_a_type_checker(
    wire: Callable[[Any], object], says: str
) -> None:
    assert refusal(wire).startswith(says)


@pytest.mark.parametrize(
    ("have", "want", "fits"),
    [
        (int, float, True),
        (float, int, False),
        (bool, int, True),
        (str, list[str], False),
        (list[int], list[float], True),
        (list[str], list[int], False),
        (list[str], tuple[str, ...], False),
        (tuple[str, ...], list[str], False),
        (tuple[int, str], tuple[int, str], True),
        (tuple[int, str], tuple[int, int], False),
        (tuple[int, int], tuple[int, ...], True),
        (tuple[int, str], tuple[int, ...], False),
        (tuple[int, ...], tuple[int, int], False),
        (dict[str, int], dict[str, float], True),
        (dict[str, str], dict[str, int], False),
        (Literal["a"], str, True),
        (Literal["a"], Literal["a", "b"], True),
        (Literal["c"], Literal["a", "b"], False),
        (str, Literal["a"], False),
        (int | None, int | str | None, True),
        (int | str, int, False),
        (None, int | None, True),
        (Grade, Grade, True),
        (Grade, dict[str, Any], True),
        (Grade, Film, False),
        (dict[str, str], Grade, False),
        (Any, Film, True),
        (Film, Any, True),
        (Film, object, True),
        (Film, BaseModel, True),
        (BaseModel, Film, False),
        (list, list[int], True),
    ],
)
def test_what_fits_where(have: Any, want: Any, fits: bool) -> None:
    async def take(value: Any) -> Film: ...

    take.__annotations__["value"] = want
    taking = stage(take)
    if fits:
        pipeline_of(lambda: taking(returning(have)))
    else:
        with pytest.raises(GraphError, match=r"take\(value\) takes "):
            pipeline_of(lambda: taking(returning(have)))


def pipeline_of(wire: Callable[[], Any]) -> object:
    def film() -> Film:
        result: Film = wire()
        return result

    return pipeline(film)


def test_two_different_stages_of_one_name_are_refused() -> None:
    @stage(name="write")
    async def other_write(topic: str) -> Script: ...

    assert (
        refusal(lambda s: other_write("x"))
        == "film places two different stages named 'write': give one another name="
    )


def test_a_value_of_another_pipeline_is_refused() -> None:
    kept: list[Any] = []

    @pipeline
    def first(topic: str) -> Script:
        kept.append(write(topic))
        return write(topic)

    assert (
        refusal(lambda s: speak(kept[0]))
        == "write belongs to another pipeline: hand it to film as a parameter"
    )


def test_a_pipeline_that_failed_to_draw_leaves_nothing_behind() -> None:
    refusal(lambda s: bool(s))
    with pytest.raises(GraphError, match="outside a @pipeline"):
        write("sea")
