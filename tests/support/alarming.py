"""Alarm rules made, instances that do something, and the monitor's and the sender's turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.inputs.alarms.rule import RuleChange, RuleCreate
from taskops_provider.models import AlarmDelivery, AlarmEvent
from taskops_provider.monitor.sender import Sender
from taskops_provider.services.alarms.answers import RuleAnswer
from taskops_provider.services.alarms.evaluate import evaluate
from taskops_provider.services.alarms.rule_changes import create_rule, update_rule
from taskops_provider.services.shared.actor import Actor
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
    now = given.pop("now", None) or ago(hours=1)
    made = create(session, actor, {**on, "kind": kind, "recipients": OPS, **given}, now)
    session.commit()
    return made.rule_id


def create(session: Session, actor: Actor, given: dict[str, Any], now: datetime) -> RuleAnswer:
    """Make a rule of what a REST body has; the name of a channel may stand in its place."""
    if "channels" in given:
        given["channels"] = [{"channel": one} if isinstance(one, str) else one for one in given["channels"]]
    return create_rule(session, actor, RuleCreate.read(given).rule(), now)


def change(session: Session, actor: Actor, rule_id: int, changes: dict[str, Any], now: datetime) -> RuleAnswer:
    """Change a rule as a REST body says."""
    return update_rule(session, actor, rule_id, RuleChange.model_validate(changes), now)


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
    did = evaluate(session, now or datetime.now(UTC))
    session.commit()
    return did


def send(now: datetime | None = None) -> None:
    """One turn of the sender, to its end."""
    sender = Sender(interval=1)
    assert sender.run_once(now)
    sender.wait()
    sender.close()


def alarms(session: Session) -> list[AlarmEvent]:
    """All alarms, the oldest first."""
    session.expire_all()
    return list(session.scalars(select(AlarmEvent).order_by(AlarmEvent.id)))


def deliveries(session: Session) -> list[AlarmDelivery]:
    """All messages, the oldest first."""
    session.expire_all()
    return list(session.scalars(select(AlarmDelivery).order_by(AlarmDelivery.id)))
