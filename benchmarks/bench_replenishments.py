"""Planning a replenishment of ten years of hours, against Airflow's dry run of the same."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

from airflow.models.backfill import ReprocessBehavior, _do_dry_run
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from tests.support.airflow_db import empty_tables, new_session, write_dags

from benchmarks.measure import Row, in_turns
from taskops_provider.domain.operations.targets import Target
from taskops_provider.domain.replenishment import Range, ReplenishmentRequest
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.replenishments.plan import plan_replenishment
from taskops_provider.services.replenishments.plan_summary import count_cells
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions

ACTOR = Actor("bench", "cli", UnrestrictedPermissions())
FIRST = datetime(2016, 1, 1, tzinfo=UTC)
CYCLES = 87_600
#: the dry run takes a query for each cycle, so it grows linearly; the whole would take more than a minute
PART = 10
#: bytes of memory for each cell of a plan at its peak, on top of what planning a few takes
PER_CELL = 1024
#: MiB at the peak of planning all of it
PEAK = 128


def planning() -> list[Row]:
    """One task of an hourly Dag without any run: time against a tenth of Airflow's, times ten; memory by itself."""
    with DAG("hourly", schedule="@hourly", start_date=FIRST, catchup=False) as dag:
        EmptyOperator(task_id="a") >> EmptyOperator(task_id="b")
    with new_session() as session:
        write_dags([dag], session)
        index_refresh.refresh(session, datetime.now(UTC))
        session.commit()

        def ours(cycles: int = CYCLES) -> None:
            ranges = (Range(FIRST, FIRST + timedelta(hours=cycles - 1)),)
            asked = ReplenishmentRequest(tasks=(Target("hourly", "a"),), ranges=ranges)
            plan = plan_replenishment(session, ACTOR, asked, datetime.now(UTC))
            assert count_cells(plan).execute == cycles

        def theirs() -> None:
            found = _do_dry_run(
                dag_id="hourly",
                from_date=FIRST,
                to_date=FIRST + timedelta(hours=CYCLES // PART - 1),
                reverse=False,
                reprocess_behavior=ReprocessBehavior.NONE,
                session=session,
            )
            assert sum(1 for _ in found) == CYCLES // PART

        mine, their_part = in_turns(1, ours, theirs)
        tracemalloc.start()
        ours(CYCLES // PART)
        _, few = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        ours()
        _, many = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    empty_tables()
    per_cell = (many - few) / (CYCLES - CYCLES // PART)
    return [
        Row("plan 87,600 hourly cycles", mine, "Airflow's dry run (a tenth of it, times ten)", their_part * PART, 0.05),
        Row("peak memory of that plan", many / 2**20, "a limit", None, PEAK, unit="MiB"),
        Row("memory of that plan, bytes a cell", per_cell, "1 kB", None, PER_CELL, unit="B"),
    ]


def measure() -> list[Row]:
    """The rows of the table."""
    return planning()
