"""An operation on tasks or workflows as it is asked for: one model for the REST API, the forms and the command line.

An option is declared here, once: its type and default, what it is, the verbs it goes with. That it is checked, recorded
and part of the plan's hash follows. The template of the dialog and a flag of the command line offer it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictBool

from taskops_provider.domain.answers import Json
from taskops_provider.domain.operations.limits import MAX_OWNER_LENGTH, MAX_OWNERS, MAX_REASON_LENGTH, MAX_TICKET_LENGTH
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import DOWNSTREAM_ALLOWED, Downstream, Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.fields import TIME_EXAMPLE, Input, LongText, Moment


@dataclass(frozen=True, slots=True)
class GoesWith:
    """Which verbs take an option.

    :param verbs: the others refuse it
    :param words: how a refusal puts it: ``goes with pause``
    """

    verbs: frozenset[Verb]
    words: str


def _goes_with(*verbs: Verb, words: str) -> GoesWith:
    return GoesWith(frozenset(verbs), words)


def _none_for_empty(text: str | None) -> str | None:
    return text or None


OptionalText = Annotated[LongText | None, AfterValidator(_none_for_empty)]


class ReasonAndTicket(Input):
    """Why something is done. Records have columns of their own for it."""

    model_config = ConfigDict(frozen=True)

    reason: OptionalText = Field(
        default=None, description="Why; kept with the operation and shown wherever the task is."
    )
    ticket: OptionalText = Field(default=None, description="The ticket that asks for it.", examples=["OPS-4711"])

    def check_lengths(self) -> None:
        """Refuse texts that are too long to be kept.

        :raises BadInput: naming the first of them
        """
        for name, text, most in (
            ("reason", self.reason, MAX_REASON_LENGTH),
            ("ticket", self.ticket, MAX_TICKET_LENGTH),
        ):
            if text and len(text) > most:
                raise BadInput(f"the {name} has {len(text)} characters; at most {most} are kept")


class Options(ReasonAndTicket):
    """What is chosen with an operation. Which verbs take which is checked by :func:`check_options`."""

    downstream: Annotated[
        Downstream | None, _goes_with(*DOWNSTREAM_ALLOWED, words="goes with pause, offline and delete")
    ] = Field(
        default=None,
        description="pause, offline, delete: what becomes of the stopped tasks' instances once everything upstream of "
        "them is done: `skip`, `run` (counts as success), `fail`, `hold` (waits; pause only). `delete` must "
        "choose `run` or `fail`.",
    )
    terminate_instances: Annotated[
        StrictBool, _goes_with(Verb.PAUSE, Verb.OFFLINE, words="goes with pause and offline")
    ] = Field(default=False, description="pause, offline: end unfinished instances at once.")
    resume_at: Annotated[Moment | None, _goes_with(Verb.PAUSE, words="goes with pause")] = Field(
        default=None,
        description="pause: start again by itself then; without a zone in Airflow's default zone.",
        examples=[TIME_EXAMPLE],
    )
    held: Annotated[Literal["run", "skip"], _goes_with(Verb.START, words="goes with start")] = Field(
        default="run", description="start: what becomes of instances that `hold` made wait."
    )
    cascade: Annotated[StrictBool, _goes_with(Verb.OFFLINE, words="goes with offline")] = Field(
        default=False, description="offline in strict mode: the selected tasks in waves, the leaves first."
    )
    fill_gap: Annotated[
        StrictBool,
        _goes_with(Verb.START, Verb.PAUSE, words="goes with start, and with pause that has resume_at"),
    ] = Field(
        default=False,
        description="start: replenish the cycles that the tasks missed since they were paused. pause: do so when "
        "`resume_at` starts them again.",
    )
    owners: Annotated[
        tuple[LongText, ...], Field(max_length=1000), _goes_with(Verb.SET_OWNERS, words="go with set-owners")
    ] = Field(default_factory=tuple, description="set-owners: the new owners.")
    notify_owners: StrictBool = Field(
        default=False, description="Tell the owners of what it applies to (`[taskops] notice_channels`)."
    )

    override_freeze: StrictBool = Field(
        default=False,
        description="Do it although a window freezes it. Needs a reason, and the permission to edit every Dag.",
    )

    def recorded(self) -> Json:
        """What the record keeps, and the plan's hash covers: the options that were chosen."""
        return {name: _kept(getattr(self, name)) for name in OPTION_NAMES if self.is_chosen(name)}

    def is_chosen(self, name: str) -> bool:
        """Whether an option is not as it is without choosing."""
        return bool(getattr(self, name) != Options.model_fields[name].get_default(call_default_factory=True))


#: the options, without the explanation
OPTION_NAMES = tuple(name for name in Options.model_fields if name not in ReasonAndTicket.model_fields)
#: those that are on or off
SWITCHES = tuple(name for name in OPTION_NAMES if Options.model_fields[name].annotation is bool)


def _kept(value: Any) -> Any:
    """A value as JSON keeps it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Request:
    """One operation as it was asked for."""

    verb: Verb
    scope: Scope
    targets: tuple[Target, ...]
    options: Options = field(default_factory=Options)

    def asked(self) -> list[Any]:
        """What is asked for, without the targets, as JSON: what a plan rests on."""
        return [self.verb.value, self.scope.value, self.options.recorded()]


def check_options(verb: Verb, options: Options, *, now: datetime, is_draft: bool = False) -> None:
    """Refuse options that the verb does not take, or that do not go together.

    :param is_draft: what the verb needs (the effect of delete, the new owners) may still be missing
    :raises BadInput: one line that says what is wrong and what is allowed
    """
    for name in OPTION_NAMES:
        for rule in Options.model_fields[name].metadata:
            if isinstance(rule, GoesWith) and verb not in rule.verbs and options.is_chosen(name):
                raise BadInput(f"{name} {rule.words}, not with {verb.value}")
    _check_downstream(verb, options.downstream, is_draft=is_draft)
    if options.resume_at is not None and options.resume_at <= now:
        raise BadInput(f"resume_at {options.resume_at.isoformat()} is not in the future")
    if options.fill_gap and verb is Verb.PAUSE and options.resume_at is None:
        raise BadInput("fill_gap goes with a pause that has resume_at; without it, give it to the start")
    if options.fill_gap and options.held == "skip":
        raise BadInput("held skip and fill_gap do not go together: what is skipped would be executed after all")
    options.check_lengths()
    if verb is Verb.SET_OWNERS:
        _check_owners(options.owners, is_draft=is_draft)


def _check_downstream(verb: Verb, downstream: Downstream | None, *, is_draft: bool) -> None:
    if downstream is None:
        if verb is Verb.DELETE and not is_draft:
            raise BadInput("delete needs a downstream effect: run (downstream tasks run normally) or fail (they fail)")
        return
    allowed = DOWNSTREAM_ALLOWED[verb]
    if downstream not in allowed:
        raise BadInput(
            f"downstream {downstream.value!r} does not go with {verb.value}; allowed are {', '.join(allowed)}"
        )


def _check_owners(owners: tuple[str, ...], *, is_draft: bool) -> None:
    if not owners and not is_draft:
        raise BadInput("set-owners needs at least one owner")
    if len(owners) > MAX_OWNERS:
        raise BadInput(f"{len(owners)} owners were given; at most {MAX_OWNERS} are kept")
    for owner in owners:
        if not owner.strip():
            raise BadInput("an owner is empty")
        if len(owner) > MAX_OWNER_LENGTH:
            raise BadInput(f"owner {owner[:20]!r}... is longer than {MAX_OWNER_LENGTH} characters")
