"""The channels of ``[taskops] alarm_channels`` and ``[taskops] notice_channels``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from taskops_provider.domain.alarms.deliveries import EMAIL
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.channel import Channel, ReleasedChannel
from taskops_provider.inputs.free_text import read_json
from taskops_provider.inputs.reading import read

_OPTION: Final = "[taskops] alarm_channels"


@dataclass(frozen=True)
class ReleasedChannels:
    """What an administrator released, by name."""

    by_name: Mapping[str, ReleasedChannel]

    def check(self, channel: Channel) -> ReleasedChannel:
        """Return what a channel that a rule names stands for.

        :raises BadInput: one line, if nobody released it, or not with these arguments
        """
        found = self.by_name.get(channel.channel)
        if found is None or channel.connection:
            allowed = ", ".join(self.by_name) or "none"
            raise BadInput(f"channel {channel.channel[:80]!r} is not released; an administrator released {allowed}")
        found.check_settings(channel.channel, channel.args)
        return found

    def is_usable(self, channel: Channel) -> bool:
        """Whether messages go out by it."""
        try:
            self.check(channel)
        except BadInput:
            return False
        return True

    def usable(self, channels: Collection[Channel]) -> list[Channel]:
        """Return those by which messages go out."""
        return [one for one in channels if self.is_usable(one)]

    def set_aside(self, channels: Collection[Channel]) -> list[str]:
        """Return the names of those that are kept and not used: nobody released them, or not so."""
        return list(dict.fromkeys(one.channel for one in channels if not self.is_usable(one)))

    def tells_people(self, channel: Channel) -> bool:
        """Whether the messages of a channel go to persons."""
        found = self.by_name.get(channel.channel)
        return found is not None and found.tells_people


@lru_cache(maxsize=8)
def read_released(text: str) -> ReleasedChannels:
    """Read ``[taskops] alarm_channels``: a JSON object, name -> channel. ``email`` is there unless it is null.

    :raises BadInput: one line about what is not valid
    """
    given = read_json(text, _OPTION) if text.strip() else {}
    if not isinstance(given, Mapping):
        raise BadInput(f"{_OPTION} is no JSON object of names and channels")
    found: dict[str, ReleasedChannel] = {}
    for name, one in ({EMAIL: {"notifier": EMAIL}} | dict(given)).items():
        # the name is one that people can write
        read(Channel, {"channel": name})
        if one is None:
            continue
        if not isinstance(one, Mapping):
            raise BadInput(f"{_OPTION}: {name} is no JSON object")
        found[name] = read(ReleasedChannel, one, at=(name,))
    if EMAIL in found and not found[EMAIL].tells_people:
        raise BadInput(f"{_OPTION}: email has another notifier than email; give the channel another name")
    return ReleasedChannels(found)


def read_channels(given: Any) -> tuple[Channel, ...]:
    """Read a list of channels from the configuration; the name of one may stand in its place.

    :raises BadInput: one line about the first one that is not valid
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise BadInput(f"channels is {str(given)[:40]!r}; a list is needed")
    return tuple(
        read(Channel, {"channel": one} if isinstance(one, str) else one, at=("channels", number))
        for number, one in enumerate(given)
    )
