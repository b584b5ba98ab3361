"""A small program and the jobs it has left in a ledger: what every released schema is kept with.

`make schema` lets this program work half-way through a number of jobs and writes the ledger down as SQL in
`tests/schemas/<revision>/`. That is done once, with the release that brings the revision; later versions
read it.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from genlock import Engine, Permanent, Task, Transient, pipeline, provided, stage
from genlock.ledger.records import Claim, TaskRef
from genlock.ledger.spending import Budget, CallSpec, Delivery, Settlement
from genlock.money import Money

SCHEMAS = Path(__file__).resolve().parent / "schemas"
DIALECTS = ("sqlite", "postgresql")


class Press:
    """A tool: what was made with it, and whether there is paper for everybody."""

    def __init__(self, *, paper: bool = False) -> None:
        self.paper, self.made = paper, []  # type: bool, list[str]


@stage(name="outline", reuse=True)
async def outline(pages: int, *, press: Press = provided()) -> list[int]:
    press.made.append("outline")
    return list(range(pages))


@stage(name="page")
async def page(number: int, pages: int, *, task: Task = provided(), press: Press = provided()) -> str:
    async def words() -> str:
        return f"page {number + 1} of {pages}"

    text = await task.once("words", words)
    if (pages, number) == (4, 3) and not press.paper:
        raise Permanent("there is no paper left: it's all used")
    if (pages, number) == (6, 5) and not press.paper:
        raise Transient("the ink is not dry")
    press.made.append(task.key)
    return text if task.revision == 1 else f"{text}, take {task.revision}"


@stage(name="bind")
async def bind(pages: list[str]) -> str:
    return "; ".join(pages)


@stage(name="approve")
async def approve(book: str, *, task: Task = provided()) -> str:
    return f"{book} ({await task.event('verdict')})"


@stage(name="shelve")
async def shelve(book: str, approved: str | None) -> str:
    return f"“{approved or book}”"


@pipeline(name="book")
def book(pages: int, ask: bool) -> str:
    bound = bind(page.map(outline(pages), pages))
    return shelve(bound, approve.when(ask)(bound))


@stage(name="gather")
async def gather(books: list[str]) -> list[str]:
    return books


@pipeline(name="series")
def series(volumes: list[int]) -> list[str]:
    return gather(book.map(volumes, False))


class Ticking:
    """A clock that goes on by a millisecond each time it is asked: the same history has the same times."""

    def __init__(self) -> None:
        self._now = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    def adjust(self, at: datetime) -> datetime:
        return self.now()

    def monotonic(self) -> float:
        return self.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Scribe:
    """Works at jobs by hand, a task at a time."""

    def __init__(self, ledger: Any, engine: Engine) -> None:
        self.ledger, self.engine = ledger, engine

    async def begin(self, id: str, pipeline: str, **params: Any) -> None:
        await self.engine.start(pipeline, params, id=id)

    async def do(self, job: str, *keys: str) -> None:
        """Run these tasks, one after the other."""
        for key in keys:
            [claim] = await self.ledger.claim("scribe", tasks=[TaskRef(job, key)])
            await self.engine.attempts.run(claim)

    async def pay(self, claim: Claim) -> None:
        """A call that is paid, one that is under way, and one in doubt."""
        for number, name in enumerate(("voice", "picture", "clip"), start=1):
            spec = CallSpec(
                name=name,
                adapter="acme:one",
                vendor="acme",
                policy="blind",
                request=f'{{"words":"page {number}"}}',
                request_hash=name,
                estimate=Money.of("0.25"),
                budgets=[Budget("job:half", Money.of(2)), Budget("day:2026-05-04")],
            )
            call = (await self.ledger.intend(claim, spec)).call
            await self.ledger.accept(call.key, call.sends, f"acme-{number}")
            await self.ledger.deliver(Delivery("acme", f"report-{number}", "{}", handle=f"acme-{number}"))
            if name == "voice":
                spent = Settlement(True, Money.of("0.2"), False, '{"said":"page 4"}')
                await self.ledger.settle(call.key, spent)
            if name == "clip":
                await self.ledger.doubt(call.key, call.sends, "it's not known there")
        await self.ledger.freeze("user:nobody", "who is that?")

    async def write(self) -> None:
        """Jobs in every state, and tasks in every state."""
        await self.begin("done", "book", pages=2, ask=False)
        await self.do("done", "outline", "page", "page/0", "page/1", "bind", "shelve")
        await self.engine.redo("done", "page/1")
        await self.do("done", "page/1", "bind", "shelve")
        await self.begin("half", "book", pages=5, ask=False)
        await self.do("half", "outline", "page", "page/0", "page/1", "page/2")
        [claim] = await self.ledger.claim("scribe", tasks=[TaskRef("half", "page/3")])
        await self.pay(claim)
        await self.begin("asking", "book", pages=1, ask=True)
        await self.do("asking", "outline", "page", "page/0", "bind", "approve")
        await self.begin("failed", "book", pages=4, ask=False)
        await self.do("failed", "outline", "page", "page/0", "page/1", "page/2", "page/3")
        await self.begin("late", "book", pages=6, ask=False)
        await self.do("late", "outline", "page", "page/0", "page/5")
        await self.begin("paused", "book", pages=2, ask=True)
        await self.do("paused", "outline", "page", "page/0")
        await self.engine.pause("paused", "it's lunch time")
        await self.begin("cancelled", "book", pages=2, ask=False)
        await self.do("cancelled", "outline")
        await self.engine.cancel("cancelled", "nobody reads it")
        await self.begin("pending", "book", pages=3, ask=True)
        await self.begin("series", "series", volumes=[1, 3])
        await self.do("series", "book", "book/0", "book/1")
        await self.do("series.book-0", "outline", "page", "page/0", "bind", "shelve")
        await self.do("series.book-1", "outline", "page", "page/2")
        await self.engine.redo("series.book-0", "bind")


async def record(place: Path) -> list[str]:
    """Let the program work on a new ledger; its rows as statements."""
    from genlock.ledger.sql import SqlLedger

    clock = Ticking()
    ledger = await SqlLedger.open(place, clock)
    try:
        await ledger.enlist("scribe", timedelta(seconds=9))
        engine = Engine(
            ledger,
            ledger.reader,
            [series, book],
            {Press: Press()},
            clock=clock,
            work=place.parent / "work",
            deadline=None,
            rng=random.Random(1),
        )
        await Scribe(ledger, engine).write()
    finally:
        await ledger.close()
    return list(rows(place))


def rows(place: Path) -> Any:
    """Every row of a ledger as an INSERT that both databases understand."""
    import sqlite3

    from genlock.ledger import schema

    connection = sqlite3.connect(place)
    for table in schema.metadata.sorted_tables:
        names = [column.name for column in table.columns]
        order = ", ".join(column.name for column in table.primary_key.columns)
        columns = ", ".join(names)
        for row in connection.execute(f"SELECT {columns} FROM {table.name} ORDER BY {order}"):
            yield f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join(map(_literal, row))});"
    connection.close()
    yield "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);"
    yield f"INSERT INTO alembic_version VALUES ('{schema.REVISION}');"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if not isinstance(value, str):
        return repr(value)
    portable = re.sub(r'File "[^"]*/', 'File "', value)  # traces name the folders of the machine
    return "'" + portable.replace("'", "''") + "'"


def tables(dialect: str) -> list[str]:
    """The tables of this version as statements of one database."""
    from sqlalchemy.dialects import postgresql, sqlite
    from sqlalchemy.schema import CreateIndex, CreateTable

    from genlock.ledger import schema

    language = {"sqlite": sqlite, "postgresql": postgresql}[dialect].dialect()
    parts = [
        part
        for table in schema.metadata.sorted_tables
        for part in (CreateTable(table), *map(CreateIndex, sorted(table.indexes, key=lambda i: str(i.name))))
    ]
    found = (str(part.compile(dialect=language)).strip() for part in parts)
    return ["\n".join(line.rstrip() for line in text.splitlines()) + ";" for text in found]


def dumps(revision: str, dialect: str) -> str:
    """What was kept of a revision, as one script."""
    folder = SCHEMAS / revision
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in (f"{dialect}.sql", "rows.sql"))


def main() -> None:
    """Write down the head's schema, unless that was done when it was released."""
    from genlock.ledger import schema

    folder = SCHEMAS / schema.REVISION
    if folder.exists() and "--anew" not in sys.argv:
        sys.exit(f"{folder.name} is written down already: a released schema stays what it was")
    with tempfile.TemporaryDirectory() as name:
        told = asyncio.run(record(Path(name) / "ledger.db"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.sql").write_text("\n".join(told) + "\n", encoding="utf-8")
    for dialect in DIALECTS:
        (folder / f"{dialect}.sql").write_text("\n".join(tables(dialect)) + "\n", encoding="utf-8")
    print(f"{folder.name}: {len(told)} rows")


if __name__ == "__main__":
    main()
