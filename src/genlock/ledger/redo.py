"""What running tasks again means for a job: worked out from its rows alone, for writer and reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select, text

from genlock.errors import Conflict, NotFound
from genlock.ledger import schema
from genlock.ledger.draft import BLOCKED, CANCELLED, DONE, FAILED, SKIPPED, Graph
from genlock.ledger.records import RedoPlan

REDOABLE = (DONE, FAILED, SKIPPED)


@dataclass(frozen=True, slots=True)
class Row:
    """The part of a task that a redo is decided by."""

    key: str
    node: str
    idx: int
    state: str
    pinned: int
    mapped: int
    opened: int


@dataclass(frozen=True)
class Redo:
    """`nodes` and `children` run again; the nodes `behind` wait again, upstream first."""

    nodes: list[str]
    children: list[str]
    behind: list[str]
    plan: RedoPlan
    seen: int = 0  # the job's newest event when this was worked out


class Layout:
    """A job's rows in graph order, and its graph."""

    def __init__(self, job: str, rows: Iterable[Row], graph: Graph) -> None:
        self.job = job
        self.graph = graph
        self.rows = list(rows)
        self.by_key = {row.key: row for row in self.rows}
        self._parents = {row.node for row in self.rows if row.idx >= 0}

    @classmethod
    def read(cls, connection: Connection, job: str, graph: Graph, *, children: bool = True) -> Layout:
        """With `children` every row of the job, without them those of its nodes alone."""
        task = schema.task.c
        columns = (task.key, task.node, task.idx, task.state, task.pinned, task.mapped, task.opened)
        rows = select(*columns).where(task.job == job).order_by(task.position, task.idx)
        if not children:
            rows = rows.where(text("idx < 0"))
        return cls(job, (Row(*row) for row in connection.execute(rows)), graph)

    def hidden(self, row: Row) -> bool:
        """A map's own row stands for nothing once there are children."""
        return row.idx < 0 and row.node in self._parents

    def targets(self, key: str) -> list[Row]:
        """The rows that a key names: a task, or all children of a map. `Conflict` if one is not finished."""
        row = self.by_key.get(key)
        if row is None:
            raise NotFound(f"job {self.job!r} has no task {key!r}")
        if row.state not in REDOABLE:
            raise Conflict(
                f"{self.job}/{key} is {row.state}: only a task that is done, failed or skipped can be redone"
            )
        if not (row.mapped and row.opened):
            return [row]
        children = [
            one for one in self.rows if one.node == row.node and one.idx >= 0 and one.state in REDOABLE
        ]
        return children or [row]

    def behind(self, redone: set[str]) -> list[str]:
        """Nodes downstream of these that have begun or finished and must wait again."""
        found: dict[str, None] = {}
        for node in self.graph.in_order():
            row, ups = self.by_key[node], self.graph.ups.get(node, ())
            moved = any(up in redone or up in found for up, _ in ups)
            if not moved or row.state == BLOCKED or (row.pinned and node not in redone):
                continue
            if row.state == SKIPPED and self._still_skipped(ups, redone | found.keys()):
                continue
            found[node] = None
        return list(found)

    def _still_skipped(self, ups: Sequence[tuple[str, bool]], moved: set[str]) -> bool:
        return any(
            self.by_key[up].state == SKIPPED and not optional and up not in moved for up, optional in ups
        )


def look_ahead(connection: Connection, job: str, keys: Sequence[str]) -> Redo:
    """Work a redo out on a reader's connection, so that the writer need not read the whole job."""
    refuse_cancelled(connection, job)
    seen = connection.execute(select(schema.job.c.last_event).where(schema.job.c.id == job)).scalar_one()
    task, edge = schema.task.c, schema.edge.c
    nodes = connection.scalars(
        select(task.node).where(task.job == job, text("idx < 0")).order_by(task.position)
    )
    edges = connection.execute(select(edge.upstream, edge.downstream, edge.optional).where(edge.job == job))
    graph = Graph.of(nodes, ((up, down, optional) for up, down, optional in edges))
    return replace(plan(Layout.read(connection, job, graph), keys), seen=seen)


def plan(layout: Layout, keys: Sequence[str]) -> Redo:
    """What a redo of these keys does; `Conflict` or `NotFound` if it cannot be done."""
    if not keys:
        raise Conflict(f"job {layout.job}: name at least one task to run again")
    named = {row.key: row for key in keys for row in layout.targets(key)}
    redone = {row.node for row in named.values()}
    behind = layout.behind(redone)
    _refuse_unreachable(layout, redone, redone | set(behind))
    shown = [row for row in layout.rows if row.key in named or not layout.hidden(row)]
    told = RedoPlan(
        redone=tuple(row.key for row in shown if row.key in named),
        maybe=tuple(row.key for row in shown if row.node in behind and row.key not in named),
        kept=tuple(
            row.key
            for row in shown
            if row.state in (DONE, SKIPPED) and row.key not in named and row.node not in behind
        ),
    )
    nodes = [row.key for row in named.values() if row.idx < 0]
    return Redo(nodes, [row.key for row in named.values() if row.idx >= 0], behind, told)


def _refuse_unreachable(layout: Layout, redone: set[str], again: set[str]) -> None:
    for node in redone:
        for up, optional in layout.graph.ups.get(node, ()):
            if layout.by_key[up].state == SKIPPED and not optional and up not in again:
                raise Conflict(f"{layout.job}/{node} was skipped because {up} was: redo {up}")


def refuse_cancelled(connection: Connection, job: str) -> None:
    """`Conflict` if the job, or one that it decides something in, is cancelled."""
    task, row = schema.task.c, schema.job.c
    while True:
        found = connection.execute(
            select(row.state, row.parent_job, row.parent_key).where(row.id == job)
        ).one_or_none()
        if found is None:
            raise NotFound(f"there is no job {job!r}")
        if found.state == CANCELLED:
            raise Conflict(f"job {job} is cancelled, for good: start it anew")
        owner = connection.execute(
            select(task.state).where(
                task.job == found.parent_job,
                task.key == found.parent_key,
                task.child_job == job,
                task.state.in_(("spread", DONE, FAILED, CANCELLED)),
            )
        ).one_or_none()
        if owner is None:
            return
        job = found.parent_job
