"""Who may not read users learns from TaskOps neither their addresses nor which accounts exist (issue 12, S10)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from taskops_provider.domain.operations.answers import Notified
from taskops_provider.models import Operation
from taskops_provider.services.alarms.rule_test import MAX_UNDER_WAY
from tests.support.alarming import became, look, send
from tests.support.api import Api, fab_user, tasks
from tests.support.apps import WebApp, web_app
from tests.support.instances import write_runs
from tests.support.mail import MailServer
from tests.support.pages import get
from tests.support.warehouse import install, retail

EDITOR = (("can_read", "DAGs"), ("can_edit", "DAG:orders"), ("can_read", "DAG Runs"), ("can_read", "Task Instances"))
#: an account, and a name that nobody has
ACCOUNT, NOBODY_HAS = "viewer", "no_such_account"
ADDRESS = f"{ACCOUNT}@example.com"


@pytest.fixture
def fab(session, monkeypatch) -> Iterator[WebApp]:
    install(session, retail())
    write_runs(session, "orders", ["extract", "clean", "load"], range(2))
    with MailServer() as server, web_app("fab").active() as web:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.uri)
        yield web


def told(answer: dict[str, Any]) -> tuple[list[str], list[str]]:
    """To whom deliveries went, and who has no address."""
    return sorted(one["recipient"] for one in answer["deliveries"]), answer["unreachable"]


@pytest.mark.parametrize("users", [[ACCOUNT], [NOBODY_HAS], [ACCOUNT, NOBODY_HAS]])
def test_a_test_and_an_alarm_tell_typed_addresses_only(fab, session, users):
    editor, admin = Api(fab, fab_user(fab, "orders_editor", *EDITOR)), Api(fab)
    recipients = {"users": users, "addresses": ["ops@example.com"]}
    body = {"dag_id": "orders", "task_id": "clean", "kind": "failed", "recipients": recipients}
    number = editor.post("alarms/rules", 201, **body)["rule_id"]
    # the same whether an account exists or not
    assert told(editor.post(f"alarms/rules/{number}/test", 202)) == (["ops@example.com"], [])
    assert told(editor.get(f"alarms/rules/{number}/test")) == (["ops@example.com"], [])
    page = get(fab, f"/pluginsv2/taskops/alarm_rules/tested?id={number}", "orders_editor", part=True)
    assert ADDRESS not in page
    expected = sorted(["ops@example.com", *([ADDRESS] if ACCOUNT in users else [])])
    missing = [name for name in users if name == NOBODY_HAS]
    assert told(admin.get(f"alarms/rules/{number}/test")) == (expected, missing)
    became(session, "orders.clean", "failed")
    look(session)
    send()
    (event,) = editor.get("alarms/events", rule_id=number)["events"]
    assert told(event) == (["ops@example.com"], [])
    page = get(fab, f"/pluginsv2/taskops/alarm?id={event['event_id']}", "orders_editor")
    assert ADDRESS not in page
    assert "no address" not in page.casefold()
    assert "shown to those who may read users" in page
    (event,) = admin.get("alarms/events", rule_id=number)["events"]
    assert told(event) == (expected, missing)


def test_an_address_that_also_stands_in_the_rule_is_no_oracle(fab):
    """Whether a guess is right is not to be seen: it is shown as typed, and nothing else is."""
    editor = Api(fab, fab_user(fab, "orders_editor", *EDITOR))
    for guess in (ADDRESS, "wrong@example.com"):
        recipients = {"users": [ACCOUNT], "addresses": [guess]}
        body = {"dag_id": "orders", "task_id": "clean", "kind": "failed", "recipients": recipients}
        number = editor.post("alarms/rules", 201, **body)["rule_id"]
        assert told(editor.post(f"alarms/rules/{number}/test", 202)) == ([guess], [])


def test_a_notice_tells_names(fab, session):
    editor, admin = Api(fab, fab_user(fab, "orders_editor", *EDITOR)), Api(fab)
    owners = sorted([ACCOUNT, NOBODY_HAS])
    editor.post("tasks/set-owners", targets=tasks("orders.clean"), owners=owners)
    answer = editor.post("tasks/pause", targets=tasks("orders.clean"), notify_owners=True)
    assert (answer["notified"]["told"], answer["notified"]["unreachable"]) == (owners, [])
    path = f"operations/{answer['operation_id']}"
    assert editor.get(path)["options"]["notified"] == {"told": owners, "unreachable": [], "channels": ["email"]}
    seen = {"told": [ADDRESS], "unreachable": [NOBODY_HAS], "channels": ["email"]}
    assert admin.get(path)["options"]["notified"] == seen
    page = get(fab, f"/pluginsv2/taskops/operation?id={answer['operation_id']}", "orders_editor")
    assert ADDRESS not in page
    # of a record of an old version the names are not known
    old = session.get(Operation, answer["operation_id"])
    old.options = {**old.options, "notified": {"told": [ADDRESS], "unreachable": []}}
    session.commit()
    assert editor.get(path)["options"]["notified"]["told"] == []
    assert Notified.recorded({"told": [], "unreachable": []}).without_addresses().told == ()


@pytest.mark.parametrize("name", [ACCOUNT, NOBODY_HAS])
def test_by_what_owners_are_told_is_no_oracle(fab, name):
    """One owner: that a message goes out by e-mail would tell that there is such an account."""
    editor = Api(fab, fab_user(fab, "orders_editor", *EDITOR))
    editor.post("tasks/set-owners", targets=tasks("orders.clean"), owners=[name])
    answer = editor.post("tasks/pause", targets=tasks("orders.clean"), notify_owners=True)
    expected = {"told": [name], "unreachable": [], "channels": ["email"]}
    assert answer["notified"] == expected
    assert editor.get(f"operations/{answer['operation_id']}")["options"]["notified"] == expected
    seen = Api(fab).get(f"operations/{answer['operation_id']}")["options"]["notified"]
    assert seen["channels"] == (["email"] if name == ACCOUNT else [])


@pytest.mark.parametrize("name", [ACCOUNT, NOBODY_HAS])
def test_when_a_rule_may_be_tested_again_is_no_oracle(fab, session, name):
    editor, admin = Api(fab, fab_user(fab, "orders_editor", *EDITOR)), Api(fab)
    on = {"dag_id": "orders", "task_id": "clean", "kind": "failed"}
    typed = {"users": [], "addresses": ["ops@example.com"]}

    def made(**recipients: Any) -> int:
        return editor.post("alarms/rules", 201, **on, recipients=recipients)["rule_id"]

    number = made(users=[name])
    assert editor.post(f"alarms/rules/{number}/test", 202)["deliveries"] == []
    path = f"alarms/rules/{number}/test"
    assert editor.refused(409, "POST", path, json={}) == f"a test of alarm rule {number} is under way"
    send()
    assert editor.refused(409, "POST", path, json={}) == f"a test of alarm rule {number} is under way"
    admin.post(path, 202)
    # nor are the others held up by what may be under way
    for other in [made(users=[name]) for _ in range(MAX_UNDER_WAY)]:
        editor.post(f"alarms/rules/{other}/test", 202)
    last = made(**typed)
    editor.post(f"alarms/rules/{last}/test", 202)
    # nor which of its tests was the last one that reached somebody
    editor.expect(200, "PATCH", f"alarms/rules/{last}", json={"recipients": {"users": [name]}})
    send()
    editor.post(f"alarms/rules/{last}/test", 202)
    assert told(editor.get(f"alarms/rules/{last}/test")) == (["ops@example.com"], [])
