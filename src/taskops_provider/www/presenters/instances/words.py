"""What operations on instances are called, and what they do in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskops_provider.domain.instances import InstanceVerb


@dataclass(frozen=True)
class InstanceWords:
    """The words of an operation.

    :param done: what is said when it was done, behind the number of instances
    """

    label: str
    done: str
    effect: str


VERBS: Mapping[InstanceVerb, InstanceWords] = {
    InstanceVerb.RERUN: InstanceWords(
        "Rerun",
        "cleared to run again",
        "Clears exactly these instances: each runs again, and its run with it. What failed below them stays as it is. "
        "A gated one runs now.",
    ),
    InstanceVerb.TERMINATE: InstanceWords(
        "Terminate",
        "terminated",
        "Ends them as failed. What runs in a worker is killed at its next heartbeat; nothing is tried again.",
    ),
    InstanceVerb.SET_SUCCESS: InstanceWords(
        "Set success",
        "set to success",
        "Marks them as success without executing. What failed below them because of them is cleared and runs.",
    ),
    InstanceVerb.SET_FAILED: InstanceWords(
        "Set failed",
        "set to failed",
        "Marks them as failed, by Airflow's own rules. What runs in a worker is killed.",
    ),
}
