"""What operations on instances are called, and what they do in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskops_provider.domain.instances import InstanceVerb, Reach, RunVerb


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
        "Clears these instances: each runs again, and its run with it. A gated one runs now.",
    ),
    InstanceVerb.FORCE: InstanceWords(
        "Force",
        "forced to run",
        "Runs them now, whatever is upstream of them, earlier runs or a full max_active_tasks say. Pools still count, "
        "and so does a paused Dag.",
    ),
    InstanceVerb.HOLD: InstanceWords(
        "Hold",
        "held",
        "They do not start until you release them, also if they are cleared or tried again. What is under way goes on.",
    ),
    InstanceVerb.RELEASE: InstanceWords("Release", "released", "They go on as if nobody had held them."),
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

RUN_VERBS: Mapping[RunVerb, InstanceWords] = {
    RunVerb.HOLD: InstanceWords(
        "Hold",
        "held",
        "Nothing starts in these runs until you release them, also if something is cleared or tried again. What is "
        "under way goes on.",
    ),
    RunVerb.RELEASE: InstanceWords(
        "Release", "released", "These runs go on. Instances that are held one by one stay held."
    ),
}

REACHES: Mapping[Reach, str] = {
    Reach.NONE: "Only these instances",
    Reach.WORKFLOW: "With everything downstream in their runs",
    Reach.EVERYWHERE: "With everything downstream, in all workflows",
}
