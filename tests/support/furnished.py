"""What the pages are looked at with: Dags with a past and operations made on them, or very much of everything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support import alarm_rows, diagram_rows, replenishment_rows, rows
from tests.support.rows import Flow

#: names that are hard to set: as long as they get, and in other scripts
LONG = "reconciliation_of_intercompany_balances_and_fx_per_currency_"
OTHERS = (
    "每日销售汇总与库存对账",
    "تقرير المبيعات اليومي والمخزون",
    "Ежедневная сверка продаж и остатков",
    "日次売上集計と在庫照合",
    "매일 판매 집계와 재고 대조",
    "Ημερήσια συμφωνία πωλήσεων",
)
OWNERS = (*(f"owner_{number:02}" for number in range(37)), "陈伟", "أحمد", "Мария")
RUNS = 90
CROWDED = "crowded_diagram"
#: a daily Dag with a past that is worth replenishing, and an hourly one that missed 500 cycles of 40 tasks
GAPS, BACKLOG = "returns_daily", "sensor_readings"


def furnish(session: Any) -> None:
    """Write what a team has: rows of each status, and Dags of which runs, operations and downloads are known."""
    from tests.support.airflow_db import write_dags
    from tests.support.instances import START, write_runs
    from tests.support.warehouse import chain, install, retail

    install(session, [*retail(), chain(GAPS, *_GAPS_TASKS)])
    today = (datetime.now(UTC) - START).days
    _gaps(session, today)
    write_runs(session, "orders", ("extract", "clean", "load"), range(today - RUNS, today - 3))
    write_runs(session, "orders", ("extract", "clean", "load"), range(today - 3, today - 1), "failed")
    write_runs(session, "orders", ("extract", "clean", "load"), range(today - 1, today), "running")
    replenishment_rows.ordinary(session)
    alarm_rows.ordinary(session)
    _operate(session)
    _monitor(session)
    diagram_rows.shop(session)
    rows.write(rows.ordinary(), session)
    # Airflow's own page of a Dag needs a real one
    write_dags([chain("customer_dim", "step_00", "step_01", "step_02")], session)


_GAPS_TASKS = ("extract", "clean", "convert_currency", "load", "publish")


def _gaps(session: Any, today: int) -> None:
    """Write the last weeks of a Dag: most is done, a day failed, one was gated, one is running, two were never made."""
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance as TI
    from sqlalchemy import update

    from tests.support.instances import run_id_of, write_runs

    failed, gated, running = today - 6, today - 4, today - 1
    done = [day for day in range(today - 40, today - 2) if day not in (failed, gated, today - 3)]
    write_runs(session, GAPS, _GAPS_TASKS, [*done, gated])
    write_runs(session, GAPS, _GAPS_TASKS, [failed], "failed")
    write_runs(session, GAPS, _GAPS_TASKS, [running], "running")
    for day, tasks, values in (
        (failed, _GAPS_TASKS[:2], {"state": "success"}),
        (failed, _GAPS_TASKS[3:], {"state": "upstream_failed"}),
        (gated, _GAPS_TASKS[1:], {"state": "skipped", "pool": "taskops_skip"}),
        (running, _GAPS_TASKS[:3], {"state": "success"}),
    ):
        which = (TI.dag_id == GAPS, TI.run_id == run_id_of(day), TI.task_id.in_(tasks))
        session.execute(update(TI).where(*which).values(**values))
    runs = update(DagRun).where(DagRun.dag_id == GAPS, DagRun.run_id == run_id_of(running))
    session.execute(runs.values(state="running"))
    session.commit()


def _backlog(session: Any) -> None:
    from tests.support.instances import START, write_runs
    from tests.support.warehouse import chain, install

    tasks = [
        f"{kind}_{number:02}" for number in range(10) for kind in ("read", "check", "average_per_station", "store")
    ]
    install(session, [chain(BACKLOG, *tasks, schedule="@hourly")])
    today = (datetime.now(UTC) - START).days
    write_runs(session, BACKLOG, tasks, range(today - 20, today - 2))
    write_runs(session, BACKLOG, tasks, range(today - 2, today), "failed")


def _operate(session: Any) -> None:
    """Make operations of each outcome."""
    from taskops_provider.services.operations import undo
    from taskops_provider.services.operations.strict_mode_setting import set_strict_mode
    from tests.support.airflow_db import BUNDLE
    from tests.support.warehouse import ALICE, BOB, later, operate

    paused = operate(session, "pause", "orders.clean", downstream="skip", reason="duplicate feed", ticket="OPS-42")
    undo.undo(session, BOB, paused.operation_id)
    operate(session, "pause", "orders.clean", "orders.load", downstream="hold", resume_at=later(days=2), actor=BOB)
    operate(session, "set-owners", "sales", "mart", owners=["ann", "陈伟"], reason="handed over to finance")
    operate(session, "start", "orders.extract", "orders.clean")
    set_strict_mode(session, ALICE, BUNDLE, True, datetime.now(UTC))
    operate(session, "offline", "orders", downstream="skip", reason="the shop moves house")
    session.commit()


def _monitor(session: Any) -> None:
    """Write that the monitor is there and has read the Dags: nothing is amiss."""
    from taskops_provider.models import Lease, Setting
    from taskops_provider.services.health import REFRESHED_AT

    now = datetime.now(UTC)
    lease = {"name": "monitor", "holder": "api-server@airflow-1", "renewed_at": now, "note": "all steps done"}
    session.add(Lease(**lease, expires_at=now + timedelta(days=1)))
    read = {"project": "", "name": REFRESHED_AT, "value": now.isoformat()}
    session.merge(Setting(**read, changed_at=now, changed_by="monitor"))
    session.commit()


def crowd(session: Any, number: int) -> None:
    """Write very many workflows, and one of very many tasks."""
    _backlog(session)
    rows.write(list(_with_hard_names(rows.crowd(number))), session)
    _monitor(session)
    replenishment_rows.crowd(session)
    alarm_rows.crowd(session, 300)
    diagram_rows.large(session, CROWDED, number // 5)


def _with_hard_names(flows: Iterator[Flow]) -> Iterator[Flow]:
    for number, flow in enumerate(flows):
        if number % 100 == 0:
            yield replace(flow, dag_id=f"{flow.dag_id}_{LONG}"[:60], owners=OWNERS, tasks=_long_tasks(flow))
        elif number % 4 == 0:
            yield replace(flow, name=OTHERS[number // 4 % len(OTHERS)], owners=OWNERS[-1 - number % 3 :])
        else:
            yield flow


def _long_tasks(flow: Flow) -> tuple[str, ...]:
    return tuple(f"step_{number:02}.{LONG}"[:60] for number in range(len(flow.states)))
