"""Generated requests, right and wrong ones: no 5xx, and every answer is one that the documentation has.

``TASKOPS_SCHEMA_EXAMPLES`` sets how many requests each route gets of each sort.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from taskops_provider.services.catalog.filters import TaskFilter
from taskops_provider.services.exports import request
from tests.support.alarming import alarms, became, look, rule
from tests.support.api import Api
from tests.support.apps import WebApp, web_app
from tests.support.instances import write_runs
from tests.support.warehouse import ALICE, install, operate, retail

DOCUMENTED = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

generated = settings(
    max_examples=int(os.environ.get("TASKOPS_SCHEMA_EXAMPLES", "20")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    derandomize=True,
)

#: names that exist; the fixture adds the numbers
REAL: dict[str, Any] = {"dag_id": "orders", "task_id": "clean", "run_id": "run_0001"}


@pytest.fixture
def web(session) -> Iterator[WebApp]:
    install(session, retail())
    write_runs(session, "orders", ["clean"], range(5))
    REAL["operation_id"] = operate(session, "pause", "orders.clean", reason="a record").operation_id
    REAL["export_id"] = request.request_export(session, ALICE, TaskFilter(), "csv", datetime.now(UTC)).export_id
    REAL["rule_id"] = rule(session, "orders.clean")
    became(session, "orders.clean", "failed")
    look(session)
    REAL["event_id"] = alarms(session)[0].id
    session.commit()
    with web_app("simple").active() as app:
        yield app


def authorized(web: WebApp) -> dict[str, str]:
    return {"Authorization": f"Bearer {web.token('admin')}"}


def operations(web: WebApp) -> Iterator[schemathesis.APIOperation]:
    schema = schemathesis.openapi.from_asgi("/taskops/openapi.json", app=web.app, headers=authorized(web))
    for found in schema.get_all_operations():
        yield found.ok()


def with_real_names(value: Any) -> Any:
    """The same with names that exist, wherever one is asked for."""
    if isinstance(value, dict):
        return {key: REAL.get(key, with_real_names(item)) for key, item in value.items()}
    return [with_real_names(item) for item in value] if isinstance(value, list) else value


def name_of(operation: schemathesis.APIOperation) -> str:
    return f"{operation.method.upper()} {operation.path}"


def takes_anything(operation: schemathesis.APIOperation) -> bool:
    described = operation.definition.raw
    return bool(described.get("parameters") or "requestBody" in described)


def try_out(web: WebApp, mode: GenerationMode, checks: list[Any], *, real: bool = False) -> set[str]:
    """Send generated requests to every route; return the routes, and what they answered."""
    answered: set[str] = set()
    for operation in operations(web):
        if mode is GenerationMode.NEGATIVE and not takes_anything(operation):
            continue

        @generated
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case) -> None:
            if real:
                known = {key: value for key, value in REAL.items() if key in (case.path_parameters or {})}
                case.path_parameters = {**(case.path_parameters or {}), **known}
                case.body = with_real_names(case.body)
            response = case.call(headers=authorized(web))
            answered.add(f"{name_of(case.operation)}: {response.status_code}")
            case.validate_response(response, checks=checks)

        ask()
    return answered


def test_requests_that_fit_the_documentation(web):
    answered = try_out(web, GenerationMode.POSITIVE, DOCUMENTED)
    assert {line.partition(":")[0] for line in answered} == {name_of(operation) for operation in operations(web)}
    assert "GET /v1/tasks: 200" in answered


def test_requests_that_do_not_fit_are_refused(web):
    try_out(web, GenerationMode.NEGATIVE, [*DOCUMENTED, negative_data_rejection])


def test_requests_about_things_that_exist(web):
    """What is named is there: the requests get past the first look-up."""
    answered = try_out(web, GenerationMode.POSITIVE, DOCUMENTED, real=True)
    for route in (
        "GET /v1/tasks/{dag_id}/{task_id}",
        "POST /v1/tasks/{verb}",
        "POST /v1/workflows/{verb}",
        "POST /v1/tasks/{dag_id}/{task_id}/instances/{verb}",
        "GET /v1/operations/{operation_id}",
    ):
        assert f"{route}: 200" in answered, sorted(answered)


def documentation(web: WebApp) -> dict[str, Any]:
    return Api(web, "viewer").client.get("/taskops/openapi.json").json()


def described(web: WebApp) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in documentation(web)["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_documentation_knows_where_the_api_is_mounted(web):
    assert documentation(web)["servers"] == [{"url": "/taskops"}]


def test_every_route_parameter_and_answer_is_described(web):
    tags = {tag["name"] for tag in documentation(web)["tags"]}
    names = set()
    for route, operation in described(web):
        names.add(operation["operationId"])
        assert set(operation["tags"]) <= tags, route
        assert len(operation["description"]) > 20, route
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query":
                assert parameter.get("description"), (route, parameter["name"])
        for status, answer in operation["responses"].items():
            assert answer["description"], (route, status)
            if status != "200" and "health" not in route:
                assert "content" in answer, (route, status)
    assert len(names) == len(list(described(web)))


def test_every_example_of_a_body_is_one_that_works(web):
    api = Api(web, "admin")
    tried = 0
    for route, operation in described(web):
        method, path = route.split(" ")
        examples = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
        for name, example in examples.items():
            path_of_verb = path.replace("{verb}", "pause" if name == "preview" else name).removeprefix("/v1/")
            answer = api.ask(method, path_of_verb, json=example["value"])
            assert answer.status_code in (200, 202), (route, name, answer.text)
            tried += 1
    assert tried > 12
