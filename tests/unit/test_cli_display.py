"""What people see while a job runs and when it ends."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from genlock.cli.display import JsonScreen, LiveScreen, PlainScreen, QuietScreen, Screen, picture
from genlock.cli.film import film_lines, keep_place
from genlock.cli.follow import Follow
from genlock.cli.jobs import _keys
from genlock.cli.pace import Pace, Times
from genlock.cli.session import Interrupt, Session
from genlock.cli.table import job_page, jobs_table
from genlock.cli.word import ago, folded, length, next_steps, size
from genlock.engine.views import ErrorView, JobView, StageView
from genlock.ledger.records import JobState, TaskState
from genlock.settings import Settings
from genlock.testing import FakeClock

FILM = {
    "film": {"sha256": "a" * 64, "size": 3, "media_type": "video/mp4"},
    "path": "/tmp/film.mp4",
    "seconds": 96.5,
    "frames": 2895,
    "width": 1920,
    "height": 1080,
    "fps": 30,
    "clips": 12,
    "report": {
        "findings": [
            {"name": "frames", "wanted": "2895", "got": "2895", "passed": True},
            {"name": "loudness", "wanted": "-14 ± 1", "got": "-14.1 LUFS", "passed": True},
        ]
    },
}


async def follow(
    service: Any,
    screen: Screen,
    script: Any,
    home: Path,
    *,
    interrupt: Interrupt | None = None,
    owner: bool = True,
) -> int:
    session = Session(Settings(home=home), service, object() if owner else None, None)  # type: ignore[arg-type]
    acting = asyncio.create_task(script())
    code = await asyncio.wait_for(Follow(screen, interrupt or Interrupt()).to_end(session, "abc"), 10)
    await acting
    return code


async def test_plain_lines_tell_each_change_once(
    service: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = service.add("abc")
    screen = PlainScreen()
    screen.started(job)
    screen.update(job)
    screen.update(job)
    service.tell("abc", "task.failed", "video_generation/1", final=False, message="it hung")
    stages = [*job.stages]
    stages[1] = stages[1].model_copy(update={"counts": {TaskState.DONE: 2, TaskState.READY: 2}})

    async def script() -> None:
        await asyncio.sleep(0.05)
        service.set("abc", stages=stages, state=JobState.COMPLETED, result=FILM, finished_at=job.started_at)

    assert await follow(service, screen, script, tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [
        "job abc: campaign",
        "collect done",
        "video_generation 1/4",
        "video_generation/1 failed and is tried again: it hung",
        "video_generation 2/4",
        "campaign abc completed in 0.0 s",
        "  film    /tmp/film.mp4",
        "  length  1:36.5 (2895 frames, 1920×1080 at 30/s, 12 clips)",
        "  check   2 of 2 passed, -14.1 LUFS",
    ]


async def test_who_shows_nothing_does_not_ask_how_a_job_stands_before_it_has_ended(
    service: Any, tmp_path: Path
) -> None:
    job = service.add("abc")

    class Counting(QuietScreen):
        updates = 0

        def update(self, job: JobView) -> None:
            self.updates += job.id == "abc"

    async def script() -> None:
        for number in range(8):
            service.tell("abc", "task.progress", "video_generation/1", progress=number / 8)
            await asyncio.sleep(0.1)
        service.set("abc", state=JobState.COMPLETED, result=FILM, finished_at=job.started_at)

    assert await follow(service, screen := Counting(), script, tmp_path) == 0
    assert screen.updates <= 3


def test_a_log_hears_now_and_then_of_what_takes_long(
    service: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    job, clock = service.add("abc"), FakeClock()
    screen = PlainScreen(clock=clock)
    screen.update(job)
    capsys.readouterr()
    for seconds, said in ((29, ""), (2, "video_generation 25%: clip 2\n"), (28, ""), (3, "video_gen")):
        clock.advance(seconds)
        screen.update(job)
        heard = capsys.readouterr().out
        assert heard.startswith(said)
        assert bool(heard) == bool(said)


async def test_bad_photos_are_told_a_line_each_and_end_the_command_as_bad_input_does(
    service: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = "2 of 3 photos cannot be used:\na.jpg is empty\nb.jpg is a folder\nMend them"
    error = ErrorView(kind="BadPicture", message=message, task="collect")
    job = service.add("abc", state=JobState.FAILED, error=error)
    assert await follow(service, QuietScreen(), lambda: asyncio.sleep(0), tmp_path) == 2
    assert [line.strip() for line in next_steps(job, [])][:-1] == message.splitlines()


def test_lines_fold_where_a_terminal_ends() -> None:
    line = "    bomb.png has 20000x20000 = 400 million pixels; at most 100 million are decoded"
    assert folded(line, None) == folded(line, 200) == line
    assert folded(line, 40).splitlines() == [
        "    bomb.png has 20000x20000 = 400",
        "      million pixels; at most 100",
        "      million are decoded",
    ]


def test_what_is_left_out_is_listed_up_to_a_point() -> None:
    left_out = [{"photo": f"/p/{number}.jpg", "why": f"{number}.jpg is empty"} for number in range(40)]
    lines = list(film_lines({**FILM, "left_out": left_out}))
    start = lines.index(("without", "40 photos that cannot be used:"))
    assert lines[start + 1] == ("", "0.jpg is empty")
    assert lines[-1] == ("", "and 10 more: genlock jobs show --json has them all")


async def test_a_failure_names_the_tasks_and_what_to_do(
    service: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ErrorView(kind="RenderCrashed", message="the process died", task="video_generation/1")
    service.add("abc", JobState.FAILED, error=error)

    async def script() -> None:
        return

    assert await follow(service, QuietScreen(), script, tmp_path) == 1
    told = capsys.readouterr()
    assert told.out == "campaign abc failed\n"
    assert told.err.splitlines() == [
        "  video_generation/1 failed: the process died",
        "What is done is kept. Try the rest again: genlock jobs retry abc",
    ]


async def test_a_rejected_film_is_not_to_be_retried(service: Any) -> None:
    error = ErrorView(kind="Rejected", message="rejected by ann: too dark", task="review")
    job = service.add("abc", JobState.FAILED, error=error)
    failed = next(task for task in await service.tasks("abc") if task.state is TaskState.FAILED)
    review = failed.model_copy(update={"key": "review", "stage": "review", "error": error})
    hints = [
        "It was rejected, and a retry would only say so again. What was made is kept.",
        "Have a clip made anew, and the film waits again: genlock videos redo abc CLIP",
        "Or run any stage again: genlock jobs redo abc STAGE",
    ]
    first = "  review failed: rejected by ann: too dark"
    assert list(next_steps(job, [review])) == [first, *hints]
    of_set = review.model_copy(update={"key": "film/0", "stage": "film", "child_job": "abc.film-0"})
    assert "genlock videos redo abc.film-0 CLIP" in list(next_steps(job, [of_set]))[2]
    assert list(next_steps(job, [review, failed]))[-1].endswith("genlock jobs retry abc"), "of another reason"


@pytest.mark.parametrize(
    ("owner", "said"), [(True, "is kept. Go on with"), (False, "goes on without this command")]
)
async def test_an_interrupt_says_where_the_job_is(
    service: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], owner: bool, said: str
) -> None:
    service.add("abc")
    interrupt = Interrupt()

    async def script() -> None:
        interrupt._hit(2)

    assert await follow(service, QuietScreen(), script, tmp_path, interrupt=interrupt, owner=owner) == 130
    assert said in capsys.readouterr().err


async def test_json_lines_carry_events_and_the_job(
    service: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.add("abc", JobState.COMPLETED)
    service.tell("abc", "task.done", "collect", seconds=1)

    async def script() -> None:
        return

    await follow(service, JsonScreen(), script, tmp_path)
    event, job = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (event["event"]["kind"], job["job"]["id"]) == ("task.done", "abc")


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_picture_never_wraps_however_long_the_names_are(service: Any, width: int) -> None:
    job = service.add("abc")
    note = "a note that is far too long, with [brackets] and 写真 " * 5
    stages = [
        StageView(
            name=f"stage_{n}_{'x' * 60}",
            mapped=True,
            state=state,
            total=1000,
            counts={TaskState.DONE: 500},
            progress=0.5,
            note=note,
        )
        for n, state in enumerate(TaskState)
    ]
    job = job.model_copy(update={"stages": stages, "pipeline": "p" * 200})
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=True, color_system=None, legacy_windows=False)
    console.print(picture(job, Times(), job.created_at, timedelta(hours=2), width))
    lines = file.getvalue().splitlines()
    assert len(lines) == 1 + len(TaskState)
    assert all(console.measure(line).maximum <= width for line in lines)


async def test_the_live_screen_leaves_its_last_picture(service: Any, tmp_path: Path) -> None:
    job = service.add("abc")
    file = io.StringIO()
    screen = LiveScreen(Console(file=file, width=80, height=24, force_terminal=True, color_system=None))

    async def script() -> None:
        await asyncio.sleep(0.4)
        service.tell("abc", "task.failed", "video_generation/1", final=False, message="[red]it hung[/red]")
        service.set("abc", state=JobState.COMPLETED, finished_at=job.started_at)

    assert await follow(service, screen, script, tmp_path) == 0
    text = file.getvalue()
    assert "\x1b[?25h" in text  # the cursor is back
    assert "[red]it hung[/red]" in text  # shown as it is, not taken for markup
    assert "completed" in text[text.rindex("campaign") :]


def test_the_pace_counts_only_what_was_done_while_looking(service: Any) -> None:
    pace, job = Pace(), service.add("abc")
    start = job.created_at

    def at(seconds: float, progress: float) -> timedelta | None:
        return pace.left(job.model_copy(update={"progress": progress}), start + timedelta(seconds=seconds))

    assert at(0, 0.5) is None
    assert at(1, 0.6) is None
    assert at(10, 0.6) == timedelta(seconds=40)
    assert at(20, 0.3) is None  # the fan-out became known: begin again
    assert at(30, 0.65) == timedelta(seconds=10)


async def test_a_stage_that_is_a_job_of_its_own_names_that_job(
    service: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    job = service.add("abc")
    task = (await service.tasks("abc"))[0]
    nested = task.model_copy(update={"state": TaskState.SPREAD, "error": None, "child_job": "inner"})
    job_page(job, [nested], job.created_at)
    assert "genlock jobs show inner" in capsys.readouterr().out


def test_a_paused_job_has_no_time_left_and_its_pause_is_no_slowness(service: Any) -> None:
    pace, job = Pace(), service.add("abc")

    def at(seconds: float, progress: float, state: JobState = JobState.RUNNING) -> timedelta | None:
        seen = job.model_copy(update={"progress": progress, "state": state})
        return pace.left(seen, job.created_at + timedelta(seconds=seconds))

    assert at(0, 0.2) is None
    assert at(10, 0.4) == timedelta(seconds=30)
    assert at(11, 0.4, JobState.PAUSED) is None
    assert at(60, 0.4) is None
    assert at(70, 0.6) == timedelta(seconds=20)


def test_stages_are_timed_while_they_are_at_work(service: Any) -> None:
    service.add("abc")
    times = Times()

    def hear(second: int, kind: str, task: str) -> None:
        service.tell("abc", f"task.{kind}", task)
        event = service.history["abc"][-1]
        times.hear(event.model_copy(update={"at": event.at + timedelta(seconds=second)}))

    for second, kind, task in [
        (0, "claimed", "a/0"),
        (1, "claimed", "a/1"),
        (2, "done", "a/0"),
        (3, "done", "a/1"),
    ]:
        hear(second, kind, task)
    assert times.spent("a") == timedelta(seconds=3)
    assert times.spent("b") is None
    hear(10, "claimed", "a/2")
    hear(12, "progress", "a/2")
    noon = service.jobs["abc"].created_at
    assert times.spent("a", noon + timedelta(seconds=14)) == timedelta(seconds=7)
    hear(12, "claimed", "a/3")
    hear(9000, "reclaimed", "a/2")  # the process died at some time after its last word
    hear(9000, "reclaimed", "a/3")
    assert times.spent("a") == timedelta(seconds=5)


async def test_a_film_without_a_copy_is_found_in_the_store(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    result = {**FILM, "path": None}
    assert await keep_place(settings, result) is None
    assert [name for name, _ in film_lines(result, None)] == ["length", "check"]
    place = settings.store / "objects" / "aa" / ("a" * 64)
    place.parent.mkdir(parents=True)
    place.write_text("abc")
    assert await keep_place(settings, result) == str(place)
    assert dict(film_lines(result, str(place)))["film"].startswith(f"{place} (in the store")
    assert list(film_lines(3)) == [("result", "3")]
    assert list(film_lines(None)) == []


async def test_tables_are_whole_where_no_terminal_cuts_them(
    service: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "x" * 150
    job = service.add("abc", JobState.FAILED, pipeline=long, error=ErrorView(kind="K", message="m", task="t"))
    jobs_table([job], job.created_at)
    job_page(job, list(await service.tasks("abc")), job.created_at)
    text = capsys.readouterr().out
    assert text.count(long) == 2
    assert "RenderCrashed: the process died" in text
    assert "\x1b" not in text
    jobs_table([], job.created_at)
    assert capsys.readouterr().out == "No jobs.\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1:00"), (3723, "1:02:03")]
)
def test_lengths_are_short(seconds: float, text: str) -> None:
    assert length(timedelta(seconds=seconds)) == text


def test_sizes_and_ages_are_in_words(service: Any) -> None:
    assert [size(n) for n in (0, 999, 3.4e6, 2e13)] == ["0 bytes", "999 bytes", "3.4 MB", "20000.0 GB"]
    noon = service.add("abc").created_at
    later = [noon + timedelta(seconds=s) for s in (5, 90, 3700, 3 * 86400)]
    assert [ago(noon, one) for one in later] == ["5 s ago", "1 min ago", "1 h ago", "3 days ago"]


def test_task_keys_are_gathered_by_stage() -> None:
    assert _keys(["a", "b/0", "b/1", "b/2", "b/5", "c"]) == "a, b/0-2,5, c"
    assert _keys([]) == "nothing"
