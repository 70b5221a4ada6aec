"""Sends hostile requests to the real application and judges what comes of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random

from anyio.from_thread import start_blocking_portal
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy.orm import Session

from taskops_provider.monitor.loop import Monitor
from taskops_provider.www import csrf
from tests.contract.fuzz.mutate import HostileRequest, mutated
from tests.contract.walk.page_requests import page_requests
from tests.contract.walk.people import people_of
from tests.contract.walk.requests import Ask, filled
from tests.contract.walk.rest_requests import rest_requests
from tests.contract.walk.world import HIDDEN, World, furnished
from tests.support.apps import WebApp, web_app
from tests.support.dialogs import ROOT, token_of
from tests.support.queries import counted_queries

#: who asks: mostly somebody who may do everything to the Dags of one group, and nothing else
PEOPLE = (*["north_of_both"] * 7, *["north_editor"] * 2, "admin")
#: what everybody still reads after whatever was accepted; below the addresses of REST, Airflow and the pages
LISTS = (
    *(f"/taskops/v1/{name}?limit=200" for name in ("workflows", "tasks", "operations", "replenishments")),
    "/taskops/v1/alarms/rules?limit=200",
    "/taskops/v1/alarms/events?limit=200",
    "/api/v2/dags",
    "/api/v2/dags/~/dagRuns",
    "/api/v2/dags/~/dagRuns/~/taskInstances",
    "/api/v2/eventLogs",
    *(f"{ROOT}/{page}" for page in ("workflows", "tasks", "operations", "replenishments", "alarms", "alarm_rules")),
    f"{ROOT}/settings",
)
READERS = ("admin", "viewer", "north_of_both")
MOST_QUERIES = 1000
#: requests between two lines about how far it is
PROGRESS = 200
#: changes that are kept before the lists are read and the database is put back
KEPT_CHANGES = 25


@dataclass
class Report:
    """What was asked, and what went wrong.

    :param statuses: kind of request and status -> how often
    """

    statuses: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


class Fuzzer:
    """The application with its world; requests of a seed are the same each time."""

    def __init__(
        self, session: Session, tell: Callable[[str], None] = lambda _line: None, routes: Collection[str] = ()
    ):
        """Make the world.

        :param tell: called with what goes wrong, when it does, and now and then with how far it is
        :param routes: those that are asked; none: all
        """
        self._tell = tell
        self._stack = ExitStack()
        self.web: WebApp = web_app("fab")
        self._stack.enter_context(self.web.active())
        self._portal = self._stack.enter_context(start_blocking_portal())
        people_of(self.web, "fab")
        self.world: World = self._stack.enter_context(furnished(self.web, session, "fab", list(READERS)))
        self._clients = {name: self._client(name) for name in {*PEOPLE, *READERS}}
        self._tokens = {name: token_of(self.web, name) for name in PEOPLE}
        self._parameters = dict(self._documented_parameters())
        self._kept: list[str] = []
        self._rounds = 0
        asks: list[Ask] = [*rest_requests(), *page_requests()]
        self._asks = [ask for ask in asks if not routes or ask.route in routes]
        self.report = Report()

    def close(self) -> None:
        """Leave everything as it was."""
        self._stack.close()

    def play(self, requests: int, seed: int, *, first: int = 0) -> Report:
        """Send requests.

        :param first: the number of the first one, to begin where something went wrong
        """
        for number in range(first, first + requests):
            if number % PROGRESS == 0 and number > first:
                self._tell(f"{number - first} requests, {len(self.report.failures)} failures")
            self._play_one(Random(f"{seed}/{number}"), f"seed {seed} request {number}")
        self._settle_down("the end")
        return self.report

    def _fail(self, what: str) -> None:
        self.report.failures.append(what)
        self._tell(what)

    def _client(self, name: str) -> TestClient:
        client = self.web.client(name)
        client.portal = self._portal
        return client

    def _documented_parameters(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        schema = self._clients["admin"].get("/taskops/openapi.json").json()
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                names = tuple(one["name"] for one in operation.get("parameters", ()) if one["in"] == "query")
                yield f"{method.upper()} {path}", names

    def _play_one(self, random: Random, where: str) -> None:
        name = random.choice(PEOPLE)
        ask = filled(random.choice(self._asks), self.world.sides[random.random() < 0.1], name)
        plan_hash = "0"
        if not ask.is_rest and ask.method == "POST" and ask.apply and random.random() < 0.6:
            plan_hash = self._plan_hash(name, ask)
        request = mutated(ask, random, parameters=self._parameters.get(ask.route, ()), plan_hash=plan_hash)
        where = f"{where}, {name}: {request}"
        with counted_queries() as queries:
            answer = self._send(name, request)
        if answer is None:
            return
        kind = "REST" if ask.is_rest else "pages"
        self.report.statuses[f"{kind} {answer.status_code}"] += 1
        for problem in self._problems(answer, request, name, len(queries)):
            self._fail(f"{problem}\n  {where}\n  {answer.text[:500]}")

    def _send(self, name: str, request: HostileRequest) -> Response | None:
        headers = {**request.headers, csrf.HEADER: self._tokens[name], "HX-Request": "true"}
        try:
            answer: Response = self._clients[name].request(
                request.method, request.path, content=request.content, headers=headers
            )
        except Exception as error:  # an error that the application let through
            self._fail(f"{type(error).__name__}: {str(error)[:500]}\n  {name}: {request}")
            return None
        return answer

    def _plan_hash(self, name: str, ask: Ask) -> str:
        headers = {csrf.HEADER: self._tokens[name], "HX-Request": "true"}
        seen = self._clients[name].post(f"{ROOT}{ask.path}", data=ask.body, headers=headers)
        found = re.search(r'name="plan_hash" value="([^"]*)"', seen.text)
        return found.group(1) if found else "0"

    def _problems(self, answer: Response, request: HostileRequest, name: str, queries: int) -> Iterator[str]:
        status = answer.status_code
        if status >= 500:
            yield f"answer {status}"
        if re.search(r'Traceback \(most|File "/|sqlalchemy\.|psycopg2\.', answer.text):
            yield "the answer tells of the code"
        if queries > MOST_QUERIES:
            yield f"{queries} queries"
        if name != "admin" and HIDDEN in answer.text:
            yield "tells of what may not be read"
        if self.world.changed_since():
            if status >= 400:
                yield f"something was changed, and the answer is {status}"
            if request.method == "GET" and "/progress" not in request.path:
                yield "something was changed by reading"
            self._kept.append(str(request))
            if len(self._kept) >= KEPT_CHANGES:
                self._settle_down("changes")

    def _settle_down(self, why: str) -> None:
        """Let the monitor see to what was accepted, read all lists as everybody, and put the database back."""
        if not self._kept:
            return
        monitor = Monitor(interval=1)
        monitor.run_once()
        if "failing" in monitor.status:
            self._fail(f"monitor: {monitor.status}\n  after " + "\n  after ".join(self._kept))
        self._rounds += 1
        # an admin reads what everybody reads together, and one of the others with their own limits
        for reader in ("admin", READERS[1 + self._rounds % 2]):
            for path in LISTS:
                answer = self._clients[reader].get(path)
                if answer.status_code not in (200, 403):
                    self._fail(
                        f"{reader} reads {path}: {answer.status_code} {answer.text[:300]} ({why})\n  after "
                        + "\n  after ".join(self._kept)
                    )
        self._kept.clear()
        self.world.put_back()
