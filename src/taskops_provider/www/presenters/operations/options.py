"""What can be chosen with an operation, in a sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskops_provider.domain.operations.limits import MAX_OWNER_LENGTH, MAX_REASON_LENGTH, MAX_TICKET_LENGTH
from taskops_provider.domain.operations.plan import Plan
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import DOWNSTREAM_ALLOWED, Downstream, Verb
from taskops_provider.inputs.operation import Options, Request

_EFFECTS: Mapping[Downstream, tuple[str, str]] = {
    Downstream.SKIP: ("Skip", "They are skipped, and normally so is what runs after them."),
    Downstream.RUN: ("Run", "They count as success without executing; downstream tasks run, in order."),
    Downstream.FAIL: ("Fail", "They fail without executing; downstream tasks normally do not run."),
    Downstream.HOLD: ("Hold", "They wait, and what is downstream too, until the tasks are started."),
}
#: the source's two deletion methods
_DELETION_METHODS: Mapping[Downstream, tuple[str, str]] = {
    Downstream.RUN: (
        "Downstream tasks run normally",
        "The deleted tasks count as success in runs made from now on, without executing.",
    ),
    Downstream.FAIL: (
        "Downstream tasks fail",
        "The deleted tasks count as failed in runs made from now on; what depends on them does not run.",
    ),
}
_HELD: Mapping[str, tuple[str, str]] = {
    "run": ("Run them", "They execute now, in their order."),
    "skip": ("Skip them", "They are skipped once their turn comes, and normally what runs after them."),
}


@dataclass(frozen=True)
class OptionCard:
    """A radio card."""

    value: str
    label: str
    text: str
    is_chosen: bool


@dataclass(frozen=True)
class DialogFields:
    """Which fields the dialog has, and how they are set at first."""

    effects: Sequence[OptionCard]
    effects_legend: str
    held: Sequence[OptionCard]
    has_terminate: bool
    has_resume: bool
    has_cascade: bool
    has_fill_gap: bool
    has_owners: bool
    owners: Sequence[str]
    max_owner: int = MAX_OWNER_LENGTH
    max_reason: int = MAX_REASON_LENGTH
    max_ticket: int = MAX_TICKET_LENGTH


def choices(request: Request, plan: Plan, owners: Sequence[str]) -> DialogFields:
    """Return what can be chosen.

    :param owners: those that the targets have now
    """
    verb, options = request.verb, request.options
    return DialogFields(
        effects=_effects(verb, options),
        effects_legend="Deletion method" if verb is Verb.DELETE else "Their instances in runs made from now on",
        held=_cards(_HELD, options.held) if plan.held_instances else (),
        has_terminate=verb in (Verb.PAUSE, Verb.OFFLINE),
        has_resume=verb is Verb.PAUSE,
        has_cascade=verb is Verb.OFFLINE and bool(plan.strict_projects),
        has_fill_gap=verb is Verb.START,
        has_owners=verb is Verb.SET_OWNERS,
        owners=options.owners or owners,
    )


def _effects(verb: Verb, options: Options) -> list[OptionCard]:
    words = _DELETION_METHODS if verb is Verb.DELETE else _EFFECTS
    allowed = {effect: words[effect] for effect in DOWNSTREAM_ALLOWED.get(verb, ())}
    return _cards(allowed, options.downstream)


def _cards(
    words: Mapping[str, tuple[str, str]] | Mapping[Downstream, tuple[str, str]], chosen: str | None
) -> list[OptionCard]:
    return [OptionCard(str(value), label, text, value == chosen) for value, (label, text) in words.items()]


def hints(request: Request) -> str:
    """What a person should know of a verb before they go on."""
    if request.verb is Verb.OFFLINE:
        return "Offline tasks stay offline when their Dag is parsed again. Resubmit them to bring them back."
    if request.verb is Verb.DELETE:
        kept = (
            "The Dag file and the history stay. To bring them back, find them in the list with the status Deleted, "
            "and resubmit them."
        )
        return kept if request.scope is Scope.WORKFLOW else f"Only offline tasks are deleted. {kept}"
    if request.verb is Verb.SUBMIT:
        return "They are scheduled again from the next run on; runs missed in the meantime are not backfilled."
    if request.verb is Verb.START:
        return "They run in new runs only. Missed cycles are not run unless you fill the gap."
    if request.verb is Verb.PAUSE and request.scope is Scope.WORKFLOW:
        return "Runs on their way go on to their end; then the Dag itself is paused in Airflow."
    return ""
