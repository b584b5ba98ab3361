"""Jobs in flight when another version of the program takes over: they keep their graph, and go on or wait."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from genlock import Task, pipeline, provided, stage
from genlock.engine.graph import Graph
from genlock.errors import StageError
from genlock.ledger.records import JobState, TaskState


class Log(list):
    pass


class Plan(BaseModel):
    shots: list[int]
    title: str = "film"


def film(**changes: Any) -> Any:
    """The pipeline `film` as it was, but for these stages; `wire` wires it otherwise."""

    @stage(name="plan")
    async def plan(n: int, *, log: Log = provided()) -> Plan:
        log.append("plan")
        return Plan(shots=list(range(n)))

    @stage(name="clip")
    async def clip(shot: int, *, log: Log = provided()) -> int:
        log.append("clip")
        return shot * 10

    @stage(name="combine")
    async def combine(title: str, clips: list[int], *, log: Log = provided()) -> str:
        log.append("combine")
        return f"{title}: {clips}"

    now = {"plan": plan, "clip": clip, "combine": combine} | changes

    def wired(n: int) -> Any:
        planned = now["plan"](n)
        return now["combine"](planned.title, now["clip"].map(planned.shots))

    wire = now.get("wire", lambda n, _: wired(n))

    @pipeline(name="film")
    def film(n: int) -> str:
        return wire(n, now)

    return film


@pytest.fixture
def deploy(world, until):
    """Start a version of the program over the same ledger, after stopping the one before."""

    class Deploy:
        log = Log()

        async def __call__(self, *versions: Any, **options: Any) -> Any:
            for executor in world.executors:
                await executor.stop()
            return await world.start(*versions, tools={Log: self.log}, **options)

        async def half_way(self, version: Any, done: str = "plan", params: Any = None) -> str:
            """A job of this version in which only that stage has run."""
            engine = await world.start(version, tools={Log: self.log}, execute=False)
            view = await engine.start(version.name, params or {"n": 3}, id="job-1")
            while claims := await world.ledger.claim("me"):
                [claim] = claims
                if claim.task.node != done:
                    await world.ledger.snooze(claim, world.clock.now())
                    break
                await engine.attempts.run(claim)
            await world.ledger.retire("me")
            self.log.clear()
            return view.id

        async def waits(self, engine: Any, job: str) -> Any:
            async def waiting() -> bool:
                return (await engine.show(job)).state is JobState.WAITING

            await until(waiting, "the job to wait")
            parked = [task for task in await engine.tasks(job) if task.state is TaskState.PARKED]
            return parked[0]

    return Deploy()


async def ended(engine: Any, job: str) -> Any:
    async with asyncio.timeout(20):
        async for _ in engine.watch(job):
            pass
    return await engine.show(job)


# What goes on


@stage(name="combine")
async def louder(title: str, clips: list[int], *, log: Log = provided()) -> str:
    log.append("louder")
    return f"{title.upper()}: {clips}"


@stage(name="combine")
async def styled(title: str, clips: list[int], style: str = "plain") -> str:
    return f"{title}: {clips} {style}"


@stage(name="plan")
async def longer_plan(n: int, takes: int = 1) -> Plan:
    raise AssertionError("a plan that is done is not made again")


class RicherPlan(Plan):
    mood: str = "calm"


@stage(name="combine")
async def wider(title: str | None, clips: list[float], *, task: Task = provided()) -> str:
    assert [type(clip) for clip in clips] == [float] * 3
    return f"{title}: {clips}"


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({"combine": louder}, "FILM: [0, 10, 20]"),
        ({"combine": styled}, "film: [0, 10, 20] plain"),
        ({"plan": longer_plan}, "film: [0, 10, 20]"),
        ({"combine": wider}, "film: [0.0, 10.0, 20.0]"),
    ],
    ids=[
        "another body",
        "a parameter with a default",
        "a stage that is done",
        "wider types and another tool",
    ],
)
async def test_a_job_goes_on_with_new_code_that_fits(deploy, changes, result):
    job = await deploy.half_way(film())
    engine = await deploy(film(**changes))
    view = await ended(engine, job)
    assert (view.state, view.result) == (JobState.COMPLETED, result)
    assert "plan" not in deploy.log
    assert {task.attempt for task in await engine.tasks(job) if task.stage == "plan"} == {1}


async def test_a_stage_that_only_the_new_graph_has_is_not_run_for_a_job_that_is_older(deploy):
    @stage
    async def sign(text: str, *, log: Log = provided()) -> str:
        log.append("sign")
        return f"{text} (signed)"

    def wire(n: int, now: Any) -> Any:
        planned = now["plan"](n)
        return sign(now["combine"](planned.title, now["clip"].map(planned.shots)))

    job = await deploy.half_way(film())
    new = film(wire=wire)
    engine = await deploy(new)
    view = await ended(engine, job)
    assert (view.result, [stage.name for stage in view.stages]) == (
        "film: [0, 10, 20]",
        ["plan", "clip", "combine"],
    )
    assert "sign" not in deploy.log
    assert await engine.run(new, 1) == "film: [0] (signed)"


async def test_a_stage_that_is_placed_less_often_now_still_has_its_code(deploy):
    def twice(n: int, now: Any) -> Any:
        planned, again = now["plan"](n), now["plan"](n)
        return now["combine"](planned.title, now["clip"].map(again.shots))

    job = await deploy.half_way(film(wire=twice))
    engine = await deploy(film())
    assert (await ended(engine, job)).result == "film: [0, 10, 20]"
    assert deploy.log.count("plan") == 1, "the second one, which had not run"


# What waits


@stage(name="combine")
async def with_style(title: str, clips: list[int], style: str) -> str:
    return title


@stage(name="combine")
async def without_title(clips: list[int]) -> str:
    return str(clips)


@stage(name="combined")
async def combined(title: str, clips: list[int]) -> str:
    return title


class Shot(BaseModel):
    number: int


@stage(name="clip")
async def clip_of_all(shot: list[int]) -> list[int]:
    return shot


@stage(name="clip")
async def nameless_clip(shot: int) -> str:
    return "x"


@stage(name="combine")
async def strict(title: str, clips: list[Annotated[int, Field(gt=5)]]) -> str:
    return title


@pipeline(name="clip")
def nested_clip(shot: int) -> int:
    @stage(name="inner")
    async def inner(shot: int) -> int:
        return shot

    return inner(shot)


def with_a_word(n: int, now: Any) -> Any:
    planned = now["plan"](n)
    return now["combine"](planned.title, now["clip"].map(planned.shots), "noir")


def only_clips(n: int, now: Any) -> Any:
    return now["combine"](now["clip"].map(now["plan"](n).shots))


def at_once(n: int, now: Any) -> Any:
    planned = now["plan"](n)
    return now["combine"](planned.title, now["clip"](planned.shots))


def words(n: int, now: Any) -> Any:
    @stage(name="join")
    async def join(clips: list[str]) -> list[int]:
        return []

    planned = now["plan"](n)
    return now["combine"](planned.title, join(now["clip"].map(planned.shots)))


WAS = "was declared as combine(title: str, clips: list[int]) -> str and is"


@pytest.mark.parametrize(
    ("changes", "stage_", "why"),
    [
        (
            {"combine": with_style, "wire": with_a_word},
            "combine",
            f"stage 'combine' of job job-1 {WAS} now "
            "combine(title: str, clips: list[int], style: str) -> str: "
            "'style' has no value in this job. Deploy a version that fits",
        ),
        (
            {"combine": without_title, "wire": only_clips},
            "combine",
            "is now combine(clips: list[int]) -> str: "
            "'title' has a value in this job that is not taken any more",
        ),
        (
            {"combine": combined},
            "combine",
            f"{WAS} gone: film has plan, clip, combined, of which 'combined' may be its new name",
        ),
        ({"clip": clip_of_all, "wire": at_once}, "clip", "it ran once for each item and runs once now"),
        ({"clip": nested_clip}, "clip", "it was a stage and is a nested pipeline"),
        (
            {"clip": nameless_clip, "wire": words},
            "clip",
            "was declared as clip(shot: int) -> int and is now clip(shot: int) -> str: "
            "combine(clips) takes list[int], and clip is list[str]",
        ),
    ],
    ids=["new input", "input gone", "renamed", "not mapped any more", "nested now", "another result"],
)
async def test_a_job_waits_with_a_diff_for_code_that_fits_and_then_goes_on(deploy, changes, stage_, why):
    job = await deploy.half_way(film())
    engine = await deploy(film(**changes))
    task = await deploy.waits(engine, job)
    assert task.stage == stage_
    assert why in task.waits_for
    assert task.tries == 0
    events = await engine.events(job)
    assert why in [event.data["reason"] for event in events if event.kind == "task.parked"][-1]
    engine = await deploy(film())
    assert (await ended(engine, job)).result == "film: [0, 10, 20]"


async def test_a_stage_whose_result_the_kept_graph_could_not_read_waits_before_it_is_run(deploy):
    class Storyboard(BaseModel):
        cuts: list[int]
        title: str = "film"

    @stage(name="plan")
    async def storyboard(n: int, *, log: Log = provided()) -> Storyboard:
        log.append("storyboard")
        return Storyboard(cuts=[n])

    def wire(n: int, now: Any) -> Any:
        planned = now["plan"](n)
        return now["combine"](planned.title, now["clip"].map(planned.cuts))

    job = await deploy.half_way(film(), done="nothing")
    engine = await deploy(film(plan=storyboard, wire=wire))
    task = await deploy.waits(engine, job)
    assert "was declared as plan(n: int) -> Plan and is now plan(n: int) -> Storyboard" in task.waits_for
    assert "clip(shot) reads plan.shots, and plan has no field 'shots'" in task.waits_for
    assert deploy.log == []
    engine = await deploy(film())
    assert (await ended(engine, job)).result == "film: [0, 10, 20]"


async def test_a_recorded_value_that_the_changed_type_refuses_waits(deploy):
    job = await deploy.half_way(film())
    engine = await deploy(film(combine=strict))
    task = await deploy.waits(engine, job)
    assert "its types have changed" in task.waits_for or "is now combine" in task.waits_for
    assert "combine(clips)[0]: input should be greater than 5" in task.waits_for
    engine = await deploy(film())
    assert (await ended(engine, job)).result == "film: [0, 10, 20]"


async def test_a_value_that_was_never_right_is_a_failure_and_no_matter_of_versions(deploy):
    engine = await deploy(film(combine=strict))
    view = await ended(engine, (await engine.start("film", {"n": 2})).id)
    assert view.state is JobState.FAILED
    assert "greater than 5" in view.error.message


def noting(kind: Any) -> Any:
    @stage(name="note")
    async def note(n: int, *, task: Task = provided(), log: Log = provided()) -> str:
        async def act() -> Any:
            log.append("act")
            return kind(n)

        kept = await task.once("draw", act, kind)
        await task.event("go")
        return repr(kept)

    @pipeline(name="noted")
    def noted(n: int) -> str:
        return note(n)

    return noted


async def test_a_note_that_the_changed_type_refuses_waits_and_is_not_made_anew(deploy):
    engine = await deploy(noting(int))
    view = await engine.start("noted", {"n": 5}, id="job-1")
    await deploy.waits(engine, view.id)
    engine = await deploy(noting(list[str]))
    await engine.signal(view.id, "note", "go", 1)
    task = await deploy.waits(engine, view.id)
    assert "what 'draw' of job-1/note came to: input should be a valid" in task.waits_for
    assert "kept by another version of this stage" in task.waits_for
    engine = await deploy(noting(int))
    assert (await ended(engine, view.id)).result == "5"
    assert deploy.log == ["act"]


# Nested pipelines


def series(short: Any, *more: Any) -> Any:
    @stage(name="briefs")
    async def briefs(n: int) -> list[int]:
        return list(range(n))

    @stage(name="gather")
    async def gather(shorts: list[str]) -> str:
        return " ".join(shorts)

    @pipeline(name="series")
    def series(n: int) -> str:
        return gather(short.map(briefs(n), *more))

    return series


def short(body: Any) -> Any:
    @pipeline(name="short")
    def short(brief: int) -> str:
        return body(brief)

    return short


@stage(name="tell")
async def tell(brief: int) -> str:
    return f"told {brief}"


@stage(name="tell")
async def tell_better(brief: int) -> str:
    return f"better {brief}"


@stage(name="show")
async def show(brief: int) -> str:
    return f"shown {brief}"


async def test_nested_jobs_go_on_with_a_new_body_and_wait_when_theirs_is_gone(deploy, world, until):
    old = series(short(tell))
    job = await deploy.half_way(old, done="briefs")
    engine = await world.start(old, tools={Log: deploy.log}, execute=False)
    for _ in range(3):  # the map, and two of its nested jobs are begun
        [claim] = await world.ledger.claim("me", resources=[""])
        await engine.attempts.run(claim)
    await world.ledger.retire("me")
    engine = await deploy(series(short(show)))

    async def waiting() -> bool:
        return (await engine.show(job)).state is JobState.WAITING

    await until(waiting, "the series to wait")
    children = await world.reader.children(job)
    told = [task.waits_for for child in children for task in await engine.tasks(child.id) if task.waits_for]
    assert told
    assert all("was declared as tell(brief: int) -> str and is gone: short has show" in each for each in told)
    engine = await deploy(series(short(tell_better)))
    result = (await ended(engine, job)).result
    assert result.count("better") == len(told)
    assert result.count("shown") == 3 - len(told), "those begun later were begun with the graph of that day"


async def test_a_nested_pipeline_may_be_given_an_input_with_a_default(deploy):
    @stage(name="tell")
    async def tell_in(brief: int, tone: str) -> str:
        return f"{tone} {brief}"

    @pipeline(name="short")
    def toned(brief: int, tone: str = "softly") -> str:
        return tell_in(brief, tone)

    job = await deploy.half_way(series(short(tell)), done="briefs")
    engine = await deploy(series(toned))
    assert (await ended(engine, job)).result == "softly 0 softly 1 softly 2"


class Quiet(BaseModel):
    n: int


class Loud(BaseModel):
    n: int
    loud: bool = False


def spoken(kind: Any) -> Any:
    """A series of shorts that are ordered by models of this kind; the newer one has a condition."""

    @stage(name="briefs")
    async def briefs(n: int) -> list[Any]:
        return [kind(n=each) for each in range(n)]

    @stage(name="tell")
    async def tell(brief: kind) -> str:
        return f"told {brief.n}"

    @stage(name="shout")
    async def shout(told: str) -> str:
        return told.upper()

    @stage(name="gather")
    async def gather(shorts: list[str]) -> str:
        return " ".join(shorts)

    def wiring(brief: Any) -> str:
        told = tell(brief)
        if kind is Loud:
            shout.when(brief.loud)(told)
        return told

    wiring.__annotations__ = {"brief": kind, "return": str}
    short = pipeline(name="short")(wiring)

    @pipeline(name="series")
    def series(n: int) -> str:
        return gather(short.map(briefs(n)))

    return series


async def test_a_nested_pipeline_may_ask_for_a_field_that_is_new_and_has_a_default(deploy):
    job = await deploy.half_way(spoken(Quiet), done="briefs")
    engine = await deploy(spoken(Loud))
    assert (await ended(engine, job)).result == "told 0 told 1 told 2"


# What has come of jobs


async def test_a_result_that_the_new_type_refuses_says_that_another_version_made_it(deploy):
    @stage(name="combine")
    async def count(title: str, clips: list[int]) -> int:
        return len(clips)

    old = film()
    engine = await deploy(old)
    assert await engine.run(old, 1) == "film: [0]"
    [job] = await engine.list()

    @pipeline(name="film")
    def counted(n: int) -> int:
        return count("a", [])

    engine = await deploy(counted)
    with pytest.raises(StageError, match="started by another version of 'film'") as caught:
        await engine.result(counted, job.id)
    assert "valid integer" in str(caught.value)
    assert (await engine.show(job.id)).result == "film: [0]"


async def test_what_a_job_keeps_can_be_read_without_the_record_of_its_types(deploy, world):
    """Graphs of jobs that were started before types were recorded."""
    version = film()
    data = Graph.from_data(json.loads(version.text)).to_data()
    del data["declared"]
    assert Graph.from_data(data) == version.graph
    version.__dict__["text"] = json.dumps(data)
    job = await deploy.half_way(version)
    engine = await deploy(film(combine=with_style, wire=with_a_word))
    task = await deploy.waits(engine, job)
    assert "was declared as combine(title, clips) and is now combine(title: str," in task.waits_for
    engine = await deploy(film())
    assert (await ended(engine, job)).result == "film: [0, 10, 20]"
