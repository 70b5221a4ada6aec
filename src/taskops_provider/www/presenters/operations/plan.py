"""A plan, or what was done, as a dialog shows it: counts, and tables of what it applies to, leaves alone, blocks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from taskops_provider.domain.operations import Item, Outcome, Plan, Scope
from taskops_provider.domain.states import Verb, WorkflowStatus
from taskops_provider.services.described import Described, describe
from taskops_provider.services.pairs import Pair
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Badge, Name
from taskops_provider.www.urls import Urls

#: rows of one section; the others are counted
SHOWN = 100
#: tasks named behind one blocked target; the others are counted
BLOCKERS_SHOWN = 20


@dataclass(frozen=True)
class Blocker:
    """A task that blocks a target; without an address where its Dag may not be read."""

    name: str
    workflow: str = ""
    url: str = ""
    type: str = ""
    period: str = ""
    owners: str = ""


@dataclass(frozen=True)
class Row:
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
    blockers: Sequence[Blocker] = ()
    more_blockers: int = 0


@dataclass(frozen=True)
class Group:
    """Targets that came to the same, for the same reason.

    :param more: how many rows are not shown
    """

    reason: str
    count: int
    rows: Sequence[Row]
    more: int = 0


@dataclass(frozen=True)
class Shown:
    """What a dialog shows of a plan."""

    applied: Group
    left_alone: Sequence[Group]
    blocked: Sequence[Group]
    counts: Mapping[str, int]
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
    gap_url: str = ""


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


def show(session: Session, plan: Plan, urls: Urls) -> Shown:
    """Return what is shown of a plan: a constant number of queries, whatever its size."""
    sections = {outcome: _Cut() for outcome in (Outcome.APPLIED, Outcome.LEFT_ALONE, Outcome.BLOCKED)}
    whole = _whole_workflows(plan)
    for item in plan.items:
        # a workflow that is refused as a whole is one row, not one for each of its tasks
        if item.outcome in sections and whole.get(item.dag_id, item) is item:
            sections[item.outcome].add(item)
    kept = [item for cut in sections.values() for items in cut.kept.values() for item in items]
    rows = _Rows(describe(session, [_pair(item, whole) for item in kept]), plan, whole, urls)
    counts = plan.counts()
    applied = [item for item in plan.items if item.outcome is Outcome.APPLIED]
    return Shown(
        applied=_group("", sections[Outcome.APPLIED], rows),
        left_alone=_groups(sections[Outcome.LEFT_ALONE], rows),
        blocked=_groups(sections[Outcome.BLOCKED], rows),
        counts=counts,
        noun=noun(plan, applied),
        has_tasks=any(item.task_id for item in kept),
        has_waves=any(item.wave is not None for item in applied),
        strict=", ".join(plan.strict_projects),
        affected=_affected(plan),
        instances=plan.instances,
        held=plan.held_instances,
        **_gap(plan, urls),
    )


def _gap(plan: Plan, urls: Urls) -> dict[str, Any]:
    if plan.gap is None:
        return {}
    number = plan.gap.replenishment_id
    return {
        "gap": text.count(plan.gap.cells, "missed cell") if plan.gap.cells else "Nothing",
        "gap_notes": plan.gap.notes,
        "gap_url": urls.page("replenishment", {"id": str(number)}) if number else "",
    }


def noun(plan: Plan, applied: Sequence[Item]) -> str:
    """Return what a plan applies to, counted: ``12 tasks``, ``2 workflows``, ``12 tasks of 2 workflows``."""
    flows = text.count(len({item.dag_id for item in applied}), "workflow")
    if plan.scope is Scope.TASK:
        return text.count(len(applied), "task")
    if plan.verb == Verb.SET_OWNERS.value or not all(item.task_id for item in applied):
        return flows
    return f"{text.count(len(applied), 'task')} of {flows}"


def _affected(plan: Plan) -> str:
    if not plan.downstream_tasks:
        return ""
    tasks, flows = text.count(plan.downstream_tasks, "task"), text.count(plan.downstream_workflows, "workflow")
    return f"{tasks} downstream, in {flows}"


def _whole_workflows(plan: Plan) -> dict[str, Item]:
    """The one item that stands for each workflow whose deletion is refused as a whole."""
    whole: dict[str, Item] = {}
    if plan.scope is Scope.WORKFLOW and plan.verb == Verb.DELETE.value:
        for item in plan.items:
            if item.outcome is Outcome.BLOCKED:
                whole.setdefault(item.dag_id, item)
    return whole


def _pair(item: Item, whole: Mapping[str, Item]) -> Pair:
    return item.dag_id, "" if whole.get(item.dag_id) is item else item.task_id


def _groups(cut: _Cut, rows: _Rows) -> list[Group]:
    """The most frequent reason first."""
    return [_group(reason, cut, rows) for reason in sorted(cut.counts, key=lambda r: (-cut.counts[r], r))]


def _group(reason: str, cut: _Cut, rows: _Rows) -> Group:
    kept = cut.kept[reason]
    return Group(
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

    def __init__(self, described: Mapping[Pair, Described], plan: Plan, whole: Mapping[str, Item], urls: Urls):
        self._described = described
        self._whole = whole
        self._urls = urls
        self._tasks_of: dict[str, int] = defaultdict(int)
        for item in plan.items if whole else ():
            self._tasks_of[item.dag_id] += bool(item.task_id)

    def row(self, item: Item) -> Row:
        pair = dag_id, task_id = _pair(item, self._whole)
        known = self._described.get(pair) or Described(task_id or dag_id, dag_id, "", "", [])
        is_whole = self._whole.get(dag_id) is item
        shown = BLOCKERS_SHOWN if not is_whole else SHOWN
        return Row(
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
            more_blockers=max(len(item.blocked_by) - shown, 0),
        )

    def _blocker(self, by: Mapping[str, Any]) -> Blocker:
        if by["dag_id"] is None:
            return Blocker(by["name"])
        return Blocker(
            name=by["name"],
            workflow=by["dag_id"],
            url=self._task(by["dag_id"], by["task_id"]),
            type=by["task_type"],
            period=text.PERIODS.get(by["period"], by["period"]),
            owners=", ".join(by["owners"]),
        )

    def _task(self, dag_id: str, task_id: str) -> str:
        return self._urls.page("task", {"dag_id": dag_id, "task_id": task_id})

    def _workflow(self, dag_id: str) -> str:
        return self._urls.page("workflow", {"dag_id": dag_id})


def _badge(status: str | None) -> Badge | None:
    if status is None:
        return None
    return text.TASK_BADGES.get(status) or text.WORKFLOW_BADGES.get(status) or Badge(status, "grey")
