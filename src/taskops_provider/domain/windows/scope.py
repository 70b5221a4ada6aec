"""What a window is about: tasks, workflows, and everything in a folder, a project, under a tag, or at all."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

#: the ``dag_id`` of a gate interval that covers every Dag
ANY_DAG = ""


class DagPlace(NamedTuple):
    """Where a Dag is, as far as scopes ask."""

    dag_id: str
    project: str
    folder: str
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WindowScope:
    """What a window is about: the sum of its parts.

    :param tasks: (dag_id, task_id) each
    :param folders: ``bundle/dir``: Dag files in them and below
    """

    tasks: tuple[tuple[str, str], ...] = ()
    workflows: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    everything: bool = False

    @property
    def is_open(self) -> bool:
        """Whether Dags come into it and leave it without anybody touching the window."""
        return self.everything or bool(self.folders or self.projects or self.tags)

    @property
    def named_dags(self) -> set[str]:
        """The Dags that it names."""
        return {*self.workflows, *(dag_id for dag_id, _ in self.tasks)}

    def covers_dag(self, dag: DagPlace) -> bool:
        """Whether it covers every task of a Dag."""
        return (
            self.everything
            or dag.dag_id in self.workflows
            or dag.project in self.projects
            or any(is_below(dag.folder, folder) for folder in self.folders)
            or not dag.tags.isdisjoint(self.tags)
        )

    def covers(self, dag: DagPlace, task_id: str) -> bool:
        """Whether it covers a task; with an empty ``task_id``: something of the Dag."""
        return self.covers_dag(dag) or any(
            dag_id == dag.dag_id and task_id in ("", name) for dag_id, name in self.tasks
        )

    def keys(self, dags: Collection[DagPlace]) -> set[tuple[str, str]]:
        """Return (dag_id, task_id) of the gate intervals that it takes; an empty part stands for all.

        :param dags: those that there are
        """
        if self.everything:
            return {(ANY_DAG, "")}
        whole = {(dag.dag_id, "") for dag in dags if self.covers_dag(dag)} | {(dag_id, "") for dag_id in self.workflows}
        return whole | {key for key in self.tasks if (key[0], "") not in whole}


def is_below(folder: str, above: str) -> bool:
    """Whether a folder is another one, or lies in it."""
    return folder == above or folder.startswith(f"{above.rstrip('/')}/")
