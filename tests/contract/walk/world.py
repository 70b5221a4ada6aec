"""What the walk asks about: two groups of Dags with the same things on each, of which some people know only one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow import settings
from airflow.models.dag import clear_team_name_cache
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.team import Team
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.permissions import UserPermissions
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.kinds import WindowKind, WindowPurpose
from taskops_provider.domain.windows.scope import WindowScope
from taskops_provider.domain.windows.times import ALWAYS, UNTIL_RELEASED
from taskops_provider.inputs.windows.window import WindowDefinition
from taskops_provider.models import Replenishment, ReplenishmentRun
from taskops_provider.services.catalog.filters import TaskFilter
from taskops_provider.services.exports.request import request_export
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.windows.stored import new_row
from tests.contract.golden import tables
from tests.contract.golden.world import Database
from tests.support.airflow_db import BUNDLE, write_dags
from tests.support.alarming import alarms, became, look, rule
from tests.support.apps import TEAMS, WebApp
from tests.support.exports import prepare
from tests.support.instances import run_id_of, write_runs
from tests.support.replenishing import asked, days
from tests.support.warehouse import ALICE, chain, install, operate
from tests.support.windowing import make, once

TASK_IDS = ("extract", "clean", "load", "publish")
VAULT_BUNDLE = "vault-bundle"
#: in every name and text of the second group but those of its Dags
HIDDEN = "zq-hidden"
#: somebody with an account, who is told of alarms and of operations; the address is for who may read users
TOLD = "viewer"
#: tells of addresses: one, who has none, the number of a message
OF_ADDRESSES = re.compile(rf'{TOLD}@example\.com|"delivery_id":\s*\d|"unreachable":\s*\["|[Nn]o address')
#: what is compared to tell whether anything was done; records of what was refused, and leases, are not
_NOT_COMPARED = frozenset({"log", "taskops_operation", "taskops_operation_item", "taskops_lease", "taskops_export"})


@dataclass(frozen=True)
class Side:
    """A group of Dags.

    :param dag: its tasks are scheduling, paused (clean) and offline (publish)
    :param old: a Dag that is offline
    :param numbers: of its records, by name
    """

    dag: str
    old: str
    project: str
    numbers: dict[str, int]

    def fill(self, value: Any) -> Any:
        """Put the names and numbers into a request: ``{dag}``, ``{rule}``."""
        if isinstance(value, str):
            return value.format(dag=self.dag, old=self.old, project=self.project, **self.numbers)
        if isinstance(value, dict):
            return {name: self.fill(one) for name, one in value.items()}
        return [self.fill(one) for one in value] if isinstance(value, list) else value


class World:
    """The database, put back after every request that changed it."""

    def __init__(self, sides: tuple[Side, Side], watch: sqlite3.Connection):
        self.sides = sides
        self._watch = watch
        self._database = Database()
        self._kept = self._database.copy()
        self._first = self._last = self._compared()
        self._version = self._data_version()

    def changed(self) -> bool:
        """Whether something that counts is not as it was; it is again afterwards."""
        if self._data_version() == self._version:
            return False
        differs = self._compared() != self._first
        self.put_back()
        return differs

    def changed_dags(self) -> set[str]:
        """The Dags of rows that came or differ; everything is as it was afterwards."""
        rows = self._compared()
        after = [row for name, table in rows.items() for key, row in table.items() if self._first[name].get(key) != row]
        self.put_back()
        return {row["dag_id"] for row in after if row.get("dag_id")}

    def put_back(self) -> None:
        """Make the database what it was."""
        self._database.put_back(self._kept)
        self._version, self._last = self._data_version(), self._first

    def changed_since(self) -> bool:
        """Whether something that counts has changed since this was asked last, or the database put back."""
        version = self._data_version()
        if version == self._version:
            return False
        rows = self._compared()
        differs, self._version, self._last = rows != self._last, version, rows
        return differs

    def _data_version(self) -> int:
        """Another one after each commit of another connection."""
        (version,) = self._watch.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _compared(self) -> tables.Rows:
        rows = self._database.rows()
        return {name: rows[name] for name in rows if name not in _NOT_COMPARED}


@contextmanager
def furnished(web: WebApp, session: Session, kind: str, readers: list[str]) -> Iterator[World]:
    """The world of one application.

    :param readers: who has a download of their own
    """
    clear_team_name_cache()
    north = _furnish(session, "orders", "ann", "dags", BUNDLE)
    south = _furnish(session, "vault", f"{HIDDEN}-owner", f"{HIDDEN}-folder", VAULT_BUNDLE)
    if kind == TEAMS:
        _divide(session)
    for name in readers:
        _download(session, web, name, north, south)
    prepare(session)
    session.close()
    assert settings.engine is not None
    with closing(sqlite3.connect(str(settings.engine.url.database))) as watch:
        yield World((north, south), watch)
    clear_team_name_cache()


def _furnish(session: Session, dag_id: str, owner: str, folder: str, bundle: str) -> Side:
    hidden = "" if dag_id == "orders" else HIDDEN
    old = f"{dag_id}_old"
    dags = [chain(dag_id, *TASK_IDS, owner=owner), chain(old, "only", owner=owner)]
    write_dags(dags, session, bundle=bundle, files={dag.dag_id: f"{folder}/{dag.dag_id}.py" for dag in dags})
    install(session, [])
    write_runs(session, dag_id, TASK_IDS, range(2))
    write_runs(session, dag_id, TASK_IDS, [2], None)
    last = (DagRun.dag_id == dag_id, DagRun.run_id == run_id_of(2))
    session.execute(update(DagRun).where(*last).values(state="running", start_date=datetime.now(UTC)))
    session.commit()
    numbers = {}
    words: dict[str, Any] = {"reason": f"{hidden} because", "ticket": f"{hidden} OPS-1"}
    operate(session, "pause", f"{dag_id}.clean", downstream="hold", **words)
    operate(session, "offline", f"{dag_id}.publish", downstream="run", **words)
    operate(session, "offline", old, downstream="run", **words)
    numbers["window"] = _windows(session, dag_id, hidden, bundle)
    numbers["operation"] = (
        operate(session, "set-owners", f"{dag_id}.load", owners=[owner, TOLD], notify_owners=True).operation_id or 0
    )
    recipients = {"users": [TOLD, "eve"], "addresses": ["ops@example.com"]}
    numbers["rule"] = rule(session, f"{dag_id}.extract", name=f"{hidden} rule", recipients=recipients)
    became(session, f"{dag_id}.extract", "failed", 2)
    look(session)
    numbers["event"] = max(one.id for one in alarms(session))
    for name, verb in {"queued": None, "paused": ControlVerb.PAUSE, "cancelled": ControlVerb.CANCEL}.items():
        numbers[name] = _replenishment(session, dag_id, f"{hidden} {name}", verb)
    numbers["cleared"] = _replenishment(session, dag_id, f"{hidden} cleared", None)
    _clear(session, numbers["cleared"])
    return Side(dag_id, old, bundle, numbers)


def _windows(session: Session, dag_id: str, hidden: str, bundle: str) -> int:
    """A window that opens some day, and a project that is held, of which nothing is left to hold."""
    now = datetime.now(UTC)
    times = once(datetime(2190, 6, 1, tzinfo=UTC), datetime(2190, 6, 2, tzinfo=UTC))
    kinds = ["pause", "freeze"]
    made = make(
        session, now, f"{dag_id}.load", name=f"{hidden} window", kinds=kinds, reason=f"{hidden} why", times=times
    )
    held = WindowDefinition(
        name=f"{hidden} hold",
        kinds=(WindowKind.PAUSE,),
        downstream=Downstream.HOLD,
        scope=WindowScope(projects=(bundle,)),
        times=None,
        written={"begin": ALWAYS.isoformat(), "end": UNTIL_RELEASED.isoformat()},
        reason=None,
        enabled=True,
    )
    session.add(new_row(held, "alice", now, WindowPurpose.HOLD_ALL))
    session.commit()
    return made.window_id


def _clear(session: Session, number: int) -> None:
    """What the monitor has a replenishment do to a run that was there, which has not begun again."""
    found = select(ReplenishmentRun).where(ReplenishmentRun.replenishment_id == number)
    run = session.scalars(found.order_by(ReplenishmentRun.ordinal)).first()
    assert run
    run.run_id, run.state = run_id_of(0), "active"
    session.execute(update(Replenishment).where(Replenishment.id == number).values(state="running"))
    session.commit()


def _replenishment(session: Session, dag_id: str, name: str, verb: ControlVerb | None) -> int:
    request = asked(f"{dag_id}.load", ranges=[days(1, 3)], cells="all", name=name)
    number = create_replenishment(session, ALICE, request, datetime.now(UTC)).replenishment_id
    session.commit()
    if verb:
        control_replenishment(session, ALICE, number, verb, datetime.now(UTC))
    if verb is ControlVerb.CANCEL:
        # as the monitor does, when it sees that nothing of it runs
        session.execute(update(Replenishment).where(Replenishment.id == number).values(ended_at=datetime.now(UTC)))
    session.commit()
    return number


def _divide(session: Session) -> None:
    """Give each group of Dags to a team."""
    for team, bundle in {"north": BUNDLE, "south": VAULT_BUNDLE}.items():
        found = session.scalar(select(DagBundleModel).where(DagBundleModel.name == bundle))
        assert found is not None
        found.teams.append(Team(name=team))
    session.commit()
    clear_team_name_cache()


def _download(session: Session, web: WebApp, name: str, *sides: Side) -> None:
    actor = Actor(name, "api", UserPermissions(web._users[name]))
    made = request_export(session, actor, TaskFilter(), "csv", datetime.now(UTC))
    for side in sides:
        side.numbers[f"export_of_{name}"] = made.export_id
        side.numbers[f"download_of_{name}"] = made.operation_id
    session.commit()
