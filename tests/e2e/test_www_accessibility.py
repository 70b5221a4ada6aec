"""Every page and dialog for people who see, hear or move otherwise: axe finds nothing serious, keys alone suffice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.support import furnished
from tests.support.airflow_db import empty_tables, new_session
from tests.support.browser import Person
from tests.support.live import LiveAirflow
from tests.support.places import EMPTY, FRAME, ORDINARY, Place, dialog, wear

pytestmark = pytest.mark.live
SERIOUS = ("serious", "critical")
axe = Axe()


@pytest.fixture(scope="module")
def walker(browser: Any, server: LiveAirflow) -> Iterator[Person]:
    """An administrator, to whom everything is offered; nothing moves before their eyes."""
    somebody = Person(browser, server, reduced_motion="reduce")
    somebody.signed_in("admin")
    yield somebody
    somebody.context.close()
    assert somebody.errors == []


@pytest.fixture(scope="module")
def filled() -> Iterator[None]:
    with new_session() as session:
        furnished.furnish(session)
    yield
    empty_tables()


def violations(person: Person) -> list[str]:
    """What axe finds serious on our page, one line each."""
    frame = person.page.query_selector('iframe[title="TaskOps"]').content_frame()
    found = axe.run(frame).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {' '.join(node['target'][-1:])}: {node['failureSummary']}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


def both_themes(person: Person) -> list[str]:
    """What is found in light and in dark."""
    found = []
    for theme in ("light", "dark"):
        wear(person, theme)
        found += [f"{theme}: {line}" for line in violations(person)]
    return found


@pytest.mark.parametrize("place", EMPTY, ids=lambda place: place.name)
def test_axe_finds_nothing_serious_where_nothing_is_yet(walker: Person, place: Place) -> None:
    """Not even a monitor is there, which a banner tells."""
    place.visit(walker)
    assert both_themes(walker) == []


@pytest.mark.parametrize("place", ORDINARY, ids=lambda place: place.name)
def test_axe_finds_nothing_serious(walker: Person, filled: None, place: Place) -> None:
    place.visit(walker)
    assert both_themes(walker) == []


def tab_to(person: Person, selector: str, key: str = "Tab") -> None:
    """Press a key until the focus is on what is wanted, and no longer than there are things to focus."""
    wanted = person.frame.locator(selector).first
    for _ in range(150):
        if wanted.evaluate("e => e === e.ownerDocument.activeElement && e.ownerDocument.hasFocus()"):
            return
        person.page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead to {selector}")


def test_a_task_is_paused_by_keys_alone(person: Person) -> None:
    person.signed_in("admin")
    person.go(f"{FRAME}/tasks?dag_id=inventory_snapshot")
    expect(person.heading()).to_have_text("7 tasks")
    box = 'input[name=target][value="inventory_snapshot step_01"]'
    tab_to(person, box)
    person.page.keyboard.press("Space")
    expect(person.frame.locator(box)).to_be_checked()

    tab_to(person, '#selection button:text-is("Pause")', "Shift+Tab")
    person.page.keyboard.press("Enter")
    shown = person.frame.locator("#dialog")
    expect(shown.locator("#dialog-title")).to_have_text("Pause 1 task")
    person.page.keyboard.press("Escape")
    expect(shown).not_to_be_visible()
    expect(person.frame.locator('#selection button:text-is("Pause")')).to_be_focused()

    person.page.keyboard.press("Enter")
    expect(shown.locator("input[name=downstream]:checked")).to_be_focused()
    tab_to(person, "#dialog textarea[name=reason]")
    person.page.keyboard.type("by keys alone")
    tab_to(person, "#change-apply")
    person.page.keyboard.press("Enter")
    expect(shown.locator("#dialog-title")).to_have_text("1 task paused")
    person.page.keyboard.press("Escape")
    row = person.frame.locator(f"tr:has({box})")
    expect(row).to_contain_text("Paused")
    expect(row).to_contain_text("by keys alone")


def test_the_focus_stays_in_the_dialog(person: Person) -> None:
    person.signed_in("admin")
    person.go(f"{FRAME}/tasks?dag_id=customer_dim")
    expect(person.heading()).to_have_text("3 tasks")
    for step in dialog("Pause", "customer_dim step_00"):
        step(person)
    for _ in range(30):
        person.page.keyboard.press("Tab")
        # past its end the focus leaves our page for the browser's own buttons, but never for what is behind
        assert person.frame.locator("body").evaluate(
            "() => !document.hasFocus() || document.activeElement === document.body"
            " || document.getElementById('dialog').contains(document.activeElement)"
        )
