"""Cells in runs that exist: looked at again under the lock of the run, then cleared if they are still to execute."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from taskops_provider.adapter import backfills
from taskops_provider.adapter.cells import cut_off_in_run
from taskops_provider.adapter.graphs import DagGraph, load_graph
from taskops_provider.domain.cells import CellClass, CellFacts, reverse
from taskops_provider.domain.progress import CellState
from taskops_provider.domain.replenishment_run import RunEvent, outcome_without_executing
from taskops_provider.models import Replenishment, ReplenishmentRun
from taskops_provider.services.replenishments.plan import classes_in_run
from taskops_provider.services.replenishments.run_rows import (
    DueCell,
    cells_of,
    give_up,
    move,
    next_wave_or_end,
    out_of_service,
    set_cells,
    set_class,
    was_deleted,
)
from taskops_provider.services.replenishments.waking import ensure_unpaused


def clear_next(
    session: Session, replenishment: Replenishment, run: ReplenishmentRun, now: datetime
) -> tuple[bool, str | None]:
    """Clear the cells of a run whose turn it is. The caller commits.

    :return: whether anything changed, and what it waits for
    """
    run_id = run.run_id or ""
    state = backfills.lock_runs(session, run.dag_id, [run_id]).get(run_id)
    if state in ("queued", "running"):
        return False, None  # what goes on in it ends first
    graph = load_graph(session, run.dag_id)
    if state is None or graph is None:
        give_up(session, replenishment, [run], was_deleted(run.dag_id, run_id))
        return True, None
    facts = _facts(session, run, graph)
    upstream = reverse(graph.downstream)
    cut_off = cut_off_in_run(session, run.dag_id, run_id)
    classes = classes_in_run(facts, upstream, is_finished=True, cut_off=cut_off)
    due = [cell for cell in cells_of(session, [run.id], CellState.WAITING).get(run.id, ()) if cell.wave == run.wave]
    chosen = _chosen(session, graph, due, run, classes, facts)
    if not chosen:
        next_wave_or_end(session, [run])
        return True, None
    waits_for = ensure_unpaused(session, replenishment, run.dag_id, now)
    if waits_for is not None:
        return False, waits_for
    task_ids = {cell.task_id for cell in chosen}
    before = {up for task_id in task_ids for up in upstream[task_id]} - task_ids
    passed = {task_id for task_id in before if classes.get(task_id) in (CellClass.GATED, CellClass.CUT_OFF)}
    excluded = {task_id for dag_id, task_id in replenishment.excluded or () if dag_id == run.dag_id}
    # the gate asks what executes in it when Airflow brings the run to the newest version
    set_cells(session, [cell.key for cell in chosen], CellState.ACTIVE)
    move(run, RunEvent.START)
    session.flush()
    how = backfills.Clearing(
        passed,
        excluded,
        on_latest_version=backfills.runs_on_latest_version(graph.dag, replenishment.run_on_latest_version),
        conf=replenishment.conf if replenishment.override_conf else None,
    )
    backfills.clear_tasks(session, graph.dag, run_id, task_ids, how, now)
    return True, None


def _facts(session: Session, run: ReplenishmentRun, graph: DagGraph) -> dict[str, list[CellFacts]]:
    found = backfills.cell_facts_in_runs(session, run.dag_id, [run.run_id or ""], graph.downstream)
    return {task_id: seen for (_, task_id), seen in found.items()}


def _chosen(
    session: Session,
    graph: DagGraph,
    due: Sequence[DueCell],
    run: ReplenishmentRun,
    classes: Mapping[str, CellClass],
    facts: Mapping[str, Collection[CellFacts]],
) -> list[DueCell]:
    """Return the cells that are to execute; write down what became of the others meanwhile."""
    gone = out_of_service(session, run.dag_id)
    run_id = run.run_id or ""
    were_done = {cell.task_id for cell in due if cell.was == CellClass.DONE}
    executions = backfills.executions_in_runs(session, run.dag_id, [run_id], were_done) if were_done else {}
    chosen = []
    for cell in due:
        found = classes.get(cell.task_id, CellClass.NO_INSTANCE)
        if cell.was == CellClass.RUNNING:
            set_class(session, cell.key, found)
        outcome = outcome_without_executing(
            cell.was,
            found if cell.task_id in graph.downstream else CellClass.NO_INSTANCE,
            out_of_service=cell.task_id in gone,
            all_skipped=all(one.state == "skipped" for one in facts.get(cell.task_id, ())),
            executed_since=_has_begun_since(cell, executions.get((run_id, cell.task_id))),
        )
        if outcome is None:
            chosen.append(cell)
        else:
            set_cells(session, [cell.key], outcome)
    return chosen


def _has_begun_since(cell: DueCell, seen: backfills.Executions | None) -> bool:
    """Whether all instances of a cell have begun after what there was of it when the replenishment was planned.

    Its own tries and times are compared, not a time with the clock of who planned it. In a run that was deleted and
    created again the tries begin anew.
    """
    if seen is None or cell.tries is None:
        return False
    if seen.first_try > cell.tries:
        return True
    return seen.first_begin is not None and (cell.began_at is None or seen.first_begin > cell.began_at)
