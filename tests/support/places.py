"""Every page and every dialog, and the way there: for the accessibility walk and for ``make screenshots``.

They are places in what ``furnished`` writes: ``ORDINARY`` and ``CROWDED``; ``EMPTY`` without anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.support.browser import WAIT_MS, Person
from tests.support.diagram_rows import SHOP
from tests.support.furnished import BACKLOG, GAPS
from tests.support.furnished import CROWDED as LARGE

FRAME = "plugin/taskops/pluginsv2/taskops"
Step = Callable[[Person], Any]


#: Airflow's page does so when a person changes the appearance; ours follows
_WEAR = "theme => document.documentElement.classList.replace(theme === 'dark' ? 'light' : 'dark', theme)"
_STILL = "() => document.getAnimations().every((one) => one.effect.getTiming().iterations === Infinity)"


def wear(person: Person, theme: str) -> None:
    """Turn light or dark."""
    person.page.evaluate(_WEAR, theme)
    person.frame.locator(f"html[data-theme={theme}]").wait_for(state="attached")
    be_still(person)


def be_still(person: Person) -> None:
    """Wait until nothing is fading in or out: colours in between are nobody's choice."""
    html = person.frame.locator("html")
    # asked again from here: the Content-Security-Policy forbids Playwright's own way of asking inside the page
    deadline = time.monotonic() + WAIT_MS / 1000
    while not html.evaluate(_STILL):
        assert time.monotonic() < deadline, "the page does not come to rest"
        person.page.wait_for_timeout(20)


@dataclass(frozen=True)
class Place:
    """A page, and what is done there before it is looked at.

    :param page: below ``FRAME``; with a leading slash, a page of Airflow
    """

    name: str
    page: str
    steps: tuple[Step, ...] = ()

    def visit(self, person: Person) -> None:
        """Go there."""
        person.go(self.page[1:] if self.page.startswith("/") else f"{FRAME}/{self.page}")
        person.heading_or_message().wait_for(state="attached")
        for step in self.steps:
            step(person)


def click(selector: str) -> Step:
    """Click on the first that fits."""
    return lambda person: person.frame.locator("html.ready").locator(selector).first.click()


def see(selector: str) -> Step:
    """Wait until something is there to see."""
    return lambda person: person.frame.locator(selector).first.wait_for()


def hover(selector: str) -> Step:
    """Point at the first that fits."""
    return lambda person: person.frame.locator(selector).first.hover()


def scroll_to_end(person: Person) -> None:
    """Go to the end of the table, down and to the right."""
    person.frame.locator(".scroll").first.evaluate("e => e.scrollTo(e.scrollWidth, e.scrollHeight)")


def select(*targets: str) -> tuple[Step, ...]:
    """Tick the boxes of rows."""
    return tuple(click(f'input[name=target][value="{target}"]') for target in targets)


def press(label: str) -> Step:
    """Press a button of the toolbar."""
    return click(f'#selection button:text-is("{label}")')


#: the dialog is open and has an answer in it
opened = see("dialog[open] #dialog-title")
settled = see("dialog[open] #change-plan[aria-busy=false]:not(.htmx-request)")


def dialog(label: str, *targets: str) -> tuple[Step, ...]:
    """Open the dialog of an operation on rows of a list."""
    return (*select(*targets), press(label), opened, settled)


def chosen(effect: str) -> tuple[Step, ...]:
    """Choose what happens downstream; the plan is asked for anew."""
    return (click(f'dialog input[name=downstream][value="{effect}"]'), settled)


#: tick the box that tells the owners
told = (click("dialog input[name=notify_owners]"), settled)


def fill(selector: str, words: str) -> Step:
    """Write into a field and leave it."""

    def write(person: Person) -> None:
        person.frame.locator(selector).first.fill(words)
        person.frame.locator(selector).first.dispatch_event("change")

    return write


def choose(name: str, value: str) -> Step:
    """Choose from the menu of a dialog's field."""
    return lambda person: person.frame.locator(f"dialog select[name={name}]").select_option(value)


#: the dialog says what cannot be
problem = see("dialog .problem")

FLOWS = ("customer_master", "inventory_snapshot", "month_end_close", "sales_mart")
TASKS = ("inventory_snapshot step_00", "inventory_snapshot step_05", "inventory_snapshot step_06")
OF_FLOW = "tasks?dag_id=inventory_snapshot"
TASK = "task?dag_id=orders&task_id=clean"

#: the page of a replenishment that goes on
GOING = (click("text=Repair January"), see("table.cells"))

ORDINARY = (
    Place("workflows", "workflows", (hover("tbody tr:nth-child(2) th"),)),
    Place("workflows-end", "workflows", (scroll_to_end,)),
    Place("workflows-nothing", "workflows?q=no+such+workflow&folder=retail/reports/finance&period=day"),
    Place("workflows-problem", "workflows?status=on_fire&sort=colour"),
    Place("workflows-status-menu", "workflows?owner=ann&status=all_paused", (click("details.status summary"),)),
    Place("workflows-folder-menu", "workflows", (click("details.folder summary"),)),
    Place("workflows-owner-menu", "workflows", (click("details.owner summary"),)),
    Place("workflows-columns", "workflows", (click("[popovertarget=columns]"), see("#columns:popover-open"))),
    Place("workflows-download", "workflows", (click("[popovertarget=download]"), see("#download:popover-open"))),
    Place("workflows-row-menu", "workflows", (click("tbody td.more button"), see(".panel:popover-open"))),
    Place("workflows-expanded", "workflows", (click("tbody td.expand button"), see("tr.opened .charts"))),
    Place("workflows-selected", "workflows", select(*FLOWS)),
    Place("workflows-start", "workflows", dialog("Start", *FLOWS)),
    Place("workflows-pause", "workflows", dialog("Pause", *FLOWS)),
    Place("workflows-offline", "workflows", (*dialog("Take offline", *FLOWS), *chosen("skip"))),
    Place("workflows-delete", "workflows", (*dialog("Delete", *FLOWS), *chosen("run"))),
    Place("workflows-submit", "workflows", dialog("Resubmit", *FLOWS)),
    Place("workflows-owners", "workflows", dialog("Change owners", *FLOWS)),
    Place("tasks", "tasks"),
    Place("tasks-end", "tasks", (scroll_to_end,)),
    Place("tasks-of-workflow", OF_FLOW),
    Place("tasks-row-menu", OF_FLOW, (click("tbody td.more button"), see(".panel:popover-open"))),
    Place("tasks-start", OF_FLOW, dialog("Start", *TASKS)),
    Place("tasks-pause", OF_FLOW, dialog("Pause", *TASKS)),
    Place("tasks-offline", OF_FLOW, (*dialog("Take offline", *TASKS), *chosen("skip"))),
    Place("tasks-offline-blocked", "tasks?dag_id=orders", dialog("Take offline", "orders extract", "orders load")),
    Place("tasks-delete", OF_FLOW, (*dialog("Delete", *TASKS), *chosen("fail"), *told)),
    Place("tasks-submit", OF_FLOW, dialog("Resubmit", *TASKS)),
    Place("tasks-owners", OF_FLOW, dialog("Change owners", *TASKS)),
    Place(
        "tasks-told",
        f"tasks?dag_id={GAPS}",
        (
            *dialog("Change owners", f"{GAPS} publish"),
            fill("dialog input[name=q]", "lena@example.com, finance-team"),
            *told,
            click("#change-apply:enabled"),
            see("dialog .change.alone .reach"),
        ),
    ),
    Place("dag-tab", "/dags/customer_dim/plugin/taskops-tasks"),
    Place("workflow", "workflow?dag_id=inventory_snapshot"),
    Place("workflow-diagram", f"workflow?dag_id={SHOP}", (hover("#diagram"), see(".diagram-svg"))),
    Place("diagram", f"diagram?dag_id={SHOP}", (hover(".diagram-svg a"),)),
    Place("task-info", f"{TASK}&view=info"),
    Place("task-lineage", f"{TASK}&view=lineage"),
    Place("task-lineage-list", f"{TASK}&view=lineage&mode=list"),
    Place("task-history", f"{TASK}&view=history"),
    Place("task-curve", f"{TASK}&view=curve", (see("canvas"),)),
    Place("task-why", f"{TASK}&view=info", (click(".task-why summary"), see(".why-answer :not(.muted)"))),
    *(
        Place(
            f"instances-{name}",
            f"{TASK}&view=history",
            (click("input[data-select-page]"), press(label), opened),
        )
        for name, label in {
            "rerun": "Rerun",
            "terminate": "Terminate",
            "success": "Set success",
            "failed": "Set failed",
        }.items()
    ),
    Place("replenish-workflow", f"workflows?q={GAPS}", dialog("Replenish", GAPS)),
    Place("replenish-workflows", "workflows", dialog("Replenish", GAPS, "sales")),
    Place(
        "replenish-tasks",
        f"tasks?dag_id={GAPS}",
        (
            *dialog("Replenish", f"{GAPS} clean", f"{GAPS} load"),
            click("dialog button:text-is('Last 30 days')"),
            settled,
            click("dialog .more-options summary"),
        ),
    ),
    Place(
        "replenish-problem",
        f"tasks?dag_id={GAPS}",
        (
            *dialog("Replenish", f"{GAPS} clean"),
            fill("dialog input[name=from]", "2999-01-01T00:00"),
            see("dialog .problem"),
        ),
    ),
    Place(
        "replenish-nothing",
        f"tasks?dag_id={GAPS}",
        (
            *dialog("Replenish", f"{GAPS} clean"),
            click("dialog input[name=cells][value=failed]"),
            settled,
            see("dialog .plan .note"),
        ),
    ),
    Place(
        "replenish-result",
        f"tasks?dag_id={GAPS}",
        (*dialog("Replenish", f"{GAPS} publish"), click("#change-apply"), see("dialog .watch")),
    ),
    Place(
        "instances-replenish",
        f"task?dag_id={GAPS}&task_id=clean&view=history",
        (click("tbody tr:nth-child(3) input"), click("tbody tr:nth-child(5) input"), press("Replenish"), opened),
    ),
    Place("operations", "operations"),
    Place("operation", "operations", (click("tbody td.what a"), see("dl.record"))),
    Place(
        "operation-undo",
        "operations",
        (click("td.what a:has-text('Changed the owners')"), click(".title button"), opened),
    ),
    Place("replenishments", "replenishments"),
    Place("replenishments-row-menu", "replenishments", (click("tbody td.more button"), see(".panel:popover-open"))),
    Place("replenishments-nothing", "replenishments?name=nothing&state=failed"),
    Place("replenishment", "replenishments", (*GOING, hover("td.cell-failed"))),
    Place(
        "replenishment-failed", "replenishments", (*GOING, click("#cells-failed"), see("#cells-failed[aria-current]"))
    ),
    Place("replenishment-over", "replenishments", (click("text=Late rates"), see("table.cells"))),
    *(
        Place(f"replenishment-{verb}", "replenishments", (click(f"text={name}"), click(f"#do-{verb}"), opened))
        for verb, name in {
            "pause": "Repair January",
            "cancel": "Repair January",
            "resume": "orders",
            "retry": "Late rates",
        }.items()
    ),
    Place("alarms", "alarms", (hover("tbody tr:nth-child(2) th"),)),
    Place("alarms-nothing", "alarms?kind=succeeded&level=3"),
    Place("alarms-acknowledge", "alarms", (click("input[data-select-page]"), press("Acknowledge"), opened)),
    Place("alarm", "alarms?kind=failed&state=open", (click("th.what a"), see("table.messages"))),
    Place("alarm-rules", "alarm_rules"),
    Place("alarm-rules-menu", "alarm_rules", (click("tbody td.more button"), see(".panel:popover-open"))),
    Place("alarm-rules-delete", "alarm_rules", (click("input[data-select-page]"), press("Delete"), opened)),
    Place("alarm-rule-new", "tasks?q=clean", (*select("orders clean"), press("Set alarm"), opened)),
    Place(
        "alarm-rule-edit",
        "alarm_rules?q=must",
        (click("tbody td.more button"), click("[role=menuitem]:text-is('Change')"), opened),
    ),
    Place(
        "alarm-rule-deadline",
        "workflows?q=sales",
        (
            *select("sales"),
            press("Set alarm"),
            opened,
            choose("kind", "not_finished_by"),
            click("dialog .solid"),
            problem,
        ),
    ),
    Place("settings", "settings"),
    Place("settings-dialog", "settings", (click("button[role=switch]"), opened)),
)

EMPTY = tuple(
    Place(page, page)
    for page in ("workflows", "tasks", "replenishments", "alarms", "alarm_rules", "operations", "settings")
)

#: every row, of which there are thousands
ALL_ROWS = (click("input[data-select-page]"), click("[data-select-matching]"))
CROWDED = (
    Place("workflows", "workflows?page=3"),
    Place("workflows-folder-menu", "workflows", (click("details.folder summary"),)),
    Place("workflows-owner-menu", "workflows", (click("details.owner summary"),)),
    Place("workflows-expanded", "workflows", (click("tbody td.expand button"), see("tr.opened .charts"))),
    Place("workflows-selected", "workflows", ALL_ROWS),
    Place("workflows-pause", "workflows?q=domain_0", (*ALL_ROWS, press("Pause"), opened, settled)),
    Place("workflows-owners", "workflows?q=domain_00", (*ALL_ROWS, press("Change owners"), opened, settled)),
    Place(
        "replenish-backlog",
        f"workflows?q={BACKLOG}",
        (*dialog("Replenish", BACKLOG), click("dialog button:text-is('Last 30 days')"), settled),
    ),
    Place("tasks", "tasks"),
    Place("tasks-long-names", "tasks?q=reconciliation"),
    Place("workflow", f"workflow?dag_id={LARGE}", (hover("#diagram"), see(".diagram-svg"))),
    Place("diagram", f"diagram?dag_id={LARGE}", (see(".diagram-svg"),)),
    Place("replenishments", "replenishments"),
    Place("replenishment", "replenishments", (click("th.called a"), see("table.cells"))),
    Place("replenishment-later", "replenishment?id=100&cycles=30", (see("table.cells"),)),
    Place("replenishment-many-failed", "replenishment?id=100&show=failed", (see("table.cells"),)),
    Place("alarms", "alarms", ALL_ROWS),
    Place("alarm-rules", "alarm_rules"),
    Place("settings", "settings"),
)
