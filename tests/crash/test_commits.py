"""A process killed at every commit it makes, right before and right after: what is left, and what goes on.

`--prove` tries all points, alone and in pairs; without it a fixed choice of them.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from books import Row, faults
from victim import JOB, Sight, Victims, expected

SAMPLE = 12  # points of each width tried without --prove
WIDTHS = (1, 256)  # tasks at once: a verb a commit, or as many as come together


@pytest.fixture(scope="module")
def victims() -> Victims:
    return Victims()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def points_of(victims: Victims, home: Path, width: int) -> list[str]:
    """Every point an undisturbed run comes to."""
    listed = home.with_name("points.txt")
    assert victims.run(home, f"list:{listed}", width) == 0
    return listed.read_text().split()


def chosen(points: list[str], seed: int, *, prove: bool) -> list[str]:
    return points if prove else Random(seed).sample(points, SAMPLE)


def look(home: Path) -> Sight:
    """What is on the disk, seen in a copy: whoever goes on finds the files as the kill left them."""
    copy = home.with_name(f"{home.name}-seen-{len(list(home.parent.iterdir()))}")
    if home.exists():
        shutil.copytree(home, copy, ignore=shutil.ignore_patterns("*.sock"))
    return Sight(copy)


def query_of(sight: Sight):
    def query(statement: str) -> list[Row]:
        with closing(sqlite3.connect(sight.home / "ledger.db")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(statement)]

    return query


def wrong_with(before: list[Sight], after: Sight) -> Iterator[str]:
    """What a run that was killed at these moments has lost, done again, or come to instead."""
    yield from faults(query_of(after))
    title = json.loads(after.notes[f"{JOB}/title", "once:title"])
    result = json.loads((after.home / "result.json").read_text())
    if result != expected(title):
        yield f"the result is {result}"
    used = {what for key, what in after.journal if what.startswith("used ")}
    if used != {f"used {title}"}:
        yield f"once gave {used} and kept {title}"
    for key, (state, _) in after.tasks.items():
        if state not in ("done", "skipped") and key != f"{JOB}/shoot/2":
            yield f"{key} is {state}"
    for sight in before:
        yield from _lost(sight, after)
    for (key, what), times in after.journal.items():
        cut_short = sum(key in sight.running for sight in before)
        if times > 1 + cut_short:
            yield f"{key} {what} {times} times, cut short {cut_short} times"


def _lost(before: Sight, after: Sight) -> Iterator[str]:
    """Whatever had been committed when the process died is there, and was not done again."""
    if before.tasks:
        yield from faults(query_of(before))
    for job, events in before.events.items():
        if after.events[job][: len(events)] != events:
            yield f"the history of {job} has changed"
    for note, value in before.notes.items():
        if after.notes.get(note) != value:
            yield f"the note {note} was {value} and is {after.notes.get(note)}"
    for key in before.finished:
        if after.tasks[key] != before.tasks[key]:
            yield f"{key} was {before.tasks[key]} and is {after.tasks[key]}"
    for (key, what), times in after.journal.items():
        if key in before.finished and times != before.journal[key, what]:
            yield f"{key} was done and was done again"


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_lost_or_repeated_whichever_commit_a_process_dies_at(
    victims: Victims, home: Path, width: int, prove: bool
) -> None:
    points = points_of(victims, home, width)
    assert len(points) > SAMPLE
    killed = 0
    for number, point in enumerate(chosen(points, width, prove=prove)):
        mine = home.with_name(f"home-{number}")
        died = victims.run(mine, point, width)
        assert died in (0, -signal.SIGKILL)  # 0: this run had fewer commits than the first
        killed += died == -signal.SIGKILL
        left = look(mine)
        assert victims.run(mine, None, width) == 0
        assert (point, list(wrong_with([left] if died else [], look(mine)))) == (point, [])
    assert killed > (len(points) * 3 // 4 if prove else SAMPLE // 2)


def test_a_process_that_dies_again_while_it_goes_on_loses_nothing_either(
    victims: Victims, home: Path, prove: bool
) -> None:
    points = points_of(victims, home, 1)
    dice = Random(7)
    for number in range(len(points) if prove else 4):
        mine, orders = home.with_name(f"home-{number}"), [points[number], *dice.choices(points[:30], k=2)]
        if not prove:
            orders[0] = dice.choice(points)
        left = [look(mine) for order in orders if victims.run(mine, order, 1) == -signal.SIGKILL]
        assert victims.run(mine, None, 1) == 0
        assert (orders, list(wrong_with(left, look(mine)))) == (orders, [])


def test_work_that_is_lost_or_done_again_would_be_noticed(victims: Victims, home: Path) -> None:
    """The looking itself: a body that ran again after its task was done, and a result that went away."""
    assert victims.run(home, None, 256) == 0
    whole = look(home)
    assert list(wrong_with([whole], whole)) == []
    with (home / "journal").open("a") as journal:
        journal.write(json.dumps([f"{JOB}/cut", 1, 2, "did"]) + "\n")
    with closing(sqlite3.connect(home / "ledger.db")) as database, database:
        database.execute("DELETE FROM event WHERE job = ? AND seq = 20", (JOB,))
        database.execute("UPDATE task SET output = '\"other\"' WHERE key = 'script'")
    told = "\n".join(wrong_with([whole], look(home)))
    assert "film/cut was done and was done again" in told
    assert "film/cut did 2 times, cut short 0 times" in told
    assert "its events are not 1 to" in told
    assert "the history of film has changed" in told
    assert "film/script was ['done', '[0,1,2]']" in told
