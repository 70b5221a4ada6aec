"""What happens later in somebody's name happens only while they may still do it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from airflow.api_fastapi import app as airflow_app
from airflow.models.dagrun import DagRun
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from taskops_provider.adapter.users_by_name import can_look_up_users
from taskops_provider.models import Operation, Replenishment
from taskops_provider.services import retention
from taskops_provider.services.operations.records import RecordFilter, list_operations
from taskops_provider.services.operations.resume import due_dags, resume_dag
from taskops_provider.services.replenishments import make_runs as making
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from tests.support.api import fab_user
from tests.support.apps import WebApp, web_app
from tests.support.live import FAB, SIMPLE
from tests.support.queries import counted_queries
from tests.support.replenishing import World, asked, days, make_runs
from tests.support.warehouse import ALICE, chain, install, operate, stored

RIGHTS = (
    ("can_read", "DAG:d"),
    ("can_edit", "DAG:d"),
    ("can_create", "DAG Runs"),
    ("can_edit", "DAG Runs"),
    ("can_edit", "Task Instances"),
)
USERS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"


def create(session: Session, name: str, source: str = "api", **more: object) -> int:
    actor = Actor(name, source, UnrestrictedPermissions())
    created = create_replenishment(session, actor, asked("d.b", **more), datetime.now(UTC))
    session.commit()
    return created.replenishment_id


def runs(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(DagRun)) or 0


@pytest.fixture
def world(session) -> World:
    install(session, [chain("d", "a", "b")])
    return World(session)


class TestFab:
    """Users of FabAuthManager, as the monitor's own process sees them: without its web application."""

    @pytest.fixture(scope="class")
    def web(self) -> WebApp:
        return web_app("fab")

    @pytest.fixture
    def user(self, web, monkeypatch, request) -> Iterator[str]:
        with web.active():
            name = fab_user(web, f"of_{abs(hash(request.node.name))}", *RIGHTS)
            monkeypatch.setattr(airflow_app._AuthManagerState, "instance", None)
            yield name

    def _lose(self, web: WebApp, name: str, how: str) -> Callable[[], None]:
        """Take rights away; return what gives them back."""
        with web.flask.app_context():
            security = web.flask.appbuilder.sm
            found = security.find_user(username=name)
            if how == "inactive":
                found.active = False
                security.update_user(found)
            elif how == "deleted":
                security.session.delete(found)
                security.session.commit()
            else:
                found.roles = [security.find_role("Viewer")]
                security.update_user(found)

        def give_back() -> None:
            with web.flask.app_context():
                security = web.flask.appbuilder.sm
                found = security.find_user(username=name)
                role = security.find_role(f"role of {name}")
                if found is None:
                    security.add_user(name, name, name, f"{name}@example.com", role, name)
                else:
                    found.active, found.roles = True, [role]
                    security.update_user(found)

        return give_back

    def test_who_may_still_do_it_gets_it(self, world, user):
        assert world.play(create(world.session, user)).state == "success"

    @pytest.mark.parametrize("how", ["inactive", "deleted", "another role"])
    def test_nothing_more_starts_in_the_name_of_who_may_not(self, world, web, user, how, monkeypatch):
        monkeypatch.setattr(making, "CHUNK", 1)
        number = create(world.session, user, max_active_runs=1)
        world.monitor()
        assert runs(world.session) == 1
        give_back = self._lose(web, user, how)
        for _ in range(6):
            world.round()
        shown = world.show(number)
        said = "may not replenish d any more" if how == "another role" else "is no active user any more"
        assert shown.problem.startswith(f"waits: {user}, who asked for it, {said}")
        # what Airflow had goes on, as a backfill does
        assert (runs(world.session), world.executed.total(), shown.ended_at) == (1, 1, None)
        give_back()
        shown = world.play(number)
        assert (shown.state, shown.problem) == ("success", None)

    def test_cells_of_existing_runs_are_not_cleared_either(self, world, web, user):
        world.scheduler.outcomes.update(b="failed")
        make_runs(world, "d", 1, 2, 3)
        world.scheduler.outcomes.clear()
        number = create(world.session, user)
        self._lose(web, user, "inactive")
        for _ in range(4):
            world.round()
        assert not world.executed
        control_replenishment(world.session, ALICE, number, ControlVerb.CANCEL, datetime.now(UTC))
        world.session.commit()
        assert world.play(number, 3).state == "cancelled"

    def test_it_keeps_nobody_else_waiting(self, world, web, user):
        create(world.session, user)
        self._lose(web, user, "inactive")
        world.monitor()
        later = create(world.session, "ann", "cli", ranges=[days(4, 5)])
        assert world.play(later).state == "success"

    def test_of_long_names_the_user_is_found(self, world, web, user):
        name = f"{user}{'n' * 300}"
        with web.flask.app_context():
            security = web.flask.appbuilder.sm
            security.add_user(name, "n", "n", f"{user}@example.com2", security.find_role(f"role of {user}"), "n")
        assert world.play(create(world.session, name)).state == "success"

    def test_a_round_looks_each_up_once(self, world, user):
        for first in (1, 4, 7):
            create(world.session, user, ranges=[days(first, first + 1)])
        with counted_queries() as statements:
            world.monitor()
        assert sum("WHERE ab_user.username" in one for one in statements) == 1

    @pytest.mark.parametrize("how", ["", "inactive"])
    def test_a_pause_fills_its_gap_at_its_end_for_who_may_still_do_that(self, world, web, user, how):
        session = world.session
        make_runs(world, "d", 1)
        soon = datetime.now(UTC) + timedelta(hours=1)
        actor = Actor(user, "api", UnrestrictedPermissions())
        operate(session, "pause", "d.b", actor=actor, resume_at=soon, fill_gap=True)
        make_runs(world, "d", 2)
        if how:
            self._lose(web, user, how)
        later = soon + timedelta(minutes=1)
        assert due_dags(session, later) == ["d"]
        resume_dag(session, "d", later)
        session.commit()
        assert stored(session, "d")["b"] == "scheduling"
        record = session.scalars(select(Operation).where(Operation.verb == "start")).one()
        unfilled = f"resume_at has come; the gap is not filled: {user}, who asked for it, is no active user any more"
        assert record.reason == (unfilled if how else "resume_at has come")
        assert session.scalar(select(func.count()).select_from(Replenishment)) == (0 if how else 1)

    def test_what_fills_a_gap_goes_on_only_while_who_paused_may(self, world, web, user, monkeypatch):
        """The monitor queues it, for somebody: it is no less theirs than one that they made themselves."""
        monkeypatch.setattr(making, "CHUNK", 1)
        session = world.session
        make_runs(world, "d", 1)
        soon = datetime.now(UTC) + timedelta(hours=1)
        for task_id, name in {"a": "ann", "b": user}.items():
            actor = Actor(name, "cli" if name == "ann" else "api", UnrestrictedPermissions())
            operate(session, "pause", f"d.{task_id}", actor=actor, resume_at=soon, fill_gap=True)
        make_runs(world, "d", 2, 3)
        resume_dag(session, "d", soon + timedelta(minutes=1))
        of_ann, of_user = session.scalars(select(Replenishment.id).order_by(Replenishment.id)).all()
        give_back = self._lose(web, user, "another role")
        assert world.play(of_ann).state == "success"
        for _ in range(3):
            world.round()
        shown = world.show(of_user)
        assert shown.problem == (
            f"waits: {user}, who asked for it, may not replenish d any more: "
            "it needs to edit the Dag, to create runs of it and to change its task instances"
        )
        assert "asked_by" not in str(list_operations(session, ALICE, RecordFilter(), limit=50))
        give_back()
        assert world.play(of_user).state == "success"


class TestOthers:
    @pytest.mark.parametrize(
        ("users", "goes_on"), [("carol:user", True), ("carol:viewer", False), ("dan:admin", False)]
    )
    def test_users_of_the_simple_auth_manager(self, world, monkeypatch, users, goes_on):
        monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", SIMPLE)
        monkeypatch.setenv(USERS, users)
        monkeypatch.setattr(airflow_app._AuthManagerState, "instance", None)
        create(world.session, "carol")
        world.monitor()
        assert (runs(world.session) > 0) is goes_on

    def test_where_all_are_administrators_nobody_has_a_name(self, monkeypatch):
        monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", SIMPLE)
        monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
        assert not can_look_up_users()

    def test_an_auth_manager_that_finds_nobody_by_name(self, world, monkeypatch):
        monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "somebody.elses.AuthManager")
        assert world.play(create(world.session, "carol")).state == "success"

    @pytest.mark.parametrize("source", ["cli", "monitor"])
    def test_what_asked_nobody_for_rights_is_asked_for_none(self, world, monkeypatch, source):
        monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", FAB)
        assert world.play(create(world.session, "root", source)).state == "success"

    def test_the_record_of_who_asked_stays_as_long_as_it_goes_on(self, world):
        session = world.session
        create(session, "carol")
        session.execute(update(Operation).values(at=datetime(2020, 1, 1, tzinfo=UTC)))
        session.commit()
        retention.delete_old_records(session, datetime.now(UTC))
        session.commit()
        assert session.scalars(select(Operation.actor)).all() == ["carol"]
