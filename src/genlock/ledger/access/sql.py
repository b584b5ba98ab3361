"""Users, tokens, answers and deeds in the ledger's database."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Select, insert, select, update

from genlock.errors import Conflict, NotFound
from genlock.ledger.access import answering
from genlock.ledger.access.records import Answer, Credential, Deed, Question, Scope, Token, Turn, User
from genlock.ledger.access.schema import audit, token, user
from genlock.ledger.access.writing import write
from genlock.ledger.moment import from_micros, from_micros_or_none, to_micros_or_none

_T = TypeVar("_T")
_TOKEN = [column for column in token.columns if column.name != "hash"]


class Changing(Protocol):
    """The part of the ledger that this is built on: one verb, one transaction; and a look."""

    async def change(self, act: Callable[[Connection, int], _T]) -> _T: ...

    async def look(self, act: Callable[[Connection], _T]) -> _T: ...


class SqlAccess:
    """`AccessLedger` over SQLite or PostgreSQL. `alone`: no other process has this ledger, so what another
    was answering it will not answer any more.
    """

    def __init__(self, ledger: Changing, *, alone: bool = False) -> None:
        self._ledger = ledger
        self._process = secrets.token_hex(6)
        self._living = self._process if alone else None

    async def user(self, name: str) -> User | None:
        rows = await self._rows(select(user).where(user.c.name == name))
        return _user(rows[0]) if rows else None

    async def users(self, *, after: str | None = None, limit: int = 100) -> Sequence[User]:
        found = select(user).order_by(user.c.name).limit(limit)
        if after is not None:
            found = found.where(user.c.name > after)
        return [_user(row) for row in await self._rows(found)]

    async def token(self, id: str) -> Token | None:
        rows = await self._rows(select(*_TOKEN).where(token.c.id == id))
        return _token(rows[0]) if rows else None

    async def tokens(
        self, *, user: str | None = None, after: str | None = None, limit: int = 100
    ) -> Sequence[Token]:
        found = select(*_TOKEN).order_by(token.c.id).limit(limit)
        if user is not None:
            found = found.where(token.c.user == user)
        if after is not None:
            found = found.where(token.c.id > after)
        return [_token(row) for row in await self._rows(found)]

    async def credential(self, id: str) -> Credential | None:
        return next(iter(await self.credentials([id])), None)

    async def credentials(self, ids: Collection[str]) -> Sequence[Credential]:
        joined = select(token, user.c.admin, user.c.disabled_at).join(user, user.c.name == token.c.user)
        return [_credential(row) for row in await self._rows(joined.where(token.c.id.in_(ids)))]

    async def deeds(
        self,
        *,
        target: str | None = None,
        user: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[Deed]:
        found = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if target is not None:
            found = found.where(audit.c.target == target)
        if user is not None:
            found = found.where(audit.c.user == user)
        if before is not None:
            found = found.where(audit.c.seq < before)
        return [_deed(row) for row in await self._rows(found)]

    async def add_user(self, name: str, *, admin: bool = False) -> User:
        def act(connection: Connection, now: int) -> User:
            if connection.execute(select(user.c.name).where(user.c.name == name)).first():
                raise Conflict(f"there is a user {name!r} already")
            return _add_user(connection, now, name, admin=admin)

        return await self._ledger.change(act)

    async def set_user(self, name: str, *, admin: bool | None = None, disabled: bool | None = None) -> User:
        def act(connection: Connection, now: int) -> User:
            row = _one_user(connection, name)
            values: dict[str, Any] = {} if admin is None else {"admin": int(admin)}
            if disabled is not None:
                values["disabled_at"] = (row.disabled_at or now) if disabled else None
            if values:
                connection.execute(update(user).where(user.c.name == name).values(values))
            return _user(_one_user(connection, name))

        return await self._ledger.change(act)

    async def add_token(
        self,
        id: str,
        hash: str,
        *,
        user: str,
        label: str,
        scopes: Collection[Scope],
        expires_at: datetime | None = None,
    ) -> Token:
        def act(connection: Connection, now: int) -> Token:
            _one_user(connection, user)
            return _add_token(connection, now, id, hash, user, label, scopes, expires_at)

        return await self._ledger.change(act)

    async def first_token(self, id: str, hash: str, *, user: str, label: str) -> Token | None:
        def act(connection: Connection, now: int) -> Token | None:
            if connection.execute(_ADMIN_TOKENS).first():
                return None
            if connection.execute(select(_user_name).where(_user_name == user)).first() is None:
                _add_user(connection, now, user, admin=True)
            return _add_token(connection, now, id, hash, user, label, tuple(Scope), None)

        return await self._ledger.change(act)

    async def revoke_token(self, id: str) -> Token:
        def act(connection: Connection, now: int) -> Token:
            unrevoked = (token.c.id == id, token.c.revoked_at.is_(None))
            connection.execute(update(token).where(*unrevoked).values(revoked_at=now))
            row = connection.execute(select(*_TOKEN).where(token.c.id == id)).first()
            if row is None:
                raise NotFound(f"there is no token {id!r}; `genlock tokens` lists them")
            return _token(row)

        return await self._ledger.change(act)

    async def touch_token(self, id: str) -> None:
        def act(connection: Connection, now: int) -> None:
            connection.execute(update(token).where(token.c.id == id).values(used_at=now))

        await self._ledger.change(act)

    async def begin(self, question: Question, holder: str, *, lease: timedelta, kept: timedelta) -> Turn:
        here, spans = self._here(holder), {"lease": _micros(lease), "kept": _micros(kept)}
        return await self._ledger.change(
            lambda connection, now: answering.begin(
                connection, now, question, here, living=self._living, **spans
            )
        )

    async def hold(self, question: Question, holder: str, lease: timedelta) -> bool:
        here, until = self._here(holder), _micros(lease)
        return await self._ledger.change(
            lambda connection, now: answering.hold(connection, question, here, now + until)
        )

    async def finish(self, question: Question, holder: str, request_hash: str, answer: Answer) -> bool:
        here = self._here(holder)
        return await self._ledger.change(
            lambda connection, _: answering.finish(connection, question, here, request_hash, answer)
        )

    async def let_go(self, question: Question, holder: str) -> None:
        here = self._here(holder)
        await self._ledger.change(lambda connection, _: answering.let_go(connection, question, here))

    async def record(
        self, user: str, token: str | None, action: str, target: str, data: Mapping[str, Any]
    ) -> None:
        await self._ledger.change(
            lambda connection, now: write(connection, now, user, token, action, target, data)
        )

    def _here(self, holder: str) -> str:
        """A holder as it is told from those of other processes."""
        return f"{self._process}-{holder}"

    async def _rows(self, statement: Select[Any]) -> Sequence[Any]:
        return await self._ledger.look(lambda connection: connection.execute(statement).fetchall())


_user_name = user.c.name
_ADMIN_TOKENS = select(token.c.id).join(user, _user_name == token.c.user).where(user.c.admin == 1).limit(1)


def _add_user(connection: Connection, now: int, name: str, *, admin: bool) -> User:
    connection.execute(insert(user).values(name=name, admin=int(admin), created_at=now))
    return User(name, admin, from_micros(now))


def _add_token(
    connection: Connection,
    now: int,
    id: str,
    hash: str,
    owner: str,
    label: str,
    scopes: Collection[Scope],
    expires_at: datetime | None,
) -> Token:
    named = {"id": id, "user": owner, "label": label, "hash": hash}
    said = json.dumps(sorted(scope.value for scope in scopes))
    until = to_micros_or_none(expires_at)
    connection.execute(insert(token).values(**named, scopes=said, created_at=now, expires_at=until))
    return Token(id, owner, label, frozenset(scopes), from_micros(now), from_micros_or_none(until))


def _one_user(connection: Connection, name: str) -> Any:
    row = connection.execute(select(user).where(user.c.name == name)).first()
    if row is None:
        raise NotFound(f"there is no user {name!r}; `genlock users` lists them")
    return row


def _user(row: Any) -> User:
    return User(row.name, bool(row.admin), from_micros(row.created_at), from_micros_or_none(row.disabled_at))


def _token(row: Any) -> Token:
    return Token(
        row.id,
        row.user,
        row.label,
        frozenset(map(Scope, json.loads(row.scopes))),
        from_micros(row.created_at),
        from_micros_or_none(row.expires_at),
        from_micros_or_none(row.used_at),
        from_micros_or_none(row.revoked_at),
    )


def _credential(row: Any) -> Credential:
    return Credential(_token(row), row.hash, bool(row.admin), row.disabled_at is not None)


def _deed(row: Any) -> Deed:
    return Deed(
        row.seq, from_micros(row.at), row.user, row.token, row.action, row.target, json.loads(row.data)
    )


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
