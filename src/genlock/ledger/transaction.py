"""One commit, as often as it takes: jobs that are busy, deadlocks, and connections that are lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection, Engine, text

from genlock.clock import Clock
from genlock.errors import GenlockError, LedgerError
from genlock.failpoint import around
from genlock.ledger.batch import Batch, JobsBusy
from genlock.ledger.census import Ear
from genlock.ledger.database import (
    be_patient,
    begin,
    commit,
    end_stalled,
    is_busy,
    is_gone,
    is_locked,
    tell_time,
    worth_retrying,
)
from genlock.ledger.headroom import Headroom
from genlock.ledger.recall import Recall
from genlock.ledger.records import TaskRef
from genlock.ledger.statement import Statements

log = structlog.get_logger(__name__)

_ATTEMPTS = 5  # of a transaction that the database asks to see again
_WAITS = 64  # for jobs of others, each time for at least one more
_LOOKS = 50  # at a transaction that the server has not given up yet, 0.1 s apart


class _Unsure(Exception):
    """The connection was lost during COMMIT: the server knows what came of it by this number."""

    def __init__(self, number: str, stirred: dict[str, bool]) -> None:
        super().__init__(number)
        self.number, self.stirred = number, stirred


class Occupied(Exception):
    """Another process is writing to an SQLite file: nothing was begun."""


class Transactions:
    """Runs work on the writing connection and commits it; for one thread at a time."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._connection: Connection | None = None  # kept: taking one from the pool costs as much as a commit
        self._statements = Statements(engine, tell_time(engine, clock))
        self._recall = None if self._statements.shared else Recall()
        self._headroom = None if self._statements.shared else Headroom(engine.url.database or "")
        self.ear: Ear | None = None
        self._patient = True  # as the connection was opened; it is the only one of its pool

    def close(self) -> None:
        """Let go of the database."""
        if self._headroom is not None:
            self._headroom.close()
        if self._connection is not None:
            self._connection.close()
        self._engine.dispose()

    @property
    def connection(self) -> Connection:
        """The one that writes, opened when it is needed."""
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def commit(
        self, work: Callable[[Batch], None], refs: Sequence[TaskRef] = (), *, wait: bool = True
    ) -> dict[str, bool]:
        """Do this work on one batch, which reads `refs` ahead; answers which jobs have
        changed, and whether they have ended.

        Work may be done several times, each time from the beginning; its last time counts.
        Without `wait`, `Occupied` on an SQLite file that another process is writing to.
        """
        jobs: frozenset[str] = frozenset()
        attempts, waits = 1, 0
        while True:
            try:
                return self._attempt(work, refs, jobs, wait)
            except JobsBusy as busy:
                jobs, waits = jobs | busy.jobs, _waited(waits, busy)
            except _Unsure as unsure:
                if self._was_committed(unsure):
                    return unsure.stirred
                attempts += 1
            except Exception as error:
                if not wait and is_busy(error):
                    raise Occupied from error
                if is_locked(error):
                    waits = _waited(waits, error)
                    self._make_way()
                    continue
                if attempts >= (2 if is_gone(error) else _ATTEMPTS) or not (
                    worth_retrying(error) or is_gone(error)
                ):
                    raise
                attempts += 1

    def _attempt(
        self, work: Callable[[Batch], None], refs: Sequence[TaskRef], jobs: frozenset[str], wait: bool
    ) -> dict[str, bool]:
        number: str | None = None
        batch: Batch | None = None
        connection = self.connection
        try:
            self._wait(connection, wait)
            begin(connection)
            if self._headroom is not None:
                self._headroom.keep()
            if self._recall is not None:
                self._recall.begin(connection)
            batch = Batch(connection, self._statements, self._recall)
            batch.heard = self.ear is not None
            batch.look_ahead(refs, jobs)
            work(batch)
            batch.flush()
            number = self._number(connection)
            with around("commit"):
                commit(connection)
        except BaseException as error:
            self._let_go(connection, error)
            if is_gone(error) and batch is not None and number is not None:
                raise _Unsure(number, batch.stirred) from error
            raise
        batch.leave()
        self._tell(batch)
        return batch.stirred

    def _make_way(self) -> None:
        """After a long wait for others, who may be there no more."""
        if ended := end_stalled(self._engine):
            log.warning("sessions that held locks and said nothing were ended", action="unlock", count=ended)

    def _wait(self, connection: Connection, patient: bool) -> None:
        if patient is not self._patient:
            be_patient(connection, patient)
            self._patient = patient

    def _tell(self, batch: Batch) -> None:
        """What is committed stays so, whatever becomes of those who listen."""
        if self.ear is not None and batch.said:
            try:
                self.ear(batch.said)
            except Exception:
                log.exception("what was committed could not be counted", action="count")

    def _let_go(self, connection: Connection, error: BaseException) -> None:
        """Undo what was begun, on a connection that is of use no more if that is the trouble."""
        self._connection = None
        self._statements.graphs.clear()
        if self._recall is not None:
            self._recall.forget()
        if self._headroom is not None:
            self._headroom.close()
        if is_gone(error):
            connection.invalidate()
        connection.close()

    def _number(self, connection: Connection) -> str | None:
        """By which the server can be asked later what came of this transaction; None if it wrote nothing."""
        if not self._statements.shared:
            return None
        cursor = connection.connection.cursor()
        cursor.execute("SELECT pg_current_xact_id_if_assigned()::text")
        row = cursor.fetchone()
        cursor.close()
        return None if row is None else row[0]

    def _was_committed(self, unsure: _Unsure) -> bool:
        for _ in range(_LOOKS):
            try:
                with self._engine.connect() as connection:
                    asked = text("SELECT pg_xact_status(CAST(:number AS xid8))")
                    status = connection.execute(asked, {"number": unsure.number}).scalar_one()
                    if status != "in progress":
                        return bool(status == "committed")
                    connection.execute(text("SELECT pg_sleep(0.1)"))
            except Exception as error:
                raise _lost_in_commit(error) from error
        raise _lost_in_commit(unsure)


def _waited(waits: int, reason: Exception) -> int:
    """How often it was waited for others by now."""
    if waits + 1 == _WAITS:
        raise LedgerError("others write to the same jobs all the time: try again") from reason
    return waits + 1


def _lost_in_commit(error: Exception) -> LedgerError:
    reason = getattr(error, "orig", None) or error
    return LedgerError(
        f"the database went away while it committed ({reason}): what was asked may have happened or not, "
        "so look before asking again"
    )


def explain(error: Exception) -> Exception:
    """What the caller of a verb is told about an error that is none of genlock's."""
    if isinstance(error, GenlockError):
        return error
    reason = str(getattr(error, "orig", None) or error).strip()
    if is_gone(error):
        told = LedgerError(
            f"the ledger's database does not answer ({reason}): nothing was written; "
            "it is used again as soon as it is back"
        )
    else:
        told = LedgerError(f"the ledger could not be written: {reason}")
    told.__cause__ = error
    return told
