"""Who may replenish through the dialog, and what leaks to whom: nothing (requirements 10)."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from taskops_provider.models import Replenishment
from tests.support.api import fab_user
from tests.support.apps import MANAGERS, NOBODY, web_app
from tests.support.dialogs import Dialogs
from tests.support.instances import run_id_of, write_runs
from tests.support.warehouse import chain, install, retail

TASKS, WORKFLOWS, INSTANCES = "replenish/tasks", "replenish/workflows", "replenish/instances"
DAYS = {"from": "2026-01-01T00:00", "to": "2026-01-02T00:00"}


@pytest.fixture(params=MANAGERS)
def web(request, session):
    install(session, [*retail(), chain("secret_dag", "hidden_task")])
    with web_app(request.param).active() as app:
        yield app


@pytest.fixture
def fab(session):
    install(session, [*retail(), chain("secret_dag", "hidden_task")])
    with web_app("fab").active() as app:
        yield app


def created(session) -> int:
    return session.scalar(select(func.count()).select_from(Replenishment))


def test_a_viewer_is_offered_nothing_and_refused(web, session):
    write_runs(session, "orders", ["clean"], [0])
    viewer = Dialogs(web, "viewer")
    for path, fields in (
        (TASKS, {"target": "orders clean"}),
        (TASKS, {"target": ["orders clean", "sales sum"]}),
        (TASKS, {"matching": "?dag_id=orders"}),
        (WORKFLOWS, {"target": "orders"}),
        (INSTANCES, {"dag_id": "orders", "task_id": "clean", "target": f"-1 {run_id_of(0)}"}),
    ):
        part = viewer.post(path, 403, **fields, **DAYS)
        assert "ou may " in part.problem, part.problem
        assert "<form" not in part.html
        viewer.post(path, 403, **fields, **DAYS, step="apply", part="plan", plan_hash="x")
    assert created(session) == 0
    for page in ("workflows", "tasks", "workflow?dag_id=orders", "task?dag_id=orders&task_id=clean&view=history"):
        assert "taskops/replenish/" not in viewer.client.get(f"/pluginsv2/taskops/{page}").text


@pytest.mark.parametrize("name", ["user", "op", "admin"])
def test_who_may_edit_dags_may(web, session, name):
    part = Dialogs(web, name).apply(TASKS, target="orders clean", **DAYS)
    assert part.title.endswith("is queued")
    assert created(session) == 1


def test_the_session_of_airflow_is_not_written(fab):
    answer = Dialogs(fab).post(TASKS, target="orders clean", **DAYS).answer
    assert not any(cookie.startswith("session=") for cookie in answer.headers.get_list("set-cookie"))


def test_names_that_may_not_be_read_appear_nowhere(fab, session):
    """In plans, steps across workflows, selections; what is hidden is told as what does not exist."""
    write_runs(session, "secret_dag", ["hidden_task"], [0])
    grants = [(verb, "DAG:orders") for verb in ("can_read", "can_edit")]
    grants += [("can_edit", "Task Instances"), ("can_edit", "DAG Runs"), ("can_create", "DAG Runs")]
    editor = Dialogs(fab, fab_user(fab, "orders.replenisher", *grants))
    part = editor.post(TASKS, target="orders load", downstream="9", upstream="9", **DAYS)
    assert part.action.startswith("Execute")
    for hidden in ("sales", ">wait", "mart", "secret"):
        assert hidden not in part.html, hidden
    assert "sales" not in editor.post(WORKFLOWS, matching="?", **DAYS).html
    for known, unknown in (("sales sum", "none sum"), ("secret_dag hidden_task", "none hidden_task")):
        lines = {editor.post(TASKS, 404, target=name, **DAYS).problem for name in (known, unknown)}
        assert all("does not exist" in line for line in lines)
    fields = {"dag_id": "secret_dag", "task_id": "hidden_task", "target": f"-1 {run_id_of(0)}"}
    assert "does not exist" in editor.post(INSTANCES, 404, **fields).problem
    mixed = [editor.post(TASKS, target=["orders clean", other], **DAYS).words for other in ("sales sum", "none sum")]
    assert mixed[0].replace("sales", "none") == mixed[1]


def test_who_may_read_nothing_is_told_nothing(fab):
    part = Dialogs(fab, NOBODY).post(TASKS, 403, target="orders clean", **DAYS)
    assert "You may not read any Dag" in part.words


def test_text_from_people_is_escaped(web):
    evil = '"><script>alert(1)</script>'
    admin = Dialogs(web)
    for part in (
        admin.post(TASKS, 422, target=f"orders{evil}", **DAYS),
        admin.post(TASKS, target="orders clean", name=evil, reason=evil, **DAYS),
        admin.post(TASKS, 422, target="orders clean", conf=evil, **DAYS),
        admin.post(TASKS, 422, target="orders clean", zone=evil, **DAYS),
        admin.post(TASKS, 422, target="orders clean", **{"from": evil, "to": evil}),
        admin.apply(TASKS, target="orders clean", name=evil, reason=evil, **DAYS),
    ):
        assert "<script" not in part.html
