"""Paid calls from a stage's body to a vendor's book: each is charged once, or a person decides."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from genlock import pipeline, provided, stage
from genlock.bootstrap import Home, open_home
from genlock.clock import Clock, SystemClock
from genlock.engine.views import JobView
from genlock.errors import BadInput, Conflict, StageError
from genlock.ledger.records import JobState, TaskRef, TaskState
from genlock.ledger.spending import By, CallState, Decision
from genlock.providers.faces import VideoModel
from genlock.store.artifact import Artifact
from genlock.store.local import LocalStore
from genlock.testing.simulator import Do, Fault, Rate, Simulator

MODELS = {
    "kling": "kling:kling-v2-5-turbo",
    "replicate": "replicate:google/veo-3.1",
    "runway": "runway:gen3a_turbo",
}
POLICIES = ("kling", "replicate", "runway")
QUICK = "\n".join(
    f'[models."{name}"]\npoll = 0.02\nlimit = {2 if vendor == "runway" else 4}\n'
    for vendor, name in MODELS.items()
)
HALF_A_DOLLAR = f"{QUICK}\n".replace("limit = 4", 'limit = 4\nprices = [{ per = "call", amount = "0.50" }]')
Open = Callable[..., AbstractAsyncContextManager[Home]]


@stage
async def shoot(number: int, first: Artifact, last: Artifact, *, video: VideoModel = provided()) -> Artifact:
    bought = await video.clip(first, last, prompt=f"shot {number}", seconds=5)
    return bought.clip


@stage
async def join(clips: list[Artifact]) -> int:
    return len(clips)


@pipeline
def shots(numbers: list[int], first: Artifact, last: Artifact) -> int:
    return join(shoot.map(numbers, first, last))


@stage(resources={"cpu": 1})
async def render_shot(first: Artifact, last: Artifact, *, video: VideoModel = provided()) -> Artifact:
    return (await video.clip(first, last, prompt="a shot", seconds=5)).clip


@pipeline
def rendered_shot(first: Artifact, last: Artifact) -> Artifact:
    return render_shot(first, last)


@stage(resources={"cpu": 1})
async def render(number: int) -> int:
    await asyncio.sleep(0.05)
    return number


@pipeline
def renders(numbers: list[int]) -> list[int]:
    return render.map(numbers)


@pytest.fixture
def opened(settings: Callable[..., Any], vendors: Simulator) -> Open:
    vendors.behave()

    @asynccontextmanager
    async def opening(
        vendor: str, models: str = QUICK, clock: Clock | None = None, **more: Any
    ) -> AsyncIterator[Home]:
        given = settings(video=MODELS[vendor], settle_window=0.4, backoff=0.01, **more)
        given.home.mkdir(exist_ok=True)
        given.models.write_text(models)
        async with open_home(given, clock=clock, more=[shots, rendered_shot, renders]) as home:
            yield home

    return opening


@pytest.fixture
async def order(settings: Callable[..., Any], small: list[Path]) -> Callable[..., dict[str, Any]]:
    store = LocalStore(settings().store)
    first, last = [(await store.put(path, "image/jpeg")).model_dump() for path in small]
    return lambda count=1: {"numbers": list(range(count)), "first": first, "last": last}


async def made(home: Home, job: str) -> Any:
    view = await ended(home, job)
    assert view.error is None, view.error
    return view.result


async def ended(home: Home, job: str) -> JobView:
    async with asyncio.timeout(60):
        while not (await home.engine.reader.ended(job, 60)).state.finished:
            pass
    return await home.engine.show(job)


async def until(so: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(60):
        while not (found := await so()):  # noqa: ASYNC110 - it is asked, and does not tell
            await asyncio.sleep(0.05)
    return found


async def doubt_of(home: Home) -> Any:
    found = await until(lambda: home.engine.accounts.calls(states=[CallState.DOUBT]))
    return found[0]


@pytest.mark.parametrize("vendor", POLICIES)
async def test_a_clip_is_bought_once_and_its_cost_is_what_the_vendor_charged(
    vendor: str, opened: Open, order: Any, vendors: Simulator
) -> None:
    async with opened(vendor) as home:
        job = (await home.engine.start("shots", order(3))).id
        assert await made(home, job) == 3
        [cost] = await home.engine.accounts.costs(By.VENDOR)
        assert (cost.group, cost.calls, cost.micros["reserved"]) == (vendor, 3, 0)
        calls = await home.engine.accounts.calls(job=job)
        assert {call.state for call in calls} == {CallState.SETTLED}
        for task in await home.engine.tasks(job):
            if task.stage == "shoot" and task.output:
                assert (await home.store.path(Artifact.model_validate(task.output))).stat().st_size > 500
    assert len(vendors.charges()) == 3
    assert not vendors.charged_twice()


@pytest.mark.parametrize("vendor", ["kling", "replicate"])
@pytest.mark.parametrize("do", [Do.ACCEPT_THEN_DROP, Do.ACCEPT_THEN_ERROR, Do.GARBAGE, Do.HALF_ANSWER])
async def test_an_answer_that_is_lost_is_asked_for_and_the_clip_is_charged_once(
    vendor: str, do: Do, opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(do, vendor=vendor))
    async with opened(vendor) as home:
        job = (await home.engine.start("shots", order())).id
        assert await made(home, job) == 1
    assert len(vendors.charges()) == 1


@pytest.mark.parametrize("vendor", ["kling", "replicate"])
@pytest.mark.parametrize("do", [Do.DROP, Do.ERROR, Do.BUSY])
async def test_a_request_that_was_not_accepted_is_sent_again(
    vendor: str, do: Do, opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(do, vendor=vendor, seconds=0.1))
    async with opened(vendor) as home:
        job = (await home.engine.start("shots", order())).id
        assert await made(home, job) == 1
    assert len(vendors.charges()) == 1


async def test_of_a_vendor_that_cannot_be_asked_a_person_says_that_it_ran(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(Do.ACCEPT_THEN_DROP, vendor="runway"))
    async with opened("runway") as home:
        job = (await home.engine.start("shots", order())).id
        call = await doubt_of(home)
        assert (await until(lambda: state_of(home, job))) is JobState.WAITING
        [task] = [one for one in await home.engine.tasks(job) if one.state is TaskState.PARKED]
        assert f"genlock calls resolve {call.key}" in task.waits_for
        [cost] = await home.engine.accounts.costs(By.JOB)
        assert cost.micros["doubt"] == cost.micros["reserved"] > 0
        [charge] = vendors.charges()
        await home.engine.accounts.resolve(call.key, Decision.ADOPT, by="ada", handle=charge.id)
        assert await made(home, job) == 1
        [call] = await home.engine.accounts.calls(job=job)
        assert (call.state, call.decided_by) == (CallState.SETTLED, "ada")
        with pytest.raises(Conflict, match="no doubt"):
            await home.engine.accounts.resolve(call.key, Decision.RESEND, by="ada")
    assert len(vendors.charges()) == 1


async def state_of(home: Home, job: str) -> JobState | None:
    view = await home.engine.show(job)
    return view.state if view.state is JobState.WAITING else None


async def test_what_a_person_sends_again_may_be_charged_twice_and_is_counted_as_that(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(Do.ACCEPT_THEN_DROP, vendor="runway"))
    async with opened("runway") as home:
        job = (await home.engine.start("shots", order())).id
        call = await doubt_of(home)
        await home.engine.accounts.resolve(call.key, Decision.RESEND, by="ada")
        assert await made(home, job) == 1
        [cost] = await home.engine.accounts.costs(By.JOB)
        assert cost.micros["risk"] > 0
        assert cost.micros["spent"] == vendors.spent().micros
    assert len(vendors.charges()) == 2


async def test_a_call_that_is_given_up_fails_its_task_and_retry_makes_another(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(Do.ACCEPT_THEN_DROP, vendor="runway"))
    async with opened("runway") as home:
        job = (await home.engine.start("shots", order())).id
        call = await doubt_of(home)
        await home.engine.accounts.resolve(call.key, Decision.GIVE_UP, by="ada")
        view = await ended(home, job)
        assert view.state is JobState.FAILED
        assert "given up by ada" in view.error.message
        await home.engine.retry(job)
        assert await made(home, job) == 1
        calls = await home.engine.accounts.calls(job=job)
        assert [(one.number, one.state) for one in calls] == [
            (2, CallState.SETTLED),
            (1, CallState.ABANDONED),
        ]


async def test_a_generation_that_fails_is_asked_for_again_as_another_call(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(Do.FAIL, vendor="replicate"))
    async with opened("replicate") as home:
        job = (await home.engine.start("shots", order())).id
        assert await made(home, job) == 1
        calls = await home.engine.accounts.calls(job=job)
        assert [one.state for one in calls] == [CallState.SETTLED, CallState.FAILED]


async def test_what_the_vendor_will_not_do_fails_at_once_and_costs_nothing(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(Do.REJECT, vendor="replicate", times=9))
    async with opened("replicate") as home:
        job = (await home.engine.start("shots", order())).id
        view = await ended(home, job)
        assert (view.state, view.error.kind) == (JobState.FAILED, "Refused")
        [cost] = await home.engine.accounts.costs(By.JOB)
        assert cost.micros["spent"] == cost.micros["reserved"] == 0
    assert len(vendors.requests("replicate")) <= 2  # a picture that was uploaded, and one request


@pytest.mark.parametrize("do", [Do.HALF_FILE, Do.SHORT_FILE, Do.WRONG_FILE])
async def test_a_file_that_comes_broken_is_fetched_again_not_bought_again(
    do: Do, opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(do, vendor="replicate", on="file"))
    async with opened("replicate") as home:
        job = (await home.engine.start("shots", order())).id
        assert await made(home, job) == 1
    assert len(vendors.charges()) == 1


async def test_what_cannot_be_used_is_bought_once_more_and_then_only_when_a_person_asks_for_it(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.price("replicate", Rate(call=500_000))
    vendors.misbehave(Fault(Do.WRONG_FILE, vendor="replicate", on="file", times=1_000))
    async with opened("replicate", models=HALF_A_DOLLAR, attempts=5) as home:
        job = (await home.engine.start("shots", order())).id
        view = await ended(home, job)
        assert (view.state, view.error.kind) == (JobState.FAILED, "InVain")
        assert view.error.message.startswith(f"$1.00 were spent on 2 tries of {job}/shoot/0/clip")
        assert f"genlock jobs retry {job}" in view.error.message
        assert len(vendors.charges()) == 2
        vendors.behave()
        await home.engine.retry(job)
        assert await made(home, job) == 1
        calls = await home.engine.accounts.calls(job=job)
        assert [call.state for call in calls] == [CallState.SETTLED, CallState.FAILED, CallState.FAILED]
    assert len(vendors.charges()) == 3


async def test_a_look_at_a_call_that_is_at_work_intends_nothing(
    opened: Open, order: Any, vendors: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendors.misbehave(Fault(Do.LONG_WORK, vendor="replicate", seconds=0.6))
    intended = []
    async with opened("replicate") as home:
        ledger = home.engine.ledger
        intend = ledger.intend

        async def counted(claim: Any, spec: Any) -> Any:
            intended.append(spec.name)
            return await intend(claim, spec)

        monkeypatch.setattr(ledger, "intend", counted)
        job = (await home.engine.start("shots", order())).id
        assert await made(home, job) == 1
        assert (await home.engine.reader.task(TaskRef(job, "shoot/0"))).attempt > 2
    assert intended == ["clip"]


async def test_a_higher_cap_in_the_settings_lets_a_job_go_on_when_the_home_is_opened_again(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.price("replicate", Rate(call=500_000))
    async with opened("replicate", models=HALF_A_DOLLAR, cap_job="0.50") as home:
        job = (await home.engine.start("shots", order(2))).id
        await until(lambda: state_of(home, job))
    async with opened("replicate", models=HALF_A_DOLLAR, cap_job="0.60") as home:
        await until(lambda: looked_again(home, job))
        assert (await home.engine.show(job)).state is JobState.WAITING
    async with opened("replicate", models=HALF_A_DOLLAR, cap_job="1.00") as home:
        assert await made(home, job) == 2
    assert len(vendors.charges()) == 2


class Noon(SystemClock):
    """It is noon, and time passes as always until `sleep_over`."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        self._ahead = now.replace(hour=12) - now

    def now(self) -> datetime:
        return super().now() + self._ahead

    def sleep_over(self) -> None:
        self._ahead += timedelta(hours=12)


async def test_a_job_that_has_spent_the_day_s_money_goes_on_the_next_day(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.price("replicate", Rate(call=500_000))
    clock = Noon()
    async with opened("replicate", models=HALF_A_DOLLAR, clock=clock, cap_day="0.50", deadline="P2D") as home:
        job = (await home.engine.start("shots", order(2))).id
        await until(lambda: state_of(home, job))
        assert len(vendors.charges()) == 1
        clock.sleep_over()
        assert home.executor is not None
        home.executor.ring()
        assert await made(home, job) == 2
        days = [one for one in await home.engine.accounts.budgets() if one.scope.startswith("day:")]
    assert [one.spent for one in days] == ["$0.50", "$0.50"]


async def looked_again(home: Home, job: str) -> bool:
    parked = [task for task in await home.engine.tasks(job) if task.state is TaskState.PARKED]
    return any("of $0.60" in (task.waits_for or "") for task in parked)


async def test_a_cap_stops_before_the_request_that_would_pass_it_and_a_higher_one_lets_the_job_go_on(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.price("replicate", Rate(call=500_000))
    async with opened("replicate", models=HALF_A_DOLLAR) as home:
        job = (await home.engine.start("shots", order(6), labels={"cap": "2.00"})).id
        await until(lambda: state_of(home, job))
        [budget] = [one for one in await home.engine.accounts.budgets() if one.scope == f"job:{job}"]
        assert len(vendors.charges()) == 4
        assert (budget.spent, budget.reserved) == ("$2.00", "$0.00")
        waits = [task.waits_for for task in await home.engine.tasks(job) if task.waits_for]
        assert any("over budget" in told and f"job:{job}" in told for told in waits)
        await home.engine.accounts.set_cap(job, "100")
        assert await made(home, job) == 6
    assert len(vendors.charges()) == 6


async def test_no_more_are_at_work_than_the_account_has_places_for(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    most = 0
    async with opened("replicate") as home:
        job = (await home.engine.start("shots", order(12))).id
        while not (await home.engine.show(job)).state.finished:
            most = max(most, await home.engine.reader.live_calls("replicate"))
            await asyncio.sleep(0.005)
    assert most == 4
    assert len(vendors.charges()) == 12


async def test_a_clip_at_a_provider_is_fetched_though_renders_stand_in_line_for_longer(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(Do.LONG_WORK, vendor="replicate", seconds=1.0))
    ends = {name: value for name, value in order().items() if name != "numbers"}
    async with opened("replicate", cpu=1) as home:
        bought = (await home.engine.start("rendered_shot", ends)).id
        await until(lambda: home.engine.accounts.calls(states=[CallState.ACCEPTED]))
        line = (await home.engine.start("renders", {"numbers": list(range(200))})).id
        assert (await ended(home, bought)).state is JobState.COMPLETED
        assert not (await home.engine.show(line)).state.finished
        await home.engine.cancel(line)


async def test_a_cancelled_job_asks_the_vendor_to_stop_and_counts_what_it_cost(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(Do.LONG_WORK, vendor="replicate", seconds=60.0))
    async with opened("replicate") as home:
        job = (await home.engine.start("shots", order())).id
        await until(lambda: home.engine.accounts.calls(states=[CallState.ACCEPTED]))
        await home.engine.cancel(job, "another idea")

        async def over() -> bool:
            [call] = await home.engine.accounts.calls(job=job)
            return call.state in (CallState.FAILED, CallState.SETTLED)

        await until(over)
    assert [receipt.route for receipt in vendors.requests("replicate") if receipt.route == "cancel"]


async def test_another_take_is_bought_anew_and_the_others_are_not(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    async with opened("replicate") as home:
        job = (await home.engine.start("shots", order(3))).id
        await ended(home, job)
        await home.engine.redo(job, "shoot/1")
        assert await made(home, job) == 3
        calls = await home.engine.accounts.calls(job=job)
        assert sorted(call.task for call in calls) == ["shoot/0", "shoot/1", "shoot/1", "shoot/2"]


async def test_a_job_left_long_ago_asks_before_it_spends_again(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(Do.BUSY, vendor="replicate", times=50, seconds=30.0))
    async with opened("replicate", attempts=50) as home:
        job = (await home.engine.start("shots", order())).id
        await until(lambda: home.engine.accounts.calls(states=[CallState.RELEASED]))
    vendors.behave()
    await asyncio.sleep(0.05)
    async with opened("replicate", orphaned_after=0.01) as home:
        [budget] = await home.engine.accounts.budgets([job])
        assert "nothing happened since" in (budget.frozen or "")
        await home.engine.accounts.thaw(job)
        ref = TaskRef(job, "shoot/0")
        assert (await home.engine.reader.task(ref)).state is not TaskState.FAILED
    assert not vendors.charges()


async def test_a_stage_that_buys_without_a_provider_says_which_setting_is_missing(
    settings: Callable[..., Any], order: Any
) -> None:
    async with open_home(settings(), more=[shots]) as home:
        job = (await home.engine.start("shots", order())).id
        view = await ended(home, job)
        assert "GENLOCK_VIDEO" in view.error.message
        with pytest.raises(StageError):
            await home.engine.result(shots, job)


async def test_what_was_sent_is_gone_on_with_though_it_could_not_be_asked_for_today(
    opened: Open, order: Any, vendors: Simulator
) -> None:
    vendors.misbehave(Fault(Do.LONG_WORK, vendor="replicate", seconds=1.0))
    async with opened("replicate") as home:
        job = (await home.engine.start("shots", order())).id
        await until(lambda: home.engine.accounts.calls(states=[CallState.ACCEPTED]))
    async with opened("replicate", models=f"{QUICK}".replace("limit = 4", "limit = 4\nprices = []")) as home:
        assert await made(home, job) == 1
    assert len(vendors.charges()) == 1


def test_the_doctor_says_which_keys_work(vendors: Simulator, tmp_path: Path) -> None:
    told = {}
    for key in (vendors.key("replicate"), "r8_wrong"):
        env = {
            **os.environ,
            "GENLOCK_HOME": str(tmp_path / "doctor"),
            "GENLOCK_VIDEO": MODELS["replicate"],
            "GENLOCK_REPLICATE_URL": vendors.address("replicate"),
            "REPLICATE_API_TOKEN": key,
        }
        command = [str(Path(sys.executable).with_name("genlock")), "doctor", "--json"]
        run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        found = {one["what"]: one for one in json.loads(run.stdout)}
        told[key] = (run.returncode, found["video"]["state"], found["video"]["found"])
    good, bad = told.values()
    assert good[:2] == (0, "ok")
    assert bad[:2] == (1, "missing")
    assert "r8_wrong" not in bad[2]


async def test_a_provider_that_cannot_be_used_stops_work_but_no_look_at_it(
    settings: Callable[..., Any],
) -> None:
    wrong = settings(video="acme:one")
    with pytest.raises(BadInput, match="GENLOCK_VIDEO: 'acme' makes no video"):
        async with open_home(wrong):
            pass
    async with open_home(wrong, execute=False) as home:
        assert await home.engine.list() == []
