"""Alarms that time brings: too long, too late, quiet hours, repeats, escalation; no false ones (B16)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.models.dag import DagModel
from sqlalchemy import update

from taskops_provider.domain.progress import ReplenishmentState
from taskops_provider.models import AlarmRule, GateInterval, Replenishment
from taskops_provider.services.alarms.acknowledge import acknowledge_alarm
from taskops_provider.services.gate import settle as gate_settle
from tests.support.alarming import ago, alarms, became, deliveries, look, rule, send
from tests.support.instances import START, write_runs
from tests.support.mail import MailServer
from tests.support.replenishing import World, days, make_runs
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, chain, install, operate

BY_EIGHT = {"time": "08:00", "zone": "Europe/Berlin", "days": 0}
#: 08:00 in Berlin in winter
DEADLINE = datetime(2026, 1, 1, 7, tzinfo=UTC)


def at(hours: float) -> datetime:
    """So many hours into the first data day."""
    return START + timedelta(hours=hours)


@pytest.fixture
def mail(monkeypatch):
    with MailServer() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.uri)
        yield server


class TestTooLong:
    @pytest.fixture
    def running(self, session):
        install(session, [chain("d", "a", "b")])
        write_runs(session, "d", ["a"], [10], state="running")
        became(session, "d.a", "running", 10, start_date=ago(minutes=30), end_date=None)
        return session

    def test_minutes(self, running):
        rule(running, "d.a", "running_longer_than", parameters={"minutes": 31})
        rule(running, "d", "running_longer_than", parameters={"minutes": 29})
        rule(running, "d.b", "running_longer_than", parameters={"minutes": 1})
        look(running)
        look(running)
        (one,) = alarms(running)
        assert (one.facts["what"], one.attempt) == ("Runs for 30 min; allowed are 29 min", 1)

    def test_percent_over_the_average(self, running):
        """20 minutes on the average: 30 are 50 % more."""
        write_runs(running, "d", ["a"], range(1, 6))
        for number, minutes in enumerate((100, 15, 25, 20, 20), start=1):
            became(running, "d.a", "success", number, at=at(24 * number), duration=60.0 * minutes)
        rule(running, "d.a", "running_longer_than", parameters={"percent": 55, "last": 4})
        rule(running, "d.a", "running_longer_than", parameters={"percent": 45, "last": 4})
        rule(running, "d.a", "running_longer_than", parameters={"percent": 45, "last": 5})
        look(running)
        (one,) = alarms(running)
        assert one.facts["what"] == "Runs for 30 min; 45 % over the average of the last 4 (20 min) are allowed"

    def test_too_few_runs_have_no_average(self, running):
        write_runs(running, "d", ["a"], range(1, 3))
        rule(running, "d.a", "running_longer_than", parameters={"percent": 1})
        look(running)
        assert alarms(running) == []


class TestDeadlines:
    def watching(self, session, kind="not_finished_by", target="d.a", **parameters) -> int:
        """A rule made the day before."""
        return rule(session, target, kind, parameters={**BY_EIGHT, **parameters}, now=START - timedelta(hours=10))

    def test_not_finished(self, session):
        install(session, [chain("d", "a", "b")])
        write_runs(session, "d", ["a", "b"], range(2), state="running")
        became(session, "d.b", "success", at=at(6))
        self.watching(session, target="d")
        look(session, DEADLINE - timedelta(seconds=1))
        assert alarms(session) == []
        look(session, DEADLINE)
        look(session, DEADLINE + timedelta(hours=1))
        (one,) = alarms(session)
        assert (one.task_id, one.run_id, one.data_time) == ("a", "run_0000", START)
        assert one.facts["what"] == (
            "Not finished by 2026-01-01 07:00:00 UTC (08:00 Europe/Berlin), data day 2026-01-01: it is running"
        )
        # and the next day
        look(session, DEADLINE + timedelta(days=1))
        assert [one.task_id for one in alarms(session)] == ["a", "a", "b"]

    def test_finished_too_late_though_the_monitor_looked_later_still(self, session):
        install(session, [chain("d", "a")])
        write_runs(session, "d", ["a"], range(1))
        became(session, "d.a", "success", at=DEADLINE + timedelta(minutes=1))
        self.watching(session)
        look(session, DEADLINE + timedelta(hours=3))
        assert len(alarms(session)) == 1

    def test_not_started(self, session):
        install(session, [chain("d", "a", "b", "c")])
        write_runs(session, "d", ["a", "b", "c"], range(1), state=None)
        became(session, "d.a", "running", start_date=at(6), end_date=None)
        became(session, "d.b", "running", start_date=at(7.5), end_date=None)
        self.watching(session, "not_started_by", target="d")
        look(session, DEADLINE)
        assert [one.task_id for one in alarms(session)] == ["b", "c"]

    def test_many_cycles_of_a_data_day_are_one_firing(self, session):
        install(session, [chain("d", "a", schedule="@hourly")])
        world = Scheduler(session)
        for hour in range(3):
            world.create_run("d", f"run_{hour}", logical_date=at(hour))
        self.watching(session, zone="UTC")
        look(session, at(8))
        (one,) = alarms(session)
        assert one.facts["what"].endswith(
            "; 3 cycles are late: 2026-01-01 00:00:00 UTC, 2026-01-01 01:00:00 UTC, 2026-01-01 02:00:00 UTC"
        )

    def test_a_run_that_the_scheduler_owes(self, session):
        """It was never made though it is due."""
        install(session, [chain("d", "a")])
        self.watching(session)
        owed = {"next_dagrun": START, "next_dagrun_create_after": START}
        session.execute(update(DagModel).values(owed))
        session.commit()
        look(session, DEADLINE)
        (one,) = alarms(session)
        assert one.facts["what"].endswith("data day 2026-01-01: its run has not been made")

    @pytest.mark.parametrize("why", ["dag paused", "task paused", "paused then", "offline", "moved on", "not yet due"])
    def test_a_run_that_nobody_owes(self, session, why):
        install(session, [chain("d", "a", "b")])
        self.watching(session)
        owed = {"next_dagrun": START, "next_dagrun_create_after": START}
        if why == "dag paused":
            owed["is_paused"] = True
        elif why == "task paused":
            operate(session, "pause", "d.a")
        elif why == "offline":
            operate(session, "offline", "d.a")
        elif why == "paused then":
            operate(session, "pause", "d.a")
            operate(session, "start", "d.a")
            session.execute(update(GateInterval).values(from_at=at(-1), to_at=at(1)))
        elif why == "moved on":
            owed = {"next_dagrun": at(24), "next_dagrun_create_after": at(24)}
        else:
            owed["next_dagrun_create_after"] = at(24)
        session.execute(update(DagModel).values(owed))
        session.commit()
        look(session, DEADLINE)
        assert alarms(session) == []

    def test_a_gated_instance_is_not_late(self, session):
        install(session, [chain("d", "a", "b")])
        operate(session, "pause", "d.a", downstream="hold")
        gate_settle.ensure_pools(session)
        session.commit()
        world = Scheduler(session, settle=lambda s: gate_settle.settle(s, datetime.now(UTC)))
        world.create_run("d", logical_date=START)
        world.schedule("d")
        self.watching(session)
        look(session, DEADLINE)
        assert alarms(session) == []

    def test_deadlines_that_passed_while_no_monitor_ran(self, session):
        """The one of the last day counts, those before it are passed over; no deadline is looked at twice."""
        install(session, [chain("d", "a")])
        write_runs(session, "d", ["a"], range(5), state="running")
        number = self.watching(session)
        for _ in range(4):
            look(session, DEADLINE + timedelta(days=3, hours=1))
        assert [one.run_id for one in alarms(session)] == ["run_0003"]
        assert session.get(AlarmRule, number).next_due_at == DEADLINE + timedelta(days=4)


def test_replenishments(session):
    install(session, [chain("d", "a", "b"), chain("e", "a")])
    for name in ("d.a", "d.b", "d", "e"):
        rule(session, name, "replenishment_failed")
        rule(session, name, "replenishment_succeeded")
    world = World(session, outcomes={"b": "failed"})
    make_runs(world, "e", 1)
    number = world.create("d.a", ranges=[days(1, 2)])
    assert world.play(number).state == "success"
    look(session)
    look(session)
    found = [(one.kind, one.dag_id, one.task_id) for one in alarms(session)]
    assert sorted(found) == [("replenishment_succeeded", "d", ""), ("replenishment_succeeded", "d", "a")]
    assert alarms(session)[0].facts["what"] == f"Replenishment {number} by alice: success"
    session.execute(update(Replenishment).values(state=ReplenishmentState.PART_SUCCESS.value))
    session.commit()
    look(session)
    assert len(alarms(session)) == 4
    assert {one.kind for one in alarms(session)[2:]} == {"replenishment_failed"}


def quiet_now(**more):
    """Quiet hours from an hour ago to an hour from now."""
    now = datetime.now(UTC)
    around = {"from": f"{now - timedelta(hours=1):%H:%M}", "to": f"{now + timedelta(hours=1):%H:%M}", "zone": "UTC"}
    return {**around, **more}


class TestFollowUp:
    @pytest.fixture
    def orders(self, session):
        install(session, [chain("d", "a", "b")])
        write_runs(session, "d", ["a", "b"], range(2), state="running")
        return session

    def test_nothing_is_sent_in_quiet_hours_and_all_of_it_after_as_one(self, orders, mail):
        rule(orders, "d", quiet_hours=quiet_now(), level=3)
        became(orders, "d.a", "failed")
        became(orders, "d.b", "failed")
        look(orders)
        send()
        assert len(alarms(orders)) == 2
        assert deliveries(orders) == []
        later = datetime.now(UTC) + timedelta(hours=1, minutes=1)
        look(orders, later)
        look(orders, later)
        send(later)
        (one,) = mail.mails
        assert one.subject.startswith("[TaskOps] Level 3: 2 alarms during quiet hours, among them d.")
        assert "d.a failed" in one.text
        assert "d.b failed" in one.text

    def test_what_was_confirmed_in_quiet_hours_is_not_sent(self, orders, mail):
        rule(orders, "d", quiet_hours=quiet_now())
        became(orders, "d.a", "failed")
        look(orders)
        acknowledge_alarm(orders, ALICE, alarms(orders)[0].id, datetime.now(UTC))
        orders.commit()
        look(orders, datetime.now(UTC) + timedelta(hours=2))
        assert deliveries(orders) == []

    def test_a_level_that_quiet_hours_do_not_hold(self, orders):
        rule(orders, "d.a", quiet_hours=quiet_now(except_level=2), level=2)
        rule(orders, "d.b", quiet_hours=quiet_now(except_level=2), level=1)
        became(orders, "d.a", "failed")
        became(orders, "d.b", "failed")
        look(orders)
        assert [one.content["facts"]["events"][0]["task_id"] for one in deliveries(orders)] == ["a"]

    def test_what_could_not_be_sent_before_quiet_hours_waits_for_their_end(self, orders, mail):
        number = rule(orders, "d.a")
        became(orders, "d.a", "failed")
        look(orders)
        row = orders.get(AlarmRule, number)
        row.body = {**row.body, "quiet_hours": quiet_now(except_level=None)}
        orders.commit()
        send()
        assert mail.mails == []
        send(datetime.now(UTC) + timedelta(hours=1, minutes=1))
        assert len(mail.mails) == 1

    def test_repeats_stop_at_their_number_and_on_confirm(self, orders, mail):
        rule(orders, "d.a", repeat={"minutes": 10, "max": 2})
        rule(orders, "d.b", repeat={"minutes": 10, "max": 2})
        became(orders, "d.a", "failed")
        became(orders, "d.b", "failed")
        now = datetime.now(UTC)
        look(orders, now)
        first, second = alarms(orders)
        look(orders, now + timedelta(minutes=9))
        assert len(deliveries(orders)) == 2
        look(orders, now + timedelta(minutes=11))
        assert [one.why for one in deliveries(orders)] == ["firing"] * 2 + ["repeat"] * 2
        send(now + timedelta(minutes=12))
        acknowledge_alarm(orders, ALICE, first.id, now)
        orders.commit()
        for minutes in (22, 33, 44):
            look(orders, now + timedelta(minutes=minutes))
        why = [(one.event_id, one.why) for one in deliveries(orders)]
        assert why.count((first.id, "repeat")) == 1
        assert why.count((second.id, "repeat")) == 2
        send(now + timedelta(hours=1))
        assert sum("repeated" in subject for subject in mail.subjects()) == 3

    def test_what_was_to_be_said_again_is_taken_back_on_confirm(self, orders, mail):
        """A channel that was down delivers the first message, and none that came after it."""
        again = {"repeat": {"minutes": 10, "max": 5}}
        to = {"after": 15, "recipients": {"addresses": ["boss@example.com"]}}
        rule(orders, "d.a", **again, escalation=to)
        rule(orders, "d.b", **again)
        became(orders, "d.a", "failed")
        became(orders, "d.b", "failed")
        now = datetime.now(UTC)
        for minutes in (0, 11, 22):
            look(orders, now + timedelta(minutes=minutes))
        first, second = sorted(alarms(orders), key=lambda one: one.task_id)
        acknowledge_alarm(orders, ALICE, first.id, now)
        orders.commit()
        send(now + timedelta(minutes=23))
        assert [(one.event_id, one.why) for one in deliveries(orders)].count((first.id, "firing")) == 1
        assert {one.event_id for one in deliveries(orders) if one.why != "firing"} == {second.id}
        assert sum("repeated" in subject for subject in mail.subjects()) == 2
        assert "boss@example.com" not in {one.recipient for one in mail.mails}

    def test_escalation_goes_out_once_if_nobody_confirms(self, orders, mail):
        to = {"addresses": ["boss@example.com"], "users": ["nobody"]}
        rule(orders, "d", escalation={"after": 30, "recipients": to}, level=2)
        became(orders, "d.a", "failed")
        became(orders, "d.b", "failed")
        now = datetime.now(UTC)
        look(orders, now)
        first, second = alarms(orders)
        acknowledge_alarm(orders, ALICE, first.id, now)
        orders.commit()
        look(orders, now + timedelta(minutes=29))
        look(orders, now + timedelta(minutes=31))
        look(orders, now + timedelta(minutes=60))
        send(now + timedelta(hours=1))
        told = [mail_.subject for mail_ in mail.mails if mail_.recipient == "boss@example.com"]
        assert told == [f"[TaskOps] Level 2: escalated: d.{second.task_id} failed"]
        orders.expire_all()
        assert (first.escalated_at, second.escalated_at) == (None, now + timedelta(minutes=31))
        assert second.unreachable == ["nobody"]

    def test_a_rule_that_is_off_or_gone_says_nothing_again(self, orders):
        number = rule(orders, "d.a", repeat={"minutes": 1, "max": 9})
        became(orders, "d.a", "failed")
        look(orders)
        orders.get(AlarmRule, number).enabled = False
        orders.commit()
        look(orders, datetime.now(UTC) + timedelta(hours=1))
        assert len(deliveries(orders)) == 1
