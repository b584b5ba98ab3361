"""What must be true of the rows of any ledger between two commits, counted anew from the rows alone.

Knows nothing of the code that wrote them: states are compared with what the graph and the rows around
them say, counters with counting, and the history with itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

Row = dict[str, Any]
Query = Callable[[str], list[Row]]

FINISHED = {"done", "failed", "skipped", "cancelled"}
OVER = {"completed", "failed", "cancelled"}
CLAIMABLE = {"pending", "running", "waiting"}


def faults(query: Query) -> list[str]:
    """Everything that is wrong in a database; `query` answers a SELECT with its rows by column."""
    return list(Books(query).audit())


class Books:
    """All rows of a ledger, by job."""

    def __init__(self, query: Query) -> None:
        self.jobs = {row["id"]: row for row in query("SELECT * FROM job")}
        self.tasks: dict[str, dict[str, Row]] = {job: {} for job in self.jobs}
        for row in query("SELECT * FROM task ORDER BY job, position, idx"):
            self.tasks[row["job"]][row["key"]] = row
        self.ups: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in query("SELECT * FROM edge"):
            self.ups[row["job"], row["downstream"]].append(row)
        self.events: dict[str, list[Row]] = defaultdict(list)
        for row in query("SELECT * FROM event ORDER BY job, seq"):
            self.events[row["job"]].append(row)

    def audit(self) -> Iterator[str]:
        for job in self.jobs.values():
            for fault in (*self._history(job), *self._job(job)):
                yield f"{job['id']} ({job['state']}): {fault}"
            for task in self.tasks[job["id"]].values():
                for fault in (*self._hold(job, task), *self._place(job, task), *self._offspring(job, task)):
                    yield f"{job['id']}/{task['key']} ({task['state']} in a {job['state']} job): {fault}"

    def _history(self, job: Row) -> Iterator[str]:
        events = self.events[job["id"]]
        if [event["seq"] for event in events] != list(range(1, job["last_event"] + 1)):
            yield f"its events are not 1 to {job['last_event']}"
        times = [event["at"] for event in events]
        if times != sorted(times):
            yield "its events go back in time"

    def _job(self, job: Row) -> Iterator[str]:
        counts = Counter(filter(None, map(self._weight, self.tasks[job["id"]].values())))
        if job["state"] not in OVER:
            for name in ("live", "abroad", "parked", "failed"):
                if job[name] != counts[name]:
                    yield f"{name} is {job[name]} and counted {counts[name]}"
        late = job["error_kind"] == "DeadlinePassed"
        if not late and job["state"] != self._derived(job, counts):
            yield f"its tasks say {self._derived(job, counts)}: {dict(counts)}"
        if (job["state"] in OVER) != (job["finished_at"] is not None):
            yield "its end does not fit its state"

    def _derived(self, job: Row, counts: Counter[str]) -> str:
        if job["state"] == "cancelled":
            return "cancelled"
        goes_on = counts["live"] or counts["abroad"]
        if not goes_on and not counts["parked"]:
            return "failed" if counts["failed"] else "completed"
        if job["state"] == "paused":
            return "paused"
        if not goes_on:
            return "waiting"
        return "pending" if job["started_at"] is None else "running"

    def _weight(self, task: Row) -> str | None:
        if task["state"] in ("ready", "running"):
            return "live"
        if task["state"] == "parked":
            bought = (task["signal"] or "").startswith(("call:", "place:"))
            return "abroad" if bought and task["due_at"] is not None else "parked"
        if task["state"] == "spread" and task["child_job"]:
            nested = self.jobs[task["child_job"]]
            if nested["state"] == "waiting":
                return "parked"
            return "abroad" if nested["abroad"] and not nested["live"] else "live"
        return "failed" if task["state"] == "failed" and task["idx"] < 0 else None

    def _hold(self, job: Row, task: Row) -> Iterator[str]:
        held = task["state"] == "running"
        if held != (task["token"] is not None) or held != (task["holder"] is not None):
            yield f"its holder is {task['holder']} with token {task['token']}"
        if held and job["state"] not in (*CLAIMABLE, "paused"):
            yield "it is held although its job is over"
        waits = task["state"] in ("ready", "parked") and not job["unswept"]
        if waits and task["held"] != int(job["state"] not in CLAIMABLE):
            yield f"held is {task['held']}"
        if task["state"] == "ready" and task["due_at"] is None:
            yield "it is never due"
        if task["state"] in FINISHED and task["finished_at"] is None:
            yield "it has no end"
        if task["state"] not in FINISHED and job["state"] == "cancelled":
            yield "it is left over"

    def _place(self, job: Row, task: Row) -> Iterator[str]:
        """Blocked exactly while something before it is unfinished."""
        ours, ups = self.tasks[job["id"]], self.ups[job["id"], task["key"]]
        if task["idx"] >= 0:
            parent = ours[task["node"]]
            if (task["state"] == "blocked") == bool(parent["opened"]) and task["state"] != "cancelled":
                yield f"its map is {parent['state']}, opened {parent['opened']}"
            return
        missing = [up["upstream"] for up in ups if ours[up["upstream"]]["state"] not in ("done", "skipped")]
        lacking = [
            up["upstream"] for up in ups if ours[up["upstream"]]["state"] == "skipped" and not up["optional"]
        ]
        if task["state"] == "blocked":
            if task["waits"] != len(missing) or not missing:
                yield f"waits is {task['waits']} and it lacks {missing}"
            if lacking:
                yield f"it needs {lacking}, which are skipped"
        elif task["state"] not in ("skipped", "cancelled") and not task["pinned"] and (missing or lacking):
            yield f"it has gone on without {missing or lacking}"

    def _offspring(self, job: Row, task: Row) -> Iterator[str]:
        """A map and a task that nests come to what their children come to."""
        children = [row for row in self.tasks[job["id"]].values() if row["node"] == task["node"]][1:]
        if task["mapped"] and task["idx"] < 0 and task["opened"] and job["state"] != "cancelled":
            yield from self._map(task, Counter(row["state"] for row in children))
        if task["state"] == "spread" and not task["mapped"] and not task["child_job"]:
            yield "it waits for no child"
        child = self.jobs.get(task["child_job"] or "")
        if child is None:
            return
        if task["state"] == "spread" and child["state"] in OVER and job["state"] not in OVER:
            yield f"it waits for {child['id']}, which is {child['state']}"
        if task["state"] == "done" and child["state"] != "completed":
            yield f"it is what {child['id']} came to, which is {child['state']}"
        if (task["state"], child["state"]) == ("failed", "completed"):
            yield f"it failed although {child['id']} completed"

    def _map(self, task: Row, states: Counter[str]) -> Iterator[str]:
        unfinished = sum(count for state, count in states.items() if state not in FINISHED)
        if states.total() != task["written"]:
            yield f"it has {states.total()} children and knows of {task['written']}"
        if task["state"] == "spread" and (task["unfinished"], task["lost"]) != (unfinished, states["failed"]):
            yield f"unfinished, lost are {task['unfinished']}, {task['lost']} of {dict(states)}"
        required = task["written"] if task["need"] is None else task["need"]
        if task["written"] - states["failed"] < required:
            due = "failed"
        else:
            due = "spread" if unfinished else "done"
        if task["state"] != due:
            yield f"its children say {due}: {dict(states)}, {required} needed"
