"""Declarations that cannot be: each is refused where it stands, in words that say what to do."""

# ruff: noqa: E501 - messages are quoted whole, so that they can be searched for

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired

import pytest
from pydantic import BaseModel, ConfigDict, Field, computed_field, model_serializer
from typing_extensions import TypedDict

from genlock import GraphError, Retry, pipeline, provided, stage

if TYPE_CHECKING:
    from fractions import Fraction


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


class Vendor:
    """No value but a tool."""


@stage
async def write(topic: str) -> Script: ...


@stage
async def clip(shot: Shot, style: str = "plain", *, vendor: object = provided()) -> Film: ...


@stage
async def join(films: list[Film]) -> Film: ...


@stage
async def speak(script: Script) -> Film: ...


def declare(body: Callable[..., Any], **options: Any) -> str:
    with pytest.raises(GraphError) as caught:
        stage(**options)(body)
    return str(caught.value)


async def fine(topic: str) -> Film: ...
async def untyped(topic) -> Film: ...  # type: ignore[no-untyped-def]
async def no_result(topic: str): ...  # type: ignore[no-untyped-def]
async def starred(*topics: str) -> Film: ...
async def options(**topics: str) -> Film: ...
async def first_only(topic: str, /) -> Film: ...
async def tool_in_front(topic: str, vendor: object = provided()) -> Film: ...
async def keyword_data(*, topic: str) -> Film: ...
async def bad_default(count: int = "three") -> Film: ...  # type: ignore[assignment]
async def unreadable(topic: Vendor) -> Film: ...
async def only_for_checkers(topic: Fraction) -> Film: ...
async def needy(topic: str, need: int) -> Film: ...
def not_async(topic: str) -> Film: ...
async def generator(topic: str):  # type: ignore[no-untyped-def]
    yield topic


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (untyped, "stage untyped: the parameter topic has no type: write `topic: Type`"),
        (no_result, "stage no_result does not say what it returns: write `-> Type` behind its parameters"),
        (starred, "stage starred takes *topics: name each parameter, so that the graph can say what it gets"),
        (options, "stage options takes **topics: name each parameter"),
        (first_only, "stage first_only: topic is positional-only, but values are handed in by name: remove the `/`"),
        (tool_in_front, "stage tool_in_front: vendor is provided(), so it goes behind a `*`: data by position, tools "
         "by keyword"),
        (keyword_data, "stage keyword_data: topic is keyword-only but not provided(): a tool is `topic: Type = "
         "provided()`, data goes before the `*`"),
        (bad_default, "stage bad_default: the default of count cannot be written as JSON"),
        (unreadable, "stage unreadable: topic is Vendor, which cannot be written as JSON"),
        (only_for_checkers, "stage only_for_checkers: its annotations name 'Fraction', which is not there when the "
         "program runs: import it outside `if TYPE_CHECKING`, above the declaration"),
        (needy, "stage needy: no parameter may be called 'need', which is an option of .map()"),
        (not_async, "stage not_async is no async function: write `async def`"),
        (generator, "stage generator is no async function: write `async def` without `yield`"),
        (lambda: None, "'<lambda>' cannot name a stage: begin with a letter, then letters, digits and _ . - only"),
    ],
)  # fmt: skip
def test_a_function_that_is_no_stage_is_refused(body: Callable[..., Any], says: str) -> None:
    assert declare(body).startswith(says)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"resource": {"cpu": 1}}, "@stage has no option 'resource': did you mean 'resources'?"),
        ({"colour": 1}, "@stage has no option 'colour': there are name, version, resources, queue, timeout, retry, "
         "reuse"),
        ({"name": "a/b"}, "'a/b' cannot name a stage"),
        ({"name": ""}, "'' cannot name a stage"),
        ({"version": 0}, "stage fine: version=0: write a whole number, at least 1"),
        ({"version": "2"}, "stage fine: version='2': write a whole number"),
        ({"timeout": 30}, "stage fine: timeout=30: write a duration, as in timeout=minutes(30)"),
        ({"timeout": timedelta(0)}, "stage fine: timeout=datetime.timedelta(0): write a duration"),
        ({"retry": 3}, "stage fine: retry=3: write Retry(attempts=…)"),
        ({"queue": ""}, "stage fine: queue='': write the name of a queue"),
        ({"reuse": 1}, "stage fine: reuse=1: write True or False"),
        ({"resources": {"cpu": 0}}, "stage fine: resources={'cpu': 0}: write names and whole numbers"),
        ({"resources": {"cpu": True}}, "stage fine: resources={'cpu': True}: write names"),
        ({"resources": {"c,p": 1}}, "stage fine: resources={'c,p': 1}: write names"),
        ({"resources": "cpu"}, "stage fine: resources='cpu': write names"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(options: dict[str, Any], says: str) -> None:
    assert declare(fine, **options).startswith(says)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"attempts": 0}, "Retry(attempts=0): a stage is tried at least once; 1 means no retry"),
        ({"attempts": True}, "Retry(attempts=True): a stage"),
        ({"on": "Transient"}, "Retry(on='Transient'): name an error class, or a tuple of them"),
        ({"on": (OSError, 3)}, "Retry(on=3): name an error class"),
        ({"base": 3}, "Retry(base=3): write a duration, as in base=seconds(10)"),
        ({"cap": timedelta(seconds=-1)}, "Retry(cap=datetime.timedelta("),
    ],
)
def test_a_retry_that_cannot_be_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(GraphError) as caught:
        Retry(**options)
    assert str(caught.value).startswith(says)


def test_a_stage_is_made_of_a_function() -> None:
    with pytest.raises(GraphError, match=r"@stage goes before a function, not before 3"):
        stage(3)  # type: ignore[call-overload]


def test_a_stage_cannot_be_called_outside_a_pipeline() -> None:
    with pytest.raises(GraphError, match=r"`await write\.body\(\.\.\.\)` runs it by itself"):
        write("sea")
    with pytest.raises(GraphError, match="outside a @pipeline"):
        clip.map([Shot(prompt="x")])


def test_a_pipeline_cannot_be_called_outside_a_pipeline() -> None:
    @pipeline
    def film(topic: str) -> Script:
        return write(topic)

    with pytest.raises(GraphError, match=r"`await engine\.run\(film, \.\.\.\)` runs it"):
        film("sea")


def wired(topic: str) -> Script:
    return write(topic)


async def awaited(topic: str) -> Script:
    return write(topic)


def nothing(topic: str) -> Script: ...  # type: ignore[empty-body]


def two(topic: str) -> tuple[Script, Script]:
    return write(topic), write(topic)


def plain(topic: str) -> str:
    return "film"


def empty(topic: str) -> str:
    return topic


def other(topic: str) -> Film:
    return write(topic)  # type: ignore[return-value]


def maybe(topic: str) -> Script:
    return write.when(True)(topic)  # type: ignore[return-value]


def tooled(topic: str, *, vendor: object = provided()) -> Script:
    return write(topic)


def unsaid(topic: str):  # type: ignore[no-untyped-def]
    return write(topic)


@pytest.mark.parametrize(
    ("wiring", "says"),
    [
        (awaited, "pipeline awaited only wires stages and never runs: write `def`, without async or yield"),
        (nothing, "pipeline nothing returns NoneType, not the result of a stage: return what one of its stages "
         "returned; to return several values, gather them in a stage"),
        (two, "pipeline two returns tuple, not the result of a stage"),
        (plain, "pipeline plain returns str, not the result of a stage"),
        (empty, "pipeline empty places no stage, so there is nothing to run"),
        (other, "the result of pipeline other takes Film, but write is Script"),
        (maybe, "the result of pipeline maybe takes Script, but write is Script | None: it is None when it was "
         "skipped"),
        (tooled, "pipeline tooled: vendor is provided(), but only stages use tools"),
        (unsaid, "pipeline unsaid does not say what it returns"),
    ],
)  # fmt: skip
def test_a_wiring_that_cannot_be_is_refused(wiring: Callable[..., Any], says: str) -> None:
    with pytest.raises(GraphError) as caught:
        pipeline(wiring)
    assert str(caught.value).startswith(says)


def test_pipelines_have_no_options_but_a_name() -> None:
    assert pipeline(name="cut")(wired).graph.name == "cut"
    with pytest.raises(GraphError, match=r"@pipeline has no option 'nmae': did you mean 'name'\?"):
        pipeline(nmae="cut")  # type: ignore[call-overload]
