"""Tasks that have not started, or not finished, by a clock time.

Each rule keeps its next deadline, so an evaluation asks for those that have passed and for nothing else. A deadline
counts for the cycles of one data day: those whose logical date is in it, in the zone of the rule. There is one alarm
for a task and a data day, however many of its cycles are late.

A cycle without a run counts if Airflow's scheduler still owes it (``next_dagrun``): the scheduler is down, or kept
by ``max_active_runs``. If it has moved on nothing is due: the Dag was paused, or skips what it missed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain, groupby

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import watch
from taskops_provider.adapter.watch import DueInstance, GatedSpan
from taskops_provider.domain.alarms.kinds import DEADLINES, Kind
from taskops_provider.domain.alarms.times import Deadline
from taskops_provider.domain.states import TaskState
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.models import AlarmRule
from taskops_provider.services.alarms.message import shown_time
from taskops_provider.services.alarms.record import NewAlarm
from taskops_provider.services.alarms.stored_rules import rule_of
from taskops_provider.services.shared.task_keys import TaskKey

#: rules that one evaluation takes up; the rest is left to the next
AT_ONCE = 2000
#: a deadline that nobody looked at for this long is skipped
TOO_LATE = timedelta(days=1)

_DONE = ("success", "skipped", "removed")
#: names that a message lists
_NAMED = 3


Gated = Mapping[TaskKey, Sequence[GatedSpan]]
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class _MissedDeadline:
    """A deadline of a rule that has passed.

    :param span: the first moment of the data day, and that of the next day
    """

    rule_id: int
    rule: Rule
    deadline: Deadline
    at: datetime
    data_day: date
    span: Span


def missed_deadlines(session: Session, now: datetime) -> tuple[list[NewAlarm], dict[int, Rule]]:
    """Return alarms and their rules, and set the rules' next deadlines. One query for the rules, and two for each
    data day of a zone that a deadline has passed for.
    """
    rules: dict[int, Rule] = {}
    missed_by_day: dict[Span, dict[int, _MissedDeadline]] = defaultdict(dict)
    for row in _due_rules(session, now):
        rule = rule_of(row)
        if rule.problem is not None:
            row.next_due_at = None  # until somebody corrects it
            continue
        rules[row.id] = rule
        assert row.next_due_at is not None
        deadline, at = rule.due_by.deadline, row.next_due_at
        if now - at <= TOO_LATE:
            day = deadline.data_day(at)
            missed = _MissedDeadline(row.id, rule, deadline, at, day, deadline.span(day))
            missed_by_day[missed.span][row.id] = missed
        row.next_due_at = deadline.after(max(at, now - TOO_LATE))
    found = (_of_data_day(session, span, of_day) for span, of_day in missed_by_day.items())
    return list(chain.from_iterable(found)), rules


def _due_rules(session: Session, now: datetime) -> Sequence[AlarmRule]:
    is_due = (AlarmRule.kind.in_([kind.value for kind in DEADLINES]), AlarmRule.next_due_at <= now)
    # the first of each Dag, or project, then the second of each: very many on one keep no other waiting
    of_one = func.row_number().over(
        partition_by=(AlarmRule.dag_id, AlarmRule.project), order_by=(AlarmRule.next_due_at, AlarmRule.id)
    )
    query = (
        select(AlarmRule)
        .where(AlarmRule.enabled.is_(True), *is_due)
        .order_by(of_one, AlarmRule.next_due_at, AlarmRule.id)
        .limit(AT_ONCE)
    )
    return session.scalars(query).all()


def _of_data_day(session: Session, span: Span, missed: Mapping[int, _MissedDeadline]) -> list[NewAlarm]:
    rows = watch.at_deadline(session, list(missed), *span)
    gated = watch.gated_at(session, {row.dag_id for row in rows}, span[0]) if rows else {}
    rows.sort(key=_task_of)
    alarms = (_judge(missed[name[0]], list(cycles), gated) for name, cycles in groupby(rows, key=_task_of))
    return [alarm for alarm in alarms if alarm]


def _task_of(row: DueInstance) -> tuple[int, str, str]:
    return row.rule_id, row.dag_id, row.task_id


def _judge(missed: _MissedDeadline, rows: Sequence[DueInstance], gated: Gated) -> NewAlarm | None:
    """Judge the cycles of one task."""
    cycles = _late_cycles(missed, rows, gated)
    if not cycles:
        return None
    first = min(cycles)
    late = cycles[first]
    return NewAlarm(
        rule_id=missed.rule_id,
        dag_id=rows[0].dag_id,
        task_id=rows[0].task_id,
        run_id=late.run_id if late else None,
        data_time=first,
        parts=("day", missed.data_day, missed.deadline.at),
        what=_what(missed, late, sorted(cycles)),
        at=missed.at,
    )


def _late_cycles(
    missed: _MissedDeadline, rows: Sequence[DueInstance], gated: Gated
) -> dict[datetime, DueInstance | None]:
    """Return the cycles that are late, each with its instance; one that the scheduler owes has none."""
    is_late = _is_not_finished if missed.rule.kind is Kind.NOT_FINISHED_BY else _is_not_started
    runs: dict[str, DueInstance] = {}
    for row in rows:
        # gated is None if the run has no instance of the task: it came with a later version
        if row.gated is False and row.run_id is not None and is_late(row, missed.at):
            runs.setdefault(row.run_id, row)
    cycles: dict[datetime, DueInstance | None] = {
        row.logical_date: row for row in runs.values() if row.logical_date is not None
    }
    owed = _owed_cycle(rows[0], missed, gated)
    if owed:
        cycles.setdefault(owed, None)
    return cycles


def _what(missed: _MissedDeadline, late: DueInstance | None, cycles: Collection[datetime]) -> str:
    verb = "Not finished" if missed.rule.kind is Kind.NOT_FINISHED_BY else "Not started"
    deadline = missed.deadline
    clock = f"{deadline.at:%H:%M} {deadline.zone.key}"
    what = f"{verb} by {shown_time(missed.at)} ({clock}), data day {missed.data_day}"
    if late is None:
        what += ": its run has not been made"
    elif late.state:
        what += f": it is {late.state}"
    if len(cycles) > 1:
        named = ", ".join(shown_time(cycle) for cycle in list(cycles)[:_NAMED])
        what += f"; {len(cycles)} cycles are late: {named}{', ...' if len(cycles) > _NAMED else ''}"
    return what


def _is_not_finished(row: DueInstance, passed: datetime) -> bool:
    if row.state not in _DONE:
        return True
    # the monitor may look later than at the deadline
    return row.state == "success" and row.end_date is not None and row.end_date > passed


def _is_not_started(row: DueInstance, passed: datetime) -> bool:
    if row.start_date is not None:
        return row.start_date > passed
    return row.state not in _DONE


def _owed_cycle(row: DueInstance, missed: _MissedDeadline, gated: Gated) -> datetime | None:
    """Return the cycle of the data day that the scheduler owes a task that is scheduling, if there is one."""
    owed, create_after = row.next_dagrun, row.next_dagrun_create_after
    first, last = missed.span
    if owed is None or create_after is None or create_after > missed.at or not first <= owed < last:
        return None
    if row.task_state != TaskState.SCHEDULING or row.is_paused or row.draining_since is not None:
        return None
    if row.effective_to is not None and row.effective_to < owed:
        return None
    spans = (*gated.get((row.dag_id, row.task_id), ()), *gated.get((row.dag_id, ""), ()))
    if any(one.from_at <= create_after and (one.to_at is None or one.to_at > create_after) for one in spans):
        return None
    return owed
