"""The operators against a real server over HTTP: what they ask, what they return, what fails them."""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow.serialization.serialized_objects import DagSerialization

from taskops_provider.domain.states import Verb
from taskops_provider.hooks import server as asking
from taskops_provider.hooks.errors import (
    NoAnswer,
    NotFound,
    PermissionMissing,
    RequestRefused,
    ServerUnavailable,
    StateConflict,
    Stopped,
    TargetsRefused,
)
from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.operators.applying import PreviewThenApply
from taskops_provider.operators.tasks import (
    OfflineTasksOperator,
    PauseTasksOperator,
    StartTasksOperator,
    SubmitTasksOperator,
)
from tests.support.taskops_server import Reply, TaskOpsServer, taskops_server

PAUSE = "POST /taskops/v1/tasks/pause"
BY = "by Dag night, task change, run manual__1"


@pytest.fixture
def server(monkeypatch) -> Iterator[TaskOpsServer]:
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.01)
    with taskops_server() as running:
        running.add("sales", "load", "check", "publish")
        running.add("stock", "count")
        define(monkeypatch, running.url)
        yield running


def define(monkeypatch, host: str, **extra: Any) -> None:
    connection = {"conn_type": "taskops", "host": host, "login": "bot", "password": "secret"}
    settings = {"retries": 2, "timeout": 5, **extra}
    monkeypatch.setenv("AIRFLOW_CONN_TASKOPS_DEFAULT", json.dumps({**connection, "extra": settings}))


def context(try_number: int = 1, map_index: int = -1) -> Any:
    ti = SimpleNamespace(
        dag_id="night", task_id="change", run_id="manual__1", try_number=try_number, map_index=map_index
    )
    return {"ti": ti, "ds": "2026-01-02", "run_id": ti.run_id}


def run(operator: Any, **where: Any) -> dict[str, Any]:
    return operator.execute(context(**where))


def pause(**arguments: Any) -> PauseTasksOperator:
    if not {"targets", "workflows", "external_dag_id"} & set(arguments):
        arguments["targets"] = [("sales", "load")]
    return PauseTasksOperator(task_id="change", **arguments)


def test_pauses_and_starts_the_tasks_of_one_dag(server):
    answer = run(pause(external_dag_id="sales", external_task_ids=["load", "check"]))
    assert answer["operation_id"] == 1
    assert answer["counts"] == {"applied": 2, "left_alone": 0, "blocked": 0}
    assert (server.status("sales", "load"), server.status("sales", "publish")) == ("paused", "scheduling")
    json.dumps(answer)
    start = StartTasksOperator(task_id="change", external_dag_id="sales", external_task_ids=("load", "check"))
    assert run(start)["counts"]["applied"] == 2
    assert server.status("sales", "load") == "scheduling"


def test_starts_what_another_operator_paused_and_nothing_else(server):
    run(pause(targets=[("stock", "count")]))
    paused = run(pause(targets=[("sales", "load"), ("stock", "count")]))
    run(StartTasksOperator(task_id="change", targets=paused))
    assert server.status("sales", "load") == "scheduling"
    assert server.status("stock", "count") == "paused"


def test_takes_whole_workflows_offline_and_submits_them(server):
    answer = run(OfflineTasksOperator(task_id="change", workflows=["sales"], downstream="fail", cascade=True))
    assert answer["counts"]["applied"] == 3
    assert server.changes()[0].body["cascade"] is True
    assert run(SubmitTasksOperator(task_id="change", workflows=["sales"]))["counts"]["applied"] == 3


def test_sends_the_options_of_its_verb(server):
    run(
        pause(
            downstream="hold", terminate_instances=True, resume_at="2026-12-24T06:00", ticket="OPS-1", reason="new\nDB"
        )
    )
    [change] = server.changes()
    assert {key: value for key, value in change.body.items() if key not in ("targets", "plan_hash")} == {
        "downstream": "hold",
        "terminate_instances": True,
        "resume_at": "2026-12-24T06:00",
        "ticket": "OPS-1",
        "reason": f"new DB ({BY})",
    }
    run(StartTasksOperator(task_id="change", targets=[("sales", "load")], held="skip"))
    assert server.changes()[1].body["held"] == "skip"


@pytest.mark.parametrize(
    ("operator", "status"),
    [
        (StartTasksOperator, "paused"),
        (PauseTasksOperator, "scheduling"),
        (OfflineTasksOperator, "scheduling"),
        (SubmitTasksOperator, "offline"),
    ],
)
@pytest.mark.parametrize("of", [{"targets": [("sales", "load")]}, {"workflows": ["sales"]}], ids=["tasks", "workflows"])
def test_owners_are_told_where_that_is_asked_for(server, operator, status, of):
    server.notified = {"told": ["ann@example.com"], "unreachable": ["bob"], "channels": ["email"]}
    for task in server.tasks.values():
        task["status"] = status
    answer = run(operator(task_id="change", notify_owners=True, **of))
    previewed, applied = (seen.body for seen in server.seen if seen.method == "POST" and "targets" in seen.body)
    assert previewed["notify_owners"] is applied["notify_owners"] is True  # the plan's hash is of both
    assert answer["notified"] == server.notified
    # what is so already was not done by this one: nobody is told of it
    assert "notified" not in run(operator(task_id="change", notify_owners=True, **of))


@pytest.mark.parametrize(
    ("notified", "line"),
    [
        ({"told": ["a@b.c"], "unreachable": [], "channels": ["email"]}, "a@b.c"),
        ({"told": [], "unreachable": ["bob"], "channels": []}, "nobody; no address is known for bob"),
        ({"told": ["a@b.c"], "unreachable": [], "channels": ["email", "webhook"]}, "a@b.c, by webhook"),
        (
            {"told": [f"{n}@b.c" for n in range(12)], "unreachable": [], "channels": ["email"]},
            ", ".join(f"{n}@b.c" for n in range(10)) + " and 2 more",
        ),
    ],
)
def test_the_log_says_who_is_told(server, caplog, notified, line):
    """With a logger of Python's own: structlog leaves out what is no warning, in tests."""
    server.notified = notified
    hook = TaskOpsHook()
    change = partial(hook.change_tasks, "pause", [("sales", "load")], notify_owners=True)
    kind = {"whole_workflows": False, "fail_on_refused": True, "tried_before": False, "reason": BY, "where": "here"}
    with caplog.at_level("INFO"):
        PreviewThenApply(Verb.PAUSE, change, hook.get_tasks, log=logging.getLogger("told"), **kind).run()
    assert [one.getMessage() for one in caplog.records if one.name == "told"][1:] == [f"pause: owners told: {line}"]


def test_nobody_is_told_unasked(server):
    server.notified["told"] = ["ann@example.com"]
    assert "notified" not in run(pause())
    assert all("notify_owners" not in seen.body for seen in server.seen if "targets" in (seen.body or ()))


def test_a_time_from_now_on(server):
    before = datetime.now(UTC)
    run(pause(resume_at=timedelta(hours=2)))
    sent = datetime.fromisoformat(server.changes()[0].body["resume_at"])
    assert before + timedelta(hours=2) <= sent <= datetime.now(UTC) + timedelta(hours=2)


@pytest.mark.parametrize(("index", "origin"), [(-1, BY), (3, BY.replace("change", "change[3]"))])
def test_the_reason_names_what_asked(server, index, origin):
    run(pause(), map_index=index)
    assert server.changes()[0].body["reason"] == origin


def test_a_long_reason_keeps_what_asked(server):
    run(pause(reason="x" * 5000))
    reason = server.changes()[0].body["reason"]
    assert len(reason) == 2000
    assert reason.endswith(f"({BY})")


def test_what_is_so_already_is_fine(server):
    run(pause())
    again = run(pause(targets=[("sales", "load"), ("sales", "check")]))
    assert again["counts"] == {"applied": 1, "left_alone": 1, "blocked": 0}
    third = run(pause())
    assert third["counts"]["applied"] == 0
    assert (again["outcome"], third["outcome"]) == ("success", "success")
    assert server.operations == 2


def test_a_refused_target_fails_the_task_and_nothing_is_changed(server):
    server.tasks["sales", "check"]["status"] = "offline"
    server.blocked.add(("sales", "publish"))
    with pytest.raises(TargetsRefused) as caught:
        run(pause(external_dag_id="sales", external_task_ids=["load", "check", "publish"]))
    assert str(caught.value) == (
        "pause does not apply to 2 of 3 targets, nothing was changed: sales check: is offline; pause applies to "
        "tasks that are scheduling; sales publish: is needed downstream (by other reader, a task that this user may "
        "not see)"
    )
    assert not isinstance(caught.value, AirflowFailException), "the state may be another one at the next try"
    assert server.status("sales", "load") == "scheduling"
    assert not server.changes()


def test_a_missing_permission_fails_the_task_without_retries(server):
    server.forbidden.add("sales")
    with pytest.raises(PermissionMissing) as caught:
        run(pause())
    assert str(caught.value) == (
        "pause does not apply to 1 of 1 targets, nothing was changed: sales load: you may not change this Dag; "
        f"asked {server.url} as 'bot' (connection 'taskops_default')"
    )
    server.tasks["stock", "count"]["status"] = "offline"
    with pytest.raises(TargetsRefused):
        run(pause(targets=[("sales", "load"), ("stock", "count")]))


def test_refused_targets_can_be_put_up_with(server, caplog):
    server.tasks["sales", "check"]["status"] = "offline"
    answer = run(pause(external_dag_id="sales", external_task_ids=["load", "check"], fail_on_refused=False))
    assert answer["outcome"] == "part_success"
    assert server.status("sales", "load") == "paused"
    assert run(pause(targets=[("sales", "check")], fail_on_refused=False))["outcome"] == "refused"


def test_no_targets_are_nothing_to_do(server):
    answer = run(pause(targets=[]))
    assert (answer["operation_id"], answer["items"]) == (None, [])
    nothing_changed = {"items": [{"dag_id": "sales", "task_id": "load", "outcome": "left_alone"}]}
    assert run(StartTasksOperator(task_id="change", targets=nothing_changed))["items"] == []
    assert not server.seen


@pytest.mark.parametrize("reply", [Reply(do=True, drop=True), Reply(500), Reply(do=True, status=502)])
def test_a_change_whose_answer_is_lost_is_looked_after(server, reply):
    server.then(PAUSE, Reply(do=True), reply)
    answer = run(pause())
    assert [item["outcome"] for item in answer["items"]] == ["applied"]
    assert server.status("sales", "load") == "paused"
    assert server.operations == 1


def test_what_was_paused_before_is_not_taken_for_ours_when_an_answer_is_lost(server):
    run(pause(targets=[("sales", "check")], reason="by hand"))
    server.then(PAUSE, Reply(do=True), Reply(do=True, drop=True))
    answer = run(pause(targets=[("sales", "load"), ("sales", "check")]))
    assert [(item["task_id"], item["outcome"]) for item in answer["items"]] == [
        ("load", "applied"),
        ("check", "left_alone"),
    ]


def test_a_second_try_knows_what_the_first_one_did(server):
    """The worker died after the change and before its answer was stored."""
    run(pause())
    assert [item["outcome"] for item in run(pause(), try_number=2)["items"]] == ["applied"]
    assert [item["outcome"] for item in run(pause(), try_number=1)["items"]] == ["left_alone"]


def test_gives_up_when_no_answer_ever_comes(server):
    server.then(PAUSE, *[Reply(do=True), Reply(500)] * 3)
    with pytest.raises(NoAnswer, match="may or may not have been carried out"):
        run(pause())


def test_looks_again_when_someone_was_quicker(server):
    server.then(PAUSE, Reply(do=True), Reply(409, {"detail": "the plan has changed"}))
    assert run(pause())["counts"]["applied"] == 1
    server.then(PAUSE, *[Reply(do=True), Reply(409, {"detail": "the plan has changed"})] * 3)
    with pytest.raises(StateConflict):
        run(pause(targets=[("sales", "check")]))


def test_an_unknown_task_and_bad_options_fail_without_retries(server):
    with pytest.raises(NotFound, match="'sales nowhere' does not exist") as unknown:
        run(pause(targets=[("sales", "nowhere")]))
    with pytest.raises(RequestRefused, match="downstream: Input should be") as bad:
        run(pause(downstream="explode"))
    assert isinstance(unknown.value, AirflowFailException)
    assert isinstance(bad.value, AirflowFailException)


def test_a_server_that_is_down_is_left_to_the_retries(monkeypatch, server):
    define(monkeypatch, "http://127.0.0.1:1", retries=0)
    with pytest.raises(ServerUnavailable, match="cannot log in to pause tasks at http://127") as caught:
        run(pause())
    assert not isinstance(caught.value, AirflowFailException)


def test_a_killed_task_does_not_wait_for_a_server_that_is_down(monkeypatch, server):
    monkeypatch.setattr(asking, "FIRST_WAIT", 20)
    monkeypatch.setattr(asking, "LONGEST_WAIT", 20)
    server.then(PAUSE, Reply(503))
    operator = pause()
    # as the task runner does it: in a signal handler, in the middle of whatever the task is at
    before = signal.signal(signal.SIGALRM, lambda *_: operator.on_kill())
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    begun = time.monotonic()
    try:
        with pytest.raises(Stopped):
            run(operator)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "arguments",
    [
        {"external_dag_id": "sales"},
        {"external_task_ids": ["load"]},
        {"targets": [], "workflows": []},
        {"external_dag_id": "sales", "external_task_ids": [], "targets": []},
    ],
)
def test_the_targets_are_named_in_one_way(arguments):
    with pytest.raises(ValueError, match="PauseTasksOperator needs one of"):
        PauseTasksOperator(task_id="change", **arguments)
    with pytest.raises(ValueError, match="needs one of"):
        StartTasksOperator(task_id="change")


@pytest.mark.parametrize(
    "arguments",
    [
        {"external_dag_id": "sales", "external_task_ids": "['load']"},
        {"workflows": "sales"},
        {"targets": "None"},
    ],
)
def test_a_template_that_gave_no_list_says_so(server, arguments):
    with pytest.raises(RequestRefused, match="must be a list"):
        run(PauseTasksOperator(task_id="change", **arguments))


def test_templates_are_rendered(server):
    operator = PauseTasksOperator(
        task_id="change",
        external_dag_id="{{ 'sa' + 'les' }}",
        external_task_ids=["{{ 'load' }}"],
        reason="of {{ ds }}",
        resume_at="{{ ds }}T06:00",
        downstream="{{ 'run' }}",
        taskops_conn_id="{{ 'taskops' }}_default",
    )
    operator.render_template_fields(context())
    run(operator)
    body = server.changes()[0].body
    assert body["targets"] == [{"dag_id": "sales", "task_id": "load"}]
    assert (body["downstream"], body["resume_at"]) == ("run", "2026-01-02T06:00")
    assert body["reason"].startswith("of 2026-01-02 (by Dag")


def test_dags_with_the_operators_can_be_stored():
    with DAG("night", schedule=None) as dag:
        paused = PauseTasksOperator(task_id="pause", targets=[("sales", "load")], resume_at=timedelta(hours=2))
        start = StartTasksOperator(task_id="start", targets=paused.output)
        OfflineTasksOperator.partial(task_id="mapped", external_dag_id="sales").expand(external_task_ids=[["a"], ["b"]])
        SubmitTasksOperator(task_id="submit", workflows=["sales"]).as_teardown(setups=paused)
    stored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    assert stored.get_task("start").upstream_task_ids == {"pause"}
    assert start.upstream_task_ids == {"pause"}
    assert tuple(stored.get_task("pause").template_fields) == PauseTasksOperator.template_fields
