"""Alarms for the pages to show: rules of several kinds, and what they fired, with messages in each state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

#: kind -> what is said of a firing of it
_SAID = {
    "failed": "It failed, and is not tried again",
    "not_finished_by": "It has not finished by 08:00 Europe/Berlin",
    "running_longer_than": "It has been running for 2 h 10 min, longer than 90 minutes",
    "succeeded": "It succeeded",
}


def ordinary(session: Any) -> None:
    """Write what a team has."""
    from tests.support.alarming import rule

    quiet = {"from": "22:00", "to": "06:00", "zone": "Europe/Berlin", "except_level": 3}
    people = {"owners": True, "users": [], "addresses": ["ops@example.com"]}
    escalation = {"after": 60, "recipients": {"users": ["carol"]}}
    failed = rule(
        session, "orders", name="Orders must not fail", level=3, recipients=people, channels=["email", "chat"],
        quiet_hours=quiet, repeat={"minutes": 30, "max": 5}, escalation=escalation,
    )  # fmt: skip
    due = {"time": "08:00", "zone": "Europe/Berlin", "days": 1}
    late = rule(session, "orders.load", "not_finished_by", level=2, parameters=due, recipients=people)
    long = rule(session, "sales.sum", "running_longer_than", parameters={"minutes": 90})
    rule(session, "orders.extract", "succeeded", enabled=False, name="Is the source there?")
    now = datetime.now(UTC)
    sent, waiting = ("sent", None), ("waiting", "[Errno 111] Connection refused")
    # the oldest first, as they come
    for hours, rule_id, kind, level, name, messages, more in reversed((
        (1, failed, "failed", 3, "orders.clean", [sent, sent, waiting], {"unreachable": ["data-team"]}),
        (2, late, "not_finished_by", 2, "orders.load", [("uncertain", "the answer was lost")], {"repeats": 2}),
        (5, long, "running_longer_than", 1, "sales.sum", [], {"held_until": now + timedelta(hours=3)}),
        (20, failed, "failed", 3, "orders.load", [sent], {"escalated_at": now - timedelta(hours=19)}),
        (30, late, "not_finished_by", 2, "orders.load", [sent, ("failed", "550 no such user")], _confirmed(now)),
        (50, failed, "failed", 3, "orders.extract", [sent, sent], _confirmed(now)),
    )):  # fmt: skip
        _fired(session, now - timedelta(hours=hours), rule_id, kind, level, name, messages, more)
    session.commit()


def crowd(session: Any, number: int) -> None:
    """Write very many alarms of one task with a long name."""
    from tests.support.alarming import rule
    from tests.support.furnished import BACKLOG

    rule_id = rule(session, f"{BACKLOG}.average_per_station_07", "succeeded", name="Every station, every hour " * 6)
    now = datetime.now(UTC)
    for hours in reversed(range(number)):
        name = f"{BACKLOG}.average_per_station_07"
        _fired(session, now - timedelta(hours=hours), rule_id, "succeeded", 1, name, [("sent", None)] * 3, {})
    session.commit()


def _confirmed(now: datetime) -> dict[str, Any]:
    return {"confirmed_at": now - timedelta(hours=1), "confirmed_by": "ann"}


def _fired(
    session: Any,
    at: datetime,
    rule_id: int,
    kind: str,
    level: int,
    name: str,
    messages: list[tuple[str, str | None]],
    more: dict[str, Any],
) -> None:
    from taskops_provider.models import AlarmDelivery, AlarmEvent
    from tests.support.instances import run_id_of

    dag_id, task_id = name.split(".")
    data_time = at.replace(hour=0, minute=0, second=0, microsecond=0)
    facts = {
        "rule_id": rule_id, "rule": "", "kind": kind, "level": level, "project": "", "dag_id": dag_id,
        "task_id": task_id, "run_id": run_id_of(1), "map_index": -1, "data_time": data_time.isoformat(),
        "what": _SAID[kind], "at": at.isoformat(), "fired_at": at.isoformat(), "owners": ["ann", "data-team"],
    }  # fmt: skip
    event = AlarmEvent(
        rule_id=rule_id, key=f"{kind}{name}{at.timestamp()}"[:64], dag_id=dag_id, task_id=task_id, run_id=run_id_of(1),
        map_index=-1, data_time=data_time, kind=kind, level=level, facts=facts, fired_at=at,
        **{"unreachable": [], **more},
    )  # fmt: skip
    session.add(event)
    session.flush()
    for number, (state, error) in enumerate(messages):
        session.add(
            AlarmDelivery(
                event_id=event.id, rule_id=rule_id, why="firing", channel_key="email:", content={},
                channel={"channel": "email", "connection": None, "args": {}}, state=state, last_error=error,
                recipient=("ann@example.com", "ops@example.com", "carol@example.com")[number],
                attempts=7 if error else 1, created_at=at, next_attempt_at=at, expires_at=at + timedelta(days=1),
                ended_at=at + timedelta(seconds=2) if state in ("sent", "failed") else None,
            )
        )  # fmt: skip
