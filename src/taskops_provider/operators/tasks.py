"""Start, pause, take offline and submit tasks from a Dag."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from taskops_provider.domain.states import Verb
from taskops_provider.operators.base import ChangeTasksOperator


class StartTasksOperator(ChangeTasksOperator):
    """Start paused tasks: new runs execute them again.

    ::

        pause = PauseTasksOperator(task_id="pause", targets=[("sales_mart_daily", "publish_mart")])
        start = StartTasksOperator(task_id="start", targets=pause.output)  # what ``pause`` changed, nothing else

    Targets, reason, ticket, ``fail_on_refused`` and the result:
    :class:`~taskops_provider.operators.base.ChangeTasksOperator`.

    :param held: what becomes of the instances that a pause with ``downstream="hold"`` holds: ``run`` or ``skip``
        (templated)
    :param fill_gap: replenish the cycles that the tasks missed since they were paused; the result then has
        ``replenishment_id``, for :class:`~taskops_provider.sensors.replenishment.ReplenishmentSensor`
    """

    verb = Verb.START
    options = ("held", "fill_gap")
    template_fields = (*ChangeTasksOperator.template_fields, "held")

    def __init__(self, *, held: Literal["run", "skip"] | str | None = None, fill_gap: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.held = held
        self.fill_gap = fill_gap


class PauseTasksOperator(ChangeTasksOperator):
    """Pause tasks: runs created from now on do not execute them.

    Targets, reason, ticket, ``fail_on_refused`` and the result:
    :class:`~taskops_provider.operators.base.ChangeTasksOperator`.

    :param downstream: what the tasks do to those after them: ``skip``, ``run``, ``fail`` or ``hold``; default
        ``[taskops] default_downstream`` (templated)
    :param terminate_instances: end the instances under way at once
    :param resume_at: when the tasks start again by themselves: a time, as ISO 8601 too, or a time from now on
        (templated)
    :param fill_gap: replenish, when ``resume_at`` has come, the cycles that the tasks missed
    """

    verb = Verb.PAUSE
    options = ("downstream", "terminate_instances", "resume_at", "fill_gap")
    template_fields = (*ChangeTasksOperator.template_fields, "downstream", "resume_at")

    def __init__(
        self,
        *,
        downstream: Literal["skip", "run", "fail", "hold"] | str | None = None,
        terminate_instances: bool = False,
        resume_at: datetime | timedelta | str | None = None,
        fill_gap: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.downstream = downstream
        self.terminate_instances = terminate_instances
        self.resume_at = resume_at
        self.fill_gap = fill_gap


class OfflineTasksOperator(ChangeTasksOperator):
    """Take tasks out of service, until someone submits them.

    Targets, reason, ticket, ``fail_on_refused`` and the result:
    :class:`~taskops_provider.operators.base.ChangeTasksOperator`.

    :param downstream: what the tasks do to those after them: ``skip``, ``run`` or ``fail``; default
        ``[taskops] default_downstream`` (templated)
    :param terminate_instances: end the instances under way at once
    :param cascade: in strict mode, take their downstream tasks offline first
    """

    verb = Verb.OFFLINE
    options = ("downstream", "terminate_instances", "cascade")
    template_fields = (*ChangeTasksOperator.template_fields, "downstream")

    def __init__(
        self,
        *,
        downstream: Literal["skip", "run", "fail"] | str | None = None,
        terminate_instances: bool = False,
        cascade: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.downstream = downstream
        self.terminate_instances = terminate_instances
        self.cascade = cascade


class SubmitTasksOperator(ChangeTasksOperator):
    """Bring offline or deleted tasks back into service.

    Targets, reason, ticket, ``fail_on_refused`` and the result:
    :class:`~taskops_provider.operators.base.ChangeTasksOperator`.
    """

    verb = Verb.SUBMIT
