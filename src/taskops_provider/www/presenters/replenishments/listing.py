"""The list of replenishments (requirements 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.progress import ReplenishmentState
from taskops_provider.domain.text import whole_number
from taskops_provider.exceptions import BadInput
from taskops_provider.services.replenishments.control import Rights, rights_to_control
from taskops_provider.services.replenishments.create import show_replenishments
from taskops_provider.services.replenishments.listing import (
    NEWEST_FIRST,
    ReplenishmentFilter,
    list_actors,
    list_replenishments,
)
from taskops_provider.services.replenishments.progress import ReplenishmentProgress
from taskops_provider.services.shared.paging import MAX_LIMIT
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.lists import filters, moments
from taskops_provider.www.presenters.lists.columns import Column
from taskops_provider.www.presenters.lists.filters import Quick
from taskops_provider.www.presenters.lists.frame import ListFrame, ListKind, list_frame, read_page
from taskops_provider.www.presenters.lists.rows import Action, CellLink
from taskops_provider.www.presenters.replenishments import progress_bar
from taskops_provider.www.presenters.replenishments.actions import BADGES, actions, badge
from taskops_provider.www.presenters.text import Badge, Name, Time

PAGE = "replenishments"
COLUMNS = (
    Column("number", "No.", "replenishment_id", largest_first=True),
    Column("called", "Name"),
    Column("state", "State", "state"),
    Column("progress", "Complete"),
    Column("success", "Success"),
    Column("eta", "Expected end", kind="time"),
    Column("cells-of", "Cells"),
    Column("actor", "Who", "actor"),
    Column("created", "Created", "created_at", largest_first=True, kind="time"),
    Column("started", "Started", kind="time"),
    Column("ended", "Ended", kind="time"),
)
LIST = ListKind(PAGE, "replenishment", COLUMNS, NEWEST_FIRST)
#: seconds between two looks at the rows that go on
POLL_SECONDS = 4
_GOING_ON = (ReplenishmentState.QUEUED.value, ReplenishmentState.RUNNING.value, ReplenishmentState.PAUSED.value)


@dataclass(frozen=True)
class NextLook:
    """Where a page looks again, and after how many seconds."""

    url: str
    seconds: int


@dataclass(frozen=True)
class ReplenishmentRow:
    """One row of the list.

    :param target: what its operations are sent
    :param goes_on: it has not ended
    :param is_new_state: it is not as the page has it
    """

    number: str
    target: str
    id: Name
    name: Name
    url: str
    state: str
    badge: Badge
    bar: progress_bar.ProgressBar
    eta: Time | None
    cells: progress_bar.CellNumbers
    actor: str
    created: Time | None
    started: Time | None
    ended: Time | None
    goes_on: bool
    actions: Sequence[Action]
    links: Sequence[CellLink]
    is_new_state: bool = False


@dataclass(frozen=True)
class ReplenishmentsPage(ListFrame):
    """What the template ``replenishments/listing.html`` shows.

    :param poll: None if no row goes on
    """

    quick: Sequence[Quick]
    rows: Sequence[ReplenishmentRow]
    poll: NextLook | None
    page: str = PAGE
    title: str = "Replenishments"
    quick_label: str = "Views"


@dataclass(frozen=True)
class ReplenishmentsProgress:
    """What the template ``replenishments/listing_progress.html`` shows: the rows that went on when it last looked."""

    rows: Sequence[ReplenishmentRow]
    poll: NextLook | None


def replenishments_page(asked: PageRequest) -> ReplenishmentsPage:
    """Return the list."""
    problems = filters.Problems()
    where = _filter(asked, problems)
    read = read_page(asked, LIST, problems, partial(list_replenishments, asked.session, asked.actor, asked.now, where))
    rows = _rows(asked, read.found.rows)
    return copy_as(
        ReplenishmentsPage,
        list_frame(asked, LIST, read, _fields(asked, where), problems),
        quick=_quick(asked, where),
        rows=rows,
        poll=_poll(asked, rows),
    )


def _filter(asked: PageRequest, problems: filters.Problems) -> ReplenishmentFilter:
    since, until = moments.period(asked, problems)
    return ReplenishmentFilter(
        states=problems.only("State", asked.many("state"), BADGES),
        actors=asked.many("actor"),
        name=asked.one("name"),
        workflow=asked.one("workflow"),
        dag_id=asked.one("dag_id"),
        since=since,
        until=until,
    )


def _fields(asked: PageRequest, where: ReplenishmentFilter) -> list[filters.Field]:
    states = {state: words.text for state, words in BADGES.items()}
    return [
        filters.text_field("name", "Name", where.name, "Name"),
        filters.text_field("workflow", "Workflow name or ID", where.workflow, "Workflow"),
        filters.hidden_field("dag_id", "Workflow", [where.dag_id] if where.dag_id else []),
        filters.fixed_field("state", "State", where.states, states),
        filters.found_field("actor", "Who", where.actors, list_actors(asked.session, asked.actor)),
        filters.moment_field("since", "Created since", asked.one("since") if where.since else "", asked.one("zone")),
        filters.moment_field("until", "until", asked.one("until") if where.until else "", asked.one("zone")),
    ]


def _quick(asked: PageRequest, where: ReplenishmentFilter) -> list[Quick]:
    """The views that people want most: all, what goes on, their own; of the workflow where there is one."""
    me = asked.actor.name
    dag_id: Mapping[str, str | Sequence[str]] = {"dag_id": where.dag_id} if where.dag_id else {}
    of = ReplenishmentFilter(dag_id=where.dag_id)
    views: Sequence[tuple[str, ReplenishmentFilter, Mapping[str, str | Sequence[str]]]] = (
        ("All", of, {}),
        ("Going on", ReplenishmentFilter(dag_id=where.dag_id, states=_GOING_ON), {"state": _GOING_ON}),
        ("Mine", ReplenishmentFilter(dag_id=where.dag_id, actors=(me,)), {"actor": me}),
    )
    return [Quick(label, asked.urls.page(PAGE, {**dag_id, **query}), "", where == view) for label, view, query in views]


def _rows(asked: PageRequest, replenishments: Sequence[ReplenishmentProgress]) -> list[ReplenishmentRow]:
    rights = rights_to_control(asked.session, asked.actor, [one.replenishment_id for one in replenishments])
    return [_row(asked, one, rights[one.replenishment_id]) for one in replenishments]


def _row(asked: PageRequest, one: ReplenishmentProgress, rights: Rights) -> ReplenishmentRow:
    number = str(one.replenishment_id)
    url = asked.urls.page("replenishment", {"id": number})
    return ReplenishmentRow(
        number=number,
        target=number,
        id=text.name(f"replenishment {number}"),
        name=text.name(one.name),
        url=url,
        state=one.state,
        badge=badge(one),
        bar=progress_bar.bar(one, one.counts.by_state),
        eta=text.time(one.eta),
        cells=progress_bar.cell_numbers(one),
        actor=one.actor,
        created=text.time(one.created_at),
        started=text.time(one.started_at),
        ended=text.time(one.ended_at),
        goes_on=one.ended_at is None,
        actions=actions(one, rights, asked.urls),
        links=[
            CellLink("Details", url),
            CellLink("Operation record", asked.urls.page("operation", {"id": str(one.operation_id)})),
        ],
    )


def _poll(asked: PageRequest, rows: Sequence[ReplenishmentRow]) -> NextLook | None:
    """Where the page looks again at the rows that go on; None when there are none."""
    going_on = [f"{row.number}.{row.badge.text}" for row in rows if row.goes_on]
    if not going_on:
        return None
    return NextLook(asked.urls.page("replenishments/progress", {"row": going_on}), POLL_SECONDS)


def replenishments_progress(asked: PageRequest) -> ReplenishmentsProgress:
    """Return the rows that went on when the page last looked.

    :raises BadInput: for rows that are none, and for more than a page has
    """
    shown = dict(_row_and_state(given) for given in asked.many("row")[: MAX_LIMIT + 1])
    if len(shown) > MAX_LIMIT:
        raise BadInput(f"more than {MAX_LIMIT} rows were asked for")
    rows = _rows(asked, show_replenishments(asked.session, asked.actor, list(shown), asked.now))
    return ReplenishmentsProgress(
        rows=[replace(row, is_new_state=row.badge.text != shown[int(row.number)]) for row in rows],
        poll=_poll(asked, rows),
    )


def _row_and_state(given: str) -> tuple[int, str]:
    digits, _, state = given.partition(".")
    number = whole_number(digits, digits=18)
    if number is None:
        raise BadInput(f"row is {given[:60]!r}; it is a number and a state")
    return number, state
