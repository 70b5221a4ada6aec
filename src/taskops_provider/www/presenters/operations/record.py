"""One operation: what was asked for, what came of each target, undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from taskops_provider.services.records import EXPORT, get_record
from taskops_provider.services.records_targets import OUTCOMES, list_targets, touched
from taskops_provider.services.undo import is_offered
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import changes_notices, downloads, filters, listing, operations, text, told
from taskops_provider.www.presenters.text import Badge, Name, Time
from taskops_provider.www.urls import Urls

PAGE = "operation"
#: letters of a detail, and of a word in it, that a column has room for
LONG, LONG_WORD = 60, 26
#: tasks that are named behind one blocked target; the others are counted
BLOCKERS_SHOWN = 5
_OUTCOMES: Mapping[str, Badge] = {
    "applied": Badge("Applied", "green"),
    "left_alone": Badge("Left alone", "grey"),
    "blocked": Badge("Blocked", "red"),
}
_DOWNSTREAM: Mapping[str, str] = {
    "skip": "skip: gated instances are skipped",
    "run": "run: gated instances count as success, what follows runs",
    "fail": "fail: gated instances fail",
    "hold": "hold: gated instances wait",
}


@dataclass(frozen=True)
class Fact:
    """A detail: a text, maybe with an address, or a time."""

    label: str
    text: str = ""
    time: Time | None = None
    url: str = ""

    @property
    def is_long(self) -> bool:
        """Whether it wants the whole width: a column would break addresses in two."""
        return len(self.text) > LONG or any(len(word) > LONG_WORD for word in self.text.split())


@dataclass(frozen=True)
class Tab:
    """The targets with one outcome, or all."""

    label: str
    number: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Blocker:
    """A task that blocks a target; without an address where its Dag may not be read."""

    name: str
    url: str
    facts: str


@dataclass(frozen=True)
class Target:
    """What came of one target."""

    workflow: Name
    workflow_url: str
    task: Name | None
    task_url: str
    badge: Badge
    before: Badge | None
    after: Badge | None
    owners_before: str
    owners_after: str
    reason: str
    blockers: Sequence[Blocker]
    more_blockers: int


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``operation.html`` shows.

    :raises BadInput: for a number that is none
    :raises NotFound: when there is no such operation, or none that the actor may see
    """
    record = get_record(asked.session, asked.actor, asked.number("id"))
    number = record["operation_id"]
    problems = filters.Problems()
    outcome = "".join(problems.only("Outcome", asked.many("outcome")[:1], OUTCOMES))
    read = partial(list_targets, asked.session, asked.actor, record, outcome)
    # in the order in which they were recorded
    found, page = listing.fetch(
        lambda limit, offset, order_by: read(limit=limit, offset=offset), listing.page_of(asked, problems), "", problems
    )
    address = listing.Address(asked, PAGE, {"id": (str(number),), "outcome": (outcome,) if outcome else ()})
    about = touched(asked.session, asked.actor, [record]).get(number)
    what = told.sentence(record, about)
    return {
        "page": PAGE,
        "section": operations.PAGE,
        "title": f"Operation {number}: {told.plain(what)}",
        "number": f"{number}",
        "what": what,
        "problems": problems.lines,
        "badge": told.OUTCOMES[record["outcome"]],
        "at": text.time(record["at"]),
        "actor": record["actor"],
        "source": told.SOURCES.get(record["source"], record["source"]),
        "reason": record["reason"] or "",
        "ticket": told.ticket(record["ticket"]),
        "facts": _facts(record, asked.urls),
        "undo": operations.undo_links(asked, record),
        "can_undo": is_offered(asked.session, asked.actor, record),
        "download": downloads.of_record(asked, record),
        "has_targets": bool(sum(record["counts"].values()))
        and record["verb"] != EXPORT
        and "projects" not in record["options"],
        "tabs": _tabs(record, outcome, address),
        "rows": [_target(row, asked.urls) for row in found.rows],
        "pager": listing.pager(found, page, address),
        "has_blockers": any(row["blocked_by"] for row in found.rows),
    }


def _facts(record: Mapping[str, Any], urls: Urls) -> list[Fact]:
    """What was chosen with it, in words."""
    options = record["options"]
    facts = []
    if number := options.get("replenishment_id"):
        facts.append(Fact("Replenishment", str(number), url=urls.page("replenishment", {"id": str(number)})))
    if effect := options.get("downstream"):
        facts.append(Fact("Downstream effect", _DOWNSTREAM.get(effect, effect)))
    if resume_at := options.get("resume_at"):
        facts.append(Fact("Starts again", time=text.time(datetime.fromisoformat(resume_at))))
    if options.get("terminate_instances"):
        facts.append(Fact("Instances", f"terminated: {record['instances_ended']:,}"))
    if notified := options.get("notified"):
        others = [f"by {by}"] if (by := changes_notices.channels(notified)) else []
        facts.append(Fact("Owners told", ", ".join([*notified["told"], *others]) or "none"))
        if notified["unreachable"]:
            facts.append(Fact("No address known", ", ".join(notified["unreachable"])))
    if options.get("cascade"):
        facts.append(Fact("Cascade", "in waves, the last ones downstream first"))
    if options.get("held") == "skip":
        facts.append(Fact("Held instances", "skipped"))
    if owners := options.get("owners"):
        facts.append(Fact("New owners", ", ".join(owners)))
    if record["verb"] == EXPORT:
        facts.append(Fact("Filter", told.filter_words(record) or "none: all that could be read"))
    # those that take the whole width last: before others they would leave holes
    return sorted(facts, key=lambda fact: fact.is_long)


def _tabs(record: Mapping[str, Any], outcome: str, address: listing.Address) -> list[Tab]:
    counts = record["counts"]
    shown = {"": sum(counts.values())} | {name: counts[name] for name in OUTCOMES if counts[name]}
    if len(shown) < 3:
        return []  # nothing to tell apart
    return [
        Tab(
            _OUTCOMES[name].text if name else "All",
            f"{number:,}",
            address.url(outcome=name, page=""),
            name == outcome,
        )
        for name, number in shown.items()
    ]


def _target(row: Mapping[str, Any], urls: Urls) -> Target:
    dag_id, task_id = row["dag_id"], row["task_id"]
    before, after = row["before"], row["after"]
    has_owners = "owners_before" in row
    blocked_by = row["blocked_by"]
    return Target(
        workflow=text.name(dag_id),
        workflow_url=urls.page("workflow", {"dag_id": dag_id}),
        task=text.name(task_id) if task_id else None,
        task_url=urls.page("task", {"dag_id": dag_id, "task_id": task_id}) if task_id else "",
        badge=_OUTCOMES[row["outcome"]],
        before=None if has_owners else _status(before),
        after=None if has_owners or after == before else _status(after),
        owners_before=", ".join(row.get("owners_before", ())),
        owners_after=", ".join(row.get("owners_after", ())),
        reason=row["reason"] or "",
        blockers=[_blocker(by, urls) for by in blocked_by[:BLOCKERS_SHOWN]],
        more_blockers=max(len(blocked_by) - BLOCKERS_SHOWN, 0),
    )


def _status(value: str | None) -> Badge | None:
    """A shown status of a task or of a workflow, or Airflow's state of an instance."""
    if value is None:
        return None
    return text.TASK_BADGES.get(value) or text.WORKFLOW_BADGES.get(value) or Badge(value.replace("_", " "), "grey")


def _blocker(by: Mapping[str, Any], urls: Urls) -> Blocker:
    if by["dag_id"] is None:
        return Blocker(by["name"], "", "")
    period = text.PERIODS.get(by["period"], by["period"])
    facts = " · ".join(filter(None, (by["task_type"], period, ", ".join(by["owners"]), f"workflow {by['dag_id']}")))
    return Blocker(by["name"], urls.page("task", {"dag_id": by["dag_id"], "task_id": by["task_id"]}), facts)
