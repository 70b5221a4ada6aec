"""Any history of runs gives each cell the class that a plain model gives it (D5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.models.taskinstance import TaskInstance as TI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from taskops_provider.domain.cells import CellClass, wanted_classes
from taskops_provider.services.replenishments.plan import CLASSES, plan_replenishment
from tests.support.airflow_db import empty_tables
from tests.support.replenishing import asked, days
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, chain, install

TASKS = ("a", "b", "c")
FIRST = datetime(2026, 1, 1, tzinfo=UTC)

#: what a cell is made: (state, pool, class where nothing upstream matters)
KINDS = {
    "done": ("success", "default_pool", CellClass.DONE),
    "failed": ("failed", "default_pool", CellClass.FAILED),
    "upstream": ("upstream_failed", "default_pool", CellClass.UPSTREAM_FAILED),
    "running": ("running", "default_pool", CellClass.RUNNING),
    "gated": ("skipped", "taskops_skip", CellClass.GATED),
    "passed": ("success", "taskops_run", CellClass.GATED),
    "held": ("up_for_retry", "taskops_hold", CellClass.GATED),
    "skipped": ("skipped", "default_pool", CellClass.DONE),
}
histories = st.lists(
    st.one_of(st.none(), st.tuples(*[st.sampled_from(sorted(KINDS))] * len(TASKS))), min_size=1, max_size=5
)
choices = st.sampled_from(["missing", "failed", "missing,failed", "all"])


def model(run: tuple[str, ...] | None) -> list[CellClass]:
    """The classes of one cycle's cells, spelled out."""
    if run is None:
        return [CellClass.NO_RUN] * len(TASKS)
    found = []
    stopped = False
    for kind in run:
        expected = KINDS[kind][2]
        stopped = expected is CellClass.GATED or (stopped and kind == "skipped")
        found.append(CellClass.GATED if stopped else expected)
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, cells=choices)
def test_every_cell_has_its_class_and_what_is_wanted_executes(session, history, cells):
    session.rollback()
    empty_tables()
    session.expire_all()
    install(session, [chain("d", *TASKS)])
    scheduler = Scheduler(session)
    for day, run in enumerate(history):
        if run is None:
            continue
        scheduler.create_run("d", f"run_{day}", logical_date=FIRST + timedelta(days=day))
        for task_id, kind in zip(TASKS, run, strict=True):
            state, pool, _ = KINDS[kind]
            session.execute(
                update(TI).where(TI.run_id == f"run_{day}", TI.task_id == task_id).values(state=state, pool=pool)
            )
    session.commit()
    plan = plan_replenishment(
        session, ALICE, asked("d", ranges=[days(1, len(history))], cells=cells), datetime.now(UTC)
    )
    (grid,) = plan.grids
    found = [[CLASSES[row.classes[day]] for row in grid.rows] for day in range(len(history))]
    assert [row.task_id for row in grid.rows] == list(TASKS)
    assert found == [model(run) for run in history]
    wanted = wanted_classes(asked("d", cells=cells).cells)
    assert [[bool(row.executes[day]) for row in grid.rows] for day in range(len(history))] == [
        [one in wanted for one in model(run)] for run in history
    ]
