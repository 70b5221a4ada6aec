"""Alarms inside Airflow's UI, in a browser: rules set, changed and off; alarms acknowledged (requirements 7; B16)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from taskops_provider.models import AlarmEvent, AlarmRule
from tests.support import alarm_rows
from tests.support.airflow_db import empty_tables, new_session
from tests.support.browser import Person
from tests.support.warehouse import install, retail

pytestmark = pytest.mark.live
FRAME = "plugin/taskops/pluginsv2/taskops"


@pytest.fixture(scope="module")
def in_airflow() -> bool:
    """Our pages alone: what they do inside Airflow's UI is asked in ``test_www_browser``."""
    return False


@pytest.fixture
def desk(person: Person) -> Iterator[Person]:
    empty_tables()
    with new_session() as session:
        install(session, retail())
        alarm_rows.ordinary(session)
    person.signed_in("admin")
    yield person
    assert person.errors == []


def newest_rule() -> AlarmRule:
    with new_session() as session:
        return session.scalars(select(AlarmRule).order_by(AlarmRule.id.desc())).first()


def test_an_alarm_is_set_on_a_task_with_what_its_kind_needs(desk: Person) -> None:
    desk.go(f"{FRAME}/task?dag_id=sales&task_id=sum")
    frame, keys = desk.frame, desk.page.keyboard
    frame.get_by_role("button", name="Set alarm").click()
    dialog = frame.locator("dialog")
    expect(dialog.locator("#dialog-title")).to_have_text("Set alarm on sum")
    expect(dialog.get_by_text("There already: 1 rule")).to_be_visible()
    # only the fields of the chosen kind are there
    minutes, by = dialog.get_by_label("Minutes", exact=True), dialog.get_by_label("Time of day")
    kind = dialog.get_by_label("What happens")
    expect(dialog.get_by_label("Tell when")).to_be_visible()
    expect(minutes).to_be_hidden()
    kind.select_option("running_longer_than")
    expect(minutes).to_be_visible()
    expect(dialog.get_by_label("Tell when")).to_be_hidden()
    dialog.get_by_label("Longer than").select_option("percent")
    expect(minutes).to_be_hidden()
    expect(dialog.get_by_label("Percent over it")).to_be_visible()
    kind.select_option("not_finished_by")
    expect(by).to_be_visible()
    expect(dialog.get_by_label("Percent over it")).to_be_hidden()
    # what cannot be is said, and nothing of what was typed is lost
    others = dialog.get_by_label("Others users of Airflow")
    others.fill("bob, night@example.com")
    others.press("Enter")
    expect(dialog.locator(".problem")).to_have_text("Time of day is empty; allowed is HH:MM, as 08:00")
    expect(others).to_have_value("bob, night@example.com")
    by.fill("07:45")
    dialog.get_by_text("Quiet hours, repeats, escalation, name").click()
    dialog.get_by_label("Name optional").fill("In time for breakfast")
    keys.press("Enter")
    expect(dialog.locator("#dialog-title")).to_contain_text("is made")
    made = newest_rule()
    assert (made.dag_id, made.task_id, made.kind, made.name) == (
        "sales",
        "sum",
        "not_finished_by",
        "In time for breakfast",
    )
    assert made.body["parameters"] == {"time": "07:45", "zone": "UTC", "days": 0}
    assert made.body["recipients"]["users"] == ["bob"]
    dialog.get_by_role("link", name="See the rule").click()
    row = frame.locator("tr.row", has_text="In time for breakfast")
    expect(row).to_contain_text("sales.sum has not finished by 07:45 UTC")
    # from its menu: off
    row.locator("td.more > button").click()
    frame.get_by_role("menuitem", name="Turn off").click()
    dialog.get_by_role("button", name="Turn off 1 rule").click()
    expect(dialog.locator("#dialog-title")).to_have_text("1 rule turned off")
    dialog.get_by_role("button", name="Close").click()
    expect(row.locator(".state")).to_have_text("Off")


def test_the_scope_of_a_rule_can_be_widened_and_a_selection_gets_a_rule_each(desk: Person) -> None:
    desk.go(f"{FRAME}/tasks?dag_id=orders")
    frame = desk.frame
    dialog = frame.locator("dialog")
    frame.get_by_label("Select clean", exact=True).check()
    frame.locator("#selection").get_by_role("button", name="Set alarm").click()
    scope = dialog.locator("select[name=scope]")
    scope.select_option("workflow")
    expect(dialog.get_by_label("Task ID")).to_be_hidden()
    scope.select_option("project")
    expect(dialog.get_by_label("Project", exact=True)).to_be_visible()
    expect(dialog.get_by_label("Workflow ID")).to_be_hidden()
    scope.select_option("workflow")
    dialog.get_by_role("button", name="Set alarm").click()
    expect(dialog.locator("#dialog-title")).to_contain_text("is made")
    assert (newest_rule().scope, newest_rule().dag_id) == ("workflow", "orders")
    dialog.get_by_role("button", name="Close").click()

    frame.get_by_label("Select all rows of this page").check()
    frame.locator("#selection").get_by_role("button", name="Set alarm").click()
    expect(dialog.locator("#dialog-title")).to_have_text("Set alarm on 3 tasks")
    dialog.get_by_role("button", name="Set 3 alarms").click()
    expect(dialog.locator("#dialog-title")).to_have_text("3 rules are made")


def test_alarms_are_found_looked_into_and_acknowledged(desk: Person) -> None:
    desk.go(f"{FRAME}/alarms")
    frame = desk.frame
    dialog = frame.locator("dialog")
    expect(desk.heading()).to_have_text("6 alarms")
    frame.get_by_role("link", name="Unacknowledged", exact=True).click()
    expect(desk.heading()).to_have_text("4 alarms")
    frame.get_by_role("link", name="orders.clean failed").click()
    expect(desk.heading()).to_contain_text("orders.clean failed")
    expect(frame.locator("table.messages")).to_contain_text("Connection refused")
    expect(frame.get_by_text("data-team", exact=True)).to_be_visible()
    frame.get_by_role("button", name="Acknowledge").click()
    expect(dialog.locator("#dialog-title")).to_have_text("Acknowledge 1 alarm?")
    desk.page.keyboard.press("Enter")  # the button that acknowledges has the focus
    expect(dialog.locator("#dialog-title")).to_have_text("1 alarm acknowledged")
    desk.page.keyboard.press("Enter")
    expect(frame.locator("dl.record")).to_contain_text("by admin")
    frame.get_by_role("link", name="Alarms", exact=True).last.click()

    frame.get_by_label("Select all unacknowledged alarms of this page").check()
    frame.locator("#selection").get_by_role("button", name="Acknowledge").click()
    expect(dialog).to_contain_text("sales.sum runs too long")
    dialog.get_by_role("button", name="Acknowledge 3 alarms").click()
    expect(dialog.locator("#dialog-title")).to_have_text("3 alarms acknowledged")
    dialog.get_by_role("button", name="Close").click()
    expect(frame.locator("#selection")).to_have_count(0)  # nothing is left to select
    with new_session() as session:
        assert {event.confirmed_by for event in session.scalars(select(AlarmEvent))} == {"admin", "ann"}
