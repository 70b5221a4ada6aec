"""One operation: what was asked for, what came of each target, undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from taskops_provider.domain.operations.answers import BlockingTask, Notified, OperationRecord, RecordedOutcome
from taskops_provider.services.operations.record_targets import OUTCOMES, list_targets, touched
from taskops_provider.services.operations.records import EXPORT, get_record
from taskops_provider.services.operations.undo import is_offered
from taskops_provider.services.replenishments.progress import VERB as REPLENISH
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import operation_words, text
from taskops_provider.www.presenters.lists import filters, paging
from taskops_provider.www.presenters.operations import downloads, notices
from taskops_provider.www.presenters.operations import records as operation_records
from taskops_provider.www.presenters.text import Badge, Name, Piece, Time
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
class RecordBlocker:
    """A task that blocks a target; without an address where its Dag may not be read."""

    name: str
    url: str
    facts: str


@dataclass(frozen=True)
class RecordTarget:
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
    blockers: Sequence[RecordBlocker]
    more_blockers: int


@dataclass(frozen=True, slots=True)
class RecordPage:
    """What the template ``operations/record.html`` shows."""

    title: str
    number: str
    what: Sequence[Piece]
    problems: Sequence[str]
    badge: Badge
    at: Time | None
    actor: str
    source: str
    reason: str
    ticket: operation_words.Ticket | None
    facts: Sequence[Fact]
    undo: Sequence[operation_records.UndoLink]
    can_undo: bool
    download: downloads.Download | None
    has_targets: bool
    tabs: Sequence[Tab]
    rows: Sequence[RecordTarget]
    pager: paging.Pager
    has_blockers: bool
    page: str = PAGE
    section: str = operation_records.PAGE


def record_page(asked: PageRequest) -> RecordPage:
    """Return one operation with a page of its targets.

    :raises BadInput: for a number that is none
    :raises ResourceNotFound: when there is no such operation, or none that the actor may see
    """
    record = get_record(asked.session, asked.actor, asked.number("id"))
    number = record.operation_id
    problems = filters.Problems()
    outcome = "".join(problems.only("Outcome", asked.many("outcome")[:1], OUTCOMES))
    read = partial(list_targets, asked.session, asked.actor, record, outcome)
    # in the order in which they were recorded
    found, page = paging.fetch(
        lambda limit, offset, order_by: read(limit=limit, offset=offset), paging.page_of(asked, problems), "", problems
    )
    address = paging.Address(asked, PAGE, {"id": (str(number),), "outcome": (outcome,) if outcome else ()})
    about = touched(asked.session, asked.actor, [record]).get(number)
    what = operation_words.sentence(record, about)
    return RecordPage(
        title=f"Operation {number}: {operation_words.plain(what)}",
        number=f"{number}",
        what=what,
        problems=problems.lines,
        badge=operation_words.OUTCOMES[record.outcome],
        at=text.time(record.at),
        actor=record.actor,
        source=operation_words.SOURCES.get(record.source, record.source),
        reason=record.reason or "",
        ticket=operation_words.ticket(record.ticket),
        facts=_facts(record, asked.urls),
        undo=operation_records.undo_links(asked, record),
        can_undo=is_offered(asked.session, asked.actor, record),
        download=downloads.of_record(asked, record),
        has_targets=bool(record.counts.total) and record.verb != EXPORT and "projects" not in record.options,
        tabs=_tabs(record, outcome, address),
        rows=[_target(row, asked.urls) for row in found.rows],
        pager=paging.pager(found, page, address),
        has_blockers=any(row.blocked_by for row in found.rows),
    )


def _facts(record: OperationRecord, urls: Urls) -> list[Fact]:
    """What was chosen with it, in words."""
    options = record.options
    facts = []
    if number := options.get("replenishment_id"):
        facts.append(Fact("Replenishment", str(number), url=urls.page("replenishment", {"id": str(number)})))
    facts += _downstream(record)
    if resume_at := options.get("resume_at"):
        facts.append(Fact("Starts again", time=text.time(datetime.fromisoformat(resume_at))))
    if options.get("terminate_instances"):
        facts.append(Fact("Instances", f"terminated: {record.instances_ended:,}"))
    if kept := options.get("notified"):
        facts += _notified(Notified.recorded(kept))
    if options.get("cascade"):
        facts.append(Fact("Cascade", "in waves, the last ones downstream first"))
    if options.get("held") == "skip":
        facts.append(Fact("Held instances", "skipped"))
    if owners := options.get("owners"):
        facts.append(Fact("New owners", ", ".join(owners)))
    if record.verb == EXPORT:
        facts.append(Fact("Filter", operation_words.filter_words(record) or "none: all that could be read"))
    # those that take the whole width last: before others they would leave holes
    return sorted(facts, key=lambda fact: fact.is_long)


def _downstream(record: OperationRecord) -> Iterator[Fact]:
    """The effect of an operation on what comes after; of a replenishment, how far it goes from its tasks."""
    options = record.options
    if record.verb == REPLENISH:
        for label, name in (("Upstream", "upstream"), ("Downstream", "downstream")):
            if steps := options.get(name):
                yield Fact(label, text.count(steps, "step"))
    elif effect := options.get("downstream"):
        yield Fact("Downstream effect", _DOWNSTREAM.get(effect, effect))


def _notified(notified: Notified) -> Iterator[Fact]:
    others = [f"by {by}"] if (by := notices.channels(notified)) else []
    yield Fact("Owners told", ", ".join([*notified.told, *others]) or "none")
    if notified.unreachable:
        yield Fact("No address known", ", ".join(notified.unreachable))


def _tabs(record: OperationRecord, outcome: str, address: paging.Address) -> list[Tab]:
    counts = record.counts.by_outcome()
    shown = {"": record.counts.total} | {name: counts[name] for name in OUTCOMES if counts[name]}
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


def _target(row: RecordedOutcome, urls: Urls) -> RecordTarget:
    dag_id, task_id = row.dag_id, row.task_id
    has_owners = row.owners_before is not None
    return RecordTarget(
        workflow=text.name(dag_id),
        workflow_url=urls.page("workflow", {"dag_id": dag_id}),
        task=text.name(task_id) if task_id else None,
        task_url=urls.page("task", {"dag_id": dag_id, "task_id": task_id}) if task_id else "",
        badge=_OUTCOMES[row.outcome],
        before=None if has_owners else _status(row.before),
        after=None if has_owners or row.after == row.before else _status(row.after),
        owners_before=", ".join(row.owners_before or ()),
        owners_after=", ".join(row.owners_after or ()),
        reason=row.reason or "",
        blockers=[_blocker(by, urls) for by in row.blocked_by[:BLOCKERS_SHOWN]],
        more_blockers=max(len(row.blocked_by) - BLOCKERS_SHOWN, 0),
    )


def _status(value: str | None) -> Badge | None:
    """A shown status of a task or of a workflow, or Airflow's state of an instance."""
    if value is None:
        return None
    return text.TASK_BADGES.get(value) or text.WORKFLOW_BADGES.get(value) or Badge(value.replace("_", " "), "grey")


def _blocker(by: BlockingTask, urls: Urls) -> RecordBlocker:
    if by.dag_id is None or by.task_id is None:
        return RecordBlocker(by.name, "", "")
    period = text.PERIODS.get(by.period or "", by.period)
    facts = " · ".join(filter(None, (by.task_type, period, ", ".join(by.owners or ()), f"workflow {by.dag_id}")))
    return RecordBlocker(by.name, urls.page("task", {"dag_id": by.dag_id, "task_id": by.task_id}), facts)
