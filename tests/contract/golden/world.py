"""The furnished database that the recorded answers are about: the same names, numbers and times in every run."""

from __future__ import annotations

import getpass
import logging
import math
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from airflow import settings
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance as TI
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from taskops_provider.services.replenishments import execute
from tests.contract.golden import tables
from tests.support.airflow_db import new_session, write_dags
from tests.support.alarming import became, rule
from tests.support.api import Api
from tests.support.api import tasks as named
from tests.support.apps import WebApp, web_app
from tests.support.cli import Cli
from tests.support.instances import run_id_of, write_runs
from tests.support.mail import Endpoint, MailServer
from tests.support.warehouse import BOB, START, chain, install, operate, retail

#: a Tuesday; the runs of ``write_runs`` are numbered by days since ``START``
NOW = datetime(2026, 2, 10, 9, 30, tzinfo=UTC)
TODAY = (NOW - START).days
ORDERS = ("extract", "clean", "load")
LEDGER = ("post", "match", "close")
#: nobody listens there
CLOSED = "http://127.0.0.1:1"


@contextmanager
def frozen() -> Iterator[time_machine.Traveller]:
    """Stop every clock that tells the time of the day at :data:`NOW`."""
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


class World:
    """The application on the furnished database, and ways to ask it."""

    def __init__(self, web: WebApp, cli: Cli, mails: MailServer, clock: time_machine.Traveller):
        self.web = web
        self.cli = cli
        self.mails = mails

        self._clock = clock
        self._database = Database()
        self._first = self._rows = self._database.rows()

    def start_anew(self) -> None:
        """Begin with the furnished database, whatever was done to it."""
        assert _furnished is not None
        if self._rows != self._first:
            self._database.put_back(_furnished)
        self._first = self._rows = self._database.rows()
        self._clock.move_to(NOW, tick=False)
        self.mails.mails.clear()

    def wait(self, hours: int) -> None:
        """Go on to a later time, at which whoever held a lease has gone."""
        self._clock.shift(timedelta(hours=hours))

    def effects(self) -> list[str]:
        """What has been changed in the database and sent since this was asked last: a line for each row, and mails."""
        rows = self._database.rows()
        found = tables.changes(self._rows, rows)
        self._rows = rows
        found += sorted(f"mail to {mail.recipient}: {mail.subject}\n{mail.text.rstrip()}" for mail in self.mails.mails)
        self.mails.mails.clear()
        return found

    def api(self, user: str | None = "admin") -> Api:
        """The REST API as somebody uses it."""
        return Api(self.web, user)


class Database:
    """The process's SQLite file, copied and put back as a whole."""

    def __init__(self) -> None:
        self._path = str(settings.engine.url.database)

    def rows(self) -> tables.Rows:
        """All that is compared of it."""
        return tables.read_rows(self._path)

    def copy(self) -> sqlite3.Connection:
        """Return a copy, in memory."""
        kept = sqlite3.connect(":memory:", check_same_thread=False)
        with closing(sqlite3.connect(self._path)) as now:
            now.backup(kept)
        return kept

    def put_back(self, kept: sqlite3.Connection) -> None:
        """Make the database what it was."""
        with closing(sqlite3.connect(self._path)) as now:
            kept.backup(now)


_furnished: sqlite3.Connection | None = None


@contextmanager
def furnished(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The furnished database as it is at first; what was there before is there again afterwards."""
    global _furnished
    web = web_app("simple")
    database = Database()
    before = database.copy()
    # what is logged, and into which stream, depends on the tests before
    was_disabled = logging.root.manager.disable
    logging.disable()
    try:
        with frozen() as clock, MailServer() as mails, web.active():
            _configure(monkeypatch, mails)
            world = World(web, cli, mails, clock)
            if _furnished is None:
                with new_session() as session, Endpoint() as endpoint:
                    monkeypatch.setenv("AIRFLOW_CONN_CHAT", endpoint.uri)
                    _furnish(world, session, clock)
                _furnished = database.copy()
                clock.move_to(NOW, tick=False)
            else:
                database.put_back(_furnished)
            monkeypatch.setenv("AIRFLOW_CONN_CHAT", CLOSED)
            world.start_anew()
            yield world
    finally:
        logging.disable(was_disabled)
        database.put_back(before)
        before.close()


def _configure(monkeypatch: pytest.MonkeyPatch, mails: MailServer) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "operator")
    # Airflow's own, which remembers whom it found first
    monkeypatch.setattr("airflow.utils.cli.getuser", lambda: "operator")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mails.uri)
    monkeypatch.setenv("COLUMNS", "120")
    # how quick the machine is, and whose turn a round of another test ended with, would decide what a round does
    monkeypatch.setattr(execute, "ROUND_SECONDS", math.inf)
    monkeypatch.setattr(execute, "_of_thread", threading.local())


def _furnish(world: World, session: Session, clock: time_machine.Traveller) -> None:
    """Write all that there is. It ends at :data:`NOW`."""
    clock.move_to(NOW - timedelta(days=2), tick=False)
    _dags(session)
    _past(session)
    clock.move_to(NOW - timedelta(hours=5), tick=False)
    _operations(world, session, clock)
    clock.move_to(NOW - timedelta(hours=3), tick=False)
    _rules(session)
    _replenishments(world)
    _monitor(world)
    clock.move_to(NOW - timedelta(hours=1), tick=False)
    _alarms(world, session)
    _exports(world)
    clock.move_to(NOW, tick=False)
    _monitor(world)
    _at_last(world, session)


def _dags(session: Session) -> None:
    """Four Dags that wait for each other, one in a folder, one that drains, one whose file is gone."""
    ledger = chain("ledger", *LEDGER, owner="eve", description="Posts & closes <books>", tags=["finance"])
    write_dags([ledger], session, files={"ledger": "finance/daily/ledger.py"})
    install(session, [*retail(), chain("stock", "count", "tell", schedule="0 6 * * 1"), chain("gone", "only")])
    session.execute(update(DagModel).where(DagModel.dag_id == "gone").values(is_stale=True))
    session.commit()


def _past(session: Session) -> None:
    """Runs of each sort: done, failed, running, gated, and days without one."""
    write_runs(session, "orders", ORDERS, range(TODAY - 5, TODAY - 2))
    write_runs(session, "orders", ORDERS, [TODAY - 2], "failed")
    write_runs(session, "orders", ORDERS, [TODAY - 1], None)
    became(session, "orders.extract", "success", TODAY - 1)
    write_runs(session, "ledger", LEDGER, [TODAY - 10, TODAY - 9, TODAY - 7, TODAY - 5])
    write_runs(session, "ledger", LEDGER, [TODAY - 4], "failed")
    write_runs(session, "stock", ("count", "tell"), [TODAY - 1], "running")
    for dag_id in ("orders", "stock"):
        run = update(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id_of(TODAY - 1))
        session.execute(run.values(state="running", start_date=NOW - timedelta(hours=12)))
    gated = (TI.dag_id == "ledger", TI.run_id == run_id_of(TODAY - 5), TI.task_id != "post")
    session.execute(update(TI).where(*gated).values(state="skipped", pool="taskops_skip"))
    session.commit()


def _operations(world: World, session: Session, clock: time_machine.Traveller) -> None:
    """Operations of each verb and each outcome, a minute apart."""
    api = world.api()
    paused = operate(session, "pause", "orders.clean", downstream="skip", reason="duplicate feed", ticket="OPS-42")
    clock.shift(60)
    api.post(f"operations/{paused.operation_id}/undo")
    clock.shift(60)
    operate(
        session, "pause", "orders.clean", "orders.load", actor=BOB, downstream="hold",
        reason="the source is <b>late</b> & wrong", resume_at=NOW + timedelta(days=2),
    )  # fmt: skip
    clock.shift(60)
    operate(session, "set-owners", "sales", "mart", owners=["ann", "陈伟"], reason="handed over")
    clock.shift(60)
    operate(session, "start", "orders.extract", "orders.clean")
    clock.shift(60)
    operate(session, "offline", "report", downstream="run", reason="replaced", ticket="OPS-7")
    clock.shift(60)
    operate(session, "delete", "report.send", downstream="run")
    clock.shift(60)
    api.expect(200, "PUT", "settings/strict-mode", json={"project": "dags-folder", "strict_mode": True})
    clock.shift(60)
    refused = api.post("tasks/offline", targets=named("sales.wait", "report.render"), downstream="skip")
    assert refused["outcome"] == "refused"
    clock.shift(60)
    api.expect(200, "PUT", "settings/strict-mode", json={"project": "dags-folder", "strict_mode": False})
    clock.shift(60)
    operate(session, "pause", "stock", downstream="skip", reason="stocktaking")


def _rules(session: Session) -> None:
    """Rules of several kinds, with all that a rule can have, or little."""
    quiet = {"from": "22:00", "to": "06:00", "zone": "Europe/Berlin", "except_level": 3}
    people = {"owners": True, "users": ["carol"], "addresses": ["ops@example.com"]}
    escalation = {"after": 60, "recipients": {"users": ["carol"], "addresses": ["boss@example.com"]}}
    due = {"time": "08:00", "zone": "Europe/Berlin", "days": 1}
    rule(
        session, "orders", name="Orders must <not> fail", level=3, recipients=people, channels=["email", "chat"],
        quiet_hours=quiet, repeat={"minutes": 30, "max": 5}, escalation=escalation,
    )  # fmt: skip
    rule(session, "ledger.close", "not_finished_by", level=2, parameters=due, recipients=people)
    rule(session, "sales.sum", "running_longer_than", parameters={"percent": 50, "last": 20})
    rule(session, "orders.extract", "succeeded", enabled=False, name="Is the source there?")
    rule(session, "bundle:dags-folder", "failed", parameters={"on": "first_failure"})


def _replenishments(world: World) -> None:
    """One that goes on, one that is paused, one that was cancelled."""
    api = world.api()

    more: dict[str, Any] = {"reason": "the bank was late", "max_active_runs": 2, "conf": {"full": True}}
    api.post("replenishments", 201, workflows=["ledger"], ranges=_days(10, 3), name="Repair the <ledger>", **more)
    waits = api.post("replenishments", 201, tasks=named("ledger.post"), ranges=_days(2, 1), downstream_depth=1)
    api.post(f"replenishments/{waits['replenishment_id']}/pause")
    hours = [{"from": "2026-02-07T20:00:00Z", "to": "2026-02-07T23:00:00Z"}]
    over = {"tasks": named("orders.load"), "ranges": hours, "cells": ["all"], "newest_first": True}
    number = api.post("replenishments", 201, **over)["replenishment_id"]
    api.post(f"replenishments/{number}/cancel")


def _days(first: int, last: int) -> list[dict[str, str]]:
    """A range, in days before today."""
    begin, end = ((NOW - timedelta(days=days)).date().isoformat() for days in (first, last))
    return [{"from": begin, "to": end}]


def _alarms(world: World, session: Session) -> None:
    """What fired: sent, confirmed, waiting, given up."""
    became(session, "orders.load", "failed", TODAY - 1)
    became(session, "ledger.match", "failed", TODAY - 4)
    _monitor(world)
    found = world.api().get("alarms/events")["events"]
    assert len(found) >= 2, found
    world.api().post(f"alarms/events/{found[-1]['event_id']}/confirm")
    session.execute(
        text(
            "UPDATE taskops_alarm_delivery SET state = 'uncertain', last_error = 'the answer was lost' "
            "WHERE id = (SELECT max(id) FROM taskops_alarm_delivery)"
        )
    )
    session.commit()


def _exports(world: World) -> None:
    """Two downloads, which the monitor prepares afterwards."""
    api = world.api()
    api.post("exports", 202, kind="tasks", format="json", filter={"dag_id": ["orders"]})
    api.post("exports", 202, kind="workflows")


def _monitor(world: World) -> None:
    """One round of the monitor, with all Dags read anew."""
    for words in (("sync",), ("monitor", "--once")):
        answer = world.cli(*words)
        assert answer.code == 0, answer


def _at_last(world: World, session: Session) -> None:
    """What goes on: a download not prepared yet, cells of each state, a monitor that is there."""
    world.api().post("exports", 202, kind="tasks")
    first = "SELECT min(id) + :number FROM taskops_replenishment_cell"
    ended = text(f"UPDATE taskops_replenishment_cell SET state = :state WHERE id = ({first})")
    for number, state in enumerate(("success", "failed", "skipped")):
        session.execute(ended, {"number": number, "state": state})
    moments = {"now": _stored(NOW), "later": _stored(NOW + timedelta(hours=1))}
    session.execute(
        text(
            "INSERT INTO taskops_lease (name, holder, renewed_at, expires_at, note) "
            "VALUES ('monitor', 'api-server@airflow-1', :now, :later, 'all steps done')"
        ),
        moments,
    )
    session.commit()


def _stored(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
