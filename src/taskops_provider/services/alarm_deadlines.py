"""Tasks that have not started, or not finished, by a clock time.

Each rule keeps its next deadline, so a look asks for those that have passed and for nothing else. A deadline counts
for the cycles of one data day: those whose logical date is in it, in the zone of the rule. There is one firing for a
task and a data day, however many of its cycles are late.

A cycle without a run counts where Airflow's scheduler still owes it (``next_dagrun``): the scheduler is down, or kept
by ``max_active_runs``. Where it has moved on nothing is due: the Dag was paused, or skips what it missed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.adapter import watch
from taskops_provider.domain.alarm_times import Deadline
from taskops_provider.domain.alarms import DEADLINES, Kind, Rule
from taskops_provider.domain.states import TaskState
from taskops_provider.models import AlarmRule
from taskops_provider.services.alarm_fire import Firing, rule_of
from taskops_provider.services.alarm_message import shown_time
from taskops_provider.services.pairs import Pair

#: rules that one look takes up; the rest is left to the next
AT_ONCE = 2000
#: a deadline that nobody looked at for so long is passed over
TOO_LATE = timedelta(days=1)

_DONE = ("success", "skipped", "removed")
#: names that a message lists
_NAMED = 3


def late(session: Session, now: datetime) -> tuple[list[Firing], dict[int, Rule]]:
    """Return firings and their rules, and set the rules' next deadlines. One query for the rules, and one for each
    data day of a zone that a deadline has passed for.
    """
    query = (
        select(AlarmRule)
        .where(
            AlarmRule.enabled.is_(True), AlarmRule.kind.in_([k.value for k in DEADLINES]), AlarmRule.next_due_at <= now
        )
        .order_by(AlarmRule.next_due_at)
        .limit(AT_ONCE)
    )
    due: dict[tuple[datetime, datetime], dict[int, tuple[Rule, datetime]]] = defaultdict(dict)
    rules: dict[int, Rule] = {}
    for row in session.scalars(query):
        rules[row.id] = rule = rule_of(row)
        deadline = rule.deadline()
        passed = row.next_due_at
        assert passed is not None
        if now - passed <= TOO_LATE:
            due[deadline.span(deadline.data_day(passed))][row.id] = (rule, passed)
        row.next_due_at = deadline.after(max(passed, now - TOO_LATE))
    firings: list[Firing] = []
    for (first, last), passed_by in due.items():
        rows = watch.at_deadline(session, list(passed_by), first, last)
        gated = watch.gated_at(session, {row.dag_id for row in rows}, first) if rows else {}
        rows.sort(key=_group)
        for (rule_id, _dag_id, _task_id), cycles in groupby(rows, key=_group):
            rule, passed = passed_by[rule_id]
            found = _late(rule_id, rule, passed, list(cycles), gated, (first, last))
            if found:
                firings.append(found)
    return firings, rules


def _group(row: Any) -> tuple[int, str, str]:
    return row.rule_id, row.dag_id, row.task_id


def _late(
    rule_id: int,
    rule: Rule,
    passed: datetime,
    rows: Collection[Any],
    gated: dict[Pair, list[Any]],
    span: tuple[datetime, datetime],
) -> Firing | None:
    """Judge the cycles of one task."""
    is_late = _not_finished if rule.kind is Kind.NOT_FINISHED_BY else _not_started
    runs: dict[str, Any] = {}
    for row in rows:
        # gated is None where the run has no instance of the task: it came with a later version
        if row.gated is not None and not row.gated and is_late(row, passed):
            runs.setdefault(row.run_id, row)
    cycles = {row.logical_date: row for row in runs.values()}
    owed = _owed(next(iter(rows)), passed, span, gated)
    if owed and owed not in cycles:
        cycles[owed] = None
    if not cycles:
        return None
    first = min(cycles)
    row = cycles[first] or next(iter(rows))
    verb = "Not finished" if rule.kind is Kind.NOT_FINISHED_BY else "Not started"
    day = rule.deadline().data_day(passed)
    what = f"{verb} by {shown_time(passed)} ({_clock(rule.deadline())}), data day {day}"
    if cycles[first] is None:
        what += ": its run has not been made"
    elif cycles[first].state:
        what += f": it is {cycles[first].state}"
    if len(cycles) > 1:
        named = ", ".join(shown_time(cycle) for cycle in sorted(cycles)[:_NAMED])
        what += f"; {len(cycles)} cycles are late: {named}{', ...' if len(cycles) > _NAMED else ''}"
    return Firing(
        rule_id=rule_id,
        dag_id=row.dag_id,
        task_id=row.task_id,
        run_id=cycles[first].run_id if cycles[first] else None,
        data_time=first,
        parts=("day", day, rule.deadline().at),
        what=what,
        at=passed,
    )


def _clock(deadline: Deadline) -> str:
    return f"{deadline.at:%H:%M} {deadline.zone.key}"


def _not_finished(row: Any, passed: datetime) -> bool:
    if row.state not in _DONE:
        return True
    # the monitor may look later than at the deadline
    return row.state == "success" and row.end_date is not None and bool(row.end_date > passed)


def _not_started(row: Any, passed: datetime) -> bool:
    if row.start_date is not None:
        return bool(row.start_date > passed)
    return row.state not in _DONE


def _owed(row: Any, passed: datetime, span: tuple[datetime, datetime], gated: dict[Pair, list[Any]]) -> datetime | None:
    """Return the cycle of the data day that the scheduler owes a task that is scheduling, if there is one."""
    owed, create_after = row.next_dagrun, row.next_dagrun_create_after
    if owed is None or create_after is None or create_after > passed or not span[0] <= owed < span[1]:
        return None
    if row.task_state != TaskState.SCHEDULING or row.is_paused or row.draining_since is not None:
        return None
    if row.effective_to is not None and row.effective_to < owed:
        return None
    intervals: Iterable[Any] = [*gated.get((row.dag_id, row.task_id), ()), *gated.get((row.dag_id, ""), ())]
    if any(one.from_at <= create_after and (one.to_at is None or one.to_at > create_after) for one in intervals):
        return None
    return owed
