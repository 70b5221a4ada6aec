"""When each task was first submitted, and when its own definition last changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Submission:
    """A task's definition hash, with the times of the version that brought the task and of the one that changed it."""

    definition_hash: str
    first_at: datetime | None
    last_at: datetime | None


def carry_submissions(
    known: Mapping[str, Submission], versions: Iterable[tuple[datetime | None, Mapping[str, str]]]
) -> dict[str, Submission]:
    """Carry the submissions of a Dag's tasks through the versions that came since, oldest first.

    A task that leaves and comes back as it was keeps its times.

    :param known: by task id, what is recorded
    :param versions: per version, its time and the definition hashes of its tasks by task id
    """
    tasks = dict(known)
    for at, hashes in versions:
        for task_id, definition_hash in hashes.items():
            before = tasks.get(task_id)
            if before is None:
                tasks[task_id] = Submission(definition_hash, at, at)
            elif before.definition_hash != definition_hash:
                tasks[task_id] = Submission(definition_hash, before.first_at, at)
    return tasks
