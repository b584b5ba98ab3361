"""What a ledger must say, worked out from nothing but what was done to it.

A task keeps the last thing that was done to it and accepted; everything else is derived anew from that
each time it is asked for: what is blocked, skipped or ready, what a map or a nested job has come to,
how its job stands. There are no counters that could go wrong, and nothing is told to anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from genlock.errors import ClaimLost, Conflict, NotFound
from genlock.ledger.records import Claim, JobSpec, NodeSpec, TaskRef

FINISHED = ("done", "failed", "skipped", "cancelled")
OVER = ("completed", "failed", "cancelled")


@dataclass
class Fact:
    """The last thing that was done to a task: `open` is nothing, `spread` and `nested` leave it to others."""

    word: str = "open"
    token: str | None = None
    holder: str | None = None
    due: datetime | None = None
    signal: str | None = None
    attempt: int = 0
    tries: int = 0
    reclaims: int = 0
    revision: int = 1
    output: str | None = None
    hash: str | None = None
    kept: str | None = None
    written: int = 0
    opened: bool = False
    child: str | None = None
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def attended(self) -> bool:
        """Whether a provider is at work for it, or will be, and it is looked at in time."""
        return self.due is not None and (self.signal or "").startswith(("call:", "place:"))

    def become(self, word: str, due: datetime | None = None, signal: str | None = None) -> None:
        self.word, self.due, self.signal, self.token, self.holder = word, due, signal, None, None


@dataclass
class Job:
    """A job as it was asked for, and what was done to it as a whole."""

    spec: JobSpec
    parent: TaskRef | None
    deadline_at: datetime | None
    facts: dict[str, Fact]
    paused: bool = False
    started: bool = False
    over: str | None = None  # cancelled, or late
    dragged: bool = False  # late because the job around it was

    def node(self, key: str) -> NodeSpec:
        return next(node for node in self.spec.nodes if node.name == key.partition("/")[0])

    def ups(self, name: str) -> list[tuple[str, bool]]:
        """Upstreams, and whether it can do without them; of two edges the stricter one counts."""
        edges: dict[str, bool] = {}
        for edge in self.spec.edges:
            if edge.downstream == name:
                edges[edge.upstream] = edge.optional and edges.get(edge.upstream, True)
        return list(edges.items())

    def children(self, name: str) -> list[str]:
        return [key for key in self.facts if key.startswith(f"{name}/")]


class Plain:
    """The verbs of a ledger. They raise what a ledger raises, and answer nothing."""

    def __init__(self) -> None:
        self.now = datetime.min.replace(tzinfo=UTC)
        self.jobs: dict[str, Job] = {}

    # What follows

    def fact(self, ref: TaskRef) -> Fact:
        if ref.job not in self.jobs or ref.key not in self.jobs[ref.job].facts:
            raise NotFound(str(ref))
        return self.jobs[ref.job].facts[ref.key]

    def refs(self) -> list[TaskRef]:
        return [TaskRef(job, key) for job, one in self.jobs.items() for key in one.facts]

    def state(self, ref: TaskRef) -> str:
        job, fact = self.jobs[ref.job], self.fact(ref)
        if fact.word == "cancelled":
            return "cancelled"
        if ref.index is not None:
            return self._own(ref, fact) if job.facts[ref.node].opened else "blocked"
        if job.node(ref.key).skipped:
            return "skipped"
        ups = [(self.state(TaskRef(ref.job, up)), optional) for up, optional in job.ups(ref.key)]
        if any(state == "skipped" and not optional for state, optional in ups):
            return "skipped"
        return self._own(ref, fact) if all(s in ("done", "skipped") for s, _ in ups) else "blocked"

    def _own(self, ref: TaskRef, fact: Fact) -> str:
        if fact.word == "spread":
            return self._gathered(ref, fact)
        if fact.word != "nested":
            return "ready" if fact.word == "open" else fact.word
        child = self.jobs[fact.child or ""]
        state = self.job_state(child)
        if state == "completed":
            return "done"
        return "failed" if state in OVER and not child.dragged else "spread"

    def _gathered(self, ref: TaskRef, fact: Fact) -> str:
        job = self.jobs[ref.job]
        states = [self.state(TaskRef(ref.job, key)) for key in job.children(ref.key)]
        need = job.node(ref.key).need
        if len(states) - states.count("failed") < (len(states) if need is None else need):
            return "failed"
        return "done" if all(state in FINISHED for state in states) else "spread"

    def job_state(self, job: Job) -> str:
        if job.over is not None:
            return "cancelled" if job.over == "cancelled" else "failed"
        weights = set(self._weights(job))
        if not weights:
            nodes = [self.state(TaskRef(job.spec.id, key)) for key in job.facts if "/" not in key]
            return "failed" if "failed" in nodes else "completed"
        if job.paused:
            return "paused"
        return "waiting" if weights == {"parked"} else "running" if job.started else "pending"

    def _weights(self, job: Job) -> Iterator[str]:
        """Of each task that keeps its job going: it can move, is at a provider's, or waits otherwise."""
        for key, fact in job.facts.items():
            state = self.state(TaskRef(job.spec.id, key))
            if state in ("ready", "running"):
                yield "live"
            elif state == "parked":
                yield "abroad" if fact.attended else "parked"
            elif state == "spread" and fact.child:
                child = self.jobs[fact.child]
                there = set(self._weights(child))
                waits = self.job_state(child) == "waiting"
                yield "parked" if waits else "live" if "live" in there or "abroad" not in there else "abroad"

    def pass_time(self, now: datetime) -> None:
        """It is later. What had nothing to do here has as much time left as it had."""
        for job in self.jobs.values():
            state = self.job_state(job)
            stands = state in ("waiting", "paused") or "live" not in self._weights(job)
            if job.deadline_at is not None and state not in OVER and stands:
                job.deadline_at += now - self.now
        self.now = now

    def states(self) -> dict[TaskRef, str]:
        return {ref: self.state(ref) for ref in self.refs()}

    def job_states(self) -> dict[str, str]:
        return {name: self.job_state(job) for name, job in self.jobs.items()}

    def claimable(self, ref: TaskRef) -> bool:
        due = self.fact(ref).due
        ready = self.state(ref) == "ready" and (due is None or due <= self.now)
        return ready and self.job_state(self.jobs[ref.job]) in ("pending", "running", "waiting")

    def owner(self, job: Job) -> TaskRef | None:
        """The task that this job decides, unless that has another one now or waits to run again."""
        if job.parent is None or self.fact(job.parent).child != job.spec.id:
            return None
        decided = self.state(job.parent) in ("spread", "done", "failed", "cancelled")
        return job.parent if decided else None

    def tree(self, id: str) -> Iterator[Job]:
        """The job and those nested in it, parents first."""
        job = self.jobs[id]
        yield job
        for fact in job.facts.values():
            if fact.child is not None:
                yield from self.tree(fact.child)

    # What claims do

    def create_job(self, spec: JobSpec, parent: TaskRef | None = None) -> None:
        deadline = None if spec.deadline is None else self.now + spec.deadline
        paused = parent is not None and self.job_state(self.jobs[parent.job]) == "paused"
        facts = {node.name: Fact() for node in spec.nodes}
        self.jobs[spec.id] = Job(spec, parent, deadline, facts, paused)

    def claim(self, claim: Claim) -> None:
        fact = self.fact(claim.task)
        fact.become("running")
        fact.token, fact.holder, fact.attempt = claim.token, claim.holder, fact.attempt + 1
        self.jobs[claim.task.job].started = True

    def held(self, claim: Claim) -> Fact:
        known = self.jobs[claim.task.job].facts.get(claim.task.key)
        if known is None or known.token != claim.token:
            raise ClaimLost
        return known

    def extend(self, claim: Claim) -> None:
        self.held(claim)

    def save(self, claim: Claim, name: str, value: str) -> str:
        return self.held(claim).notes.setdefault(name, value)

    def succeed(self, claim: Claim, output: str, input_hash: str | None) -> None:
        fact = self.held(claim)
        fact.become("done")
        fact.output, fact.hash = output, input_hash

    def fail(self, claim: Claim, retry_at: datetime | None) -> None:
        fact = self.held(claim)
        fact.tries += 1
        fact.become("failed" if retry_at is None else "open", retry_at)

    def skip(self, claim: Claim) -> None:
        self.held(claim).become("skipped")

    def snooze(self, claim: Claim, until: datetime) -> None:
        self.held(claim).become("open", until)

    def park(self, claim: Claim, signal: str, until: datetime | None) -> None:
        fact = self.held(claim)
        if f"signal:{signal}" in fact.notes:
            fact.become("open", self.now)
        else:
            fact.become("parked", until, signal)

    def spread(self, claim: Claim, items: Sequence[str], offset: int, *, last: bool) -> None:
        fact, job = self.held(claim), self.jobs[claim.task.job]
        node = job.node(claim.task.key)
        if not node.mapped or claim.task.index is not None or offset != fact.written:
            raise Conflict
        for index in range(offset, offset + len(items)):
            job.facts.setdefault(f"{node.name}/{index}", Fact()).due = self.now
        fact.written += len(items)
        if not last:
            return
        for key in job.children(node.name)[fact.written :]:
            del job.facts[key]
        if (node.need or 0) > fact.written:
            fact.become("failed")
            return
        fact.become("spread")
        fact.opened = True
        for key in job.children(node.name):
            job.facts[key].due = self.now

    def nest(self, claim: Claim, spec: JobSpec) -> None:
        fact = self.held(claim)
        if self.jobs[claim.task.job].node(claim.task.key).mapped and claim.task.index is None:
            raise Conflict
        self.create_job(spec, claim.task)
        fact.become("nested")
        fact.child = spec.id

    # What people do, and the clock

    def cancel(self, id: str) -> None:
        state = self.job_state(self.jobs[id])
        if state in ("completed", "failed"):
            raise Conflict
        for job in [one for one in self.tree(id) if self.job_state(one) not in OVER]:
            job.over = "cancelled"
            unfinished = [key for key in job.facts if self.state(TaskRef(job.spec.id, key)) not in FINISHED]
            for key in unfinished:
                job.facts[key].become("cancelled")

    def pause(self, id: str) -> None:
        if self.job_state(self.jobs[id]) in OVER:
            raise Conflict
        for job in self.tree(id):
            job.paused = self.job_state(job) not in OVER

    def resume(self, id: str) -> None:
        if self.job_state(self.jobs[id]) != "paused":
            raise Conflict
        for job in self.tree(id):
            job.paused = False

    def signal(self, ref: TaskRef, name: str, value: str) -> bool:
        fact = self.fact(ref)
        if self.state(ref) in FINISHED:
            raise Conflict
        first = f"signal:{name}" not in fact.notes
        fact.notes.setdefault(f"signal:{name}", value)
        if first and self.state(ref) == "parked" and fact.signal == name:
            fact.become("open", self.now)
        return first

    def let_go(self, holders: set[str], limit: int | None) -> None:
        """These are dead (with a limit on how often that may be so), or have stopped in order."""
        for ref in self.refs():
            fact = self.fact(ref)
            if fact.word == "running" and fact.holder in holders:
                fact.reclaims += limit is not None
                fact.become("failed" if limit is not None and fact.reclaims > limit else "open", self.now)

    def expire(self) -> None:
        late = [job for job in self.jobs.values() if job.deadline_at and job.deadline_at <= self.now]
        for job in sorted(late, key=lambda job: (job.deadline_at, job.spec.id)):
            if self.job_state(job) not in OVER:
                self._end_late(job)
        for ref in self.refs():
            fact, state = self.fact(ref), self.job_state(self.jobs[ref.job])
            due = fact.due is not None and fact.due <= self.now
            if self.state(ref) == "parked" and due and state not in (*OVER, "paused"):
                fact.become("open", self.now)

    def _end_late(self, late: Job) -> None:
        for job in [one for one in self.tree(late.spec.id) if self.job_state(one) not in OVER]:
            job.over, job.dragged = "late", job is not late
            for fact in job.facts.values():
                if fact.word == "running":
                    fact.become("open", self.now)

    def retry(self, id: str) -> None:
        job = self.jobs[id]
        before = self.job_states()
        if self._called_off(job) or before[id] == "completed" or not self._revive(job, before):
            raise Conflict
        self._reopen(job, before, self.states())

    def _revive(self, job: Job, before: dict[str, str]) -> bool:
        if before[job.spec.id] in ("cancelled", "completed"):
            return False
        late = job.over == "late"
        revived = [key for key in job.facts if self._revive_nested(job, key, before)]
        plain = [key for key in job.facts if self._revivable(job, key)]
        for key in plain:
            fact = job.facts[key]
            fact.become("open", self.now)
            fact.tries = fact.reclaims = 0
            fact.child = None
        if revived or plain or late:
            self._open_again(job, before)
        return bool(revived or plain or late)

    def _revive_nested(self, job: Job, key: str, before: dict[str, str]) -> bool:
        ref, fact = TaskRef(job.spec.id, key), job.facts[key]
        if fact.child is None or self.state(ref) not in ("spread", "failed") or self._in_done_map(ref):
            return False
        if not self._revive(self.jobs[fact.child], before):
            return False
        fact.word = "nested"
        return True

    def _revivable(self, job: Job, key: str) -> bool:
        ref = TaskRef(job.spec.id, key)
        return self.state(ref) == "failed" and not job.facts[key].opened and not self._in_done_map(ref)

    def _in_done_map(self, ref: TaskRef) -> bool:
        return ref.index is not None and self.state(TaskRef(ref.job, ref.node)) == "done"

    def _called_off(self, job: Job) -> bool:
        """Whether the job, or one that it decides something in, is cancelled."""
        owner = self.owner(job)
        return job.over == "cancelled" or (owner is not None and self._called_off(self.jobs[owner.job]))

    def redo(self, id: str, keys: Sequence[str]) -> None:
        job, before, states = self.jobs[id], self.job_states(), self.states()
        if self._called_off(job):
            raise Conflict
        named = {key: None for name in keys for key in self._targets(job, name, states)}
        nodes = {TaskRef(id, key).node for key in named}
        behind = self._behind(job, nodes, states)
        for node in nodes:
            ups = [up for up, optional in job.ups(node) if not optional]
            if any(states[TaskRef(id, up)] == "skipped" and up not in {*nodes, *behind} for up in ups):
                raise Conflict
        for key in named:
            self._reset(TaskRef(id, key), states, keep=False)
        self._reopen(job, before, states)
        for node in behind:
            self._reset_node(job, node, states | dict.fromkeys((TaskRef(id, key) for key in named), "open"))

    def _targets(self, job: Job, key: str, states: dict[TaskRef, str]) -> list[str]:
        ref, fact = TaskRef(job.spec.id, key), self.fact(TaskRef(job.spec.id, key))
        if states[ref] not in ("done", "failed", "skipped"):
            raise Conflict
        children = [one for one in job.children(key) if states[TaskRef(ref.job, one)] in FINISHED]
        return (children if fact.opened else []) or [key]

    def _behind(self, job: Job, moved: set[str], states: dict[TaskRef, str]) -> list[str]:
        """Nodes that follow from these and have begun, or are skipped for no other reason."""
        found: list[str] = []
        for node in job.spec.nodes:  # the histories here name upstreams first
            ups, state = job.ups(node.name), states[TaskRef(job.spec.id, node.name)]
            again = {*moved, *found}
            stays = any(
                states[TaskRef(job.spec.id, up)] == "skipped" and not optional and up not in again
                for up, optional in ups
            )
            touched = any(up in again for up, _ in ups) and not node.skipped
            if touched and state != "blocked" and not (state == "skipped" and stays):
                found.append(node.name)
        return found

    def _reset_node(self, job: Job, node: str, states: dict[TaskRef, str]) -> None:
        for key in (node, *job.children(node)):
            child = job.facts[key].child
            self._reset(TaskRef(job.spec.id, key), states, keep=True)
            state = self.job_state(self.jobs[child]) if child else "completed"
            if child and state != "completed":
                job.facts[key].child = None
                if state not in OVER:
                    self.cancel(child)

    def _reset(self, ref: TaskRef, states: dict[TaskRef, str], *, keep: bool) -> None:
        old = self.fact(ref)
        used = bool(old.attempt) or states[ref] in FINISHED
        made = states[ref] == "done" and old.hash is not None
        kept = (old.output if made else old.kept) if keep else None
        self.jobs[ref.job].facts[ref.key] = Fact(
            due=self.now,
            revision=old.revision + used,
            kept=kept,
            child=old.child if keep else None,
            notes={} if used else old.notes,
        )

    def _reopen(self, job: Job, before: dict[str, str], states: dict[TaskRef, str]) -> None:
        owner = self.owner(job)
        if owner is not None:
            around = self.jobs[owner.job]
            self._reopen(around, before, states)
            if states[TaskRef(owner.job, owner.node)] == "done":
                for node in self._behind(around, {owner.node}, states):
                    self._reset_node(around, node, states)
        self._open_again(job, before)

    def _open_again(self, job: Job, before: dict[str, str]) -> None:
        """The deadline starts anew, also for those that stopped with this one."""
        job.deadline_at = None if job.spec.deadline is None else self.now + job.spec.deadline
        if before[job.spec.id] in OVER:
            job.paused = self._paused_around(job, before)
        if job.over == "late":
            job.over, job.dragged = None, False
            for fact in job.facts.values():
                if fact.child is not None and self.jobs[fact.child].dragged:
                    self._open_again(self.jobs[fact.child], before)

    def _paused_around(self, job: Job, before: dict[str, str]) -> bool:
        """Whether the nearest job around that was not over is paused; those in between open with this one."""
        if job.parent is None:
            return False
        state = before[job.parent.job]
        return self._paused_around(self.jobs[job.parent.job], before) if state in OVER else state == "paused"
