"""The channels that an administrator released, as the configuration in effect has them."""

from __future__ import annotations

import logging

from taskops_provider import config
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.released import ReleasedChannels, read_released

log = logging.getLogger(__name__)


def released_channels() -> ReleasedChannels:
    """Return the channels that people may choose.

    :raises BadInput: if the configuration is not valid
    """
    return read_released(config.alarm_channels())


def usable_channels() -> ReleasedChannels:
    """Return the channels by which messages go out: none while the configuration is not valid."""
    try:
        return released_channels()
    except BadInput as error:
        log.error("TaskOps sends no alarm: %s", error)
        return ReleasedChannels({})
