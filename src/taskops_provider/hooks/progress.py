"""What operators, sensors and triggers say of a replenishment, and whether it went as it should."""

from __future__ import annotations

from taskops_provider.hooks.answers import ReplenishmentJson
from taskops_provider.hooks.errors import ReplenishmentFailed


def told(shown: ReplenishmentJson) -> str:
    """Return one line about how far it is. The expected end is not in it: that moves all the time."""
    counts = shown["counts"]["by_state"]
    cells = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    return f"replenishment {shown['replenishment_id']} is {shown['state']}, {shown['percent_complete']} %: {cells}"


def check(shown: ReplenishmentJson, *, part_success: bool) -> None:
    """Raise where one that is over did not go as it should.

    :param part_success: whether it will do that some cells succeeded
    :raises ReplenishmentFailed: with one line
    """
    if shown["state"] == "success" or (part_success and shown["state"] == "part_success"):
        return
    counts = shown["counts"]["by_state"]
    raise ReplenishmentFailed(
        f"replenishment {shown['replenishment_id']} ({shown['name']}) ended as {shown['state']}: "
        + ", ".join(f"{number} cells {state}" for state, number in counts.items() if number)
    )
