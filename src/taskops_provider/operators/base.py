"""What the operators that change tasks have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from taskops_provider.domain.answers import Json
from taskops_provider.domain.operations.limits import MAX_REASON_LENGTH
from taskops_provider.domain.states import Verb
from taskops_provider.hooks.answers import ChangeJson
from taskops_provider.hooks.targets import TaskTargets, task_targets, tasks_of_dag, workflow_targets
from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.operators.applying import PreviewThenApply
from taskops_provider.operators.links import OperationLink

if TYPE_CHECKING:
    from airflow.sdk import Context

TASKS_OF_ONE_DAG = "external_dag_id with external_task_ids"


class ChangeTasksOperator(BaseOperator):
    """Change the state of tasks, or of whole workflows, through TaskOps' REST API. Base of those with a verb.

    Name the targets in one of three ways. Where a target is already as wanted, that is fine; where any other is
    refused, the task fails and nothing is changed. A wrong password, a missing permission, an unknown task and bad
    options fail the task without retries; a server that does not answer leaves it to its retries.

    :param external_dag_id: the Dag of ``external_task_ids`` (templated)
    :param external_task_ids: tasks of that Dag (templated)
    :param targets: tasks of several Dags, as ``(dag_id, task_id)``; or the result of another of these operators
        (``pause.output``): the tasks that it changed (templated)
    :param workflows: Dag ids, for the whole-workflow form (templated)
    :param reason: recorded and shown with the tasks; what Dag, task and run asked is added (templated)
    :param ticket: recorded beside it (templated)
    :param notify_owners: tell the owners of what it changed, by ``[taskops] notice_channels``; the result then has
        ``notified``: ``told, unreachable, channels``
    :param fail_on_refused: False: change what can be changed, and log the rest as a warning
    :param taskops_conn_id: the connection to Airflow's API server (templated)
    :return: pushed as XCom: ``operation_id, verb, outcome, counts, items``, the JSON of the command line
    """

    template_fields: Sequence[str] = (
        "external_dag_id",
        "external_task_ids",
        "targets",
        "workflows",
        "reason",
        "ticket",
        "taskops_conn_id",
    )
    ui_color = "#d7e8ee"
    operator_extra_links = (OperationLink(),)
    #: of the operation that it carried out
    operation_id: int | None = None

    verb: ClassVar[Verb]
    #: attributes that are sent along as options of the same name
    options: ClassVar[Sequence[str]] = ()

    def __init__(
        self,
        *,
        external_dag_id: str | None = None,
        external_task_ids: Iterable[str] | None = None,
        targets: TaskTargets | None = None,
        workflows: Iterable[str] | None = None,
        reason: str | None = None,
        ticket: str | None = None,
        notify_owners: bool = False,
        fail_on_refused: bool = True,
        taskops_conn_id: str = TaskOpsHook.default_conn_name,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.external_dag_id = external_dag_id
        self.external_task_ids = external_task_ids
        self.targets = targets
        self.workflows = workflows
        self.reason = reason
        self.ticket = ticket
        self.notify_owners = notify_owners
        self.fail_on_refused = fail_on_refused
        self.taskops_conn_id = taskops_conn_id
        ways = [
            external_dag_id is not None or external_task_ids is not None,
            targets is not None,
            workflows is not None,
        ]
        if sum(ways) != 1 or (external_dag_id is None) != (external_task_ids is None):
            raise ValueError(f"{type(self).__name__} needs one of {TASKS_OF_ONE_DAG}, targets, or workflows")

    @cached_property
    def hook(self) -> TaskOpsHook:
        """The client, with its token."""
        return TaskOpsHook(self.taskops_conn_id)

    def execute(self, context: Context) -> ChangeJson:
        """Preview the change, carry it out, and return the answer."""
        whole_workflows = self.workflows is not None
        targets = self._chosen()
        if not targets:
            self.log.info("%s: no targets, nothing to do", self.verb)
            return _nothing(self.verb)
        reason = reason_of(context, self.reason)
        options = {
            "reason": reason,
            "ticket": self.ticket or None,
            "notify_owners": self.notify_owners or None,
            **self._options(),
        }
        if whole_workflows:
            change = partial(self.hook.change_workflows, self.verb, [t["dag_id"] for t in targets], **options)
        else:
            change = partial(self.hook.change_tasks, self.verb, targets, **options)
        answer = PreviewThenApply(
            self.verb,
            change,
            self.hook.get_tasks,
            whole_workflows=whole_workflows,
            fail_on_refused=self.fail_on_refused,
            reason=reason,
            tried_before=context["ti"].try_number > 1,
            where=f"{self.hook.endpoint}",
            log=self.log,
        ).run()
        self.operation_id = answer.get("operation_id")
        return answer

    def on_kill(self) -> None:
        """Do not wait for the server any more. A change that is on its way may still be carried out."""
        self.hook.stop()

    def _chosen(self) -> list[dict[str, str]]:
        if self.workflows is not None:
            return workflow_targets(self.workflows)
        if self.targets is not None:
            return task_targets(self.targets)
        return tasks_of_dag(self.external_dag_id, self.external_task_ids)

    def _options(self) -> Json:
        chosen = {name: getattr(self, name) for name in self.options}
        if isinstance(chosen.get("resume_at"), timedelta):
            chosen["resume_at"] = datetime.now(UTC) + chosen["resume_at"]
        # an empty template and an option that was left alone say the same
        return {name: value for name, value in chosen.items() if value not in (None, "", False)}


def reason_of(context: Context, reason: str | None) -> str:
    """Return a reason, with what asked: people who find a task paused look for it, and so does a later try."""
    ti = context["ti"]
    index = f"[{ti.map_index}]" if ti.map_index is not None and ti.map_index >= 0 else ""
    origin = f"by Dag {ti.dag_id}, task {ti.task_id}{index}, run {ti.run_id}"
    if not reason:
        return origin[:MAX_REASON_LENGTH]
    room = MAX_REASON_LENGTH - len(origin) - 3
    return f"{' '.join(reason.split())[:room]} ({origin})"


def _nothing(verb: Verb) -> ChangeJson:
    counts = {"applied": 0, "left_alone": 0, "blocked": 0}
    return {"operation_id": None, "verb": verb, "dry_run": False, "outcome": "success", "counts": counts, "items": []}
