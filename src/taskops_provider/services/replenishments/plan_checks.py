"""What a plan is refused for, and what people should know of it, beyond its cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.adapter.backfills import problem_of_conf
from taskops_provider.domain.replenishment import ReplenishmentRequest, WaitFor
from taskops_provider.exceptions import BadInput
from taskops_provider.services.replenishments.outside import count_waiting
from taskops_provider.services.replenishments.past_in_plan import check_past
from taskops_provider.services.shared.actor import Actor

if TYPE_CHECKING:
    from taskops_provider.services.replenishments.plan import Grid, ReplenishmentPlan

#: names that are given in one line
_NAMED = 5


def check_ways(session: Session, plan: ReplenishmentPlan, actor: Actor) -> list[str]:
    """Refuse what can never be done the way it was asked for; return warnings about what waits, or keeps its conf.

    :raises BadInput: in one line
    """
    request = plan.request
    warnings = check_conf(plan.grids, request.conf, overrides=request.override_conf)
    for grid in plan.grids:
        warnings += check_past(session, grid, newest_first=request.newest_first)
    if request.wait_for is WaitFor.ALL:
        warnings += count_waiting(session, plan.grids, actor)
    return warnings


def plan_notes(plan: ReplenishmentPlan) -> Iterator[str]:
    """Yield what people should know of the zone of the ranges, of what is left out and of results."""
    yield from _zones(plan.request, plan.grids)
    for grid in plan.grids:
        if names := _names(sorted(grid.excluded & set(grid.graph.downstream))):
            yield f"{grid.dag_id}: excluded, so that it counts as success without executing: {names}"
        executing = {row.task_id for row in grid.rows if any(row.executes)}
        for task_id in sorted(executing):
            lost = grid.graph.results_of.get(task_id, frozenset()) & grid.excluded
            if lost:
                yield f"{grid.dag_id} {task_id} takes the result of {_names(sorted(lost))}, which is excluded"
        yield from _may_need(grid, executing)


def _may_need(grid: Grid, executing: set[str]) -> Iterator[str]:
    """Whose results some tasks take cannot be known: say so where something upstream of them does not execute."""
    unknown = sorted(executing & grid.graph.takes_unknown)
    unknown = [task_id for task_id in unknown if not grid.graph.above(task_id) <= executing]
    if unknown:
        yield (
            f"{grid.dag_id}: which results are taken is known only when it executes, so what is upstream may be needed "
            f"too (add steps upstream if it is): {_names(unknown)}"
        )


def _zones(request: ReplenishmentRequest, grids: Iterable[Grid]) -> Iterator[str]:
    if any(one.is_local for one in request.ranges):
        found = sorted({str(grid.zone) for grid in grids})
        yield f"the ranges are read in the zone of each workflow: {_names(found)}"
    elif request.timezone and request.timezone not in ("UTC", "Etc/UTC"):
        yield f"the ranges are read in {request.timezone}"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"


def check_conf(grids: Iterable[Grid], conf: Mapping[str, Any], *, overrides: bool = False) -> list[str]:
    """Refuse a conf that Airflow would refuse for a run; return warnings about runs that it does not reach.

    :param overrides: existing runs get it too
    :raises BadInput: with the name of the parameter
    """
    warnings = []
    for grid in grids:
        old = len(grid.old_runs())
        reaches = grid.new_runs() or (overrides and old)
        refused = problem_of_conf(grid.graph.dag, dict(conf)) if reaches else None
        if refused is not None:
            raise BadInput(f"{grid.dag_id} refuses the conf: {refused}")
        if conf and old and overrides:
            warnings.append(f"{grid.dag_id}: the conf of {old} existing run{'s' if old > 1 else ''} is overridden")
        elif conf and old:
            runs = "1 existing run keeps its" if old == 1 else f"{old} existing runs keep their"
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
