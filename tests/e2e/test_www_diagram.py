"""The diagram (A7) in a browser, inside Airflow's UI: zoom, locate, filter, hover card, walk by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support import diagram_rows, rows
from tests.support.airflow_db import empty_tables, new_session
from tests.support.browser import Person, inside_airflow
from tests.support.diagram_rows import SHOP
from tests.support.live import LiveAirflow

pytestmark = pytest.mark.live
PAGE = "plugin/taskops/pluginsv2/taskops/diagram?dag_id="
LONG = "build_dim_customer_with_slowly_changing_attributes_type_2"
FACTS = {
    "Task ID": "stage.products",
    "Project": "retail",
    "Workflow": f"Shop, daily load ({SHOP})",
    "Type": "PythonOperator",
    "Status": "Paused",
    "Cycle": "Day",
    "Plan": "30 2 * * *",
}


@pytest.fixture(scope="module")
def in_airflow() -> bool:
    """Our pages alone: what they do inside Airflow's UI is asked in ``test_www_browser``."""
    return False


@pytest.fixture(scope="module")
def filled() -> Iterator[None]:
    with new_session() as session:
        rows.write(rows.ordinary(), session)
        diagram_rows.shop(session)
        diagram_rows.large(session)
    yield
    empty_tables()


@pytest.fixture
def shop(person: Person) -> Person:
    """Somebody who looks at the diagram of the shop."""
    return look_at(person, SHOP)


def look_at(person: Person, dag_id: str) -> Person:
    person.signed_in("viewer")
    person.go(f"{PAGE}{dag_id}")
    person.frame.locator(".diagram-view.live .canvas[transform]").wait_for(state="attached")
    return person


def box(person: Person, name: str) -> Any:
    return person.frame.locator(f'.box[data-name="{name}"]')


def card(person: Person) -> Any:
    return person.frame.locator(".diagram-card")


def scale(person: Person) -> float:
    """How large the drawing is once it rests."""
    expect(person.frame.locator(".diagram-frame")).not_to_have_class(re.compile("moving"))
    person.frame.locator("body").evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    transform = person.frame.locator(".canvas").get_attribute("transform")
    return float(re.search(r"scale\((.*?)\)", transform).group(1))  # type: ignore[union-attr]


def press(person: Person, button: str) -> float:
    person.frame.get_by_role("button", name=button, exact=True).click()
    person.page.wait_for_timeout(300)  # the movement takes its time
    return scale(person)


def is_inside(inner: Any, outer: Any) -> bool:
    one, other = inner.bounding_box(), outer.bounding_box()
    return (
        one["x"] >= other["x"]
        and one["y"] >= other["y"]
        and one["x"] + one["width"] <= other["x"] + other["width"]
        and one["y"] + one["height"] <= other["y"] + other["height"]
    )


def test_buttons_and_keys_zoom(shop: Person) -> None:
    begun = scale(shop)
    larger = press(shop, "Zoom in")
    assert larger == pytest.approx(begun * 1.4, rel=0.01)
    assert press(shop, "Zoom out") == pytest.approx(begun, rel=0.01)
    assert press(shop, "Actual size") == 1
    expect(shop.frame.locator("output.scale")).to_have_text("100%")
    whole = press(shop, "Show all")
    assert whole < 1
    assert is_inside(shop.frame.locator(".boxes"), shop.frame.locator(".diagram-frame"))
    for key, expected in (("1", 1), ("f", whole), ("+", whole * 1.4), ("-", whole)):
        box(shop, "publish").press(key)
        shop.page.wait_for_timeout(300)
        assert scale(shop) == pytest.approx(expected, rel=0.01), key


def test_wheel_and_drag_move_the_drawing_and_a_drag_opens_nothing(shop: Person) -> None:
    begun = scale(shop)
    place = box(shop, "wait_for_source").bounding_box()
    shop.page.mouse.move(place["x"] + 5, place["y"] + 5)
    shop.page.mouse.wheel(0, -300)
    shop.page.wait_for_timeout(400)
    assert scale(shop) > begun * 1.2
    target = box(shop, "wait_for_source").bounding_box()
    shop.page.mouse.move(target["x"] + 20, target["y"] + 10)
    shop.page.mouse.down()
    shop.page.mouse.move(target["x"] + 80, target["y"] + 60, steps=5)
    shop.page.mouse.up()
    shop.page.wait_for_timeout(400)
    moved = box(shop, "wait_for_source").bounding_box()
    assert (moved["x"] - target["x"], moved["y"] - target["y"]) == pytest.approx((60, 50), abs=3)
    assert "diagram?" in shop.page.url


def test_locating_a_task(shop: Person) -> None:
    field = shop.frame.get_by_role("combobox", name="Locate a task")
    field.fill("STAGE")
    options = shop.frame.get_by_role("option")
    expect(options).to_have_text(["stage.customers", "stage.orders", "stage.products"])
    field.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    field.press("Enter")
    expect(box(shop, "stage.orders")).to_be_focused()
    expect(box(shop, "stage.orders")).to_have_class(re.compile("found"))
    shop.page.wait_for_timeout(400)
    assert scale(shop) >= 0.9
    frame, found = (shop.frame.locator(".diagram-frame").bounding_box(), box(shop, "stage.orders").bounding_box())
    for axis, length in (("x", "width"), ("y", "height")):
        middle = frame[axis] + frame[length] / 2
        assert found[axis] + found[length] / 2 == pytest.approx(middle, abs=6)
    field.fill("no such task")
    expect(shop.frame.locator(".diagram-find .rest")).to_have_text("No such task")
    field.press("Escape")
    expect(shop.frame.locator(".diagram-find ul")).to_be_hidden()


def test_filtering_by_status_dims_the_others(shop: Person) -> None:
    title = box(shop, "stage.products").locator(".title")
    other = box(shop, "stage.orders").locator(".title")

    def colour(element: Any) -> str:
        return str(element.evaluate("e => getComputedStyle(e).fill"))

    assert colour(title) == colour(other)
    paused = shop.frame.get_by_role("checkbox", name="Paused 2")
    paused.uncheck()
    assert colour(title) != colour(other)
    expect(box(shop, "stage.products")).to_be_visible()
    paused.check()
    assert colour(title) == colour(other)


def test_the_hover_card_has_the_eight_facts_and_stays_in_the_frame(shop: Person) -> None:
    shop.context.grant_permissions(["clipboard-read", "clipboard-write"])
    box(shop, "stage.products").hover()
    expect(card(shop)).to_be_visible()
    for label, value in FACTS.items():
        expect(card(shop).locator(f'dt:text-is("{label}") + dd')).to_have_text(value)
    expect(card(shop).locator('dt:text-is("Owners") + dd li')).to_have_text(["ann", "bob"])
    # the pointer may go to the card
    card(shop).get_by_role("button", name="Copy ID stage.products").click()
    expect(shop.frame.locator("#status")).to_have_text("Copied stage.products")
    assert shop.page.evaluate("navigator.clipboard.readText()") == "stage.products"
    shop.frame.locator("h1").hover()
    expect(card(shop)).to_be_hidden()
    press(shop, "Actual size")
    for name in ("publish", "mail_report", "wait_for_source", LONG):
        shop.frame.get_by_role("combobox").fill(name)
        shop.frame.get_by_role("combobox").press("Enter")
        expect(card(shop)).to_be_visible()
        shop.page.wait_for_timeout(400)
        assert is_inside(card(shop), shop.frame.locator(".diagram-frame")), name


def test_walking_by_keyboard_and_opening_the_task(shop: Person) -> None:
    # one stop for Tab in the whole drawing
    assert shop.frame.locator('.box[tabindex="0"]').count() == 1
    shop.frame.get_by_role("button", name="Show all").press("Tab")
    expect(box(shop, "wait_for_source")).to_be_focused()
    expect(card(shop).locator("dd").first).to_have_text("wait_for_source")
    shop.page.keyboard.press("Escape")
    expect(card(shop)).to_be_hidden()
    for key, name in (
        ("ArrowRight", "extract.orders"),
        ("ArrowRight", "stage.orders"),
        ("ArrowUp", "stage.customers"),
        ("ArrowLeft", "extract.customers"),
        ("ArrowDown", "extract.orders"),
        ("ArrowRight", "stage.orders"),
        ("ArrowRight", "build_fact_sales"),
        ("ArrowRight", "check_totals"),
    ):
        shop.page.keyboard.press(key)
        expect(box(shop, name)).to_be_focused()
        expect(card(shop).locator("dd").first).to_have_text(name)
    shop.page.keyboard.press("Enter")
    shop.page.wait_for_url(f"**/taskops/task?dag_id={SHOP}&task_id=check_totals")


@inside_airflow
def test_a_click_with_ctrl_opens_the_task_in_a_tab_inside_airflow(shop: Person) -> None:
    with shop.context.expect_page() as opened:
        box(shop, "publish").click(modifiers=["Control"])
    opened.value.wait_for_url(f"**/plugin/taskops/pluginsv2/taskops/task?dag_id={SHOP}&task_id=publish")


@inside_airflow
def test_dark_and_light(shop: Person) -> None:
    body = box(shop, "publish").locator(".body")
    fills = set()
    for theme in ("light", "dark"):
        shop.page.evaluate("theme => document.documentElement.className = theme", theme)
        expect(shop.frame.locator("html")).to_have_attribute("data-theme", theme)
        fills.add(body.evaluate("e => getComputedStyle(e).fill"))
    assert len(fills) == 2


def test_inside_another_page_the_wheel_scrolls_that_until_the_diagram_is_taken_hold_of(person: Person) -> None:
    person.signed_in("viewer")
    person.go(f"plugin/taskops/pluginsv2/taskops/workflow?dag_id={SHOP}")
    person.frame.locator("#diagram").scroll_into_view_if_needed()
    person.frame.locator(".diagram-view.live.small .canvas[transform]").wait_for(state="attached")
    frame = person.frame.locator(".diagram-frame")
    frame.scroll_into_view_if_needed()
    begun = scale(person)
    frame.hover(position={"x": 30, "y": 20})
    person.page.mouse.wheel(0, 40)
    person.page.wait_for_timeout(400)
    assert scale(person) == begun
    frame.click(position={"x": 30, "y": 20})
    person.page.mouse.wheel(0, -300)
    person.page.wait_for_timeout(400)
    assert scale(person) > begun
    person.frame.get_by_role("link", name="Open large").click()
    person.page.wait_for_url(f"**/taskops/diagram?dag_id={SHOP}")


def test_two_thousand_tasks(person: Person) -> None:
    look_at(person, "large")
    expect(person.frame.locator(".box")).to_have_count(2000)
    # only what is near is drawn, and far away texts are left out
    assert 0 < person.frame.locator(".box:not(.away)").count() < 1000
    press(person, "Show all")
    expect(person.frame.locator(".box.away")).to_have_count(0)
    expect(person.frame.locator(".box .title").first).to_be_hidden()
    person.frame.get_by_role("combobox").fill("step_1999")
    person.frame.get_by_role("combobox").press("Enter")
    expect(box(person, "area_19.step_1999")).to_be_focused()
    person.page.wait_for_timeout(400)
    expect(box(person, "area_19.step_1999").locator(".title")).to_be_visible()


def test_without_script_the_drawing_is_there_and_its_links_work(
    browser: Any, server: LiveAirflow, filled: None
) -> None:
    plain = Person(browser, server, java_script_enabled=False)
    plain.signed_in("viewer")
    plain.go(f"pluginsv2/taskops/diagram?dag_id={SHOP}")
    expect(plain.page.locator(".diagram-bar")).to_be_hidden()
    expect(plain.page.locator(".box")).to_have_count(12)
    plain.page.get_by_role("link", name="publish, Scheduling", exact=False).click()
    plain.page.wait_for_url(f"**/taskops/task?dag_id={SHOP}&task_id=publish")
    plain.context.close()
