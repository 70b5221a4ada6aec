"""What alarm rules look for, found in Airflow's tables: one statement for all rules, whatever their number.

Instances are found through their runs: those that are unfinished, and those that changed lately. ``updated_at`` tells
what is new, for the API server (or scheduler) writes it when it writes the state; ``end_date`` comes from the worker's
clock. A transaction may still commit later than one that began after it, so each look goes back a while
(``services.alarms.evaluate.OVERLAP``); what is recorded already is left out by the statement itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from airflow.utils.state import TaskInstanceState as State
from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, union_all
from sqlalchemy.orm import Session

from taskops_provider.adapter.compatibility import (
    MAP_INDEX,
    REGION_ID,
    dag_is_draining,
    earlier_tries,
    is_region_of_instance,
)
from taskops_provider.adapter.runs import GATED_POOLS, RUN_CREATED_AT, unfinished_run
from taskops_provider.domain.alarms.kinds import FailedOn, Kind
from taskops_provider.domain.windows.scope import ANY_DAG
from taskops_provider.models import AlarmEvent, AlarmRule, GateInterval, Task, Workflow

#: states of an instance that is under way, for :func:`running`
_UNDER_WAY = (State.RUNNING, State.DEFERRED)


class WatchedInstance(NamedTuple):
    """An instance, and a rule that wants to know of it.

    :param attempt: which try, or round of tries, it is
    :param run_created_at: tells its run from one of the same id that was deleted
    """

    rule_id: int
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    region_id: UUID
    state: str | None
    try_number: int
    max_tries: int
    start_date: datetime | None
    end_date: datetime | None
    logical_date: datetime | None
    attempt: int
    run_created_at: datetime


class DueInstance(NamedTuple):
    """A task of a rule with a deadline in a cycle of a data day; what is of a run is None if there is none.

    :param gated: whether the gate or a replenishment keeps it from executing
    """

    rule_id: int
    dag_id: str
    task_id: str
    task_state: str
    effective_to: datetime | None
    draining_since: datetime | None
    is_paused: bool | None
    next_dagrun: datetime | None
    next_dagrun_create_after: datetime | None
    run_id: str | None
    logical_date: datetime | None
    map_index: int | None
    state: str | None
    start_date: datetime | None
    end_date: datetime | None
    gated: bool | None


class GatedSpan(NamedTuple):
    """An interval in which a task, or a workflow (``task_id`` empty), did not run; None: it is still open."""

    dag_id: str
    task_id: str
    from_at: datetime
    to_at: datetime | None


def _columns(attempt: Any, of: Any = TI) -> tuple[Any, ...]:
    return (
        AlarmRule.id.label("rule_id"),
        TI.dag_id,
        TI.task_id,
        TI.run_id,
        MAP_INDEX,
        REGION_ID,
        of.state,
        of.try_number,
        of.max_tries,
        of.start_date,
        of.end_date,
        DagRun.logical_date,
        attempt.label("attempt"),
        RUN_CREATED_AT.label("run_created_at"),
    )


def _watched(query: Select[Any], kinds: Collection[Kind]) -> list[Select[Any]]:
    """Join the rules that watch an instance: those on its task and workflow, and those on its project."""
    query = query.join(DagRun, and_(DagRun.dag_id == TI.dag_id, DagRun.run_id == TI.run_id))
    # by IN, and not by the index of kinds: SQLite would walk all rules of a kind for each instance
    own = and_(AlarmRule.dag_id == TI.dag_id, AlarmRule.task_id.in_(("", TI.task_id)))
    kind = func.coalesce(AlarmRule.kind, "")
    enabled = (AlarmRule.enabled.is_(True), kind.in_([one.value for one in kinds]))
    return [
        query.join(AlarmRule, own).where(*enabled),
        query.join(Workflow, Workflow.dag_id == TI.dag_id)
        .join(AlarmRule, and_(AlarmRule.dag_id == "", AlarmRule.project == Workflow.project))
        .where(*enabled),
    ]


def _not_recorded(attempt: Any) -> ColumnElement[bool]:
    """Whether a rule has no alarm yet, as far as one query tells: ``recorded_keys`` has the last word.

    Ids of runs come again, for they are made of dates, and tries begin at 1 in each. What was recorded before a run was
    created is of another run.
    """
    return ~exists().where(
        AlarmEvent.rule_id == AlarmRule.id,
        AlarmEvent.dag_id == TI.dag_id,
        AlarmEvent.task_id == TI.task_id,
        AlarmEvent.run_id == TI.run_id,
        AlarmEvent.map_index == TI.map_index,
        is_region_of_instance(AlarmEvent.region_id),
        AlarmEvent.attempt == attempt,
        AlarmEvent.fired_at >= RUN_CREATED_AT,
    )


def ended(session: Session, since: datetime, limit: int) -> list[WatchedInstance]:
    """Return instances that failed or succeeded since, each with a rule that wants to know: one query.

    Instances that the gate settled did not execute and are left out. ``first_failure`` counts rounds of tries, which
    ``max_tries`` tells apart (clearing begins a new one); the others count tries. A first try that failed and is being
    repeated already is found in the history of tries.
    """
    recent = and_(
        or_(unfinished_run(), DagRun.updated_at >= since), TI.updated_at >= since, TI.pool.not_in(GATED_POOLS)
    )
    at_first = AlarmRule.on == FailedOn.FIRST_FAILURE.value
    matches = or_(
        and_(AlarmRule.kind == Kind.FAILED.value, TI.state == State.FAILED),
        and_(at_first, TI.state == State.UP_FOR_RETRY),
        and_(AlarmRule.kind == Kind.SUCCEEDED.value, TI.state == State.SUCCESS),
    )
    attempt = case((at_first, TI.max_tries), else_=TI.try_number)
    parts: list[Any] = [
        part.where(recent, matches, TI.end_date >= AlarmRule.active_since, _not_recorded(attempt))
        for part in _watched(select(*_columns(attempt)).select_from(TI), (Kind.FAILED, Kind.SUCCEEDED))
    ]
    earlier = earlier_tries()
    tries = earlier.columns
    in_round = and_(earlier.of_instance, tries.max_tries == TI.max_tries, tries.try_number < TI.try_number)
    query = select(*_columns(tries.max_tries, tries)).select_from(TI).join(earlier.table, in_round)
    ended_since = and_(tries.end_date >= AlarmRule.active_since, tries.end_date >= since)
    parts += [
        part.where(recent, at_first, tries.state == State.FAILED, ended_since, _not_recorded(tries.max_tries))
        for part in _watched(query, (Kind.FAILED,))
    ]
    return _first_of_each(session, parts, "end_date", limit)


def recorded_keys(session: Session, rule_ids: Collection[int], keys: Collection[str]) -> set[tuple[int, str]]:
    """Return the keys, each with its rule, that have an alarm already."""
    query = select(AlarmEvent.rule_id, AlarmEvent.key).where(
        AlarmEvent.rule_id.in_(sorted(set(rule_ids))), AlarmEvent.key.in_(sorted(set(keys)))
    )
    return {(row.rule_id, row.key) for row in session.execute(query)}


def running(session: Session, limit: int) -> list[WatchedInstance]:
    """Return instances that are under way, each with a rule that may find it too long: one query."""
    parts = [
        part.where(TI.state.in_(_UNDER_WAY), TI.start_date.is_not(None), _not_recorded(TI.try_number))
        for part in _watched(select(*_columns(TI.try_number)).select_from(TI), (Kind.RUNNING_LONGER_THAN,))
    ]
    return _first_of_each(session, parts, "start_date", limit)


def _first_of_each(session: Session, parts: Collection[Select[Any]], by: str, limit: int) -> list[WatchedInstance]:
    """Return the first row of each Dag, then the second of each, and so on, up to a limit: one query.

    A Dag with very many rules and instances would else take all of the room, turn for turn.

    :param by: the column with a time that tells which is first
    """
    found = union_all(*parts).subquery()
    place = func.row_number().over(partition_by=found.c.dag_id, order_by=(found.c[by], found.c.rule_id))
    query = select(found).order_by(place, found.c[by], found.c.rule_id).limit(limit)
    return [WatchedInstance._make(row) for row in session.execute(query)]


def last_durations(session: Session, condition: ColumnElement[bool], last: int) -> dict[tuple[str, str], list[float]]:
    """Return the seconds that tasks took the last times they succeeded, the newest first: one query.

    :param condition: on ``TI.dag_id`` and ``TI.task_id`` (:func:`instance_names`)
    :param last: so many of each task at most
    """
    place = func.row_number().over(partition_by=(TI.dag_id, TI.task_id), order_by=TI.end_date.desc()).label("place")
    ranked = (
        select(TI.dag_id, TI.task_id, TI.duration, place)
        .where(
            condition,
            func.coalesce(TI.state, "") == State.SUCCESS,
            TI.duration.is_not(None),
            TI.pool.not_in(GATED_POOLS),
        )
        .subquery()
    )
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    query = select(ranked).where(ranked.c.place <= last).order_by(ranked.c.place)
    for row in session.execute(query):
        found[row.dag_id, row.task_id].append(row.duration)
    return found


def instance_names() -> tuple[Any, Any]:
    """The columns of an instance's names, for conditions."""
    return TI.dag_id, TI.task_id


def at_deadline(session: Session, rule_ids: Collection[int], first: datetime, last: datetime) -> list[DueInstance]:
    """Return a row for each task of some rules and each of its cycles in a data day: one query.

    Tasks without a run in it have one row without a run. What the gate stopped, or a replenishment left out, has
    ``gated``.

    :param first: the first moment of the data day
    :param last: that of the next day
    """
    run = and_(DagRun.dag_id == Task.dag_id, DagRun.logical_date >= first, DagRun.logical_date < last)
    instance = and_(TI.dag_id == DagRun.dag_id, TI.run_id == DagRun.run_id, TI.task_id == Task.task_id)
    columns = (
        AlarmRule.id.label("rule_id"),
        Task.dag_id,
        Task.task_id,
        Task.state.label("task_state"),
        Task.effective_to,
        Workflow.draining_since,
        or_(DagModel.is_paused, dag_is_draining()).label("is_paused"),
        DagModel.next_dagrun,
        DagModel.next_dagrun_create_after,
        DagRun.run_id,
        DagRun.logical_date,
        MAP_INDEX,
        TI.state,
        TI.start_date,
        TI.end_date,
        TI.pool.in_(GATED_POOLS).label("gated"),
    )
    query = (
        select(*columns)
        .select_from(Task)
        .join(Workflow, Workflow.dag_id == Task.dag_id)
        .join(DagModel, DagModel.dag_id == Task.dag_id)
        .outerjoin(DagRun, run)
        .outerjoin(TI, instance)
        .where(Task.is_present.is_(True))
    )
    own = and_(AlarmRule.dag_id == Task.dag_id, AlarmRule.task_id.in_(("", Task.task_id)))
    of_project = and_(AlarmRule.dag_id == "", AlarmRule.project == Workflow.project)
    wanted = AlarmRule.id.in_(sorted(rule_ids))
    parts = [query.join(AlarmRule, on).where(wanted) for on in (own, of_project)]
    return [DueInstance._make(row) for row in session.execute(union_all(*parts))]


def gated_at(session: Session, dag_ids: Collection[str], since: datetime) -> dict[tuple[str, str], list[GatedSpan]]:
    """Return the intervals in which tasks of Dags did not run, as far as they reach beyond a moment: one query."""
    query = select(GateInterval.dag_id, GateInterval.task_id, GateInterval.from_at, GateInterval.to_at).where(
        GateInterval.dag_id.in_([*sorted(set(dag_ids)), ANY_DAG]),
        or_(GateInterval.to_at.is_(None), GateInterval.to_at > since),
    )
    found: dict[tuple[str, str], list[GatedSpan]] = defaultdict(list)
    for row in session.execute(query):
        span = GatedSpan._make(row)
        for dag_id in [span.dag_id] if span.dag_id != ANY_DAG else set(dag_ids):
            found[dag_id, span.task_id].append(span)
    return found
