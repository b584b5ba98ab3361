"""The least that a fan-out could cost: the rows the engine writes for it, in as few statements as can be.

python benchmarks/floor.py fanout 10000 FOLDER   # FOLDER is the home, as for trial.py
python benchmarks/floor.py commit 500 FOLDER     # one row a commit, so many times

`fanout` makes a ledger with genlock's own tables and indexes and writes into it what `trial.py fanout` leaves
there: the job, its three nodes, a row for each task with all of its columns, and two events a task. Each task
is inserted, made ready, claimed under a token, and ended where that token stands, as the engine does it. A
claim is committed before its task may end, so a transaction ends 256 tasks and claims the next 256; children
are written in pages of 1,000. Same pragmas, same driver, and `executemany` for everything that is many. Rows
are made as they are written, for somebody has to make them.

What it leaves out is all that is not writing: it reads nothing, looks for nothing that is ready, waits for no
answer, runs no task, and neither hashes nor checks a value. There is no second thread, and nobody watches the
events. So it is not a goal but a measure for what all this costs.

`commit` is what the disk asks for one acknowledged row: a transaction of one INSERT into a small table.
"""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import Table
from trial import Found, fanout

from genlock.engine.spec import job_spec
from genlock.ledger import schema
from genlock.ledger.database import open_writer, url_of
from genlock.ledger.encoding import encode
from genlock.ledger.migration import bring_up
from genlock.ledger.records import NodeSpec

BATCH = 256  # tasks a transaction ends and claims
PAGE = 1000  # children a transaction writes
JOB = "floor"
HOLDER = "12345-0123abcd"
BEGAN = 1_795_000_000_000_000  # microseconds since 1970
STEP = 10_000  # microseconds from one transaction to the next
TOOK = 0.012345  # seconds, as an event says it
NUMBERS, SAME, ADD = 1, 2, 3  # ids of the nodes' rows; children follow

Row = tuple[Any, ...]
Transaction = list[tuple[str, list[Row]]]
Ended = tuple[int, str, str]  # a task: id, key, output

TASK_FIELDS = [column.name for column in schema.task.columns if column.name != "id"]
_KEY, _IDX, _ITEM = (TASK_FIELDS.index(name) for name in ("key", "idx", "item"))
JOB_FIELDS = [column.name for column in schema.job.columns]


def insert(table: str, fields: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({', '.join('?' * len(fields))})"


ADD_JOB, ADD_TASK = insert("job", JOB_FIELDS), insert("task", TASK_FIELDS)
ADD_EDGE = insert("edge", ["job", "upstream", "downstream", "optional"])
ADD_EVENT = insert("event", ["job", "seq", "at", "kind", "task", "data"])
UNBLOCK = "UPDATE task SET state = 'ready', waits = 0, due_at = ? WHERE id = ? AND state = 'blocked'"
OPEN = "UPDATE task SET state = 'ready', due_at = ?, held = 0 WHERE job = ? AND position = 1 AND idx >= 0"
CLAIM = (
    "UPDATE task SET state = 'running', token = ?, holder = ?, due_at = NULL, attempt = 1, started_at = ? "
    "WHERE id = ? AND state = 'ready' AND token IS NULL"
)
END = (
    "UPDATE task SET state = 'done', token = NULL, holder = NULL, finished_at = ?, input_hash = ?, "
    "output = ? WHERE id = ? AND state = 'running' AND token IS ?"
)
WRITTEN = "UPDATE task SET written = ? WHERE id = ?"
SPREAD = (
    "UPDATE task SET state = 'spread', token = NULL, holder = NULL, written = ?, opened = 1, unfinished = ? "
    "WHERE id = ? AND state = 'running' AND token IS ?"
)
GATHER = "UPDATE task SET unfinished = ? WHERE id = ?"
GATHERED = "UPDATE task SET state = 'done', unfinished = 0, finished_at = ? WHERE id = ? AND state = 'spread'"
COUNT = "UPDATE job SET updated_at = ?, last_event = ?, live = ? WHERE id = ? AND last_event = ?"
START = "UPDATE job SET state = 'running', started_at = ? WHERE id = ?"
COMPLETE = "UPDATE job SET state = 'completed', finished_at = ? WHERE id = ?"


class Script:
    """The transactions of one fan-out, in their order."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._spec = job_spec(fanout, {"count": count}, id=JOB)
        self._now, self._seq, self._counted = BEGAN, 0, 0
        self._live = len(self._spec.nodes)
        child = row_of(schema.task, self._task(self._spec.nodes[1], 1) | {"state": "blocked"})
        self._parts = child[:_KEY], child[_KEY + 1 : _IDX], child[_IDX + 1 : _ITEM], child[_ITEM + 1 :]
        self._tokens: dict[int, str] = {}
        self._events: list[Row] = []

    def transactions(self) -> Iterator[Transaction]:
        """Whatever the engine commits, with as many tasks in each as may be."""
        numbers = json.dumps(list(range(self.count)), separators=(",", ":"))
        children = [(ADD + 1 + i, f"same/{i}", str(i)) for i in range(self.count)]
        pages = [children[start : start + BATCH] for start in range(0, self.count, BATCH)]
        total = (ADD, "add", str(self.count * (self.count - 1) // 2))
        yield self._closed(self._bear())
        yield self._closed(
            [(START, [(self._now, JOB)]), *self._claim([(NUMBERS, "numbers", "")], started=True)]
        )
        unblock = (UNBLOCK, [(self._now, SAME)])
        yield self._closed(
            [*self._end([(NUMBERS, "numbers", numbers)]), unblock, *self._claim([(SAME, "same", "")])]
        )
        yield from self._spread(children)
        yield self._closed(self._claim(pages[0]))
        for ended, claimed in pairwise(pages):
            yield self._closed([*self._end(ended), self._gather(ended[-1]), *self._claim(claimed)])
        yield self._closed([*self._end(pages[-1]), *self._gathered(), *self._claim([total])])
        yield self._closed([*self._end([total]), *self._complete()])

    def _bear(self) -> Transaction:
        """The job, its nodes and its edges."""
        nodes = [self._node(position) for position in range(len(self._spec.nodes))]
        self._say("job.created", None, pipeline=self._spec.pipeline, parent=None)
        edges: list[Row] = [(JOB, edge.upstream, edge.downstream, 0) for edge in self._spec.edges]
        return [(ADD_JOB, [self._job()]), (ADD_EDGE, edges), (ADD_TASK, nodes)]

    def _spread(self, children: list[Ended]) -> Iterator[Transaction]:
        """The children, and with the last of them all are ready."""
        head, middle, more, rest = self._parts
        for start in range(0, self.count, PAGE):
            page = children[start : start + PAGE]
            written, last = start + len(page), start + PAGE >= self.count
            rows = [(*head, key, *middle, int(item), *more, item, *rest) for _, key, item in page]
            self._say("task.spread", "same", children=written, last=last)
            if not last:
                yield self._closed([(ADD_TASK, rows), (WRITTEN, [(written, SAME)])])
                continue
            self._live += self.count
            opened = (SPREAD, [(written, written, SAME, self._tokens.pop(SAME))])
            yield self._closed([(ADD_TASK, rows), opened, (OPEN, [(self._now, JOB)])])

    def _claim(self, tasks: Sequence[Ended], *, started: bool = False) -> Transaction:
        if started:
            self._say("job.started", None)
        now, data = self._now, encode({"attempt": 1, "holder": HOLDER})
        tokens = {row: secrets.token_hex(8) for row, _, _ in tasks}
        self._tokens |= tokens
        self._tell("task.claimed", tasks, data)
        return [(CLAIM, [(token, HOLDER, now, row) for row, token in tokens.items()])]

    def _end(self, tasks: Sequence[Ended]) -> Transaction:
        now, tokens = self._now, self._tokens
        self._tell("task.done", tasks, encode({"seconds": TOOK}))
        self._live -= len(tasks)
        hashed = ((sha256(key.encode()).hexdigest(), text, row) for row, key, text in tasks)
        return [(END, [(now, *written, tokens.pop(written[-1])) for written in hashed])]

    def _gather(self, last: Ended) -> tuple[str, list[Row]]:
        return (GATHER, [(self.count - (last[0] - ADD), SAME)])

    def _gathered(self) -> Transaction:
        self._live -= 1
        self._say("task.done", "same")
        return [(GATHERED, [(self._now, SAME)]), (UNBLOCK, [(self._now, ADD)])]

    def _complete(self) -> Transaction:
        self._say("job.completed", None)
        return [(COMPLETE, [(self._now, JOB)])]

    def _closed(self, writes: Transaction) -> Transaction:
        """With its events and the job's counters, and then it is later."""
        counters = (self._now, self._seq, self._live, JOB, self._counted)
        done = [*writes, (ADD_EVENT, self._events), (COUNT, [counters])]
        self._events, self._counted, self._now = [], self._seq, self._now + STEP
        return done

    def _say(self, kind: str, task: str | None, **data: Any) -> None:
        self._seq += 1
        self._events.append((JOB, self._seq, self._now, kind, task, encode(data)))

    def _tell(self, kind: str, tasks: Sequence[Ended], data: str) -> None:
        """The same of many tasks."""
        first, now = self._seq + 1, self._now
        self._events += [(JOB, seq, now, kind, key, data) for seq, (_, key, _) in enumerate(tasks, first)]
        self._seq += len(tasks)

    def _job(self) -> Row:
        spec, now, hours = self._spec, self._now, 7_200_000_000
        given = {name: getattr(spec, name) for name in JOB_FIELDS if hasattr(spec, name)}
        given |= {"state": "pending", "created_at": now, "updated_at": now}
        return row_of(schema.job, given | {"deadline": hours, "deadline_at": now + hours})

    def _node(self, position: int) -> Row:
        node = self._spec.nodes[position]
        state = {"waits": 1, "state": "blocked"} if position else {"state": "ready", "due_at": self._now}
        mapped = {"mapped": int(node.mapped), "idx": -1}
        return row_of(schema.task, self._task(node, position) | state | mapped)

    def _task(self, node: NodeSpec, position: int) -> dict[str, Any]:
        place = {"job": JOB, "key": node.name, "node": node.name, "position": position, "revision": 1}
        return {**place, "queue": node.queue, "resources": node.resources}


def row_of(table: Table, given: Mapping[str, Any]) -> Row:
    """A row for an INSERT: what is not given is NULL, or 0 where that must not be."""
    blank: dict[str, Any] = {column.name: None if column.nullable else 0 for column in table.columns}
    return tuple((blank | {**given})[name] for name in blank if table is schema.job or name != "id")


def write_fanout(count: int, home: Path) -> Found:
    """Write it into a new ledger."""
    home.mkdir(parents=True, exist_ok=True)
    url = url_of(home / "ledger.db")
    bring_up(url)
    script = Script(count)
    engine = open_writer(url)
    connection = engine.raw_connection()
    cursor = connection.cursor()
    began = time.perf_counter()
    for transaction in script.transactions():
        cursor.execute("BEGIN IMMEDIATE")
        for statement, rows in transaction:
            cursor.executemany(statement, rows)
        cursor.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    engine.dispose()
    return {"seconds": seconds}


def commit_rows(count: int, home: Path) -> Found:
    """One row a transaction."""
    home.mkdir(parents=True, exist_ok=True)
    engine = open_writer(url_of(home / "commit.db"))
    connection = engine.raw_connection()
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE small (id INTEGER PRIMARY KEY, word TEXT)")
    began = time.perf_counter()
    for number in range(count):
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("INSERT INTO small VALUES (?, ?)", (number, "word"))
        cursor.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    engine.dispose()
    return {"seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("fanout", "commit"))
    parser.add_argument("count", type=int)
    parser.add_argument("home", type=Path)
    given = parser.parse_args()
    write = write_fanout if given.what == "fanout" else commit_rows
    print(json.dumps(write(given.count, given.home)))


if __name__ == "__main__":
    main()
