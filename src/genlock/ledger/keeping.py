"""What jobs and the library keep: the texts they hold, the results they share, and forgetting them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Text,
    and_,
    cast,
    delete,
    exists,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from genlock.ledger import schema
from genlock.ledger.batch import Batch
from genlock.ledger.library.schema import asset
from genlock.ledger.schedules.schema import schedule

_job, _task, _call = schema.job.c, schema.task.c, schema.call.c
_asset, _schedule = asset.c, schedule.c


@dataclass(frozen=True, slots=True)
class Source:
    """A statement that gives texts, of jobs mostly, and the columns to page by, which it gives last."""

    statement: Select[Any]
    key: tuple[ColumnElement[Any], ...]
    of_jobs: bool = True

    def page(self, last: tuple[Any, ...] | None, left_out: CTE | None, limit: int) -> Select[Any]:
        """The next rows behind `last`, without jobs that are left out."""
        found = self.statement
        if left_out is not None and self.of_jobs:
            found = found.where(_job.id.not_in(select(left_out.c.id)))
        if last is not None:
            found = found.where(tuple_(*self.key) > tuple_(*last))
        return found.order_by(*self.key).limit(limit)

    def texts(self, row: Any) -> Iterator[str]:
        """The texts of a row."""
        return (text for text in row[: -len(self.key)] if text is not None)

    def place(self, row: Any) -> tuple[Any, ...]:
        """Where a row stands, to go on from."""
        return tuple(row[-len(self.key) :])


def sources() -> list[Source]:
    """Everywhere that artifacts may be named."""
    note, old = schema.note.c, schema.revision.c
    in_task = or_(_task.item.is_not(None), _task.output.is_not(None), _task.kept_output.is_not(None))
    of_task = _task.job == _job.id
    return [
        Source(select(_job.input, _job.id), (_job.id,)),
        Source(
            select(_task.item, _task.output, _task.kept_output, _task.id)
            .join(schema.job, of_task)
            .where(in_task),
            (_task.id,),
        ),
        Source(
            select(note.value, note.task, note.name)
            .join(schema.task, and_(_task.id == note.task, _task.revision == note.revision))
            .join(schema.job, of_task),
            (note.task, note.name),
        ),
        Source(
            select(old.output, old.task, old.revision)
            .join(schema.task, _task.id == old.task)
            .join(schema.job, of_task),
            (old.task, old.revision),
        ),
        Source(
            select(_call.request, _call.result, _call.key).join(schema.job, _call.job == _job.id),
            (_call.key,),
        ),
        Source(
            select(
                _reference(_asset.sha256, _asset.size),
                _reference(_asset.thumbnail, _asset.thumbnail_size),
                _asset.id,
            ),
            (_asset.id,),
            of_jobs=False,
        ),
        Source(select(_schedule.params, _schedule.id), (_schedule.id,), of_jobs=False),
    ]


def _reference(sha256: ColumnElement[str], size: ColumnElement[int]) -> ColumnElement[str]:
    """A file as jobs name theirs, in JSON."""
    parts = ('{"sha256":"', sha256, '","size":', cast(size, Text), ',"media_type":""}')
    first, *rest = (literal(part) if isinstance(part, str) else part for part in parts)
    return reduce(add, rest, first)


def doomed(before: int) -> CTE:
    """Jobs of people that finished before a moment, and all that is nested in them, unless money is
    reserved for one of them still.
    """
    top = select(_job.id.label("id")).where(
        _job.parent_job.is_(None), _job.finished_at < before, _job.id.not_in(select(_unpaid().c.id))
    )
    found = top.cte("doomed", recursive=True)
    nested = schema.job.alias("nested")
    return found.union_all(select(nested.c.id).join(found, nested.c.parent_job == found.c.id))


def _unpaid() -> CTE:
    """Jobs with open calls, and those that they are nested in."""
    found = select(_call.job.label("id")).where(schema.IS_OPEN).cte("unpaid", recursive=True)
    inner = schema.job.alias("inner_job")
    return found.union(
        select(inner.c.parent_job)
        .join(found, inner.c.id == found.c.id)
        .where(inner.c.parent_job.is_not(None))
    )


def forget(batch: Batch, before: int) -> list[str]:
    """Delete those jobs with all their rows; their ids."""
    found = select(doomed(before).c.id)
    gone = [row[0] for row in batch.select(found)]
    while batch.fetch_jobs(gone):  # one of them may have been opened again until it was locked
        gone = [row[0] for row in batch.select(found)]
    batch.drop(gone)
    if gone:
        _drop_deliveries(batch, before)
    return gone


def _drop_deliveries(batch: Batch, before: int) -> None:
    """Old reports of providers about calls that are not known, or not any more."""
    told = schema.delivery.c
    of_call = exists().where(or_(_call.key == told.key, _call.handle == told.handle))
    batch.connection.execute(delete(schema.delivery).where(told.at < before, ~of_call))


def share(batch: Batch, input_hash: str, job: str, output: str) -> None:
    """Let other jobs have a result, unless they have one of these inputs already."""
    insert = postgresql.insert if batch.statements.shared else sqlite.insert
    add = insert(schema.shared).values(input_hash=input_hash, job=job, output=output)
    batch.flush()
    batch.connection.execute(add.on_conflict_do_nothing(index_elements=["input_hash"]))


def bind_store(batch: Batch, id: str, place: str, *, free: bool) -> tuple[str, str] | None:
    """The store of this ledger: the first that asked. Whoever asks at the same time waits for the first."""
    if free:
        insert = sqlite.insert if batch.connection.dialect.name == "sqlite" else postgresql.insert
        row = insert(schema.store).values(number=1, id=id, place=place).on_conflict_do_nothing()
        batch.connection.execute(row)
    found = batch.connection.execute(select(schema.store.c.id, schema.store.c.place)).first()
    return None if found is None else (found.id, found.place)
