"""Execution history of a task: filters, statistics by status, its instances (requirements C2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from taskops_provider.domain.gate import WAITING_STATE, waits_in_gate
from taskops_provider.domain.instances import InstanceStatus, InstanceVerb, why_not
from taskops_provider.domain.states import TaskState
from taskops_provider.services.catalog.instances import (
    InstanceFilter,
    InstancePage,
    InstanceRow,
    InstanceSearch,
    page_of_instances,
)
from taskops_provider.services.catalog.tasks import TaskRow
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.instances.badges import HELD, STATUS_BADGES, name_of, state_badge
from taskops_provider.www.presenters.instances.words import VERBS
from taskops_provider.www.presenters.lists import moments, paging, rows
from taskops_provider.www.presenters.lists.columns import Column
from taskops_provider.www.presenters.task.page import PAGE, TaskPage

DEFAULT_ORDER = "-run"
GATED = "gated"
COLUMNS = (
    Column("name", "Run", "run", largest_first=True),
    Column("data", "Data time", "logical_date", largest_first=True, kind="time"),
    Column("state", "State", "state"),
    Column("try", "Try", "try_number", largest_first=True),
    Column("start", "Started", "start_date", largest_first=True, kind="time"),
    Column("end", "Ended", "end_date", largest_first=True, kind="time"),
    Column("took", "Duration", "duration", largest_first=True),
    Column("pool", "Pool"),
    Column("remark", "Note"),
)
#: what is doing one of these has neither ended nor runs
_ASKS_WHY = (InstanceStatus.WAITING_FOR_UPSTREAM, InstanceStatus.WAITING_FOR_EVENT, InstanceStatus.AWAITING_EXECUTION)
#: field -> label of the ranges that instances are filtered by
RANGES: Mapping[str, str] = {"data": "Data time", "start": "Start time"}
ENDS = ("from", "to")


@dataclass(frozen=True)
class ShownMoment:
    """A bound of a range: as it stands in the form (wall clock of the zone that was sent), and as a moment."""

    name: str
    label: str
    text: str
    iso: str


@dataclass(frozen=True)
class Statistic:
    """How many instances have a status, and the address that shows them alone (or all, where it does already)."""

    label: str
    tone: str
    count: int
    url: str
    is_current: bool


@dataclass(frozen=True)
class HistoryQuery:
    """What the filter asks for.

    :param given: the bounds as they were sent, by field
    :param zone: the time zone that they are in
    """

    where: InstanceFilter
    statuses: tuple[str, ...]
    bounds: Mapping[str, datetime | None]
    given: Mapping[str, str]
    zone: str

    @property
    def query(self) -> dict[str, tuple[str, ...]]:
        """The filter as an address has it."""
        query = {name: (value,) for name, value in self.given.items()}
        return query | {"zone": (self.zone,) if self.given else (), "status": self.statuses}


@dataclass(frozen=True)
class HistoryRow:
    """One instance.

    :param target: what operations on it are sent
    :param map_index: None where the task is not mapped
    """

    target: str
    label: str
    id: text.Name
    name: text.Name
    run_id: str
    map_index: int | None
    iteration: str | None
    run_type: str
    url: str
    why_url: str
    asks_why: bool
    data_time: text.Time | None
    interval_from: text.Time | None
    interval_to: text.Time | None
    badge: text.Badge
    gated: str
    try_number: int
    started: text.Time | None
    ended: text.Time | None
    took: str
    pool: str
    note: str
    actions: Sequence[rows.Action]
    links: Sequence[rows.CellLink]


@dataclass(frozen=True)
class HistoryView:
    """What the template ``task/history.html`` shows.

    :param form_fields: hidden fields of the filter's form, and ``form_statuses``: its statuses
    :param ranges: label, both ends
    :param verbs: what can be done with instances: label, address
    """

    refresh_url: str
    reset_url: str
    is_filtered: bool
    form_fields: Mapping[str, str]
    form_statuses: Sequence[str]
    zone: str
    ranges: Sequence[tuple[str, Sequence[ShownMoment]]]
    statistics: Sequence[Statistic]
    headers: Sequence[paging.Header]
    rows: Sequence[HistoryRow]
    pager: paging.Pager
    verbs: Sequence[tuple[str, str]]


def history_view(page: TaskPage) -> HistoryView:
    """Return the execution history.

    :raises Forbidden: when the instances of the Dag may not be seen
    """
    asked, row = page.asked, page.row
    wanted = _wanted(page)
    order_by = paging.order_of(asked, COLUMNS, DEFAULT_ORDER, page.problems)
    statuses = tuple(status for status in wanted.statuses if status != GATED)
    search = InstanceSearch(row.dag_id, row.task_id, wanted.where, statuses)
    read = partial(page_of_instances, asked.session, asked.actor, search, asked.now)
    found, number = paging.fetch(read, paging.page_of(asked, page.problems), order_by, page.problems)
    fixed = {**page.fixed, "view": page.view} | ({"sort": order_by} if order_by != DEFAULT_ORDER else {})
    address = paging.Address(asked, PAGE, {name: (value,) for name, value in fixed.items()} | wanted.query)
    offered = _offered(page)
    return HistoryView(
        refresh_url=address.url(page=str(number) if number > 1 else ""),
        reset_url=page.url(view=page.view),
        is_filtered=bool(wanted.given or wanted.statuses),
        form_fields=fixed,
        form_statuses=wanted.statuses,
        zone=wanted.zone,
        ranges=[
            (label, [_bound(f"{key}_{end}", f"{label} {end}", wanted) for end in ENDS]) for key, label in RANGES.items()
        ],
        statistics=_statistics(found, wanted.statuses, address),
        headers=paging.headers(COLUMNS, order_by, address),
        rows=[_row(instance, page, offered) for instance in found.rows],
        pager=paging.pager(found, number, address),
        verbs=[(action.label, action.url) for action in offered],
    )


def _offered(page: TaskPage) -> list[rows.Action]:
    """What the person may do with instances."""
    may, dag_id, urls = page.asked.actor.permissions, page.row.dag_id, page.asked.urls
    found: list[rows.Action] = []
    if may.may_change_instances(dag_id):
        found += [
            rows.Action(verb.value, words.label, urls.page(f"instances/{verb.value}")) for verb, words in VERBS.items()
        ]
    if may.editable([dag_id]):
        found.append(rows.Action(rows.REPLENISH, "Replenish", urls.page(f"{rows.REPLENISH}/instances")))
    return found


def _wanted(page: TaskPage) -> HistoryQuery:
    asked, problems = page.asked, page.problems
    zone = moments.zone_of(asked.one("zone"), problems)
    bounds = {
        f"{key}_{end}": moments.moment_of(f"{label} {end}", asked.one(f"{key}_{end}"), zone, problems)
        for key, label in RANGES.items()
        for end in ENDS
    }
    for key, label in RANGES.items():
        first, last = bounds[f"{key}_from"], bounds[f"{key}_to"]
        if first and last and first > last:
            problems.lines.append(f"{label}: it ends before it begins; the end is left out.")
            bounds[f"{key}_to"] = None
    statuses = problems.only("Status", asked.many("status"), (*STATUS_BADGES, GATED))
    where = InstanceFilter(
        gated=True if GATED in statuses else None,
        logical_from=bounds["data_from"],
        logical_to=moments.end_of(bounds["data_to"]),
        started_from=bounds["start_from"],
        started_to=moments.end_of(bounds["start_to"]),
    )
    given = {name: asked.one(name) for name, moment in bounds.items() if moment}
    return HistoryQuery(where, statuses, bounds, given, str(zone))


def _bound(name: str, label: str, wanted: HistoryQuery) -> ShownMoment:
    moment = wanted.bounds[name]
    iso = f"{moment.replace(tzinfo=None).isoformat()}Z" if moment else ""
    # to the minute, as the field shows it
    return ShownMoment(name, label, wanted.given.get(name, "")[:16], iso)


def _statistics(found: InstancePage, statuses: Sequence[str], address: paging.Address) -> list[Statistic]:
    total = sum(found.counts.values())
    made = [Statistic("Total", "", total, address.url(status=(), page=""), not statuses)]
    counts = {**found.counts, GATED: found.gated}
    labels = {**{status: (badge.text, badge.tone) for status, badge in STATUS_BADGES.items()}, GATED: ("Gated", "")}
    for status, (label, tone) in labels.items():
        is_current = status in statuses
        # a click on the one that is shown alone shows all again
        wanted = () if tuple(statuses) == (status,) else (status,)
        made.append(Statistic(label, tone, counts[status], address.url(status=wanted, page=""), is_current))
    return made


def _row(instance: InstanceRow, page: TaskPage, offered: Sequence[rows.Action]) -> HistoryRow:
    row, urls = page.row, page.asked.urls
    where = (row.dag_id, instance.run_id, row.task_id, instance.map_index)
    why_query = {"dag_id": row.dag_id, "task_id": row.task_id, "run_id": instance.run_id}
    label = name_of(instance.run_id, instance.map_index, instance.iteration)
    region = f"@{instance.region_id}" if instance.region_id else ""
    return HistoryRow(
        target=f"{instance.map_index}{region} {instance.run_id}",
        label=label,
        id=text.name(label),
        name=text.name(instance.run_id),
        run_id=instance.run_id,
        map_index=instance.map_index if instance.map_index >= 0 and not instance.iteration else None,
        iteration=instance.iteration,
        run_type=instance.run_type.replace("_", " "),
        url=urls.instance(*where),
        why_url=urls.page("task/why", why_query),
        asks_why=instance.gated or instance.held or instance.status in _ASKS_WHY,
        data_time=text.time(instance.logical_date),
        interval_from=text.time(instance.data_interval_start),
        interval_to=text.time(instance.data_interval_end),
        badge=_badge(instance),
        gated=f"Gated: {instance.downstream}" if instance.gated else "",
        try_number=instance.try_number,
        started=text.time(instance.start_date),
        ended=text.time(instance.end_date),
        took="" if instance.duration is None else text.duration(instance.duration),
        pool=instance.pool,
        note=instance.note or "",
        actions=[replace(action, why_not=_why_not(action.verb, instance, row)) for action in offered],
        links=[
            rows.CellLink("Log", urls.instance(*where, instance.try_number), "airflow"),
            rows.CellLink("Run in Airflow", urls.run(row.dag_id, instance.run_id), "airflow"),
        ],
    )


def _badge(instance: InstanceRow) -> text.Badge:
    if instance.held and instance.state == WAITING_STATE:
        return HELD
    return state_badge(instance.state, waits=waits_in_gate(instance.state, gated=instance.gated))


def _why_not(verb: str, instance: InstanceRow, row: TaskRow) -> str:
    if verb != rows.REPLENISH:
        if verb in (InstanceVerb.HOLD, InstanceVerb.RELEASE) and instance.held is (verb == InstanceVerb.HOLD):
            return "It is held already" if instance.held else "It is not held"
        is_waiting = instance.gated or instance.held
        return _sentence(why_not(InstanceVerb(verb), instance.state, gated=is_waiting))
    if row.state in (TaskState.OFFLINE, TaskState.DELETED):
        return rows.STOPPED
    return "" if instance.logical_date else "Its run has no data time; rerun it instead"


def _sentence(reason: str | None) -> str:
    return f"It {reason}" if reason else ""
