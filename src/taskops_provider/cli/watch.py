"""Wait for a replenishment and show how it goes: a progress bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from taskops_provider.cli.run import opened
from taskops_provider.cli.text import say
from taskops_provider.services.replenishments.create import show_replenishment
from taskops_provider.services.replenishments.progress import ReplenishmentDetails

#: seconds between two looks
INTERVAL = 2.0


def until_over(replenishment_id: int) -> ReplenishmentDetails:
    """Return a replenishment when it is over."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[states]}"),
        TimeElapsedColumn(),
    )
    said = ""
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task(f"replenishment {replenishment_id}", total=100, states="")
        while True:
            details = _read(replenishment_id)
            states = _states(details)
            progress.update(bar, completed=details.percent_complete, states=states)
            if details.ended_at:
                return details
            if progress.disable and states != said:
                say(f"replenishment {replenishment_id}: {details.percent_complete} %, {states}")
                said = states
            try:
                time.sleep(INTERVAL)
            except KeyboardInterrupt:
                say(f"replenishment {replenishment_id} goes on: airflow taskops replenish show {replenishment_id}")
                raise


def _read(replenishment_id: int) -> ReplenishmentDetails:
    with opened() as work:
        return show_replenishment(work.session, work.actor, replenishment_id, work.now)


def _states(details: ReplenishmentDetails) -> str:
    counts = details.counts.by_state
    return f"{details.state}: " + ", ".join(f"{number} {state}" for state, number in counts.items() if number)
