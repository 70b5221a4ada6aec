"""A scheduler that has the gate says so: in the transaction that writes its row in Airflow's table ``job``.

Airflow calls :func:`on_starting` in the scheduler, and in each task process too: nothing heavy may be imported here.
A scheduler without this package writes nothing, and that is how it is found (``services.gate.coverage``).
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.listeners import hookimpl

log = logging.getLogger(__name__)

_SCHEDULER = "SchedulerJob"
_listens = False


@hookimpl
def on_starting(component: Any) -> None:
    """Wait for the row of the job, which has neither a type nor a number yet."""
    global _listens
    if _listens or getattr(component, "__tablename__", None) != "job":
        return
    from sqlalchemy import event

    event.listen(type(component), "after_insert", _inserted)
    _listens = True


def _inserted(_mapper: Any, connection: Any, job: Any) -> None:
    if job.job_type != _SCHEDULER:
        return
    try:
        # a scheduler must start whatever becomes of our row
        with connection.begin_nested():
            _write(connection, job)
    except Exception:
        log.warning("TaskOps could not note that this scheduler has the gate", exc_info=True)


def _write(connection: Any, job: Any) -> None:
    from datetime import UTC, datetime

    from sqlalchemy import delete, insert, inspect

    from taskops_provider import __version__
    from taskops_provider.adapter.gate_state import trouble
    from taskops_provider.models import CoveredScheduler

    if not inspect(connection).has_table(CoveredScheduler.__tablename__):
        log.warning("TaskOps' tables are missing or old: run `airflow db migrate`, then restart this scheduler")
        return
    # SQLite gives the number of a job that was deleted to another one
    connection.execute(delete(CoveredScheduler).where(CoveredScheduler.job_id == job.id))
    connection.execute(
        insert(CoveredScheduler).values(
            job_id=job.id,
            host=(job.hostname or "")[:500],
            version=__version__[:64],
            trouble=(trouble() or "")[:1000],
            started_at=datetime.now(UTC),
        )
    )
