"""Who may do what, as docs/api.md has it: every route, every role, both auth managers (requirements 10)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from starlette.routing import Mount

from taskops_provider.adapter.permissions import UserPermissions
from taskops_provider.api import docs_page
from taskops_provider.inputs.windows.holding import HoldAll
from taskops_provider.models import InstanceOrder, Window
from taskops_provider.services.catalog.filters import TaskFilter
from taskops_provider.services.exports import prepare as export_prepare
from taskops_provider.services.exports import request as export_request
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.windows.hold_all import hold_all
from tests.support import windowing
from tests.support.alarming import alarms, became, look, rule
from tests.support.api import Api, tasks, workflows
from tests.support.apps import MANAGERS, WebApp, web_app
from tests.support.instances import write_runs
from tests.support.live import USERS
from tests.support.replenishing import asked
from tests.support.warehouse import ALICE, install, operate, retail
from tests.support.windowing import make

DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"
ROLES = ("anonymous", "viewer", "user", "op", "admin")

Route = tuple[str, str]
#: makes what a request needs to be there, and returns (path, JSON body)
Prepare = Callable[[Session, WebApp, str], tuple[str, Any]]


def documented() -> dict[Route, dict[str, str]]:
    """The table of docs/api.md: route -> role -> what it answers."""
    rows = re.findall(r"^\| (GET|POST|PUT|PATCH|DELETE) \| (\S+) \|(.*)\|$", DOCS.read_text(), re.MULTILINE)
    return {
        (method, path): dict(zip(ROLES, (cell.strip() for cell in cells.split("|")), strict=True))
        for method, path, cells in rows
    }


def served(web: WebApp) -> set[Route]:
    mounted = next(route.app for route in web.app.routes if isinstance(route, Mount) and route.path == "/taskops")
    found = {(method, route.path) for route in routes_of(mounted) for method in route.methods}
    assert len(found) > 15
    return found


def routes_of(app: Any) -> Iterator[APIRoute]:
    for route in app.routes:
        assert isinstance(route, APIRoute), f"{route} is not documented"
        yield route


def plain(path: str) -> Prepare:
    return lambda _session, _web, _role: (path, None)


def change(path: str, targets: list[dict[str, str]]) -> Prepare:
    # owners can be set at any time
    return lambda _session, _web, role: (path, {"targets": targets, "owners": [role]})


def undo(session: Session, _web: WebApp, _role: str) -> tuple[str, Any]:
    done = operate(session, "set-owners", "orders.load", owners=["someone"])
    return f"/v1/operations/{done.operation_id}/undo", {}


def an_operation(session: Session, _web: WebApp, _role: str) -> tuple[str, Any]:
    done = operate(session, "set-owners", "orders.load", owners=["someone"])
    return f"/v1/operations/{done.operation_id}", None


def set_state(session: Session, _web: WebApp, _role: str) -> tuple[str, Any]:
    from airflow.models.taskinstance import TaskInstance as TI

    session.execute(update(TI).values(state="success"))
    session.commit()
    return "/v1/tasks/orders/clean/instances/set-failed", {"instances": [{"run_id": "run_0001"}]}


def hold(session: Session, _web: WebApp, _role: str) -> tuple[str, Any]:
    from airflow.models.dagrun import DagRun

    session.execute(delete(InstanceOrder))
    session.execute(update(DagRun).values(state="running"))
    session.commit()
    return "/v1/workflows/orders/runs/hold", {"run_ids": ["run_0001"]}


REPLENISH = {"workflows": ["orders"], "ranges": [{"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T03:00:00Z"}]}


def replenishment(suffix: str, body: Any = None) -> Prepare:
    def prepare(session: Session, _web: WebApp, _role: str) -> tuple[str, Any]:
        made = create_replenishment(session, ALICE, asked("orders"), datetime.now(UTC))
        session.commit()
        return f"/v1/replenishments/{made.replenishment_id}{suffix}", body

    return prepare


def own_export(suffix: str) -> Prepare:
    def prepare(session: Session, web: WebApp, role: str) -> tuple[str, Any]:
        name = "nobody" if role == "anonymous" else role
        permissions = UserPermissions(web._users["viewer" if role == "anonymous" else role])
        made = export_request.request_export(
            session, Actor(name, "api", permissions), TaskFilter(), "csv", datetime.now(UTC)
        )
        session.commit()
        while export_prepare.prepare_next(session, datetime.now(UTC)):
            session.commit()
        return f"/v1/exports/{made.export_id}{suffix}", None

    return prepare


ALARM = {"dag_id": "orders", "task_id": "clean", "kind": "failed", "recipients": {"addresses": ["ops@example.com"]}}


def alarm(path: str, body: Any = None) -> Prepare:
    """``{rule}`` and ``{event}`` in the path are of a rule of a failure."""

    def prepare(session: Session, _web: WebApp, _role: str) -> tuple[str, Any]:
        made = rule(session, "orders.clean")
        event = 0
        if "{event}" in path:
            became(session, "orders.clean", "failed")
            look(session)
            event = max(one.id for one in alarms(session))
        return path.format(rule=made, event=event), body

    return prepare


def window(path: str, body: Any = None) -> Prepare:
    """``{window}`` in the path is one on orders; what is held is so only for a release."""

    def prepare(session: Session, _web: WebApp, _role: str) -> tuple[str, Any]:
        session.execute(delete(Window).where(Window.purpose == "hold_all"))
        session.commit()
        made = make(session, datetime.now(UTC), "orders")
        if path.endswith("release-all"):
            hold_all(session, ALICE, HoldAll(), datetime.now(UTC))
        session.commit()
        return f"/v1/windows{path.format(window=made.window_id)}", body

    return prepare


CALENDAR = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\nDTSTART:21900601T000000Z\r\nEND:VEVENT\r\nEND:VCALENDAR"

REQUESTS: dict[Route, Prepare] = {
    ("GET", "/v1/workflows"): plain("/v1/workflows"),
    ("GET", "/v1/workflows/{dag_id}"): plain("/v1/workflows/orders"),
    ("GET", "/v1/workflows/{dag_id}/diagram"): plain("/v1/workflows/orders/diagram"),
    ("POST", "/v1/workflows/{verb}"): change("/v1/workflows/set-owners", workflows("orders")),
    ("GET", "/v1/tasks"): plain("/v1/tasks"),
    ("GET", "/v1/tasks/{dag_id}/{task_id}"): plain("/v1/tasks/orders/clean"),
    ("GET", "/v1/tasks/{dag_id}/{task_id}/lineage"): plain("/v1/tasks/orders/clean/lineage"),
    ("GET", "/v1/tasks/{dag_id}/{task_id}/why"): plain("/v1/tasks/orders/clean/why"),
    ("POST", "/v1/tasks/{verb}"): change("/v1/tasks/set-owners", tasks("orders.clean")),
    ("GET", "/v1/tasks/{dag_id}/{task_id}/instances"): plain("/v1/tasks/orders/clean/instances"),
    ("GET", "/v1/tasks/{dag_id}/{task_id}/curve"): plain("/v1/tasks/orders/clean/curve"),
    ("POST", "/v1/tasks/{dag_id}/{task_id}/instances/{verb}"): set_state,
    ("POST", "/v1/workflows/{dag_id}/runs/{verb}"): hold,
    ("GET", "/v1/holds"): plain("/v1/holds"),
    ("GET", "/v1/replenishments"): plain("/v1/replenishments"),
    ("POST", "/v1/replenishments"): lambda _session, _web, _role: ("/v1/replenishments", REPLENISH),
    ("POST", "/v1/replenishments/plan"): lambda _session, _web, _role: ("/v1/replenishments/plan", REPLENISH),
    ("GET", "/v1/replenishments/{replenishment_id}"): replenishment(""),
    ("GET", "/v1/replenishments/{replenishment_id}/cells"): replenishment("/cells"),
    ("POST", "/v1/replenishments/{replenishment_id}/{verb}"): replenishment("/pause", {}),
    ("GET", "/v1/alarms/rules"): plain("/v1/alarms/rules"),
    ("POST", "/v1/alarms/rules"): lambda _session, _web, _role: ("/v1/alarms/rules", ALARM),
    ("GET", "/v1/alarms/rules/{rule_id}"): alarm("/v1/alarms/rules/{rule}"),
    ("PATCH", "/v1/alarms/rules/{rule_id}"): alarm("/v1/alarms/rules/{rule}", {"level": 2}),
    ("DELETE", "/v1/alarms/rules/{rule_id}"): alarm("/v1/alarms/rules/{rule}"),
    ("GET", "/v1/alarms/rules/{rule_id}/test"): alarm("/v1/alarms/rules/{rule}/test"),
    ("POST", "/v1/alarms/rules/{rule_id}/test"): alarm("/v1/alarms/rules/{rule}/test", {}),
    ("GET", "/v1/alarms/events"): plain("/v1/alarms/events"),
    ("GET", "/v1/alarms/events/{event_id}"): alarm("/v1/alarms/events/{event}"),
    ("POST", "/v1/alarms/events/{event_id}/acknowledge"): alarm("/v1/alarms/events/{event}/acknowledge", {}),
    ("POST", "/v1/alarms/events/{event_id}/confirm"): alarm("/v1/alarms/events/{event}/confirm", {}),
    ("GET", "/v1/windows"): window(""),
    ("POST", "/v1/windows"): window("", windowing.body("orders")),
    ("POST", "/v1/windows/preview"): window("/preview", windowing.body("orders")),
    ("GET", "/v1/windows/calendar"): window("/calendar?begin=2026-01-01T00:00:00Z&end=2026-02-01T00:00:00Z"),
    ("GET", "/v1/windows/export"): window("/export"),
    ("POST", "/v1/windows/import"): window(
        "/import", {"content": CALENDAR, "kinds": ["pause"], "scope": {"workflows": ["orders"]}}
    ),
    ("POST", "/v1/windows/skip-next"): window("/skip-next", {"workflows": ["orders"]}),
    ("POST", "/v1/windows/hold-all"): window("/hold-all", {}),
    ("POST", "/v1/windows/release-all"): window("/release-all", {}),
    ("GET", "/v1/windows/{window_id}"): window("/{window}"),
    ("GET", "/v1/windows/{window_id}/preview"): window("/{window}/preview"),
    ("PATCH", "/v1/windows/{window_id}"): window("/{window}", {"reason": "later"}),
    ("DELETE", "/v1/windows/{window_id}"): window("/{window}"),
    ("GET", "/v1/operations"): plain("/v1/operations"),
    ("GET", "/v1/operations/{operation_id}"): an_operation,
    ("POST", "/v1/operations/{operation_id}/undo"): undo,
    ("POST", "/v1/exports"): lambda _session, _web, _role: ("/v1/exports", {"kind": "tasks"}),
    ("GET", "/v1/exports/{export_id}"): own_export(""),
    ("GET", "/v1/exports/{export_id}/content"): own_export("/content"),
    ("GET", "/v1/settings/strict-mode"): plain("/v1/settings/strict-mode"),
    ("PUT", "/v1/settings/strict-mode"): lambda _session, _web, _role: (
        "/v1/settings/strict-mode",
        {"project": None, "strict_mode": False},
    ),
    ("GET", "/v1/health"): plain("/v1/health"),
    ("GET", "/v1/health/checks"): plain("/v1/health/checks"),
    ("GET", "/openapi.json"): plain("/openapi.json"),
    ("GET", "/docs"): plain("/docs"),
    ("GET", "/docs/{name}"): plain(f"/docs/{docs_page.files()[docs_page.SCRIPT]}"),
}


@pytest.fixture(params=MANAGERS)
def web(request: pytest.FixtureRequest, session: Session) -> Iterator[WebApp]:
    install(session, retail())
    write_runs(session, "orders", ["clean"], range(3))
    with web_app(request.param).active() as app:
        yield app


def test_the_table_has_every_route_there_is(web):
    assert set(documented()) == served(web)


def test_the_roles_of_the_table_are_those_of_the_tests():
    assert set(ROLES) - {"anonymous"} == set(USERS)


@pytest.mark.parametrize("role", ROLES)
def test_every_route_answers_every_role_as_the_table_says(web, session, role):
    clients = {"cookie": Api(web, None if role == "anonymous" else role)}
    if role != "anonymous":
        bearer = {"Authorization": f"Bearer {web.token(role)}"}
        clients["bearer"] = Api(web, None, headers=bearer)
    for route, answers in documented().items():
        for kind, api in clients.items():
            path, body = REQUESTS[route](session, web, role)
            answer = api.client.request(route[0], f"/taskops{path}", json=body)
            told = "refused" if answer.status_code == 200 and is_refused(answer) else str(answer.status_code)
            assert told == answers[role], (route, role, kind, answer.text[:300])


def is_refused(answer) -> bool:
    if not answer.headers["content-type"].startswith("application/json"):
        return False
    content = answer.json()
    return isinstance(content, dict) and content.get("outcome") == "refused" and "items" in content


def test_bad_tokens_get_nowhere(web):
    good = web.token("admin")
    head, claims, signature = good.split(".")
    for token in ("rubbish", f"{head}.{claims}.{signature[::-1]}", f"eyJhbGciOiJub25lIn0.{claims}."):
        api = Api(web, None, headers={"Authorization": f"Bearer {token}"})
        assert api.refused(403, "GET", "tasks")
    expired = Api(web, None, headers={"Authorization": f"Bearer {web.token('admin', expiration_time_in_seconds=-100)}"})
    assert expired.refused(401, "GET", "tasks") == "Token Expired"
    # a token that is sent counts, not the cookie
    both = Api(web, "admin", headers={"Authorization": "Bearer rubbish"})
    assert both.refused(403, "GET", "tasks")


def test_reading_with_the_cookie_does_not_end_the_session(web):
    """FabAuthManager logs out whoever's Flask session is written."""
    answer = Api(web, "viewer").ask("GET", "tasks")
    assert not answer.headers.get("set-cookie")
