"""Why is this not running? (requirements D9) One answer for a task and its unfinished instances, or those of a run.

What TaskOps knows (state, drain, gate) and what Airflow knows (pause, schedule, dependencies, pools, its processes),
each as a plain line.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from taskops_provider.adapter import waiting
from taskops_provider.adapter.dag_state import unfinished_run_counts
from taskops_provider.adapter.waiting import DagFacts
from taskops_provider.domain.states import Downstream, TaskState, TaskStatus
from taskops_provider.domain.text import plural
from taskops_provider.domain.windows.times import ALWAYS, UNTIL_RELEASED
from taskops_provider.exceptions import Forbidden, ResourceNotFound
from taskops_provider.services.catalog.instances import NO_INSTANCES
from taskops_provider.services.catalog.task_facts import TaskFacts, task_facts
from taskops_provider.services.catalog.tasks import TaskRow, get_task
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.monitor_life import monitor_life
from taskops_provider.services.shared.window_pauses import window_pauses
from taskops_provider.services.why.instance import InstanceContext, instance_reasons
from taskops_provider.services.why.reason import Explanation, InstanceWhy, Reason

__all__ = ["Explanation", "Reason", "why"]

#: instances that are looked at one by one
INSTANCES = 5
#: assets that a line names
ASSETS = 5

_STOPPED = {TaskState.PAUSED: "Paused", TaskState.OFFLINE: "Taken offline", TaskState.DELETED: "Deleted"}
_MEANWHILE = {
    Downstream.SKIP: "it is skipped",
    Downstream.RUN: "it counts as success without executing",
    Downstream.FAIL: "it fails without executing",
    Downstream.HOLD: "it waits until it is started",
}
_IN_WINDOW = {Downstream.HOLD: "it waits until the window ends"}
_WAY_BACK = {TaskState.PAUSED: "start it", TaskState.OFFLINE: "resubmit it", TaskState.DELETED: "resubmit it"}


def why(
    session: Session, actor: Actor, dag_id: str, task_id: str, now: datetime, *, run_id: str | None = None
) -> Explanation:
    """Tell why a task does not run: a bounded number of queries, whatever the number of runs. Changes nothing.

    :param run_id: tell of its instances in this run alone, finished ones too
    :raises ResourceNotFound: when there is no such task or run, or the Dag may not be read
    :raises Forbidden: when a run is asked for whose instances may not be seen
    """
    task = get_task(session, actor, dag_id, task_id, now)
    facts = task_facts(session, dag_id, task_id)
    dag = waiting.dag_facts(session, dag_id)
    answer = Explanation(dag_id, task_id, task.status, run_id)
    answer.reasons += _of_task(task, facts, now)
    answer.reasons += _of_windows(session, task, now)
    answer.reasons += _of_workflow(session, actor, task, facts, dag)
    if actor.permissions.may_read_instances(dag_id):
        _tell_of_instances(session, actor, answer, task, dag, now)
    elif run_id is not None:
        raise Forbidden(NO_INSTANCES)
    if task.status == TaskStatus.SCHEDULING and dag is not None:
        answer.reasons += _of_schedule(session, actor, task, dag, now)
    answer.reasons += _of_processes(session, answer, task, facts, now)
    return answer


def _of_task(task: TaskRow, facts: TaskFacts, now: datetime) -> list[Reason]:
    found = []
    if not task.is_present:
        found.append(Reason("task_gone", "It is no longer in the latest version of its Dag."))
    state = TaskState(task.state)
    if state in _STOPPED:
        found.append(
            Reason(
                state.value,
                _stopped(task, facts, state),
                since=facts.at,
                until=task.resume_at if state is TaskState.PAUSED else None,
                operation_id=facts.operation_id,
            )
        )
    if task.effective_to is not None and task.effective_to < now:
        found.append(Reason("expired", "Its expiration date (end_date) has passed.", since=task.effective_to))
    if task.effective_from is not None and task.effective_from > now:
        found.append(
            Reason("not_yet_effective", "Its effective date (start_date) lies ahead.", until=task.effective_from)
        )
    return found


def _of_windows(session: Session, task: TaskRow, now: datetime) -> list[Reason]:
    """The windows that the task is in, and the cycles of it that are left out."""
    found = []
    key = (task.dag_id, task.task_id)
    for pause in window_pauses(session, [key], now).get(key, ()):
        because = f": {pause.reason}" if pause.reason else ""
        until = None if pause.until >= UNTIL_RELEASED else pause.until
        if pause.by_cycle:
            text = f"Left out: {pause.name}{because}; in runs that are due until then {_MEANWHILE[pause.downstream]}."
        else:
            effect = _IN_WINDOW.get(pause.downstream) or _MEANWHILE[pause.downstream]
            ends = "" if until else ", which ends when somebody releases it"
            text = f"Paused by window {pause.name}{because}; in runs made in it {effect}{ends}."
        found.append(Reason("window", text, since=None if pause.since <= ALWAYS else pause.since, until=until))
    return found


def _stopped(task: TaskRow, facts: TaskFacts, state: TaskState) -> str:
    """``Paused by alice: vendor is down (OPS-1); in runs made meanwhile it is skipped. To end it, start it.``"""
    who = f" by {facts.actor}" if facts.actor else ""
    because = f": {task.reason}" if task.reason else ""
    ticket = f" ({task.ticket})" if task.ticket else ""
    effect = f"; in runs made meanwhile {_MEANWHILE[Downstream(task.downstream)]}" if task.downstream else ""
    return f"{_STOPPED[state]}{who}{because}{ticket}{effect}. To end it, {_WAY_BACK[state]}."


def _of_workflow(session: Session, actor: Actor, task: TaskRow, facts: TaskFacts, dag: DagFacts | None) -> list[Reason]:
    if dag is None or dag.is_stale or not facts.workflow_is_present:
        return [Reason("dag_gone", "Its Dag is no longer found in the Dag files.")]
    found = []
    if facts.draining_since is not None or facts.drains_in_airflow:
        left = ""
        if actor.may_read_runs(task.dag_id):
            left = f" ({plural(unfinished_run_counts(session, [task.dag_id]).get(task.dag_id, 0), 'run')} left)"
        what = "Its Dag is draining in Airflow" if facts.draining_since is None else "Its workflow is draining"
        text = f"{what}{left}: no new runs are made, and after the last one its Dag is paused."
        found.append(Reason("draining", text, since=facts.draining_since))
    if dag.is_paused:
        found.append(
            Reason("dag_paused", "Its Dag is paused in Airflow: no new runs are made and runs under way stand still.")
        )
    if dag.has_import_errors:
        found.append(
            Reason("import_error", "Its Dag file cannot be imported: the last version that could be still applies.")
        )
    return found


def _of_schedule(session: Session, actor: Actor, task: TaskRow, dag: DagFacts, now: datetime) -> list[Reason]:
    """When the next run is made, for a task that would run then."""
    missing, updated = waiting.awaited_assets(session, task.dag_id)
    if (missing or updated) and not actor.permissions.may_read_assets():
        return [Reason("assets", "Its Dag runs when assets are updated, which you may not see.")]
    if missing or updated:
        named = ", ".join(missing[:ASSETS]) + (f" and {len(missing) - ASSETS} more" if len(missing) > ASSETS else "")
        told = f"Not updated since the last run: {named}." if missing else "All have been updated."
        return [Reason("assets", f"Its Dag runs when assets are updated. {told}")]
    if dag.is_manual:
        return [Reason("no_schedule", "Its Dag has no schedule: it runs when somebody or something triggers it.")]
    if dag.is_full:
        text = f"Its Dag has as many unfinished runs as it may have ({dag.max_active_runs}, max_active_runs)."
        return [Reason("max_active_runs", f"{text} The next is made when one has ended.")]
    if dag.next_run_at is None:
        return [Reason("no_next_run", "No further run is planned: its schedule has come to its end (end_date).")]
    if dag.next_run_at <= now:
        return [Reason("next_run", "Its next run is due: the scheduler makes it next.", since=dag.next_run_at)]
    return [Reason("next_run", "Its next run lies ahead.", until=dag.next_run_at)]


def _tell_of_instances(
    session: Session, actor: Actor, answer: Explanation, task: TaskRow, dag: DagFacts | None, now: datetime
) -> None:
    if answer.run_id is None:
        answer.unfinished_instances = waiting.count_unfinished(session, task.dag_id, task.task_id)
        found = waiting.unfinished(session, task.dag_id, task.task_id, INSTANCES) if answer.unfinished_instances else []
    else:
        if not waiting.has_run(session, task.dag_id, answer.run_id):
            raise ResourceNotFound(f"Dag {task.dag_id!r} has no run {answer.run_id!r}")
        answer.unfinished_instances, found = waiting.of_run(
            session, task.dag_id, task.task_id, answer.run_id, INSTANCES
        )
        if not found:
            text = "The run has no instance of it: it was not in the Dag when the run was made."
            answer.reasons.append(Reason("not_in_run", text))
    context = InstanceContext(session, actor, task, dag, now)
    for ti, of_dag in waiting.dags_of(session, found):
        reasons = instance_reasons(context, ti, is_known=of_dag is not None)
        answer.instances.append(InstanceWhy(ti.run_id, ti.map_index, ti.state and str(ti.state), reasons))


def _of_processes(
    session: Session, answer: Explanation, task: TaskRow, facts: TaskFacts, now: datetime
) -> list[Reason]:
    """Say which processes are dead on which it depends."""
    found = []
    waits = answer.unfinished_instances and answer.run_id is None
    if waits or task.status == TaskStatus.SCHEDULING:
        alive, seen = waiting.last_heartbeat(session, waiting.SCHEDULER)
        if not alive:
            found.append(Reason("no_scheduler", "No scheduler of Airflow is alive.", since=seen))
    codes = {reason.code for instance in answer.instances for reason in instance.reasons}
    if "deferred" in codes:
        alive, seen = waiting.last_heartbeat(session, waiting.TRIGGERER)
        if not alive:
            found.append(
                Reason("no_triggerer", "No triggerer of Airflow is alive: what is deferred waits.", since=seen)
            )
    if codes & {"gated", "held"} or facts.draining_since or task.resume_at:
        monitor = monitor_life(session, now)
        if monitor is None or not monitor.runs:
            text = "TaskOps' monitor does not run: gated instances, drains and resume times wait for it."
            found.append(Reason("no_monitor", text, since=monitor.renewed_at if monitor else None))
    return found
