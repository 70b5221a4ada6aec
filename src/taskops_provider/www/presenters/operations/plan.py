"""A plan, or what was done, as a dialog shows it: counts, and tables of what it applies to, leaves alone, blocks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from taskops_provider.domain.operations.answers import BlockingTask, Counts
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item, Plan
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Verb, WorkflowStatus
from taskops_provider.services.operations.target_details import TargetDetails, target_details
from taskops_provider.services.shared.task_keys import TaskKey
from taskops_provider.services.windows.in_force import FROZEN
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Badge, Name
from taskops_provider.www.urls import Urls

#: rows of one section; the others are counted
SHOWN = 100
#: tasks named behind one blocked target; the others are counted
BLOCKERS_SHOWN = 20


@dataclass(frozen=True)
class PlanBlocker:
    """A task that blocks a target; without an address where its Dag may not be read."""

    name: str
    workflow: str = ""
    url: str = ""
    type: str = ""
    period: str = ""
    owners: str = ""


@dataclass(frozen=True)
class TargetRow:
    """One target."""

    name: Name
    id: Name
    url: str
    type: Name
    period: str
    owners: text.Owners
    workflow: Name
    workflow_url: str
    before: Badge | None
    after: Badge | None
    wave: int | None = None
    #: how many tasks the row stands for, where a whole workflow is blocked
    tasks: int = 0
    blockers: Sequence[PlanBlocker] = ()
    more_blockers: int = 0


@dataclass(frozen=True)
class TargetGroup:
    """Targets that came to the same, for the same reason.

    :param more: how many rows are not shown
    """

    reason: str
    count: int
    rows: Sequence[TargetRow]
    more: int = 0


@dataclass(frozen=True)
class ShownPlan:
    """What a dialog shows of a plan."""

    applied: TargetGroup
    left_alone: Sequence[TargetGroup]
    blocked: Sequence[TargetGroup]
    counts: Counts
    #: ``12 tasks``, ``2 workflows``: what it applies to
    noun: str
    has_tasks: bool
    has_waves: bool
    strict: str
    affected: str
    instances: int
    held: int
    #: what filling the gap replenishes, in a few words; empty where that is not asked for
    gap: str = ""
    gap_notes: Sequence[str] = ()
    #: a line for each window that the targets are in
    windows: Sequence[str] = ()
    #: a window freezes some of them
    is_frozen: bool = False
    gap_url: str = ""
    #: downstream workflows, and workflows that will drain: id and address
    affected_workflows: Sequence[tuple[str, str]] = ()
    more_affected: int = 0
    drains: Sequence[tuple[str, str]] = ()


@dataclass
class _Cut:
    """Items of a section by reason, with at most :data:`SHOWN` of them kept in all."""

    left: int = SHOWN
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    kept: dict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))

    def add(self, item: Item) -> None:
        reason = item.reason or ""
        self.counts[reason] += 1
        kept = self.kept[reason]
        if self.left:
            kept.append(item)
            self.left -= 1


def shown_plan(session: Session, plan: Plan, urls: Urls) -> ShownPlan:
    """Return what is shown of a plan: a constant number of queries, whatever its size."""
    sections = {outcome: _Cut() for outcome in (Outcome.APPLIED, Outcome.LEFT_ALONE, Outcome.BLOCKED)}
    whole = _whole_workflows(plan)
    for item in _most_telling_first(plan.items):
        # a workflow that is refused as a whole is one row, not one for each of its tasks
        if item.outcome in sections and whole.get(item.dag_id, item) is item:
            sections[item.outcome].add(item)
    kept = [item for cut in sections.values() for items in cut.kept.values() for item in items]
    rows = _Rows(target_details(session, [_pair(item, whole) for item in kept]), plan, whole, urls)
    applied = plan.applied()
    gap = plan.gap
    return ShownPlan(
        applied=_group("", sections[Outcome.APPLIED], rows),
        left_alone=_groups(sections[Outcome.LEFT_ALONE], rows),
        blocked=_groups(sections[Outcome.BLOCKED], rows),
        counts=plan.counts(),
        noun=counted_targets(plan),
        has_tasks=any(item.task_id for item in kept),
        has_waves=any(item.wave is not None for item in applied),
        strict=", ".join(plan.strict_projects),
        affected=_affected(plan),
        instances=plan.affects.instances,
        held=plan.held_instances,
        gap="" if gap is None else text.count(gap.cells, "missed cell") if gap.cells else "Nothing",
        gap_notes=gap.notes if gap else (),
        windows=[
            f"{text.count(window.tasks, 'task')} in window {window.name} until {window.until}: "
            "runs created in it do not execute them"
            for window in plan.windows
        ],
        is_frozen=any((item.reason or "").startswith(FROZEN) for item in plan.items),
        affected_workflows=_linked(plan.affects.workflows, urls),
        more_affected=plan.affects.downstream_workflows - len(plan.affects.workflows),
        drains=_linked(plan.affects.drains, urls),
        gap_url=urls.page("replenishment", {"id": str(gap.replenishment_id)}) if gap and gap.replenishment_id else "",
    )


def _most_telling_first(items: Sequence[Item]) -> list[Item]:
    """What is blocked by tasks that are not blocked or planned themselves comes first: these have to be dealt with."""
    own = {(item.dag_id, item.task_id) for item in items}
    return sorted(items, key=lambda item: all(blocker in own for blocker in item.blockers))


def counted_targets(plan: Plan) -> str:
    """Return what a plan applies to, counted: ``12 tasks``, ``2 workflows``, ``12 tasks of 2 workflows``."""
    applied = plan.applied()
    flows = text.count(len({item.dag_id for item in applied}), "workflow")
    if plan.scope is Scope.TASK:
        return text.count(len(applied), "task")
    if plan.verb == Verb.SET_OWNERS.value or not all(item.task_id for item in applied):
        return flows
    return f"{text.count(len(applied), 'task')} of {flows}"


def _affected(plan: Plan) -> str:
    affects = plan.affects
    if not affects.downstream_tasks:
        return ""
    tasks, flows = text.count(affects.downstream_tasks, "task"), text.count(affects.downstream_workflows, "workflow")
    return f"{tasks} downstream, in {flows}"


def _linked(dag_ids: Sequence[str], urls: Urls) -> list[tuple[str, str]]:
    return [(dag_id, urls.page("workflow", {"dag_id": dag_id})) for dag_id in dag_ids]


def _whole_workflows(plan: Plan) -> dict[str, Item]:
    """The one item that stands for each workflow whose deletion is refused as a whole."""
    whole: dict[str, Item] = {}
    if plan.scope is Scope.WORKFLOW and plan.verb == Verb.DELETE.value:
        for item in plan.items:
            if item.outcome is Outcome.BLOCKED:
                whole.setdefault(item.dag_id, item)
    return whole


def _pair(item: Item, whole: Mapping[str, Item]) -> TaskKey:
    return item.dag_id, "" if whole.get(item.dag_id) is item else item.task_id


def _groups(cut: _Cut, rows: _Rows) -> list[TargetGroup]:
    """The most frequent reason first."""
    return [_group(reason, cut, rows) for reason in sorted(cut.counts, key=lambda r: (-cut.counts[r], r))]


def _group(reason: str, cut: _Cut, rows: _Rows) -> TargetGroup:
    kept = cut.kept[reason]
    return TargetGroup(
        _in_words(reason), cut.counts[reason], [rows.row(item) for item in kept], cut.counts[reason] - len(kept)
    )


def _in_words(reason: str) -> str:
    """A reason with the statuses of workflows as the lists have them: ``all paused``."""
    for status in WorkflowStatus:
        reason = reason.replace(status.value, status.value.replace("_", " "))
    return reason


def _camel(name: str) -> Name:
    """A type's name, which may end a line before a capital."""
    return Name(name, re.split(r"(?<=[a-z])(?=[A-Z])", name))


class _Rows:
    """Makes rows of items."""

    def __init__(self, details: Mapping[TaskKey, TargetDetails], plan: Plan, whole: Mapping[str, Item], urls: Urls):
        self._details = details
        self._whole = whole
        self._urls = urls
        self._tasks_of: dict[str, int] = defaultdict(int)
        for item in plan.items if whole else ():
            self._tasks_of[item.dag_id] += bool(item.task_id)

    def row(self, item: Item) -> TargetRow:
        pair = dag_id, task_id = _pair(item, self._whole)
        known = self._details.get(pair) or TargetDetails(task_id or dag_id, dag_id, "", "", [])
        is_whole = self._whole.get(dag_id) is item
        shown = BLOCKERS_SHOWN if not is_whole else SHOWN
        return TargetRow(
            name=text.name(known.name),
            id=text.name(task_id or dag_id),
            url=self._task(dag_id, task_id) if task_id else self._workflow(dag_id),
            type=_camel(known.task_type),
            period=text.PERIODS.get(known.period, known.period),
            owners=text.owners(known.owners),
            workflow=text.name(known.workflow if task_id else ""),
            workflow_url=self._workflow(dag_id),
            before=_badge(item.before),
            after=_badge(item.after) if item.outcome is Outcome.APPLIED and item.after != item.before else None,
            wave=item.wave,
            tasks=self._tasks_of[dag_id] if is_whole else 0,
            blockers=[self._blocker(by) for by in item.blocked_by[:shown]],
            more_blockers=max(len(item.blockers) - shown, 0),
        )

    def _blocker(self, by: BlockingTask) -> PlanBlocker:
        if by.dag_id is None or by.task_id is None:
            return PlanBlocker(by.name)
        return PlanBlocker(
            name=by.name,
            workflow=by.dag_id,
            url=self._task(by.dag_id, by.task_id),
            type=by.task_type or "",
            period=text.PERIODS.get(by.period or "", by.period or ""),
            owners=", ".join(by.owners or ()),
        )

    def _task(self, dag_id: str, task_id: str) -> str:
        return self._urls.page("task", {"dag_id": dag_id, "task_id": task_id})

    def _workflow(self, dag_id: str) -> str:
        return self._urls.page("workflow", {"dag_id": dag_id})


def _badge(status: str | None) -> Badge | None:
    if status is None:
        return None
    return text.TASK_BADGES.get(status) or text.WORKFLOW_BADGES.get(status) or Badge(status, "grey")
