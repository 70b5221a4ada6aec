"""``/taskops/v1/alarms`` and ``airflow taskops alarms``: the same answers, bad input in a line, no leaks (B16)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from taskops_provider.exceptions import Forbidden, ResourceNotFound
from taskops_provider.models import AlarmRule, Operation
from taskops_provider.services.alarms.acknowledge import acknowledge_alarm
from taskops_provider.services.alarms.listing import AlarmFilter, list_alarms, show_alarm
from taskops_provider.services.alarms.rule_changes import delete_rule
from taskops_provider.services.alarms.rules import RuleFilter, list_rules, show_rule
from taskops_provider.services.shared.actor import Actor
from tests.support.alarming import OPS, alarms, became, change, create, look, rule, send
from tests.support.api import Api
from tests.support.apps import web_app
from tests.support.cli import Cli
from tests.support.instances import write_runs
from tests.support.mail import MailServer
from tests.support.queries import counted_queries
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
            "channels": [{"channel": "ops-mail"}],
            "quiet_hours": {"from": "22:00", "to": "07:00", "zone": "Europe/Berlin", "except_level": 3},
            "repeat": {"minutes": 30, "max": 5},
            "escalation": {"after": 60, "recipients": {"users": ["dora"], "addresses": ["boss@example.com"]}},
        }
        here = api.post("alarms/rules", 201, **body)
        there = cli.json(
            *("alarms", "create", "--task", "orders", "clean", "--kind", "failed", "--name", "orders", "--level", "2"),
            *("--on", "first_failure", "--owners", "--user", "carol", "--address", "ops@example.com"),
            *("--channel", "ops-mail", "--quiet-hours", "22:00-07:00", "--quiet-zone", "Europe/Berlin"),
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
            ({"recipients": {"addresses": ["no address"]}}, 422, "is 'no address'; allowed is an e-mail address"),
            ({"level": 4}, 422, "level"),
            ({"kind": "burnt"}, 422, "kind"),
            ({"parameters": {"on": "monday"}}, 422, "on is 'monday'; allowed are first_failure, retries_exhausted"),
            ({"parameters": {"minutes": 3}}, 422, "parameters of failed has no 'minutes'"),
            ({"kind": "running_longer_than"}, 422, "needs minutes, or percent"),
            (
                {"kind": "running_longer_than", "parameters": {"minutes": 0}},
                422,
                "parameters.minutes is 0; allowed are 1 to 44,640",
            ),
            ({"kind": "not_finished_by", "parameters": {"time": "25:00"}}, 422, "time is '25:00'; allowed is HH:MM"),
            (
                {"kind": "not_finished_by", "parameters": {"time": "08:00", "zone": "Mars/Base"}},
                422,
                "zone is 'Mars/Base'; allowed are names of time zones",
            ),
            ({"quiet_hours": {"from": "22:00", "to": "22:00"}}, 422, "quiet_hours begin and end at the same time"),
            ({"repeat": {"minutes": 0}}, 422, "repeat.minutes is 0; allowed are 1 to 44,640"),
            ({"escalation": {"after": 5, "recipients": {}}}, 422, "escalation.recipients names nobody"),
            ({"channels": [{"channel": "pigeon"}]}, 422, "channel 'pigeon' is not released"),
            ({"channels": [{"channel": "os.path.join"}]}, 422, "is no name of a channel"),
            ({"channels": [{"channel": "chat", "connection": "aws_prod"}]}, 422, "connection cannot be chosen"),
            ({"channels": [{"channel": "chat", "args": {"headers": {"X-Api-Key": "x"}}}]}, 422, "looks like a secret"),
            ({"channels": [{"channel": "chat", "args": {"endpoint": "x"}}]}, 422, "args of channel 'chat' has no"),
            ({"channels": [{"channel": "memo", "args": {"files": ["/etc/passwd"]}}]}, 422, "has no 'files'"),
            ({"channels": [{"channel": "memo", "args": {"from_email": "{{ alarm }}"}}]}, 422, "holds a template"),
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
            assert api.get(f"alarms/rules/{number}/test")["deliveries"] == []
            answer = api.post(f"alarms/rules/{number}/test", 202)
            assert answer["unreachable"] == ["ann", "bob"]
            assert [(one["recipient"], one["state"]) for one in answer["deliveries"]] == [
                ("ops@example.com", "waiting")
            ]
            assert api.get(f"alarms/rules/{number}/test") == answer
            assert server.subjects() == []
            send()
            (one,) = api.get(f"alarms/rules/{number}/test")["deliveries"]
            assert (one["recipient"], one["state"]) == ("ops@example.com", "sent")
            again = cli.json("alarms", "test", str(number), code=3)
            assert again["unreachable"] == ["ann", "bob"]
        assert server.subjects() == ["[TaskOps] Level 2: test: orders.clean failed"] * 2
        api.post(f"alarms/rules/{number}/test", 202)
        send()
        (down,) = api.get(f"alarms/rules/{number}/test")["deliveries"]
        assert (down["state"], "refused" in down["error"]) == ("waiting", True)


class TestAlarms:
    def test_list_show_acknowledge(self, api, cli, session):
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
        acknowledged = api.post(f"alarms/events/{first['event_id']}/acknowledge")
        assert acknowledged["acknowledged_by"] == "admin"
        # by the old name too; a second time changes nothing
        assert api.post(f"alarms/events/{first['event_id']}/confirm") == acknowledged
        assert [one["event_id"] for one in cli.json("alarms", "events", "--unacknowledged")] != [first["event_id"]]
        assert len(cli.json("alarms", "events", "--unacknowledged", "--since=-1h", "--kind", "failed")) == 1
        other = alarms(session)[0].id if alarms(session)[0].id != first["event_id"] else alarms(session)[1].id
        old = cli("alarms", "events", "--open")
        assert (old.code, old.err.count("--open is deprecated")) == (0, 1)
        old = cli("alarms", "confirm", str(other))
        line = "warning: alarms confirm is deprecated and will be removed in 1.0; use alarms acknowledge\n"
        assert (old.code, old.err) == (0, line)
        assert cli("alarms", "acknowledge", str(other)).out == old.out
        assert api.get("alarms/events", acknowledged="false")["total_entries"] == 0

    def test_lists_take_a_constant_number_of_queries(self, api, session):
        def queries() -> int:
            with counted_queries(savepoints=False) as sent:
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
        assert len(alarms(session)) == 11
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
        assert {one.rule_id for one in page.rows} == {rules[name] for name in rules if name != "report"}
        with pytest.raises(ResourceNotFound):
            show_rule(session, self.PERSON, rules["report"])
        found = list_alarms(session, self.PERSON, AlarmFilter(), limit=50)
        assert (found.total_entries, {one.dag_id for one in found.rows}) == (2, {"orders"})
        hidden = next(one.id for one in alarms(session) if one.dag_id == "report")
        with pytest.raises(ResourceNotFound):
            show_alarm(session, self.PERSON, hidden)
        nobody = Actor("nobody", "api", Limited([]))
        assert list_rules(session, nobody, RuleFilter(), limit=50).rows == []

    def test_changing(self, session, rules):
        now = datetime.now(UTC)
        assert change(session, self.PERSON, rules["sales"], {"level": 2}, now).level == 2
        for name in ("orders", "bundle:dags-folder"):
            with pytest.raises(Forbidden):
                change(session, self.PERSON, rules[name], {"level": 2}, now)
            with pytest.raises(Forbidden):
                delete_rule(session, self.PERSON, rules[name], now)
        # not by moving it there either
        with pytest.raises(Forbidden):
            change(session, self.PERSON, rules["sales"], {"dag_id": "orders"}, now)
        with pytest.raises(ResourceNotFound):
            change(session, self.PERSON, rules["sales"], {"dag_id": "report"}, now)
        with pytest.raises(Forbidden):
            create(session, self.PERSON, CLEAN, now)
        seen = next(one.id for one in alarms(session) if one.dag_id == "orders")
        with pytest.raises(Forbidden):
            acknowledge_alarm(session, self.PERSON, seen, now)


def test_the_help_names_every_kind(cli):
    shown = cli("alarms", "create", "--help")
    assert shown.code == 0
    for kind in ("failed", "not_started_by", "replenishment_succeeded"):
        assert kind in shown.out
