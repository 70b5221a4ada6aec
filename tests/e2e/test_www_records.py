"""Operation records, downloads and settings inside Airflow's UI, in a browser (A18, B24, D2, D4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from taskops_provider.models import Export
from taskops_provider.services.exports.prepare import prepare_next
from tests.support.airflow_db import new_session
from tests.support.browser import Person, inside_airflow
from tests.support.warehouse import BOB, operate, stored

pytestmark = pytest.mark.live
FRAME = "plugin/taskops/pluginsv2/taskops"


@pytest.fixture(scope="module")
def in_airflow() -> bool:
    """Our pages alone: what they do inside Airflow's UI is asked in ``test_www_browser``."""
    return False


def test_find_an_operation_read_it_and_undo_it(person: Person) -> None:
    """D2, D4."""
    with new_session() as session:
        operate(session, "pause", "payments", reason="the bank is closed", ticket="https://t.example/PAY-7", actor=BOB)
        operate(session, "pause", "customer_dim.step_01")
    person.signed_in("admin")
    person.go(f"{FRAME}/operations")
    expect(person.heading()).to_contain_text("operation")
    person.frame.get_by_placeholder("Workflow").fill("支付")
    person.frame.get_by_role("button", name="Filter", exact=True).click()
    expect(person.heading()).to_have_text("1 operation")
    row = person.frame.locator("tbody tr")
    expect(row).to_contain_text("REST API")
    expect(row).to_contain_text("the bank is closed")
    # a ticket is on another site: it opens beside Airflow
    expect(row.get_by_role("link", name="PAY-7")).to_have_attribute("data-outside", "")

    row.get_by_role("link", name="Paused workflow payments (3 tasks)").click()
    expect(person.heading()).to_contain_text("Paused workflow payments (3 tasks)")
    expect(person.frame.locator("table.items tbody tr")).to_have_count(3)
    expect(person.frame.locator("td.becomes").first).to_have_text(re.compile(r"Scheduling\s*→\s*Paused"))
    person.frame.get_by_role("button", name="Undo").press("Enter")
    dialog = person.frame.get_by_role("dialog")
    dialog.get_by_role("button", name="Restore 3 tasks").press("Enter")
    expect(dialog).to_contain_text("3 tasks of 1 workflow restored")
    dialog.get_by_role("button", name="Close", exact=True).last.click()

    expect(person.frame.locator("dl.record")).to_contain_text("Undone by")
    expect(person.frame.get_by_role("button", name="Undo")).to_have_count(0)
    with new_session() as session:
        assert set(stored(session, "payments").values()) == {"scheduling"}


@inside_airflow
def test_times_are_those_of_the_zone_chosen_in_airflow(person: Person) -> None:
    with new_session() as session:
        operate(session, "set-owners", "sales_mart", owners=["ann"])
    person.signed_in("viewer")
    person.local(timezone='"Asia/Tokyo"')
    tokyo = datetime.now(UTC).astimezone(ZoneInfo("Asia/Tokyo"))
    for since, found in ((tokyo - timedelta(hours=1), True), (tokyo + timedelta(hours=1), False)):
        person.go(f"{FRAME}/operations")
        expect(person.heading()).to_contain_text("operation")
        person.frame.get_by_role("textbox", name="Since").fill(since.strftime("%Y-%m-%dT%H:%M"))
        person.frame.get_by_role("button", name="Filter", exact=True).click()
        person.page.wait_for_url("**zone=Asia%2FTokyo**")
        chip = person.frame.locator(".chip")
        expect(chip).to_contain_text(f"{since:%Y-%m-%d %H:%M} Asia/Tokyo")
        if found:
            expect(person.frame.locator("tbody tr").first).to_contain_text("sales_mart")
        else:
            expect(person.heading()).to_have_text("0 operations")
    # no times, no zone in the address
    person.frame.get_by_role("textbox", name="Since").fill("")
    person.frame.get_by_role("button", name="Filter", exact=True).click()
    person.page.wait_for_url(lambda url: "zone" not in url and url.endswith("/operations"))


def test_a_download_comes_through_the_records(person: Person) -> None:
    """B24: asked for on the list, waited for and fetched on the records."""
    person.signed_in("admin")
    person.go(f"{FRAME}/tasks?q=step_0")
    expect(person.heading()).to_contain_text("tasks")
    person.frame.get_by_role("button", name="Download").click()
    person.frame.get_by_role("menuitem", name="CSV").click()
    expect(person.frame.locator("#notices")).not_to_be_empty()

    person.go(f"{FRAME}/operations")
    person.frame.get_by_role("link", name="Downloads").click()
    row = person.frame.locator("tbody tr").first
    expect(row).to_contain_text("Download of tasks as CSV")
    expect(row).to_contain_text("search: step_0")
    expect(row).to_contain_text("Waiting")
    with new_session() as session:
        while prepare_next(session, datetime.now(UTC)):
            session.commit()
        session.commit()
        export = session.scalars(select(Export).order_by(Export.id.desc())).first()
        assert export is not None
        assert export.state == "ready"
    # the page looks again by itself, and then no more
    expect(row).to_contain_text("Ready")
    expect(row.locator("[hx-get]")).to_have_count(0)
    with person.page.expect_download() as arriving:
        row.get_by_role("link", name="Download", exact=True).click()
    arrived = arriving.value
    assert arrived.suggested_filename == f"taskops-tasks-{export.id}.csv"
    content = Path(arrived.path()).read_bytes()
    assert len(content) == export.byte_count
    assert content.startswith(b"\xef\xbb\xbfdag_id,task_id,status,")  # spreadsheets take it for UTF-8
    # the page is still there
    expect(row).to_contain_text("Ready")


def test_strict_mode_is_turned_on_and_off(person: Person) -> None:
    """A18."""
    person.signed_in("admin")
    person.go(f"{FRAME}/settings")
    expect(person.heading()).to_have_text("Settings")
    switch = person.frame.get_by_role("switch", name="Strict mode of retail")
    for word, state in (("on", "true"), ("off", "false")):
        switch.press("Enter")
        dialog = person.frame.get_by_role("dialog")
        expect(dialog).to_contain_text(f"Turn strict mode {word} for project retail?")
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_have_count(0)
        expect(switch).to_be_focused()
        switch.click()
        dialog.get_by_role("button", name=f"Turn {word}").click()
        expect(switch).to_have_attribute("aria-checked", state)
        expect(person.heading()).to_have_text("Settings")
        expect(person.frame.locator("table.strict tr", has_text="retail")).to_contain_text("here")
    person.frame.get_by_role("link", name="Operation records").click()
    expect(person.frame.locator("tbody tr").first).to_contain_text("Turned strict mode off for project retail")


def test_who_may_not_change_settings_has_no_switch(person: Person) -> None:
    person.signed_in("viewer")
    person.go(f"{FRAME}/settings")
    expect(person.frame.locator("table.strict")).to_contain_text("retail")
    expect(person.frame.get_by_role("switch")).to_have_count(0)


def test_the_bar_tells_of_a_dead_monitor_and_leads_to_health(person: Person) -> None:
    person.signed_in("viewer")
    person.go(f"{FRAME}/workflows")
    bar = person.frame.locator(".banner")
    expect(bar).to_contain_text("The monitor")
    # the list still ends where the window ends
    assert person.frame.locator("body").evaluate("e => e.scrollHeight <= e.clientHeight")
    bar.get_by_role("link", name="Health").click()
    expect(person.frame.locator("table.health")).to_contain_text("none runs: gated instances wait")
    expect(person.frame.get_by_role("heading", name="Health")).to_be_in_viewport()
