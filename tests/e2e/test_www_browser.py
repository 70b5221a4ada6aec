"""The pages inside Airflow's UI, in a browser, under both auth managers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import DAG_ID
from tests.support import rows
from tests.support.browser import Person, both
from tests.support.live import LiveAirflow

pytestmark = pytest.mark.live


@both
def test_from_the_login_through_the_navigation_to_the_tasks_of_a_workflow(person: Person) -> None:
    person.sign_in("admin")
    person.page.get_by_role("link", name="TaskOps").click()
    expect(person.heading()).to_have_text("12 workflows")
    person.page.wait_for_url("**/plugin/taskops/pluginsv2/taskops/workflows")

    person.frame.get_by_placeholder("Name or ID").fill("customer")
    person.frame.get_by_role("button", name="Filter").click()
    expect(person.heading()).to_have_text("2 workflows")
    person.page.wait_for_url("**/pluginsv2/taskops/workflows?q=customer")  # empty fields stay out of the address

    person.frame.get_by_role("link", name="4 tasks of Customer master data").click()
    expect(person.heading()).to_have_text("4 tasks")
    person.page.wait_for_url("**/pluginsv2/taskops/tasks?dag_id=customer_master")
    person.page.reload()
    expect(person.heading()).to_have_text("4 tasks")
    person.frame.get_by_role("link", name="Remove filter Workflow: customer_master").click()
    expect(person.heading()).to_have_text("38 tasks")


def test_menus_by_keyboard(person: Person) -> None:
    person.signed_in("viewer")
    person.go("plugin/taskops")
    expect(person.heading()).to_have_text("12 workflows")
    menu = person.frame.locator("details.owner")
    menu.locator("summary").press("Enter")
    expect(menu).to_have_attribute("open", "")
    search = menu.get_by_role("searchbox")
    expect(search).to_be_focused()
    search.press_sequentially("erika")
    expect(menu.locator("label.option:visible")).to_have_count(1)
    search.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()
    menu.locator("summary").press("Enter")
    menu.get_by_label("erika.mustermann").press("Space")
    menu.get_by_role("button", name="Apply").press("Enter")
    expect(person.heading()).to_have_text("2 workflows")


def test_sorting_by_a_header(person: Person) -> None:
    person.signed_in("viewer")
    person.go("plugin/taskops/pluginsv2/taskops/workflows")
    person.frame.get_by_role("link", name="Tasks", exact=True).nth(1).click()
    expect(person.frame.locator("th[aria-sort=descending]")).to_have_text("Tasks")
    expect(person.frame.locator("tbody tr").first).to_contain_text("inventory_snapshot")


def test_dark_and_light_follow_airflow_at_once(person: Person) -> None:
    person.signed_in("admin")
    person.local(theme="light")
    person.go("plugin/taskops/pluginsv2/taskops/workflows")
    html, body = person.frame.locator("html"), person.frame.locator("body")
    expect(html).to_have_attribute("data-theme", "light")
    expect(body).to_have_css("background-color", "rgb(255, 255, 255)")
    person.page.get_by_role("button", name="User", exact=True).click()
    person.page.get_by_text("Appearance").hover()
    person.page.get_by_text("Dark Mode").click()
    expect(html).to_have_attribute("data-theme", "dark")
    expect(body).not_to_have_css("background-color", "rgb(255, 255, 255)")
    assert body.evaluate("e => getComputedStyle(e).backgroundColor") == person.page.evaluate(
        "() => { const d = document.createElement('div'); d.style.backgroundColor = 'var(--chakra-colors-bg)';"
        " document.body.append(d); return getComputedStyle(d).backgroundColor }"
    )


def test_times_follow_the_time_zone_chosen_in_airflow(person: Person) -> None:
    person.signed_in("viewer")
    person.local(timezone='"UTC"')
    person.go("plugin/taskops/pluginsv2/taskops/workflows?q=customer_dim")
    time = person.frame.locator("time").first
    expect(time).to_have_text(rows.NOW.strftime("%Y-%m-%d %H:%M:%S"))
    person.page.evaluate("localStorage.setItem('timezone', '\"Asia/Tokyo\"')")
    expect(person.frame.locator("[data-zone]")).to_have_text("Asia/Tokyo")
    expect(time).not_to_have_text(rows.NOW.strftime("%Y-%m-%d %H:%M:%S"))


def test_links_lead_out_of_the_frame(person: Person) -> None:
    person.signed_in("admin")
    person.go("plugin/taskops/pluginsv2/taskops/workflows?q=customer_dim")
    expect(person.heading()).to_have_text("1 workflow")
    menu = person.frame.get_by_role("button", name="Operations and links of customer_dim")
    menu.click()
    person.frame.get_by_role("menuitem", name="Dag in Airflow").click()
    person.page.wait_for_url("**/dags/customer_dim")
    expect(person.page.get_by_role("heading", name=DAG_ID)).to_be_visible()
    person.page.go_back()
    expect(person.heading()).to_have_text("1 workflow")
    with person.context.expect_page() as opened:
        menu.click()
        person.frame.get_by_role("menuitem", name="Development: code in Airflow").click(modifiers=["Control"])
    opened.value.wait_for_url("**/dags/customer_dim/code")
    with person.context.expect_page() as opened:
        person.frame.locator("tbody th.name a").click(modifiers=["Control"])
    opened.value.wait_for_url("**/plugin/taskops/pluginsv2/taskops/workflow?dag_id=customer_dim")


@both
def test_the_tab_on_a_dag(person: Person) -> None:
    person.signed_in("viewer")
    person.go("dags/customer_dim")
    person.page.locator('a[href$="/dags/customer_dim/plugin/taskops-tasks"]').click()
    expect(person.heading()).to_have_text("3 tasks")
    expect(person.frame.locator(".tabs")).to_have_count(0)
    person.frame.get_by_placeholder("Task name or ID").fill("step_01")
    person.frame.get_by_placeholder("Task name or ID").press("Enter")
    expect(person.heading()).to_have_text("1 task")
    person.frame.get_by_role("link", name="Reset").click()
    expect(person.heading()).to_have_text("3 tasks")


def test_copying_an_id(person: Person) -> None:
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.signed_in("viewer")
    person.go("plugin/taskops/pluginsv2/taskops/workflows?q=customer_master")
    expect(person.heading()).to_have_text("1 workflow")
    person.frame.locator("th.name .below").hover()
    person.frame.get_by_role("button", name="Copy ID customer_master").click()
    expect(person.frame.locator("#status")).to_have_text("Copied customer_master")
    assert person.page.evaluate("navigator.clipboard.readText()") == "customer_master"


@both
def test_anonymous_is_sent_to_the_login_and_back(person: Person) -> None:
    person.go("pluginsv2/taskops/tasks?q=step_01")
    person.page.wait_for_url("**/auth/login**")
    person.fill_in_login("viewer")
    person.page.wait_for_url("**/plugin/taskops/pluginsv2/taskops/tasks?q=step_01")
    expect(person.heading()).to_contain_text("tasks")


@both
def test_signed_out_in_the_frame_the_whole_window_goes_to_the_login(person: Person) -> None:
    person.signed_in("viewer")
    person.go("plugin/taskops/pluginsv2/taskops/workflows")
    expect(person.heading()).to_have_text("12 workflows")
    person.context.clear_cookies()
    person.frame.get_by_role("link", name="Refresh").click()
    person.page.wait_for_url("**/auth/login**")
    expect(person.page.locator("input[name=username]")).to_be_visible()
    assert len(person.page.frames) == 1


def test_without_script(browser: Any, server: LiveAirflow, filled: None) -> None:
    plain = Person(browser, server, java_script_enabled=False)
    plain.signed_in("viewer")
    plain.go("pluginsv2/taskops/workflows")
    page = plain.page
    page.locator("details.status summary").click()
    page.get_by_label("All expired").check()
    page.locator("details.status").get_by_role("button", name="Apply").click()
    expect(page.locator("h1")).to_have_text("1 workflow")
    expect(page.locator("th.name").nth(1)).to_have_text(re.compile("legacy_export"))
    page.get_by_role("link", name="Reset").click()
    expect(page.locator("h1")).to_have_text("12 workflows")
    plain.context.close()


@both
def test_the_session_of_airflow_survives_our_pages(person: Person) -> None:
    person.sign_in("admin")
    for page in ("workflows", "tasks", "workflows?status=nonsense", "no_such_page"):
        person.page.request.get(f"{person.server.url}/pluginsv2/taskops/{page}")
    assert person.page.request.get(f"{person.server.url}/api/v2/dags").ok
    if person.is_fab:
        person.go("auth/users/list/")
        expect(person.page.get_by_text("viewer@example.com")).to_be_visible()
