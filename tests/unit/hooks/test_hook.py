"""The hook against a real server over HTTP: logins, paging, repetition, and one clear line for what goes wrong."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from tenacity import RetryCallState, Retrying

from taskops_provider.hooks import calls
from taskops_provider.hooks import server as asking
from taskops_provider.hooks.errors import (
    BadConnection,
    LoginRefused,
    NoAnswer,
    NotFound,
    PermissionMissing,
    RequestRefused,
    ServerUnavailable,
    StateConflict,
    Stopped,
    TaskOpsHookError,
    UnexpectedAnswer,
)
from taskops_provider.hooks.taskops import TaskOpsHook
from taskops_provider.hooks.taskops_async import TaskOpsAsyncHook
from tests.support.taskops_server import Reply, TaskOpsServer, taskops_server

TASK = "GET /taskops/v1/tasks/sales/load"
PAUSE = "POST /taskops/v1/tasks/pause"
TOKEN = "POST /auth/token"
Connect = Callable[..., str]


@pytest.fixture
def server() -> Iterator[TaskOpsServer]:
    with taskops_server() as running:
        running.add("sales", "load", "check")
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.01)


@pytest.fixture
def connect(monkeypatch) -> Connect:
    """Define the connection ``taskops_default``."""

    def define(host: str, extra: dict[str, Any] | None = None, **fields: Any) -> str:
        given = {"conn_type": "taskops", "host": host, "login": "bot", "password": "secret", **fields}
        settings = {"retries": 2, "timeout": 5, **(extra or {})}
        monkeypatch.setenv("AIRFLOW_CONN_TASKOPS_DEFAULT", json.dumps({**given, "extra": settings}))
        return host

    return define


@pytest.fixture
def hook(server, connect) -> TaskOpsHook:
    connect(server.url)
    return TaskOpsHook()


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_logs_in_once_and_says_where_changes_come_from(server, hook):
    assert hook.get_task("sales", "load")["status"] == "scheduling"
    assert hook.get_workflow("sales")["draining_runs"] == 0
    assert hook.change_tasks("pause", [("sales", "load")], reason="why")["counts"]["applied"] == 1
    assert server.status("sales", "load") == "paused"
    assert len(server.asked(TOKEN)) == 1
    assert {seen.headers.get("x-taskops-source") for seen in server.seen if "/v1/" in seen.path} == {"operator"}


def test_a_login_without_an_answer_is_repeated_and_then_the_change_is_sent(server, hook):
    server.then(TOKEN, Reply(502), Reply(drop=True))
    assert hook.change_tasks("pause", [("sales", "load")])["counts"]["applied"] == 1
    assert len(server.asked(TOKEN)) == 3
    assert len(server.asked(PAUSE)) == 1


def test_a_login_waits_no_longer_than_the_timeout(server, connect):
    connect(server.url, {"timeout": 0.2, "retries": 0})
    server.then(TOKEN, Reply(slow=1, do=True))
    with pytest.raises(ServerUnavailable, match=r"cannot log in to pause tasks at .*: it did not answer in 0.2 s"):
        TaskOpsHook().change_tasks("pause", [("sales", "load")])
    assert not server.changes()


def test_renews_its_token_when_it_has_expired(server, hook):
    hook.get_task("sales", "load")
    server.tokens.clear()
    assert hook.get_task("sales", "load")["task_id"] == "load"
    assert len(server.asked(TOKEN)) == 2


def test_renews_a_token_that_the_server_did_not_sign(server, hook):
    hook.get_task("sales", "load")
    server.then(TASK, Reply(403, {"detail": "Invalid JWT token"}))
    assert hook.get_task("sales", "load")["task_id"] == "load"
    assert len(server.asked(TOKEN)) == 2


def test_renews_once_and_then_says_so(server, hook):
    server.then(TASK, *[Reply(401, {"detail": "Token Expired"})] * 5)
    with pytest.raises(LoginRefused, match="the token that it gave a moment ago is not accepted"):
        hook.get_task("sales", "load")
    assert len(server.asked(TASK)) == 2


def test_a_change_is_sent_again_with_a_new_token(server, hook):
    hook.get_task("sales", "load")
    server.tokens.clear()
    assert hook.change_tasks("pause", [("sales", "load")])["operation_id"] == 1


@pytest.mark.parametrize("fields", [{"password": "by-hand"}, {"password": "", "extra": {"token": "by-hand"}}])
def test_takes_a_bare_token_when_there_is_no_login(server, connect, fields):
    server.tokens.add("by-hand")
    connect(server.url, login="", **fields)
    assert TaskOpsHook().get_task("sales", "load")["task_id"] == "load"
    assert not server.asked(TOKEN)


def test_says_that_a_bare_token_is_not_accepted(server, connect):
    connect(server.url, login="", password="old")
    with pytest.raises(LoginRefused, match="the connection's token is not accepted"):
        TaskOpsHook().get_task("sales", "load")


def test_says_that_there_is_no_login_at_all(server, connect):
    connect(server.url, login="", password="")
    with pytest.raises(LoginRefused, match="has neither a login nor a token"):
        TaskOpsHook().get_task("sales", "load")


def test_a_wrong_password_is_one_line_and_not_worth_a_retry(server, connect):
    connect(server.url, password="wrong")
    with pytest.raises(LoginRefused) as caught:
        TaskOpsHook().get_task("sales", "load")
    assert str(caught.value) == (
        f"cannot log in to read task 'load' of Dag 'sales' at {server.url} as 'bot' (connection 'taskops_default'): "
        "the user name or password is wrong (Invalid credentials (HTTP 401))"
    )
    assert isinstance(caught.value, AirflowFailException)
    assert "wrong" not in str(caught.value).split(":", 1)[0]
    assert len(server.asked(TOKEN)) == 1
    assert caught.value.__context__ is None  # no chain of errors stands behind the line in a task's log


@pytest.mark.parametrize(
    ("reply", "error", "told"),
    [
        (Reply(403, {"detail": "you may not change Dag 'sales'"}), PermissionMissing, "you may not change Dag 'sales'"),
        (Reply(404, {"detail": "task 'sales load' does not exist"}), NotFound, "'sales load' does not exist"),
        (Reply(409, {"detail": "the plan has changed"}), StateConflict, "the plan has changed"),
        (Reply(422, {"detail": [{"loc": ["body", "held"], "msg": "bad"}]}), RequestRefused, "held: bad (HTTP 422)"),
        (Reply(418, "tea"), RequestRefused, "HTTP 418"),
        (Reply(404, {"detail": "Not Found"}), NotFound, "there is no TaskOps API below"),
        (Reply(307, "", headers={"Location": "https://elsewhere/"}), UnexpectedAnswer, "redirects to 'https://elsewh"),
        (Reply(200, "<html>\n log in </html>", "text/html"), UnexpectedAnswer, "the answer is text/html and no JSON"),
        (Reply(200, '{"cut": '), UnexpectedAnswer, "no JSON"),
        (Reply(501, ""), UnexpectedAnswer, "HTTP 501"),
    ],
)
def test_what_the_server_refuses_is_one_line(server, hook, reply, error, told):
    server.then(PAUSE, reply)
    with pytest.raises(error) as caught:
        hook.change_tasks("pause", [("sales", "load")])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, AirflowFailException) == (error in (PermissionMissing, NotFound, RequestRefused))
    assert len(server.asked(PAUSE)) == 1


def test_what_only_reads_is_repeated(server, hook):
    server.then(TASK, Reply(500, "oops", "text/plain"), Reply(drop=True))
    assert hook.get_task("sales", "load")["task_id"] == "load"
    assert len(server.asked(TASK)) == 3


def test_gives_up_after_its_retries(server, hook):
    server.then(TASK, *[Reply(503, {"detail": "no tables: run airflow db migrate"})] * 9)
    with pytest.raises(ServerUnavailable, match=r"no tables.*\(HTTP 503\); tried 3 times") as caught:
        hook.get_task("sales", "load")
    assert not isinstance(caught.value, AirflowFailException)
    assert len(server.asked(TASK)) == 3


def test_a_server_that_is_down(connect):
    connect("127.0.0.1", port=closed_port(), schema="http")
    with pytest.raises(ServerUnavailable, match=r"does not answer: .*Connection refused; tried 3 times"):
        TaskOpsHook().change_tasks("pause", [("sales", "load")])


def test_a_slow_answer(server, connect):
    connect(server.url, {"timeout": 0.2, "retries": 1})
    server.then(TASK, Reply(slow=0.5, do=True))
    assert TaskOpsHook().get_task("sales", "load")["task_id"] == "load"
    server.then(TASK, Reply(slow=0.5, do=True), Reply(slow=0.5, do=True))
    with pytest.raises(ServerUnavailable, match=r"did not answer in 0.2 s; tried 2 times"):
        TaskOpsHook().get_task("sales", "load")


@pytest.mark.parametrize(
    "reply", [Reply(do=True, drop=True), Reply(do=True, slow=1), Reply(500), Reply(502), Reply(504)]
)
def test_a_change_without_an_answer_is_not_sent_again(server, connect, reply):
    connect(server.url, {"timeout": 0.3})
    hook = TaskOpsHook()
    server.then(PAUSE, reply)
    with pytest.raises(NoAnswer, match="it may or may not have been carried out") as caught:
        hook.change_tasks("pause", [("sales", "load")])
    assert not isinstance(caught.value, AirflowFailException)
    assert len(server.asked(PAUSE)) == 1


def test_a_change_that_was_surely_not_carried_out_is_sent_again(server, hook):
    server.then(PAUSE, Reply(503), Reply(429))
    assert hook.change_tasks("pause", [("sales", "load")])["counts"]["applied"] == 1
    assert len(server.asked(PAUSE)) == 3


def test_a_preview_is_repeated(server, hook):
    server.then(PAUSE, Reply(drop=True), Reply(500))
    plan = hook.change_tasks("pause", [("sales", "load")], dry_run=True)
    assert plan["dry_run"]
    assert server.status("sales", "load") == "scheduling"


def tried(number: int) -> RetryCallState:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = number
    return state


def test_waits_longer_each_time_and_not_always_as_long(monkeypatch):
    monkeypatch.setattr(asking, "FIRST_WAIT", 0.5)
    waits = [[asking.waits()(tried(number)) for _ in range(200)] for number in range(1, 9)]
    for number, some in enumerate(waits, start=1):
        longest = min(10, 0.5 * 2 ** (number - 1))
        assert longest / 2 <= min(some) < max(some) <= longest
        assert len(set(some)) > 100


def test_stops_waiting_when_the_task_is_told_to_end(server, hook, monkeypatch):
    monkeypatch.setattr(asking, "FIRST_WAIT", 30)
    monkeypatch.setattr(asking, "LONGEST_WAIT", 30)
    server.then(TASK, Reply(503))
    threading.Timer(0.2, hook.stop).start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        hook.get_task("sales", "load")
    assert time.monotonic() - begun < 5


def test_pages_through_lists(server, hook, monkeypatch):
    monkeypatch.setattr(calls, "PAGE", 3)
    server.add("big", *[f"t{number:02}" for number in range(8)])
    assert [task["task_id"] for task in hook.list_tasks(dag_id="big", search=None)] == [f"t{n:02}" for n in range(8)]
    asked = server.asked("GET /taskops/v1/tasks")
    assert [seen.query for seen in asked] == [
        {"dag_id": ["big"], "limit": ["3"], "offset": [offset]} for offset in ("0", "3", "6")
    ]
    assert [workflow["dag_id"] for workflow in hook.list_workflows()] == ["big", "sales"]


def test_reads_many_tasks_of_a_dag_with_its_list(server, hook):
    server.add("big", *[f"t{number}" for number in range(8)])
    wanted = [("big", "t7"), ("sales", "load"), *(("big", f"t{number}") for number in range(5))]
    assert [(task["dag_id"], task["task_id"]) for task in hook.get_tasks(wanted)] == wanted
    [listed] = server.asked("GET /taskops/v1/tasks")
    assert listed.query == {
        **{"dag_id": ["big"], "deleted": ["true"], "absent": ["true"]},
        **{"limit": ["500"], "offset": ["0"]},
    }
    with pytest.raises(NotFound, match="Task 'none' of Dag 'big' does not exist"):
        hook.get_tasks([*wanted, ("big", "none")])


def test_reads_instances(server, hook):
    assert hook.get_instances("sales", "load", limit=3, status="failed") == [{"run_id": "manual__1", "state": "failed"}]
    [seen] = server.asked(f"{TASK}/instances")
    assert seen.query == {"limit": ["3"], "status": ["failed"]}


def test_a_list_that_grows_shorter_meanwhile_ends(server, hook):
    server.then("GET /taskops/v1/tasks", Reply(body={"tasks": [{"a": 1}], "total_entries": 9}))
    server.then("GET /taskops/v1/tasks", Reply(body={"tasks": [], "total_entries": 9}))
    assert hook.list_tasks() == [{"a": 1}]


@pytest.mark.parametrize("body", [[], {"total_entries": 1}, {"tasks": None}])
def test_a_list_of_something_else(server, hook, body):
    server.then("GET /taskops/v1/tasks", Reply(body=body))
    with pytest.raises(UnexpectedAnswer, match="holds no 'tasks'"):
        hook.list_tasks()


def test_sends_only_the_options_that_were_chosen(server, hook):
    hook.change_tasks(
        "pause",
        iter([("sales", "load"), {"dag_id": "sales", "task_id": "load", "status": "x"}]),
        resume_at=datetime(2026, 12, 24, 6, tzinfo=UTC),
        terminate_instances=True,
        ticket="OPS-1",
    )
    [seen] = server.asked(PAUSE)
    assert seen.body == {
        "targets": [{"dag_id": "sales", "task_id": "load"}],
        "resume_at": "2026-12-24T06:00:00+00:00",
        "terminate_instances": True,
        "ticket": "OPS-1",
    }


def test_changes_what_another_change_changed(server, hook):
    hook.change_tasks("pause", [("sales", "check")])
    answer = hook.change_tasks("pause", [("sales", "load"), ("sales", "check")])
    assert [item["task_id"] for item in hook.change_tasks("start", answer)["items"]] == ["load"]


def test_changes_whole_workflows(server, hook):
    assert hook.change_workflows("offline", ["sales", "sales"], cascade=True)["counts"]["applied"] == 2
    [seen] = server.asked("POST /taskops/v1/workflows/offline")
    assert seen.body == {"targets": [{"dag_id": "sales"}], "cascade": True}


@pytest.mark.parametrize(
    ("verb", "targets", "told"),
    [
        ("paus", [("sales", "load")], "verb is 'paus'; allowed are start, pause, offline, delete, submit, set-own"),
        ("pause", "sales", "targets is 'sales'; it must be a list of (dag_id, task_id)"),
        ("pause", None, "targets is None"),
        ("pause", ["ab"], "target 'ab' is no (dag_id, task_id)"),
        ("pause", [("sales",)], "is no (dag_id, task_id)"),
        ("pause", [("sales", None)], "None is not a task id"),
        ("pause", [{"task_id": "load"}], "None is not a Dag id"),
        ("pause", {"dag_id": "sales", "task_id": "load"}, "targets is a dict without items"),
    ],
)
def test_targets_that_are_none(server, hook, verb, targets, told):
    with pytest.raises(RequestRefused) as caught:
        hook.change_tasks(verb, targets)
    assert told in str(caught.value)
    assert not server.changes()


def test_ids_are_quoted(server, hook):
    server.add("a b/c", "größe.ü?")
    assert hook.get_task("a b/c", "größe.ü?")["task_id"] == "größe.ü?"
    with pytest.raises(RequestRefused):
        hook.get_task("sales", "")


def test_honours_the_path_prefix_of_the_server(connect):
    with taskops_server("/team/airflow") as server:
        server.add("sales", "load")
        connect(f"{server.url}/")
        assert TaskOpsHook().get_task("sales", "load")["task_id"] == "load"
        connect(f"http://127.0.0.1:{server.port}")
        with pytest.raises(TaskOpsHookError, match=r"HTTP 404"):
            TaskOpsHook().get_task("sales", "load")


def test_a_server_that_speaks_no_http(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def speak() -> None:
            for _ in range(3):
                talk, _ = listener.accept()
                with talk:
                    talk.recv(100)
                    talk.sendall(b"220 mail.example.com ESMTP\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        connect(f"http://127.0.0.1:{port}")
        with pytest.raises(ServerUnavailable, match="the connection broke before it answered"):
            TaskOpsHook().get_task("sales", "load")
        thread.join()


def test_a_server_that_wants_https(server, connect):
    connect(f"https://127.0.0.1:{server.port}")
    with pytest.raises(ServerUnavailable, match=r"does not answer: .*SSL"):
        TaskOpsHook().get_task("sales", "load")


def test_a_ca_bundle_that_is_not_there(connect):
    connect("https://127.0.0.1:1", {"verify": "/no/such.pem"})
    with pytest.raises(BadConnection, match=r"verify is '/no/such\.pem': No such file"):
        TaskOpsHook().get_task("sales", "load")


def test_secrets_are_in_no_message_and_masked_in_logs(server, connect, monkeypatch):
    masked: list[str] = []
    monkeypatch.setattr("taskops_provider.hooks.taskops.mask_secret", masked.append)
    connect(server.url)
    hook = TaskOpsHook()
    hook.get_task("sales", "load")
    assert masked == ["token-1"]
    assert "secret" not in repr(hook.endpoint)
    connect(server.url, login="", password="by-hand")
    assert "by-hand" not in repr(TaskOpsHook().endpoint)


def test_the_button_of_the_connection_form(server, connect):
    connect(server.url)
    assert TaskOpsHook().test_connection() == (
        True,
        f"TaskOps answers at {server.url} as 'bot' (connection 'taskops_default')",
    )
    connect(server.url, password="wrong")
    works, why = TaskOpsHook().test_connection()
    assert not works
    assert "password is wrong" in why


def test_airflow_makes_the_hook_from_the_connection_type(server, connect):
    from airflow.sdk import BaseHook

    connect(server.url)
    hook = BaseHook.get_hook("taskops_default")
    assert isinstance(hook, TaskOpsHook)
    assert hook.get_task("sales", "load")["task_id"] == "load"


def test_an_unknown_connection(monkeypatch):
    with pytest.raises(Exception, match="no_such_connection"):
        TaskOpsHook("no_such_connection").get_task("sales", "load")


def test_the_asynchronous_twin(server, connect):
    connect(server.url)
    server.then(TASK, Reply(502), Reply(401, {"detail": "Token Expired"}))

    async def look() -> tuple[Any, ...]:
        hook = TaskOpsAsyncHook()
        tasks = await hook.get_tasks([("sales", "load"), ("sales", "check")])
        return tasks, await hook.get_task("sales", "load"), await hook.get_workflow("sales"), await hook.list_tasks()

    tasks, task, workflow, listed = asyncio.run(look())
    assert [found["task_id"] for found in tasks] == ["load", "check"]
    assert (task["task_id"], workflow["dag_id"], len(listed)) == ("load", "sales", 2)
    assert len(server.asked(TOKEN)) == 2


def test_the_asynchronous_twin_tells_the_same_errors(connect):
    connect(f"http://127.0.0.1:{closed_port()}", {"retries": 0})
    with pytest.raises(ServerUnavailable, match="does not answer"):
        asyncio.run(TaskOpsAsyncHook().get_tasks([("sales", "load")]))
