"""Children of maps by the page: claimed, and done, in one statement for all.

A child's row moves nothing but counters until the last one of its map, so that what is written of it is
known without reading it. A statement for so many rows must touch as many; if it touches fewer, the
page is undone and its verbs are done one by one, which finds who has lost the claim.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, text, update

from genlock.ledger import schema
from genlock.ledger.advance import RUNNING_JOB, settle
from genlock.ledger.batch import Batch, Change
from genlock.ledger.draft import DONE, READY, RUNNING, SPREAD, Prepared
from genlock.ledger.encoding import quote
from genlock.ledger.records import Advance, Claim, Kept, TaskRef

_task = schema.task.c
_NOTHING = Advance()
_ERROR = ("error_kind", "error_message", "error_trace")
_FEWEST = 2  # verbs that make a page

CLAIMED = (
    *("id", "job", "key", "node", "idx", "due_at", "attempt", "tries", "reclaims", "revision"),
    *("item", "kept_hash", "kept_output", "written", "resources"),
)
ID, JOB, KEY, NODE, IDX, DUE_AT = range(6)


class Success(NamedTuple):
    """What a task came to, and what `Ledger.succeed` is told besides."""

    claim: Claim
    output: str
    input_hash: str | None
    kept: bool
    share: bool
    claim_next: int
    resources: Collection[str] | None


def claim(batch: Batch, rows: Sequence[Sequence[Any]], holder: str) -> list[Claim]:
    """ready -> running for rows of `CLAIMED` columns that were found ready in this batch."""
    claims = [_claim(batch, row, holder) for row in rows]
    written = [(given.token, holder, batch.now, row[ID]) for given, row in zip(claims, rows, strict=True)]
    batch.let_go([(row[JOB], row[KEY]) for row in rows])
    _taken(batch).run_rows(batch.connection, written, ("token", "holder", "now", "row_id"))
    said = f',"holder":{quote(holder)}}}'
    for given in claims:
        job = batch.job(given.task.job)
        if job.started_at is None:
            job.started_at = batch.now
            batch.log(job, "job.started")
        batch.tell(job, "task.claimed", given.task.key, f'{{"attempt":{given.attempt}{said}')
    for job in {row[JOB]: batch.job(row[JOB]) for row in rows}.values():
        if job.state != RUNNING_JOB:
            settle(batch, job, Change())
    return claims


def _claim(batch: Batch, row: Sequence[Any], holder: str) -> Claim:
    _, job, key, node, idx, _, attempt, tries, reclaims, revision, item, hashed, kept, written, needs = row
    epoch = batch.task(TaskRef(job, node)).revision if idx >= 0 else revision
    return Claim(
        TaskRef(job, key),
        batch.statements.token(),
        holder,
        attempt + 1,
        tries,
        reclaims,
        revision,
        item,
        None if hashed is None else Kept(hashed, kept or "null"),
        written,
        needs,
        epoch,
        batch.now,
    )


def _taken(batch: Batch) -> Prepared:
    empty = ("due_at", "signal", "parked_for", "progress", "progress_note")
    return batch.statements.named(
        "claim page",
        lambda: (
            update(schema.task)
            .where(_task.id == bindparam("row_id"), _task.state == text(f"'{READY}'"))
            .values(
                state=text(f"'{RUNNING}'"),
                attempt=_task.attempt + text("1"),
                holder=bindparam("holder"),
                token=bindparam("token"),
                started_at=bindparam("now"),
                **{name: text("NULL") for name in empty},
            )
        ),
    )


def succeed(batch: Batch, page: Sequence[Success]) -> dict[int, Advance]:
    """running -> done for those of these children whose maps go on: the answers, by their places in the page.

    Those left out are to be done one by one.
    """
    answers: dict[int, Advance] = {}
    for name, places in _by_map(page).items():
        parent = batch.find(TaskRef(*name))
        if parent is None or parent.state != SPREAD:
            continue
        some = places[: parent.unfinished - 1]  # the last one brings its map to its end
        if len(some) >= _FEWEST and _written(batch, [page[place] for place in some]):
            job = batch.job(parent.job)
            for place in some:
                done = page[place]
                seconds = (batch.now - done.claim.began) / 1e6
                kind = "task.kept" if done.kept else "task.done"
                batch.tell(job, kind, done.claim.task.key, f'{{"seconds":{seconds!r}}}')
                answers[place] = _NOTHING
            parent.unfinished -= len(some)
            job.live -= len(some)
            settle(batch, job, Change())
    return answers


def _by_map(page: Sequence[Success]) -> dict[tuple[str, str], list[int]]:
    """Places of children in the page, each child once."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    seen: set[TaskRef] = set()
    for place, done in enumerate(page):
        ref = done.claim.task
        node, slash, _ = ref.key.partition("/")
        if slash and not done.share and ref not in seen:
            seen.add(ref)
            found[ref.job, node].append(place)
    return found


def _written(batch: Batch, page: Sequence[Success]) -> bool:
    """All of these, or none of them."""
    batch.flush()
    rows = [
        (batch.now, done.input_hash, done.output, done.claim.task.job, done.claim.task.key, done.claim.token)
        for done in page
    ]
    names = ("now", "hash", "output", "of_job", "of_key", "of_token")
    attempt = batch.connection.begin_nested()
    if _done(batch).run_rows(batch.connection, rows, names) != len(rows):
        attempt.rollback()
        return False
    attempt.commit()
    batch.let_go([(done.claim.task.job, done.claim.task.key) for done in page])
    return True


def _done(batch: Batch) -> Prepared:
    empty = ("token", "holder", "due_at", "signal", "parked_for", *_ERROR)
    return batch.statements.named(
        "success page",
        lambda: (
            update(schema.task)
            .where(
                _task.job == bindparam("of_job"),
                _task.key == bindparam("of_key"),
                _task.token == bindparam("of_token"),
                _task.state == text(f"'{RUNNING}'"),
            )
            .values(
                state=text(f"'{DONE}'"),
                output=bindparam("output"),
                input_hash=bindparam("hash"),
                finished_at=bindparam("now"),
                asleep=text("0"),
                **{name: text("NULL") for name in empty},
            )
        ),
    )
