"""What a plan is refused for, and what people should know of it, beyond its cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.adapter.backfills import problem_of_conf
from taskops_provider.exceptions import BadInput

if TYPE_CHECKING:
    from taskops_provider.services.replenishments.plan import Grid


def check_conf(grids: Iterable[Grid], conf: Mapping[str, Any]) -> list[str]:
    """Refuse a conf that Airflow would refuse for a run; return warnings about runs that it does not reach.

    :raises BadInput: with the name of the parameter
    """
    warnings = []
    for grid in grids:
        refused = problem_of_conf(grid.graph.dag, dict(conf)) if grid.new_runs() else None
        if refused is not None:
            raise BadInput(f"{grid.dag_id} refuses the conf: {refused}")
        if conf and (kept := len(grid.old_runs())):
            runs = "1 existing run keeps its" if kept == 1 else f"{kept} existing runs keep their"
            warnings.append(f"{grid.dag_id}: {runs} own conf; the conf given is for new runs")
    return warnings


def paused_warning(session: Session, dag_id: str) -> str:
    """Say what becomes of a Dag that is paused."""
    unfinished = dag_state.unfinished_run_counts(session, [dag_id]).get(dag_id, 0)
    frozen = f"; its {unfinished} unfinished run{'s' if unfinished > 1 else ''} will go on meanwhile"
    return (
        f"{dag_id} is paused. It is unpaused for the replenishment, without new runs of its own, and paused again "
        f"afterwards{frozen if unfinished else ''}"
    )
