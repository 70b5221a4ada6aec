"""Replenishments in Airflow's UI, in a browser: followed live, paused, cancelled by keys (requirements 6, 8; D5)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect
from sqlalchemy import select, update

from taskops_provider.models import Replenishment, ReplenishmentCell, ReplenishmentRun
from tests.support import replenishment_rows
from tests.support.airflow_db import new_session
from tests.support.browser import Person
from tests.support.warehouse import chain, install

pytestmark = pytest.mark.live
FRAME = "plugin/taskops/pluginsv2/taskops"
DAYS = 40


@pytest.fixture(scope="module")
def in_airflow() -> bool:
    """Our pages alone: what they do inside Airflow's UI is asked in ``test_www_browser``."""
    return False


@pytest.fixture
def number(person: Person) -> int:
    """A replenishment of 3 tasks by 40 cycles that runs; the first cycle is active."""
    with new_session() as session:
        install(session, [chain("loads", "extract", "clean", "publish")])
        made = replenishment_rows.create(session, "loads", days=DAYS, name="Loads of spring")
        replenishment_rows.progress(session, made, "running", ["active"])
    return made


def cells(number: int, state: str, task_id: str = "", *, ended: str = "") -> None:
    """Write what the monitor would."""
    with new_session() as session:
        change = update(ReplenishmentCell).where(ReplenishmentCell.replenishment_id == number)
        if task_id:
            first = select(ReplenishmentRun.id).where(
                ReplenishmentRun.replenishment_id == number, ReplenishmentRun.ordinal == 0
            )
            change = change.where(ReplenishmentCell.task_id == task_id, ReplenishmentCell.of_run_id.in_(first))
        session.execute(change.values(state=state))
        if ended:
            over = update(Replenishment).where(Replenishment.id == number)
            session.execute(over.values(state=ended, ended_at=datetime.now(UTC)))
        session.commit()


def test_a_replenishment_is_followed_live_to_its_end(person: Person, number: int) -> None:
    """The list and the grid follow; focus and scrolling stay; what is over is not asked for again."""
    person.signed_in("admin")
    person.go(f"{FRAME}/replenishments")
    frame = person.frame
    row = frame.locator("tr", has_text="Loads of spring")
    expect(row.locator("td.progress")).to_contain_text("0.0 %")
    cells(number, "success", "extract")
    expect(row.locator("td.progress")).to_contain_text("0.8 %")

    row.get_by_role("link", name="Loads of spring").click()
    expect(person.heading()).to_contain_text("Loads of spring")
    grid = frame.get_by_role("grid")
    first = grid.locator("tbody tr:not(.of-workflow)").nth(1).locator("td").first
    expect(first).to_have_attribute("title", re.compile("clean, .*: active; was no run"))
    # arrow keys walk to a cell, of which the row is put in anew
    grid.locator('td[tabindex="0"]').focus()
    person.page.keyboard.press("ArrowDown")
    person.page.keyboard.press("End")
    last = grid.locator("tbody tr:not(.of-workflow)").nth(1).locator("td").last
    expect(last).to_be_focused()
    scrolled = frame.locator(".cells-scroll").evaluate("e => e.scrollLeft")
    cells(number, "failed", "clean")
    expect(first).to_have_attribute("title", re.compile("clean, .*: failed"))
    expect(last).to_be_focused()
    assert frame.locator(".cells-scroll").evaluate("e => e.scrollLeft") == scrolled
    expect(frame.locator(".failed-cells")).to_contain_text("clean")
    person.page.keyboard.press("ArrowLeft")
    expect(last).not_to_be_focused()

    cells(number, "success", ended="success")
    expect(frame.locator("#replenishment-progress")).to_contain_text("100.0 %")
    expect(frame.locator("#replenishment-said")).to_have_text("Success, 100 % complete")
    expect(frame.locator("#looks-again")).not_to_have_attribute("hx-get", re.compile("."))
    expect(grid.locator("td.cell-success")).to_have_count(3 * DAYS)
    asked: list[str] = []
    person.page.on("request", lambda request: asked.append(request.url) if "/progress" in request.url else None)
    person.page.wait_for_timeout(2500)  # longer than it waits between two looks
    assert asked == []


def test_pause_resume_and_cancel_by_keys_alone(person: Person, number: int) -> None:
    person.signed_in("admin")
    person.go(f"{FRAME}/replenishment?id={number}")
    expect(person.heading()).to_contain_text("Loads of spring")
    dialog = person.frame.get_by_role("dialog")
    for verb, said in (("Pause", "is paused"), ("Resume", "goes on")):
        person.frame.get_by_role("button", name=verb, exact=True).press("Enter")
        expect(dialog).to_contain_text(f"{verb} replenishment {number}?")
        expect(dialog.get_by_role("button", name=f"{verb} replenishment")).to_be_focused()
        person.page.keyboard.press("Enter")
        expect(dialog).to_contain_text(f"Replenishment {number} {said}")
        expect(dialog.get_by_role("button", name="Close")).to_be_focused()
        person.page.keyboard.press("Enter")
        expect(person.frame.locator("#do-pause")).to_have_attribute(
            "aria-disabled" if verb == "Pause" else "hx-post", re.compile(".")
        )
    person.frame.get_by_role("button", name="Cancel", exact=True).press("Enter")
    expect(dialog).to_contain_text("3 cells run and will go on to the end.")
    person.page.keyboard.press("Escape")
    expect(person.frame.get_by_role("button", name="Cancel", exact=True)).to_be_focused()
    person.page.keyboard.press("Enter")
    dialog.get_by_role("radio", name="End what runs").press(" ")
    dialog.get_by_role("button", name="Cancel replenishment").press("Enter")
    expect(dialog).to_contain_text("is cancelled")
    with new_session() as session:
        assert session.get_one(Replenishment, number).state == "cancelled"
