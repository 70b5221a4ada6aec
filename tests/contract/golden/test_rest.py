"""The REST API answers as recorded: every route and verb of the OpenAPI document, and the document itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from httpx import Response

from tests.contract.golden.compare import Golden, as_text, file_name, left_over
from tests.contract.golden.rest_cases import CASES, Ask
from tests.contract.golden.world import World
from tests.support.apps import web_app

METHODS = ("get", "post", "put", "patch", "delete")


def schema() -> dict[str, Any]:
    """The OpenAPI document of the mounted application."""
    app: Any = next(route.app for route in web_app("simple").app.routes if getattr(route, "path", "") == "/taskops")  # type: ignore[attr-defined]
    document: dict[str, Any] = app.openapi()
    return document


def served() -> set[str]:
    """Every route, each verb of one on its own."""
    document = schema()
    found = set()
    for path, operations in document["paths"].items():
        for method in METHODS:
            if method not in operations:
                continue
            verbs = [
                _resolved(document, parameter["schema"])["enum"]
                for parameter in operations[method].get("parameters", ())
                if parameter["in"] == "path" and parameter["name"] == "verb"
            ]
            paths = [path.replace("{verb}", verb) for verb in verbs[0]] if verbs else [path]
            found |= {f"{method.upper()} {one}" for one in paths}
    return found


def _resolved(document: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    name = described.get("$ref", "").rpartition("/")[2]
    resolved: dict[str, Any] = document["components"]["schemas"][name] if name else described
    return resolved


def test_every_route_and_verb_is_recorded() -> None:
    assert set(CASES) == served()
    names = {f"rest/{file_name(route)}.txt" for route in CASES}
    assert not left_over("rest", names | {"rest/openapi.json"})


def test_the_openapi_document_is_as_recorded(golden: Golden) -> None:
    document = schema()
    document = {**document, "info": {**document["info"], "version": "VERSION"}}
    golden.check("rest/openapi.json", as_text(document))


@pytest.mark.parametrize("route", CASES)
def test_a_route_answers_as_recorded(world: World, golden: Golden, route: str) -> None:
    method = route.partition(" ")[0]
    parts = []
    for name, ask in CASES[route].items():
        parts.append(f"## {name}\n")
        parts += _play(world, method, ask, "")
        world.start_anew()
    golden.check(f"rest/{file_name(route)}.txt", "\n".join(parts))


def _play(world: World, method: str, ask: Ask, plan_hash: str) -> list[str]:
    """Ask, and what follows on it."""
    body = json.loads(json.dumps(ask.body).replace("PLAN-HASH", plan_hash)) if ask.body is not None else None
    request: dict[str, Any] = {"headers": ask.headers}
    if ask.content is not None:
        request["content"] = ask.content
    elif body is not None:
        request["json"] = body
    answer = world.api(ask.user).ask(ask.method or method, ask.path, **request)
    lines = [f"{ask.method or method} {ask.path}{'' if ask.user == 'admin' else f' as {ask.user}'}"]
    if ask.body is not None or ask.content is not None:
        lines.append(json.dumps(body, ensure_ascii=False) if ask.content is None else ask.content)
    lines += ["", *_told(answer), *world.effects(), ""]
    if ask.then and answer.headers["content-type"].startswith("application/json"):
        plan_hash = answer.json().get("plan_hash") or plan_hash
    for following in ask.then:
        lines += _play(world, method, following, plan_hash)
    return lines


def _told(answer: Response) -> list[str]:
    kind = answer.headers["content-type"]
    head = f"{answer.status_code} {kind}"
    if name := answer.headers.get("content-disposition"):
        head += f" {name}"
    return [head, as_text(answer.json()) if kind.startswith("application/json") else answer.text]
