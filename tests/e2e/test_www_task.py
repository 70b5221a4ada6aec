"""The page of a task in Airflow: history with its dialogs, curve, lineage, the tab on a task (B1, B19, C1-C4, D9)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.models.taskinstance import TaskInstance as TI
from playwright.sync_api import expect
from sqlalchemy import select

from taskops_provider.models import Operation
from tests.support.airflow_db import empty_tables, new_session
from tests.support.browser import Person, both
from tests.support.instances import START, write_runs
from tests.support.warehouse import install, operate, retail

pytestmark = pytest.mark.live
TASK = "plugin/taskops/pluginsv2/taskops/task?dag_id=orders&task_id=clean"


@pytest.fixture
def session() -> Iterator[Any]:
    with new_session() as opened:
        install(opened, retail())
        yield opened
        opened.rollback()
    empty_tables()


@pytest.fixture
def filled(session: Any) -> None:
    """Each test begins with the same Dags."""


def go(person: Person, path: str, name: str = "admin") -> None:
    person.signed_in(name)
    person.go(path)
    expect(person.heading_or_message()).to_be_visible()


def states(session: Any) -> dict[str, str | None]:
    session.expire_all()
    query = select(TI.run_id, TI.state).where(TI.task_id == "clean").order_by(TI.run_id)
    return {row.run_id: row.state for row in session.execute(query)}


def test_from_the_list_to_the_lineage_and_on_to_a_neighbour(person: Person) -> None:
    """B1, C4: both modes, depth, status filter; a node leads to its task."""
    go(person, "plugin/taskops/pluginsv2/taskops/tasks?dag_id=orders&q=load", "viewer")
    person.frame.get_by_role("link", name="load", exact=True).click()
    expect(person.heading()).to_contain_text("load")
    person.page.wait_for_url("**/task?dag_id=orders&task_id=load&view=lineage")
    boxes = person.frame.locator(".diagram-svg .box")
    expect(boxes).to_have_count(3)
    person.frame.get_by_role("group", name="Depth").get_by_role("link", name="All").click()
    expect(boxes).to_have_count(9)
    person.frame.get_by_role("link", name="List", exact=True).click()
    tasks = person.frame.locator("table.lineage tbody th")
    expect(tasks).to_have_count(8)
    person.frame.get_by_role("link", name="Upstream", exact=True).click()
    expect(tasks).to_have_count(2)
    person.frame.get_by_role("link", name="0 Paused").click()
    expect(person.frame.get_by_text("None with these statuses.")).to_be_visible()
    person.page.reload()
    expect(person.frame.get_by_text("None with these statuses.")).to_be_visible()
    person.frame.get_by_role("link", name="All", exact=True).last.click()
    tasks.get_by_role("link", name="extract").click()
    expect(person.heading()).to_contain_text("extract")


def test_history_is_filtered_in_the_persons_time_zone(person: Person, session: Any) -> None:
    """C2: filters and statistics."""
    write_runs(session, "orders", ["clean"], range(4))
    write_runs(session, "orders", ["clean"], range(4, 6), "failed")
    person.local(timezone='"Asia/Tokyo"')
    go(person, f"{TASK}&view=history", "viewer")
    rows = person.frame.locator("table.instances tbody tr")
    expect(rows).to_have_count(6)
    expect(rows.first.locator("td.data time")).to_have_text("2026-01-06 09:00:00")
    person.frame.get_by_role("link", name="2 Failure").click()
    expect(rows).to_have_count(2)
    expect(person.frame.get_by_role("link", name="2 Failure")).to_have_attribute("aria-current", "true")
    person.frame.get_by_role("link", name="6 Total").click()
    expect(rows).to_have_count(6)
    # midnight of the third day in UTC
    person.frame.get_by_label("Data time from").fill("2026-01-03T09:00")
    person.frame.get_by_label("Data time to").fill("2026-01-04T09:00")
    person.frame.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(2)
    expect(rows.first.locator("th")).to_contain_text("run_0003")
    # the address says which zone it means: who looks in another one sees other clocks, and the same instances
    person.page.evaluate("localStorage.setItem('timezone', '\"UTC\"')")
    person.page.reload()
    expect(rows).to_have_count(2)
    expect(person.frame.get_by_label("Data time from")).to_have_value("2026-01-03T00:00")
    expect(person.frame.get_by_role("button", name="Rerun")).to_have_count(0)


@both
def test_rerun_and_set_failed_through_the_dialogs(person: Person, session: Any) -> None:
    """C2: operations on instances, alone and in batch; D3."""
    write_runs(session, "orders", ["extract", "clean", "load"], range(3))
    go(person, f"{TASK}&view=history")
    frame = person.frame
    title = frame.locator("dialog #dialog-title")
    rerun = frame.get_by_role("button", name="Rerun", exact=True)
    expect(rerun).to_be_disabled()
    frame.get_by_label("Select run_0001").check()
    frame.get_by_label("Select run_0002").check()
    expect(frame.get_by_text("2 selected")).to_be_visible()
    rerun.click()
    expect(title).to_have_text("Rerun: 2 instances")
    assert set(states(session).values()) == {"success"}
    frame.get_by_label("Reason").fill("late data")
    frame.get_by_role("button", name="Rerun: 2 instances").click()
    expect(title).to_have_text("2 instances cleared to run again")
    assert states(session) == {"run_0000": "success", "run_0001": None, "run_0002": None}
    record = session.scalars(select(Operation)).one()
    assert (record.verb, record.source, record.reason) == ("instances-rerun", "ui", "late data")
    expect(frame.get_by_role("link", name=f"Operation {record.id}")).to_be_visible()
    frame.get_by_role("button", name="Close", exact=True).click()
    expect(frame.get_by_role("link", name="2 Waiting for upstream")).to_be_visible()  # the page came anew

    frame.locator("td.more > button").nth(2).click()
    frame.get_by_role("menuitem", name="Set failed").click()
    expect(title).to_have_text("Set failed: 1 instance")
    frame.get_by_role("button", name="Set failed: 1 instance").click()
    expect(title).to_have_text("1 instance set to failed")
    assert states(session)["run_0000"] == "failed"
    frame.get_by_role("button", name="Close", exact=True).click()
    # of one that waits: why
    frame.get_by_role("button", name="Why is run_0002 not running?").click()
    expect(frame.locator("dialog .why-lines").first).to_be_visible()
    person.page.keyboard.press("Escape")
    expect(frame.locator("dialog")).not_to_be_visible()


def test_the_log_is_a_click_away(person: Person, session: Any) -> None:
    write_runs(session, "orders", ["clean"], range(1))
    go(person, f"{TASK}&view=history", "viewer")
    person.frame.locator("td.more > button").click()
    person.frame.get_by_role("menuitem", name="Log").click()
    person.page.wait_for_url("**/dags/orders/runs/run_0000/tasks/clean?try_number=1")


def test_the_curve_of_the_last_25_50_and_100_follows_the_theme(person: Person, session: Any) -> None:
    """C3"""
    write_runs(session, "orders", ["clean"], range(60))
    person.local(theme="light")
    go(person, f"{TASK}&view=curve", "viewer")
    area = person.frame.locator("[data-curve]")
    expect(area).to_have_attribute("data-drawn", "25")
    canvas = person.frame.locator('canvas[data-chart="duration"]')
    ink = "e => { const d = e.getContext('2d').getImageData(0, 0, e.width, e.height).data; let n = 0;" \
        " for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n }"  # fmt: skip
    assert canvas.evaluate(ink) > 500
    before = canvas.evaluate("e => e.toDataURL()")
    person.page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    expect(person.frame.locator("html")).to_have_attribute("data-theme", "dark")
    assert canvas.evaluate("e => e.toDataURL()") != before
    for last, drawn in (("50", "50"), ("100", "60")):
        person.frame.get_by_role("link", name=last, exact=True).click()
        expect(area).to_have_attribute("data-drawn", drawn)
    person.frame.get_by_text("The same as a table").click()
    expect(person.frame.locator(".curve-table tbody tr")).to_have_count(60)


def test_the_tab_on_a_task_survives_a_reload(person: Person, session: Any) -> None:
    """C1, D9: inside Airflow's own page of a task."""
    operate(session, "pause", "orders.clean", reason="vendor is down", resume_at=START + timedelta(days=900))
    person.signed_in("admin")
    person.go("dags/orders/tasks/clean")
    person.page.locator('a[href$="/dags/orders/tasks/clean/plugin/taskops-task"]').click()
    expect(person.heading()).to_contain_text("clean")
    expect(person.frame.locator(".tabs")).to_have_count(0)
    expect(person.frame.locator('.why-lines [data-code="paused"]')).to_contain_text("vendor is down")
    person.frame.get_by_role("link", name="Basic information").click()
    expect(person.frame.get_by_role("heading", name="Scheduling")).to_be_visible()
    person.page.reload()
    expect(person.heading()).to_contain_text("clean")
    person.frame.get_by_role("button", name="Start", exact=True).click()
    expect(person.frame.locator("dialog #dialog-title")).to_have_text("Start 1 task")
    person.frame.locator("#change-apply").click()
    expect(person.frame.locator("dialog #dialog-title")).to_have_text("1 task started")
    person.frame.get_by_role("button", name="Close", exact=True).click()
    expect(person.frame.locator(".task-head .badge")).to_have_text(re.compile("Scheduling"))
