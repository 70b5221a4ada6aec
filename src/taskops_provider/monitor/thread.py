"""The monitor as a thread of the API server. Each of its workers starts one; the lease lets one of them work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from taskops_provider import config
from taskops_provider.monitor.leased import LeasedLoop
from taskops_provider.monitor.loop import Monitor
from taskops_provider.monitor.sender import Sender

#: seconds the API server waits for a round to end when it stops
_PATIENCE = 10.0


def start_in_thread() -> Callable[[], None]:
    """Start the monitor, and the sender of its messages, in daemon threads; return what stops both.

    While our tables are missing it looks for them once a round and does nothing else.
    """
    return _start({"taskops-monitor": Monitor, "taskops-sender": Sender})


def start_sender() -> Callable[[], None]:
    """Start the sender of messages in a daemon thread of its own; return what stops it."""
    return _start({"taskops-sender": Sender})


def _start(loops: Mapping[str, type[LeasedLoop]]) -> Callable[[], None]:
    stop = threading.Event()
    threads = [threading.Thread(target=_run, args=(loop, stop), name=name, daemon=True) for name, loop in loops.items()]
    for thread in threads:
        thread.start()

    def end() -> None:
        stop.set()
        for thread in threads:
            thread.join(_PATIENCE)

    return end


def _run(loop: type[LeasedLoop], stop: threading.Event) -> None:
    loop().run_forever(stop)


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Run the monitor while the API server runs, unless ``[taskops] monitor_in_api_server`` says no.

    :param app: the FastAPI app whose lifespan this is
    """
    if not config.monitor_in_api_server():
        yield
        return
    end = start_in_thread()
    try:
        yield
    finally:
        # in a thread: a round that is under way must not hold up the event loop
        await asyncio.to_thread(end)
