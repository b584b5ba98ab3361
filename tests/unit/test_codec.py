"""Values to JSON and back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, computed_field
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from genlock.engine.codec import canonical, decode, dig, dump, encode, input_hash, load
from genlock.errors import BadInput

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


class Mood(StrEnum):
    CALM = "calm"


class Shot(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    first_picture: str
    seconds: float = Field(gt=0)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str

    @computed_field
    def size(self) -> int:
        return len(self.name)


class Plan(BaseModel):
    shots: list[Shot]
    mood: Mood = Mood.CALM
    at: datetime | None = None


@dataclass
class Cut:
    frames: tuple[int, int]
    file: Path


class Grade(TypedDict):
    look: str


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Plan, Plan(shots=[Shot(firstPicture="a", seconds=2)], at=datetime(2026, 1, 1, tzinfo=UTC))),
        (Strict, Strict(name="computed fields are not read, so not written")),
        (Cut, Cut((1, 9), Path("a.mp4"))),
        (Grade, {"look": "warm"}),
        (list[Plan | None], [None, Plan(shots=[])]),
        (dict[str, timedelta], {"b": timedelta(minutes=3), "a": timedelta(0)}),
        (tuple[int, ...], (1, 2)),
        (frozenset[str], frozenset({"x"})),
        (Mood, Mood.CALM),
        (float, 0.1),
        (None, None),
        (bytes, b"abc"),
        (Any, {"anything": [1, None]}),
    ],
)
def test_a_value_comes_back_equal_through_text(kind: Any, value: object) -> None:
    adapter = TypeAdapter(kind)
    back = load(adapter, decode(encode(dump(adapter, value))))
    assert back == value
    assert type(back) is type(value)


def test_fields_go_by_their_python_names_even_when_they_have_aliases() -> None:
    dumped = dump(TypeAdapter(Plan), Plan(shots=[Shot(firstPicture="a", seconds=2)]))
    assert dumped["shots"] == [{"first_picture": "a", "seconds": 2.0}]
    assert dig(dumped, ["shots"]) == dumped["shots"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Plan, {"shots": []}),
        (int, "3"),
        (list[Shot], [Plan(shots=[])]),
        (Plan, None),
        (Any, object()),
        (str, 3),
    ],
)
def test_a_value_of_another_type_is_not_written(kind: Any, value: object) -> None:
    with pytest.raises(BadInput, match="what make_clip returned"):
        dump(TypeAdapter(kind), value, "what make_clip returned")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
@pytest.mark.parametrize("kind", [Any, float | str | None])
def test_what_json_has_no_word_for_is_not_written(kind: Any, value: object) -> None:
    with pytest.raises(BadInput, match="the score cannot be written as JSON"):
        dump(TypeAdapter(dict[str, kind]), {"a": value}, "the score")
    with pytest.raises(BadInput, match="cannot be written as JSON"):
        canonical([value])


def test_a_mismatch_says_where_and_why() -> None:
    with pytest.raises(BadInput) as caught:
        load(TypeAdapter(Plan), {"shots": [{"first_picture": "a", "seconds": 0}, {"seconds": 1}]}, "order")
    assert str(caught.value) == (
        "order.shots[0].seconds: input should be greater than 0; order.shots[1].first_picture: field required"
    )


def test_many_mismatches_are_cut_short() -> None:
    with pytest.raises(BadInput, match=r"\(and 7 more\)$"):
        load(TypeAdapter(list[int]), ["x"] * 10)


def test_json_of_another_type_is_not_taken_for_the_right_one() -> None:
    with pytest.raises(BadInput, match="the value: input should be a valid string"):
        load(TypeAdapter(str), 3)


@given(JSON)
def test_text_reads_back_the_same(value: Any) -> None:
    try:
        text = canonical(value)
    except BadInput:
        assert "\\ud" in ascii(value)  # half a surrogate pair
        return
    assert decode(text) == value
    assert canonical(decode(text)) == text


@given(st.dictionaries(st.text("abcdef"), st.integers()))
def test_the_canonical_text_does_not_depend_on_the_order_of_keys(value: dict[str, int]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical(value) == canonical(turned)
    assert encode(turned) == "{" + ",".join(f'"{k}":{v}' for k, v in turned.items()) + "}"


def test_the_canonical_text_is_compact_sorted_and_readable() -> None:
    assert (
        canonical({"ü": [1.0, 0.1, 1e22, True, None], "a": "é\n"})
        == '{"a":"é\\n","ü":[1.0,0.1,1e+22,true,null]}'
    )


def test_the_hash_of_inputs_is_what_it_was_when_jobs_were_written() -> None:
    """Stored hashes are compared over releases: this value must never change."""
    found = input_hash("make_clip", 2, {"shot": {"b": 1, "a": [0.5]}, "style": "wärm"})
    assert found == "950555a0f0ba9758d394e7698319363fe060514f8a10d2ded675f0feffb63bcc"


@pytest.mark.parametrize(
    "other",
    [
        ("make_clip", 3, {"n": 1}),
        ("make", 2, {"n": 1}),
        ("make_clip", 2, {"n": 2}),
        ("make_clip", 2, {"m": 1}),
    ],
)
def test_other_work_has_another_hash(other: tuple[str, int, dict[str, int]]) -> None:
    assert input_hash(*other) != input_hash("make_clip", 2, {"n": 1})


def test_digging_follows_fields_and_stops_at_what_was_skipped() -> None:
    value = {"plan": {"shots": [1], "music": None}}
    assert dig(value, ()) is value
    assert dig(value, ("plan", "shots")) == [1]
    assert dig(value, ("plan", "music", "tempo")) is None


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (("plan", "shot"), "plan_film.plan has no field 'shot': it has only music, shots"),
        (("plan", "shots", "x"), "plan_film.plan.shots has no field 'x': it is no object"),
    ],
)
def test_digging_for_what_is_not_there_names_what_is(path: Sequence[str], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        dig({"plan": {"shots": [1], "music": None}}, path, "plan_film")
    assert str(caught.value) == says


def test_the_hash_of_inputs_is_that_of_their_one_canonical_text():
    arguments = {"shot": {"b": [1, 2.5], "a": "é"}, "at": None}
    text = '["make",3,{"at":null,"shot":{"a":"é","b":[1,2.5]}}]'
    assert input_hash("make", 3, arguments) == hashlib.sha256(text.encode()).hexdigest()
