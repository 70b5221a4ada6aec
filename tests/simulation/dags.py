"""Dags as data: what a history's script says of them, and the Airflow Dags made of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, ShortCircuitOperator
from airflow.sdk import DAG, Asset, BaseOperator, Param, TaskGroup
from airflow.triggers.base import StartTriggerArgs

from tests.simulation.clock import START

#: what a task may be; ``mapped`` expands over a list in the file, ``fans`` over the result of its first upstream
KINDS = ("bash", "empty", "trigger", "mapped", "fans", "branch", "short", "setup", "teardown")

RULES = (
    "all_success",
    "all_done",
    "one_success",
    "one_failed",
    "one_done",
    "all_failed",
    "all_skipped",
    "none_failed",
    "none_failed_min_one_success",
    "none_skipped",
    "all_done_min_one_success",
    "always",
)

#: those that wait for all of what is upstream
WAITING_RULES = frozenset(
    {
        "all_success",
        "all_done",
        "all_failed",
        "all_skipped",
        "none_failed",
        "none_failed_min_one_success",
        "none_skipped",
        "all_done_min_one_success",
    }
)


class StartsInTriggerer(BaseOperator):
    """Deferred by the scheduler, without a worker."""

    start_trigger_args = StartTriggerArgs(
        trigger_cls="airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",
        trigger_kwargs={"delta": 1},
        next_method="execute",
        next_kwargs=None,
        timeout=None,
    )
    start_from_trigger = True


@dataclass(frozen=True)
class TaskSpec:
    """One task.

    :param ends: how its tries end in the worker, the last for all further ones: "success", "failed", "skipped";
        "deferred" and "rescheduled" are on the way: the same try goes on with the next
    :param indexes: instances of a mapped task (of those that map over it where it is not mapped)
    :param chooses: of a branch: the ids of the tasks that it leads to
    """

    id: str
    kind: str = "bash"
    upstream: tuple[str, ...] = ()
    rule: str = "all_success"
    ends: tuple[str, ...] = ("success",)
    retries: int = 0
    indexes: int = 2
    chooses: tuple[str, ...] = ()
    group: str = ""
    depends_on_past: bool = False
    wait_for_downstream: bool = False
    outlet: str = ""

    @property
    def is_work(self) -> bool:
        """Whether a worker executes it: EmptyOperators without outlets are the scheduler's."""
        return self.kind != "empty" or bool(self.outlet)


@dataclass(frozen=True)
class DagSpec:
    """One Dag.

    :param schedule: "" (none), a cron expression, "delta:SECONDS" or "asset:NAME"
    :param since: hours before the history begins at which its first cycle begins
    """

    id: str
    tasks: tuple[TaskSpec, ...]
    schedule: str = ""
    since: int = 0
    catchup: bool = False
    max_active_runs: int = 16
    max_active_tasks: int = 16
    strict_params: bool = False

    @property
    def of(self) -> Mapping[str, TaskSpec]:
        """Task id -> task."""
        return {task.id: task for task in self.tasks}

    @property
    def downstream(self) -> dict[str, set[str]]:
        """Task id -> ids of what follows it directly."""
        found: dict[str, set[str]] = {task.id: set() for task in self.tasks}
        for task in self.tasks:
            for up in task.upstream:
                found[up].add(task.id)
        return found

    def below(self, task_ids: Iterable[str]) -> set[str]:
        """The ids of everything that follows some tasks, however far."""
        found: set[str] = set()
        frontier = set(task_ids)
        while frontier := {t for up in frontier for t in self.downstream.get(up, ())} - found:
            found |= frontier
        return found

    @property
    def remembers(self) -> bool:
        """Whether what happens in one run depends on the run before."""
        return any(task.depends_on_past or task.wait_for_downstream for task in self.tasks)

    def with_task(self, task: TaskSpec) -> DagSpec:
        """The Dag with one task changed, or added at the end."""
        if task.id in self.of:
            return replace(self, tasks=tuple(task if old.id == task.id else old for old in self.tasks))
        return replace(self, tasks=(*self.tasks, task))

    def without(self, task_id: str) -> DagSpec:
        """The Dag without one task; what followed it follows what it followed."""
        gone = self.of.get(task_id)
        if gone is None:
            return self
        kept = []
        for task in self.tasks:
            if task.id == task_id:
                continue
            up = [u for u in task.upstream if u != task_id]
            if task_id in task.upstream:
                up += [u for u in gone.upstream if u not in up]
            chooses = tuple(c for c in task.chooses if c != task_id)
            lost = task.kind == "fans" and task.upstream[0] == task_id
            kept.append(replace(task, upstream=tuple(up), chooses=chooses, kind="bash" if lost else task.kind))
        return replace(self, tasks=tuple(kept))


def as_json(spec: DagSpec) -> dict[str, Any]:
    """The Dag as a script writes it: what is as usual is left out."""
    found = {k: v for k, v in asdict(spec).items() if k in ("id", "tasks") or v != getattr(_PLAIN_DAG, k)}
    found["tasks"] = [task_json(task) for task in spec.tasks]
    return found


def task_json(task: TaskSpec) -> dict[str, Any]:
    """A task as a script writes it."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(task).items() if v != getattr(_PLAIN_TASK, k)}


def from_json(given: Mapping[str, Any]) -> DagSpec:
    """Read a Dag of a script."""
    return DagSpec(**{**given, "tasks": tuple(task_from_json(task) for task in given["tasks"])})


def task_from_json(given: Mapping[str, Any]) -> TaskSpec:
    """Read a task of a script."""
    return TaskSpec(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


_PLAIN_TASK = TaskSpec("")
_PLAIN_DAG = DagSpec("", ())


def schedule_of(spec: DagSpec) -> Any:
    """The schedule as Airflow takes it."""
    if spec.schedule.startswith("asset:"):
        return [Asset(spec.schedule.partition(":")[2])]
    if spec.schedule.startswith("delta:"):
        return timedelta(seconds=int(spec.schedule.partition(":")[2]))
    return spec.schedule or None


def begin_of(spec: DagSpec) -> datetime:
    """The start date."""
    return START - timedelta(hours=spec.since)


def build(spec: DagSpec) -> DAG:
    """Make the Airflow Dag."""
    params = {"number": Param(1, type="integer")} if spec.strict_params else None
    made: dict[str, Any] = {}
    with DAG(
        spec.id,
        schedule=schedule_of(spec),
        start_date=begin_of(spec),
        catchup=spec.catchup,
        max_active_runs=spec.max_active_runs,
        max_active_tasks=spec.max_active_tasks,
        params=params,
    ) as dag:
        groups: dict[str, TaskGroup] = {}
        for task in spec.tasks:
            group = None
            if task.group:
                group = groups.get(task.group) or groups.setdefault(task.group, _group(task.group))
            made[task.id] = _operator(task, made, group)
    for task in spec.tasks:
        for up in task.upstream:
            if not (task.kind == "fans" and up == task.upstream[0]):
                made[up] >> made[task.id]
    for task in spec.tasks:
        if task.kind == "setup":
            made[task.id].as_setup()
        elif task.kind == "teardown":
            made[task.id].as_teardown()
    return dag


def _group(group_id: str) -> TaskGroup:
    return TaskGroup(group_id, prefix_group_id=False)


def _operator(task: TaskSpec, made: Mapping[str, Any], group: TaskGroup | None) -> Any:
    common: dict[str, Any] = {
        "task_id": task.id,
        "retries": task.retries,
        "retry_delay": timedelta(seconds=5),
        "depends_on_past": task.depends_on_past or task.wait_for_downstream,
        "wait_for_downstream": task.wait_for_downstream,
    }
    if task.kind != "teardown":
        common["trigger_rule"] = task.rule
    if group is not None:
        common["task_group"] = group
    if task.outlet:
        common["outlets"] = [Asset(task.outlet)]
    if task.kind == "empty":
        return EmptyOperator(**common)
    if task.kind == "trigger":
        return StartsInTriggerer(**common)
    if task.kind == "branch":
        return BranchPythonOperator(python_callable=print, **common)
    if task.kind == "short":
        return ShortCircuitOperator(python_callable=print, ignore_downstream_trigger_rules=False, **common)
    if task.kind == "mapped":
        return BashOperator.partial(**common).expand(bash_command=[str(i) for i in range(task.indexes)])
    if task.kind == "fans":
        return BashOperator.partial(**common).expand(bash_command=made[task.upstream[0]].output)
    return BashOperator(bash_command="true", **common)


@dataclass
class Versions:
    """A Dag of a history, with the versions it has had."""

    spec: DagSpec
    changed: bool = False
    earlier: list[DagSpec] = field(default_factory=list)

    def becomes(self, spec: DagSpec) -> None:
        """Give it a new version."""
        self.earlier.append(self.spec)
        self.spec, self.changed = spec, True
