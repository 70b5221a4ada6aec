"""The page of a workflow, the row that opens, and the filters that look things up, in a browser inside Airflow's UI."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import DAG_ID
from tests.support import rows
from tests.support.airflow_db import empty_tables, new_session, write_dags
from tests.support.browser import Person
from tests.support.rows import Flow
from tests.support.warehouse import chain

pytestmark = pytest.mark.live
LIST = "plugin/taskops/pluginsv2/taskops/workflows"
#: more than are given at once, folders and owners alike
MANY = 300


@pytest.fixture(scope="module")
def filled() -> Iterator[None]:
    """The ordinary rows, and so many folders and owners that they are looked up."""
    many = [
        Flow(f"feed_{n:03}", folder=f"lake/area_{n % 20:02}/team_{n:03}", owners=(f"owner_{n:03}",), states=())
        for n in range(MANY)
    ]
    with new_session() as session:
        rows.write([*rows.ordinary(), *many], session)
        write_dags([chain(DAG_ID, "step_00", "step_01", "step_02")], session)
    yield
    empty_tables()


def test_a_row_opens_to_its_details_and_leads_to_the_page(person: Person) -> None:
    """A1-A6, A17."""
    person.signed_in("admin")
    person.go(f"{LIST}?q=inventory")
    person.frame.get_by_role("button", name="Details of inventory_snapshot").press("Enter")
    summary = person.frame.locator(".workflow-summary")
    expect(summary.locator("figure.ring")).to_have_count(3)
    expect(summary.get_by_role("img", name="Task types: BashOperator 2 (29%)")).to_be_visible()
    expect(summary.locator(".runs a")).to_have_count(30)
    assert summary.evaluate("e => e.scrollWidth <= e.clientWidth")
    summary.get_by_role("link", name="Details").click()
    person.page.wait_for_url("**/pluginsv2/taskops/workflow?dag_id=inventory_snapshot")
    expect(person.heading()).to_contain_text("inventory_snapshot")
    expect(person.frame.get_by_role("button", name="Pause all")).to_be_enabled()
    expect(person.frame.get_by_role("button", name=re.compile("^Delete ?: .*all offline"))).to_be_visible()
    person.frame.get_by_text("The same as a table").click()
    expect(person.frame.locator(".as-table tbody tr")).to_have_count(30)
    expect(person.frame.locator(".as-table time").first).to_have_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"))
    person.frame.locator(".diagram-place").scroll_into_view_if_needed()
    expect(person.frame.locator(".diagram-place .diagram-svg")).to_be_visible()
    person.frame.locator(".runs a").last.click()
    person.page.wait_for_url("**/dags/inventory_snapshot/runs/scheduled__1")


def test_an_operation_from_the_page(person: Person) -> None:
    """A13, A15: the dialog opens with the workflow in it and closes with Escape; the focus returns."""
    person.signed_in("admin")
    person.go("plugin/taskops/pluginsv2/taskops/workflow?dag_id=customer_dim")
    button = person.frame.get_by_role("button", name="Pause all")
    button.press("Enter")
    expect(person.frame.locator("#dialog")).to_contain_text("customer_dim")
    person.page.keyboard.press("Escape")
    expect(person.frame.locator("#dialog")).not_to_be_visible()
    expect(button).to_be_focused()


def test_the_tree_of_folders_is_opened_and_ticked_by_keyboard(person: Person) -> None:
    """A19, B22: levels come when they are opened, a folder includes those below it, several can be chosen."""
    person.signed_in("viewer")
    person.go(LIST)
    menu = person.frame.locator("details.folder.menu")
    menu.locator("> summary").press("Enter")
    expect(menu.get_by_role("searchbox")).to_be_focused()
    lake = menu.locator('input[value="lake"]')
    person.page.keyboard.press("ArrowDown")
    expect(lake).to_be_focused()
    person.page.keyboard.press("ArrowRight")
    area = menu.locator('input[value="lake/area_03"]')
    expect(area).to_be_visible()
    area.focus()
    person.page.keyboard.press("ArrowRight")
    team = menu.locator('input[value="lake/area_03/team_003"]')
    expect(team).to_be_visible()
    person.page.keyboard.press("Space")
    expect(area).to_be_checked()
    expect(team).to_be_disabled()  # it is in what is chosen
    person.page.keyboard.press("ArrowLeft")
    expect(team).not_to_be_visible()
    search = menu.get_by_role("searchbox")
    search.fill("area_05/team_005")
    found = menu.locator('.found input[value="lake/area_05/team_005"]')
    found.check()
    search.fill("")
    expect(menu.locator('.chosen input[value="lake/area_05/team_005"]')).to_be_checked()
    box = menu.locator("fieldset").bounding_box()
    frame = person.page.locator('iframe[title="TaskOps"]').bounding_box()
    assert box
    assert frame
    assert box["x"] + box["width"] <= frame["x"] + frame["width"]
    assert box["y"] + box["height"] <= frame["y"] + frame["height"]
    menu.get_by_role("button", name="Apply").click()
    expect(person.heading()).to_have_text(f"{MANY // 20 + 1} workflows")
    chips = person.frame.locator(".chips .chip")
    expect(chips).to_have_text(["Folder: lake/area_05/team_005", "Folder: lake/area_03"])
    menu.locator("> summary").press("Enter")
    expect(area).to_be_checked()
    menu.get_by_role("button", name="Clear").click()
    menu.get_by_role("button", name="Apply").press("Enter")
    expect(person.heading()).to_have_text(f"{MANY + 12} workflows")


def test_owners_are_typed(person: Person) -> None:
    """A19: several, found while typing or typed whole; Enter takes one, Enter again applies."""
    person.signed_in("viewer")
    person.go(LIST)
    menu = person.frame.locator("details.owner.menu")
    menu.locator("> summary").press("Enter")
    search = menu.get_by_role("searchbox")
    search.press_sequentially("OWNER_25")
    expect(menu.locator(".found .option")).to_have_count(10)
    menu.locator('.found input[value="owner_251"]').check()
    search.fill("gülşen")
    search.press("Enter")
    search.press_sequentially("nobody.at.all")
    search.press("Enter")
    # one of the first owners is ticked among these
    expect(menu.locator(".chosen .option")).to_have_text(["owner_251", "nobody.at.all"])
    expect(menu.locator('.given input[value="gülşen"]')).to_be_checked()
    search.press("Enter")
    person.page.wait_for_url("**owner=owner_251&owner=nobody.at.all&owner=g%C3%BCl%C5%9Fen")
    assert "q=" not in person.page.url
    names = person.frame.locator("tbody th.name a")
    expect(names).to_have_text(["feed_251", "month_end_close", "sales_mart"])


def test_one_status_with_one_click_and_escape_gives_the_focus_back(person: Person) -> None:
    """A11."""
    person.signed_in("viewer")
    person.go(LIST)
    person.frame.get_by_role("navigation", name="Status").get_by_role("link", name="All expired").click()
    expect(person.heading()).to_have_text("1 workflow")
    expect(person.frame.locator(".quick [aria-current]")).to_have_text("All expired")
    menu = person.frame.locator("details.project.menu")
    menu.locator("> summary").press("Enter")
    person.page.keyboard.press("ArrowDown")
    person.page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("> summary")).to_be_focused()


@pytest.mark.parametrize(
    "page", ["workflows", "tasks?status=paused&type=BashOperator&owner=erika.mustermann&folder=retail"]
)
def test_filters_fit_in_two_lines(person: Person, page: str) -> None:
    person.signed_in("viewer")
    person.go(f"plugin/taskops/pluginsv2/taskops/{page}")
    expect(person.heading()).to_be_visible()
    tops = person.frame.locator("form.filters").evaluate(
        "form => new Set([...form.children].filter(e => e.offsetParent).map(e => e.offsetTop)).size"
    )
    assert tops <= 2


def test_on_the_tab_of_a_dag_the_details_stay_inside_it(person: Person) -> None:
    person.signed_in("viewer")
    person.go("dags/customer_dim/plugin/taskops-tasks")
    expect(person.frame.locator(".workflow-bar .state")).to_contain_text("All scheduling")
    person.frame.get_by_role("link", name="Workflow details").click()
    expect(person.heading()).to_contain_text("customer_dim")
    expect(person.frame.locator(".tabs")).to_have_count(0)
    expect(person.frame.locator(".operations button")).to_have_count(0)  # a viewer operates nothing
    person.frame.get_by_role("link", name="Tasks", exact=True).click()
    expect(person.heading()).to_have_text("3 tasks")
