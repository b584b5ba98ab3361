"""What calls have cost, grouped; and what going on and taking over have saved.

Two statements, whatever there is to be counted: one over the calls, one over the tasks that took a result
over. Both find the job that people started above each job by climbing, and look at nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    text,
    union_all,
)

from genlock.ledger import schema
from genlock.ledger.spending import By, CallFilter, Cost

Span = tuple[int | None, int | None]  # from, and before

_call, _job, _task, _event = schema.call.c, schema.job.c, schema.task.c, schema.event.c
_DAY = 86_400_000_000
_SETTLED = "settled"
_KEPT = "task.kept"


def fitting(where: CallFilter) -> list[ColumnElement[bool]]:
    """What a filter asks of calls."""
    asked = _of_jobs(where, _call.job)
    if where.task is not None:
        asked += [_call.job == where.task.job, _call.task == where.task.key]
    if where.states:
        asked.append(_call.state.in_(sorted(state.value for state in where.states)))
    if where.vendor is not None:
        asked.append(_call.vendor == where.vendor)
    return asked


def _of_jobs(where: CallFilter, job: ColumnElement[str]) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    if where.job is not None:
        asked.append(job.in_(select(_tree_of(where.job).c.job)) if where.tree else job == where.job)
    if where.owner is not None:
        asked.append(job.in_(select(_job.id).where(_job.owner == where.owner)))
    return asked


def _tree_of(job: str | BindParameter[str]) -> CTE:
    top = select(_job.id.label("job")).where(_job.id == job).cte("tree_of", recursive=True)
    nested = schema.job.alias("nested_in")
    return top.union_all(select(nested.c.id).join(top, nested.c.parent_job == top.c.job))


def _occasions() -> Select[Any]:
    tree = select(_tree_of(bindparam("job_id")).c.job)
    of_tree = (_event.job.in_(tree), _event.at >= 0)  # by a time: else all of a job's history is read
    kept = exists().where(schema.IS_TURN, _event.kind == _KEPT, *of_tree)
    told: list[Any] = [exists().where(_call.job.in_(tree)).label("paid"), kept.label("kept")]
    return select(*told)


# Whether a job, with those nested in it, has made calls, and whether it has taken results over. Every look
# at a job asks what it has cost, and most have cost nothing: this is found in indexes.
OCCASIONS = _occasions()


def _within(at: ColumnElement[int], span: Span) -> list[ColumnElement[bool]]:
    since, until = span
    asked = [] if since is None else [at >= since]
    return asked if until is None else [*asked, at < until]


def costs(
    connection: Connection, by: By, where: CallFilter, span: Span, *, paid: bool = True, kept: bool = True
) -> list[Cost]:
    """Money by group and currency: most spent first, days in their order. `paid` and `kept` say whether
    there is anything to be counted of what was paid for, and of what was taken over.
    """
    found: dict[tuple[Any, str], list[int]] = defaultdict(lambda: [0] * 7)
    if paid:
        for group, currency, *sums in connection.execute(_paid(by, where, span)):
            found[group, currency][:6] = [int(number or 0) for number in sums]
    if kept:
        for group, currency, saved in connection.execute(_reused(by, where, span)):
            found[group, currency][6] = int(saved or 0)
    told = [Cost(_told(by, group), currency, *sums) for (group, currency), sums in found.items()]
    if by is By.DAY:
        return sorted(told, key=lambda cost: (cost.group, cost.currency))
    return sorted(told, key=lambda cost: (-cost.spent, cost.group, cost.currency))


def _told(by: By, group: Any) -> str:
    if by is not By.DAY:
        return str(group)
    return f"{datetime.fromtimestamp(0, UTC) + timedelta(days=int(group)):%Y-%m-%d}"


def _paid(by: By, where: CallFilter, span: Span) -> Select[Any]:
    asked = [*fitting(where), *_within(_call.intended_at, span)]
    roots = _roots(select(_call.job).where(*asked).distinct().cte("picked"))
    broken = _interruptions(roots)
    groups: dict[By, ColumnElement[Any]] = {
        By.JOB: roots.c.root,
        By.STAGE: _call.node,
        By.VENDOR: _call.vendor,
        By.ADAPTER: _call.adapter,
        By.DAY: _day(_call.intended_at),
        By.OWNER: _job.owner,
    }
    before = and_(_call.state == _SETTLED, _call.ended_at < broken.c.at)
    return (
        select(
            groups[by].label("grp"),
            _call.currency,
            func.count(),
            func.sum(_call.spent),
            func.sum(_call.reserved),
            func.sum(case((_call.state == "doubt", _call.reserved), else_=0)),
            func.sum(_call.risk),
            func.sum(case((before, _call.spent - _call.risk), else_=0)),
        )
        .join(roots, roots.c.job == _call.job)
        .join(schema.job, _job.id == _call.job)
        .outerjoin(broken, broken.c.root == roots.c.root)
        .where(*asked)
        .group_by(text("1"), _call.currency)
    )


def _day(at: ColumnElement[int]) -> ColumnElement[int]:
    return at // literal(_DAY, BigInteger)


def _roots(jobs: CTE) -> CTE:
    """The job that is not nested above each of these."""
    climb = select(jobs.c.job.label("job"), jobs.c.job.label("place")).cte("climb", recursive=True)
    above = schema.job.alias("above")
    climb = climb.union_all(
        select(climb.c.job, above.c.parent_job)
        .join(above, above.c.id == climb.c.place)
        .where(above.c.parent_job.is_not(None))
    )
    top = schema.job.alias("top")
    found = select(climb.c.job, climb.c.place.label("root")).join(top, top.c.id == climb.c.place)
    return found.where(top.c.parent_job.is_(None)).cte("roots")


def _interruptions(roots: CTE) -> CTE:
    """When each of these jobs, or one nested in it, was interrupted last."""
    tree = select(roots.c.root.label("root"), roots.c.root.label("job")).distinct()
    family = tree.cte("family", recursive=True)
    nested = schema.job.alias("nested")
    family = family.union_all(
        select(family.c.root, nested.c.id).join(nested, nested.c.parent_job == family.c.job)
    )
    broken = select(family.c.root, func.max(_event.at).label("at")).join(
        schema.event, _event.job == family.c.job
    )
    kinds = _event.kind.in_(["task.reclaimed", "job.retried"])
    return broken.where(schema.IS_TURN, kinds).group_by(family.c.root).cte("broken")


def _reused(by: By, where: CallFilter, span: Span) -> Select[Any]:
    """What tasks took over, by their own group: what was settled for it where it was made."""
    kept = _taken_over(where, span)
    made = union_all(_own_earlier(kept), _of_others(kept)).cte("made")
    roots = _roots(select(made.c.job).distinct().cte("picked"))
    groups: dict[By, ColumnElement[Any]] = {
        By.JOB: roots.c.root,
        By.STAGE: _task.node,
        By.VENDOR: _call.vendor,
        By.ADAPTER: _call.adapter,
        By.DAY: _day(made.c.at),
        By.OWNER: _job.owner,
    }
    asked: list[ColumnElement[bool]] = [_call.state == _SETTLED]
    if where.vendor is not None:
        asked.append(_call.vendor == where.vendor)
    if where.states:
        asked.append(literal("settled").in_(sorted(state.value for state in where.states)))
    return (
        select(groups[by].label("grp"), _call.currency, func.sum(_call.spent - _call.risk))
        .select_from(made)
        .join(
            schema.call,
            and_(
                _call.job == made.c.of_job,
                _call.task == made.c.of_task,
                _call.revision == made.c.of_revision,
            ),
        )
        .join(roots, roots.c.job == made.c.job)
        .join(schema.job, _job.id == made.c.job)
        .join(schema.task, and_(_task.job == made.c.job, _task.key == made.c.task))
        .where(*asked)
        .group_by(text("1"), _call.currency)
    )


def _taken_over(where: CallFilter, span: Span) -> CTE:
    """Tasks that took a result over, each once, and when they first did."""
    asked = _of_jobs(where, _event.job)
    if where.task is not None:
        asked += [_event.job == where.task.job, _event.task == where.task.key]
    first = func.min(_event.at)
    found = select(_event.job, _event.task, first.label("at")).where(
        schema.IS_TURN, _event.kind == _KEPT, *asked
    )
    since, until = span
    found = found.group_by(_event.job, _event.task)
    if since is not None:
        found = found.having(first >= since)
    if until is not None:
        found = found.having(first < until)
    return found.cte("kept")


def _own_earlier(kept: CTE) -> Select[Any]:
    """A result of its own that it kept: of the newest revision before that paid for anything."""
    ours = and_(
        _call.job == kept.c.job,
        _call.task == kept.c.task,
        _call.state == _SETTLED,
        _call.ended_at <= kept.c.at,
    )
    return (
        select(
            kept.c.job,
            kept.c.task,
            kept.c.at,
            kept.c.job.label("of_job"),
            kept.c.task.label("of_task"),
            cast(func.max(_call.revision), BigInteger).label("of_revision"),
        )
        .join(schema.call, ours)
        .group_by(kept.c.job, kept.c.task, kept.c.at)
    )


def _of_others(kept: CTE) -> Select[Any]:
    """What another task shared for the same inputs: of the first that paid for it."""
    taker, own, shared = schema.task.alias("taker"), schema.call.alias("own"), schema.shared.c
    first = _first_maker()
    has_own = exists().where(
        own.c.job == kept.c.job,
        own.c.task == kept.c.task,
        own.c.state == _SETTLED,
        own.c.ended_at <= kept.c.at,
    )
    return (
        select(
            kept.c.job,
            kept.c.task,
            kept.c.at,
            shared.job.label("of_job"),
            first.label("of_task"),
            _newest_paid(first).label("of_revision"),
        )
        .join(taker, and_(taker.c.job == kept.c.job, taker.c.key == kept.c.task))
        .join(schema.shared, shared.input_hash == taker.c.input_hash)
        .where(~has_own)
    )


def _first_maker() -> ScalarSelect[Any]:
    """Of the tasks of the sharing job with these inputs, the one whose call was settled first."""
    maker, paid, shared = schema.task.alias("maker"), schema.call.alias("paid"), schema.shared.c
    found = select(maker.c.key).join(paid, and_(paid.c.job == maker.c.job, paid.c.task == maker.c.key))
    same = (maker.c.job == shared.job, maker.c.input_hash == shared.input_hash, paid.c.state == _SETTLED)
    first = found.where(*same).order_by(paid.c.ended_at, maker.c.id).limit(1)
    return first.correlate(schema.shared).scalar_subquery()


def _newest_paid(task: ScalarSelect[Any]) -> ScalarSelect[Any]:
    newest, shared = schema.call.alias("newest"), schema.shared.c
    found = select(func.max(newest.c.revision)).where(
        newest.c.job == shared.job, newest.c.task == task, newest.c.state == _SETTLED
    )
    return found.correlate(schema.shared).scalar_subquery()
