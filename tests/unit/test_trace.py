"""Where code is at work, and the spans that are drawn of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from genlock import trace
from genlock.media.check.trial import TryEncoder
from genlock.media.pool import RenderPool
from genlock.trace import Place

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Drawn:
    name: str
    parent: str | None
    fields: dict[str, Any]
    traceparent: str
    error: BaseException | None = None
    ended: bool = False

    def end(self, error: BaseException | None, fields: Mapping[str, Any]) -> None:
        self.error, self.ended = error, True
        self.fields |= fields


@dataclass
class Recorder:
    """A tracer that keeps its spans."""

    spans: list[Drawn] = field(default_factory=list)

    def begin(self, name: str, parent: str | None, fields: Mapping[str, Any]) -> Drawn:
        number = f"{len(self.spans) + 1:016x}"
        self.spans.append(Drawn(name, parent, dict(fields), f"00-{'a' * 32}-{number}-01"))
        return self.spans[-1]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    token = trace.enter(Place(job="film", task="cut/3", attempt=2, tracer=recorder))
    yield recorder
    trace.leave(token)


def test_a_span_lies_within_the_one_around_it(recorder: Recorder) -> None:
    with trace.span("outer", parent=PARENT, one=1) as told:
        with trace.span("inner"):
            assert trace.fields()["trace"] == "a" * 32
        told["two"] = 2
    outer, inner = recorder.spans
    assert (outer.parent, inner.parent) == (PARENT, outer.traceparent)
    assert outer.fields == {"one": 1, "two": 2}
    assert outer.ended
    assert trace.here().parent is None


def test_a_span_that_fails_says_of_what(recorder: Recorder) -> None:
    with pytest.raises(KeyError), trace.span("outer"):
        raise KeyError("x")
    assert isinstance(recorder.spans[0].error, KeyError)


async def test_what_is_begun_inside_goes_on_there(recorder: Recorder) -> None:
    async def part() -> None:
        await asyncio.sleep(0)
        with trace.span("part"):
            pass

    with trace.span("whole"):
        task = asyncio.create_task(part())
    await task
    assert recorder.spans[1].parent == recorder.spans[0].traceparent


async def test_a_rendering_is_a_span_of_the_task_that_asked_for_it(recorder: Recorder) -> None:
    heard = []
    async with RenderPool(1) as pool:
        pool.heard = lambda *said: heard.append(said)
        made = await pool.run("try_encoder", TryEncoder())
    [span] = recorder.spans
    assert (span.name, span.fields, span.error) == ("render", {"operation": "try_encoder"}, None)
    [(operation, seconds, answer)] = heard
    assert (operation, answer["frames"]) == ("try_encoder", made.frames)
    assert seconds > 0


def test_without_anybody_who_draws_the_trace_is_kept_all_the_same() -> None:
    with trace.span("request", parent=PARENT):
        assert trace.label() == {"traceparent": PARENT}
    assert trace.label() == {}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "x",
        PARENT.upper(),
        f"{PARENT}0",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        PARENT.replace("-", "_"),
    ],
)
def test_what_is_no_trace_is_not_gone_on_with(header: str | None) -> None:
    assert trace.parent_of(header) is None


def test_a_job_says_in_its_labels_to_which_trace_it_belongs() -> None:
    assert trace.parent_in(f'{{"traceparent": "{PARENT}"}}') == PARENT
    assert trace.parent_in('{"traceparent": 17}') is None
    assert trace.parent_in('{"of": "traceparent"}') is None
    assert trace.parent_in("{}") is None
