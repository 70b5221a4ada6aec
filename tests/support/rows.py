"""Rows for the pages, without Dag files: what the index would hold, and Airflow's ``dag`` rows beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

BUNDLE = "retail"
NOW = datetime.now(UTC).replace(microsecond=0)
PERIODS = {
    "minute": "*/15 * * * *",
    "hour": "0 * * * *",
    "day": "30 2 * * *",
    "week": "0 6 * * 1",
    "month": "0 4 1 * *",
    "event": "Asset(s3://warehouse/sales)",
    "manual": None,
}
TYPES = ("BashOperator", "PythonOperator", "SQLExecuteQueryOperator", "ExternalTaskSensor", "EmptyOperator")
PEOPLE = ("ann", "bob", "chen.wei", "dilnoza", "erika.mustermann", "finance-data", "gülşen", "陈伟")


@dataclass
class Flow:
    """A workflow and its tasks.

    :param states: the stored state of each task, in turn
    :param past: how many runs it has had
    """

    dag_id: str
    name: str = ""
    folder: str = f"{BUNDLE}/ingest"
    period: str = "day"
    owners: tuple[str, ...] = ("ann",)
    states: tuple[str, ...] = ("scheduling",) * 3
    is_paused: bool = False
    draining: bool = False
    expired: bool = False
    tasks: tuple[str, ...] = ()
    reason: str | None = None
    resume_at: datetime | None = None
    project: str = BUNDLE
    past: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    def task_ids(self) -> tuple[str, ...]:
        """The names of its tasks."""
        return self.tasks or tuple(f"step_{number:02}" for number in range(len(self.states)))


def ordinary() -> list[Flow]:
    """What a team has: each status, some names that are hard to set."""
    long = "quarterly_reconciliation_of_intercompany_balances_and_fx_v2"
    assert len(long) >= 58
    return [
        Flow("customer_dim", folder=f"{BUNDLE}/warehouse/dimensions", period="event", owners=("ann", "bob")),
        Flow("customer_master", "Customer master data", states=("paused",) * 4, period="day"),
        Flow(
            "inventory_snapshot",
            period="minute",
            states=("scheduling",) * 5 + ("paused", "offline"),
            past=40,
            reason="vendor API is down, ticket OPS-4711",
            resume_at=NOW + timedelta(days=2),
        ),
        Flow(
            "month_end_close",
            folder=f"{BUNDLE}/reports/finance",
            period="month",
            owners=PEOPLE,
            states=("offline",) * 6,
            reason="replaced by quarterly_reconciliation",
        ),
        Flow("orders_hourly", period="hour", draining=True, states=("paused",) * 3),
        Flow("payments", "Payments / 支付结算", period="hour", owners=("陈伟", "chen.wei")),
        Flow("legacy_export", states=("scheduling",) * 2, expired=True, period="week", owners=("finance-data",)),
        Flow("promo_mixed", states=("paused", "offline", "paused"), period="manual", owners=("dilnoza",)),
        Flow("sales_mart", is_paused=True, folder=f"{BUNDLE}/warehouse/marts/sales", owners=("gülşen",)),
        Flow(
            long,
            "Quarterly reconciliation of intercompany balances and FX, v2",
            folder=f"{BUNDLE}/reports/finance/intercompany/reconciliation/quarterly",
            period="month",
            owners=("erika.mustermann", "finance-data", "ann", "bob"),
            tasks=("extract.ledger_balances_per_company_and_currency_from_sap_s4", "load", "notify"),
            states=("scheduling", "paused", "scheduling"),
            reason="waiting for the auditors",
        ),
        Flow("html_<b>bold</b>", "<script>alert(1)</script>", owners=("<i>x</i>",), states=("scheduling",)),
        Flow("empty_shell", states=()),
    ]


def crowd(number: int, tasks_each: int = 10) -> Iterator[Flow]:
    """Very many workflows."""
    periods = tuple(PERIODS)
    for i in range(number):
        cycle = i % 11
        states = ("paused",) if cycle == 3 else ("offline",) if cycle == 5 else ("scheduling",)
        yield Flow(
            f"domain_{i % 97:02}.feed_{i:05}",
            folder=f"{BUNDLE}/domain_{i % 97:02}/{('ingest', 'marts', 'reports')[i % 3]}",
            period=periods[i % len(periods)],
            owners=tuple(f"owner_{(i + k) % 40:02}" for k in range(1 + i % 5)),
            states=(*states * (tasks_each - 1), "scheduling" if cycle != 5 else "offline"),
            is_paused=cycle == 7,
        )


def write(flows: list[Flow], session: Any) -> None:
    """Insert the rows and commit."""
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from sqlalchemy import insert, select

    from taskops_provider.models import AssetRef, Owner, Task, Workflow

    for project in {flow.project for flow in flows}:
        if not session.scalar(select(DagBundleModel).where(DagBundleModel.name == project)):
            session.add(DagBundleModel(name=project))
    session.commit()
    for start in range(0, len(flows), 1000):
        part = flows[start : start + 1000]
        session.execute(insert(DagModel.__table__), [_dag(flow) for flow in part])
        if runs := _runs(part):
            session.execute(insert(DagRun.__table__), runs)
        session.execute(insert(Workflow), [_workflow(flow, start + n) for n, flow in enumerate(part)])
        for table, rows in ((Task, _tasks(part)), (Owner, _owners(part)), (AssetRef, _assets(part))):
            if rows:
                session.execute(insert(table), rows)
    session.commit()


def _runs(flows: list[Flow]) -> list[dict[str, Any]]:
    """Two runs on their way for each workflow that drains, and those that have ended."""
    return [
        *(_run(flow, number, "running") for flow in flows if flow.draining for number in range(2)),
        *(_run(flow, n, "success" if n % 7 else "failed") for flow in flows for n in range(1, flow.past + 1)),
    ]


def _run(flow: Flow, number: int, state: str) -> dict[str, Any]:
    """The run of some hours ago; how long it took goes up and down."""
    began = NOW - timedelta(hours=number)
    return {
        "dag_id": flow.dag_id,
        "run_id": f"scheduled__{number}",
        "run_type": "scheduled" if number % 5 else "manual",
        "state": state,
        "logical_date": began,
        "run_after": began,
        "start_date": NOW if state == "running" else began,
        "end_date": None if state == "running" else began + timedelta(seconds=60 + number * 37 % 240),
        "clear_number": 0,
    }


def _dag(flow: Flow) -> dict[str, Any]:
    file = f"{flow.folder.partition('/')[2]}/{abs(hash(flow.dag_id))}.py"
    return {
        "dag_id": flow.dag_id,
        "dag_display_name": flow.name or None,
        "is_paused": flow.is_paused,
        "is_stale": False,
        "bundle_name": flow.project,
        "fileloc": f"/dags/{file}",
        "relative_fileloc": file,
        "timetable_summary": PERIODS[flow.period],
        "max_active_tasks": 16,
        "max_active_runs": 16,
        "max_consecutive_failed_dag_runs": 0,
        "has_task_concurrency_limits": False,
        "has_import_errors": False,
    }


def _workflow(flow: Flow, number: int) -> dict[str, Any]:
    return {
        "dag_id": flow.dag_id,
        "display_name": flow.name or flow.dag_id,
        "project": flow.project,
        "folder": flow.folder,
        "schedule": PERIODS[flow.period],
        "timezone": "UTC",
        "period": flow.period,
        "first_submitted_at": NOW - timedelta(days=200, minutes=number),
        "last_submitted_at": NOW - timedelta(hours=number * 7 % 5000, minutes=number),
        "draining_since": NOW if flow.draining else None,
        "default_state": "scheduling",
        "is_present": True,
        **flow.extra,
    }


def _tasks(flows: list[Flow]) -> list[dict[str, Any]]:
    return [
        {
            "dag_id": flow.dag_id,
            "task_id": task_id,
            "display_name": task_id,
            "task_type": TYPES[number % len(TYPES)],
            "pool": "default_pool" if number % 3 else "warehouse",
            "queue": "default",
            "effective_from": NOW - timedelta(days=300),
            "effective_to": NOW - timedelta(days=3) if flow.expired else None,
            "first_submitted_at": NOW - timedelta(days=200),
            "last_submitted_at": NOW - timedelta(days=number),
            "first_run_at": NOW - timedelta(days=199) if number % 4 else None,
            "definition_hash": "",
            "state": state,
            "downstream": None if state == "scheduling" else "skip",
            "reason": flow.reason if state != "scheduling" else None,
            "resume_at": flow.resume_at if state == "paused" else None,
        }
        for flow in flows
        for number, (task_id, state) in enumerate(zip(flow.task_ids(), flow.states, strict=True))
    ]


def _owners(flows: list[Flow]) -> list[dict[str, Any]]:
    return [
        {"dag_id": flow.dag_id, "task_id": task_id, "owner": owner}
        for flow in flows
        for task_id in ("", *flow.task_ids())
        for owner in flow.owners
    ]


def _assets(flows: list[Flow]) -> list[dict[str, Any]]:
    return [
        {
            "dag_id": flow.dag_id,
            "task_id": task_ids[0],
            "direction": direction,
            "asset": f"s3://warehouse/{flow.dag_id}/{direction}",
        }
        for flow in flows
        if (task_ids := flow.task_ids())
        for direction in ("inlet", "outlet")
    ]
