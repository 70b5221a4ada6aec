"""Wait for a replenishment and show how it goes: a progress bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from taskops_provider.cli.run import opened
from taskops_provider.cli.text import say
from taskops_provider.services.replenishments import show_replenishment

#: seconds between two looks
INTERVAL = 2.0


def until_over(replenishment_id: int) -> dict[str, Any]:
    """Return a replenishment when it is over."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
    )
    said = ""
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task(f"replenishment {replenishment_id}", total=100, told="")
        while True:
            shown = _look(replenishment_id)
            told = _told(shown)
            progress.update(bar, completed=shown["percent_complete"], told=told)
            if shown["ended_at"]:
                return shown
            if progress.disable and told != said:
                say(f"replenishment {replenishment_id}: {shown['percent_complete']} %, {told}")
                said = told
            try:
                time.sleep(INTERVAL)
            except KeyboardInterrupt:
                say(f"replenishment {replenishment_id} goes on: airflow taskops replenish show {replenishment_id}")
                raise


def _look(replenishment_id: int) -> dict[str, Any]:
    with opened() as work:
        return show_replenishment(work.session, work.actor, replenishment_id, work.now)


def _told(shown: dict[str, Any]) -> str:
    counts = shown["counts"]["by_state"]
    return f"{shown['state']}: " + ", ".join(f"{number} {state}" for state, number in counts.items() if number)
