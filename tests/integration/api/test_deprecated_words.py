"""REST reads each old name that ``domain/deprecated_words.py`` has, says so in a header, and documents it."""

from __future__ import annotations

from typing import Any

import pytest

from taskops_provider.domain.deprecated_words import OLD_WORDS, OldWord, WordKind
from tests.support.alarm_rows import ordinary
from tests.support.alarming import alarms
from tests.support.api import Api
from tests.support.apps import web_app
from tests.support.warehouse import install, operate, retail

IN_REQUESTS = [
    (route, word) for word in OLD_WORDS if word.kind in (WordKind.PARAMETER, WordKind.FIELD) for route in word.where
]
#: bodies in which a field stands
BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/replenishments/plan": {
        "tasks": [{"dag_id": "orders", "task_id": "clean"}],
        "ranges": [{"from": "2026-01-01", "to": "2026-01-02"}],
    },
    "POST /v1/exports": {"kind": "tasks", "filter": {"status": ["paused"]}},
}
BODIES["POST /v1/replenishments"] = BODIES["POST /v1/replenishments/plan"]


@pytest.fixture
def api(session):
    install(session, retail())
    operate(session, "pause", "orders.clean")
    ordinary(session)
    with web_app("simple").active() as web:
        made = Api(web)
        made.post("replenishments", 201, **BODIES["POST /v1/replenishments"])
        yield made


def value_of(word: OldWord) -> Any:
    if word.values:
        return next(iter(word.values))
    if word.old == "confirmed":
        return "true"
    return 1 if word.new.endswith("_depth") else ["nothing"] if "." in word.old else "nothing"


def new_value(word: OldWord, value: Any) -> Any:
    return word.values[value] if word.values else value


def request_with(word: OldWord, route: str, names: dict[str, Any]) -> dict[str, Any]:
    if word.kind is WordKind.PARAMETER:
        return {"params": names}
    body = BODIES[route]
    path = word.old.rpartition(".")[0]
    inner = {name.rpartition(".")[2]: value for name, value in names.items()}
    return {"json": body | ({path: body[path] | inner} if path else inner)}


def ask(api: Api, route: str, **request: Any) -> Any:
    method, _, path = route.partition(" ")
    return api.ask(method, path.removeprefix("/v1/"), **request)


def documented(schema: dict[str, Any], document: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that a schema stands for."""
    found = [schema] if "properties" in schema else []
    if "$ref" in schema:
        found += documented(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    return found + [one for part in schema.get("oneOf", ()) for one in documented(part, document)]


@pytest.mark.parametrize(("route", "word"), IN_REQUESTS, ids=lambda one: one.old if isinstance(one, OldWord) else one)
class TestOldNames:
    def test_it_does_what_the_new_one_does_and_the_header_says_so(self, api, route, word):
        value = value_of(word)
        old = ask(api, route, **request_with(word, route, {word.old: value}))
        new = ask(api, route, **request_with(word, route, {word.new: new_value(word, value)}))
        assert old.status_code == new.status_code < 300
        assert old.headers["Deprecation"] == "true"
        assert "Deprecation" not in new.headers
        if word.kind is WordKind.PARAMETER:
            assert old.json() == new.json()
            assert old.json()["total_entries"] < ask(api, route).json()["total_entries"]

    def test_a_refusal_has_the_header_too(self, api, route, word):
        request = request_with(word, route, {word.old: "x" * 1000 if word.kind is WordKind.PARAMETER else {"a": 1}})
        refused = ask(api, route, **request)
        assert (refused.status_code, refused.headers["Deprecation"]) == (422, "true")
        assert word.new in refused.json()["detail"].partition(" ")[0]

    def test_both_names_are_refused(self, api, route, word):
        value = value_of(word)
        request = request_with(word, route, {word.old: value, word.new: new_value(word, value)})
        refused = ask(api, route, **request)
        assert refused.status_code == 422
        assert refused.json() == {"detail": word.refusal}

    def test_nobody_learns_of_it_without_signing_in(self, api, route, word):
        value = value_of(word)
        both = request_with(word, route, {word.old: value, word.new: new_value(word, value)})
        stranger = Api(web_app("simple"), None)
        assert ask(stranger, route, **both).status_code == 401

    def test_the_document_has_it_as_deprecated(self, api, route, word):
        document = api.ask("GET", "../openapi.json").json()
        method, _, path = route.partition(" ")
        operation = document["paths"][path][method.lower()]
        if word.kind is WordKind.PARAMETER:
            named = {one["name"]: one for one in operation["parameters"]}
        else:
            objects = documented(operation["requestBody"]["content"]["application/json"]["schema"], document)
            for part in word.old.split(".")[:-1]:
                objects = [
                    found
                    for one in objects
                    for inner in [one["properties"][part]]
                    for found in documented(inner, document)
                ]
            named = {name: one for found in objects for name, one in found["properties"].items()}
        old, new = (name.rpartition(".")[2] for name in (word.old, word.new))
        assert named[old]["deprecated"] is True
        assert named[old]["description"] == f"Use `{new}`."
        assert "deprecated" not in named[new]


def deprecated_in(document: dict[str, Any]) -> set[str]:
    """Everything that the document has as deprecated: routes, and fields of answers."""
    routes = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("deprecated")
    }
    answers = {
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if described.get("deprecated")
    }
    return routes | answers


def test_the_document_has_nothing_else_as_deprecated(api):
    document = api.ask("GET", "../openapi.json").json()
    fields = {word.old.rpartition(".")[2] for word in OLD_WORDS if word.kind is WordKind.FIELD}
    found = {one for one in deprecated_in(document) if one.partition(".")[2] not in fields}
    routes = {word.old for word in OLD_WORDS if word.kind is WordKind.ROUTE}
    answers = {f"{name}.{word.old}" for word in OLD_WORDS if word.kind is WordKind.ANSWER for name in word.where}
    assert found == routes | answers


def test_an_old_route_says_so_in_the_header(api, session):
    number = alarms(session)[-1].id
    for word in (word for word in OLD_WORDS if word.kind is WordKind.ROUTE):
        old, new = (ask(api, route.format(event_id=number), json={}) for route in (word.old, word.new))
        assert (old.status_code, old.headers["Deprecation"]) == (200, "true")
        assert (new.status_code, "Deprecation" in new.headers) == (200, False)
        assert old.json()["confirmed_by"] == old.json()["acknowledged_by"] == "admin"
