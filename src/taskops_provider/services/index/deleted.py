"""Forgetting Dags that were deleted in Airflow, so that another Dag that gets the name inherits nothing.

Airflow's ``delete_dag`` takes away everything of a Dag but its audit log. So do we: rows of the index, owners, gate
intervals and alarm rules go, windows no longer name it, and replenishments end. Records stay, under a name that no Dag
can have. That is done as soon as the Dag is missed, or found to be another one, and never for a Dag that is only stale:
its file may come back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, Table, and_, bindparam, cast, delete, func, literal, select, update
from sqlalchemy.orm import Session

from taskops_provider.domain.answers import Json
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.deleted_dags import name_of_deleted
from taskops_provider.domain.operations.outcomes import OperationOutcome, Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.progress import CellState
from taskops_provider.domain.replenishment_run import RunEvent, RunState, after
from taskops_provider.domain.states import TaskState
from taskops_provider.models import (
    AlarmEvent,
    AlarmRule,
    AssetRef,
    Edge,
    EscapedRun,
    GateInterval,
    InstanceOrder,
    Operation,
    OperationItem,
    Owner,
    Replenishment,
    ReplenishmentCell,
    ReplenishmentRole,
    ReplenishmentRun,
    Task,
    Window,
    Workflow,
)
from taskops_provider.models.base import Base
from taskops_provider.services.shared.actor import MONITOR
from taskops_provider.services.shared.recording import record_items, write_audit

VERB = "dag-deleted"
REASON = "the Dag was deleted in Airflow"

#: model -> its column with the Dag; these rows have no meaning without their Dag
_FORGOTTEN: Sequence[tuple[type[Base], str]] = (
    (Workflow, "dag_id"),
    (Task, "dag_id"),
    (Owner, "dag_id"),
    (AssetRef, "dag_id"),
    (Edge, "source_dag_id"),
    (GateInterval, "dag_id"),
    (InstanceOrder, "dag_id"),
    (EscapedRun, "dag_id"),
    (AlarmRule, "dag_id"),
    (ReplenishmentRole, "dag_id"),
)
#: where inputs of replenishments name Dags
_WITH_DAGS = frozenset({"workflows", "tasks", "dag_id"})
_UNFINISHED_RUNS = (RunState.WAITING.value, RunState.ACTIVE.value)
_UNFINISHED_CELLS = (CellState.WAITING.value, CellState.ACTIVE.value)


def forget_dags(session: Session, dag_ids: Iterable[str], now: datetime) -> None:
    """Forget some Dags, and record it. Statements in proportion to the number of Dags over 500, and to that of the
    replenishments of these Dags. The caller holds the writer lock.
    """
    for some in chunks(sorted(dag_ids)):
        names = {dag_id: name_of_deleted(dag_id, now) for dag_id in some}
        reasons = _reasons(session, some)
        _end_replenishments(session, some)
        _rename_in_inputs(session, names)
        _rename_records(session, names)
        for model, column in _FORGOTTEN:
            table = _table(model)
            session.execute(delete(table).where(table.c[column].in_(some)))
        forget_in_windows(session, set(some), now)
        _record(session, {names[dag_id]: reasons[dag_id] for dag_id in some}, now)
    # objects that were loaded before do not know what was written past them
    session.expire_all()


def forget_in_windows(session: Session, dag_ids: set[str], now: datetime) -> list[int]:
    """Take Dags out of the windows that name them, and return these; a window on nothing else is deleted. One query."""
    named = []
    for row in session.scalars(select(Window).where(Window.deleted_at.is_(None))):
        scope = row.body.get("scope")
        if not isinstance(scope, dict):  # written by hand: it is set aside
            continue
        tasks = [one for one in scope.get("tasks", ()) if one.get("dag_id") not in dag_ids]
        workflows = [one for one in scope.get("workflows", ()) if one not in dag_ids]
        if len(tasks) + len(workflows) == len(scope.get("tasks", ())) + len(scope.get("workflows", ())):
            continue
        named.append(row.id)
        left = {**scope, "tasks": tasks, "workflows": workflows}
        row.body = {**row.body, "scope": left}
        row.version += 1
        if not any(left.values()):
            row.deleted_at = now
    session.flush()
    return named


def _reasons(session: Session, dag_ids: Sequence[str]) -> dict[str, str]:
    """Say what is forgotten of each Dag that somebody had decided: two queries."""
    said: dict[str, list[str]] = defaultdict(list)
    states = (
        select(Task.dag_id, Task.state, func.count())
        .where(Task.dag_id.in_(dag_ids), Task.state != TaskState.SCHEDULING.value)
        .group_by(Task.dag_id, Task.state)
        .order_by(Task.state)
    )
    for dag_id, state, number in session.execute(states):
        said[dag_id].append(f"{number:,} tasks {state}")
    rules = select(AlarmRule.dag_id, func.count()).where(AlarmRule.dag_id.in_(dag_ids)).group_by(AlarmRule.dag_id)
    for dag_id, number in session.execute(rules):
        said[dag_id].append(f"{number:,} alarm rules")
    return {dag_id: "; it had ".join([REASON, *filter(None, [", ".join(said[dag_id])])]) for dag_id in dag_ids}


def _end_replenishments(session: Session, dag_ids: Sequence[str]) -> None:
    """Have nothing of them wait or go on: what they had not executed failed. The monitor ends those of no other Dag."""
    run = ReplenishmentRun
    is_open = and_(run.dag_id.in_(dag_ids), run.state.in_(_UNFINISHED_RUNS))
    for dag_id, number in session.execute(select(run.dag_id, run.replenishment_id).where(is_open).distinct()).all():
        update_rows(session, Replenishment, Replenishment.id == number, problem=f"{dag_id}: {REASON}")
    cell = ReplenishmentCell
    of_open = cell.of_run_id.in_(select(run.id).where(is_open))
    update_rows(session, cell, and_(of_open, cell.state.in_(_UNFINISHED_CELLS)), state=CellState.FAILED.value)
    update_rows(session, run, is_open, state=after(RunState.ACTIVE, RunEvent.END).value)


def _rename_in_inputs(session: Session, names: Mapping[str, str]) -> None:
    """Rename Dags in what was asked for with replenishments: who may read another Dag of one sees the rest of it."""
    item = OperationItem
    touched = select(item.operation_id).where(item.dag_id.in_(names))
    for row in session.scalars(select(Replenishment).where(Replenishment.operation_id.in_(touched))):
        row.inputs = _renamed(row.inputs, names)
        row.wakes = None if row.wakes is None else [names.get(dag_id, dag_id) for dag_id in row.wakes]
        operation = session.get(Operation, row.operation_id)
        if operation is not None:
            operation.options = _renamed(operation.options, names)
    session.flush()


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Rename Dags where inputs of a replenishment have them, whatever else something else may have written there."""
    if isinstance(value, dict):
        return {name: _renamed(one, names) if name in _WITH_DAGS else one for name, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


def _rename_records(session: Session, names: Mapping[str, str]) -> None:
    """Give what stays a name under which nothing of a new Dag is found, or mistaken for it."""
    events = _table(AlarmEvent)
    # a rule on a project goes on: what it finds in a new Dag has the keys of what it found in the old one
    key = literal("deleted ") + cast(events.c.id, String(20))
    nothing_follows: Json = {"next_repeat_at": None, "escalates_at": None}
    for model, values in (
        (OperationItem, {}),
        (AlarmEvent, {"key": key, **nothing_follows}),
        # Airflow may give the number of a backfill that was deleted again
        (ReplenishmentRun, {"backfill_id": None}),
    ):
        table = _table(model)
        statement = update(table).where(table.c.dag_id == bindparam("old_name")).values(dag_id=bindparam("new_name"))
        session.connection().execute(
            statement.values(values), [{"old_name": old, "new_name": new} for old, new in names.items()]
        )


def _record(session: Session, reasons: Mapping[str, str], now: datetime) -> None:
    """Keep it as an operation, under the name that is left: who may read every Dag finds what else has it."""
    items = [Item(name, "", Outcome.APPLIED, reason=reason) for name, reason in reasons.items()]
    record_by_itself(session, VERB, items, REASON, now)


def record_by_itself(session: Session, verb: str, items: Sequence[Item], reason: str, now: datetime) -> None:
    """Record what the index did to workflows."""
    counts = Counter(item.outcome for item in items)
    operation = Operation(
        verb=verb,
        scope=Scope.WORKFLOW.value,
        at=now,
        actor=MONITOR.recorded_name,
        source=MONITOR.source,
        options={},
        reason=reason,
        outcome=OperationOutcome.SUCCESS.value,
        applied=counts[Outcome.APPLIED],
        left_alone=0,
        blocked=0,
    )
    session.add(operation)
    session.flush()
    record_items(session, operation.id, items)
    write_audit(session, MONITOR, verb, operation, items, now)


def update_rows(session: Session, model: type[Base], condition: ColumnElement[bool], **values: Any) -> None:
    """Give rows values, past the objects that were loaded."""
    session.execute(update(model).where(condition).values(values).execution_options(synchronize_session=False))


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table
