"""What a pipeline comes to when it is run."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from pydantic import BaseModel

from genlock import Permanent, Retry, Skip, Transient, pipeline, provided, stage
from genlock.clock import SystemClock
from genlock.errors import BadInput, Conflict, GraphError, StageError
from genlock.ledger.records import JobState, TaskState


class Brief(BaseModel):
    topic: str
    shots: int = 3
    loud: bool = True


class Shot(BaseModel):
    prompt: str


class Script(BaseModel):
    words: str
    shots: list[Shot]


class Camera:
    """Takes as long as it likes, waits until `least` are at it, and fails when told to."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.trouble: dict[str, list[Exception]] = {}
        self.live = self.peak = 0
        self.least = 1

    async def take(self, prompt: str) -> str:
        self.taken.append(prompt)
        self.live += 1
        self.peak = max(self.peak, self.live)
        while self.peak < self.least:  # noqa: ASYNC110 - the others are started by the engine
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01 if prompt.endswith("0") else 0.001)  # the first is the last to finish
        self.live -= 1
        if self.trouble.get(prompt):
            raise self.trouble[prompt].pop(0)
        return f"clip of {prompt}"


@stage
async def write(brief: Brief) -> Script:
    return Script(words=brief.topic, shots=[Shot(prompt=f"{brief.topic} {i}") for i in range(brief.shots)])


@stage(resources={"gpu": 1})
async def shoot(shot: Shot, words: str, *, camera: Camera = provided()) -> str:
    return await camera.take(shot.prompt)


@stage
async def speak(words: str) -> str:
    return f"voice: {words}"


@stage
async def cut(clips: list[str], voice: str | None) -> str:
    return " + ".join(clips) + (f" / {voice}" if voice else "")


@pipeline
def film(brief: Brief) -> str:
    script = write(brief)
    voice = speak.when(brief.loud)(script.words)
    return cut(shoot.map(script.shots, script.words), voice)


WANT = "clip of sea 0 + clip of sea 1 + clip of sea 2 / voice: sea"


async def test_a_fan_out_comes_back_in_its_own_order_and_within_its_limits(world):
    camera = Camera()
    camera.least = 2
    engine = await world.start(film, tools={Camera: camera}, resources={"gpu": 2})
    assert await engine.run(film, Brief(topic="sea")) == WANT
    assert camera.peak == 2


async def test_an_empty_map_is_done_at_once(world):
    engine = await world.start(film, tools={Camera: Camera()})
    assert await engine.run(film, Brief(topic="sea", shots=0, loud=False)) == ""


async def test_a_stage_whose_condition_is_false_is_skipped_before_anything_runs(world):
    engine = await world.start(film, tools={Camera: Camera()}, execute=False)
    view = await engine.start("film", {"topic": "sea", "loud": False})
    assert {s.name: s.state for s in view.stages}["speak"] is TaskState.SKIPPED


async def test_only_the_clip_that_failed_is_made_again(world):
    camera = Camera()
    camera.trouble["sea 1"] = [Transient("busy"), Transient("busy")]
    engine = await world.start(film, tools={Camera: camera})
    assert await engine.run(film, Brief(topic="sea")) == WANT
    assert sorted(camera.taken) == ["sea 0", "sea 1", "sea 1", "sea 1", "sea 2"]


async def test_a_permanent_failure_fails_at_once_and_the_other_clips_are_kept_for_the_retry(world):
    camera = Camera()
    camera.trouble["sea 1"] = [Permanent("refused")]
    engine = await world.start(film, tools={Camera: camera})
    with pytest.raises(StageError, match="refused"):
        await engine.run(film, Brief(topic="sea"))
    [job] = await engine.list()
    assert (job.state, job.error.task, job.error.kind) == (JobState.FAILED, "shoot/1", "Permanent")
    await engine.retry(job.id)
    assert await engine.result(film, job.id) == WANT
    assert sorted(camera.taken) == ["sea 0", "sea 1", "sea 1", "sea 2"]


async def test_retries_end(world):
    camera = Camera()
    camera.trouble["sea 0"] = [Transient(f"busy {n}") for n in range(9)]
    engine = await world.start(film, tools={Camera: camera})
    with pytest.raises(StageError, match="busy 2"):
        await engine.run(film, Brief(topic="sea", shots=1))
    assert len(camera.taken) == 3


@stage(retry=Retry(attempts=2, on=ValueError))
async def parse(text: str) -> int:
    return int(text)


@pipeline
def number(text: str) -> int:
    return parse(text)


async def test_a_stage_says_itself_what_is_worth_another_try(world, until):
    engine = await world.start(number, execute=False)
    view = await engine.start("number", {"text": "four"})
    executor_engine = await world.start(number)
    with pytest.raises(StageError, match="invalid literal"):
        await executor_engine.result(number, view.id)
    kinds = [e.kind for e in await engine.events(view.id)]
    assert kinds.count("task.failed") == 1 or kinds.count("task.claimed") <= 2


@stage
async def maybe(text: str) -> str:
    if text == "no":
        raise Skip("nothing to do")
    return text


@stage
async def shout(text: str) -> str:
    return text.upper()


@stage
async def tell(text: str | None) -> str:
    return text or "silence"


@pipeline
def strict(text: str) -> str:
    return shout(maybe(text))


@pipeline
def lenient(text: str) -> str:
    return tell(maybe(text))


async def test_what_needs_a_skipped_value_is_skipped_too(world):
    engine = await world.start(strict)
    view = await engine.start("strict", {"text": "no"})
    async for _ in engine.watch(view.id):
        pass
    view = await engine.show(view.id)
    assert view.state is JobState.COMPLETED
    assert [s.state for s in view.stages] == [TaskState.SKIPPED, TaskState.SKIPPED]
    assert view.stages[0].note == "nothing to do"


async def test_what_can_do_without_runs_with_none(world):
    engine = await world.start(lenient)
    assert await engine.run(lenient, "no") == "silence"
    assert await engine.run(lenient, "yes") == "yes"


@stage
async def names(count: int) -> list[str]:
    return ["no" if i % 2 else str(i) for i in range(count)]


@stage
async def odd_fails(name: str) -> str:
    if name == "no":
        raise Permanent("odd")
    return name


@stage
async def count_up(found: list[str | None]) -> int:
    return sum(1 for f in found if f is not None)


@pipeline
def most(count: int) -> int:
    return count_up(odd_fails.map(names(count), need=2))


async def test_a_map_that_needs_only_some_goes_on_with_none_for_the_others(world):
    engine = await world.start(most)
    assert await engine.run(most, 4) == 2


async def test_a_map_that_cannot_reach_its_need_fails_the_job(world):
    engine = await world.start(most)
    with pytest.raises(StageError, match="odd"):
        await engine.run(most, 2)


@pipeline
def season(briefs: list[Brief]) -> str:
    return cut(film.map(briefs), None)


async def test_pipelines_nest(world):
    camera = Camera()
    engine = await world.start(season, film, tools={Camera: camera})
    got = await engine.run(season, [Brief(topic="sea", shots=2), Brief(topic="sky", shots=0, loud=False)])
    assert got == "clip of sea 0 + clip of sea 1 / voice: sea + "


async def test_a_failed_child_fails_its_parent_and_retrying_the_parent_retries_the_child(world):
    camera = Camera()
    camera.trouble["sea 0"] = [Permanent("no film")]
    engine = await world.start(season, film, tools={Camera: camera})
    view = await engine.start("season", {"briefs": [{"topic": "sea", "shots": 2}]})
    with pytest.raises(StageError, match="no film"):
        await engine.result(season, view.id)
    await engine.retry(view.id)
    assert await engine.result(season, view.id) == "clip of sea 0 + clip of sea 1 / voice: sea"
    assert sorted(camera.taken) == ["sea 0", "sea 0", "sea 1"]


async def test_what_does_not_fit_is_refused_before_a_job_exists(world):
    engine = await world.start(film, tools={Camera: Camera()})
    with pytest.raises(BadInput, match="topic"):
        await engine.start("film", {"shots": 2})
    assert await engine.list() == []


@stage
async def liar(n: int) -> int:
    return "seven"  # type: ignore[return-value]


@pipeline
def lie(n: int) -> int:
    return liar(n)


async def test_a_stage_that_returns_something_else_fails_with_a_sentence(world):
    engine = await world.start(lie)
    with pytest.raises(StageError, match="liar"):
        await engine.run(lie, 1)


async def test_a_tool_that_nothing_provides_is_found_out_at_the_start(world):
    with pytest.raises(GraphError, match="camera"):
        await world.start(film)


async def test_the_same_id_or_dedup_key_starts_one_job(world):
    engine = await world.start(number)
    first = await engine.start("number", {"text": "4"}, id="mine")
    again = await engine.start("number", {"text": "4"}, id="mine")
    other = await engine.start("number", {"text": "6"}, dedup="order-6")
    once_more = await engine.start("number", {"text": "6"}, dedup="order-6")
    assert first.id == again.id == "mine"
    assert other.id == once_more.id
    assert await engine.result(number, "mine") == 4


async def test_an_id_that_is_taken_by_another_order_is_refused(world):
    engine = await world.start(number)
    await engine.start("number", {"text": "4"}, id="mine")
    with pytest.raises(Conflict, match="'mine' already, whose order has another text"):
        await engine.start("number", {"text": "5"}, id="mine")
    with pytest.raises(Conflict, match="of another owner"):
        await engine.start("number", {"text": "4"}, id="mine", owner="ann")
    assert await engine.result(number, "mine") == 4


class StandingClock(SystemClock):
    def __init__(self) -> None:
        self._now = super().now()

    def now(self) -> datetime:
        return self._now


async def test_two_engines_that_draw_the_same_id_in_the_same_moment_start_two_jobs(world):
    world.clock = StandingClock()
    one, other = await world.start(number, execute=False), await world.start(number, execute=False)
    jobs = [await engine.start("number", {"text": "4"}) for engine in (one, other, one, other)]
    assert len({view.id for view in jobs}) == 4


async def test_a_result_that_was_skipped_is_said_to_be_so(world):
    engine = await world.start(strict)
    with pytest.raises(StageError, match=r"the result of job .*; maybe was skipped \(nothing to do\)"):
        await engine.run(strict, "no")


@stage
async def lenient_list(found: list[str | None]) -> list[str | None]:
    return found


@pipeline
def whole_season(texts: list[str]) -> list[str | None]:
    return lenient_list(strict.map(texts))


async def test_a_nested_job_without_a_result_leaves_none_in_its_place(world):
    engine = await world.start(whole_season)
    assert await engine.run(whole_season, ["a", "no", "b"]) == ["A", None, "B"]
