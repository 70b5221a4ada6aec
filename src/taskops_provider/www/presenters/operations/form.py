"""What the fields of a dialog ask for, read into what the services take; one line about each that cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from taskops_provider import config
from taskops_provider.domain.iso_times import read_iso_time
from taskops_provider.domain.operations.limits import MAX_TARGETS
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Verb
from taskops_provider.domain.zones import parse_zone
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.operation import SWITCHES, Options, ReasonAndTicket, Request
from taskops_provider.inputs.reading import read
from taskops_provider.services.catalog.tasks import matching_targets
from taskops_provider.services.catalog.workflows import matching_workflows
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.lists import filters, tasks, workflows

STEPS = ("preview", "apply")
#: what a box that is ticked sends
_TICKED = ("on", "true", "1")


@dataclass(frozen=True)
class ChangeForm:
    """The fields of one dialog.

    :param is_draft: something that the operation needs is not chosen yet: it can be previewed, not applied
    :param is_part: the dialog is open, and only its plan is asked for anew
    :param selection: the hidden fields that hold the targets, as they were sent
    """

    request: Request
    is_apply: bool
    is_draft: bool
    is_part: bool
    plan_hash: str
    selection: tuple[tuple[str, str], ...]


def read_change(asked: PageRequest, scope: Scope, verb: Verb) -> ChangeForm:
    """Read the fields of a change.

    :raises BadInput: for the first of them that cannot be
    """
    step = step_of(asked)
    options = _options(asked, verb)
    targets = targets_of(asked, scope)
    is_draft = (verb is Verb.DELETE and options.downstream is None) or (verb is Verb.SET_OWNERS and not options.owners)
    return ChangeForm(
        request=Request(verb, scope, targets, options),
        is_apply=step == "apply",
        is_draft=is_draft and step != "apply",
        is_part=asked.one("part") == "plan",
        plan_hash=asked.one("plan_hash"),
        selection=selection_of(asked),
    )


def step_of(asked: PageRequest) -> str:
    """Return what is asked of a dialog, one of :data:`STEPS`.

    :raises BadInput: for anything else
    """
    step = asked.one("step") or STEPS[0]
    if step not in STEPS:
        raise BadInput(f"step is {step[:60]!r}; allowed are {', '.join(STEPS)}")
    return step


def selection_of(asked: PageRequest) -> tuple[tuple[str, str], ...]:
    """Return the hidden fields that hold the targets, as they were sent."""
    matching = asked.one("matching")
    return (("matching", matching),) if matching else tuple(("target", value) for value in asked.many("target"))


def targets_of(asked: PageRequest, scope: Scope) -> tuple[Target, ...]:
    """Return the targets: named one by one, or all rows of a list.

    :raises BadInput: when there are none or too many, or the filter of the list cannot be
    """
    named, matching = asked.many("target"), asked.one("matching")
    if named and matching:
        raise BadInput("target and matching do not go together; take one of them")
    if matching:
        return _matching(asked, scope, matching)
    if not named:
        raise BadInput(f"nothing is selected; select at least one {scope.value}")
    if len(named) > MAX_TARGETS:
        raise BadInput(f"{len(named):,} targets are named; at most {MAX_TARGETS:,} can be, or all rows under a filter")
    return tuple(_target(value, scope) for value in named)


def _target(value: str, scope: Scope) -> Target:
    dag_id, blank, task_id = value.partition(" ")
    if bool(blank) is not (scope is Scope.TASK) or not dag_id or " " in task_id:
        wanted = "DAG_ID TASK_ID" if scope is Scope.TASK else "DAG_ID"
        raise BadInput(f"target {value[:80]!r} is not {wanted!r}")
    return Target(dag_id, task_id)


def _matching(asked: PageRequest, scope: Scope, query: str) -> tuple[Target, ...]:
    """All rows of a list, found as the list finds them; ``?`` is the list without a filter."""
    found: tuple[Target, ...]
    if scope is Scope.TASK:
        where = filters.read_matching(asked, query, tasks.filter_of)
        pairs = matching_targets(asked.session, asked.actor, where, asked.now, deleted=False)
        found = tuple(Target(*pair) for pair in pairs)
    else:
        flows = filters.read_matching(asked, query, workflows.filter_of)
        dag_ids = matching_workflows(asked.session, asked.actor, flows, asked.now, deleted=False)
        found = tuple(Target(dag_id) for dag_id in dag_ids)
    if not found:
        raise BadInput(f"no {scope.value} matches the filter any more")
    return found


def _options(asked: PageRequest, verb: Verb) -> Options:
    # the fields are called as the model's are, but for owner, which there are several of
    given: dict[str, object] = {name: value for name in Options.model_fields if (value := asked.one(name))}
    given |= {name: ticked(asked, name) for name in SWITCHES}
    given |= {"reason": reason_of(asked), "resume_at": _resume_at(asked), "owners": asked.many("owner")}
    if "downstream" not in given and verb in (Verb.PAUSE, Verb.OFFLINE):
        # shown as chosen; delete has no default
        given["downstream"] = config.default_downstream()
    return read(Options, given)


def explanation_of(asked: PageRequest) -> ReasonAndTicket:
    """Return why something is done, as a dialog asks for it.

    :raises BadInput: when it cannot be kept
    """
    return read(ReasonAndTicket, {"reason": reason_of(asked), "ticket": asked.one("ticket")})


def reason_of(asked: PageRequest) -> str | None:
    """Return the reason, None without one."""
    return asked.one("reason").replace("\r\n", "\n") or None


def ticked(asked: PageRequest, name: str) -> bool:
    """Return whether a box is ticked.

    :raises BadInput: when something else was sent
    """
    value = asked.one(name)
    if value and value not in _TICKED:
        raise BadInput(f"{name} is {value[:60]!r}; allowed is {_TICKED[0]}, or leave it out")
    return bool(value)


def _resume_at(asked: PageRequest) -> datetime | None:
    """A wall clock time, in the time zone that the person chose in Airflow."""
    given = asked.one("resume_at")
    if not given:
        return None
    zone = _zone(asked.one("zone"))
    try:
        local = read_iso_time(given)
        moment = (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"the time to start again, {given[:60]!r}, is no date and time") from None
    if moment <= asked.now:
        raise BadInput(f"the time to start again, {given.replace('T', ' ')} ({zone}), is not in the future")
    return moment


def _zone(name: str) -> tzinfo:
    try:
        return parse_zone(name or "UTC")
    except ValueError:
        raise BadInput(f"time zone {name[:60]!r} does not exist") from None
