"""Who may see the pages: every route of ours, each role, both auth managers (requirements 10)."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy.orm import Session

from taskops_provider.www.urls import Urls
from taskops_provider.www.views import ALL_VIEWS
from taskops_provider.www.views.base import TaskOpsView, admit
from tests.support import rows
from tests.support.apps import MANAGERS, NOBODY, READER, READERS_DAG, WebApp, web_app
from tests.support.live import USERS

#: what is read at an address: what is asked there, and what an answer to somebody who may read all has in it
READS = {
    "/taskops/": ("", "customer_dim"),
    "/taskops/workflows": ("", "customer_dim"),
    "/taskops/tasks": ("", "customer_dim"),
    "/taskops/workflow": ("dag_id=customer_dim", "customer_dim"),
    "/taskops/workflow/summary": ("dag_id=customer_dim", "customer_dim"),
    "/taskops/workflow/bar": ("dag_id=customer_dim", "All scheduling"),
    "/taskops/folders": ("under=retail", "retail/warehouse"),
    "/taskops/owners": ("q=eri", "erika.mustermann"),
    "/taskops/diagram": ("dag_id=customer_dim", "customer_dim"),
    "/taskops/diagram/part": ("dag_id=customer_dim", "customer_dim"),
    "/taskops/task": ("dag_id=customer_dim&task_id=step_00", "step_00"),
    "/taskops/task/why": ("dag_id=customer_dim&task_id=step_00", ""),
    "/taskops/operations": ("", "Operation records"),
    "/taskops/replenishments": ("", "Replenishments"),
    "/taskops/replenishments/progress": ("", "looks-again"),
    "/taskops/alarms": ("", "Alarms"),
    "/taskops/alarm_rules": ("", "Alarm rules"),
    "/taskops/windows": ("", "Windows"),
    "/taskops/settings": ("", "retail"),
}
#: what needs a record, and so is 404 here
OF_A_RECORD = (
    "/taskops/alarm",
    "/taskops/alarm_rules/tested",
    "/taskops/operation",
    "/taskops/operation/download",
    "/taskops/replenishment",
    "/taskops/replenishment/progress",
)


@pytest.fixture(params=MANAGERS)
def web(request: pytest.FixtureRequest, session: Session) -> Iterator[WebApp]:
    rows.write(rows.ordinary(), session)
    with web_app(request.param).active() as app:
        yield app


@pytest.fixture
def fab(session: Session) -> Iterator[WebApp]:
    rows.write(rows.ordinary(), session)
    with web_app("fab").active() as app:
        yield app


def our_rules(app: WebApp) -> list[str]:
    rules = [rule for rule in app.flask.url_map.iter_rules() if rule.rule.startswith("/taskops")]
    assert rules
    return [rule.rule for rule in rules if rule.endpoint != "taskops.static"]


def reads(app: WebApp) -> set[str]:
    """The addresses at which something is read."""
    rules = app.flask.url_map.iter_rules()
    return {rule.rule for rule in rules if rule.rule in our_rules(app) and "GET" in (rule.methods or ())}


def test_the_walk_knows_all_pages(web: WebApp) -> None:
    assert reads(web) == {*READS, *OF_A_RECORD}


def test_every_route_hangs_on_a_guarded_blueprint(web: WebApp) -> None:
    for rule in web.flask.url_map.iter_rules():
        if rule.rule.startswith("/taskops") and rule.endpoint != "taskops.static":
            blueprint = rule.endpoint.rpartition(".")[0]
            assert admit in web.flask.before_request_funcs[blueprint], rule


def test_the_plugin_registers_guarded_views_and_static_files_only(web: WebApp) -> None:
    from taskops_provider.plugin import TaskOpsPlugin

    assert all(issubclass(view["view"], TaskOpsView) for view in TaskOpsPlugin.appbuilder_views)
    assert {view["view"] for view in TaskOpsPlugin.appbuilder_views} == set(ALL_VIEWS)
    assert not any("name" in view for view in TaskOpsPlugin.appbuilder_views)
    of_blueprint = [rule.endpoint for rule in web.flask.url_map.iter_rules() if rule.endpoint.startswith("taskops.")]
    assert of_blueprint == ["taskops.static"]


@pytest.mark.parametrize("role", USERS)
def test_every_role_reads_every_page(web: WebApp, role: str) -> None:
    client = web.client(role)
    for rule, (query, words) in READS.items():
        answer = client.get(f"/pluginsv2{rule}?{query}")
        assert answer.status_code == 200, (rule, role, answer.text[:500])
        assert words in answer.text
        # any write to Flask's session logs the user of FabAuthManager out
        assert not any(cookie.startswith("session=") for cookie in answer.headers.get_list("set-cookie"))


def test_anonymous_is_sent_to_the_login_and_back(web: WebApp) -> None:
    for rule in (*READS, *OF_A_RECORD):
        answer = web.client().get(f"/pluginsv2{rule}?q=a%26b&status=all_paused")
        assert answer.status_code == 302, rule
        target = urlsplit(answer.headers["location"])
        assert target.path.rstrip("/") == "/auth/login"
        back = urlsplit(parse_qs(target.query)["next"][0])
        assert back.path == f"/plugin/taskops/pluginsv2{rule}"
        assert parse_qs(back.query) == {"q": ["a&b"], "status": ["all_paused"]}
        assert "customer" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Dest": "iframe"}, {"Referer": "http://localhost:8080/plugin/taskops"}],
    ids=["https", "http"],
)
def test_anonymous_in_the_frame_gets_a_page_that_leads_the_window_to_the_login(
    web: WebApp, headers: dict[str, str]
) -> None:
    answer = web.client().get("/pluginsv2/taskops/tasks", headers=headers)
    assert answer.status_code == 401
    assert "data-login" in answer.text
    assert "/auth/login" in answer.text
    assert "customer" not in answer.text


def test_bad_tokens_are_anonymous(web: WebApp) -> None:
    good = web.token("admin")
    head, claims, signature = good.split(".")
    forged = f"{head}.{claims}.{signature[::-1]}"
    unsigned = f"eyJhbGciOiJub25lIn0.{claims}."
    expired = web.token("admin", expiration_time_in_seconds=-100)
    for token in ("rubbish", forged, unsigned, expired, ""):
        headers = {"Authorization": f"Bearer {token}"}
        answer = web.client().get("/pluginsv2/taskops/workflows", headers=headers)
        assert answer.status_code == 302, token
        answer = web.client().get("/pluginsv2/taskops/workflows", headers={"Cookie": f"_token={token}"})
        assert answer.status_code in (302, 401, 403), token
        assert "customer" not in answer.text


def test_a_revoked_token_is_anonymous(web: WebApp) -> None:
    token = web.token("admin")
    headers = {"Authorization": f"Bearer {token}"}
    assert web.client().get("/pluginsv2/taskops/workflows", headers=headers).status_code == 200
    web.manager.revoke_token(token)
    assert web.client().get("/pluginsv2/taskops/workflows", headers=headers).status_code == 302


def test_a_bearer_token_wins_over_the_cookie_and_other_headers_do_not_hide_it(web: WebApp) -> None:
    client = web.client("admin")
    assert client.get("/pluginsv2/taskops/workflows", headers={"Authorization": "Bearer no"}).status_code == 302
    # a reverse proxy with a password of its own
    assert client.get("/pluginsv2/taskops/workflows", headers={"Authorization": "Basic YTpi"}).status_code == 200


def test_nothing_can_be_written(web: WebApp) -> None:
    client = web.client("admin")
    for rule in (*READS, *OF_A_RECORD):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = client.request(method, f"/pluginsv2{rule}")
            assert answer.status_code in (400, 403, 405), (method, rule)


def test_flask_test_client_without_a_worker_thread(web: WebApp) -> None:
    """The token is checked also where no event loop runs."""
    client = web.flask.test_client()
    assert client.get("/taskops/workflows").status_code == 302
    client.set_cookie("_token", web.token("viewer"))
    assert client.get("/taskops/workflows").status_code == 200


def test_who_may_read_one_dag_sees_that_one_alone(fab: WebApp) -> None:
    client = fab.client(READER)
    page = client.get("/pluginsv2/taskops/workflows").text
    assert "1 workflow" in page
    assert READERS_DAG in page
    hidden = ("customer_master", "Customer master", "payments", "gülşen", "retail/reports", "erika")
    for path in ("workflows", "tasks", "workflows?q=customer", "tasks?dag_id=payments", "tasks?workflow=pay"):
        page = client.get(f"/pluginsv2/taskops/{path}").text
        # what was asked for stands in the form; nothing else may tell of it
        asked_for = path.partition("=")[2]
        assert not [name for name in hidden if name in page and not (asked_for and name.startswith(asked_for))], path
    assert "3 tasks" in client.get("/pluginsv2/taskops/tasks").text
    assert "0 tasks" in client.get("/pluginsv2/taskops/tasks?dag_id=payments").text


def test_who_may_read_no_dag_is_told(fab: WebApp) -> None:
    answer = fab.client(NOBODY).get("/pluginsv2/taskops/workflows")
    assert answer.status_code == 403
    assert "You may not read any Dag" in answer.text


def test_the_role_of_anonymous_users_is_respected(fab: WebApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__FAB__AUTH_ROLE_PUBLIC", "Viewer")
    assert fab.client().get("/pluginsv2/taskops/workflows").status_code == 200
    monkeypatch.setenv("AIRFLOW__FAB__AUTH_ROLE_PUBLIC", "")
    assert fab.client().get("/pluginsv2/taskops/workflows").status_code == 302


def test_static_files_are_public_and_the_folder_is_the_end(web: WebApp) -> None:
    client = web.client()
    answer = client.get(Urls("/").static("taskops.css"))
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/css")
    assert "htmx.org" in client.get("/pluginsv2/taskops/static/dist/LICENSES.txt").text
    for path in ("..%2f__init__.py", "%2e%2e/host.py", "../../config.py"):
        assert client.get(f"/pluginsv2/taskops/static/{path}").status_code in (302, 404)
