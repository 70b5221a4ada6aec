"""A small warehouse of Dags for tests of operations, and shorthand to operate on it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG, Asset
from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.operations.plan import Plan
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Downstream, Verb
from taskops_provider.inputs.operation import Options, Request
from taskops_provider.models import Task
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from tests.support.airflow_db import write_dags

ALICE = Actor("alice", "cli", UnrestrictedPermissions())
BOB = Actor("bob", "api", UnrestrictedPermissions())
START = datetime(2026, 1, 1, tzinfo=UTC)


class Limited:
    """Permissions of a user who may read and edit some Dags only."""

    def __init__(self, readable: Collection[str], editable: Collection[str] = ()):
        self._readable = frozenset(readable)
        self._editable = set(editable)

    def readable(self) -> frozenset[str]:
        return self._readable

    def editable(self, dag_ids: Collection[str]) -> set[str]:
        return set(dag_ids) & self._editable

    def deletable(self, dag_ids: Collection[str]) -> set[str]:
        return self.editable(dag_ids)

    def may_change_settings(self) -> bool:
        return False

    def may_read_instances(self, dag_id: str) -> bool:
        return dag_id in self._readable

    def may_read_runs(self, dag_id: str) -> bool:
        return dag_id in self._readable

    def instances_readable(self) -> frozenset[str]:
        return self._readable

    def runs_readable(self) -> frozenset[str]:
        return self._readable

    def dependencies_readable(self) -> frozenset[str]:
        return self._readable

    def may_read_assets(self) -> bool:
        return True

    def may_read_versions(self, dag_id: str) -> bool:
        return dag_id in self._readable

    def may_read_users(self) -> bool:
        return False

    def may_read_addresses(self) -> bool:
        return False

    def may_read_connections(self) -> bool:
        return False

    def may_read_configuration(self) -> bool:
        return False

    def may_read_jobs(self) -> bool:
        return False

    def may_change_instances(self, dag_id: str) -> bool:
        return dag_id in self._editable

    def may_change_runs(self, dag_id: str) -> bool:
        return dag_id in self._editable

    def may_create_runs(self, dag_id: str) -> bool:
        return dag_id in self._editable


def bash(task_id: str, **kwargs: Any) -> BashOperator:
    """A task that would do next to nothing."""
    return BashOperator(task_id=task_id, bash_command="true", **kwargs)


def chain(dag_id: str, *task_ids: str, schedule: Any = "@daily", owner: str = "ann", **kwargs: Any) -> DAG:
    """A Dag whose tasks run one after the other."""
    with DAG(dag_id, schedule=schedule, start_date=START, catchup=False, **kwargs) as dag:
        tasks = [bash(task_id, owner=owner) for task_id in task_ids]
        for up, down in itertools.pairwise(tasks):
            up >> down
    return dag


def retail() -> list[DAG]:
    """Orders -> (sensor) sales, sales -> (asset) mart, mart -> (trigger) report."""
    mart_table = Asset("s3://warehouse/sales")
    with DAG("orders", schedule="@hourly", start_date=START, catchup=False) as orders:
        bash("extract", owner="ann") >> bash("clean", owner="ann,bob") >> bash("load", owner="bob")
    with DAG("sales", schedule="@hourly", start_date=START, catchup=False) as sales:
        ExternalTaskSensor(task_id="wait", external_dag_id="orders", external_task_id="load") >> bash(
            "sum", outlets=[mart_table]
        )
    with DAG("mart", schedule=[mart_table], start_date=START, catchup=False) as mart:
        bash("build") >> TriggerDagRunOperator(task_id="report_now", trigger_dag_id="report")
    with DAG("report", schedule=None, start_date=START) as report:
        bash("render") >> bash("send")
    return [orders, sales, mart, report]


def install(session: Session, dags: Iterable[DAG], *, bundle_version: str | None = None) -> None:
    """Write Dags as the dag-processor does and read them into the index."""
    write_dags(dags, session, bundle_version=bundle_version)
    index_refresh.refresh(session, datetime.now(UTC))
    session.commit()


def request(verb: str, *names: str, **options: Any) -> Request:
    """``request("pause", "orders.clean", downstream="run")``; a name without a dot is a workflow."""
    scope = Scope.TASK if "." in names[0] else Scope.WORKFLOW
    targets = tuple(Target(*name.split(".", 1)) for name in names)
    if isinstance(options.get("downstream"), str):
        options["downstream"] = Downstream(options["downstream"])
    if isinstance(options.get("owners"), list):
        options["owners"] = tuple(options["owners"])
    return Request(Verb(verb), scope, targets, Options(**options))


def operate(
    session: Session, verb: str, *names: str, actor: Actor = ALICE, now: datetime | None = None, **options: Any
) -> Plan:
    """Apply an operation in a transaction of its own, and commit."""
    session.commit()
    plan = apply_operation(session, actor, request(verb, *names, **options), now=now)
    session.commit()
    return plan


def stored(session: Session, dag_id: str) -> dict[str, str]:
    """Task id -> stored state."""
    session.expire_all()
    query = select(Task.task_id, Task.state).where(Task.dag_id == dag_id).order_by(Task.task_id)
    return {row.task_id: row.state for row in session.execute(query)}


def outcomes(plan: Plan) -> dict[str, str]:
    """``dag.task`` -> outcome."""
    return {
        f"{i.dag_id}.{i.task_id}" if i.task_id else i.dag_id: i.outcome.value
        for i in plan.items
        if i.outcome.value != "side_effect"
    }


def later(**delta: float) -> datetime:
    """A moment after now."""
    return datetime.now(UTC) + timedelta(**delta)
