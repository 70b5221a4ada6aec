"""The REST API through Airflow's whole application, as a user of one role or another."""

from __future__ import annotations

from typing import Any

from httpx import Response

from tests.support.apps import READS_TASKS, WebApp

ROOT = "/taskops/v1"


class Api:
    """One user's API: ``api.get("tasks", dag_id="orders")``.

    :param name: None: nobody is signed in
    """

    def __init__(self, web: WebApp, name: str | None = "admin", headers: dict[str, str] | None = None):
        self.client = web.client(name)
        self.client.headers.update(headers or {})

    def ask(self, method: str, path: str, **request: Any) -> Response:
        """Ask anything; the answer as it is."""
        return self.client.request(method, f"{ROOT}/{path}", **request)

    def get(self, path: str, **query: Any) -> Any:
        """Ask for something that is there."""
        return self.expect(200, "GET", path, params=query or None)

    def post(self, path: str, status: int = 200, **body: Any) -> Any:
        """Have something done."""
        return self.expect(status, "POST", path, json=body)

    def expect(self, status: int, method: str, path: str, **request: Any) -> Any:
        """Ask and return the JSON of an answer of this status."""
        answer = self.ask(method, path, **request)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json()

    def refused(self, status: int, method: str, path: str, **request: Any) -> str:
        """Ask for what is refused, and return the one line that says why."""
        content = self.expect(status, method, path, **request)
        detail = content["detail"]
        assert isinstance(detail, str), content
        assert "\n" not in detail
        return detail


def tasks(*names: str) -> list[dict[str, str]]:
    """``tasks("orders.clean")`` as targets."""
    return [dict(zip(("dag_id", "task_id"), name.split(".", 1), strict=True)) for name in names]


def workflows(*names: str) -> list[dict[str, str]]:
    """``workflows("orders")`` as targets."""
    return [{"dag_id": name} for name in names]


def fab_user(web: WebApp, name: str, *permissions: tuple[str, str], reads_tasks: bool = True) -> str:
    """Make a user of FabAuthManager with these permissions alone (action, resource); made once for each name.

    :param reads_tasks: give them the right to read tasks too, by which they read no instances
    """
    if name not in web._users:
        with web.flask.app_context():
            security = web.flask.appbuilder.sm
            role = security.add_role(f"role of {name}")
            for permission in dict.fromkeys((*permissions, *((READS_TASKS,) if reads_tasks else ()))):
                security.add_permission_to_role(role, security.create_permission(*permission))
            security.add_user(name, name, name, f"{name}@example.com", role, name)
            web._users[name] = security.find_user(username=name)
    return name
