"""Two people at once, and a process that dies in the middle (requirements 5, 11)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, insert, select

from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Verb
from taskops_provider.inputs.operation import Request
from taskops_provider.models import GateInterval, Operation, OperationItem, Task, Workflow
from taskops_provider.services.operations.apply import apply_operation
from tests.support.airflow_db import new_session
from tests.support.warehouse import ALICE, BOB, chain, install, request, stored

TASKS = [f"t{n:02}" for n in range(30)]


@pytest.fixture
def session(session):
    install(session, [chain("d", *TASKS)])
    return session


def run_together(*jobs) -> list[BaseException]:
    """Start all jobs at one moment, each in a thread with a session of its own; return their errors."""
    barrier = threading.Barrier(len(jobs))
    errors: list[BaseException] = []

    def work(job):
        try:
            with new_session() as own:
                barrier.wait()
                job(own)
                own.commit()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def test_two_operators_on_the_same_tasks_lose_nothing(session):
    """Pause and offline of the same tasks at once: one wins, the other sees it, both are recorded truly."""
    names = [f"d.{task}" for task in TASKS]
    for _ in range(5):
        assert not run_together(
            lambda s: apply_operation(s, ALICE, request("pause", *names, downstream="run")),
            lambda s: apply_operation(s, BOB, request("offline", *reversed(names), downstream="fail")),
        )
        states = stored(session, "d")
        # offline applies to paused tasks too, pause not to offline ones: offline whoever came first
        assert set(states.values()) == {"offline"}
        open_gates = session.execute(
            select(GateInterval.task_id, GateInterval.state).where(
                GateInterval.to_at.is_(None), GateInterval.task_id != ""
            )
        ).all()
        assert sorted(open_gates) == [(task, "offline") for task in TASKS]
        assert not run_together(lambda s: apply_operation(s, ALICE, request("submit", *names)))
    assert session.scalar(select(func.count()).select_from(Operation)) == 15


def test_different_tasks_of_one_workflow_at_once(session):
    half = len(TASKS) // 2
    assert not run_together(
        lambda s: apply_operation(s, ALICE, request("pause", *[f"d.{t}" for t in TASKS[:half]])),
        lambda s: apply_operation(s, BOB, request("pause", *[f"d.{t}" for t in TASKS[half:]])),
    )
    assert set(stored(session, "d").values()) == {"paused"}
    session.expire_all()
    # whoever came second saw that nothing schedules any more
    assert session.get(Workflow, "d").draining_since is not None


def test_undo_and_a_newer_change_at_once(session):
    from taskops_provider.services.operations.undo import undo

    first = apply_operation(session, ALICE, request("pause", "d.t00"))
    session.commit()
    assert not run_together(
        lambda s: undo(s, ALICE, first.operation_id),
        lambda s: apply_operation(s, BOB, request("offline", "d.t00")),
    )
    # offline applies before and after the undo; undo leaves alone what offline changed
    assert stored(session, "d")["t00"] == "offline"


KILLED = """
import os, sys
from datetime import UTC, datetime
from taskops_provider.services.operations import apply as operations
from taskops_provider.inputs.operation import Request
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Verb
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from airflow import settings

real = operations.record_items
def stop_before_the_items(*args):
    print("changed", flush=True)
    sys.stdin.readline()   # killed here: states and gates are written, the record is not
operations.record_items = stop_before_the_items
targets = tuple(Target(f"dag_{d}", f"task_{t}") for d in range(20) for t in range(500))
with settings.NonScopedSession() as session:
    actor = Actor("x", "cli", UnrestrictedPermissions())
    operations.apply_operation(session, actor, Request(Verb.PAUSE, Scope.TASK, targets))
    session.commit()
"""


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_behind(session):
    """kill -9 in the middle of an operation on 10,000 tasks: none of it is there, and the next one goes on."""
    session.execute(
        insert(Workflow),
        [
            {"dag_id": f"dag_{d}", "display_name": f"dag_{d}", "project": "p", "folder": "p", "period": "day"}
            for d in range(20)
        ],
    )
    session.execute(
        insert(Task),
        [
            {
                "dag_id": f"dag_{d}",
                "task_id": f"task_{t}",
                "display_name": "t",
                "task_type": "BashOperator",
                "definition_hash": "-",
            }
            for d in range(20)
            for t in range(500)
        ],
    )
    session.commit()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "changed":
            break
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    session.rollback()
    for table in (Operation, OperationItem, GateInterval):
        assert session.scalar(select(func.count()).select_from(table)) == 0
    assert session.scalars(select(Task.state).distinct()).all() == ["scheduling"]

    deadline = time.monotonic() + 30  # a server notices a dead client in its own time
    request_ = Request(Verb.PAUSE, Scope.TASK, (Target("dag_0", "task_0"),))
    apply_operation(session, ALICE, request_, now=datetime.now(UTC))
    session.commit()
    assert time.monotonic() < deadline
    assert session.get(Task, ("dag_0", "task_0")).state == "paused"
