"""Instances that run longer than a rule allows: so many minutes, or so many percent over the average."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from taskops_provider.adapter import watch
from taskops_provider.adapter.watch import WatchedInstance
from taskops_provider.inputs.alarms.parameters import LongerThanAverage, LongerThanMinutes
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.services.alarms.record import NewAlarm
from taskops_provider.services.alarms.stored_rules import load_rules
from taskops_provider.services.shared.durations import span
from taskops_provider.services.shared.task_keys import TaskKey, chunks, is_one_of

#: an average of fewer says nothing (a rule may ask for fewer)
FEWEST = 3


def running_too_long(session: Session, now: datetime, limit: int) -> tuple[list[NewAlarm], dict[int, Rule]]:
    """Return alarms and their rules. The queries do not depend on how many rules there are: one for what runs, one
    for rules, one for the history of every 400 tasks that run and are compared with it.
    """
    rows = watch.running(session, limit)
    if not rows:
        return [], {}
    rules = load_rules(session, {row.rule_id for row in rows})
    rows = [row for row in rows if row.rule_id in rules]
    history = _history(session, rows, rules)
    return [alarm for row in rows if (alarm := _judge(row, rules[row.rule_id], history, now))], rules


def _history(session: Session, rows: Sequence[WatchedInstance], rules: dict[int, Rule]) -> dict[TaskKey, list[float]]:
    """Return the last durations of the tasks whose rules compare with them."""
    compared = [
        (row, parameters.last)
        for row in rows
        if isinstance(parameters := rules[row.rule_id].parameters, LongerThanAverage)
    ]
    found: dict[TaskKey, list[float]] = {}
    for chunk in chunks({(row.dag_id, row.task_id) for row, _ in compared}):
        most = max(last for _, last in compared)
        found |= watch.last_durations(session, is_one_of(*watch.instance_names(), chunk), most)
    return found


def _judge(row: WatchedInstance, rule: Rule, history: dict[TaskKey, list[float]], now: datetime) -> NewAlarm | None:
    assert row.start_date is not None
    ran = now - row.start_date
    allowed = _allowed(rule, history.get((row.dag_id, row.task_id), []))
    if allowed is None or ran <= allowed[0]:
        return None
    limit, why = allowed
    return NewAlarm.of_instance(row, f"Runs for {span(ran)}; {why}", row.start_date + limit)


def _allowed(rule: Rule, durations: list[float]) -> tuple[timedelta, str] | None:
    """Return how long an instance may run, also in words; None if too few runs say what is usual."""
    parameters = rule.parameters
    if isinstance(parameters, LongerThanMinutes):
        return timedelta(minutes=parameters.minutes), f"allowed are {parameters.minutes} min"
    assert isinstance(parameters, LongerThanAverage)
    last = durations[: parameters.last]
    if len(last) < min(FEWEST, parameters.last):
        return None
    average = sum(last) / len(last)
    usual = span(timedelta(seconds=average))
    why = f"{parameters.percent} % over the average of the last {len(last)} ({usual}) are allowed"
    return timedelta(seconds=average * (1 + parameters.percent / 100)), why
