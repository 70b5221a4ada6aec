"""Alarms end to end in this process: rules, the monitor's step, the sender, a real mail server and endpoint (B16)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from airflow.utils.types import DagRunType

from taskops_provider.services.alarms.evaluate import evaluate
from taskops_provider.services.alarms.rule_test import send_test
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from tests.support.alarming import OPS, ago, alarms, became, deliveries, look, rule, send
from tests.support.channels import MEMO
from tests.support.instances import write_runs
from tests.support.mail import Endpoint, MailServer
from tests.support.queries import counted_queries
from tests.support.scheduling import Scheduler
from tests.support.versions import keep_try
from tests.support.warehouse import ALICE, START, chain, install, operate, retail


@pytest.fixture
def mail(monkeypatch):
    with MailServer() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.uri)
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example.com/base")
        yield server


@pytest.fixture
def orders(session):
    """Hourly orders with two runs under way."""
    install(session, retail())
    write_runs(session, "orders", ["extract", "clean", "load"], range(2), state="running")
    return session


def test_a_failure_is_told_once_to_each_person(orders, mail):
    """Owners with an address of their own and addresses are written to; owners without one are kept with the firing."""
    operate(orders, "set-owners", "orders.clean", owners=["ann@example.com", "bob"])
    rule(orders, "orders.clean", recipients={"owners": True, **OPS}, level=2)
    became(orders, "orders.clean", "failed", max_tries=0)
    became(orders, "orders.load", "failed")
    for _ in range(3):
        look(orders)
        send()
    assert sorted(one.recipient for one in mail.mails) == ["ann@example.com", "ops@example.com"]
    (event,) = alarms(orders)
    assert (event.dag_id, event.task_id, event.run_id, event.level) == ("orders", "clean", "run_0000", 2)
    assert event.unreachable == ["bob"]
    assert [one.state for one in deliveries(orders)] == ["sent", "sent"]


def test_what_people_read(orders, mail):
    rule(orders, "orders.clean", level=3, name="<b>night {{ 7 * 7 }}</b>", recipients={"owners": True, **OPS})
    became(orders, "orders.clean", "failed", max_tries=0)
    look(orders)
    send()
    (one,) = mail.mails
    assert one.subject == "[TaskOps] Level 3: orders.clean failed"
    for said in (
        "orders.clean failed",
        "Failed after 2 min",
        "2026-01-01 00:00:00 UTC",
        "ann, bob",
        "run_0000",
        "http://airflow.example.com/base/dags/orders/tasks/clean/plugin/taskops-task",
        "http://airflow.example.com/base/dags/orders/runs/run_0000/tasks/clean",
        # inside Airflow, which puts the page's path, with the prefix, behind its own
        "http://airflow.example.com/base/plugin/taskops/base/pluginsv2/taskops/alarms?rule=",
    ):
        assert said in one.text, one.text
        assert said in one.html
    assert "<b>night {{ 7 * 7 }}</b>" in one.text
    assert "&lt;b&gt;night {{ 7 * 7 }}&lt;/b&gt;" in one.html
    assert "<img" not in one.html
    assert one.message["Auto-Submitted"] == "auto-generated"


def test_rules_on_a_workflow_and_on_a_project(orders, mail):
    rule(orders, "orders", name="of the workflow")
    rule(orders, "bundle:dags-folder", name="of the project")
    rule(orders, "sales", name="of another")
    became(orders, "orders.clean", "failed")
    became(orders, "orders.load", "failed")
    look(orders)
    assert sorted((one.facts["rule"], one.task_id) for one in alarms(orders)) == [
        ("of the project", "clean"),
        ("of the project", "load"),
        ("of the workflow", "clean"),
        ("of the workflow", "load"),
    ]


def test_first_failure_or_retries_exhausted(orders):
    first = rule(orders, "orders.clean", parameters={"on": "first_failure"})
    last = rule(orders, "orders.clean", parameters={"on": "retries_exhausted"})

    def fired():
        return [one.rule_id for one in alarms(orders)]

    became(orders, "orders.clean", "up_for_retry", try_number=1, max_tries=1)
    look(orders)
    assert fired() == [first]
    became(orders, "orders.clean", "failed", try_number=2, max_tries=1)
    look(orders)
    look(orders)
    assert fired() == [first, last]
    # cleared: a new round
    became(orders, "orders.clean", "failed", try_number=3, max_tries=2)
    look(orders)
    assert sorted(fired()) == sorted([first, last, first, last])


def test_a_first_failure_that_was_over_between_two_looks(session):
    """Airflow keeps the tries that failed; the second one succeeded before the monitor looked."""
    install(session, [chain("d", "a")])
    number = rule(session, "d.a", parameters={"on": "first_failure"})
    world = Scheduler(session, outcomes={"a": "failed"})
    world.create_run("d")
    from airflow.models.taskinstance import TaskInstance as TI
    from sqlalchemy import select

    ti = session.scalars(select(TI)).one()
    ti.state, ti.try_number, ti.max_tries = "running", 1, 1
    ti.start_date, ti.end_date = ago(minutes=1), datetime.now(UTC)
    session.flush()
    ti.state = "failed"  # as of a try that is over
    session.flush()
    ti = keep_try(ti, session)
    ti.state, ti.try_number = "success", 2
    session.commit()
    look(session)
    look(session)
    assert [(one.rule_id, one.facts["what"]) for one in alarms(session)] == [
        (number, "Failed after 1 min, try 1, and is tried again")
    ]


@pytest.mark.parametrize("on", ["retries_exhausted", "first_failure"])
def test_a_run_that_was_deleted_and_created_again_under_the_same_id(session, on):
    """Ids of scheduled and backfill runs are made of their dates, and tries begin at 1."""
    install(session, [chain("d", "a")])
    rule(session, "d.a", parameters={"on": on})
    scheduler = Scheduler(session, outcomes={"a": "failed"})
    for told in (1, 2):
        run = scheduler.create_run("d", "scheduled__2026-01-01", logical_date=START, run_type=DagRunType.SCHEDULED)
        scheduler.run_to_end("d", "scheduled__2026-01-01")
        for _ in range(2):
            look(session)
        assert len(alarms(session)) == told
        session.delete(session.merge(run))
        session.commit()


def test_success(orders):
    rule(orders, "orders.load", "succeeded")
    became(orders, "orders.load", "success")
    became(orders, "orders.clean", "success")
    look(orders)
    look(orders)
    assert [(one.task_id, one.facts["what"]) for one in alarms(orders)] == [("load", "Succeeded after 2 min, try 1")]


def test_a_rule_sees_nothing_from_before_it_was_made_or_enabled(orders):
    became(orders, "orders.clean", "failed", at=ago(minutes=5))
    rule(orders, "orders.clean", now=datetime.now(UTC))
    rule(orders, "orders.clean", enabled=False)
    look(orders)
    assert alarms(orders) == []


def test_what_the_gate_settled_is_no_failure(session):
    """A task that was deleted with ``fail`` is failed without executing: nobody is woken for it."""
    install(session, [chain("d", "a", "b")])
    rule(session, "d")
    rule(session, "d", "succeeded")
    operate(session, "offline", "d.a")
    operate(session, "delete", "d.a", downstream="fail")
    from taskops_provider.services.gate import settle as gate_settle

    gate_settle.ensure_pools(session)
    session.commit()
    world = Scheduler(session, settle=lambda s: gate_settle.settle(s, datetime.now(UTC)))
    world.create_run("d")
    assert world.run_to_end("d") == "failed"
    assert world.states("d") == {"a": "failed", "b": "upstream_failed"}
    look(session)
    assert alarms(session) == []


def test_any_number_of_monitors_fires_once(orders):
    """Two that look at the same moment: the second one's transaction fails, and fires nothing."""
    from sqlalchemy.exc import DBAPIError

    from tests.support.airflow_db import new_session

    rule(orders, "orders.clean")
    became(orders, "orders.clean", "failed")
    with new_session() as other:
        if orders.get_bind().dialect.name == "sqlite":
            look(orders)
            evaluate(other, datetime.now(UTC))
            other.commit()
        else:
            evaluate(orders, datetime.now(UTC))
            orders.flush()
            import threading

            first = threading.Timer(0.5, orders.commit)
            first.start()
            with pytest.raises(DBAPIError):
                evaluate(other, datetime.now(UTC))
            other.rollback()
            first.join()
    look(orders)
    assert len(alarms(orders)) == 1
    assert len(deliveries(orders)) == 1


def test_webhook(orders, monkeypatch):
    pytest.importorskip("airflow.providers.http")
    with Endpoint() as endpoint:
        monkeypatch.setenv("AIRFLOW_CONN_CHAT", endpoint.uri)
        rule(orders, "orders.clean", recipients={}, channels=["chat"], name="{{ 7 * 7 }}")
        became(orders, "orders.clean", "failed")
        look(orders)
        endpoint.status = 500
        send()
        (waiting,) = deliveries(orders)
        assert (waiting.state, "500" in waiting.last_error) == ("waiting", True)
        endpoint.status = 200
        send(datetime.now(UTC) + timedelta(minutes=1))
    assert [path for path, _, _ in endpoint.calls] == ["/hooks/ops"] * 2
    _, headers, body = endpoint.calls[1]
    assert headers["Idempotency-Key"] == f"taskops-{waiting.id}"
    (fact,) = body["events"]
    assert (fact["dag_id"], fact["task_id"], fact["kind"], fact["rule"]) == ("orders", "clean", "failed", "{{ 7 * 7 }}")
    assert body["text"].startswith("orders.clean failed")
    assert [one.state for one in deliveries(orders)] == ["sent"]


def test_a_connection_of_the_metadata_database(orders, mail, monkeypatch):
    """Not in the environment: as people make it in Airflow's UI."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)
    with create_session(scoped=False) as other:
        other.add(Connection(conn_id="smtp_ops", uri=mail.uri))
    try:
        number = rule(orders, "orders.clean", channels=["ops-mail"])
        answer = send_test(orders, ALICE, number, datetime.now(UTC))
    finally:
        with create_session(scoped=False) as other:
            other.execute(delete(Connection).where(Connection.conn_id == "smtp_ops"))
    assert [one.recipient for one in mail.mails] == ["ops@example.com"]
    assert "This is a test" in mail.mails[0].text
    assert answer.unreachable == []


def test_a_notifier_of_a_site(orders, monkeypatch, tmp_path):
    """Any BaseNotifier: its fixed arguments are templates that may name the texts, which are not rendered again."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "site_channel.py").write_text(
        "from airflow.sdk.bases.notifier import BaseNotifier\n"
        "SENT = []\n"
        "class Chat(BaseNotifier):\n"
        "    template_fields = ('message',)\n"
        "    def __init__(self, room, message, **kwargs):\n"
        "        super().__init__(**kwargs)\n"
        "        self.room, self.message = room, message\n"
        "    def notify(self, context):\n"
        "        SENT.append((self.room, self.message, context['alarm']['events'][0]['task_id']))\n"
    )
    fixed = {"notifier": "site_channel.Chat", "args": {"message": "{{ subject }}"}, "may_set": {"room": {}}}
    monkeypatch.setenv("AIRFLOW__TASKOPS__ALARM_CHANNELS", json.dumps({"site": fixed}))
    rule(orders, "orders.clean", recipients={}, channels=[{"channel": "site", "args": {"room": "ops"}}])
    became(orders, "orders.clean", "failed")
    look(orders)
    send()
    import site_channel

    assert site_channel.SENT == [("ops", "[TaskOps] Level 1: orders.clean failed", "clean")]


class TestDelivery:
    def test_a_dead_mail_server_loses_nothing(self, orders, monkeypatch):
        server = MailServer()
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.uri)
        rule(orders, "orders")
        for name in ("extract", "clean", "load"):
            became(orders, f"orders.{name}", "failed")
        look(orders)
        send()
        states = [(one.state, one.attempts) for one in deliveries(orders)]
        assert states == [("waiting", 1), ("waiting", 0), ("waiting", 0)]
        assert "refused" in deliveries(orders)[0].last_error
        from taskops_provider.services.health import check_health

        (check,) = [one for one in check_health(orders, datetime.now(UTC)) if one.name == "alarms"]
        assert check.level == "warning"
        assert check.message.startswith("email fails: 1 message tried in vain since 0 s (ConnectionRefusedError")
        with server:
            send(datetime.now(UTC) + timedelta(minutes=1))
        assert len(server.mails) == 3
        assert {one.state for one in deliveries(orders)} == {"sent"}
        (check,) = [one for one in check_health(orders, datetime.now(UTC)) if one.name == "alarms"]
        assert check.level == "ok"

    def test_a_message_is_given_up_after_its_window(self, orders, monkeypatch):
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", MailServer().uri)
        rule(orders, "orders.clean")
        became(orders, "orders.clean", "failed")
        look(orders)
        send(datetime.now(UTC) + timedelta(hours=25))
        assert [one.state for one in deliveries(orders)] == ["failed"]

    def test_a_recipient_that_is_refused_stops_no_other(self, orders, mail):
        mail.answer = lambda address: "550 no such person" if address == "gone@example.com" else None
        rule(orders, "orders.clean", recipients={"addresses": ["gone@example.com", "ops@example.com"]})
        became(orders, "orders.clean", "failed")
        look(orders)
        send()
        found = {one.recipient: (one.state, one.last_error) for one in deliveries(orders)}
        assert found == {
            # what the server says may name hosts and people: it is in the log
            "gone@example.com": ("waiting", "the mail server refuses it: 550"),
            "ops@example.com": ("sent", None),
        }

    @pytest.mark.parametrize(
        "address",
        ["\u00fc@example.com", "ops@\U0001f600.com", "=?utf-8?q?a=0D=0ABcc=3A_x=40y.z?=@example.com", "=?x@y"],
    )
    def test_a_recipient_that_no_server_takes_stops_no_other(self, orders, mail, address):
        """An address is a person's text: the channel is not down for it, so that nobody else's mail waits."""
        rule(orders, "orders.clean", recipients={"addresses": [address, "ops@example.com"]})
        became(orders, "orders.clean", "failed")
        look(orders)
        send()
        told = "mail servers take no such address: it is not in ASCII"
        found = {one.recipient: (one.state, one.last_error) for one in deliveries(orders)}
        assert found == {address: ("failed", told), "ops@example.com": ("sent", None)}
        assert [one.recipient for one in mail.mails] == ["ops@example.com"]

    def test_a_name_that_looks_like_an_encoded_header_is_text(self, orders, mail):
        """Of a notice: who did it stands in the subject."""
        person = Actor("=?utf-8?q?eve=0D=0ABcc=3A_x=40y.z?=", "api", UnrestrictedPermissions())
        operate(orders, "set-owners", "orders.clean", owners=["ann@example.com"])
        operate(orders, "pause", "orders.clean", actor=person, notify_owners=True)
        send()
        (one,) = mail.mails
        assert one.subject == "[TaskOps] = ?utf-8?q?eve=0D=0ABcc=3A_x=40y.z?= paused 1 task of yours"

    def test_what_a_person_set_stops_no_other(self, orders, mail, monkeypatch):
        """A notifier that fails for an argument which people may set does not make its channel count as down."""
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_OPS", mail.uri)
        monkeypatch.setenv("AIRFLOW__TASKOPS__ALARM_CHANNELS", json.dumps({"memo": MEMO}))
        for sender in ("nobody\u00fc", "ops@example.com"):
            channels = [{"channel": "memo", "args": {"from_email": sender}}]
            rule(orders, "orders.clean", channels=channels, recipients={})
        became(orders, "orders.clean", "failed")
        look(orders)
        send()
        rule_of = {one.id: one.rule_id for one in alarms(orders)}
        by_rule = sorted(deliveries(orders), key=lambda one: rule_of[one.event_id])
        assert [one.state for one in by_rule] == ["waiting", "sent"]

    def test_a_lost_answer_makes_it_uncertain(self, orders, mail, monkeypatch):
        """The server took the text and did not answer in time: it is not sent again."""
        mail.timeout = 1
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mail.uri)
        rule(orders, "orders.clean")
        became(orders, "orders.clean", "failed")
        look(orders)
        with mail.not_answering():
            send()
        send(datetime.now(UTC) + timedelta(hours=1))
        (one,) = deliveries(orders)
        assert (one.state, len(mail.mails)) == ("uncertain", 1)

    def test_a_slow_channel_delays_no_other(self, orders, mail, monkeypatch):
        from taskops_provider.monitor.sender import Sender

        with MailServer(timeout=60) as slow:
            monkeypatch.setenv("AIRFLOW_CONN_SLOW", slow.uri)
            released = {"slow-mail": {"notifier": "email", "connection": "slow"}}
            monkeypatch.setenv("AIRFLOW__TASKOPS__ALARM_CHANNELS", json.dumps(released))
            rule(orders, "orders.clean", channels=["slow-mail"])
            rule(orders, "orders.clean")
            became(orders, "orders.clean", "failed")
            look(orders)
            sender = Sender(interval=1)
            with slow.not_answering():
                sender.run_once()
                sender._busy["email"].join()
                assert len(mail.mails) == 1
                assert sorted(one.state for one in deliveries(orders)) == ["sending", "sent"]
            sender.run_once()
            sender.wait()
            sender.close()
        assert [one.state for one in deliveries(orders)] == ["sent", "sent"]


def test_very_many_messages_are_written_in_several_turns(orders, monkeypatch):
    """One person's rules keep neither the monitor from its other steps nor anybody else's alarms from being told."""
    monkeypatch.setattr("taskops_provider.services.alarms.record.AT_ONCE", 4)
    monkeypatch.setattr("taskops_provider.services.alarms.follow_up.MESSAGES_AT_ONCE", 4)
    people = [f"p{number}@example.com" for number in range(3)]
    for _ in range(4):
        rule(orders, "orders", recipients={"addresses": people})
    for task in ("clean", "load"):
        became(orders, f"orders.{task}", "failed", max_tries=0)
    told: list[int] = []
    while look(orders):
        told.append(len(deliveries(orders)) - sum(told))
    # whole alarms: a few more than there is room for, and at most twice, for new ones and for those of before
    assert len(told) > 1
    assert max(told) <= 12
    expected = {(person, one.id) for person in people for one in alarms(orders)}
    assert len(expected) == 3 * 4 * 2
    found = [
        (one.recipient, one.rule_id, event["task_id"])
        for one in deliveries(orders)
        for event in one.content["facts"]["events"]
    ]
    assert len(found) == len(set(found)) == len(expected)
    assert all(one.held_until is None for one in alarms(orders))
    subjects = {one.content["subject"] for one in deliveries(orders)}
    assert "[TaskOps] Level 1: 2 alarms at once, among them orders.clean failed" in subjects


def test_the_number_of_queries_does_not_grow_with_rules_tasks_or_instances(session):
    """A look that finds nothing to fire: of every kind, with instances that ended and instances that run."""
    kinds = {
        "failed": {},
        "succeeded": {},
        "running_longer_than": {"percent": 5000, "last": 1},
        "not_finished_by": {"time": "00:00", "days": 31},
        "not_started_by": {"time": "00:00", "days": 31},
        "replenishment_failed": {},
    }

    def queries(dag_id: str, tasks: int) -> int:
        names = [f"t{number}" for number in range(tasks)]
        install(session, [chain(dag_id, *names)])
        write_runs(session, dag_id, names, range(2))
        write_runs(session, dag_id, names, [9], state="running")
        for name in names:
            became(session, f"{dag_id}.{name}", "running", 9, start_date=ago(seconds=1), end_date=None)
            for kind, parameters in kinds.items():
                rule(session, f"{dag_id}.{name}", kind, parameters=parameters)
        with counted_queries(savepoints=False) as sent:
            assert not look(session)
        return len(sent)

    queries("first", 1)  # from the second one on the note of when it looked is there
    few = queries("few", 1)
    assert queries("many", 25) == few
    assert few <= 14
