"""Instances that run longer than a rule allows: so many minutes, or so many percent over the average."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from taskops_provider.adapter import watch
from taskops_provider.domain.alarms import Rule
from taskops_provider.services.alarm_fire import Firing, load_rules
from taskops_provider.services.health import span
from taskops_provider.services.pairs import Pair, chunks, matches

#: an average of fewer says nothing (a rule may ask for fewer)
FEWEST = 3


def too_long(session: Session, now: datetime, limit: int) -> tuple[list[Firing], dict[int, Rule]]:
    """Return firings and their rules. The queries do not depend on how many rules there are: one for what runs, one
    for rules, one for the history of every 400 tasks that run and are compared with it.
    """
    rows = watch.running(session, limit)
    if not rows:
        return [], {}
    rules = load_rules(session, {row.rule_id for row in rows})
    compared = [row for row in rows if "percent" in rules[row.rule_id].parameters]
    history = _history(session, compared, rules) if compared else {}
    return [found for row in rows if (found := _judged(row, rules[row.rule_id], history, now))], rules


def _history(session: Session, rows: list[Any], rules: dict[int, Rule]) -> dict[Pair, list[float]]:
    last = max(rules[row.rule_id].parameters["last"] for row in rows)
    found: dict[Pair, list[float]] = {}
    for chunk in chunks({(row.dag_id, row.task_id) for row in rows}):
        found |= watch.last_durations(session, matches(*watch.instance_names(), chunk), last)
    return found


def _judged(row: Any, rule: Rule, history: dict[Pair, list[float]], now: datetime) -> Firing | None:
    ran = now - row.start_date
    if "minutes" in rule.parameters:
        minutes = rule.parameters["minutes"]
        limit, why = timedelta(minutes=minutes), f"allowed are {minutes} min"
    else:
        last, percent = rule.parameters["last"], rule.parameters["percent"]
        durations = history.get((row.dag_id, row.task_id), [])[:last]
        if len(durations) < min(FEWEST, last):
            return None
        average = sum(durations) / len(durations)
        limit = timedelta(seconds=average * (1 + percent / 100))
        told = span(timedelta(seconds=average))
        why = f"{percent} % over the average of the last {len(durations)} ({told}) are allowed"
    if ran <= limit:
        return None
    return Firing(
        rule_id=row.rule_id,
        dag_id=row.dag_id,
        task_id=row.task_id,
        run_id=row.run_id,
        map_index=row.map_index,
        attempt=row.attempt,
        data_time=row.logical_date,
        parts=(row.run_id, row.map_index, row.attempt),
        what=f"Runs for {span(ran)}; {why}",
        at=row.start_date + limit,
    )
