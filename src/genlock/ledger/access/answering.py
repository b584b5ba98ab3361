"""Answers kept for requests that carry a key of their own, so that asked twice is done once.

(none) -- begin --> running;  running -- finish --> done;  running -- let go, or lease over --> free
free -- begin --> running, asked since as long as before;  a day later -- begin of any --> (none)
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from genlock.ledger.access.records import Answer, Question, Standing, Turn
from genlock.ledger.access.schema import answer
from genlock.ledger.moment import from_micros

_OLD = 200  # rows too old to be kept that one request removes, at most


def begin(
    connection: Connection,
    now: int,
    question: Question,
    holder: str,
    *,
    lease: int,
    kept: int,
    living: str | None = None,
) -> Turn:
    """Take the question up, or say how it stands. `living`: how holders begin that are not gone, if known."""
    _forget(connection, now, now - kept)
    row = connection.execute(select(answer).where(_is(question))).first()
    if row is not None:
        since = from_micros(row.created_at)
        if row.status is not None:
            return Turn(Standing.DONE, since, row.request_hash, _answer(row))
        gone = row.until <= now or (living is not None and not row.holder.startswith(living))
        taken = gone and _take_over(connection, row, holder, now + lease)
        return Turn(Standing.NEW if taken else Standing.RUNNING, since)
    named = {"user": question.user, "route": question.route, "key": question.key, "request_hash": ""}
    values = {**named, "holder": holder, "until": now + lease, "created_at": now}
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    add = insert(answer).values(**values).on_conflict_do_nothing().returning(answer.c.key)
    taken = connection.execute(add).first() is not None
    # Not taken: another process was quicker.
    return Turn(Standing.NEW if taken else Standing.RUNNING, from_micros(now))


def _take_over(connection: Connection, row: Any, holder: str, until: int) -> bool:
    """Whether the question is as it was found, and now somebody else's."""
    found = (answer.c.status.is_(None), answer.c.holder == row.holder, answer.c.until == row.until)
    taken = update(answer).where(_is(Question(row.user, row.route, row.key)), *found)
    return connection.execute(taken.values(holder=holder, until=until)).rowcount == 1


def hold(connection: Connection, question: Question, holder: str, until: int) -> bool:
    """Whether the lease could be extended."""
    held = update(answer).where(_is_held(question, holder)).values(until=until)
    return connection.execute(held).rowcount == 1


def finish(connection: Connection, question: Question, holder: str, request_hash: str, given: Answer) -> bool:
    """Whether the answer could be kept."""
    values = {"status": given.status, "headers": json.dumps(given.headers), "body": given.body}
    kept = update(answer).where(_is_held(question, holder)).values(**values, request_hash=request_hash)
    return connection.execute(kept).rowcount == 1


def let_go(connection: Connection, question: Question, holder: str) -> None:
    """Somebody else may take the question up."""
    connection.execute(update(answer).where(_is_held(question, holder)).values(until=0))


def _forget(connection: Connection, now: int, before: int) -> None:
    over = or_(answer.c.status.is_not(None), answer.c.until < now)
    old = select(answer.c.user, answer.c.route, answer.c.key).where(answer.c.created_at < before, over)
    for row in connection.execute(old.order_by(answer.c.created_at).limit(_OLD)).fetchall():
        connection.execute(delete(answer).where(_is(Question(*row))))


def _is(question: Question) -> ColumnElement[bool]:
    named = answer.c
    return and_(named.user == question.user, named.route == question.route, named.key == question.key)


def _is_held(question: Question, holder: str) -> ColumnElement[bool]:
    return and_(_is(question), answer.c.holder == holder, answer.c.status.is_(None))


def _answer(row: Any) -> Answer:
    headers = tuple((name, value) for name, value in json.loads(row.headers))
    return Answer(row.status, headers, row.body)
