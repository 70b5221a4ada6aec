"""Presenters and addresses, without a database and without Flask."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from taskops_provider.domain.periods import Period
from taskops_provider.domain.states import TaskStatus, WorkflowStatus
from taskops_provider.services.catalog.filter_choices import CAP, FilterChoices
from taskops_provider.services.shared.paging import Page
from taskops_provider.www.host import bearer_token
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.lists import filters, paging
from taskops_provider.www.presenters.lists.paging import Address, Column
from taskops_provider.www.urls import Urls


def asked(**args: str | list[str]) -> PageRequest:
    values = {name: [value] if isinstance(value, str) else value for name, value in args.items()}
    nothing: Any = None
    return PageRequest(values, nothing, nothing, datetime(2026, 1, 1, tzinfo=UTC), Urls("/"))


def test_every_status_and_period_has_words_and_its_own_colour() -> None:
    assert set(text.WORKFLOW_BADGES) == set(WorkflowStatus)
    assert set(text.TASK_BADGES) == set(TaskStatus)
    assert set(text.PERIODS) == set(Period)
    for badges in (text.WORKFLOW_BADGES, text.TASK_BADGES):
        assert len({badge.tone for badge in badges.values()}) == len(badges)


def test_times_are_utc_to_the_second() -> None:
    east = datetime(2026, 3, 1, 1, 2, 3, 456, tzinfo=timezone(timedelta(hours=2)))
    assert text.time(east) == text.Time("2026-02-28T23:02:03Z", "2026-02-28 23:02:03")
    assert text.time(None) is None


def test_many_owners_are_cut() -> None:
    assert text.owners(["a", "b"]) == text.Owners(["a", "b"], [])
    assert text.owners(["a", "b", "c", "d"]) == text.Owners(["a", "b"], ["c", "d"])
    assert text.owners([]) == text.Owners([], [])


def test_names_may_end_a_line_at_their_joints() -> None:
    assert text.name("a_b.c-d/e f").pieces == ["a_", "b.", "c-", "d/", "e f"]
    assert "".join(text.name("__x__").pieces) == "__x__"
    assert text.name("").pieces == []


def test_counts() -> None:
    assert [text.count(n, "task") for n in (0, 1, 10_000)] == ["0 tasks", "1 task", "10,000 tasks"]


def test_asked_cleans_values() -> None:
    got = asked(q=["", "  a\0b "], owner=["x", " x", "y", ""])
    assert got.one("q") == "ab"
    assert got.many("owner") == ("x", "y")
    assert got.one("missing") == ""


@pytest.mark.parametrize("airflow", ["/", "/team-a/"])
def test_addresses_stay_below_airflows_path(airflow: str) -> None:
    urls = Urls(airflow)
    assert urls.page("tasks", {"q": "a&b", "owner": ["x", "y"]}) == (
        f"{airflow}pluginsv2/taskops/tasks?q=a%26b&owner=x&owner=y"
    )
    assert urls.framed("tasks") == f"{airflow}plugin/taskops{airflow}pluginsv2/taskops/tasks"
    assert urls.dag("a/b c", "code") == f"{airflow}dags/a%2Fb%20c/code"
    assert urls.task("d", "group.task") == f"{airflow}dags/d/tasks/group.task"
    static = f"{airflow}pluginsv2/taskops/static"
    assert re.fullmatch(rf"{static}/dist/taskops-\w+\.css", urls.static("taskops.css"))
    assert re.fullmatch(rf"{static}/icon-light\.svg\?v=\w+", urls.static("icon-light.svg"))


COLUMNS = (Column("a", "A", "a"), Column("t", "T", "t", largest_first=True), Column("x", "X"))


def test_headers_sort_and_turn_round() -> None:
    address = Address(asked(), "workflows", {"q": ("z",), "sort": ("-t",)})
    a, t, x = paging.headers(COLUMNS, "-t", address)
    assert (a.direction, t.direction, x.direction) == ("", "descending", "")
    assert a.url.endswith("?q=z&sort=a")
    assert t.url.endswith("?q=z&sort=t")
    assert x.url == ""


@pytest.mark.parametrize(("given", "page"), [("", 1), ("7", 7), ("x", 1), ("-1", 1), ("0", 1), ("1e3", 1), ("٣", 1)])
def test_page_numbers(given: str, page: int) -> None:
    problems = filters.Problems()
    assert paging.page_of(asked(page=given), problems) == page
    assert bool(problems.lines) == (given not in ("", "7"))


def test_order_falls_back() -> None:
    problems = filters.Problems()
    assert paging.order_of(asked(sort="-t"), COLUMNS, "a", problems) == "-t"
    assert paging.order_of(asked(), COLUMNS, "a", problems) == "a"
    assert problems.lines == []
    assert paging.order_of(asked(sort="x"), COLUMNS, "a", problems) == "a"
    assert problems.lines == ["Sort order is “x”; allowed are a, t."]


def test_pager_of_one_of_many_and_of_no_pages() -> None:
    address = Address(asked(), "workflows", {})
    middle = paging.pager(Page([0] * 10, 95, 10, 40), 5, address)
    assert (middle.page, middle.pages, middle.first, middle.last) == (5, 10, 41, 50)
    assert {name: url.rpartition("=")[2] for name, url in middle.urls.items()} == {
        "first": "1",
        "previous": "4",
        "next": "6",
        "last": "10",
    }
    none: Page[int] = Page([], 0, 10, 0)
    empty = paging.pager(none, 1, address)
    assert (empty.pages, empty.first, empty.last, empty.urls) == (1, 0, 0, {})


def test_found_choices_keep_what_is_chosen_and_offer_a_text_where_there_are_more() -> None:
    field = filters.found_field("owner", "Owner", ("zoe",), FilterChoices(("ann", "bob"), is_capped=True))
    assert [(option.value, option.is_chosen) for option in field.options or ()] == [
        ("zoe", True),
        ("ann", False),
        ("bob", False),
    ]
    assert str(CAP) in field.more
    assert field.summary == "zoe"
    assert filters.found_field("owner", "Owner", (), FilterChoices()).summary == "All"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (None, None),
        ("", None),
        ("Basic YTpi", None),
        ("Bearer x.y.z", "x.y.z"),
        ("bearer  x.y.z ", "x.y.z"),
        ("Basic YTpi,Bearer x.y.z", "x.y.z"),
        ("Bearer ", None),
    ],
)
def test_bearer_tokens(header: str | None, token: str | None) -> None:
    assert bearer_token(header) == token
