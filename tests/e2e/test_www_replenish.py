"""The dialog of a replenishment as a person uses it, inside Airflow (A14, B15, C2, D3, D5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from tests.support.airflow_db import empty_tables, new_session
from tests.support.browser import Person, both
from tests.support.instances import START, write_runs
from tests.support.warehouse import chain, install

pytestmark = pytest.mark.live
FRAME = "plugin/taskops/pluginsv2/taskops"
TASKS = ("extract", "clean", "load")


@pytest.fixture(scope="module")
def in_airflow() -> bool:
    """Our pages alone: what they do inside Airflow's UI is asked in ``test_www_browser``."""
    return False


def today() -> int:
    """The number of today's run."""
    return (datetime.now(UTC) - START).days


@pytest.fixture
def session() -> Iterator[Any]:
    """A daily Dag: done until four days ago, then a day that failed, then nothing."""
    with new_session() as opened:
        install(opened, [chain("returns", *TASKS), chain("other", "a", "b")])
        write_runs(opened, "returns", TASKS, range(today() - 20, today() - 4))
        write_runs(opened, "returns", TASKS, [today() - 4], "failed")
        yield opened
        opened.rollback()
    empty_tables()


@pytest.fixture
def filled(session: Any) -> None:
    """Each test begins with the same Dags."""


class Desk:
    """A person who replenishes."""

    def __init__(self, person: Person):
        self.person = person
        self.keys = person.page.keyboard
        self.dialog = person.frame.locator("dialog#dialog")
        self.title = self.dialog.locator("#dialog-title")
        self.apply = self.dialog.locator("#change-apply")
        self.plan = self.dialog.locator("#change-plan")
        self.counts = self.plan.locator(".counts")

    def go(self, page: str, name: str = "admin") -> Desk:
        self.person.signed_in(name)
        self.person.go(f"{FRAME}/{page}")
        expect(self.person.heading_or_message()).to_be_visible()
        return self

    def choose(self, *targets: str) -> Desk:
        for target in targets:
            self.person.frame.locator(f'input[name=target][value="{target}"]').check()
        return self

    def press(self, where: str = "#selection") -> Desk:
        self.person.frame.locator(where).get_by_role("button", name="Replenish", exact=True).click()
        expect(self.title).to_contain_text("Replenish")
        return self

    def ranges(self) -> list[str]:
        return [field.input_value() for field in self.dialog.locator(".range-row input").all()]

    def watches(self, session: Any) -> Replenishment:
        """Apply, and find the way to the progress."""
        self.apply.click()
        expect(self.title).to_contain_text("is queued")
        return self.made(session)

    def made(self, session: Any) -> Replenishment:
        session.expire_all()
        one: Replenishment = session.scalars(select(Replenishment)).one()
        link = self.dialog.get_by_role("link", name=f"Watch replenishment {one.id}")
        expect(link).to_have_attribute("href", re.compile(rf"/taskops/replenishment\?id={one.id}$"))
        return one


@pytest.fixture
def desk(person: Person) -> Desk:
    return Desk(person)


def cells(session: Any) -> set[tuple[str, int]]:
    """(task, number of its day) of the cells that were written."""
    query = select(ReplenishmentCell.task_id, ReplenishmentRun.logical_date).join(
        ReplenishmentRun, ReplenishmentRun.id == ReplenishmentCell.of_run_id
    )
    return {(task_id, (date.replace(tzinfo=UTC) - START).days) for task_id, date in session.execute(query)}


@both
def test_workflows_from_the_list(desk: Desk, session: Any) -> None:
    """A14, D5: the plan as it changes, the grid, what is written."""
    desk.go("workflows").choose("returns", "other").press()
    expect(desk.title).to_have_text("Replenish 2 workflows")
    expect(desk.dialog.locator("input[name=from]")).to_be_focused()
    failed = f"{START + timedelta(days=today() - 4):%Y-%m-%d} 00:00:00"
    cell = desk.plan.locator(f'td[title="clean, {failed}: failed, will execute"]')
    expect(cell).to_have_text("F")
    cell.hover()
    expect(desk.plan.locator(".cell-said")).to_have_text(f"clean, {failed}: failed, will execute")
    expect(desk.plan.locator(".of-workflow")).to_have_count(2)
    desk.dialog.get_by_label("Failed also upstream failed").check()
    expect(desk.apply).to_have_text("Execute 3 cells")
    expect(desk.dialog.locator("#replenish-said")).to_have_text("3 of 35 cells will execute")
    desk.dialog.get_by_label("Reason").fill("source was late")
    one = desk.watches(session)
    assert (one.state, one.inputs["reason"], one.inputs["cells"]) == ("queued", "source was late", ["failed"])
    assert cells(session) == {(task, today() - 4) for task in TASKS}


def test_one_task_from_its_row_with_ranges_and_options(desk: Desk, session: Any) -> None:
    """B15: several ranges, steps, window, conf, order; bad ones are told at once."""
    desk.go("tasks?dag_id=returns")
    row = desk.person.frame.locator("tr.row", has=desk.person.frame.locator('input[value="returns clean"]'))
    row.locator("td.more > button").click()
    row.get_by_role("menuitem", name="Replenish").click()
    expect(desk.title).to_have_text("Replenish task clean of returns")
    days = [f"{START + timedelta(days=today() - ago):%Y-%m-%dT00:00}" for ago in (10, 8, 3, 2)]
    desk.dialog.get_by_role("button", name="Add a range").click()
    for field, value in zip(desk.dialog.locator(".range-row input").all(), days, strict=True):
        field.fill(value)
        field.dispatch_event("change")
    desk.dialog.get_by_label("All also what is done").check()
    expect(desk.counts).to_contain_text("Execute 5 of 5 cells")
    desk.dialog.get_by_label("Steps downstream").fill("1")
    desk.dialog.get_by_label("Runs at a time").fill("4")
    expect(desk.counts).to_contain_text("Execute 10 of 10 cells")
    desk.dialog.get_by_text("More options").click()
    conf = desk.dialog.get_by_label("Conf of new runs")
    conf.fill("{table")
    conf.blur()
    expect(desk.plan.get_by_role("alert")).to_contain_text("Conf is no JSON")
    expect(desk.apply).to_be_disabled()
    conf.fill('{"table": "x"}')
    desk.dialog.get_by_label("Window from, UTC").fill("22:00")
    expect(desk.plan.get_by_role("alert")).to_have_text("The daily window has no end")
    desk.dialog.get_by_label("Window to, UTC").fill("06:00")
    desk.dialog.get_by_label("Order").select_option("newest")
    expect(desk.apply).to_have_text("Execute 10 cells")
    one = desk.watches(session)
    assert (one.window, one.conf, one.max_active_runs, one.newest_first) == ("22:00-06:00", {"table": "x"}, 4, True)
    assert cells(session) == {(task, today() - ago) for task in ("clean", "load") for ago in (10, 9, 8, 3, 2)}


def test_from_the_pages_of_a_workflow_and_of_a_task(desk: Desk, session: Any) -> None:
    """A14, B15: and Escape leaves all as it was."""
    desk.go("workflow?dag_id=other").press(".operations")
    expect(desk.title).to_have_text("Replenish workflow other")
    desk.keys.press("Escape")
    expect(desk.dialog).not_to_be_visible()
    assert session.scalars(select(Replenishment)).all() == []
    desk.go("task?dag_id=returns&task_id=load").press(".operations")
    expect(desk.title).to_have_text("Replenish task load of returns")
    desk.watches(session)
    assert {task for task, _ in cells(session)} == {"load"}
    desk.dialog.get_by_role("button", name="Close").click()
    expect(desk.dialog).not_to_be_visible()


def test_chosen_instances_of_the_history(desk: Desk, session: Any) -> None:
    """C2, B15: exactly their data times, in the zone chosen in Airflow."""
    desk.person.local(timezone='"Asia/Tokyo"')
    desk.go("task?dag_id=returns&task_id=clean&view=history")
    numbers = (today() - 6, today() - 9)
    desk.choose(*(f"-1 run_{number:04}" for number in numbers)).press()
    expect(desk.dialog.locator(".range-row")).to_have_count(2)
    tokyo = ZoneInfo("Asia/Tokyo")
    local = [f"{(START + timedelta(days=number)).astimezone(tokyo):%Y-%m-%dT%H:%M}" for number in sorted(numbers)]
    assert desk.ranges() == [local[0], local[0], local[1], local[1]]
    expect(desk.plan.locator("thead .cycle").first).to_have_text(local[0].replace("T", " "))
    expect(desk.apply).to_have_text("Execute 2 cells")
    desk.watches(session)
    assert cells(session) == {("clean", number) for number in numbers}


def test_by_keys_alone(desk: Desk, session: Any) -> None:
    """From the row's menu to the result, without a mouse; the grid is one stop, arrows walk in it."""
    desk.go("workflows")
    desk.person.frame.locator("tr.row", has_text="returns").locator("td.more > button").focus()
    desk.keys.press("Enter")
    item = desk.person.frame.get_by_role("menuitem", name="Replenish")
    expect(desk.person.frame.locator("[role=menuitem]:focus")).to_be_visible()
    desk.keys.press("r")  # Resubmit
    desk.keys.press("r")
    expect(item).to_be_focused()
    desk.keys.press("Enter")
    expect(desk.dialog.locator("input[name=from]")).to_be_focused()
    focused = desk.dialog.locator(":focus")

    def tab_to(what: Any, most: int = 40) -> None:
        for _ in range(most):
            if what.evaluate("e => e === document.activeElement"):
                return
            desk.keys.press("Tab")
        raise AssertionError(f"never came to it; the focus is on {focused.evaluate('e => e.outerHTML')[:200]}")

    tab_to(desk.dialog.get_by_role("button", name="Last 30 days"))
    desk.keys.press("Enter")
    expect(desk.counts).to_contain_text("Execute 42 of 90 cells")
    tab_to(desk.dialog.get_by_label("Missing and failed"))
    desk.keys.press("ArrowDown")
    expect(desk.counts).to_contain_text("Execute 39 of 90 cells")
    cell = desk.plan.locator("td[tabindex='0']")
    expect(cell).to_have_count(1)
    tab_to(cell)
    before = focused.get_attribute("title")
    desk.keys.press("ArrowDown")
    after = focused.get_attribute("title")
    assert (before.split(",")[0], after.split(",")[0]) == ("extract", "clean")
    expect(desk.plan.locator(".cell-said")).to_have_text(after)
    desk.keys.press("Control+Home")
    assert focused.get_attribute("title").startswith("extract")
    tab_to(desk.apply)
    desk.keys.press("Enter")
    expect(desk.title).to_contain_text("is queued")
    expect(desk.title).to_be_focused()
    desk.made(session)
    missing = (*range(4), *range(21, 30))
    assert cells(session) == {(task, today() - ago) for task in TASKS for ago in missing}


def test_enter_in_a_field_shows_the_plan_before_anything_is_done(desk: Desk, session: Any) -> None:
    desk.go("tasks?dag_id=returns").choose("returns clean").press()
    steps = desk.dialog.get_by_label("Steps downstream")
    steps.fill("1")
    steps.press("Enter")
    expect(desk.apply).to_have_text("Execute 10 cells")
    assert session.scalars(select(Replenishment)).all() == []
    steps.press("Enter")
    expect(desk.title).to_contain_text("is queued")
    desk.made(session)


def test_a_double_click_creates_one(desk: Desk, session: Any) -> None:
    desk.go("tasks?dag_id=returns").choose("returns clean").press()
    desk.apply.dblclick()
    expect(desk.title).to_contain_text("is queued")
    desk.made(session)


def test_somebody_else_was_quicker(desk: Desk, session: Any) -> None:
    """D3: what changed is told, nothing is done, one click goes on."""
    desk.go("tasks?dag_id=returns").choose("returns clean").press()
    expect(desk.apply).to_have_text("Execute 5 cells")
    write_runs(session, "returns", TASKS, [today() - 2])
    desk.apply.click()
    alert = desk.plan.get_by_role("alert")
    expect(alert).to_contain_text("1 cell changed since:")
    expect(alert).to_contain_text("was no run, is done")
    expect(alert).to_be_focused()
    assert session.scalars(select(Replenishment)).all() == []
    expect(desk.apply).to_have_text("Execute 4 cells")
    desk.watches(session)


def test_nothing_to_do_is_said(desk: Desk) -> None:
    desk.go("tasks?dag_id=returns").choose("returns clean").press()
    for field in desk.dialog.locator(".range-row input").all():
        field.fill(f"{START + timedelta(days=today() - 8):%Y-%m-%dT00:00}")
        field.dispatch_event("change")
    expect(desk.plan).to_contain_text("Nothing is to be done")
    expect(desk.apply).to_be_disabled()


def test_the_button_is_in_sight_and_the_grid_scrolls(desk: Desk, session: Any) -> None:
    """1280 by 800: a plan of 500 cycles of 40 tasks."""
    install(session, [chain("wide", *(f"t{n:02}" for n in range(40)), schedule="@hourly")])
    desk.go("workflows?q=wide").choose("wide").press()
    desk.dialog.get_by_role("button", name="Last 30 days").click()
    expect(desk.plan).to_contain_text("Cycles 1–60 of")
    expect(desk.apply).to_be_in_viewport(ratio=1)
    desk.dialog.get_by_role("button", name="Next cycles").click()
    expect(desk.plan).to_contain_text("Cycles 61–120 of")
    expect(desk.dialog.get_by_role("button", name="Next cycles")).to_be_focused()
    scroller = desk.plan.locator(".cells-scroll")
    assert scroller.evaluate("e => e.scrollWidth > e.clientWidth && e.scrollHeight > e.clientHeight")
    scroller.evaluate("e => e.scrollTo(400, 300)")
    head = desk.plan.locator("tbody th[scope=row]").nth(15)
    expect(head).to_be_in_viewport()


@both
def test_a_viewer_is_offered_nothing(desk: Desk) -> None:
    desk.go("tasks?dag_id=returns", "viewer")
    expect(desk.person.frame.locator("[hx-post*=replenish]")).to_have_count(0)
