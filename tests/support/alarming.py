"""Alarm rules made, instances that do something, and the monitor's and the sender's turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.models import AlarmDelivery, AlarmEvent
from taskops_provider.monitor.sender import Sender
from taskops_provider.services import alarm_watch
from taskops_provider.services.actor import Actor
from taskops_provider.services.alarm_changes import create_rule
from tests.support.instances import run_id_of
from tests.support.warehouse import ALICE

OPS = {"addresses": ["ops@example.com"]}


def rule(session: Session, target: str, kind: str = "failed", *, actor: Actor = ALICE, **given: Any) -> int:
    """``rule(session, "orders.clean", level=2)``; a name without a dot is a workflow, ``bundle:x`` a project.

    It is made an hour ago, and tells ops@example.com unless told otherwise.
    """
    on: dict[str, Any]
    if target.startswith("bundle:"):
        on = {"project": target.removeprefix("bundle:")}
    else:
        on = dict(zip(("dag_id", "task_id"), target.split(".", 1), strict=False))
    given = {**on, "kind": kind, "recipients": OPS, **given}
    made = create_rule(session, actor, given, given.pop("now", ago(hours=1)))
    session.commit()
    return int(made["rule_id"])


def ago(**delta: float) -> datetime:
    """A moment before now."""
    return datetime.now(UTC) - timedelta(**delta)


def became(session: Session, name: str, state: str, number: int = 0, at: datetime | None = None, **values: Any) -> None:
    """Have an instance of ``write_runs`` end, as the API server writes it: ``became(s, "orders.clean", "failed")``."""
    dag_id, task_id = name.split(".", 1)
    at = at or datetime.now(UTC)
    values = {"state": state, "start_date": at - timedelta(minutes=2), "end_date": at, "updated_at": at, **values}
    of = (TI.dag_id == dag_id, TI.run_id == run_id_of(number))
    session.execute(update(TI).where(*of, TI.task_id == task_id).values(values))
    session.execute(
        update(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == of[1].right.value).values(updated_at=at)
    )
    session.commit()


def look(session: Session, now: datetime | None = None) -> bool:
    """One turn of the monitor's step."""
    session.expire_all()
    did = alarm_watch.step(session, now or datetime.now(UTC))
    session.commit()
    return did


def send(now: datetime | None = None) -> None:
    """One turn of the sender, to its end."""
    sender = Sender(interval=1)
    assert sender.run_once(now, waits=True)
    sender.close()


def events(session: Session) -> list[AlarmEvent]:
    """All firings, the oldest first."""
    session.expire_all()
    return list(session.scalars(select(AlarmEvent).order_by(AlarmEvent.id)))


def deliveries(session: Session) -> list[AlarmDelivery]:
    """All messages, the oldest first."""
    session.expire_all()
    return list(session.scalars(select(AlarmDelivery).order_by(AlarmDelivery.id)))
