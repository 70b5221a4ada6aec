"""A Dag that you may not read does not exist: in no list, total, lineage, blocker or record (requirements 10)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG, Asset

from taskops_provider.adapter.permissions import UserPermissions
from taskops_provider.services.exports import prepare as export_prepare
from taskops_provider.services.exports import request as export_request
from taskops_provider.services.operations.strict_mode_setting import set_strict_mode
from tests.support.airflow_db import write_dags
from tests.support.api import Api, fab_user, tasks, workflows
from tests.support.apps import READER, READERS_DAG, web_app
from tests.support.instances import write_runs
from tests.support.warehouse import ALICE, START, bash, chain, install, operate

SECRET = "secret"


def dags() -> list[DAG]:
    """The readable Dag between secret ones: it waits for one, triggers one, and one waits for its asset."""
    table = Asset("s3://warehouse/customers")
    with DAG(READERS_DAG, schedule="@daily", start_date=START, catchup=False) as customers:
        wait = ExternalTaskSensor(task_id="wait", external_dag_id="secret_source", external_task_id="secret_load")
        trigger = TriggerDagRunOperator(task_id="tell", trigger_dag_id="secret_report")
        wait >> bash("build", outlets=[table]) >> trigger
    with DAG("secret_mart", schedule=[table], start_date=START, catchup=False) as mart:
        bash("secret_sum", owner="secret_owner")
    sensor_dag = DAG("secret_sensor", schedule="@daily", start_date=START, catchup=False)
    with sensor_dag:
        ExternalTaskSensor(task_id="secret_wait", external_dag_id=READERS_DAG, external_task_id="tell")
    source = chain("secret_source", "secret_load", owner="secret_owner")
    return [customers, mart, sensor_dag, source, chain("secret_report", "secret_render")]


@pytest.fixture
def web(session):
    write_dags(dags()[1:], session, bundle="secret-bundle")
    install(session, dags()[:1])
    write_runs(session, "secret_source", ["secret_load"], range(3))
    write_runs(session, READERS_DAG, ["build"], range(3))
    with web_app("fab").active() as app:
        yield app


@pytest.fixture
def reader(web):
    return Api(web, READER)


@pytest.fixture
def editor(web):
    """May edit the one Dag, and delete none."""
    permissions = [("can_read", f"DAG:{READERS_DAG}"), ("can_edit", f"DAG:{READERS_DAG}")]
    return Api(web, fab_user(web, "editor", *permissions))


@pytest.fixture
def history(session):
    """Operations that touched both sides; returns their numbers."""
    both = operate(session, "set-owners", f"{READERS_DAG}.build", "secret_mart.secret_sum", owners=["ann"])
    hidden = operate(session, "pause", "secret_source.secret_load", reason="secret reason", ticket="secret ticket")
    set_strict_mode(session, ALICE, None, True, datetime.now(UTC))
    session.commit()
    from taskops_provider.services.catalog.filters import TaskFilter

    export_request.request_export(session, ALICE, TaskFilter(workflows=("secret",)), "csv", datetime.now(UTC))
    session.commit()
    while export_prepare.prepare_next(session, datetime.now(UTC)):
        session.commit()
    return {"both": both.operation_id, "hidden": hidden.operation_id}


def test_nothing_that_is_read_names_it(session, reader, history):
    paths = [
        "workflows",
        f"workflows/{READERS_DAG}",
        f"workflows/{READERS_DAG}/diagram",
        "tasks",
        *(f"tasks/{READERS_DAG}/{task}" for task in ("wait", "build", "tell")),
        *(f"tasks/{READERS_DAG}/{task}/lineage?depth=20" for task in ("wait", "build", "tell")),
        *(f"tasks/{READERS_DAG}/{task}/why" for task in ("wait", "build", "tell")),
        "operations",
        *(f"operations/{number}" for number in history.values() if number != history["hidden"]),
        "settings/strict-mode",
        "workflows?deleted=true&absent=true",
        "tasks?deleted=true&absent=true&order_by=-last_submitted_at",
    ]
    for path in paths:
        answer = reader.ask("GET", path)
        assert answer.status_code == 200, (path, answer.text)
        assert SECRET not in answer.text, (path, answer.text)
        assert "customer_dim" in answer.text or "operations" in path or "settings" in path


def test_totals_count_what_may_be_read(reader, history):
    assert reader.get("workflows")["total_entries"] == 1
    assert reader.get("tasks")["total_entries"] == 3
    assert [node["task_id"] for node in reader.get(f"tasks/{READERS_DAG}/build/lineage", depth=9)["nodes"]] == [
        "wait",
        "build",
        "tell",
    ]
    seen = reader.get("operations")
    assert sorted(record["verb"] for record in seen["operations"]) == ["set-owners", "strict-mode-on"]
    assert seen["total_entries"] == 2
    counts = {record["verb"]: record["counts"]["applied"] for record in seen["operations"]}
    assert counts == {"set-owners": 1, "strict-mode-on": 1}
    [settings] = [record for record in seen["operations"] if record["verb"] == "strict-mode-on"]
    assert settings["options"] == {"projects": ["dags-folder"]}
    assert [mode["project"] for mode in reader.get("settings/strict-mode")["projects"]] == ["dags-folder"]
    shown = reader.get(f"operations/{history['both']}")
    assert [item["dag_id"] for item in shown["items"]] == [READERS_DAG]


def test_asking_for_it_is_asking_for_what_does_not_exist(reader, history):
    """The same answer, but for the name that was asked for."""

    def told(method, path, name, body=None):
        request = {"json": body} if body is not None else {}
        return reader.refused(404, method, path, **request).replace(name, "?")

    of_task = [f"tasks/{{}}/x{part}" for part in ("", "/lineage", "/why", "/instances")]
    for path in ("workflows/{}", "workflows/{}/diagram", *of_task):
        assert told("GET", path.format("secret_mart"), "secret_mart") == told("GET", path.format("nodag"), "nodag")
    for verb in ("pause", "start", "set-owners"):
        answers = []
        for name in ("secret_mart", "nodag"):
            body = {"targets": workflows(name), **({"owners": ["x"]} if verb == "set-owners" else {})}
            answers.append(told("POST", f"workflows/{verb}", name, body))
            body["targets"] = tasks(f"{name}.secret_sum")
            answers.append(told("POST", f"tasks/{verb}", name, body))
        assert answers[:2] == answers[2:]
    number = history["hidden"]
    for method, path, body in (("GET", "operations/{}", None), ("POST", "operations/{}/undo", {})):
        hidden, unknown = (told(method, path.format(n), str(n), body) for n in (number, 4711))
        assert hidden == unknown
    instances = {"instances": [{"run_id": "run_0001"}]}
    answers = [told("POST", f"tasks/{dag}/x/instances/rerun", dag, instances) for dag in ("secret_source", "nodag")]
    assert answers[0] == answers[1]


def test_filters_do_not_tell_either(reader, history):
    for query in (
        "search=secret",
        "owner=secret_owner",
        "workflow_like=secret",
        "dag_id=secret_mart",
        "project=secret-bundle",
    ):
        if not query.startswith(("workflow_like=", "dag_id=")):
            assert reader.get(f"workflows?{query}") == {"workflows": [], "total_entries": 0}
        assert reader.get(f"tasks?{query}") == {"tasks": [], "total_entries": 0}
    for query in ("dag_id=secret_mart", "task_id=secret_sum", "verb=pause", "actor=alice&verb=pause", "verb=export"):
        assert reader.get(f"operations?{query}") == {"operations": [], "total_entries": 0}


def test_blockers_and_what_is_affected_are_not_named_nor_counted(session, web, editor, history):
    preview = editor.ask("POST", "tasks/pause", json={"targets": tasks(f"{READERS_DAG}.tell"), "dry_run": True})
    assert preview.json()["items"][0]["outcome"] == "blocked"
    assert preview.json()["items"][0]["blocked_by"] == [
        {"dag_id": None, "task_id": None, "name": "others that you may not see"}
    ], "one for all of them: several would tell how many there are"
    assert SECRET not in preview.text
    applied = editor.ask("POST", "tasks/pause", json={"targets": tasks(f"{READERS_DAG}.tell")})
    record = editor.ask("GET", f"operations/{applied.json()['operation_id']}")
    assert record.text.count("others that you may not see") == 1
    assert SECRET not in applied.text + record.text
    set_strict_mode(session, ALICE, None, False, datetime.now(UTC))
    session.commit()
    preview = editor.post("tasks/pause", targets=tasks(f"{READERS_DAG}.build"), dry_run=True)
    assert len(preview["affects"].pop("workflows")) == 1
    assert preview["affects"] == {"instances": 0, "downstream_tasks": 1, "downstream_workflows": 1, "drains": []}
    everything = Api(web, "admin").post("tasks/pause", targets=tasks(f"{READERS_DAG}.build"), dry_run=True)
    assert everything["affects"]["downstream_workflows"] == 4


def test_blockers_of_others_records_are_hidden(session, web, reader, history):
    """What an admin was told in full, a limited reader is told without names."""
    done = Api(web, "admin").post("tasks/pause", targets=tasks(f"{READERS_DAG}.tell"))
    assert SECRET in str(done)
    assert SECRET not in reader.ask("GET", f"operations/{done['operation_id']}").text


def test_who_may_read_may_not_change(session, reader, history):
    body = {"targets": tasks(f"{READERS_DAG}.build"), "owners": ["x"]}
    told = reader.refused(403, "POST", "tasks/set-owners", json=body)
    assert told == f"nothing was done with {READERS_DAG} build: you may not change this Dag"
    told = reader.refused(403, "PUT", "settings/strict-mode", json={"project": None, "strict_mode": True})
    assert told == "changing strict mode needs the permission to edit every Dag"
    assert "you may not change this Dag" in reader.refused(403, "POST", f"operations/{history['both']}/undo", json={})


def test_who_may_edit_one_dag_edits_that_one(session, editor, history):
    changed = editor.post("tasks/set-owners", targets=tasks(f"{READERS_DAG}.build"), owners=["x"])
    assert changed["outcome"] == "success"
    assert editor.refused(403, "PUT", "settings/strict-mode", json={"project": "dags-folder", "strict_mode": False})


def test_an_undo_of_what_one_may_edit_leaves_the_rest_to_who_may(session, web, editor, history):
    path = f"operations/{history['both']}"
    mine = editor.post(f"{path}/undo")
    assert [(item["dag_id"], item["outcome"]) for item in mine["items"]] == [(READERS_DAG, "applied")]
    assert editor.get(path)["undone_by"] is None
    admin = Api(web, "admin")
    rest = admin.post(f"{path}/undo")
    assert [(item["dag_id"], item["outcome"]) for item in rest["items"]] == [
        (READERS_DAG, "left_alone"),
        ("secret_mart", "applied"),
    ]
    assert admin.get("tasks/secret_mart/secret_sum")["owners"] == ["secret_owner"]
    assert admin.get(path)["undone_by"] == rest["operation_id"]


def test_deleting_a_workflow_needs_more_than_editing(session, web, editor):
    operate(session, "offline", READERS_DAG)
    body = {"targets": workflows(READERS_DAG), "downstream": "run"}
    assert editor.refused(403, "POST", "workflows/delete", json=body).endswith(": you may not delete this Dag")
    permissions = [(action, f"DAG:{READERS_DAG}") for action in ("can_read", "can_edit", "can_delete")]
    remover = Api(web, fab_user(web, "remover", *permissions))
    assert remover.post("workflows/delete", **body)["outcome"] == "success"


def test_instances_have_a_permission_of_their_own(session, web, editor):
    """Reading and editing a Dag does not bring its task instances along, as in Airflow."""
    path = f"tasks/{READERS_DAG}/build"
    change = {"instances": [{"run_id": "run_0001"}]}
    for asked in ("instances", "curve"):
        assert editor.refused(403, "GET", f"{path}/{asked}") == "you may not see the task instances of this Dag"
    told = "you may not change the task instances of this Dag"
    assert editor.refused(403, "POST", f"{path}/instances/rerun", json=change) == told
    seen = ("Task Instances", "DAG Runs")
    permissions = [("can_read", f"DAG:{READERS_DAG}"), ("can_edit", f"DAG:{READERS_DAG}")]
    watcher = Api(web, fab_user(web, "watcher", *permissions, *(("can_read", name) for name in seen)))
    assert watcher.get(f"{path}/instances")["total_entries"] == 3
    assert watcher.refused(403, "POST", f"{path}/instances/rerun", json=change) == told
    permissions += [(action, name) for action in ("can_read", "can_edit") for name in seen]
    rerunner = Api(web, fab_user(web, "rerunner", *permissions))
    assert rerunner.post(f"{path}/instances/rerun", **change)["outcome"] == "success"


def test_who_may_read_no_dag_gets_nothing(web):
    nobody = Api(web, "nobody")
    for path in ("tasks", "workflows", "operations", "settings/strict-mode", "exports/1"):
        assert nobody.refused(403, "GET", path).startswith("you may not read any Dag")


def test_downloads_hold_what_may_be_read(session, web, reader, history):
    asked = reader.post("exports", 202, kind="tasks", format="json")
    workflows_asked = reader.post("exports", 202, kind="workflows")
    while export_prepare.prepare_next(session, datetime.now(UTC)):
        session.commit()
    content = reader.ask("GET", f"exports/{asked['export_id']}/content")
    assert len(content.json()) == 3
    assert SECRET not in content.text
    assert SECRET not in reader.ask("GET", f"exports/{workflows_asked['export_id']}/content").text
    assert reader.refused(404, "GET", "exports/1")  # alice's
    [first, _] = reader.get("operations", verb="export")["operations"]
    assert first["actor"] == READER


def test_a_user_who_reads_every_dag_reads_all_without_naming_them(web):
    permissions = UserPermissions(web._users["viewer"])
    assert permissions.readable() is None
    assert UserPermissions(web._users[READER]).readable() == {READERS_DAG}
    assert UserPermissions(web._users["nobody"]).readable() == frozenset()
