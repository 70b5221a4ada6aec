"""The mechanics of the lists in a browser: selecting rows, menus of rows, columns, downloads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import expect
from sqlalchemy import delete, select

from taskops_provider.models import Export, Preference
from tests.support import rows
from tests.support.airflow_db import new_session
from tests.support.browser import Person, both
from tests.support.rows import Flow

pytestmark = pytest.mark.live
PAGES = "plugin/taskops/pluginsv2/taskops"


@pytest.fixture(scope="module")
def in_airflow() -> bool:
    """Our pages alone: what they do inside Airflow's UI is asked in ``test_www_browser``."""
    return False


@pytest.fixture
def own_columns() -> Iterator[None]:
    """Nobody's columns are chosen, before and after."""
    yield
    with new_session() as session:
        session.execute(delete(Preference))
        session.commit()


@pytest.fixture(scope="module")
def filled(filled: None) -> None:
    """More than a page of tasks, beside the usual rows."""
    with new_session() as session:
        rows.write([Flow(f"many_{number:02}", states=("scheduling",)) for number in range(48)], session)


def boxes(person: Person) -> Any:
    return person.frame.locator("input[name=target][form=selection]")


def selected(person: Person) -> Any:
    return person.frame.locator("[data-selected]")


def page_box(person: Person) -> Any:
    return person.frame.get_by_label("Select all rows of this page")


def state(box: Any) -> str:
    return str(box.evaluate("e => e.indeterminate ? 'some' : e.checked ? 'all' : 'none'"))


def open_list(person: Person, path: str, name: str = "admin") -> None:
    person.signed_in(name)
    person.go(f"{PAGES}/{path}")
    expect(person.heading()).to_be_visible()


def sent(person: Person, button: str) -> dict[str, list[str]]:
    """Press a button of the toolbar, close the dialog that it opens, and return the fields that it sent."""
    with person.page.expect_request(lambda request: "/change/" in request.url) as asked:
        person.frame.locator("#selection").get_by_role("button", name=button, exact=True).click()
    expect(person.frame.locator("#dialog form")).to_be_visible()
    person.page.keyboard.press("Escape")
    expect(person.frame.locator("#dialog")).to_be_hidden()
    return parse_qs(asked.value.post_data or "")


def test_rows_are_selected_one_by_one_in_ranges_and_by_the_page(person: Person) -> None:
    """A12, B12-B14."""
    open_list(person, "tasks?workflow=customer")
    pause = person.frame.locator("#selection").get_by_role("button", name="Pause", exact=True)
    expect(pause).to_be_disabled()
    expect(boxes(person)).to_have_count(7)
    boxes(person).nth(1).check()
    expect(pause).to_be_enabled()
    expect(selected(person)).to_have_text("1 selected")
    assert state(page_box(person)) == "some"
    boxes(person).nth(4).click(modifiers=["Shift"])
    expect(selected(person)).to_have_text("4 selected")
    boxes(person).nth(3).focus()
    person.page.keyboard.press("Space")
    expect(selected(person)).to_have_text("3 selected")
    boxes(person).nth(1).focus()
    person.page.keyboard.press("Shift+Space")  # from the one before: takes the whole range away
    expect(selected(person)).to_have_text("1 selected")
    page_box(person).check()
    expect(selected(person)).to_have_text("7 selected")
    page_box(person).uncheck()
    expect(selected(person)).to_have_text("None selected")
    expect(pause).to_be_disabled()
    boxes(person).nth(2).check()
    boxes(person).nth(5).check()
    assert sent(person, "Pause")["target"] == ["customer_dim step_02", "customer_master step_02"]
    expect(pause).to_be_focused()


def test_all_rows_that_match_are_named_by_the_filter(person: Person) -> None:
    open_list(person, "tasks?type=BashOperator&q=step")
    everything = person.frame.locator("[data-select-matching]")
    expect(everything).to_be_hidden()
    boxes(person).first.check()
    expect(everything).to_have_text("Select all 60 that match")
    everything.click()
    expect(selected(person)).to_have_text("All 60 selected")
    fields = sent(person, "Take offline")
    assert fields["matching"] == ["?q=step&type=BashOperator"]
    assert "target" not in fields
    boxes(person).first.uncheck()  # choosing single rows again
    fields = sent(person, "Take offline")
    assert "matching" not in fields
    assert len(fields["target"]) == 49
    person.frame.locator("[data-select-none]").click()
    expect(selected(person)).to_have_text("None selected")


def test_the_menu_of_a_row_by_keyboard(person: Person) -> None:
    """A13: what the status forbids can be read, and not done."""
    open_list(person, "workflows?q=customer")
    opener = person.frame.get_by_role("button", name="Operations and links of customer_master")
    opener.focus()
    person.page.keyboard.press("Enter")
    menu = person.frame.get_by_role("menu", name="Customer master data")
    expect(menu).to_be_visible()
    expect(menu.get_by_role("menuitem", name="Start all")).to_be_focused()
    person.page.keyboard.press("ArrowDown")
    pause = menu.get_by_role("menuitem", name="Pause all")
    expect(pause).to_be_focused()
    expect(pause).to_have_attribute("aria-disabled", "true")
    expect(pause).to_have_attribute(
        "title", "This workflow is all paused; it would have to be all scheduling or partially scheduling"
    )
    person.page.keyboard.press("Enter")
    expect(menu).to_be_visible()  # nothing happens
    person.page.keyboard.press("End")
    expect(menu.get_by_role("menuitem", name="Dag in Airflow")).to_be_focused()
    person.page.keyboard.press("ArrowDown")
    expect(menu.get_by_role("menuitem", name="Start all")).to_be_focused()
    person.page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(opener).to_be_focused()
    person.page.keyboard.press("ArrowDown")
    expect(menu.get_by_role("menuitem", name="Start all")).to_be_focused()
    person.page.keyboard.press("t")
    expect(menu.get_by_role("menuitem", name="Take all offline")).to_be_focused()
    with person.page.expect_request(lambda request: request.url.endswith("/change/workflows/offline")) as asked:
        person.page.keyboard.press("Enter")
    assert asked.value.post_data == "target=customer_master"
    expect(person.frame.locator("#dialog form")).to_be_visible()
    person.page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_the_menu_of_the_last_row_is_not_cut_off(person: Person) -> None:
    open_list(person, "tasks")
    button = person.frame.locator("td.more > button").last
    button.scroll_into_view_if_needed()
    button.click()
    menu = person.frame.locator("[role=menu]:popover-open")
    expect(menu).to_be_visible()
    box = menu.evaluate(
        "e => { const { left, top, right, bottom } = e.getBoundingClientRect();"
        " return [left, top, innerWidth - right, innerHeight - bottom] }"
    )
    assert min(box) >= 0, box
    person.frame.locator("h1").click()  # a click outside closes it
    expect(menu).to_be_hidden()


def test_a_row_opens_to_its_details(person: Person) -> None:
    """A1-A6: fetched when it is opened first."""
    open_list(person, "workflows?q=customer_master")
    button = person.frame.get_by_role("button", name="Details of Customer master data")
    expect(button).to_have_attribute("aria-expanded", "false")
    button.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(person.frame.locator("tr.opened")).to_contain_text("First submission")
    button.press("Enter")
    expect(person.frame.locator("tr.opened")).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")


def test_columns_are_hidden_and_moved_and_survive_a_reload_for_one_person(
    person: Person, browser: Any, own_columns: None
) -> None:
    """B25, by keyboard."""
    open_list(person, "tasks", "viewer")
    heads = person.frame.locator("thead th[scope=col]:visible")
    before = heads.all_inner_texts()
    assert before[:3] == ["Task", "Status", "Workflow"]
    person.frame.get_by_role("button", name="Columns").press("Enter")
    menu = person.frame.locator("#columns")
    expect(menu.get_by_label("Status", exact=True)).to_be_focused()
    menu.get_by_label("Workflow", exact=True).press("Space")
    for _ in range(2):
        menu.get_by_role("button", name="Move Type up").press("Enter")
    expect(menu.get_by_role("button", name="Move Type up")).to_be_focused()
    expect(person.frame.locator("#status")).to_have_text("Type: 2 of 12")
    menu.get_by_label("Expires", exact=True).press("Space")
    menu.get_by_role("button", name="Apply").press("Enter")
    expect(person.frame.locator("th.effective_to")).to_be_visible()
    expected = ["Task", "Status", "Type", "Owners", "Schedule", "Pool", "Last submission"]
    assert heads.all_inner_texts()[:7] == expected
    person.page.reload()
    expect(person.heading()).to_be_visible()
    assert heads.all_inner_texts()[:7] == expected

    other = Person(browser, person.server, in_airflow=person.in_airflow)
    open_list(other, "tasks", "op")
    assert other.frame.locator("thead th[scope=col]:visible").all_inner_texts() == before
    other.context.close()

    person.frame.get_by_role("button", name="Columns").click()
    person.frame.get_by_role("button", name="Default").click()
    expect(person.frame.locator("th.effective_to")).to_have_count(0)
    expect(person.frame.locator("th.workflow")).to_be_visible()
    assert heads.all_inner_texts() == before


@both
def test_a_download_lands_in_the_records(person: Person) -> None:
    """B24."""
    open_list(person, "tasks?workflow=customer&status=paused", "viewer")
    person.frame.get_by_role("button", name="Download").click()
    person.frame.get_by_role("menuitem", name="4 tasks as CSV").click()
    notice = person.frame.locator("#notices .notice")
    expect(notice).to_contain_text("The download is being prepared")
    with new_session() as session:
        export = session.scalars(select(Export).order_by(Export.id.desc())).first()
        assert export
        assert (export.actor, export.kind, export.form) == ("viewer", "tasks", "csv")
        assert export.filters == {"workflow_like": ["customer"], "status": ["paused"]}
        operation_id = export.operation_id
    notice.get_by_role("link").click()
    person.page.wait_for_url(f"**/pluginsv2/taskops/operation?id={operation_id}")


def test_a_viewer_has_no_boxes_and_no_toolbar(person: Person) -> None:
    open_list(person, "workflows?q=customer", "viewer")
    expect(person.frame.locator("#selection")).to_have_count(0)
    expect(boxes(person)).to_have_count(0)
    person.frame.locator("td.more > button").first.click()
    items = person.frame.get_by_role("menuitem")
    assert [text for text in items.all_inner_texts() if text] == [
        "Details",
        "Tasks",
        "Diagram",
        "Development: code in Airflow",
        "Dag in Airflow",
    ]
