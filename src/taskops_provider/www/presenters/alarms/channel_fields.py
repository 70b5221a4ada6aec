"""The fields of a rule's channels: one to tick for each that an administrator released, and what it lets people set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from taskops_provider.domain.answers import Json
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.channel import Channel, ReleasedChannel, Setting
from taskops_provider.services.alarms.channels import released_channels, usable_channels
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters.alarms import words

#: the field of the names of the channels that are ticked
CHANNEL: Final = "channel"


@dataclass(frozen=True, slots=True)
class SettingField:
    """A field of an argument that a channel lets people set."""

    name: str
    label: str
    value: str
    choices: Sequence[str]
    setting: Setting


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """A channel that may be ticked."""

    name: str
    label: str
    is_chosen: bool
    fields: Sequence[SettingField]


@dataclass(frozen=True, slots=True)
class ChannelFields:
    """What may be chosen, and the names of channels that the rule has and nobody released."""

    choices: Sequence[ChannelChoice]
    set_aside: Sequence[str]


def channel_fields(channels: Sequence[Channel]) -> ChannelFields:
    """Return the fields of a rule with these channels."""
    released = usable_channels()
    chosen = {one.channel: one for one in released.usable(channels)}
    choices = [_choice(name, one, chosen.get(name)) for name, one in released.by_name.items()]
    return ChannelFields(choices, released.set_aside(channels))


def described_channels(asked: PageRequest) -> list[Any]:
    """Return the channels that are ticked, with what is set of them.

    :raises BadInput: if there is none, or the configuration is not valid
    """
    names = asked.many(CHANNEL)
    if not names:
        raise BadInput("no channel is chosen: tick at least one")
    released = released_channels().by_name
    return [
        {"channel": name, "args": _settings(asked, name, released[name]) if name in released else {}} for name in names
    ]


def _choice(name: str, released: ReleasedChannel, chosen: Channel | None) -> ChannelChoice:
    args = chosen.args if chosen else {}
    fields = [
        SettingField(
            name=_field(name, argument),
            label=argument.replace("_", " "),
            value=str(args.get(argument, "")),
            choices=[str(one) for one in setting.choices or ()],
            setting=setting,
        )
        for argument, setting in released.may_set.items()
    ]
    return ChannelChoice(name, words.channel(name), chosen is not None, fields)


def _settings(asked: PageRequest, name: str, released: ReleasedChannel) -> Json:
    given = {argument: asked.one(_field(name, argument)) for argument in released.may_set}
    return {argument: _value(text, released.may_set[argument]) for argument, text in given.items() if text}


def _value(text: str, setting: Setting) -> str | int:
    """Return what a field says; a text that is no number is left to the input to refuse."""
    if setting.choices:
        return next((one for one in setting.choices if str(one) == text), text)
    digits = text.removeprefix("-")
    is_number = setting.is_number and digits.isascii() and digits.isdigit() and len(digits) < 16
    return int(text) if is_number else text


def _field(name: str, argument: str) -> str:
    return f"set.{name}.{argument}"
