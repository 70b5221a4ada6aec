"""``airflow taskops sync``, ``monitor`` and ``check``."""

from __future__ import annotations

import signal
import threading
from argparse import Namespace
from dataclasses import asdict
from datetime import UTC, datetime
from types import FrameType

from airflow.utils.session import create_session

from taskops_provider.cli.output import STRUCTURED, Columns, print_list, print_object
from taskops_provider.cli.run import changes, opened, reads, serves
from taskops_provider.cli.text import out, say
from taskops_provider.domain.text import plural
from taskops_provider.monitor.loop import Monitor
from taskops_provider.monitor.sender import Sender
from taskops_provider.monitor.thread import start_sender
from taskops_provider.services.health import FAILING, CheckLevel, check_health
from taskops_provider.services.index import refresh as index_refresh
from taskops_provider.services.index.refresh import IndexChange

CHECK_COLUMNS: Columns = {
    "check": lambda check: check.name,
    "result": lambda check: check.level.value,
    "what": lambda check: check.message,
}


@changes
def taskops_sync(args: Namespace) -> None:
    """Refresh the index now."""
    with opened() as work:
        # whoever asks for it wants every Dag looked at
        change = index_refresh.refresh(work.session, work.now, thorough=True)
    if args.output in STRUCTURED:
        print_object(asdict(change), args.output)
        return
    for line in _told(change):
        out(line)


def _told(change: IndexChange) -> list[str]:
    if not change:
        return [f"the index is up to date ({change.seconds:.1f} s)"]
    workflows = {
        "added": change.workflows_added,
        "changed": change.workflows_changed,
        "gone": change.workflows_gone,
        "back": change.workflows_back,
    }
    tasks = {"added": change.tasks_added, "changed": change.tasks_changed, "gone": change.tasks_gone}
    told = [
        f"{what}: {', '.join(f'{count:,} {how}' for how, count in counts.items() if count)}"
        for what, counts in (("workflows", workflows), ("tasks", tasks))
        if any(counts.values())
    ]
    return [*told, f"the index is up to date ({change.seconds:.1f} s)"]


@serves
def taskops_monitor(args: Namespace) -> int:
    """Run the monitor loop in this process."""
    with opened():
        pass  # without our tables there is nothing to watch; say so instead of waiting for them
    monitor = Monitor()
    if args.once:
        return _one_round(monitor)
    stop = threading.Event()
    _end_on_signals(stop)
    say(f"monitor {monitor.holder} looks every {monitor.interval:g} s; SIGINT (Ctrl-C) or SIGTERM ends it")
    end_sender = start_sender()
    try:
        monitor.run_forever(stop)
    finally:
        end_sender()
    say("the monitor has ended")
    return 0


def _one_round(monitor: Monitor) -> int:
    sender = Sender()
    try:
        worked = monitor.run_once()
        sender.run_once()
        sender.wait()
    finally:
        sender.close()
        monitor.close()
    say(monitor.status if worked else "another monitor works; nothing was done")
    return 1 if FAILING in monitor.status else 0


def _end_on_signals(stop: threading.Event) -> None:
    """End after the step that is under way; a second signal ends at once."""

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


@reads
def taskops_check(args: Namespace) -> int:
    """Check the installation."""
    with create_session(scoped=False) as session:
        checks = check_health(session, datetime.now(UTC))
    print_list(checks, CHECK_COLUMNS, args.output, empty="")
    errors = sum(check.level is CheckLevel.ERROR for check in checks)
    if errors and args.output == "table":
        say(plural(errors, "error"))
    return 1 if errors else 0
