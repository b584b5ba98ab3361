"""A campaign that is killed again and again, and what is left of it: the proof that nothing is done twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from command import Command, Process

JOB = "ordeal"
Event = dict[str, Any]
Files = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Moment:
    """When to kill: `after` seconds into the work that follows so many finished tasks.

    None: so many seconds after the start of the process.
    """

    done: int | None
    after: float

    def __str__(self) -> str:
        what = "the start" if self.done is None else f"{self.done} finished tasks"
        return f"{self.after:.2f} s after {what}"


@dataclass(frozen=True)
class Outcome:
    """What a job came to: its film and the pieces it is joined from."""

    frames: int
    pieces: tuple[tuple[str, str, int, str], ...]
    film: str
    passed: bool
    checks: str

    @classmethod
    def of(cls, command: Command, film: Path) -> Outcome:
        outputs = command.outputs(JOB)
        stored = outputs["video_storage"]
        findings = stored["report"]["findings"]
        good = sum(finding["passed"] for finding in findings)
        digest = hashlib.sha256(film.read_bytes()).hexdigest()
        return cls(
            frames=stored["frames"],
            pieces=tuple(
                (piece["kind"], piece["segment"], piece["frames"], piece["artifact"]["sha256"])
                for piece in outputs["video_combination"]["pieces"]
            ),
            film=digest,
            passed=good == len(findings) and digest == stored["film"]["sha256"],
            checks=f"{good} of {len(findings)}",
        )


@dataclass
class Resumption:
    """One process that was killed, or that finished the job at last."""

    moment: Moment | None
    seen: list[Event]
    recovered_ms: float | None
    """From the moment the ledger began to be opened to the first task claimed, if there was one."""
    survivors: list[str]


@dataclass
class Suffering:
    """What is found in the ledger and the store afterwards."""

    outcome: Outcome
    resumptions: list[Resumption] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    rendered_again: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return sum(each.moment is not None for each in self.resumptions)

    @property
    def lost(self) -> list[str]:
        """Events that a process told of before it was killed, and that the ledger does not have."""
        kept = {(e["seq"], e["kind"], e["task"]) for e in self.events}
        seen = {(e["seq"], e["kind"], e["task"]) for each in self.resumptions for e in each.seen}
        return sorted(f"{kind} {task or ''} ({seq})" for seq, kind, task in seen - kept)

    @property
    def repeated(self) -> list[str]:
        """Tasks claimed after they were done, and segments rendered after they were in the store."""
        done: set[str] = set()
        again = []
        for event in self.events:
            if event["kind"] in ("task.claimed", "task.done") and event["task"] in done:
                again.append(f"{event['kind']} {event['task']}")
            if event["kind"] == "task.done":
                done.add(event["task"])
        return [*again, *self.rendered_again]

    @property
    def recovered_ms(self) -> list[float]:
        return [each.recovered_ms for each in self.resumptions[1:] if each.recovered_ms is not None]

    @property
    def survivors(self) -> list[str]:
        return [name for each in self.resumptions for name in each.survivors]


class Ordeal:
    """One campaign order: run in peace, and run under fire."""

    def __init__(self, folder: Path, order: Sequence[object], *, kills: int):
        """A machine that crashes twenty times in a minute is no poison task: the limit is lifted."""
        self._folder, self._order, self._kills = folder, order, kills
        self._settings: dict[str, Any] = {"reclaims": kills + 1}

    def in_peace(self) -> tuple[Outcome, list[tuple[int | None, float]], float]:
        """The same order undisturbed, in a home of its own: outcome, pace and length.

        The pace says from when on how many tasks were done, in seconds from the start of the process.
        """
        with Command(self._folder / "peace", **self._settings) as command:
            command("doctor")  # whatever is compiled at the first start of all is compiled now
            film = command.folder / "film.mp4"
            process = command.start(*self._words(film))
            began, code = process.began, process.wait()
            assert code == 0, process.err
            events = process.events()
            pace: list[tuple[int | None, float]] = [(None, 0.0), (0, _at(_claims(events)[0]) - began)]
            pace += [(n, _at(event) - began) for n, event in enumerate(_done(events), 1)]
            return Outcome.of(command, film), pace, _at(events[-1]) - began

    def under_fire(
        self, moments: Sequence[Moment], told: Callable[[str], None] = lambda _: None
    ) -> Suffering:
        """Run it, kill it at each moment in turn, go on with it each time, and let it finish at last."""
        with Command(self._folder / "fire", **self._settings) as command:
            film = command.folder / "film.mp4"
            resumptions: list[Resumption] = []
            again: list[str] = []
            started = False
            for moment in [*moments, None]:
                before = _segments(command.home)
                process = command.start(*(("resume", JOB, "--json") if started else self._words(film)))
                resumptions.append(_live_and_die(command, process, moment))
                again += _rewritten(before, _segments(command.home))
                started = started or bool(process.objects())
                told(f"{len(resumptions):>3}  {moment or 'to the end'}  {_told(resumptions[-1])}")
                if process.code == 0:
                    break
            assert process.code == 0, process.err
            return Suffering(Outcome.of(command, film), resumptions, command.events(JOB), again)

    def _words(self, film: Path) -> tuple[object, ...]:
        return ("run", "campaign", *self._order, "-o", film, "--job-id", JOB, "--json")


def moments(
    pace: Sequence[tuple[int | None, float]], length: float, kills: int, random: Random
) -> list[Moment]:
    """Random moments, one in each of `kills` equal parts of the job's real length.

    They are counted in finished tasks, so that each is the same place in the job when that runs faster or
    slower; those before the first task strike while the process starts.
    """
    chosen = []
    for part in range(kills):
        at = (part + random.random()) * length / kills
        done, since = [each for each in pace if each[1] <= at][-1]
        chosen.append(Moment(done, at - since))
    return chosen


def _live_and_die(command: Command, process: Process, moment: Moment | None) -> Resumption:
    """Let a process work until the moment has come, kill it, and see what it has told and left."""
    lines = len(command.log())
    struck = moment is not None and _await_moment(process, moment)
    if struck:
        process.kill()
    process.wait()
    events = process.events()
    return Resumption(
        moment if struck else None,
        events,
        _recovered_ms(command.log()[lines:], events, process.pid),
        process.survivors(),
    )


def _await_moment(process: Process, moment: Moment) -> bool:
    """Wait until it is time; False if the process ended by itself before."""
    since, done = process.began, moment.done
    if done is not None:
        if not process.until(lambda: _reached(process, done)):
            return False
        since = _reached(process, done)
    time.sleep(max(0.0, since + moment.after - time.time()))
    return process.code is None


def _reached(process: Process, done: int) -> float:
    """When so many tasks were done and this process was at work; 0 if that is still to come."""
    events = process.events()
    mine, finished = _claims(events, process.pid), _done(events)
    if not mine or len(finished) < done:
        return 0.0
    return max(_at(mine[0]), _at(finished[done - 1]) if done else 0.0)


def _claims(events: Sequence[Event], pid: int | None = None) -> list[Event]:
    """The claims, of all processes or of one."""
    claims = [event for event in events if event["kind"] == "task.claimed"]
    return [event for event in claims if pid is None or event["data"]["holder"].startswith(f"{pid}-")]


def _done(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event["kind"] == "task.done"]


def _recovered_ms(log: Sequence[dict[str, Any]], events: Sequence[Event], pid: int) -> float | None:
    opened = [line["opening_at"] for line in log if line["event"] == "home opened"]
    claims = _claims(events, pid)
    if not opened or not claims:
        return None
    return 1000 * (_at(claims[0]) - datetime.fromisoformat(opened[0]).timestamp())


def _segments(home: Path) -> Files:
    """The files of all segments in the store by name: a file that was written again is another file."""
    names = home / "store" / "names"
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in _files(names)}


def _rewritten(before: Files, after: Files) -> list[str]:
    return [f"segment {name}" for name, file in after.items() if before.get(name, file) != file]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("*/*") if path.is_file())


def _at(event: Event) -> float:
    return datetime.fromisoformat(event["at"]).timestamp()


def _told(one: Resumption) -> str:
    done = len(_done(one.seen))
    first = "" if one.recovered_ms is None else f", first task after {one.recovered_ms:.0f} ms"
    return f"{done} tasks done{first}"
