"""The list of alarms (requirements 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taskops_provider.domain.answers import copy_as
from taskops_provider.services.alarms.answers import AlarmAnswer
from taskops_provider.services.alarms.listing import AlarmFilter, list_alarms
from taskops_provider.services.shared.paging import Page
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.alarms import filters as alarm_filters
from taskops_provider.www.presenters.alarms.filters import ListState, SharedFilter
from taskops_provider.www.presenters.alarms.rows import AlarmRow, acknowledge_action, alarm_row
from taskops_provider.www.presenters.lists import filters, moments
from taskops_provider.www.presenters.lists.columns import Column
from taskops_provider.www.presenters.lists.frame import ListFrame, ListKind, list_frame, read_page
from taskops_provider.www.presenters.lists.rows import Action

PAGE = "alarms"
COLUMNS = (
    Column("number", "No."),
    Column("at", "Fired", kind="time"),
    Column("level", "Level"),
    Column("what", "What"),
    Column("rule", "Rule"),
    Column("data-time", "Data time", kind="time"),
    Column("state", "State"),
    Column("messages", "Messages"),
)
LIST = ListKind(PAGE, "alarm", COLUMNS)
STATES = (
    ListState("open", "Unacknowledged", "red", meaning=False),
    ListState("confirmed", "Acknowledged", "green", meaning=True),
)


@dataclass(frozen=True)
class AlarmsPage(ListFrame):
    """What ``alarms/events.html`` shows."""

    quick: Sequence[filters.Quick]
    toolbar: Sequence[Action]
    rows: Sequence[AlarmRow]
    page: str = PAGE
    title: str = "Alarms"
    quick_label: str = "State"


def present_alarms(asked: PageRequest) -> AlarmsPage:
    """Return one page of the list of alarms."""
    problems = filters.Problems()
    shared = alarm_filters.read_filter(asked, problems, STATES)
    where = _filter(asked, shared, problems)

    def list_in_order(*, limit: int, offset: int, order_by: str) -> Page[AlarmAnswer]:
        return list_alarms(asked.session, asked.actor, where, limit=limit, offset=offset)

    read = read_page(asked, LIST, problems, list_in_order)
    fields = _fields(asked, shared, where)
    editable = asked.actor.permissions.editable({alarm.dag_id for alarm in read.found.rows})
    rows = [alarm_row(asked, alarm, is_editable=alarm.dag_id in editable) for alarm in read.found.rows]
    return copy_as(
        AlarmsPage,
        list_frame(asked, LIST, read, fields, problems),
        quick=alarm_filters.quick_links(asked, PAGE, fields, STATES),
        toolbar=(acknowledge_action(asked),) if any(row.target for row in rows) else (),
        rows=rows,
    )


def read_filter(asked: PageRequest, problems: filters.Problems) -> AlarmFilter:
    """Return what the list's fields ask for."""
    return _filter(asked, alarm_filters.read_filter(asked, problems, STATES), problems)


def _filter(asked: PageRequest, shared: SharedFilter, problems: filters.Problems) -> AlarmFilter:
    since, until = moments.period(asked, problems)
    return AlarmFilter(
        rule_id=shared.rule_id,
        dag_id=shared.dag_id,
        task_id=shared.task_id,
        kinds=shared.kinds,
        levels=shared.levels,
        acknowledged=shared.state,
        since=since,
        until=until,
        search=shared.search,
    )


def _fields(asked: PageRequest, shared: SharedFilter, where: AlarmFilter) -> list[filters.Field]:
    return [
        *alarm_filters.fields(shared, "Workflow or task ID", STATES),
        filters.moment_field("since", "Fired since", asked.one("since") if where.since else "", asked.one("zone")),
        filters.moment_field("until", "until", asked.one("until") if where.until else "", asked.one("zone")),
    ]
