"""Alarms on a running Airflow, against a real mail server and a real HTTP endpoint (requirements 7; B16, B18)."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import Person
from tests.support.live import LiveAirflow, free_port
from tests.support.mail import Endpoint, Mail, MailServer

DAGS = """
import os
import time
from datetime import datetime, timedelta
from airflow.sdk import DAG, task

with DAG("work", schedule=None, start_date=datetime(2025, 1, 1), default_args={"owner": "ann@example.com,bob"}):
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def boom():
        raise ValueError("the source is not there")

    @task
    def fine():
        pass

    @task
    def slow():
        while not os.path.exists(os.environ["MARKS"] + ".go"):
            time.sleep(0.5)

    boom(), fine(), slow()

DAILY = {"schedule": "@daily", "start_date": datetime(2025, 1, 1), "catchup": False}

with DAG("daily", default_args={"owner": "dan@example.com"}, **DAILY):
    @task
    def load():
        pass

    @task
    def old():
        pass

    load(), old()
"""
RUN = "by_hand"


@dataclass
class World:
    """The installation, where its messages go to, and the rules by name."""

    airflow: LiveAirflow
    mail: MailServer
    chat: Endpoint
    #: a mail server that does not run yet
    dead_port: int
    rules: dict[str, int] = field(default_factory=dict)

    def api(self, path: str, body: Any = None) -> Any:
        """Ask the REST API as an administrator."""
        headers = {"Authorization": f"Bearer {self.airflow.token('admin')}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.airflow.url}/taskops/v1/{path}", data=data, headers=headers)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def rule(self, name: str, on: str, kind: str, **more: Any) -> None:
        """Make a rule; it tells NAME@example.com if it is not told whom."""
        dag_id, task_id = on.split(".")
        given = {"recipients": {"addresses": [f"{name}@example.com"]}, **more}
        made = self.api("alarms/rules", {"dag_id": dag_id, "task_id": task_id, "kind": kind, "name": name, **given})
        self.rules[name] = made["rule_id"]

    def fired(self, name: str) -> list[dict[str, Any]]:
        """What a rule fired."""
        return self.api(f"alarms/events?rule_id={self.rules[name]}")["events"]

    def mails(self, name: str) -> list[Mail]:
        """What somebody at example.com got."""
        return [one for one in self.mail.mails if one.recipient == f"{name}@example.com"]

    def calls(self, endpoint: str) -> list[tuple[dict[str, str], Any]]:
        """The headers and the JSON of what an endpoint got."""
        return [(headers, said) for path, headers, said in self.chat.calls if path == f"/{endpoint}"]

    def first_mail(self, name: str) -> Mail:
        """The first message to somebody at example.com, once it is there."""
        return self.airflow.wait(f"the message to {name}", lambda: self.mails(name), timeout=240)[0]

    def state(self, task_id: str) -> str | None:
        """The state of a task of the run."""
        return self.airflow.states("work", RUN).get(task_id)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    dead = free_port()
    plain = "?disable_ssl=true&disable_tls=true&from_email=taskops%40example.com&timeout=5"
    with MailServer() as mail, Endpoint() as chat:
        settings = {
            "AIRFLOW_CONN_SMTP_DEFAULT": mail.uri,
            "AIRFLOW_CONN_SMTP_DEAD": f"smtp://127.0.0.1:{dead}/{plain}",
            "AIRFLOW_CONN_CHAT": chat.uri,
            "AIRFLOW__TASKOPS__ALARM_CHANNELS": json.dumps(RELEASED),
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        }
        with LiveAirflow(tmp_path_factory.mktemp("alarms"), **settings) as airflow:
            airflow.write_dag("dags.py", DAGS)
            airflow.migrate()
            airflow.make_users()
            airflow.serve()
            airflow.airflow("dags", "reserialize")
            airflow.taskops("sync")
            world = World(airflow, mail, chat, dead)
            _rules(world)
            airflow.airflow("dags", "trigger", "work", "--run-id", RUN, "--logical-date", datetime.now(UTC).isoformat())
            airflow.start("scheduler", "monitor")
            yield world


RELEASED = {
    "chat": {"notifier": "webhook", "connection": "chat", "args": {"endpoint": "ops"}},
    "dead-chat": {"notifier": "webhook", "connection": "chat", "args": {"endpoint": "dead"}},
    "dead-mail": {"notifier": "email", "connection": "smtp_dead"},
}


def _soon() -> dict[str, str]:
    """A clock time in one to two minutes, in a zone where it is about noon: it is never that of another day."""
    now = datetime.now(UTC)
    east = 12 - now.hour
    # the names of these zones count what is west of Greenwich
    zone = f"Etc/GMT{-east:+d}"
    return {"time": f"{now + timedelta(hours=east, minutes=2):%H:%M}", "zone": zone}


def _rules(world: World) -> None:
    now = datetime.now(UTC)
    both = [{"channel": "email"}, {"channel": "chat"}]
    world.rule("first", "work.boom", "failed", parameters={"on": "first_failure"})
    world.rule(
        "last", "work.boom", "failed", level=3, channels=both,
        recipients={"owners": True, "addresses": ["ops@example.com"]},
        repeat={"minutes": 1, "max": 50}, escalation={"after": 1, "recipients": {"addresses": ["boss@example.com"]}},
    )  # fmt: skip
    # fires with the one before, and nobody confirms it: what is repeated where that one is not
    world.rule("again", "work.boom", "failed", repeat={"minutes": 1, "max": 50})
    quiet = {"from": f"{now - timedelta(hours=2):%H:%M}", "to": f"{now + timedelta(hours=2):%H:%M}"}
    world.rule("quiet", "work.boom", "failed", quiet_hours=quiet)
    world.rule("over", "work.slow", "running_longer_than", parameters={"minutes": 1})
    world.rule("late", "work.slow", "not_finished_by", parameters=_soon())
    world.rule("well", "work.fine", "succeeded")
    dead = [{"channel": "dead-mail"}, {"channel": "dead-chat"}]
    world.rule("dead", "work.fine", "succeeded", channels=dead)
    world.rule("filled", "daily.load", "replenishment_succeeded")


def test_a_failure_is_told_at_first_and_at_last_to_each_once(world: World) -> None:
    world.airflow.wait("the task to fail for good", lambda: world.state("boom") == "failed")
    first, ann, ops = (world.first_mail(name) for name in ("first", "ann", "ops"))
    headers, said = world.airflow.wait("the webhook", lambda: world.calls("ops"))[0]
    assert first.subject == "[TaskOps] Level 1: work.boom failed"
    assert "and is tried again" in first.text
    assert ann.subject == ops.subject == "[TaskOps] Level 3: work.boom failed"
    for words in ("work.boom failed", RUN, "ann@example.com, bob", f"{world.airflow.url}/dags/work/tasks/boom/"):
        assert words in ann.text
        assert words in ann.html
    [event] = world.fired("last")
    assert event["unreachable"] == ["bob"]
    assert said["subject"] == ann.subject
    assert said["events"][0]["run_id"] == RUN
    assert headers["Idempotency-Key"]
    assert len(world.fired("first")) == 1


def test_the_links_of_a_message_open_the_task_and_the_alarm(world: World, browser: Any) -> None:
    mail = world.first_mail("ann")
    task, instance, alarm = re.findall(r'href="([^"]+)"', mail.html.replace("&amp;", "&"))
    somebody = Person(browser, world.airflow)
    somebody.signed_in("admin")
    for link, words in ((task, "boom"), (alarm, "1 alarm")):
        assert somebody.page.goto(link).status == 200
        somebody.is_ready()
        expect(somebody.heading_or_message()).to_contain_text(words)
    somebody.page.goto(instance)
    expect(somebody.page.get_by_text("the source is not there").first).to_be_visible()
    somebody.context.close()
    assert somebody.errors == []


def test_quiet_hours_are_quiet(world: World) -> None:
    [event] = world.airflow.wait("the firing", lambda: world.fired("quiet"))
    assert event["held_until"]
    assert event["deliveries"] == []
    assert world.mails("quiet") == []


def test_a_dead_mail_server_holds_up_nothing_and_loses_nothing(world: World) -> None:
    _, said = world.airflow.wait("the webhook", lambda: world.calls("dead"))[0]
    assert said["subject"] == world.first_mail("well").subject

    def message(channel: str) -> dict[str, Any]:
        [event] = world.fired("dead")
        return next(one for one in event["deliveries"] if one["channel"] == channel)

    posted = world.airflow.wait("the note of it", lambda: one if (one := message("dead-chat"))["ended_at"] else None)
    assert (posted["state"], posted["attempts"]) == ("sent", 1)
    waiting = world.airflow.wait("the refusal", lambda: one if (one := message("dead-mail"))["error"] else None)
    # it was tried while the other went out at once, and is tried again 15 s after a refusal at the soonest
    created, ended = (datetime.fromisoformat(posted[name]) for name in ("created_at", "ended_at"))
    assert ended - created < timedelta(seconds=15)
    assert "refused" in waiting["error"]
    world.airflow.wait("a refusal that is written down", lambda: message("dead-mail")["state"] == "waiting")
    [line] = [one for one in world.airflow.taskops("check") if one["name"] == "alarms"]
    assert line["level"] == "warning"
    assert line["message"].startswith("dead-mail fails: ")
    with MailServer(port=world.dead_port) as server:
        world.airflow.wait("the message to go out", lambda: message("dead-mail")["state"] == "sent", timeout=240)
        assert [mail.recipient for mail in server.mails] == ["dead@example.com"]
        assert message("dead-mail")["attempts"] > 1
    [line] = [one for one in world.airflow.taskops("check") if one["name"] == "alarms"]
    assert line["level"] == "ok"


def test_a_success_and_a_replenishment_are_told(world: World) -> None:
    span = ("--range", "2025-06-01", "2025-06-02", "--cells", "missing", "--wait")
    assert world.airflow.taskops("replenish", "create", "--task", "daily", "load", *span)["state"] == "success"
    for name, words in (("well", "work.fine succeeded"), ("filled", "daily.load")):
        assert words in world.first_mail(name).subject


def test_a_deletion_is_told_to_the_owner(world: World) -> None:
    world.airflow.taskops("tasks", "offline", "daily", "old")
    done = world.airflow.taskops("tasks", "delete", "daily", "old", "--downstream-effect", "run", "--notify-owners")
    assert done["notified"] == {"told": ["dan@example.com"], "unreachable": [], "channels": ["email"]}
    mail = world.first_mail("dan")
    assert "deleted 1 task of yours" in mail.subject
    assert "daily old" in mail.text


def test_what_is_over_time_and_what_is_late_is_told_while_it_runs(world: World) -> None:
    for name, words in (("over", "work.slow runs too long"), ("late", "work.slow is not finished in time")):
        assert words in world.first_mail(name).subject
    assert world.state("slow") == "running"


def test_a_failure_that_nobody_confirms_is_said_again_and_escalated_until_somebody_does(world: World) -> None:
    assert "escalated: work.boom failed" in world.first_mail("boss").subject
    repeat = world.airflow.wait("the repeat", lambda: world.mails("ops")[1:], timeout=180)[0]
    assert "repeated: work.boom failed" in repeat.subject
    [event] = world.fired("last")
    confirmed = world.airflow.taskops("alarms", "acknowledge", str(event["event_id"]))
    assert confirmed[0]["confirmed_by"]
    assert confirmed[0]["next_repeat_at"] is None
    # both fired in one look and are due together
    at = confirmed[0]["repeats"]
    world.airflow.wait("another's next repeat", lambda: world.fired("again")[0]["repeats"] > at, timeout=180)
    world.airflow.wait("its message", lambda: len(world.mails("again")) > at + 1)
    [event] = world.fired("last")
    assert event["repeats"] == at
    # two people and the endpoint
    told = Counter(one["why"] for one in event["deliveries"] if one["state"] == "sent")
    assert told == {"firing": 3, "repeat": 3 * at, "escalation": 2}


def test_nobody_was_told_anything_twice(world: World) -> None:
    """The end of it all: each message once, repeats stopped with the confirmation."""
    (world.airflow.home / "marks.go").touch()
    world.airflow.wait("the run to end", lambda: world.airflow.runs("work")[RUN] == "failed")
    told = Counter(mail.recipient.partition("@")[0] for mail in world.mail.mails)
    repeated = {"ann", "ops", "again"}
    assert set(told) <= {"first", "over", "late", "well", "filled", "dan", "boss"} | repeated
    assert {name: number for name, number in told.items() if number != 1 and name not in repeated} == {}
    [event] = world.fired("last")
    # the first message and the repeats that were due before somebody confirmed
    assert told["ann"] == told["ops"] == 1 + event["repeats"]
    said = [said["why"] for _, said in world.calls("ops")]
    assert Counter(said) == {"firing": 1, "repeat": event["repeats"], "escalation": 1}
    assert len(world.calls("dead")) == 1
    for mail in world.mail.mails:
        assert mail.text.strip()
        assert "<html" in mail.html
    assert len({mail.delivery for mail in world.mail.mails}) == len(world.mail.mails)
    for name in world.rules:
        assert len(world.fired(name)) <= 1, name
