"""Every route and every act as every kind of person (issue 12): the answer follows from the table of docs/security.md
and from what Airflow's own API lets that person do, under FabAuthManager, SimpleAuthManager and with teams."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi.testclient import TestClient
from httpx import Response
from starlette.routing import Mount

from taskops_provider.adapter.permissions import UserPermissions
from taskops_provider.services.shared.locks import take_writer_lock
from taskops_provider.www import csrf
from tests.contract.walk import rights_table as rights
from tests.contract.walk.page_requests import in_part, page_requests
from tests.contract.walk.people import AIRFLOW_ACTS, OF_MANY, PUBLIC, may_read_addresses, people_of, rights_of
from tests.contract.walk.plant import Holes
from tests.contract.walk.requests import ACKNOWLEDGE, ALARM, Ask, filled
from tests.contract.walk.rest_requests import rest_requests
from tests.contract.walk.rights_table import documented_acts, documented_rights
from tests.contract.walk.world import HIDDEN, OF_ADDRESSES, Side, World, furnished
from tests.support.airflow_db import empty_tables, new_session
from tests.support.apps import NOBODY, TEAMS, WebApp, web_app
from tests.support.dialogs import ROOT, token_of
from tests.support.queries import counted_queries

DONE, DENIED, ABSENT, SIGN_IN = "done", "denied", "does not exist", "sign in"


def _everything(_name: str, _ask: Ask) -> bool:
    return True


@dataclass
class Walk:
    """One application with its world and its people.

    :param portal: one event loop for all requests: to start one for each takes as long as a request
    :param hashes: name, request -> the hash of the plan that they were shown
    """

    web: WebApp
    world: World
    people: tuple[str, ...]
    portal: BlockingPortal
    is_fab: bool
    hashes: dict[tuple[str, str], str] = field(default_factory=dict)
    #: told of each request before it is sent: who, what; it is left out where that says so
    wants: Callable[[str, Ask], bool] = _everything

    def client(self, name: str) -> TestClient:
        """A browser of somebody, of nobody signed in without a name."""
        client = self.web.client(name or None)
        client.portal = self.portal
        return client


@pytest.fixture(scope="module", params=["fab", "simple", TEAMS])
def walk(request: pytest.FixtureRequest) -> Iterator[Walk]:
    with walking(request.param) as made:
        yield made


@contextmanager
def walking(kind: str) -> Iterator[Walk]:
    """The application with an auth manager, furnished."""
    web = web_app(kind)
    with web.active(), start_blocking_portal() as portal:
        people = people_of(web, kind)
        empty_tables()
        try:
            with new_session() as session:
                known = [name for name in people if name and name not in (PUBLIC, NOBODY)]
                with furnished(web, session, kind, known) as world:
                    yield Walk(web, world, people, portal, kind == "fab")
        finally:
            empty_tables()


def test_the_page_explains_the_rights_of_its_table() -> None:
    assert documented_rights() == rights.RIGHTS
    assert set(AIRFLOW_ACTS) == rights.RIGHTS - {rights.SIGNED_IN, rights.LIST, rights.EDIT_ALL}


def test_every_act_of_the_table_is_asked_on_each_of_its_routes() -> None:
    for kind, requests in (("rest", rest_requests()), ("pages", page_requests())):
        asked = {(one.act, one.route) for one in requests}
        documented = {(act, route) for act, row in documented_acts().items() for route in getattr(row, kind)}
        assert asked == documented


def test_the_table_has_every_route_there_is(walk: Walk) -> None:
    acts = documented_acts().values()
    mounted: Any = next(r.app for r in walk.web.app.routes if isinstance(r, Mount) and r.path == "/taskops")
    served = {f"{method} {route.path}" for route in mounted.routes for method in route.methods}
    assert served == {route for act in acts for route in act.rest}
    rules = [rule for rule in walk.web.flask.url_map.iter_rules() if rule.rule.startswith("/taskops")]
    pages = {
        f"{method} {re.sub(r'<any.*?:verb>', '{verb}', rule.rule.removeprefix('/taskops'))}"
        for rule in rules
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert pages == {route for act in acts for route in act.pages}


def test_everybody_gets_what_the_table_says(walk: Walk) -> None:
    """Nothing else is changed, and nobody is told of Dags that they may not read."""
    assert list(differences(walk)) == []


def _planted(walk: Walk, *routes: str) -> str | None:
    """The first thing that is answered otherwise by some routes."""
    walk.wants = lambda _name, ask: ask.route in routes
    try:
        return next(differences(walk), None)
    finally:
        walk.wants = _everything


@pytest.mark.parametrize(
    ("place", "route"),
    [
        ("services/alarms/listing.py alarm_answers may_read_addresses", "GET /v1/alarms/events"),
        ("services/alarms/acknowledge.py unacknowledged_ids editable", "POST /alarms/confirm"),
    ],
)
def test_a_hole_that_is_planted_is_seen(walk: Walk, place: str, route: str) -> None:
    """``python -m tests.contract.walk`` plants them all."""
    if not walk.is_fab:
        pytest.skip("others have people with fewer differences")
    holes = Holes()
    with holes.watched(), holes.opened(place):
        assert _planted(walk, route)


def test_deleting_needs_to_edit_too(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    if not walk.is_fab:
        pytest.skip("others have nobody who may delete and not edit")
    monkeypatch.setattr(UserPermissions, "deletable", lambda may, dag_ids: may._allowed("DELETE", dag_ids))
    assert "north_remover" in (_planted(walk, "POST /v1/workflows/{verb}") or "")


def differences(walk: Walk) -> Iterator[str]:
    """What was answered otherwise. Every request is asked once with each set of rights that there is, under
    FabAuthManager; others ask one for each route and act."""
    known: set[frozenset[str]] = set()
    first, second = walk.world.sides
    for name in walk.people:
        client = walk.client(name)
        has, elsewhere = (rights_of(client, walk.world, name, side) for side in walk.world.sides)
        asker = Asker(
            walk,
            name,
            tells_hidden=rights.READ in elsewhere,
            tells_addresses=may_read_addresses(client, has, is_fab=walk.is_fab),
        )
        yield from asker.differences(first, has, thin=not walk.is_fab or has in known or not has)
        if elsewhere != has and elsewhere not in known:
            yield from asker.differences(second, elsewhere, thin=True)
        known |= {has, elsewhere}
    if walk.is_fab:
        yield from Asker(walk, OF_MANY, tells_hidden=True, tells_addresses=False).differences_in_part(in_part())


def test_who_may_not_do_something_never_waits_for_the_lock(walk: Walk) -> None:
    """Somebody else is writing: who may is kept waiting, who may not gets an answer at once."""
    side = walk.world.sides[0]
    names = {rights_of(walk.client(name), walk.world, name, side): name for name in walk.people if name}
    writes = [ask for ask in _once_each_route([*rest_requests(), *page_requests()]) if ask.method != "GET"]
    acts = documented_acts()
    wrong, asked = [], 0
    with _writer_lock_elsewhere() as statements:
        for has, name in names.items():
            asker = Asker(walk, name, tells_hidden=True, tells_addresses=True)
            for ask in writes:
                if ask.changes is not False and not acts[ask.act].needs <= has:
                    answer = asker.ask(filled(ask, side, name))
                    asked += 1
                    if _waits(statements) or not (answer.status_code >= 300 or _says_refused(answer)):
                        wrong.append(f"{name}: {ask.act}: {ask.route}: {answer.status_code}")
                    statements.clear()
    walk.world.put_back()
    assert wrong == []
    assert asked > len(writes) // 2


@contextmanager
def _writer_lock_elsewhere() -> Iterator[list[str]]:
    """Hold the writer lock in a transaction of somebody else; collect the statements that are sent meanwhile."""
    with new_session() as session:
        take_writer_lock(session, "somebody else")
        with counted_queries() as statements:
            yield statements
        session.rollback()


def _waits(statements: list[str]) -> bool:
    return any(one.startswith("UPDATE taskops_lease") for one in statements)


def _once_each_route(requests: Iterable[Ask]) -> list[Ask]:
    return list({(ask.route, ask.act): ask for ask in reversed(list(requests))}.values())


def _expected(act: str, needs: frozenset[str], has: frozenset[str]) -> str:
    if needs <= has:
        return DONE
    if rights.SIGNED_IN not in has:
        return SIGN_IN
    if rights.LIST not in has:
        return DENIED
    is_hidden = rights.READ in needs - has or (act in (ALARM, ACKNOWLEDGE) and rights.READ_INSTANCES not in has)
    return ABSENT if is_hidden else DENIED


class Asker:
    """Asks as one person, and compares."""

    def __init__(self, walk: Walk, name: str, *, tells_hidden: bool, tells_addresses: bool):
        self._world, self._hashes, self._name, self._wants = walk.world, walk.hashes, name, walk.wants
        self._tells_hidden, self._tells_addresses = tells_hidden, tells_addresses
        self._takes_parts = False
        self._client, self._admin = walk.client(name), walk.client("admin")
        self._tokens = {who: {csrf.HEADER: token_of(walk.web, who)} for who in (name, "admin") if who}

    def differences(self, side: Side, has: frozenset[str], *, thin: bool) -> Iterator[str]:
        """What was answered otherwise than the rights on a group of Dags say.

        :param thin: one request for each act and route; of the second group only those about its Dags
        """
        acts = documented_acts()
        self._takes_parts = thin
        of_side = [ask for ask in (*rest_requests(), *page_requests()) if ask.of_side or side is self._world.sides[0]]
        for ask in _once_each_route(of_side) if thin else of_side:
            asked = filled(ask, side, self._name)
            if not self._wants(self._name, asked):
                continue
            answer = self.ask(asked)
            found, expected = self._outcome(answer, ask), _expected(ask.act, acts[ask.act].needs, has)
            where = f"{self._name or 'anonymous'}: {ask.route} {asked.path} {asked.body or ''}"
            if found != expected:
                yield f"{where}: {found} instead of {expected}: {answer.text[:300]}"
            if HIDDEN in answer.text and not self._tells_hidden:
                yield f"{where}: tells of what may not be read"
            if not self._tells_addresses and (told := OF_ADDRESSES.search(answer.text)):
                yield f"{where}: tells {told.group()}"

    def differences_in_part(self, requests: Iterable[Ask]) -> Iterator[str]:
        """What was done otherwise than to the things of the first group, of requests about both."""
        first, second = self._world.sides
        for ask in requests:
            asked = filled(ask, replace(first, numbers={**first.numbers, "other_event": second.numbers["event"]}), "")
            if not self._wants(self._name, asked):
                continue
            answer = self.ask(asked)
            found = self._world.changed_dags()
            if answer.status_code >= 300 or found != {first.dag}:
                yield f"{self._name}: {ask.route} {asked.body}: {answer.status_code}, did it to {sorted(found)}"

    def ask(self, ask: Ask) -> Response:
        """Send a request that is filled in."""
        if ask.is_rest:
            answer: Response = self._client.request(ask.method, f"/taskops{ask.path}", json=ask.body)
        elif ask.method == "GET":
            # a part of a page takes half as long as the whole
            answer = self._client.get(f"{ROOT}{ask.path}", headers={"HX-Request": "true"} if self._takes_parts else {})
        elif ask.apply:
            answer = self._apply(ask)
        else:
            answer = self._send(self._client, self._name, ask.path, ask.body)
        return answer

    def _apply(self, ask: Ask) -> Response:
        """Send a dialog's form with the plan that an admin was shown; with one's own, where that is another."""
        fields = {**ask.body, "step": "apply", "part": "plan"}
        plan_hash = self._hash(self._admin, "admin", ask)
        answer = self._send(self._client, self._name, ask.path, {**fields, "plan_hash": plan_hash})
        if answer.status_code == 409:
            plan_hash = self._hash(self._client, self._name, ask)
            answer = self._send(self._client, self._name, ask.path, {**fields, "plan_hash": plan_hash})
        return answer

    def _hash(self, client: TestClient, name: str, ask: Ask) -> str:
        key = (name, repr((ask.path, ask.body)))
        if key not in self._hashes:
            found = re.search(r'name="plan_hash" value="([^"]*)"', self._send(client, name, ask.path, ask.body).text)
            self._hashes[key] = found.group(1) if found else "0"
        return self._hashes[key]

    def _send(self, client: TestClient, name: str, path: str, fields: dict[str, Any]) -> Response:
        headers = {"HX-Request": "true", **self._tokens.get(name, {})}
        answer: Response = client.post(f"{ROOT}{path}", data=fields, headers=headers)
        return answer

    def _outcome(self, answer: Response, ask: Ask) -> str:
        """What an answer amounts to; whether something was changed must agree with it."""
        changed = ask.method != "GET" and self._world.changed()
        status = answer.status_code
        if status >= 300:
            words = {401: SIGN_IN, 302: SIGN_IN, 403: DENIED, 404: ABSENT}.get(status, str(status))
            return f"{words}, and something was changed" if changed else words
        if ask.changes is None:
            return DONE
        found = DENIED if _says_refused(answer) or (ask.changes and not changed) else DONE
        return found if changed == (ask.changes and found is DONE) else f"{found}, and something was changed"


def _says_refused(answer: Response) -> bool:
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return False
    content = answer.json()
    return isinstance(content, dict) and content.get("outcome") == "refused" and "items" in content
