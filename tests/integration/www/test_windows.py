"""The page of windows: list, month, dialogs; what other pages say of windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from taskops_provider.services.windows.listing import WindowFilter, list_windows
from tests.support import pages
from tests.support.apps import web_app
from tests.support.dialogs import Dialogs
from tests.support.pages import plain
from tests.support.warehouse import ALICE, install, operate, retail
from tests.support.windowing import make, once

HOUR = timedelta(hours=1)


def get(web, path, status=200) -> str:
    return pages.get(web, f"/pluginsv2/taskops/{path}", status=status)


def post(web, path, fields, name="admin", status=200) -> str:
    answer = Dialogs(web, name).post(path, status, **fields)
    return str(answer.html)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def web(session):
    install(session, retail())
    with web_app("simple").active() as web:
        yield web


NEW = {
    "name": "night",
    "kind": ["pause", "freeze"],
    "workflows": "orders\r\nmart",
    "tasks": "sales sum",
    "cron": "0 22 * * *",
    "zone": "Europe/Berlin",
    "until": "06:00",
    "exceptions": "2026-12-24\n2026-12-25",
    "reason": "audit",
    "enabled": "on",
}


def test_the_list_and_the_month(session, web):
    assert "There are no windows yet" in get(web, "windows")
    make(session, now(), "orders.clean", reason="audit")
    make(session, now(), "mart", name="<b>now</b>", kinds="freeze", times=once(now(), now() + HOUR))
    page = get(web, "windows")
    assert "&lt;b&gt;now&lt;/b&gt;" in page
    shown = plain(page)
    for words in (
        "task orders clean",
        "cron 0 22 * * *, until 06:00, Europe/Berlin",
        "workflow mart",
        "Open",
        "1 to 2 of 2",
    ):
        assert words in shown
    month = plain(get(web, "windows?view=month&month=2027-01&zone=Europe/Berlin"))
    assert "January 2027" in month
    assert month.count("22:00 night") >= 31
    assert "No windows match" in get(web, "windows?search=nothing")


@pytest.mark.parametrize(
    "query", ["view=year", "view=month&month=13", "view=month&month=9999-01", "view=month&zone=X", "offset=-1"]
)
def test_addresses_that_cannot_be(web, query):
    get(web, f"windows?{query}", status=422)


def test_a_window_is_made_changed_and_deleted(session, web):
    assert "New window" in post(web, "windows/new", {})
    shown = plain(post(web, "windows/new", {**NEW, "step": "preview"}))
    assert "It covers 3 workflows, 6 tasks" in shown
    assert "and stops orders" in shown
    answer = post(web, "windows/new", {**NEW, "step": "apply"})
    (made,) = list_windows(session, ALICE, WindowFilter(), now(), limit=50).rows
    number = str(made.window_id)
    assert f"Window {number} is made" in answer
    assert made.scope["workflows"] == ["orders", "mart"]
    assert made.times["exceptions"] == ["2026-12-24", "2026-12-25"]
    dialog = post(web, "windows/edit", {"id": number})
    assert "sales sum</textarea>" in dialog
    change = {**NEW, "id": number, "kind": ["freeze"], "cron": "", "until": "", "exceptions": ""}
    change |= {"begin": "2027-01-01T00:00", "end": "2027-01-02T00:00", "step": "apply"}
    assert f"Window {number} is changed" in post(web, "windows/edit", change)
    session.rollback()
    (made,) = list_windows(session, ALICE, WindowFilter(), now(), limit=50).rows
    assert made.next_begin == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert "Delete window night?" in post(web, "windows/delete", {"id": number})
    assert f"Window {number} is deleted" in post(web, "windows/delete", {"id": number, "step": "apply"})


def test_what_is_wrong_is_told_in_the_dialog(session, web):
    for change, told in (
        ({"cron": "often"}, "Cron is 'often'"),
        ({"tasks": "orders"}, "Task 'orders' is not"),
        ({"begin": "soon", "cron": "", "until": "", "exceptions": ""}, "begin is 'soon'"),
        ({"step": "melt"}, "Step is 'melt'"),
    ):
        page = plain(post(web, "windows/new", {**NEW, "step": "apply", **change}, status=422))
        assert told.lower() in page.lower()


def test_pages_of_tasks_and_the_dialog_of_a_start(session, web):
    make(session, now(), "orders", times=once(now() - HOUR, now() + HOUR))
    operate(session, "pause", "orders.clean")
    assert "Paused by window night until" in plain(get(web, "task?dag_id=orders&task_id=load"))
    assert "paused by window night until" in plain(get(web, "tasks?dag_id=orders"))
    shown = plain(post(web, "change/tasks/start", {"target": "orders clean"}))
    assert "1 task in window night until" in shown


def test_the_dialog_of_what_is_frozen_offers_to_override(session, web):
    make(session, now(), "orders", kinds="freeze", times=once(now() - HOUR, now() + HOUR))
    page = post(web, "change/tasks/pause", {"target": "orders clean"})
    assert "frozen by window night" in plain(page)
    assert "Override the freeze" in page
    fields = {"target": "orders clean", "override_freeze": "on", "part": "plan"}
    assert "frozen by" not in plain(post(web, "change/tasks/pause", fields))
