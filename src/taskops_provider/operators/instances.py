"""Rerun, force, hold and release task instances, hold and release whole runs, from a Dag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from airflow.sdk import BaseOperator

from taskops_provider.domain.answers import Json
from taskops_provider.domain.instances import InstanceVerb, RunVerb
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.hooks.answers import ChangeJson
from taskops_provider.hooks.errors import NoAnswer, PermissionMissing, StateConflict, TargetsRefused
from taskops_provider.hooks.instances import instance_targets, run_targets
from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.operators.base import reason_of

if TYPE_CHECKING:
    from airflow.sdk import Context

#: how often a preview is made and applied
ROUNDS = 3
#: targets that a message names
NAMED = 10


class ChangeInstancesOperator(BaseOperator):
    """Change instances or runs of a Dag through TaskOps' REST API. Base of those with a verb.

    It previews the change and then applies exactly that. Where a target is already as wanted, that is fine; where any
    other is refused, the task fails and nothing is changed. A wrong password, a missing permission, an unknown instance
    and bad options fail the task without retries; a server that does not answer leaves it to its retries.

    :param external_dag_id: the Dag (templated)
    :param run_ids: its runs (templated)
    :param reason: recorded; what Dag, task and run asked is added (templated)
    :param ticket: recorded beside it (templated)
    :param fail_on_refused: False: change what can be changed, and log the rest as a warning
    :param taskops_conn_id: the connection to Airflow's API server (templated)
    :return: pushed as XCom: ``operation_id, verb, outcome, counts, items``, the JSON of the command line
    """

    template_fields: Sequence[str] = ("external_dag_id", "run_ids", "reason", "ticket", "taskops_conn_id")
    ui_color = "#d7e8ee"

    verb: ClassVar[InstanceVerb | RunVerb]
    #: how the reason of a target begins that is as wanted already
    so_already: ClassVar[Sequence[str]] = ()

    def __init__(
        self,
        *,
        external_dag_id: str,
        run_ids: Iterable[str] | str,
        reason: str | None = None,
        ticket: str | None = None,
        fail_on_refused: bool = True,
        taskops_conn_id: str = TaskOpsHook.default_conn_name,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.external_dag_id = external_dag_id
        self.run_ids = run_ids
        self.reason = reason
        self.ticket = ticket
        self.fail_on_refused = fail_on_refused
        self.taskops_conn_id = taskops_conn_id

    @cached_property
    def hook(self) -> TaskOpsHook:
        """The client, with its token."""
        return TaskOpsHook(self.taskops_conn_id)

    def execute(self, context: Context) -> ChangeJson:
        """Preview the change, carry it out, and return the answer."""
        reason = reason_of(context, self.reason)
        may_be_done = context["ti"].try_number > 1
        for last in (False,) * (ROUNDS - 1) + (True,):
            if may_be_done and (done := self._done_before(reason)):
                self.log.info("%s: was done by operation %s", self.verb, done["operation_id"])
                return done
            plan = self._send(reason=reason, ticket=self.ticket or None, dry_run=True)
            self._check(plan)
            if not plan["counts"]["applied"]:
                return self._result(plan)
            try:
                return self._result(self._send(reason=reason, ticket=self.ticket or None, plan_hash=plan["plan_hash"]))
            except NoAnswer as error:
                if last:
                    raise
                may_be_done = True
                self.log.warning("%s; looking whether it was", error)
            except StateConflict as error:
                if last:
                    raise
                self.log.info("something changed meanwhile, looking again: %s", error)
        raise AssertionError("the last round returns or raises")

    def on_kill(self) -> None:
        """Do not wait for the server any more. A change that is on its way may still be carried out."""
        self.hook.stop()

    def _send(self, **options: Any) -> ChangeJson:
        """Send the change."""
        raise NotImplementedError

    def _done_before(self, reason: str) -> ChangeJson | None:
        """The change, if an earlier try carried it out and its answer was lost."""
        return None

    def _runs(self) -> list[str]:
        # a template of one run is a text
        return run_targets([self.run_ids] if isinstance(self.run_ids, str) else self.run_ids)

    def _check(self, plan: ChangeJson) -> None:
        items = [item for item in plan["items"] if self._is_refused(item)]
        if not items:
            return
        named = "; ".join(map(_named, items[:NAMED]))
        what = f"{self.verb} does not apply to {len(items)} of {len(plan['items'])} targets"
        if self.fail_on_refused:
            message = f"{what}, nothing was changed: {named}"
            if all(item["outcome"] == Outcome.BLOCKED for item in items):
                raise PermissionMissing(f"{message}; asked {self.hook.endpoint}")
            raise TargetsRefused(message)
        self.log.warning("%s: %s", what, named)

    def _is_refused(self, item: Any) -> bool:
        reason = item["reason"] or ""
        is_so = item["outcome"] == Outcome.LEFT_ALONE and reason.startswith(tuple(self.so_already))
        return item["outcome"] in (Outcome.BLOCKED, Outcome.LEFT_ALONE) and not is_so

    def _result(self, answer: ChangeJson) -> ChangeJson:
        refused = any(self._is_refused(item) for item in answer["items"])
        applied = answer["counts"]["applied"]
        outcome = answer["outcome"] if refused else "success"
        self.log.info("%s: done for %s of %s targets", self.verb, applied, len(answer["items"]))
        done: ChangeJson = {**answer, "outcome": outcome, "dry_run": False}
        done.pop("plan_hash", None)
        return done


class _OfInstances(ChangeInstancesOperator):
    """Base of those that change instances of a task.

    :param external_task_id: the task (templated)
    :param map_indexes: of a mapped task: which of its instances; empty: one that is not mapped
    """

    template_fields = (*ChangeInstancesOperator.template_fields, "external_task_id")
    verb: ClassVar[InstanceVerb]

    def __init__(self, *, external_task_id: str, map_indexes: Iterable[int] = (), **kwargs: Any):
        super().__init__(**kwargs)
        self.external_task_id = external_task_id
        self.map_indexes = map_indexes

    def _send(self, **options: Any) -> ChangeJson:
        indexes = list(self.map_indexes) or [-1]
        targets = instance_targets([(run_id, index) for run_id in self._runs() for index in indexes])
        options = {**self._options(), **options}
        return self.hook.change_instances(self.verb, self.external_dag_id, self.external_task_id, targets, **options)

    def _options(self) -> Json:
        return {}

    def _done_before(self, reason: str) -> ChangeJson | None:
        verb = f"instances-{self.verb}"
        found: Any = self.hook.find_operation(verb, self.external_dag_id, self.external_task_id, reason)
        return cast("ChangeJson | None", found and {**found, "dry_run": False})


class RerunTaskInstancesOperator(_OfInstances):
    """Rerun instances of a task: only these, with what is downstream of them, or with what follows everywhere.

    ::

        rerun = RerunTaskInstancesOperator(
            task_id="rerun",
            external_dag_id="sales_mart_daily",
            external_task_id="load_mart",
            run_ids=["{{ dag_run.conf['run_id'] }}"],
            with_downstream="workflow",
        )

    Other parameters and the result: :class:`~taskops_provider.operators.instances.ChangeInstancesOperator`.

    :param external_task_id: the task (templated)
    :param map_indexes: of a mapped task: which of its instances
    :param with_downstream: ``none``, ``workflow`` (what is downstream in the same run) or ``everywhere`` (also what
        follows in other workflows); the result of the last has ``follows`` where new runs follow (templated)
    """

    template_fields = (*_OfInstances.template_fields, "with_downstream")
    verb = InstanceVerb.RERUN
    so_already = ("has not run yet",)

    def __init__(self, *, with_downstream: Literal["none", "workflow", "everywhere"] | str = "none", **kwargs: Any):
        super().__init__(**kwargs)
        self.with_downstream = with_downstream

    def _options(self) -> Json:
        return {"with_downstream": self.with_downstream or None}


class ForceTaskInstancesOperator(_OfInstances):
    """Run instances of a task now, whatever is upstream of them, earlier runs or a full ``max_active_tasks`` say.

    Parameters and the result: :class:`~taskops_provider.operators.instances.ChangeInstancesOperator`.
    """

    verb = InstanceVerb.FORCE


class HoldTaskInstancesOperator(_OfInstances):
    """Hold instances of a task: they do not start until they are released.

    Parameters and the result: :class:`~taskops_provider.operators.instances.ChangeInstancesOperator`.
    """

    verb = InstanceVerb.HOLD
    so_already = ("is held already",)


class ReleaseTaskInstancesOperator(_OfInstances):
    """Release held instances of a task.

    Parameters and the result: :class:`~taskops_provider.operators.instances.ChangeInstancesOperator`.
    """

    verb = InstanceVerb.RELEASE
    so_already = ("is not held",)


class _OfRuns(ChangeInstancesOperator):
    verb: ClassVar[RunVerb]

    def _send(self, **options: Any) -> ChangeJson:
        return self.hook.change_runs(self.verb, self.external_dag_id, self._runs(), **options)


class HoldRunsOperator(_OfRuns):
    """Hold whole runs: nothing starts in them until they are released.

    Parameters and the result: :class:`~taskops_provider.operators.instances.ChangeInstancesOperator`.
    """

    verb = RunVerb.HOLD
    so_already = ("is held already",)


class ReleaseRunsOperator(_OfRuns):
    """Release held runs.

    Parameters and the result: :class:`~taskops_provider.operators.instances.ChangeInstancesOperator`.
    """

    verb = RunVerb.RELEASE
    so_already = ("is not held",)


def _named(item: Any) -> str:
    """A target and why it is refused: ``orders.clean run_1: is held already``."""
    task = ".".join(filter(None, (item["dag_id"], item["task_id"])))
    index = f" [{item['map_index']}]" if item.get("map_index", -1) >= 0 else ""
    return f"{task} {item.get('run_id', '')}{index}: {item['reason']}"
