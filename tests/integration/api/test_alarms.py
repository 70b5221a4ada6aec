"""``/taskops/v1/alarms`` and ``airflow taskops alarms``: the same answers, bad input in a line, no leaks (B16)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from taskops_provider.exceptions import Forbidden, NotFound
from taskops_provider.models import AlarmRule, Operation
from taskops_provider.services.actor import Actor
from taskops_provider.services.alarm_changes import create_rule, delete_rule, update_rule
from taskops_provider.services.alarm_events import EventFilter, confirm_event, list_events, show_event
from taskops_provider.services.alarm_rules import RuleFilter, list_rules, show_rule
from tests.e2e.apps import web_app
from tests.support.alarming import OPS, became, events, look, rule
from tests.support.api import Api
from tests.support.cli import Cli
from tests.support.gates import counted_queries
from tests.support.instances import write_runs
from tests.support.mail import MailServer
from tests.support.warehouse import Limited, install, retail

CLEAN = {"dag_id": "orders", "task_id": "clean", "kind": "failed", "recipients": OPS}


@pytest.fixture
def api(session):
    install(session, retail())
    write_runs(session, "orders", ["extract", "clean", "load"], range(2), state="running")
    with web_app("simple").active() as web:
        yield Api(web)


@pytest.fixture
def cli(capsys, monkeypatch) -> Cli:
    return Cli(capsys, monkeypatch)


def without(shown, *names):
    return {key: value for key, value in shown.items() if key not in names}


class TestRules:
    def test_the_command_line_and_the_api_make_the_same_rule(self, api, cli):
        body = {
            **CLEAN,
            "name": "orders",
            "level": 2,
            "parameters": {"on": "first_failure"},
            "recipients": {"owners": True, "users": ["carol"], "addresses": ["ops@example.com"]},
            "channels": [{"channel": "email", "connection": "smtp_ops"}],
            "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin", "except_level": 3},
            "repeat": {"minutes": 30, "max": 5},
            "escalation": {"after": 60, "recipients": {"users": ["dora"], "addresses": ["boss@example.com"]}},
        }
        here = api.post("alarms/rules", 201, **body)
        there = cli.json(
            *("alarms", "create", "--task", "orders", "clean", "--kind", "failed", "--name", "orders", "--level", "2"),
            *("--on", "first_failure", "--owners", "--user", "carol", "--address", "ops@example.com"),
            *("--channel", "email:smtp_ops", "--quiet-hours", "22:00-07:00", "--quiet-zone", "Europe/Berlin"),
            *("--quiet-except-level", "3", "--repeat-minutes", "30", "--repeat-max", "5", "--escalate-after", "60"),
            *("--escalate-to", "dora", "--escalate-to", "boss@example.com"),
        )
        ours = ("rule_id", "created_at", "created_by", "changed_at", "changed_by")
        assert without(here, *ours) == without(there, *ours)
        listed = cli.json("alarms", "list", "--dag-id", "orders")
        assert listed == api.get("alarms/rules", dag_id="orders")["rules"]
        assert listed[1] == api.get(f"alarms/rules/{here['rule_id']}")

    def test_change_and_delete(self, api, cli, session):
        made = api.post("alarms/rules", 201, **CLEAN)
        path = f"alarms/rules/{made['rule_id']}"
        changed = api.expect(200, "PATCH", path, json={"level": 3, "repeat": {"minutes": 5}})
        assert (changed["level"], changed["repeat"], changed["version"]) == (3, {"minutes": 5, "max": 3}, 2)
        assert api.expect(200, "PATCH", path, json={"repeat": None})["repeat"] is None
        shown = cli.json("alarms", "update", str(made["rule_id"]), "--disable", "--kind", "succeeded")
        assert (shown["enabled"], shown["kind"], shown["parameters"]) == (False, "succeeded", {})
        assert api.expect(200, "DELETE", path)["rule_id"] == made["rule_id"]
        assert api.refused(404, "GET", path) == f"alarm rule {made['rule_id']} does not exist"
        verbs = session.scalars(select(Operation.verb).order_by(Operation.id)).all()
        assert verbs == ["alarm-create", "alarm-update", "alarm-update", "alarm-update", "alarm-delete"]

    @pytest.mark.parametrize(
        ("change", "status", "told"),
        [
            ({"task_id": "nope"}, 404, "task 'nope' of Dag 'orders' does not exist"),
            ({"dag_id": "nope"}, 404, "Dag 'nope' does not exist"),
            ({"dag_id": None, "task_id": None, "project": "nope"}, 404, "project 'nope' does not exist"),
            ({"recipients": {}}, 422, "no recipient"),
            ({"recipients": {"addresses": ["no address"]}}, 422, "'no address' is no e-mail address"),
            ({"level": 4}, 422, "level"),
            ({"kind": "burnt"}, 422, "kind"),
            ({"parameters": {"on": "monday"}}, 422, "on is 'monday'; allowed are first_failure, retries_exhausted"),
            ({"parameters": {"minutes": 3}}, 422, "parameters of failed has no 'minutes'"),
            ({"kind": "running_longer_than"}, 422, "needs minutes, or percent"),
            ({"kind": "running_longer_than", "parameters": {"minutes": 0}}, 422, "minutes is '0'; allowed are 1 to"),
            ({"kind": "not_finished_by", "parameters": {"time": "25:00"}}, 422, "time is '25:00'; allowed is HH:MM"),
            (
                {"kind": "not_finished_by", "parameters": {"time": "08:00", "zone": "Mars/Base"}},
                422,
                "zone 'Mars/Base' is no time zone",
            ),
            ({"quiet_hours": {"from": "22:00", "to": "22:00"}}, 422, "quiet_hours begin and end at the same time"),
            ({"repeat": {"minutes": 0}}, 422, "repeat.minutes is '0'"),
            ({"escalation": {"after": 5, "recipients": {}}}, 422, "escalation.recipients names nobody"),
            ({"channels": [{"channel": "pigeon"}]}, 422, "channel 'pigeon' is unknown"),
            ({"channels": [{"channel": "os.path.join"}]}, 422, "channel 'os.path.join' is no notifier"),
            ({"channels": [{"channel": "no.such.Thing"}]}, 422, "channel 'no.such.Thing' cannot be imported"),
            (
                {"channels": [{"channel": "webhook", "args": {"headers": {"X-Api-Key": "x"}}}]},
                422,
                "argument 'X-Api-Key' looks like a secret",
            ),
            (
                {"channels": [{"channel": "webhook", "args": {"endpoint": "https://me:pw@example.com"}}]},
                422,
                "holds a secret",
            ),
            (
                {"channels": [{"channel": "email", "args": {"files": ["/etc/passwd"]}}]},
                422,
                "args of email has no 'files'",
            ),
            (
                {"channels": [{"channel": "airflow.providers.smtp.notifications.smtp.SmtpNotifier"}]},
                422,
                "missing a required argument: 'to'",
            ),
        ],
    )
    def test_what_cannot_be_is_refused_in_a_line_and_changes_nothing(self, api, session, change, status, told):
        given = {key: value for key, value in {**CLEAN, **change}.items() if value is not None}
        assert told in api.refused(status, "POST", "alarms/rules", json=given)
        assert session.scalar(select(func.count()).select_from(AlarmRule)) == 0

    def test_the_command_line_says_it_in_a_line_too(self, api, cli):
        refused = cli("alarms", "create", "--task", "orders", "clean", "--kind", "not_finished_by", "--owners")
        assert (refused.code, refused.err) == (1, "error: not_finished_by needs a time, as 08:00\n")
        refused = cli("alarms", "create", "--kind", "failed")
        assert (refused.code, refused.err.startswith("usage error: name what it is on")) == (2, True)
        made = cli("alarms", "create", "--project", "dags-folder", "--kind", "failed", "--address", "ops@example.com")
        assert made.code == 0
        assert "project     dags-folder" in made.out
        assert "project dags-folder" in cli("alarms", "list").out

    def test_a_test_sends_one_now(self, api, cli, session, monkeypatch):
        with MailServer() as server:
            monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.uri)
            number = rule(session, "orders.clean", recipients={"owners": True, **OPS}, level=2)
            answer = api.post(f"alarms/rules/{number}/test")
            assert answer["unreachable"] == ["ann", "bob"]
            assert [(one["recipient"], one["state"]) for one in answer["deliveries"]] == [("ops@example.com", "sent")]
            again = cli.json("alarms", "test", str(number), code=3)
            assert again["unreachable"] == ["ann", "bob"]
        assert server.subjects() == ["[TaskOps] Level 2: test: orders.clean failed"] * 2
        down = api.post(f"alarms/rules/{number}/test")["deliveries"][0]
        assert (down["state"], "refused" in down["error"]) == ("waiting", True)


class TestFirings:
    def test_list_show_confirm(self, api, cli, session):
        number = rule(session, "orders", level=2)
        for name in ("clean", "load"):
            became(session, f"orders.{name}", "failed")
        look(session)
        page = api.get("alarms/events", rule_id=number, level=2, limit=1)
        assert page["total_entries"] == 2
        (first,) = page["events"]
        assert first["headline"] in ("orders.clean failed", "orders.load failed")
        assert [one["state"] for one in first["deliveries"]] == ["waiting"]
        assert cli.json("alarms", "events")[0] == first == api.get(f"alarms/events/{first['event_id']}")
        confirmed = api.post(f"alarms/events/{first['event_id']}/confirm")
        assert confirmed["confirmed_by"] == "admin"
        assert api.post(f"alarms/events/{first['event_id']}/confirm") == confirmed
        assert [one["event_id"] for one in cli.json("alarms", "events", "--open")] != [first["event_id"]]
        assert len(cli.json("alarms", "events", "--open", "--since=-1h", "--kind", "failed")) == 1
        other = events(session)[0].id if events(session)[0].id != first["event_id"] else events(session)[1].id
        assert cli("alarms", "confirm", str(other)).code == 0
        assert api.get("alarms/events", confirmed="false")["total_entries"] == 0

    def test_lists_take_a_constant_number_of_queries(self, api, session):
        def queries() -> int:
            with counted_queries() as sent:
                api.get("alarms/events")
                api.get("alarms/rules")
            return len(sent)

        rule(session, "orders")
        became(session, "orders.clean", "failed")
        look(session)
        queries()  # the first request of a process looks more up
        few = queries()
        for _ in range(10):
            rule(session, "orders")
        look(session)
        assert len(events(session)) == 11
        assert queries() == few


class TestPermissions:
    """Of a person who may read orders and edit sales, and nothing else."""

    PERSON = Actor("pat", "api", Limited(["orders", "sales"], ["sales"]))

    @pytest.fixture
    def rules(self, session):
        install(session, retail())
        write_runs(session, "orders", ["clean"], range(1), state="running")
        write_runs(session, "report", ["send"], range(1), state="running")
        made = {name: rule(session, name) for name in ("orders", "sales", "report", "bundle:dags-folder")}
        became(session, "orders.clean", "failed")
        became(session, "report.send", "failed")
        look(session)
        return made

    def test_reading(self, session, rules):
        page = list_rules(session, self.PERSON, RuleFilter(), limit=50)
        assert {one["rule_id"] for one in page.rows} == {rules[name] for name in rules if name != "report"}
        with pytest.raises(NotFound):
            show_rule(session, self.PERSON, rules["report"])
        found = list_events(session, self.PERSON, EventFilter(), limit=50)
        assert (found.total_entries, {one["dag_id"] for one in found.rows}) == (2, {"orders"})
        hidden = next(one.id for one in events(session) if one.dag_id == "report")
        with pytest.raises(NotFound):
            show_event(session, self.PERSON, hidden)
        nobody = Actor("nobody", "api", Limited([]))
        assert list_rules(session, nobody, RuleFilter(), limit=50).rows == []

    def test_changing(self, session, rules):
        now = datetime.now(UTC)
        assert update_rule(session, self.PERSON, rules["sales"], {"level": 2}, now)["level"] == 2
        for name in ("orders", "bundle:dags-folder"):
            with pytest.raises(Forbidden):
                update_rule(session, self.PERSON, rules[name], {"level": 2}, now)
            with pytest.raises(Forbidden):
                delete_rule(session, self.PERSON, rules[name], now)
        # not by moving it there either
        with pytest.raises(Forbidden):
            update_rule(session, self.PERSON, rules["sales"], {"dag_id": "orders"}, now)
        with pytest.raises(NotFound):
            update_rule(session, self.PERSON, rules["sales"], {"dag_id": "report"}, now)
        with pytest.raises(Forbidden):
            create_rule(session, self.PERSON, CLEAN, now)
        seen = next(one.id for one in events(session) if one.dag_id == "orders")
        with pytest.raises(Forbidden):
            confirm_event(session, self.PERSON, seen, now)

    def test_a_notifier_of_ones_own_choice_runs_code_in_the_server(self, session, rules):
        channels = [{"channel": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "args": {"to": "a@b"}}]
        with pytest.raises(Forbidden, match="edit every Dag"):
            update_rule(session, self.PERSON, rules["sales"], {"channels": channels}, datetime.now(UTC))


def test_the_help_names_every_kind(cli):
    shown = cli("alarms", "create", "--help")
    assert shown.code == 0
    for kind in ("failed", "not_started_by", "replenishment_succeeded"):
        assert kind in shown.out
