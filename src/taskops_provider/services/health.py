"""Whether the installation is in order: Airflow's version, tables, gate, pools, index, monitor, drains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import inspect, or_, select, text
from sqlalchemy.orm import Session

from taskops_provider.adapter import gate_state
from taskops_provider.adapter.compatibility import drains_in_airflow
from taskops_provider.adapter.coverage import LiveScheduler
from taskops_provider.adapter.dag_state import unfinished_run_counts
from taskops_provider.adapter.internals import missing_internals
from taskops_provider.airflow_versions import TRIED, airflow_version, is_tried, version_problem
from taskops_provider.domain.gate import GATE_POOLS
from taskops_provider.domain.text import plural
from taskops_provider.exceptions import BadInput, NotMigrated
from taskops_provider.models import Workflow, metadata
from taskops_provider.models.db_manager import REVISION_HEADS_MAP, TaskOpsDBManager
from taskops_provider.services.alarms.channels import released_channels
from taskops_provider.services.alarms.health import DeliveryHealth, delivery_health
from taskops_provider.services.catalog.renamed import renamed_tasks
from taskops_provider.services.gate.coverage import escaped_runs, scheduler_coverage
from taskops_provider.services.index.watermark import REFRESHED_AT
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.durations import span
from taskops_provider.services.shared.monitor_life import UNINSTALLED, monitor_life
from taskops_provider.services.shared.watermarks import read_watermark

MIGRATE = "TaskOps' tables are missing or old: run `airflow db migrate`"

#: an index that was not looked at for so long does not know new Dags
INDEX_IS_OLD_AFTER = timedelta(minutes=10)
#: a workflow that drains for so long has a run that does not end
DRAIN_IS_LONG_AFTER = timedelta(days=1)
#: in what the monitor says of itself: a step that fails
FAILING = "failing: "
_BAD_CHANNELS = "[taskops] alarm_channels is not valid"
#: draining workflows that are named
NAMED = 5


class CheckLevel(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    level: CheckLevel
    message: str


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
    revision: str | None = session.scalar(text(f"SELECT version_num FROM {table}"))
    return revision


def check_health(session: Session, now: datetime, actor: Actor | None = None) -> list[Check]:
    """Look at everything; the rest is left out where our tables are not there.

    :param actor: whom it is shown to: Dags that they may not read are not named; None: whoever holds the database
    """
    readable = actor.permissions.readable() if actor else None
    # the text of an error may name what somebody may not read, and have hosts and addresses of connections
    with_errors = readable is None and (actor is None or actor.permissions.may_read_connections())
    # hosts and process ids are what Airflow shows of its jobs
    with_host = actor is None or actor.permissions.may_read_jobs()
    tables = _tables(session)
    checks = [_airflow(), tables, _gate()]
    if tables.level is CheckLevel.OK:
        signs = signs_of_life(session, now)
        checks.append(_coverage(session, now, actor, with_host=with_host))
        checks += [_pools(session), _index(signs), _monitor(signs, with_note=with_errors, with_host=with_host)]
        checks.append(_drains(session, now, actor))
        checks += _renames(session, readable)
        checks.append(_alarms(session, now, actor, reads_all=readable is None, with_errors=with_errors))
    return checks


@dataclass(frozen=True)
class SignsOfLife:
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


def signs_of_life(session: Session, now: datetime) -> SignsOfLife:
    """Look at the monitor and at the index: two queries."""
    value = read_watermark(session, REFRESHED_AT)
    refreshed = None if value is None else now - datetime.fromisoformat(value)
    monitor = monitor_life(session, now)
    if monitor is None:
        return SignsOfLife("", None, False, "", refreshed)
    runs = monitor.runs and monitor.holder != UNINSTALLED
    return SignsOfLife(monitor.holder, now - monitor.renewed_at, runs, monitor.note, refreshed)


def _airflow() -> Check:
    version = airflow_version()
    if is_tried(version):
        return Check("airflow", CheckLevel.OK, f"version {version}: TaskOps was tried with {' and '.join(TRIED)}")
    problem = version_problem()
    missing = missing_internals()
    if not missing:
        return Check("airflow", CheckLevel.WARNING, f"{problem}; it has every name that TaskOps uses")
    more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
    return Check("airflow", CheckLevel.ERROR, f"{problem}; it lacks {', '.join(missing[:NAMED])}{more}")


def _tables(session: Session) -> Check:
    revision = _revision(session)
    if revision != head_revision():
        return Check("tables", CheckLevel.ERROR, MIGRATE)
    there = set(inspect(session.connection()).get_table_names())
    missing = sorted(set(metadata.tables) - there)
    if missing:
        return Check("tables", CheckLevel.ERROR, f"missing: {', '.join(missing)}; restore them from a backup")
    return Check("tables", CheckLevel.OK, f"at revision {revision}")


def _gate() -> Check:
    if trouble := gate_state.trouble():
        works = gate_state.policy_is_registered() and gate_state.hook_is_asked()
        return Check("gate", CheckLevel.WARNING if works else CheckLevel.ERROR, trouble)
    others = gate_state.other_policies()
    also = f"; before it Airflow asks {', '.join(others.before)}" if others.before else ""
    return Check("gate", CheckLevel.OK, f"the cluster policy is loaded (in this process){also}")


def _coverage(session: Session, now: datetime, actor: Actor | None, *, with_host: bool) -> Check:
    found = scheduler_coverage(session, now)
    escaped = escaped_runs(session, now, actor)
    told = [
        f"{_scheduler(one, with_host=with_host)} is not known to have the gate: install airflow-provider-taskops there "
        "and restart it"
        for one in found.uncovered
    ]
    told += [f"{_scheduler(one, with_host=with_host)}: {one.trouble}" for one in found.troubled]
    if escaped.runs:
        named = ", ".join(
            f"{run.dag_id} {run.run_id} (by {run.created_by if with_host else run.created_by.partition(' on ')[0]})"
            for run in escaped.newest
        )
        told.append(
            f"{plural(escaped.runs, 'run')} of the last day created by a process without the gate, of stopped tasks "
            f"{plural(escaped.gated, 'instance')} gated in time and {escaped.executed} executed: {named}"
        )
    if told:
        error = found.uncovered or found.troubled
        return Check("coverage", CheckLevel.ERROR if error else CheckLevel.WARNING, "; ".join(told))
    versions = sorted({one.version for one in found.covered if one.version})
    if not versions:
        return Check("coverage", CheckLevel.OK, "no scheduler runs")
    by = f"{plural(len(found.covered), 'scheduler')} with the gate, TaskOps {', '.join(versions)}"
    if len(versions) > 1:
        return Check("coverage", CheckLevel.WARNING, f"{by}: install the same version everywhere")
    return Check("coverage", CheckLevel.OK, by)


def _scheduler(one: LiveScheduler, *, with_host: bool) -> str:
    return f"the scheduler on {one.host} (job {one.job_id})" if with_host else f"a scheduler (job {one.job_id})"


def _pools(session: Session) -> Check:
    slots = gate_state.slots_of_pools(session, list(GATE_POOLS.values()))
    opened = [f"{name} has {count}" for name, count in sorted(slots.items()) if count != 0]
    if opened:
        told = f"gated tasks can execute: {', '.join(opened)} slots, not 0; the monitor mends it"
        return Check("pools", CheckLevel.ERROR, told)
    missing = sorted(set(GATE_POOLS.values()) - set(slots))
    if missing:
        return Check("pools", CheckLevel.WARNING, f"missing: {', '.join(missing)}; the monitor makes them")
    return Check("pools", CheckLevel.OK, f"{len(slots)} gate pools without slots")


def _index(signs: SignsOfLife) -> Check:
    if signs.refreshed is None:
        return Check("index", CheckLevel.WARNING, "never refreshed: run `airflow taskops sync`")
    told = f"refreshed {_ago(signs.refreshed)}"
    if signs.index_is_old:
        return Check("index", CheckLevel.WARNING, f"{told}: new Dags are unknown; see to the monitor")
    return Check("index", CheckLevel.OK, told)


def _monitor(signs: SignsOfLife, *, with_note: bool, with_host: bool) -> Check:
    if signs.monitor_seen is None:
        return Check(
            "monitor",
            CheckLevel.ERROR,
            "none runs: gated instances wait. It runs in the API server, or by `airflow taskops monitor`",
        )
    if signs.monitor == UNINSTALLED:
        return Check("monitor", CheckLevel.ERROR, "TaskOps is being uninstalled: `airflow taskops uninstall --stay`")
    seen = _ago(signs.monitor_seen)
    if not signs.monitor_runs:
        last = signs.monitor if with_host else "One"
        return Check("monitor", CheckLevel.ERROR, f"none runs: gated instances wait. {last} was last seen {seen}")
    level = CheckLevel.WARNING if FAILING in signs.monitor_note else CheckLevel.OK
    # an error may name what somebody may not read
    note = signs.monitor_note if with_note else signs.monitor_note.partition(FAILING)[0].rstrip("; ")
    runs = f"{signs.monitor}, seen {seen}" if with_host else f"runs, seen {seen}"
    return Check("monitor", level, "; ".join(filter(None, (runs, note))))


def _drains(session: Session, now: datetime, actor: Actor | None) -> Check:
    query = (
        select(Workflow.dag_id, Workflow.draining_since)
        .where(or_(Workflow.draining_since.is_not(None), drains_in_airflow(Workflow.dag_id)))
        .order_by(Workflow.draining_since.is_(None), Workflow.draining_since)
    )
    if actor and (readable := actor.permissions.readable()) is not None:
        query = query.where(Workflow.dag_id.in_(readable))
    rows = session.execute(query).all()
    if not rows:
        return Check("drains", CheckLevel.OK, "no workflow is draining")
    named = rows[:NAMED]
    counted = [row.dag_id for row in named if actor is None or actor.may_read_runs(row.dag_id)]
    runs = unfinished_run_counts(session, counted)
    left = {dag_id: f" (runs left: {runs.get(dag_id, 0)})" for dag_id in counted}
    told = ", ".join(f"{row.dag_id}{left.get(row.dag_id, '')}" for row in named)
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    if rows[0].draining_since is None:  # Airflow does not keep since when a Dag drains
        return Check("drains", CheckLevel.OK, f"{len(rows)} draining: {told}{more}")
    longest = now - rows[0].draining_since
    level = CheckLevel.WARNING if longest > DRAIN_IS_LONG_AFTER else CheckLevel.OK
    return Check("drains", level, f"{len(rows)} draining, the longest since {span(longest)}: {told}{more}")


def _renames(session: Session, readable: frozenset[str] | None) -> list[Check]:
    """Stopped tasks whose Dag has another one since that looks like them; nothing where there are none."""
    found = renamed_tasks(session, readable)
    if not found:
        return []
    told = "; ".join(
        f"{one.task_id} of {one.dag_id}, {one.state}, is no longer in the Dag, and {one.new_task_id}, "
        "of the same type, came since and executes"
        for one in found[:NAMED]
    )
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return [Check("renames", CheckLevel.WARNING, f"{told}{more}. Stop the new task too if it is the same")]


def _alarms(session: Session, now: datetime, actor: Actor | None, *, reads_all: bool, with_errors: bool) -> Check:
    try:
        released_channels()
    except BadInput as error:
        return Check("alarms", CheckLevel.ERROR, f"no alarm is sent: {error if with_errors else _BAD_CHANNELS}")
    # to read every rule takes long where there are very many: it is done for who can mend them
    found = delivery_health(session, now, reads_rules=actor is None or actor.permissions.may_change_settings())
    if not reads_all:
        # channels and numbers are of rules on Dags that somebody may not read, too
        if found.is_well:
            return Check("alarms", CheckLevel.OK, "messages go out")
        return Check("alarms", CheckLevel.WARNING, "some messages did not go out: an administrator sees which")
    told = [
        f"{one.channel} fails: {plural(one.waiting, 'message')} tried in vain since {span(now - one.since)}"
        # an error may name what somebody may not read
        + (f" ({one.error})" if with_errors and one.error else "")
        for one in found.failing
    ]
    told += _about_rules(found, actor)
    if found.uncertain:
        told.append(f"{plural(found.uncertain, 'message')} may or may not have gone out in the last day")
    if found.failed:
        told.append(f"{plural(found.failed, 'message')} given up in the last day")
    if found.stuck:
        told.append(f"{plural(found.stuck, 'message')} due and nobody sends: see to the monitor")
    if told:
        return Check("alarms", CheckLevel.WARNING, "; ".join(told))
    return Check(
        "alarms", CheckLevel.OK, f"{plural(found.rules, 'enabled rule')}, {plural(found.waiting, 'message')} waiting"
    )


def _about_rules(found: DeliveryHealth, actor: Actor | None) -> Iterable[str]:
    """Yield what is the matter with enabled rules."""
    if found.set_aside:
        rules = plural(found.set_aside, "enabled rule")
        yield f"{rules} with channels that are not released: nothing is sent by them"
    if found.broken:
        yield f"{plural(found.broken, 'enabled rule')} not valid any more, and set aside"
    # who has an address is for those who may read addresses
    if found.silent and (actor is None or actor.permissions.may_read_addresses()):
        reach = "reaches" if found.silent == 1 else "reach"
        yield f"{plural(found.silent, 'enabled rule')} {reach} nobody: none of the recipients has an address"


def _ago(time: timedelta) -> str:
    return f"{span(time)} ago"
