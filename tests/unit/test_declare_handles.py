"""A value that is not there yet can be handed on and its fields taken; all else is refused in words."""

# ruff: noqa: C416, E501, FURB171, PLC3002, SIM300, UP031 - the odd expressions are what is tested

from __future__ import annotations

import copy
import math
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, NotRequired

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


@dataclass
class Cut:
    frames: int


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


def enter(script: Any) -> None:
    with script:
        pass


def match_class(script: Any) -> object:
    match script:
        case Script():
            return 1
        case _:
            return 2


def match_value(script: Any) -> object:
    match script.topic:
        case "sea":
            return 1
        case _:
            return 2


def change(script: Any) -> None:
    script.topic = "sky"


def grow(script: Any) -> None:
    seconds = script.seconds
    seconds += 1


def drop(script: Any) -> None:
    del script.topic


LOOKS: dict[str, Callable[[Any], object]] = {
    "if": lambda s: 1 if s.wanted else 2,
    "not": lambda s: not s.wanted,
    "and": lambda s: s.wanted and 1,
    "==": lambda s: s.topic == "x",
    "!=": lambda s: s.topic != "x",
    "reflected ==": lambda s: "x" == s.topic,
    "<": lambda s: s.seconds < 1,
    ">=": lambda s: s.seconds >= 1,
    "sorted": lambda s: sorted([s, s]),
    "in it": lambda s: "x" in s.topic,
    "in a list": lambda s: s.topic in ["x"],
    "dict key": lambda s: {s.topic: 1},
    "set": lambda s: {s.topic},
    "isinstance": lambda s: isinstance(s, Script),
    "match class": match_class,
    "match value": match_value,
    "for": lambda s: [x for x in s.shots],
    "unpack": lambda s: (lambda *a: a)(*s.shots),
    "list": lambda s: list(s.shots),
    "next": lambda s: next(s.shots),
    "reversed": lambda s: reversed(s.shots),
    "len": lambda s: len(s.shots),
    "index": lambda s: s.shots[0],
    "slice": lambda s: s.shots[:2],
    "str": lambda s: str(s.topic),
    "f-string": lambda s: f"{s.topic}!",
    "f-string with format": lambda s: f"{s.seconds:.1f}",
    "%": lambda s: "%s" % s.topic,
    "bytes": lambda s: bytes(s.topic),
    "path": lambda s: os.fspath(s.topic),
    "int": lambda s: int(s.seconds),
    "float": lambda s: float(s.seconds),
    "round": lambda s: round(s.seconds),
    "floor": lambda s: math.floor(s.seconds),
    "range": lambda s: range(s.seconds),
    "-x": lambda s: -s.seconds,
    "abs": lambda s: abs(s.seconds),
    "~": lambda s: ~s.seconds,
    "+": lambda s: s.topic + "x",
    "reflected +": lambda s: 1 + s.seconds,
    "+=": grow,
    "*": lambda s: s.seconds * 2,
    "/": lambda s: s.seconds / 2,
    "reflected /": lambda s: 2 / s.seconds,
    "//": lambda s: s.seconds // 2,
    "mod": lambda s: s.seconds % 2,
    "divmod": lambda s: divmod(s.seconds, 2),
    "**": lambda s: s.seconds**2,
    "@": lambda s: s.seconds @ 2,
    "<<": lambda s: s.seconds << 2,
    "&": lambda s: s.wanted & True,
    "|": lambda s: s.wanted | True,
    "^": lambda s: True ^ s.wanted,
    "call": lambda s: s.topic(),
    "with": enter,
    "set field": change,
    "set item": lambda s: s.shots.__setitem__(0, 1),
    "delete field": drop,
    "await": lambda s: s.__await__(),
    "async for": lambda s: s.shots.__aiter__(),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "model copy": lambda s: s.model_copy(update={}),
    "text method": lambda s: s.topic.upper(),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_every_look_at_a_value_says_so_and_names_it(look: Callable[[Any], object]) -> None:
    assert "write" in refusal(look)


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (LOOKS["if"], "write.wanted has no value while the pipeline is drawn, so it cannot decide an `if`, `and`, "
         "`or` or `not`. Use stage.when(flag)(...), or decide inside a stage"),
        (LOOKS["for"], "write.shots has no value while the pipeline is drawn, so it cannot be looped over or "
         "unpacked. Use stage.map(write.shots, ...) to run once for each item, or go through it inside a stage"),
        (LOOKS["f-string"], "write.topic has no value while the pipeline is drawn, so it cannot become text. "
         "Do it inside a stage, which gets the value"),
        (LOOKS["index"], "write.shots[0] cannot be looked up: write.shots has no value while the pipeline is drawn. "
         "Use .map(...) to run a stage once for each item, or take it apart inside a stage"),
        (LOOKS["isinstance"], "write has no value while the pipeline is drawn, so its type cannot be tested. "
         "Use stage.when(flag)(...), or decide inside a stage"),
    ],
)  # fmt: skip
def test_what_to_do_instead_is_said(wire: Callable[[Any], object], says: str) -> None:
    assert refusal(wire) == says


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (lambda s: s.topik, "write has no field 'topik': did you mean 'topic'?"),
        (lambda s: s.nothing_like_it, "write has no field 'nothing_like_it': Script has topic, seconds, shots, wanted, "
         "title"),
        (lambda s: s.words, "write.words is not a field of Script, and only fields can be taken while the pipeline is "
         "drawn: make words a field, or use it inside a stage"),
        (lambda s: s.letters, "write.letters is not a field of Script, and only fields can be taken"),
        (lambda s: s.secret, "write has no field 'secret'"),
        (lambda s: s._hidden, "write._hidden is not a field"),
        (lambda s: s.title.x, "write.title has no field 'x': str has no fields to take"),
        (lambda s: s.shots.prompt, "write.shots has no field 'prompt': list[Shot] has no fields to take"),
        (lambda s: s.shots.append, "write.shots.append is not a field of list[Shot]"),
        (lambda s: s["topic"], "write['topic'] cannot be looked up"),
    ],
)  # fmt: skip
def test_only_fields_that_are_there_can_be_taken(wire: Callable[[Any], object], says: str) -> None:
    assert refusal(wire).startswith(says)


def returning(kind: Any) -> Any:
    async def make(topic: str) -> Any: ...

    make.__annotations__["return"] = kind
    return stage(make)("x")


@pytest.mark.parametrize(
    ("kind", "take", "says"),
    [
        (Grade, lambda h: h.look, "make is a TypedDict: write make['look']"),
        (Grade, lambda h: h["lock"], "make has no key 'lock': did you mean 'look'?"),
        (Grade, lambda h: h["lut"], "make['lut'] may be missing from Grade: take it inside a stage"),
        (Pair, lambda h: h.first, "make.first is not a field of Pair"),
        (Own, lambda h: h.topic, "make: Own writes itself in its own way, so no field can be taken from it"),
        (Cut, lambda h: h.frame, "make has no field 'frame': did you mean 'frames'?"),
        (Cut | Script, lambda h: h.topic, "make has no field 'topic': Cut has frames"),
        (dict[str, int], lambda h: h["a"], "make['a'] cannot be looked up"),
    ],
)
def test_fields_of_other_kinds_of_values(kind: Any, take: Callable[[Any], object], says: str) -> None:
    assert refusal(lambda _: take(returning(kind))).startswith(says)


@pytest.mark.parametrize("look", [lambda s: ", ".join([s.topic, "x"]), lambda s: Shot(prompt=s.topic)])
def test_what_python_and_pydantic_refuse_themselves_is_explained_as_well(
    look: Callable[[Any], object],
) -> None:
    said = refusal(look)
    assert said.startswith(
        "pipeline film uses a value that is not there yet: do it inside a stage, which gets the value ("
    )
    assert "Handle" in said


def test_other_errors_of_a_wiring_pass_as_they_are() -> None:
    def film(topic: str) -> Film:
        raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        pipeline(film)


def test_a_handle_can_be_shown_to_a_debugger() -> None:
    seen = []
    assert refusal(lambda s: (seen.append(repr(s.shots)), bool(s)))
    assert seen == ["<write.shots: list[Shot], known once a job runs>"]
