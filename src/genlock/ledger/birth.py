"""How jobs and the children of maps come into the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import TextClause, bindparam, delete, insert, select, text, update

from genlock.errors import Conflict
from genlock.ledger import schema
from genlock.ledger.advance import (
    CANCELLED_JOB,
    PAUSED_JOB,
    PENDING_JOB,
    finish,
    log_failed,
    make_ready,
    move,
    set_error,
    settle,
    tell_owner,
)
from genlock.ledger.attempt import held
from genlock.ledger.batch import Batch, Change
from genlock.ledger.claiming import take_next
from genlock.ledger.draft import (
    BLOCKED,
    DONE,
    FAILED,
    JOB_FIELDS,
    READY,
    SKIPPED,
    SPREAD,
    TASK_FIELDS,
    Graph,
    JobDraft,
    Prepared,
    TaskDraft,
)
from genlock.ledger.moment import from_micros
from genlock.ledger.records import Advance, Claim, Failure, JobCreated, JobSpec, NodeSpec, Taker, TaskRef

_ZERO = ("held", "attempt", "tries", "reclaims", "written", "opened", "unfinished", "lost", "asleep")
# What is not empty in a new row, for each column that is named takes its time; in the order of the table.
_NODE = (
    *("job", "key", "node", "position", "idx", "mapped", "need", "queue", "resources", "pinned", "state"),
    *("held", "waits", "attempt", "tries", "reclaims", "revision"),
    *("written", "opened", "unfinished", "lost", "asleep"),
)
_CHILD = tuple(name for name in TASK_FIELDS if name == "item" or (name in _NODE and name != "need"))
_EMPTY = dict.fromkeys(column.name for column in schema.job.columns)
_NODE_PLACES = tuple(map(TASK_FIELDS.index, _NODE))


def create_job(batch: Batch, spec: JobSpec, taker: Taker | None) -> JobCreated:
    """Insert a job with its tasks and claim the first of them, or answer with the one that is there."""
    known = _known(batch, spec)
    if known is not None:
        return JobCreated(known, created=False)
    change = Change()
    settle(batch, _bear(batch, spec, None, change), change)
    if taker is not None:
        take_next(batch, change, taker.holder, 1, (taker.resources,))
    return JobCreated(spec.id, True, tuple(change.ready), from_micros(batch.now), tuple(change.claimed))


def _known(batch: Batch, spec: JobSpec) -> str | None:
    """The id of the job that is there already, by its id or else by its dedup key."""
    return _find(batch, "id", spec.id) or (None if spec.dedup is None else _find(batch, "dedup", spec.dedup))


def _find(batch: Batch, name: str, value: str) -> str | None:
    job = schema.job.c
    statement = batch.statements.named(
        ("find", name), lambda: select(job.id).where(job[name] == bindparam("wanted"))
    )
    rows = statement.rows(batch.connection, wanted=value)
    return str(rows[0][0]) if rows else None


def _bear(batch: Batch, spec: JobSpec, parent: TaskRef | None, change: Change) -> JobDraft:
    """Write a job and its tasks; the caller settles it."""
    job = _insert_job(batch, spec, parent)
    edges: dict[tuple[str, str], bool] = {}
    for edge in spec.edges:
        pair = (edge.upstream, edge.downstream)
        edges[pair] = edge.optional and edges.get(pair, True)
    rows = [(job.id, up, down, int(optional)) for (up, down), optional in edges.items()]
    graph = Graph.of((node.name for node in spec.nodes), (row[1:] for row in rows))
    batch.statements.keep((job.id, job.created_at), graph)
    if rows:
        batch.statements.add_edge.run_rows(
            batch.connection, rows, ("job", "upstream", "downstream", "optional")
        )
    _insert_nodes(batch, job.id, spec.nodes, graph)
    batch.log(job, "job.created", pipeline=spec.pipeline, parent=str(parent) if parent else None)
    batch.missed()
    _begin(batch, job, change)
    return job


def _insert_job(batch: Batch, spec: JobSpec, parent: TaskRef | None) -> JobDraft:
    deadline = None if spec.deadline is None else int(spec.deadline.total_seconds() * 1_000_000)
    paused = parent is not None and batch.job(parent.job).state == PAUSED_JOB
    values: dict[str, Any] = _EMPTY | {
        "id": spec.id,
        "pipeline": spec.pipeline,
        "state": PAUSED_JOB if paused else PENDING_JOB,
        "graph": spec.graph,
        "input": spec.input,
        "labels": spec.labels,
        "owner": _owner_of(batch, parent.job) if parent else spec.owner,
        "executor": spec.executor,
        "dedup": spec.dedup,
        "parent_job": parent.job if parent else None,
        "parent_key": parent.key if parent else None,
        "created_at": batch.now,
        "updated_at": batch.now,
        "deadline": deadline,
        "deadline_at": None if deadline is None else batch.now + deadline,
        "last_event": 0,
        "live": 0,
        "parked": 0,
        "failed": 0,
        "unswept": 0,
        "abroad": 0,
    }
    batch.statements.add_job.run(batch.connection, **values)
    job = JobDraft(*(values[name] for name in JOB_FIELDS))
    batch.adopt(job)
    return job


def _owner_of(batch: Batch, job: str) -> str:
    """Whose a job is, and so whose all are that are nested in it."""
    owner = schema.job.c.owner
    find = batch.statements.named("owner", lambda: select(owner).where(schema.job.c.id == bindparam("of")))
    return str(find.rows(batch.connection, of=job)[0][0])


def _insert_nodes(batch: Batch, job: str, nodes: Sequence[NodeSpec], graph: Graph) -> None:
    """Their rows, which are drafts at once: all of them but their numbers is known."""
    rows = [_row(job, node, place, len(graph.ups.get(node.name, ()))) for place, node in enumerate(nodes)]
    if not rows:
        return
    _adding(batch, _NODE).run_rows(batch.connection, rows, _NODE)
    numbers = _numbers(batch).rows(batch.connection, of=job)
    batch.take_in(_whole(number, row) for (number,), row in zip(numbers, rows, strict=True))


def _numbers(batch: Batch) -> Prepared:
    task = schema.task.c
    return batch.statements.named(
        "numbers",
        lambda: (
            select(task.id).where(task.job == bindparam("of"), task.idx < text("0")).order_by(task.position)
        ),
    )


def _row(job: str, node: NodeSpec, position: int, waits: int) -> tuple[Any, ...]:
    name, mapped, pinned = node.name, int(node.mapped), int(node.skipped)
    place = (job, name, name, position, -1, mapped, node.need, node.queue, node.resources, pinned)
    return (*place, BLOCKED, 0, waits, 0, 0, 0, 1, 0, 0, 0, 0, 0)


def _whole(number: int, row: Sequence[Any]) -> list[Any]:
    """All columns of a row of `_NODE`."""
    whole: list[Any] = [None] * len(TASK_FIELDS)
    whole[0] = number
    for place, value in zip(_NODE_PLACES, row, strict=True):
        whole[place] = value
    return whole


def _begin(batch: Batch, job: JobDraft, change: Change) -> None:
    nodes = batch.nodes(job.id).values()
    first = [task for task in nodes if not task.waits and not task.pinned]
    pinned = [task for task in nodes if task.pinned]
    for task in pinned:
        task.state = SKIPPED  # all of them before any is followed up: what one lets go is not one of them
    for task in pinned:
        task.reason = "its condition is false"
        batch.log(job, "task.skipped", task.key, reason=task.reason)
        finish(batch, task, SKIPPED, change)
    for task in first:
        make_ready(batch, task, change)
    order = {task.key: task.position for task in nodes}
    change.ready.sort(key=lambda ref: order.get(ref.key, 0) if ref.job == job.id else -1)


def nest(batch: Batch, claim: Claim, spec: JobSpec) -> Advance:
    """Create a child job and let the task wait for it: running -> spread."""
    task, change = held(batch, claim), Change()
    if task.is_map:
        raise Conflict(f"{task.ref} is mapped: spread it, its children may nest")
    known = _known(batch, spec)
    if known is not None:
        job = batch.job(known)
        if job.parent != task.ref or job.state == CANCELLED_JOB:
            raise Conflict(f"job {known} exists already and cannot be nested in {task.ref}")
    task.child_job, task.asleep = known or spec.id, 0
    move(batch, task, SPREAD)
    task.let_go()
    batch.log(batch.job(task.job), "task.nested", task.key, job=task.child_job)
    child = batch.job(known) if known else _bear(batch, spec, task.ref, change)
    if child.finished:
        tell_owner(batch, child, change)
    settle(batch, child, change)
    settle(batch, batch.job(task.job), change)
    return change.advance()


def spread(batch: Batch, claim: Claim, page: Sequence[str], offset: int, last: bool) -> Advance:
    """Write a page of a map's children; with the last page they are let go."""
    task, change = held(batch, claim), Change()
    if not task.is_map:
        raise Conflict(f"{task.ref} is not mapped and cannot be spread")
    if offset != task.written:
        raise Conflict(f"{task.ref} has {task.written} children so far: page {offset} does not follow")
    _write_children(batch, task, page)
    task.written += len(page)
    job = batch.job(task.job)
    batch.log(job, "task.spread", task.key, children=task.written, last=last)
    if last:
        _drop_beyond(batch, task)
        _open(batch, task, change)
        settle(batch, job, change)
    return change.advance()


def _write_children(batch: Batch, task: TaskDraft, page: Sequence[str]) -> None:
    """New rows, or new items for rows that an earlier revision of the map left behind."""
    there = {}
    if task.revision > 1:
        row = schema.task.c
        ours = (row.job == task.job, row.position == task.position)
        window = row.idx.between(task.written, task.written + len(page) - 1)
        there = {
            one.idx: one for one in batch.take_in(batch.select(select(schema.task).where(*ours, window)))
        }
    if not there and batch.statements.shared:
        _write_page(batch, task, page)
        return
    fresh: list[tuple[Any, ...]] = []
    common = _child(task)
    values = [common.get(name) for name in _CHILD]
    key, idx, its_item = (_CHILD.index(name) for name in ("key", "idx", "item"))
    for index, item in enumerate(page, start=task.written):
        if index in there:
            there[index].item = item
        else:
            values[key], values[idx], values[its_item] = f"{task.node}/{index}", index, item
            fresh.append(tuple(values))
    if fresh:
        _adding(batch, _CHILD).run_rows(batch.connection, fresh, _CHILD)
        batch.missed()


def _adding(batch: Batch, names: Sequence[str]) -> Prepared:
    """Of forty columns half are empty in a new row."""
    return batch.statements.named(
        ("adding", names),
        lambda: insert(schema.task).values({name: bindparam(name) for name in names}).inline(),
    )


def _write_page(batch: Batch, task: TaskDraft, page: Sequence[str]) -> None:
    """One statement for all: a row of forty columns costs PostgreSQL 60 µs when it comes by itself."""
    values = _child(task)
    special = {
        "key": "CAST(:node AS text) || '/' || (:first + place - 1)",
        "idx": ":first + place - 1",
        "item": "item",
    }

    def make() -> TextClause:
        given = {name: f":{name}" for name in values} | special
        return text(
            f"INSERT INTO task ({', '.join(given)}) SELECT {', '.join(given.values())} "  # noqa: S608 - our columns
            "FROM unnest(CAST(:items AS text[])) WITH ORDINALITY AS page(item, place)"
        )

    statement = batch.statements.named("page", make)
    statement.run(batch.connection, **values, first=task.written, items=list(page))
    batch.missed()


def _child(task: TaskDraft) -> dict[str, Any]:
    """What is not empty in a child's row, but for its key, index and item."""
    return dict.fromkeys(_ZERO, 0) | {
        "job": task.job,
        "node": task.node,
        "position": task.position,
        "mapped": 0,
        "queue": task.queue,
        "resources": task.resources,
        "pinned": 0,
        "state": BLOCKED,
        "waits": 0,
        "revision": 1,
    }


def _drop_beyond(batch: Batch, task: TaskDraft) -> None:
    if task.revision > 1:
        row = schema.task.c
        ours = (row.job == task.job, row.position == task.position, row.idx >= task.written)
        batch.sweep(task.job, delete(schema.task).where(*ours))


def _open(batch: Batch, task: TaskDraft, change: Change) -> None:
    job = batch.job(task.job)
    if (task.need or 0) > task.written:
        set_error(task, Failure("TooFew", f"{task.need} must succeed and there are {task.written} children"))
        log_failed(batch, task)
        finish(batch, task, FAILED, change)
        return
    task.opened = 1
    if not task.written:
        batch.log(job, "task.done", task.key)
        finish(batch, task, DONE, change)
        return
    move(batch, task, SPREAD)
    task.let_go()
    task.unfinished, task.lost = task.written, 0
    count, claimable = task.written, job.claimable
    row = schema.task.c
    batch.sweep(
        task.job,
        update(schema.task)
        .where(row.job == task.job, row.position == task.position, row.idx >= 0)
        .values(state=READY, due_at=batch.now, held=int(not claimable)),
    )
    job.live += count
    if claimable:
        change.ready += [TaskRef(task.job, f"{task.node}/{index}") for index in range(count)]
