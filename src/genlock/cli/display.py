"""What a job looks like while it runs: a live picture on a terminal, plain lines elsewhere, or JSON lines."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from genlock.cli.film import film_lines
from genlock.cli.pace import Pace, Times
from genlock.cli.word import briefly, folded, length, money, next_steps
from genlock.clock import Clock, SystemClock
from genlock.ledger.records import TaskState

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from genlock.engine.views import EventView, JobView, StageView, TaskView


LONG = 30.0  # seconds that a log may be silent about something that goes on
ECHO = 3  # columns left free: the ^C that a terminal echoes must not wrap, or the next picture slips


class Screen(Protocol):
    """Where a job is shown. Inside the `with` it is live; what is said outside stays."""

    draws: bool
    """Whether it shows how a job stands before it has ended: if not, nobody need find that out."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def started(self, job: JobView) -> None:
        """The job is committed: its id."""
        ...

    def update(self, job: JobView) -> None:
        """How the job stands now."""
        ...

    def tell(self, event: EventView) -> None:
        """Something happened."""
        ...

    def notice(self, text: str) -> None:
        """Something about this process, not the job."""
        ...

    def kept(self, job: JobView, *, elsewhere: bool) -> None:
        """This command was interrupted; the job is not lost, and `elsewhere` it even goes on."""
        ...

    def ended(self, job: JobView, tasks: Sequence[TaskView], place: str | None) -> None:
        """What came of the job; `tasks` only if something failed, `place` of a film in the store."""
        ...


def screen_for(*, quiet: bool = False, json: bool = False) -> Screen:
    """The screen that fits where stdout goes."""
    if json:
        return JsonScreen()
    if quiet:
        return QuietScreen()
    return LiveScreen() if sys.stdout.isatty() else PlainScreen()


class QuietScreen:
    """Says only how it ended."""

    draws = False

    def __init__(self) -> None:
        self.times = Times()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def started(self, job: JobView) -> None:
        del job

    def update(self, job: JobView) -> None:
        del job

    def tell(self, event: EventView) -> None:
        del event

    def notice(self, text: str) -> None:
        print(f"genlock: {text}", file=sys.stderr)

    def kept(self, job: JobView, *, elsewhere: bool) -> None:
        if elsewhere:
            say = f"{job.id} goes on without this command. Watch: genlock resume {job.id}"
        else:
            say = f"{job.id} is kept. Go on with: genlock resume {job.id}"
        print(say, file=sys.stderr)

    def ended(self, job: JobView, tasks: Sequence[TaskView], place: str | None) -> None:
        _say_end(job, tasks, place)


class PlainScreen(QuietScreen):
    """A line for each change, and now and then for what takes long; no control codes: for logs and pipes."""

    draws = True

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock or SystemClock()
        self._known: dict[str, tuple[str, int]] = {}
        self._spoke = self._clock.monotonic()

    def started(self, job: JobView) -> None:
        _line(f"job {job.id}: {job.pipeline}")

    def tell(self, event: EventView) -> None:
        self.times.hear(event)
        if event.kind == "task.failed" and not event.data.get("final"):
            _line(f"{event.task} failed and is tried again: {event.data.get('message', '')}")

    def update(self, job: JobView) -> None:
        for stage in job.stages:
            done = stage.counts.get(TaskState.DONE, 0)
            now = (_phase(stage), done)
            before = self._known.get(stage.name, ("blocked", 0))
            if now != before:
                self._known[stage.name] = now
                if text := _change(stage, done, before[0], self.times.spent(stage.name)):
                    self._say(text)
        if self._clock.monotonic() - self._spoke >= LONG:
            for stage in job.stages:
                if _phase(stage) == "running" and stage.note:
                    self._say(f"{stage.name} {stage.progress:.0%}: {stage.note}")

    def _say(self, text: str) -> None:
        self._spoke = self._clock.monotonic()
        _line(text)


class JsonScreen(QuietScreen):
    """A JSON object a line: events as they happen, then the job."""

    def tell(self, event: EventView) -> None:
        _line(json.dumps({"event": event.model_dump(mode="json", by_alias=True)}))

    def started(self, job: JobView) -> None:
        _line(json.dumps({"job": job.model_dump(mode="json", by_alias=True)}))

    def ended(self, job: JobView, tasks: Sequence[TaskView], place: str | None) -> None:
        del tasks, place
        self.started(job)


class LiveScreen(QuietScreen):
    """The stages as they go, redrawn in place."""

    draws = True

    def __init__(self, console: Console | None = None, *, clock: Clock | None = None) -> None:
        from rich.console import Console

        super().__init__()
        self._clock = clock or SystemClock()
        self.console = console or Console(highlight=False)
        self._pace = Pace()
        self._live: Live | None = None
        self._last: JobView | None = None

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(console=self.console, auto_refresh=False, vertical_overflow="ellipsis")
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def started(self, job: JobView) -> None:
        self.console.print(f"job [bold]{job.id}[/]", no_wrap=True, overflow="ellipsis")

    def notice(self, text: str) -> None:
        from rich.markup import escape

        self.console.print(f"[yellow]{escape(text)}[/]")

    def tell(self, event: EventView) -> None:
        from rich.markup import escape

        self.times.hear(event)
        if event.kind == "task.failed" and not event.data.get("final"):
            text = f"{event.task} failed and is tried again: {event.data.get('message', '')}"
            self.console.print(f"[yellow]{escape(briefly(text, 2 * self.console.width - 2))}[/]")

    def update(self, job: JobView) -> None:
        now = self._clock.now()
        left = self._pace.left(job, now)
        if self._live is not None:
            self._live.update(picture(job, self.times, now, left, self.console.width), refresh=True)


def picture(job: JobView, times: Times, now: datetime, left: timedelta | None, width: int) -> RenderableType:
    """A job in `width` columns: a head, then a line a stage. Long names are cut, not wrapped."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Text(no_wrap=True, overflow="ellipsis")
    head.append(job.pipeline, style="bold")
    head.append(f"  {job.state}", style=_COLOUR.get(job.state, ""))
    if job.started_at is not None:
        head.append(f"  {length((job.finished_at or now) - job.started_at)}")
    if left is not None and not job.state.finished:
        head.append(f"  about {length(left)} left", style="dim")
    if job.cost is not None and job.cost.calls:
        head.append(f"  {money(job.cost)}", style="magenta" if job.cost.micros["doubt"] else "")
    table = Table.grid(padding=(0, 1), expand=True)
    table.width = max(20, width - ECHO)
    table.add_column(width=1, min_width=1)
    table.add_column(max_width=26, min_width=12, no_wrap=True, overflow="ellipsis")
    bar = 10 if width < 100 else 20
    table.add_column(width=bar)
    table.add_column(min_width=7, justify="right", no_wrap=True)
    table.add_column(min_width=6, justify="right", no_wrap=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for stage in job.stages:
        table.add_row(*_row(stage, times, now, bar))
    return Group(head, table)


_COLOUR: dict[Any, str] = {
    "running": "cyan",
    "spread": "cyan",
    "done": "green",
    "completed": "green",
    "failed": "bold red",
    "cancelled": "red",
    "waiting": "yellow",
    "parked": "yellow",
    "paused": "yellow",
    "skipped": "dim",
    "blocked": "dim",
}
_MARK: dict[str, str] = {
    "done": "✓",
    "failed": "✗",
    "cancelled": "✗",
    "skipped": "–",
    "running": "●",
    "spread": "●",
    "parked": "‖",
}


def _row(stage: StageView, times: Times, now: datetime, bar: int) -> Sequence[RenderableType]:
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    colour = _COLOUR.get(stage.state, "")
    active = str(stage.state) in ("running", "spread")
    done = stage.counts.get(TaskState.DONE, 0)
    spent = times.spent(stage.name, now if active else None)
    return (
        Text(
            _MARK.get(stage.state, "·") if spent or stage.state is not TaskState.CANCELLED else "·",
            style=colour,
        ),
        Text(stage.name, style=colour),
        ProgressBar(total=1.0, completed=stage.progress, width=bar, style="grey23") if active else Text(""),
        Text(f"{done}/{stage.total}" if _known(stage) else ""),
        Text(length(spent) if spent else "", style="dim"),
        Text(stage.note or "" if active or str(stage.state) in ("skipped", "parked") else "", style="dim"),
    )


def _phase(stage: StageView) -> str:
    """The state, without the difference between a map that waits for its children and one that works."""
    return "running" if stage.state is TaskState.SPREAD else str(stage.state)


def _known(stage: StageView) -> bool:
    """Whether it is known how many tasks a map has: before the fan-out it counts as one."""
    return stage.mapped and (stage.total > 1 or stage.state not in (TaskState.BLOCKED, TaskState.RUNNING))


def _change(stage: StageView, done: int, before: str, spent: timedelta | None) -> str | None:
    """A stage that changed, in words; None for what nobody needs to know."""
    took = f" ({length(spent)})" if spent is not None else ""
    many = f" {done}/{stage.total}" if _known(stage) else ""
    phase = _phase(stage)
    if phase == "done":
        return f"{stage.name}{many} done{took}"
    if phase == "running":
        return f"{stage.name}{many}" if done or before != "running" else None
    if phase in ("failed", "skipped", "parked"):
        why = f": {stage.note}" if stage.note else ""
        return f"{stage.name}{many} {phase}{why}"
    return None


def _say_end(job: JobView, tasks: Sequence[TaskView], place: str | None) -> None:
    took = ""
    if job.started_at and job.finished_at:
        took = f" in {length(job.finished_at - job.started_at)}"
    print(f"{job.pipeline} {job.id} {job.state}{took}")
    width = terminal_width()
    if job.cost is not None and job.cost.calls:
        print(folded(f"  {'money':<7} {money(job.cost)}", width))
    for name, value in film_lines(job.result, place):
        print(folded(f"  {name:<7} {value}", width))
    for line in next_steps(job, tasks):
        print(folded(line, width), file=sys.stderr)
    sys.stdout.flush()


def terminal_width() -> int | None:
    """Columns of the terminal that is written to; None if it is no terminal, which then needs no folding."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _line(text: str) -> None:
    print(text, flush=True)
