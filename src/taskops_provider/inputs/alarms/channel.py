"""How people are told: the channels that an administrator released, and the one of them that a rule names.

A channel holds what leads out of Airflow: a notifier, a connection, an endpoint, headers, templates. All of it comes
from the configuration, and none of it from people. They choose a channel by its name, and set at most the arguments
that the channel lets them set, in the bounds that it has for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt, field_validator, model_validator

from taskops_provider.domain.alarms.deliveries import EMAIL, WEBHOOK
from taskops_provider.domain.alarms.secrets import find_secret
from taskops_provider.domain.answers import Json
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.fields import RulePart
from taskops_provider.inputs.fields import Text
from taskops_provider.inputs.free_text import FreeJson
from taskops_provider.inputs.problems import predicate, sentence
from taskops_provider.inputs.wording import not_allowed

MAX_CHANNELS = 10
#: fixed arguments of the notifiers that TaskOps brings; a class has its own
_FIXED: Final[Mapping[str, tuple[str, ...]]] = {EMAIL: ("from_email",), WEBHOOK: ("endpoint", "method", "headers")}
_METHODS: Final = ("POST", "PUT", "PATCH")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_CLASS_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_CONNECTION: Final = re.compile(r"[\w.:-]{1,250}")
#: what begins a piece of a Jinja template
_TEMPLATE: Final = re.compile(r"\{[{%#]")
MAX_SETTING_LENGTH: Final = 500


def _name(given: str) -> str:
    if not _NAME.fullmatch(given):
        raise predicate(
            f"{given[:80]!r} is no name of a channel; an administrator releases channels in [taskops] alarm_channels"
        )
    return given


def _no_connection(given: Any) -> None:
    if given:
        raise predicate(
            "cannot be chosen: name a channel that an administrator released in [taskops] alarm_channels for it"
        )


class Channel(RulePart):
    """How people are told: a channel that an administrator released."""

    channel: Annotated[Text, AfterValidator(_name)] = Field(
        description="Name of a channel: `email`, or one of `[taskops] alarm_channels`.", examples=["email"]
    )
    connection: Annotated[Text | None, BeforeValidator(_no_connection)] = Field(
        default=None,
        description="Null: the channel has its connection. That of a rule of before stays, set aside.",
    )
    args: FreeJson = Field(default={}, description="What the channel lets people set. No secrets.")

    @property
    def key(self) -> str:
        """What has its own queue: messages of one key are sent one after the other."""
        return self.channel[:250]

    @model_validator(mode="after")
    def _has_no_secret(self) -> Self:
        if secret := find_secret(self.args):
            raise sentence(secret)
        return self

    @classmethod
    def stored(cls, kept: Mapping[str, Any]) -> Self:
        """Return a channel of a row. It may be one that nobody may choose any more: it is shown, and never used."""
        return cls.model_construct(
            channel=str(kept["channel"]), connection=kept.get("connection"), args=dict(kept.get("args") or {})
        )


class Setting(RulePart):
    """An argument that people may set, and how: one of some choices, a whole number in bounds, or a text."""

    choices: list[str | StrictInt] | None = Field(None, min_length=1, max_length=100)
    minimum: StrictInt | None = None
    maximum: StrictInt | None = None
    max_length: Annotated[StrictInt, Field(ge=1, le=MAX_SETTING_LENGTH)] = 200

    @property
    def is_number(self) -> bool:
        """Whether it is a whole number."""
        return self.minimum is not None or self.maximum is not None

    def problem(self, value: Any) -> str | None:
        """Return why a value is not allowed, as words behind the name of the argument; None: it is."""
        if self.choices is not None:
            is_one = not isinstance(value, bool) and value in self.choices
            return None if is_one else f"is {str(value)[:40]!r}; allowed are {', '.join(map(str, self.choices))}"
        if self.is_number:
            return self._number_problem(value)
        return self._text_problem(value)

    def _number_problem(self, value: Any) -> str | None:
        low, high = self.minimum, self.maximum
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and (low is None or value >= low) and (high is None or value <= high):
            return None
        told = " and ".join(f"{word} {bound:,}" for word, bound in (("at least", low), ("at most", high)) if bound)
        return f"is {str(value)[:40]!r}; allowed is a whole number{f' of {told}' if told else ''}"

    def _text_problem(self, value: Any) -> str | None:
        if not isinstance(value, str) or not value.isprintable():
            return "is no text of one line"
        if len(value) > self.max_length:
            return f"has {len(value):,} characters; at most {self.max_length} are kept"
        return "holds a template, which only an administrator may write" if _TEMPLATE.search(value) else None


class ReleasedChannel(RulePart):
    """A channel of ``[taskops] alarm_channels``, as an administrator writes it."""

    notifier: Text = Field(description="`email`, `webhook` or the class path of an Airflow notifier.")
    connection: Text | None = None
    args: Json = {}
    may_set: dict[str, Setting] = {}

    @property
    def tells_people(self) -> bool:
        """Whether its messages go to persons; the others get one message each."""
        return self.notifier == EMAIL

    @field_validator("notifier")
    @classmethod
    def _is_a_notifier(cls, given: str) -> str:
        if given not in _FIXED and not _CLASS_PATH.fullmatch(given):
            raise predicate(not_allowed(given, "are email, webhook, or the class path of a notifier"))
        return given

    @field_validator("connection")
    @classmethod
    def _is_an_id(cls, given: str | None) -> str | None:
        if given is not None and not _CONNECTION.fullmatch(given):
            raise predicate(f"{given[:60]!r} is no id of an Airflow connection")
        return given

    @model_validator(mode="after")
    def _has_its_arguments(self) -> Self:
        fixed = _FIXED.get(self.notifier)
        if fixed is not None and (unknown := sorted(set(self.args) - set(fixed))):
            raise sentence(f"args of {self.notifier} has no {unknown[0][:40]!r}; allowed are {', '.join(fixed)}")
        if fixed is not None and self.may_set:
            raise sentence(f"may_set goes with the class path of a notifier, not with {self.notifier}")
        if leads_out := [name for name in self.may_set if name == "conn_id" or name.endswith("_conn_id")]:
            raise sentence(f"may_set has {leads_out[0]!r}: people may not choose a connection")
        if self.notifier == WEBHOOK and (method := self.args.get("method", "POST")) not in _METHODS:
            raise sentence(f"method is {str(method)[:20]!r}; allowed are {', '.join(_METHODS)}")
        return self

    def check_settings(self, name: str, given: Mapping[str, Any]) -> None:
        """Refuse arguments that people may not set, or not so.

        :param name: of the channel
        :raises BadInput: one line
        """
        for argument, value in given.items():
            setting = self.may_set.get(argument)
            if setting is None:
                allowed = ", ".join(self.may_set) or "none"
                raise BadInput(f"args of channel {name!r} has no {argument[:40]!r}; allowed are {allowed}")
            if problem := setting.problem(value):
                raise BadInput(f"args of channel {name!r}: {argument} {problem}")
