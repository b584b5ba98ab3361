"""A task for calling a stage's body without an engine: `await make_clip.body(shot, task=FakeTask())`."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from genlock.errors import DuplicateName, Parked
from genlock.paid import Answer, Ask

T = TypeVar("T")


@dataclass
class FakeTask:
    """Remembers what a body did with its task.

    `signals` answers events by name (one that is missing parks, as the real one does); `notes` are what
    `once` finds kept, and holds what it kept; `answers` are what calls came to, by name (one that is
    missing parks), and `asked` holds what they asked; `reports` lists (progress, note).
    """

    key: str = "job/stage"
    index: int | None = None
    attempt: int = 1
    revision: int = 1
    signals: Mapping[str, Any] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    asked: dict[str, Ask] = field(default_factory=dict)
    reports: list[tuple[float, str | None]] = field(default_factory=list)
    now: datetime | None = None
    _names: set[str] = field(default_factory=set, repr=False)
    _workdir: Path | None = field(default=None, repr=False)

    @property
    def workdir(self) -> Path:
        if self._workdir is None:
            self._workdir = Path(tempfile.mkdtemp(prefix="genlock-task-"))
        return self._workdir

    async def once(self, name: str, act: Callable[[], Awaitable[T]], of: type[T] | None = None) -> T:
        del of
        self._use(name)
        if name not in self.notes:
            self.notes[name] = await act()
        value: T = self.notes[name]
        return value

    async def call(self, name: str, ask: Ask) -> Answer:
        self._use(name)
        self.asked[name] = ask
        if name not in self.answers:
            raise Parked(f"{ask.adapter.name} is at work on {name}", signal=f"call:{name}")
        return self.answers[name]

    async def report(self, progress: float, note: str | None = None) -> None:
        self.reports.append((progress, note))

    async def event(
        self, name: str, *, timeout: timedelta | None = None, lifts_deadline: bool = False
    ) -> Any:
        del timeout, lifts_deadline
        self._use(name)
        if name not in self.signals:
            raise Parked(f"waits for {name}", signal=name)
        return self.signals[name]

    async def snooze(self, until: datetime) -> None:
        if self.now is not None and self.now < until:
            raise Parked("snoozes", until=until)

    def _use(self, name: str) -> None:
        if name in self._names:
            raise DuplicateName(f"{self.key} uses the name {name!r} twice")
        self._names.add(name)
