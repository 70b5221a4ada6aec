"""The list of replenishments (SPEC 8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from taskops_provider.domain.progress import ReplenishmentState
from taskops_provider.exceptions import BadInput
from taskops_provider.services.paging import MAX_LIMIT
from taskops_provider.services.replenishment_control import controllable
from taskops_provider.services.replenishment_list import (
    NEWEST_FIRST,
    ReplenishmentFilter,
    list_actors,
    list_replenishments,
)
from taskops_provider.services.replenishments import show_some
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import filters, listing, moments, replenishment_parts, text
from taskops_provider.www.presenters.columns import Column
from taskops_provider.www.presenters.filters import Quick
from taskops_provider.www.presenters.replenishment_control import BADGES, actions, badge
from taskops_provider.www.presenters.rows import Link

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
#: seconds between two looks at the rows that go on
POLL_SECONDS = 4
_GOING_ON = (ReplenishmentState.QUEUED.value, ReplenishmentState.RUNNING.value, ReplenishmentState.PAUSED.value)


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``replenishments.html`` shows."""
    problems = filters.Problems()
    where = _filter(asked, problems)
    order_by = listing.order_of(asked, COLUMNS, NEWEST_FIRST, problems)
    read = partial(list_replenishments, asked.session, asked.actor, asked.now, where)
    found, page = listing.fetch(read, listing.page_of(asked, problems), order_by, problems)
    fields = _fields(asked, where)
    query = {field.name: field.values for field in fields}
    query["zone"] = (asked.one("zone"),) if where.since or where.until else ()
    query["sort"] = (order_by,) if order_by != NEWEST_FIRST else ()
    address = listing.Address(asked, PAGE, query)
    rows = _rows(asked, found.rows)
    return {
        "page": PAGE,
        "title": "Replenishments",
        "problems": problems.lines,
        "fields": fields,
        "quick": _quick(asked, where),
        "quick_label": "Views",
        "zone": "".join(query["zone"]),
        "chips": listing.chips(fields, address),
        "sort": "".join(query["sort"]),
        "reset_url": asked.urls.page(PAGE),
        "refresh_url": address.url(page=str(page) if page > 1 else ""),
        "headers": listing.headers(COLUMNS, order_by, address),
        "rows": rows,
        "poll": _poll(asked, rows),
        "pager": listing.pager(found, page, address),
        "counted": text.count(found.total_entries, "replenishment"),
        "reads_all": asked.actor.permissions.readable() is None,
    }


def _filter(asked: Asked, problems: filters.Problems) -> ReplenishmentFilter:
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


def _fields(asked: Asked, where: ReplenishmentFilter) -> list[filters.Field]:
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


def _quick(asked: Asked, where: ReplenishmentFilter) -> list[Quick]:
    """The views that people want most: all, what goes on, their own; of the workflow where there is one."""
    me = asked.actor.name
    dag_id = {"dag_id": where.dag_id} if where.dag_id else {}
    of = ReplenishmentFilter(dag_id=where.dag_id)
    views: Sequence[tuple[str, ReplenishmentFilter, dict[str, Any]]] = (
        ("All", of, {}),
        ("Going on", ReplenishmentFilter(dag_id=where.dag_id, states=_GOING_ON), {"state": _GOING_ON}),
        ("Mine", ReplenishmentFilter(dag_id=where.dag_id, actors=(me,)), {"actor": me}),
    )
    return [Quick(label, asked.urls.page(PAGE, dag_id | query), "", where == view) for label, view, query in views]


def _rows(asked: Asked, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    may = controllable(asked.session, asked.actor, [one["replenishment_id"] for one in found])
    return [_row(asked, one, may) for one in found]


def _row(asked: Asked, one: Mapping[str, Any], may: Collection[int]) -> dict[str, Any]:
    number = one["replenishment_id"]
    url = asked.urls.page("replenishment", {"id": str(number)})
    return {
        "number": str(number),
        "target": str(number),
        "id": text.name(f"replenishment {number}"),
        "name": text.name(one["name"]),
        "url": url,
        "state": one["state"],
        "badge": badge(one),
        "bar": replenishment_parts.bar(one, one["counts"]["by_state"]),
        "eta": text.time(one["eta"]),
        "cells": replenishment_parts.cells(one),
        "actor": one["actor"],
        "created": text.time(one["created_at"]),
        "started": text.time(one["started_at"]),
        "ended": text.time(one["ended_at"]),
        "goes_on": one["ended_at"] is None,
        "actions": actions(one, asked.urls) if number in may else (),
        "links": [
            Link("Details", url),
            Link("Operation record", asked.urls.page("operation", {"id": str(one["operation_id"])})),
        ],
    }


def _poll(asked: Asked, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Where the page looks again at the rows that go on; None when there are none."""
    known = [f"{row['number']}.{row['badge'].text}" for row in rows if row["goes_on"]]
    if not known:
        return None
    return {"url": asked.urls.page("replenishments/progress", {"row": known}), "seconds": POLL_SECONDS}


def present_progress(asked: Asked) -> dict[str, Any]:
    """Return what the template ``replenishments_progress.html`` shows: the rows that went on when the page last looked.

    :raises BadInput: for rows that are none, and for more than a page has
    """
    known = dict(_known(given) for given in asked.many("row")[: MAX_LIMIT + 1])
    if len(known) > MAX_LIMIT:
        raise BadInput(f"more than {MAX_LIMIT} rows were asked for")
    rows = _rows(asked, show_some(asked.session, asked.actor, list(known), asked.now))
    return {
        "rows": [row | {"is_new_state": row["badge"].text != known[int(row["number"])]} for row in rows],
        "poll": _poll(asked, rows),
    }


def _known(given: str) -> tuple[int, str]:
    number, _, state = given.partition(".")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise BadInput(f"row is {given[:60]!r}; it is a number and a state")
    return int(number), state
