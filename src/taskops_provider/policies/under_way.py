"""Whether a run is only being created, or gets instances later: for a task that a new Dag version brings, say."""

from __future__ import annotations

from typing import Any


def is_under_way(dag_run: Any) -> bool:
    """Whether the scheduler has looked at a run, or somebody cleared it: clearing takes the last look away.

    Nothing is loaded: a query here would write half-made instances.
    """
    return dag_run.__dict__.get("last_scheduling_decision") is not None or was_cleared(dag_run)


def was_cleared(dag_run: Any) -> bool:
    """Whether somebody cleared something in a run."""
    return bool(dag_run.__dict__.get("clear_number"))
