"""Operations on tasks and workflows: preview, apply, record, refuse (requirements 2, 5)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.models.dag import DagModel
from airflow.models.log import Log
from sqlalchemy import func, select

from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.domain.states import Verb
from taskops_provider.exceptions import BadInput, PlanChanged, ResourceNotFound
from taskops_provider.inputs.operation import Options, Request
from taskops_provider.models import GateInterval, Operation, OperationItem, Owner, Task, Workflow
from taskops_provider.services.catalog import tasks, workflows
from taskops_provider.services.catalog.filters import TaskFilter
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.plan import preview_operation
from taskops_provider.services.shared.actor import Actor
from tests.support.airflow_db import spoil
from tests.support.gates import resume_due_tasks
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler
from tests.support.warehouse import (
    ALICE,
    BOB,
    Limited,
    chain,
    install,
    later,
    operate,
    outcomes,
    request,
    retail,
    stored,
)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def retail_session(session):
    install(session, retail())
    return session


def statuses(session, dag_id: str) -> dict[str, str]:
    return {t.task_id: t.status for t in tasks.walk_tasks(session, ALICE, TaskFilter(dag_ids=(dag_id,)), now())}


def dag_paused(session, dag_id: str) -> bool:
    session.expire_all()
    return session.get(DagModel, dag_id).is_paused


def test_pause_stops_one_task_and_records_it(retail_session):
    session = retail_session
    plan = operate(session, "pause", "orders.clean", reason="bad feed", ticket="OPS-1", downstream="run")

    assert stored(session, "orders") == {"clean": "paused", "extract": "scheduling", "load": "scheduling"}
    gate = session.scalars(select(GateInterval)).one()
    assert (gate.dag_id, gate.task_id, gate.state, gate.downstream, gate.to_at) == (
        "orders",
        "clean",
        "paused",
        "run",
        None,
    )
    record = session.get(Operation, plan.operation_id)
    assert (record.verb, record.actor, record.source, record.outcome) == ("pause", "alice", "cli", "success")
    assert (record.reason, record.ticket, record.options) == ("bad feed", "OPS-1", {"downstream": "run"})
    log = session.scalars(select(Log).where(Log.event == "taskops.pause")).one()
    assert (log.dag_id, log.task_id, log.owner) == ("orders", "clean", "alice")
    assert to_plain_data(plan.answer()) == {
        "operation_id": plan.operation_id,
        "verb": "pause",
        "dry_run": False,
        "outcome": "success",
        "counts": {"applied": 1, "left_alone": 0, "blocked": 0},
        "items": [
            {
                "dag_id": "orders",
                "task_id": "clean",
                "outcome": "applied",
                "before": "scheduling",
                "after": "paused",
                "reason": None,
                "blocked_by": [],
            }
        ],
    }
    row = tasks.get_task(session, ALICE, "orders", "clean", now())
    assert (row.status, row.downstream, row.reason, row.ticket) == ("paused", "run", "bad feed", "OPS-1")


def test_a_mixed_selection_changes_what_it_applies_to(retail_session):
    session = retail_session
    operate(session, "offline", "orders.load")
    plan = operate(session, "pause", "orders.extract", "orders.load", "sales.sum")
    assert outcomes(plan) == {"orders.extract": "applied", "orders.load": "left_alone", "sales.sum": "applied"}
    assert plan.outcome() == "part_success"
    [left] = [item for item in plan.items if item.outcome == "left_alone"]
    assert left.reason == "is offline; pause applies to tasks that are scheduling"
    assert stored(session, "orders") == {"clean": "scheduling", "extract": "paused", "load": "offline"}


def test_nothing_that_applies_is_refused_and_recorded(retail_session):
    session = retail_session
    plan = operate(session, "start", "orders.extract")
    assert plan.outcome() == "refused"
    assert session.get(Operation, plan.operation_id).outcome == "refused"
    assert not session.scalar(select(func.count()).select_from(GateInterval))


@pytest.mark.parametrize(
    ("verb", "names", "options", "error", "message"),
    [
        ("pause", ["orders.nope"], {}, ResourceNotFound, "'orders nope' does not exist"),
        ("pause", ["nope.extract"], {}, ResourceNotFound, "Dag 'nope' does not exist"),
        ("pause", ["nope"], {}, ResourceNotFound, "Dag 'nope' does not exist"),
        ("offline", ["orders.load"], {"downstream": "hold"}, BadInput, "'hold' does not go with offline"),
        ("delete", ["orders.load"], {}, BadInput, "delete needs a downstream effect"),
        ("delete", ["orders.load"], {"downstream": "skip"}, BadInput, "'skip' does not go with delete"),
        ("start", ["orders.load"], {"downstream": "run"}, BadInput, "not with start"),
        ("start", ["orders.load"], {"terminate_instances": True}, BadInput, "not with start"),
        ("pause", ["orders.load"], {"held": "skip"}, BadInput, "held goes with start"),
        ("pause", ["orders.load"], {"cascade": True}, BadInput, "cascade goes with offline"),
        ("pause", ["orders.load"], {"resume_at": datetime(2020, 1, 1, tzinfo=UTC)}, BadInput, "not in the future"),
        ("offline", ["orders.load"], {"resume_at": datetime(2099, 1, 1, tzinfo=UTC)}, BadInput, "goes with pause"),
        ("set-owners", ["orders.load"], {}, BadInput, "at least one owner"),
        ("set-owners", ["orders.load"], {"owners": [" "]}, BadInput, "an owner is empty"),
        ("pause", ["orders.load"], {"owners": ["x"]}, BadInput, "owners go with set-owners"),
        ("pause", ["orders.load"], {"reason": "x" * 2001}, BadInput, "at most 2000"),
    ],
)
def test_bad_input_gets_one_line_and_changes_nothing(retail_session, verb, names, options, error, message):
    session = retail_session
    with pytest.raises(error, match=message) as caught:
        operate(session, verb, *names, **options)
    session.rollback()
    assert "\n" not in str(caught.value)
    assert set(stored(session, "orders").values()) == {"scheduling"}
    assert not session.scalar(select(func.count()).select_from(Operation))


def test_an_empty_selection_is_refused(session):
    with pytest.raises(BadInput, match="nothing is selected"):
        apply_operation(session, ALICE, Request(Verb.PAUSE, Scope.TASK, ()))


def test_one_unknown_name_stops_the_whole_operation(retail_session):
    session = retail_session
    with pytest.raises(ResourceNotFound):
        operate(session, "pause", "orders.extract", "orders.nope")
    session.rollback()
    assert set(stored(session, "orders").values()) == {"scheduling"}


def test_the_life_of_a_task(retail_session):
    """start, pause, offline, delete and submit each lead where the table says, and nowhere else."""
    session = retail_session
    name = "orders.clean"
    steps = [
        ("pause", {}, "paused"),
        ("start", {}, "scheduling"),
        ("offline", {}, "offline"),
        ("delete", {"downstream": "run"}, "deleted"),
        ("submit", {}, "scheduling"),
        ("pause", {}, "paused"),
        ("offline", {}, "offline"),
        ("submit", {}, "scheduling"),
    ]
    for verb, options, becomes in steps:
        assert outcomes(operate(session, verb, name, **options)) == {name: "applied"}, verb
        assert stored(session, "orders")["clean"] == becomes
    open_gates = session.scalar(select(func.count()).select_from(GateInterval).where(GateInterval.to_at.is_(None)))
    assert open_gates == 0
    assert session.scalar(select(func.count()).select_from(GateInterval)) == 5


def test_deleted_tasks_are_listed_only_when_asked_for(retail_session):
    session = retail_session
    operate(session, "offline", "orders.clean")
    operate(session, "delete", "orders.clean", downstream="fail")
    assert set(statuses(session, "orders")) == {"extract", "load"}
    assert tasks.get_task(session, ALICE, "orders", "clean", now()).status == "deleted"
    assert workflows.get_workflow(session, ALICE, "orders", now()).task_count == 2


class TestWorkflows:
    """The whole-workflow forms."""

    def test_pause_and_start_take_the_tasks_they_apply_to(self, retail_session):
        session = retail_session
        operate(session, "offline", "orders.load")
        plan = operate(session, "pause", "orders")
        assert outcomes(plan) == {
            "orders.clean": "applied",
            "orders.extract": "applied",
            "orders.load": "left_alone",
        }
        # tasks that the whole-workflow form does not ask for are not refused
        assert plan.outcome() == "success"
        assert workflows.get_workflow(session, ALICE, "orders", now()).status == "all_unscheduled"
        operate(session, "start", "orders")
        assert stored(session, "orders") == {"clean": "scheduling", "extract": "scheduling", "load": "offline"}

    def test_a_form_that_does_not_fit_is_refused_with_the_reason(self, retail_session):
        session = retail_session
        plan = operate(session, "delete", "orders", downstream="run")
        assert plan.outcome() == "refused"
        assert plan.items[0].reason == "the workflow is all_scheduling; delete of a whole workflow needs all_offline"
        assert to_plain_data(plan.answer())["items"][0]["task_id"] is None

    def test_delete_removes_it_from_the_list_and_submit_brings_it_back(self, retail_session):
        session = retail_session
        operate(session, "offline", "report")
        assert session.get(Workflow, "report").default_state == "offline"
        operate(session, "delete", "report", downstream="run")

        def listed():
            return {w.dag_id for w in workflows.walk_workflows(session, ALICE, workflows.WorkflowFilter(), now())}

        assert listed() == {"orders", "sales", "mart"}
        operate(session, "submit", "report")
        assert "report" in listed()
        assert session.get(Workflow, "report").default_state == "scheduling"

    def test_the_wildcard_gate_is_open_while_a_workflow_is_offline(self, retail_session):
        session = retail_session

        def wildcard():
            return session.scalars(
                select(GateInterval.downstream).where(GateInterval.task_id == "", GateInterval.to_at.is_(None))
            ).all()

        operate(session, "offline", "orders.extract", "orders.clean")
        assert wildcard() == []
        operate(session, "offline", "orders.load", downstream="fail")
        assert wildcard() == ["fail"]
        operate(session, "submit", "orders.clean")
        assert wildcard() == []

    def test_owners_of_a_workflow_and_of_its_tasks_are_apart(self, retail_session):
        session = retail_session
        assert workflows.get_workflow(session, ALICE, "orders", now()).owners == ["ann", "bob"]
        operate(session, "set-owners", "orders", owners=["carol", "dave", "carol"])
        assert workflows.get_workflow(session, ALICE, "orders", now()).owners == ["carol", "dave"]
        assert tasks.get_task(session, ALICE, "orders", "clean", now()).owners == ["ann", "bob"]
        operate(session, "set-owners", "orders.clean", owners=["erin"])
        assert tasks.get_task(session, ALICE, "orders", "clean", now()).owners == ["erin"]
        assert session.scalar(select(func.count()).select_from(Owner).where(Owner.owner == "erin")) == 1


class TestAirflowsOwnPause:
    """Airflow's pause is respected, not fought."""

    def pause_in_airflow(self, session, dag_id, paused=True):
        session.get(DagModel, dag_id).is_paused = paused
        session.commit()

    def test_it_shows_and_unpausing_brings_back_what_was_scheduling(self, retail_session):
        session = retail_session
        operate(session, "pause", "orders.clean")
        self.pause_in_airflow(session, "orders")
        assert set(statuses(session, "orders").values()) == {"paused"}
        assert workflows.get_workflow(session, ALICE, "orders", now()).status == "all_paused"
        self.pause_in_airflow(session, "orders", paused=False)
        assert statuses(session, "orders") == {"clean": "paused", "extract": "scheduling", "load": "scheduling"}

    def test_starting_one_task_unpauses_the_dag_and_keeps_the_others_paused(self, retail_session):
        session = retail_session
        self.pause_in_airflow(session, "orders")
        plan = operate(session, "start", "orders.clean")
        assert outcomes(plan) == {"orders.clean": "applied"}
        assert not dag_paused(session, "orders")
        assert statuses(session, "orders") == {"clean": "scheduling", "extract": "paused", "load": "paused"}
        assert stored(session, "orders") == {"clean": "scheduling", "extract": "paused", "load": "paused"}

        from taskops_provider.services.operations.undo import undo

        undone = undo(session, BOB, plan.operation_id)
        session.commit()
        assert undone.outcome() == "success"
        assert dag_paused(session, "orders")
        assert set(stored(session, "orders").values()) == {"scheduling"}

    def test_the_reason_says_that_it_is_airflows_pause(self, retail_session):
        session = retail_session
        self.pause_in_airflow(session, "orders")
        [item] = operate(session, "pause", "orders.clean").items
        assert item.reason == ("is paused; pause applies to tasks that are scheduling (its Dag is paused in Airflow)")

    def test_starting_the_workflow_brings_all_back(self, retail_session):
        session = retail_session
        self.pause_in_airflow(session, "orders")
        operate(session, "start", "orders")
        assert not dag_paused(session, "orders")
        assert set(statuses(session, "orders").values()) == {"scheduling"}


class TestPlanHash:
    """A preview changes nothing; applying it refuses where the state has changed."""

    def preview(self, session):
        return preview_operation(session, ALICE, request("pause", "orders.clean", "orders.load"), now())

    def test_a_preview_changes_nothing_and_can_be_applied(self, retail_session):
        session = retail_session
        plan = self.preview(session)
        assert to_plain_data(plan.answer())["dry_run"] is True
        assert to_plain_data(plan.answer())["affects"] == {
            "instances": 0,
            "downstream_tasks": 6,
            "downstream_workflows": 3,
            "workflows": ["mart", "report", "sales"],
            "drains": [],
        }
        session.commit()
        assert set(stored(session, "orders").values()) == {"scheduling"}
        assert not session.scalar(select(func.count()).select_from(Operation))
        apply_operation(session, ALICE, request("pause", "orders.clean", "orders.load"), expected_hash=plan.plan_hash)
        session.commit()
        assert stored(session, "orders")["clean"] == "paused"

    def test_a_change_in_between_is_refused_with_the_difference(self, retail_session):
        session = retail_session
        plan = self.preview(session)
        operate(session, "offline", "orders.load", actor=BOB)
        with pytest.raises(PlanChanged, match=r"orders load is now offline: offline by bob \(operation") as caught:
            apply_operation(
                session, ALICE, request("pause", "orders.clean", "orders.load"), expected_hash=plan.plan_hash
            )
        session.rollback()
        [difference] = caught.value.difference
        assert (difference.dag_id, difference.task_id, difference.now) == ("orders", "load", "offline")
        assert stored(session, "orders")["clean"] == "scheduling"

    def test_an_unrelated_change_does_not_matter(self, retail_session):
        session = retail_session
        plan = self.preview(session)
        operate(session, "pause", "report.send", actor=BOB)
        done = apply_operation(
            session, ALICE, request("pause", "orders.clean", "orders.load"), expected_hash=plan.plan_hash
        )
        assert done.outcome() == "success"

    def test_a_dag_paused_in_airflow_in_between_is_noticed(self, retail_session):
        session = retail_session
        plan = self.preview(session)
        session.get(DagModel, "orders").is_paused = True
        session.commit()
        with pytest.raises(PlanChanged, match="changed since the preview"):
            apply_operation(
                session, ALICE, request("pause", "orders.clean", "orders.load"), expected_hash=plan.plan_hash
            )

    def test_other_options_are_another_plan(self, retail_session):
        session = retail_session
        plan = self.preview(session)
        other = request("pause", "orders.clean", "orders.load", downstream="fail")
        with pytest.raises(PlanChanged):
            apply_operation(session, ALICE, other, expected_hash=plan.plan_hash)

    def test_nonsense_is_no_plan_hash(self, retail_session):
        with pytest.raises(BadInput, match="is not a plan hash"):
            apply_operation(retail_session, ALICE, request("pause", "orders.clean"), expected_hash="deadbeef")


class TestResumeAt:
    def test_the_monitor_starts_it_again(self, retail_session):
        session = retail_session
        operate(session, "pause", "orders.clean", "orders.load", resume_at=later(hours=1))
        assert not resume_due_tasks(session, now())
        assert resume_due_tasks(session, later(hours=2))
        session.commit()
        assert set(stored(session, "orders").values()) == {"scheduling"}
        record = session.scalars(select(Operation).order_by(Operation.id.desc()).limit(1)).one()
        assert (record.verb, record.source, record.applied) == ("start", "monitor", 2)
        assert not resume_due_tasks(session, later(hours=3))

    def test_a_task_that_went_offline_stays_so(self, retail_session):
        session = retail_session
        operate(session, "pause", "orders.clean", resume_at=later(hours=1))
        operate(session, "offline", "orders.clean")
        assert not resume_due_tasks(session, later(hours=2))
        assert stored(session, "orders")["clean"] == "offline"


class TestPermissions:
    def test_what_may_not_be_changed_is_refused_and_the_rest_goes_on(self, retail_session):
        session = retail_session
        eve = Actor("eve", "api", Limited(readable={"orders", "sales"}, editable={"orders"}))
        plan = operate(session, "pause", "orders.clean", "sales.sum", actor=eve)
        assert outcomes(plan) == {"orders.clean": "applied", "sales.sum": "blocked"}
        assert stored(session, "sales")["sum"] == "scheduling"

    def test_what_may_not_be_read_does_not_exist(self, retail_session):
        session = retail_session
        eve = Actor("eve", "api", Limited(readable={"orders"}, editable={"orders"}))
        with pytest.raises(ResourceNotFound, match="does not exist"):
            operate(session, "pause", "sales.sum", actor=eve)
        with pytest.raises(ResourceNotFound):
            tasks.get_task(session, eve, "sales", "sum", now())
        assert [t.dag_id for t in tasks.walk_tasks(session, eve, TaskFilter(), now())] == ["orders"] * 3
        assert tasks.list_tasks(session, eve, TaskFilter(), now(), limit=10).total_entries == 3


def test_a_task_gone_from_its_dag_cannot_be_submitted(session):
    install(session, [chain("d", "a", "b", "c")])
    operate(session, "offline", "d.c")
    install(session, [chain("d", "a", "b")])
    plan = operate(session, "submit", "d.c")
    assert outcomes(plan) == {"d.c": "left_alone"}
    assert plan.items[0].reason == "is no longer in the latest version of its Dag"


def test_an_expired_task_is_invalid_and_can_only_go_offline(session):
    install(session, [chain("d", "a", end_date=datetime(2026, 2, 1, tzinfo=UTC))])
    assert workflows.get_workflow(session, ALICE, "d", now()).status == "all_expired"
    assert outcomes(operate(session, "pause", "d.a")) == {"d.a": "left_alone"}
    assert outcomes(operate(session, "start", "d.a")) == {"d.a": "left_alone"}
    assert outcomes(operate(session, "offline", "d.a")) == {"d.a": "applied"}


def test_ten_thousand_tasks_in_one_operation(session):
    """One operation on 10,000 tasks: the number of statements grows with chunks, not with tasks."""
    _many(session, dags=20, tasks_each=500)
    targets = tuple(Target(f"dag_{d}", f"task_{t}") for d in range(20) for t in range(500))
    plan = apply_operation(session, ALICE, Request(Verb.PAUSE, Scope.TASK, targets, Options(reason="x")))
    session.commit()
    assert plan.counts().applied == 10_000
    assert session.scalar(select(func.count()).select_from(Task).where(Task.state == "paused")) == 10_000
    assert session.scalar(select(func.count()).select_from(OperationItem)) == 10_000


def _many(session, *, dags: int, tasks_each: int) -> None:
    from sqlalchemy import insert

    session.execute(
        insert(Workflow),
        [
            {"dag_id": f"dag_{d}", "display_name": f"dag_{d}", "project": "p", "folder": "p", "period": "day"}
            for d in range(dags)
        ],
    )
    session.execute(
        insert(Task),
        [
            {
                "dag_id": f"dag_{d}",
                "task_id": f"task_{t}",
                "display_name": f"task_{t}",
                "task_type": "BashOperator",
                "definition_hash": "-",
            }
            for d in range(dags)
            for t in range(tasks_each)
        ],
    )
    session.commit()


def test_list_pages_cost_the_same_for_any_number_of_rows(session):
    _many(session, dags=3, tasks_each=4)
    with counted_queries() as few:
        tasks.list_tasks(session, ALICE, TaskFilter(), now(), limit=1000)
        workflows.list_workflows(session, ALICE, workflows.WorkflowFilter(), now(), limit=1000)
    session.rollback()
    for table in (Task, Workflow):
        session.query(table).delete()
    _many(session, dags=40, tasks_each=20)
    with counted_queries() as many:
        tasks.list_tasks(session, ALICE, TaskFilter(), now(), limit=1000)
        workflows.list_workflows(session, ALICE, workflows.WorkflowFilter(), now(), limit=1000)
    assert len(few) == len(many) <= 9


def test_terminate_instances_is_recorded(retail_session):
    plan = operate(retail_session, "pause", "orders.clean", terminate_instances=True)
    assert retail_session.get(Operation, plan.operation_id).options["terminate_instances"] is True


@pytest.mark.parametrize(
    ("before", "verb", "options"),
    [
        ("", "pause", {"terminate_instances": True}),
        ("pause", "start", {}),
        ("", "offline", {"downstream": "run"}),
        ("offline", "delete", {"downstream": "run"}),
        ("offline", "submit", {}),
    ],
)
def test_a_dag_that_cannot_be_read_is_operated_on_as_others(session, before, verb, options):
    install(session, [chain("d", "a", "b")])
    Scheduler(session).create_run("d")
    if before:
        operate(session, before, "d.a", downstream="run")
    spoil("d", session)
    assert outcomes(operate(session, verb, "d.a", **options)) == {"d.a": "applied"}
