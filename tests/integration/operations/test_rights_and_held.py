"""Held instances end by the hand of those alone who may change task instances, whatever the operation is called."""

from __future__ import annotations

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from sqlalchemy import select

from taskops_provider.exceptions import Forbidden
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.plan import preview_operation
from taskops_provider.services.shared.actor import Actor
from tests.support.gates import settle
from tests.support.scheduling import Scheduler
from tests.support.warehouse import START, Limited, bash, install, later, operate, outcomes, request, stored


class EditAlone(Limited):
    """Somebody who may edit the Dag, but neither change its instances nor create runs of it."""

    def may_change_instances(self, dag_id: str) -> bool:
        return False

    def may_create_runs(self, dag_id: str) -> bool:
        return False


EDITOR = Actor("editor", "api", EditAlone(["d"], ["d"]))
OPERATOR = Actor("operator", "api", Limited(["d"], ["d"]))
ENDS = "instances wait in it that would end, and you may not change task instances of this Dag"


@pytest.fixture
def session(session):
    """An instance of ``d.held`` waits; ``d.empty`` is paused as well, and nothing waits there."""
    with DAG("d", schedule=None, start_date=START) as dag:
        bash("held"), bash("empty")
    install(session, [dag])
    operate(session, "pause", "d.held", downstream="hold")
    scheduler = Scheduler(session, settle=settle)
    scheduler.create_run("d")
    scheduler.run_to_end("d")
    operate(session, "pause", "d.empty", downstream="hold")
    assert pool(session) == "taskops_hold"
    return session


def pool(session) -> str:
    session.expire_all()
    return session.scalar(select(TaskInstance.pool).where(TaskInstance.task_id == "held"))


@pytest.mark.parametrize("effect", ["skip", "run", "fail"])
def test_what_waits_is_ended_by_nobody_who_may_not_change_instances(session, effect):
    before = pool(session)
    asked = request("offline", "d.held", downstream=effect)
    with pytest.raises(Forbidden, match=f"nothing was done with d held: {ENDS}"):
        apply_operation(session, EDITOR, asked)
    [shown] = preview_operation(session, EDITOR, asked, later()).items
    assert (shown.outcome, shown.after, shown.reason) == ("blocked", "paused", ENDS)
    both = operate(session, "offline", "d.held", "d.empty", actor=EDITOR, downstream=effect)
    assert outcomes(both) == {"d.held": "blocked", "d.empty": "applied"}
    assert pool(session) == before
    assert outcomes(operate(session, "offline", "d.held", actor=OPERATOR, downstream=effect)) == {"d.held": "applied"}
    assert pool(session) != before


def test_of_a_whole_workflow_the_others_go_on(session):
    before = pool(session)
    assert outcomes(operate(session, "offline", "d", actor=EDITOR, downstream="skip"))["d.held"] == "blocked"
    assert pool(session) == before
    assert stored(session, "d") == {"held": "paused", "empty": "offline"}


def test_what_ends_nothing_needs_to_edit_alone(session):
    assert outcomes(operate(session, "start", "d.held", actor=EDITOR)) == {"d.held": "applied"}
    assert outcomes(operate(session, "pause", "d.held", actor=EDITOR, downstream="skip")) == {"d.held": "applied"}
    assert outcomes(operate(session, "offline", "d.empty", actor=EDITOR, downstream="skip")) == {"d.empty": "applied"}
