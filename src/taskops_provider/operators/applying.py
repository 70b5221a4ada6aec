"""Carry out a change once and for all: preview, then apply exactly that.

The preview comes first for two reasons. Where a target would be refused, nothing is changed at all. And where the
answer to the change is lost (the server was restarted, the connection broke), the next preview tells whether it was
carried out, which is safer than sending it once more on a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.states import Verb
from taskops_provider.hooks.answers import ChangeJson, TaskJson
from taskops_provider.hooks.errors import NoAnswer, PermissionMissing, StateConflict, TargetsRefused
from taskops_provider.hooks.targets import TaskTargets
from taskops_provider.operators.outcome import is_forbidden, is_so_already, named, refused, result, told

if TYPE_CHECKING:
    from airflow.sdk.types import Logger

ROUNDS = 3


class Change(Protocol):
    """One change, without its last options."""

    def __call__(self, **options: Any) -> ChangeJson: ...


class PreviewThenApply:
    """One change, from the preview to the answer.

    :param change: sends it; takes ``dry_run`` and ``plan_hash``
    :param read: returns tasks by ``dag_id`` and ``task_id``
    :param reason: what the change is recorded with; it names the task instance, so it tells that a task was changed
        by it
    :param where: the server and who asks, for messages
    :param tried_before: whether an earlier try of the task instance may have sent the change
    """

    def __init__(
        self,
        verb: Verb,
        change: Change,
        read: Callable[[TaskTargets], list[TaskJson]],
        *,
        whole_workflows: bool,
        fail_on_refused: bool,
        reason: str,
        tried_before: bool,
        where: str,
        log: Logger,
    ):
        self.verb = verb
        self.change = change
        self.read = read
        self.whole_workflows = whole_workflows
        self.fail_on_refused = fail_on_refused
        self.reason = reason
        self.may_be_done = tried_before
        self.where = where
        self.log = log

    def run(self) -> ChangeJson:
        """Make it so and return the answer.

        :raises TargetsRefused: naming them; nothing was changed
        :raises TaskOpsHookError: for anything else that went wrong
        """
        for last in (False,) * (ROUNDS - 1) + (True,):
            plan = self.change(dry_run=True)
            self._check(plan)
            if not plan["counts"]["applied"]:
                return self._done(plan)
            try:
                return self._done(self.change(plan_hash=plan["plan_hash"]))
            except NoAnswer as error:
                if last:
                    raise
                self.may_be_done = True
                self.log.warning("%s; looking whether it was", error)
            except StateConflict as error:
                if last:
                    raise
                self.log.info("someone changed a target meanwhile, looking again: %s", error)
        raise AssertionError("the last round returns or raises")

    def _check(self, plan: ChangeJson) -> None:
        items = refused(self.verb, plan["items"], whole_workflows=self.whole_workflows)
        if not items:
            return
        what = f"{self.verb} does not apply to {len(items)} of {len(plan['items'])} targets"
        if self.fail_on_refused:
            message = f"{what}, nothing was changed: {named(items, why=True)}"
            if all(is_forbidden(item) for item in items):
                raise PermissionMissing(f"{message}; asked {self.where}")
            raise TargetsRefused(message)
        self.log.warning("%s: %s", what, named(items, why=True))

    def _done(self, answer: ChangeJson) -> ChangeJson:
        earlier = self._changed_earlier(answer) if self.may_be_done else set()
        done = result(self.verb, answer, earlier, whole_workflows=self.whole_workflows)
        applied = [item for item in done["items"] if item["outcome"] == Outcome.APPLIED]
        already = [item for item in done["items"] if is_so_already(self.verb, item)]
        if applied:
            operation = f" (operation {done['operation_id']})" if done["operation_id"] else ""
            self.log.info("%s: done for %s%s", self.verb, named(applied), operation)
        if done.get("notified"):
            self.log.info("%s: %s", self.verb, told(done["notified"]))
        if already:
            self.log.info("%s: was so already for %s", self.verb, named(already))
        return done

    def _changed_earlier(self, answer: ChangeJson) -> set[tuple[str, str]]:
        """Find the tasks that this change was applied to when its answer was lost."""
        already = [item for item in answer["items"] if item["task_id"] and is_so_already(self.verb, item)]
        return {(task["dag_id"], task["task_id"]) for task in self.read(already) if task.get("reason") == self.reason}
