"""The dialogs of operations as a person uses them, inside Airflow (A12-A16, A18, B12-B14, B17, B18, D1-D4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from taskops_provider.models import AlarmDelivery, GateInterval, Operation, Owner, Task
from taskops_provider.services.operations import strict_mode_setting
from tests.support.airflow_db import empty_tables, new_session
from tests.support.browser import Person, both
from tests.support.instances import write_runs
from tests.support.warehouse import ALICE, install, operate, retail, stored

pytestmark = pytest.mark.live
TASKS = "plugin/taskops/pluginsv2/taskops/tasks"
WORKFLOWS = "plugin/taskops/pluginsv2/taskops/workflows"


@pytest.fixture(scope="module")
def in_airflow() -> bool:
    """Our pages alone: what they do inside Airflow's UI is asked in ``test_www_browser``."""
    return False


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


class Desk:
    """A person at a list."""

    def __init__(self, person: Person):
        self.person = person
        self.dialog = person.frame.locator("dialog#dialog")
        self.title = self.dialog.locator("#dialog-title")
        self.apply = self.dialog.locator("#change-apply")
        self.plan = self.dialog.locator("#change-plan")

    def go(self, path: str, name: str = "admin") -> Desk:
        self.person.signed_in(name)
        self.person.go(path)
        expect(self.person.heading()).to_be_visible()
        return self

    def choose(self, *targets: str) -> Desk:
        for target in targets:
            self.person.frame.locator(f'input[name=target][value="{target}"]').check()
        return self

    def open(self, label: str, title: str) -> Desk:
        self.toolbar(label).click()
        expect(self.title).to_have_text(title)
        return self

    def toolbar(self, label: str) -> Any:
        return self.person.frame.locator("#selection").get_by_role("button", name=label, exact=True)

    def tick(self, label: str) -> Desk:
        with self.person.page.expect_response(lambda answer: "/change/" in answer.url):
            self.dialog.get_by_label(label).check()
        return self

    def done(self, title: str) -> Desk:
        self.apply.click()
        expect(self.title).to_have_text(title)
        return self

    def close(self) -> None:
        html = self.person.frame.locator("html")
        html.evaluate("html => html.dataset.before = 'yes'")
        with self.person.page.expect_response(
            lambda answer: "/taskops/tasks" in answer.url or "/taskops/work" in answer.url
        ):
            self.dialog.get_by_role("button", name="Close", exact=True).last.click()
        self.person.frame.locator("html.ready:not([data-before])").wait_for(state="attached")
        expect(self.dialog).not_to_be_visible()


@pytest.fixture
def desk(person: Person) -> Desk:
    return Desk(person)


def newest(session: Any) -> Operation:
    session.expire_all()
    return session.scalars(select(Operation).order_by(Operation.id.desc())).first()


def unfinished(session: Any) -> None:
    """Three runs of orders on their way."""
    from airflow.models.dagrun import DagRun
    from sqlalchemy import update

    write_runs(session, "orders", ["clean"], range(3), state=None)
    session.execute(update(DagRun).where(DagRun.dag_id == "orders").values(state="running"))
    session.commit()


@both
def test_pause_with_termination_then_undo(desk: Desk, session: Any) -> None:
    """B13, D1, D2, D4: options, reason, ticket, the plan as they change, the record, undo from the result."""
    unfinished(session)
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean", "orders load").open("Pause", "Pause 2 tasks")
    expect(desk.dialog.get_by_label("Skip")).to_be_focused()
    expect(desk.plan).to_contain_text("3 unfinished instances go on to the end")
    desk.dialog.get_by_label("Reason").fill("duplicate feed")
    desk.dialog.get_by_label("Ticket").fill("OPS-42")
    desk.tick("Terminate instances")
    expect(desk.plan).to_contain_text("3 unfinished instances end now")
    desk.tick("Run They count")
    expect(desk.dialog.get_by_label("Reason")).to_have_value("duplicate feed")
    desk.done("2 tasks paused")
    record = newest(session)
    assert (record.source, record.reason, record.ticket) == ("ui", "duplicate feed", "OPS-42")
    assert record.options == {"downstream": "run", "terminate_instances": True}
    assert record.instances_ended == 3
    expect(desk.title).to_be_focused()
    expect(desk.dialog.get_by_role("link", name=f"Operation {record.id}")).to_have_attribute(
        "href", re.compile(rf"/taskops/operation\?id={record.id}$")
    )
    desk.dialog.get_by_role("button", name="Undo").click()
    expect(desk.title).to_have_text(f"Undo operation {record.id}")
    desk.done("2 tasks restored")
    assert set(stored(session, "orders").values()) == {"scheduling"}
    desk.close()
    expect(desk.person.frame.locator("tbody .badge.green")).to_have_count(3)


def test_the_list_is_shown_anew_after_a_change_and_focus_returns_without_one(desk: Desk, session: Any) -> None:
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean").open("Pause", "Pause 1 task")
    desk.person.page.keyboard.press("Escape")
    expect(desk.dialog).not_to_be_visible()
    expect(desk.toolbar("Pause")).to_be_focused()
    assert newest(session) is None
    desk.open("Pause", "Pause 1 task")
    expect(desk.dialog.get_by_label("Skip")).to_be_focused()
    desk.person.page.keyboard.press("Enter")  # sends
    expect(desk.title).to_have_text("1 task paused")
    desk.close()
    expect(desk.person.frame.locator("tbody .badge.amber")).to_have_count(1)


#: as quick as anybody can be: within the tick in which the form appears
_SEND_AT_ONCE = """body => new MutationObserver((records, observer) => {
  const form = body.querySelector("form#change");
  if (!form) return;
  observer.disconnect();
  form.requestSubmit(form.querySelector("#change-apply"));
}).observe(body, {childList: true})"""


def test_a_form_sent_as_soon_as_it_appears_is_sent_by_htmx(desk: Desk, session: Any) -> None:
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean")
    desk.dialog.locator("#dialog-body").evaluate(_SEND_AT_ONCE)
    desk.toolbar("Pause").click()
    expect(desk.title).to_have_text("1 task paused")
    assert stored(session, "orders")["clean"] == "paused"


#: as quick as anybody can be: the browser tells of the closing in a task of its own, after this one
_CLOSE_AND_PRESS = """dialog => new Promise(told => {
  dialog.addEventListener("close", () => setTimeout(told));
  dialog.close();
  document.activeElement.click();
})"""


def test_a_press_right_after_closing_is_not_lost(desk: Desk) -> None:
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean").open("Pause", "Pause 1 task")
    desk.dialog.evaluate(_CLOSE_AND_PRESS)
    expect(desk.dialog).to_be_visible()
    expect(desk.title).to_have_text("Pause 1 task")


def test_start_and_submit_again(desk: Desk, session: Any) -> None:
    """B12; what it does not apply to is left alone with the reason."""
    operate(session, "pause", "orders.clean")
    operate(session, "offline", "orders.load")
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean", "orders extract").open("Start", "Start 1 task")
    left = desk.plan.locator("details.left")
    expect(left).to_contain_text("1 left alone is scheduling; start applies to tasks that are paused")
    left.locator("summary").click()
    expect(left.get_by_role("link", name="extract")).to_be_visible()
    desk.done("1 task started").close()
    desk.choose("orders load").open("Resubmit", "Resubmit 1 task").done("1 task resubmitted")
    assert set(stored(session, "orders").values()) == {"scheduling"}


@pytest.mark.parametrize(
    ("method", "effect"), [("Downstream tasks run normally", "run"), ("Downstream tasks fail", "fail")]
)
def test_offline_then_delete_with_each_method(desk: Desk, session: Any, method: str, effect: str) -> None:
    """B14, B18: nothing is preselected, and without a choice nothing is sent."""
    desk.go(f"{TASKS}?dag_id=orders").choose("orders load").open("Take offline", "Take 1 task offline")
    desk.done("1 task taken offline").close()
    desk.choose("orders load", "orders clean").open("Delete", "Delete 1 task")
    expect(desk.dialog.locator("input[name=downstream]:checked")).to_have_count(0)
    desk.apply.click()
    expect(desk.title).to_have_text("Delete 1 task")
    assert newest(session).verb == "offline"
    desk.tick(method)
    desk.done("1 task deleted")
    assert newest(session).options == {"downstream": effect}
    assert stored(session, "orders") == {"clean": "scheduling", "extract": "scheduling", "load": "deleted"}
    [gate] = session.scalars(select(GateInterval).where(GateInterval.to_at.is_(None)))
    assert gate.downstream == effect


def test_delete_tells_the_owners(desk: Desk, session: Any) -> None:
    """B18: the box is found and ticked by keys, stays ticked while the plan is made anew; the result names people."""
    operate(session, "set-owners", "orders.load", owners=["viewer", "op", "bob"])
    operate(session, "offline", "orders.load")
    desk.go(f"{TASKS}?dag_id=orders").choose("orders load").open("Delete", "Delete 1 task")
    box = desk.dialog.get_by_label("Notify owners")
    expect(box).not_to_be_checked()
    expect(box).to_have_accessible_name("Notify owners Tells the owners by e-mail what was done, by whom and why.")
    box.focus()
    with desk.person.page.expect_response(lambda answer: "/change/" in answer.url):
        desk.person.page.keyboard.press("Space")
    expect(box).to_be_focused()
    desk.tick("Downstream tasks run normally")
    expect(box).to_be_checked()
    desk.dialog.get_by_label("Reason").fill("the shop has closed")
    desk.done("1 task deleted")
    expect(desk.dialog).to_contain_text(
        "2 owners will be told: op@example.com, viewer@example.com. No address is known for bob."
    )
    record = newest(session)
    assert record.options["notify_owners"] is True
    written = list(session.scalars(select(AlarmDelivery).order_by(AlarmDelivery.recipient)))
    assert [(one.operation_id, one.recipient) for one in written] == [
        (record.id, "op@example.com"),
        (record.id, "viewer@example.com"),
    ]
    assert "the shop has closed" in written[0].content["text"]
    desk.dialog.get_by_role("link", name=f"Operation {record.id}").click()
    facts = desk.person.frame.locator("dl.record")
    expect(facts).to_contain_text("Owners toldop@example.com, viewer@example.com")
    expect(facts).to_contain_text("No address knownbob")


def test_owners_are_typed_picked_and_removed(desk: Desk, session: Any) -> None:
    """A15, B17."""
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean").open("Change owners", "Change owners of 1 task")
    field = desk.dialog.get_by_label("Add an owner")
    expect(field).to_be_focused()
    expect(desk.dialog.locator("#owner-names option").first).to_be_attached()
    desk.dialog.get_by_role("button", name="Remove ann").click()
    desk.dialog.get_by_role("button", name="Remove bob").click()
    expect(desk.dialog.locator(".picked li")).to_have_count(0)
    desk.apply.click()
    expect(desk.title).to_have_text("Change owners of 1 task")  # nobody is named
    field.fill("carol")
    field.press("Enter")
    field.fill("<b>dan</b>, erin")
    field.press("Enter")
    expect(desk.dialog.locator(".picked .value")).to_have_text(["carol", "<b>dan</b>", "erin"])
    field.fill("frank")  # still being typed when the button is clicked
    desk.done("Owners of 1 task changed")
    owners = set(session.scalars(select(Owner.owner).where(Owner.dag_id == "orders", Owner.task_id == "clean")))
    assert owners == {"carol", "<b>dan</b>", "erin", "frank"}


def test_a_click_that_ends_the_typing_of_an_owner_hits_what_it_was_aimed_at(desk: Desk, session: Any) -> None:
    """The chip that comes of it moves what is below, but not under a pressed button."""
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean").open("Change owners", "Change owners of 1 task")
    box = desk.dialog.get_by_label("Notify owners")
    before = box.bounding_box()
    desk.dialog.get_by_label("Add an owner").fill("viewer, the-team-with-a-long-name, another-team-with-a-long-name")
    box.click()
    expect(desk.dialog.locator(".picked li")).to_have_count(5)
    assert box.bounding_box() != before
    expect(box).to_be_checked()
    desk.done("Owners of 1 task changed")
    expect(desk.dialog).to_contain_text("1 owner will be told: viewer@example.com.")
    expect(desk.dialog).to_contain_text(
        "No address is known for ann, another-team-with-a-long-name, bob, the-team-with-a-long-name."
    )


def test_start_again_by_itself_in_the_persons_zone(desk: Desk, session: Any) -> None:
    """D2: quick choices, in the zone that was chosen in Airflow."""
    desk.person.local(timezone='"Asia/Tokyo"')
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean").open("Pause", "Pause 1 task")
    expect(desk.dialog.locator(".resume")).to_contain_text("in Asia/Tokyo")
    field = desk.dialog.locator("input[name=resume_at]")
    desk.dialog.get_by_role("button", name="Monday 08:00").click()
    monday = datetime.fromisoformat(field.input_value())
    assert (monday.isoweekday(), monday.hour, monday.minute) == (1, 8, 0)
    desk.dialog.get_by_role("button", name="Clear").click()
    expect(field).to_have_value("")
    desk.dialog.get_by_role("button", name="Tomorrow 08:00").click()
    tokyo = ZoneInfo("Asia/Tokyo")
    tomorrow = (datetime.now(tokyo) + timedelta(days=1)).replace(hour=8, minute=0, second=0, microsecond=0)
    expect(field).to_have_value(tomorrow.strftime("%Y-%m-%dT%H:%M"))
    desk.done("1 task paused")
    assert session.get(Task, ("orders", "clean")).resume_at == tomorrow.astimezone(UTC)


def test_somebody_else_was_quicker(desk: Desk, session: Any) -> None:
    """D3: nothing is done, it says why, and one click goes on."""
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean", "orders load").open("Pause", "Pause 2 tasks")
    desk.dialog.get_by_label("Reason").fill("kept")
    operate(session, "offline", "orders.load")
    desk.apply.click()
    alert = desk.dialog.get_by_role("alert")
    expect(alert).to_contain_text("orders load is now offline: offline by alice")
    expect(alert).to_be_focused()
    expect(desk.title).to_have_text("Pause 1 task")
    assert stored(session, "orders")["clean"] == "scheduling"
    desk.done("1 task paused")
    assert newest(session).reason == "kept"


def test_a_double_click_applies_once(desk: Desk, session: Any) -> None:
    desk.go(f"{TASKS}?dag_id=orders").choose("orders clean").open("Pause", "Pause 1 task")
    desk.apply.dblclick()
    expect(desk.title).to_have_text("1 task paused")
    assert len(session.scalars(select(Operation.id)).all()) == 1


def test_strict_mode_says_what_blocks_and_cascades(desk: Desk, session: Any) -> None:
    """A18."""
    strict_mode_setting.set_strict_mode(session, ALICE, None, True, datetime.now(UTC))
    session.commit()
    desk.go(f"{TASKS}?dag_id=report").choose("report render", "report send")
    desk.open("Take offline", "Take 1 task offline")
    expect(desk.plan).to_contain_text("Strict mode is on for project dags-folder")
    expect(desk.plan.locator("section.blocked")).to_contain_text("Blocked by")
    expect(desk.plan.locator(".blockers").get_by_role("link", name="send")).to_be_visible()
    desk.tick("Cascade")
    expect(desk.title).to_have_text("Take 2 tasks offline")
    desk.done("2 tasks taken offline")


def test_a_workflow_that_others_need_is_not_deleted(desk: Desk, session: Any) -> None:
    """A16, A18: the dependencies are there to click."""
    operate(session, "offline", "orders")
    strict_mode_setting.set_strict_mode(session, ALICE, None, True, datetime.now(UTC))
    session.commit()
    desk.go(WORKFLOWS).choose("orders").open("Delete", "Delete: blocked")
    expect(desk.apply).to_have_count(0)
    desk.plan.get_by_role("link", name="wait").click()
    desk.person.page.wait_for_url("**/taskops/task?dag_id=sales&task_id=wait")


def test_whole_workflows(desk: Desk, session: Any) -> None:
    """A12, A13: all tasks of the chosen workflows; what became of them can be undone."""
    desk.go(WORKFLOWS).choose("orders", "report").open("Pause", "Pause 5 tasks of 2 workflows").done(
        "5 tasks of 2 workflows paused"
    )
    assert set(stored(session, "orders").values()) == {"paused"}
    desk.close()
    desk.choose("orders", "report").open("Start", "Start 5 tasks of 2 workflows").done("5 tasks of 2 workflows started")


def test_all_rows_under_the_filter(desk: Desk, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A12: also those of other pages."""
    from tests.support import rows

    rows.write([rows.Flow(f"many_{n:02}", states=("scheduling",) * 10) for n in range(12)], session)
    desk.go(f"{TASKS}?workflow=many_")
    desk.person.frame.locator("input[data-select-page]").check()
    desk.person.frame.locator("[data-select-matching]").click()
    desk.open("Pause", "Pause 120 tasks")
    expect(desk.plan).to_contain_text("and 20 more")
    desk.done("120 tasks paused")
    expect(desk.dialog).to_contain_text("and 20 more")


@both
def test_a_viewer_is_offered_nothing(desk: Desk) -> None:
    desk.go(f"{TASKS}?dag_id=orders", "viewer")
    expect(desk.toolbar("Pause")).to_have_count(0)
