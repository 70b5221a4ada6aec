"""A history as a script: plain data that people can read, change and play again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.simulation.dags import DagSpec, as_json, from_json

Event = dict[str, Any]


@dataclass(frozen=True)
class Script:
    """What happens in one history.

    :param seed: where it comes from; the ids that Airflow draws come from it too
    :param skews: process -> seconds by which its clock is ahead
    :param events: each with ``do``, the arguments of that deed, and ``dt``: seconds that pass before it
    """

    seed: int
    dags: tuple[DagSpec, ...]
    events: tuple[Event, ...]
    skews: Mapping[str, float] = field(default_factory=dict)

    def without_events(self, start: int, number: int) -> Script:
        """The script without some events."""
        return replace(self, events=self.events[:start] + self.events[start + number :])

    def with_dag(self, index: int, spec: DagSpec) -> Script:
        """The script with another Dag in the place of one."""
        return replace(self, dags=(*self.dags[:index], spec, *self.dags[index + 1 :]))

    def dumps(self) -> str:
        """The script as text, an event a line."""
        lines = ["{", f' "seed": {self.seed},', f' "skews": {json.dumps(dict(self.skews))},', ' "dags": [']
        lines += [_dag_lines(spec, last=spec is self.dags[-1]) for spec in self.dags]
        lines += [" ],", ' "events": [']
        lines += [f"  {json.dumps(e)}{'' if i == len(self.events) - 1 else ','}" for i, e in enumerate(self.events)]
        return "\n".join([*lines, " ]", "}"]) + "\n"

    @classmethod
    def loads(cls, text: str) -> Script:
        """Read what :meth:`dumps` wrote."""
        given = json.loads(text)
        return cls(
            given["seed"],
            tuple(from_json(dag) for dag in given["dags"]),
            tuple(given["events"]),
            given.get("skews", {}),
        )

    @classmethod
    def read(cls, path: Path) -> Script:
        """Read a script's file."""
        return cls.loads(path.read_text())


def _dag_lines(spec: DagSpec, *, last: bool) -> str:
    found = as_json(spec)
    tasks = found.pop("tasks")
    head = json.dumps(found)[:-1]
    body = ",\n".join(f"   {json.dumps(task)}" for task in tasks)
    return f'  {head}, "tasks": [\n{body}\n  ]}}' + ("" if last else ",")
