"""Whether the installation is in order: tables, gate, pools, index, monitor, drains."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import inspect, select, text
from sqlalchemy.orm import Session

from taskops_provider.adapter import gate_state
from taskops_provider.adapter.dag_state import unfinished_run_counts
from taskops_provider.domain.gate import GATE_POOLS
from taskops_provider.exceptions import NotMigrated
from taskops_provider.models import Lease, Setting, Workflow, metadata
from taskops_provider.models.db_manager import REVISION_HEADS_MAP, TaskOpsDBManager
from taskops_provider.services import alarm_health
from taskops_provider.services.actor import Actor
from taskops_provider.services.index_watermark import REFRESHED_AT

MIGRATE = "TaskOps' tables are missing or old: run `airflow db migrate`"

#: an index that was not looked at for so long does not know new Dags
INDEX_IS_OLD_AFTER = timedelta(minutes=10)
#: a workflow that drains for so long has a run that does not end
DRAIN_IS_LONG_AFTER = timedelta(days=1)
#: in what the monitor says of itself: a step that fails
FAILING = "failing: "
#: draining workflows that are named
NAMED = 5


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    level: Level
    message: str

    def as_json(self) -> dict[str, Any]:
        """The check as every surface shows it."""
        return asdict(self)


def require_tables(session: Session) -> None:
    """Make sure that our tables are there and of this version: two queries that cannot fail.

    :raises NotMigrated: with what to do
    """
    if _revision(session) != head_revision():
        raise NotMigrated(MIGRATE)


def head_revision() -> str:
    """The revision that this version of the package works with."""
    return list(REVISION_HEADS_MAP.values())[-1]


def _revision(session: Session) -> str | None:
    table = TaskOpsDBManager.version_table_name
    if not inspect(session.connection()).has_table(table):
        return None
    return session.scalar(text(f"SELECT version_num FROM {table}"))


def check_health(session: Session, now: datetime, actor: Actor | None = None) -> list[Check]:
    """Look at everything; the rest is left out where our tables are not there.

    :param actor: whom it is shown to: Dags that they may not read are not named; None: whoever holds the database
    """
    readable = actor.permissions.readable() if actor else None
    tables = _tables(session)
    checks = [tables, _gate()]
    if tables.level is Level.OK:
        signs = signs_of_life(session, now)
        checks += [_pools(session), _index(signs), _monitor(signs, with_note=readable is None)]
        checks.append(_drains(session, now, readable))
        checks.append(_alarms(session, now, with_errors=readable is None))
    return checks


@dataclass(frozen=True)
class Signs:
    """Signs of life of what works in the background.

    :param monitor: who the monitor is, or was; empty where none ever was, or the last one ended properly
    :param monitor_seen: for how long it has not been seen
    :param monitor_runs: whether that is nothing to worry about
    :param refreshed: for how long the index has not been refreshed; None: it never was
    """

    monitor: str
    monitor_seen: timedelta | None
    monitor_runs: bool
    monitor_note: str
    refreshed: timedelta | None

    @property
    def index_is_old(self) -> bool:
        """Whether new Dags are unknown."""
        return self.refreshed is None or self.refreshed > INDEX_IS_OLD_AFTER


def signs_of_life(session: Session, now: datetime) -> Signs:
    """Look at the monitor and at the index: two queries."""
    value = session.scalar(select(Setting.value).where(Setting.project == "", Setting.name == REFRESHED_AT))
    refreshed = None if value is None else now - datetime.fromisoformat(value)
    lease = session.execute(
        select(Lease.holder, Lease.renewed_at, Lease.expires_at, Lease.note).where(Lease.name == "monitor")
    ).first()
    if lease is None:
        return Signs("", None, False, "", refreshed)
    return Signs(lease.holder, now - lease.renewed_at, lease.expires_at > now, lease.note or "", refreshed)


def _tables(session: Session) -> Check:
    revision = _revision(session)
    if revision != head_revision():
        return Check("tables", Level.ERROR, MIGRATE)
    there = set(inspect(session.connection()).get_table_names())
    missing = sorted(set(metadata.tables) - there)
    if missing:
        return Check("tables", Level.ERROR, f"missing: {', '.join(missing)}; restore them from a backup")
    return Check("tables", Level.OK, f"at revision {revision}")


def _gate() -> Check:
    if not gate_state.policy_is_registered():
        return Check("gate", Level.ERROR, "the cluster policy is not registered: install airflow-provider-taskops anew")
    if not gate_state.hook_is_asked():
        return Check(
            "gate", Level.ERROR, "Airflow does not ask the cluster policy: airflow_local_settings turned the hook off"
        )
    return Check("gate", Level.OK, "the cluster policy is loaded (in this process)")


def _pools(session: Session) -> Check:
    slots = gate_state.slots_of_pools(session, list(GATE_POOLS.values()))
    opened = [f"{name} has {count}" for name, count in sorted(slots.items()) if count != 0]
    if opened:
        told = f"gated tasks can execute: {', '.join(opened)} slots, not 0; the monitor mends it"
        return Check("pools", Level.ERROR, told)
    missing = sorted(set(GATE_POOLS.values()) - set(slots))
    if missing:
        return Check("pools", Level.WARNING, f"missing: {', '.join(missing)}; the monitor makes them")
    return Check("pools", Level.OK, f"{len(slots)} gate pools without slots")


def _index(signs: Signs) -> Check:
    if signs.refreshed is None:
        return Check("index", Level.WARNING, "never refreshed: run `airflow taskops sync`")
    told = f"refreshed {_ago(signs.refreshed)}"
    if signs.index_is_old:
        return Check("index", Level.WARNING, f"{told}: new Dags are unknown; see to the monitor")
    return Check("index", Level.OK, told)


def _monitor(signs: Signs, *, with_note: bool) -> Check:
    if signs.monitor_seen is None:
        return Check(
            "monitor",
            Level.ERROR,
            "none runs: gated instances wait. It runs in the API server, or by `airflow taskops monitor`",
        )
    seen = _ago(signs.monitor_seen)
    if not signs.monitor_runs:
        return Check("monitor", Level.ERROR, f"none runs: gated instances wait. {signs.monitor} was last seen {seen}")
    level = Level.WARNING if FAILING in signs.monitor_note else Level.OK
    # an error may name what somebody may not read
    note = signs.monitor_note if with_note else signs.monitor_note.partition(FAILING)[0].rstrip("; ")
    return Check("monitor", level, "; ".join(filter(None, (f"{signs.monitor}, seen {seen}", note))))


def _drains(session: Session, now: datetime, readable: frozenset[str] | None) -> Check:
    query = (
        select(Workflow.dag_id, Workflow.draining_since)
        .where(Workflow.draining_since.is_not(None))
        .order_by(Workflow.draining_since)
    )
    if readable is not None:
        query = query.where(Workflow.dag_id.in_(readable))
    rows = session.execute(query).all()
    if not rows:
        return Check("drains", Level.OK, "no workflow is draining")
    named = rows[:NAMED]
    runs = unfinished_run_counts(session, [row.dag_id for row in named])
    told = ", ".join(f"{row.dag_id} (runs left: {runs.get(row.dag_id, 0)})" for row in named)
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    longest = now - rows[0].draining_since
    level = Level.WARNING if longest > DRAIN_IS_LONG_AFTER else Level.OK
    return Check("drains", level, f"{len(rows)} draining, the longest since {span(longest)}: {told}{more}")


def _alarms(session: Session, now: datetime, *, with_errors: bool) -> Check:
    found = alarm_health.messages(session, now)
    told = [
        f"{one.channel} fails: {plural(one.waiting, 'message')} tried in vain since {span(now - one.since)}"
        # an error may name what somebody may not read
        + (f" ({one.error})" if with_errors and one.error else "")
        for one in found.failing
    ]
    if found.uncertain:
        told.append(f"{plural(found.uncertain, 'message')} may or may not have gone out in the last day")
    if found.failed:
        told.append(f"{plural(found.failed, 'message')} given up in the last day")
    if found.stuck:
        told.append(f"{plural(found.stuck, 'message')} due and nobody sends: see to the monitor")
    if told:
        return Check("alarms", Level.WARNING, "; ".join(told))
    return Check(
        "alarms", Level.OK, f"{plural(found.rules, 'enabled rule')}, {plural(found.waiting, 'message')} waiting"
    )


def plural(count: int, one: str) -> str:
    """``1 message``, ``2 messages``."""
    return f"{count} {one}{'' if count == 1 else 's'}"


def _ago(time: timedelta) -> str:
    return f"{span(time)} ago"


def span(time: timedelta) -> str:
    """A span of time in its two largest units: ``2 h 5 min``."""
    seconds = max(int(time.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
