"""The operators on instances and runs against the real API: what they do, what they return, what fails them."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import func, select

from taskops_provider.hooks import calls
from taskops_provider.hooks.errors import NoAnswer, RequestRefused, TargetsRefused
from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.models import Operation
from taskops_provider.operators.instances import (
    ForceTaskInstancesOperator,
    HoldRunsOperator,
    HoldTaskInstancesOperator,
    ReleaseRunsOperator,
    ReleaseTaskInstancesOperator,
    RerunTaskInstancesOperator,
)
from tests.support.api import Api
from tests.support.apps import web_app
from tests.support.instances import write_runs
from tests.support.scheduling import Scheduler
from tests.support.warehouse import chain, install


@pytest.fixture
def api(session, monkeypatch):
    """The hook asks the real API, without a socket."""
    install(session, [chain("orders", "extract", "clean", "load")])
    with web_app("simple").active() as web:
        api = Api(web, "user")

        def run(self: TaskOpsHook, asked: calls.Calls[Any]) -> Any:
            try:
                call = next(asked)
                while True:
                    path = call.path.lstrip("/")
                    reads = call.method == "GET"
                    call = asked.send(api.get(path, **call.params) if reads else api.post(path, **call.body))
            except StopIteration as end:
                return end.value

        monkeypatch.setattr(TaskOpsHook, "_run", run)
        monkeypatch.setattr(TaskOpsHook, "endpoint", "http://airflow")
        yield api


def run(operator: Any, try_number: int = 1) -> dict[str, Any]:
    ti = SimpleNamespace(dag_id="night", task_id="change", run_id="manual__1", try_number=try_number, map_index=-1)
    return operator.execute({"ti": ti, "ds": "2026-01-02", "run_id": ti.run_id})


def on(kind: Any, *run_ids: str, **more: Any) -> Any:
    return kind(task_id="change", external_dag_id="orders", external_task_id="clean", run_ids=list(run_ids), **more)


def state(session, task_id="clean", run_id="run_0000") -> str | None:
    session.expire_all()
    return session.scalar(select(TI.state).where(TI.task_id == task_id, TI.run_id == run_id))


def test_reruns_with_downstream_and_returns_what_was_done(api, session):
    write_runs(session, "orders", ["extract", "clean", "load"], range(2))
    answer = run(on(RerunTaskInstancesOperator, "run_0000", with_downstream="workflow", reason="late"))
    assert (answer["verb"], answer["outcome"], answer["counts"]["applied"]) == ("instances-rerun", "success", 2)
    assert (state(session), state(session, "load"), state(session, "extract")) == (None, None, "success")
    assert session.scalar(select(Operation.reason)) == "late (by Dag night, task change, run manual__1)"


def test_a_rerun_whose_answer_was_lost_is_not_done_twice(api, session, monkeypatch):
    write_runs(session, "orders", ["clean"], range(1))
    send = TaskOpsHook.change_instances

    def lost(self: Any, *arguments: Any, **options: Any) -> Any:
        answer = send(self, *arguments, **options)
        if not options.get("dry_run"):
            raise NoAnswer("no answer came")
        return answer

    monkeypatch.setattr(TaskOpsHook, "change_instances", lost)
    answer = run(on(RerunTaskInstancesOperator, "run_0000"))
    assert answer["operation_id"] == session.scalar(select(Operation.id))
    assert run(on(RerunTaskInstancesOperator, "run_0000"), try_number=2)["operation_id"] == answer["operation_id"]
    assert session.scalar(select(func.count()).select_from(Operation)) == 1


def test_hold_twice_is_fine_and_release_too(api, session, caplog):
    Scheduler(session).create_run("orders", "run_0000")
    caplog.set_level(logging.INFO)
    assert run(on(HoldTaskInstancesOperator, "run_0000"))["counts"]["applied"] == 1
    again = run(on(HoldTaskInstancesOperator, "run_0000"))
    assert (again["outcome"], again["counts"]["applied"]) == ("success", 0)
    assert state(session) == "up_for_retry"
    assert run(on(ReleaseTaskInstancesOperator, "run_0000"))["counts"]["applied"] == 1
    assert run(on(ReleaseTaskInstancesOperator, "run_0000"))["outcome"] == "success"
    assert state(session) is None


def test_holds_and_releases_whole_runs_of_a_template(api, session):
    Scheduler(session).create_run("orders", "run_0000")
    hold = HoldRunsOperator(task_id="change", external_dag_id="orders", run_ids="run_0000")
    assert run(hold)["items"][0]["task_id"] is None
    assert [one["run_id"] for one in TaskOpsHook().list_holds("orders")] == ["run_0000"]
    release = ReleaseRunsOperator(task_id="change", external_dag_id="orders", run_ids=["run_0000"])
    assert run(release)["outcome"] == "success"
    assert TaskOpsHook().list_holds() == []


def test_what_does_not_apply_fails_the_task_and_changes_nothing(api, session):
    write_runs(session, "orders", ["clean"], range(1))
    Scheduler(session).create_run("orders", "run_new")
    with pytest.raises(
        TargetsRefused, match=r"hold does not apply to 1 of 2 targets, nothing was changed: orders\.clean"
    ):
        run(on(HoldTaskInstancesOperator, "run_new", "run_0000"))
    assert state(session, run_id="run_new") is None
    answer = run(on(HoldTaskInstancesOperator, "run_new", "run_0000", fail_on_refused=False))
    assert (answer["outcome"], answer["counts"]["applied"]) == ("part_success", 1)


def test_forces_and_refuses_what_is_no_run(api, session):
    write_runs(session, "orders", ["extract", "clean", "load"], range(1), "failed")
    assert run(on(ForceTaskInstancesOperator, "run_0000"))["counts"]["applied"] == 1
    for wrong in ([""], {"run": 1}, [None]):
        with pytest.raises(RequestRefused):
            run(
                RerunTaskInstancesOperator(
                    task_id="change", external_dag_id="orders", external_task_id="clean", run_ids=wrong
                )
            )
