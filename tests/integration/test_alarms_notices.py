"""Owners are told when somebody deletes, pauses, starts or takes offline what is theirs (B18)."""

from __future__ import annotations

import pytest

from taskops_provider.services.actor import Actor
from taskops_provider.services.records import get_operation
from tests.e2e.apps import web_app
from tests.support.alarming import deliveries, send
from tests.support.api import Api, tasks
from tests.support.cli import Cli
from tests.support.dialogs import Dialogs
from tests.support.gates import counted_queries
from tests.support.mail import MailServer
from tests.support.warehouse import ALICE, Limited, chain, install, operate

RESOLVER = "tests.integration.test_alarms_notices.address"


def address(name: str) -> str | None:
    """What a site would set as ``owner_email_resolver``."""
    if name == "broken":
        raise LookupError(name)
    return {"ann": "ann@example.com", "carol": "carol@example.com"}.get(name)


@pytest.fixture
def mail(monkeypatch):
    with MailServer() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.uri)
        monkeypatch.setenv("AIRFLOW__TASKOPS__OWNER_EMAIL_RESOLVER", RESOLVER)
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.example.com")
        yield server


@pytest.fixture
def owned(session):
    """d.a and d.b of ann and bob, e.a of carol."""
    install(session, [chain("d", "a", "b", owner="ann,bob"), chain("e", "a", owner="carol")])
    return session


def test_each_owner_is_told_once_of_all_that_is_theirs(owned, mail):
    plan = operate(
        owned, "pause", "d.a", "d.b", "e.a", notify_owners=True, reason="<source> is {{ late }}", ticket="T-1"
    )
    assert plan.notified == {"told": ["ann@example.com", "carol@example.com"], "unreachable": ["bob"]}
    assert plan.as_json()["notified"] == plan.notified
    send()
    send()
    told = {one.recipient: one for one in mail.mails}
    assert len(mail.mails) == 2
    ann = told["ann@example.com"]
    assert ann.subject == "[TaskOps] alice paused 2 tasks of yours"
    for said in ("d a", "d b", "T-1", f"plugin/taskops/pluginsv2/taskops/operation?id={plan.operation_id}"):
        assert said in ann.text
        assert said in ann.html
    assert "<source> is {{ late }}" in ann.text
    assert "&lt;source&gt; is {{ late }}" in ann.html
    assert "e a" not in ann.text
    assert told["carol@example.com"].subject == "[TaskOps] alice paused 1 task of yours"
    # the record names owners of everything: whoever reads a part of it alone does not see them
    assert get_operation(owned, ALICE, plan.operation_id)["options"]["notified"] == plan.notified
    pat = Actor("pat", "api", Limited(["d"]))
    assert "notified" not in get_operation(owned, pat, plan.operation_id)["options"]


def test_every_verb_can_tell(owned, mail):
    for verb, options, done in (
        ("pause", {}, "paused"),
        ("start", {}, "started"),
        ("offline", {}, "took offline"),
        ("delete", {"downstream": "run"}, "deleted"),
        ("submit", {}, "submitted"),
        ("set-owners", {"owners": ["ann"]}, "gave other owners to"),
    ):
        operate(owned, verb, "e.a", notify_owners=True, **options)
        send()
        assert mail.mails[-1].subject == f"[TaskOps] alice {done} 1 task of yours"
    # those from before and those from now on
    assert {one.recipient for one in mail.mails[-2:]} == {"ann@example.com", "carol@example.com"}


def test_nobody_is_told_of_what_did_not_happen(owned, mail):
    operate(owned, "start", "d.a", notify_owners=True)
    operate(owned, "pause", "d.a")
    assert deliveries(owned) == []


def test_a_resolver_that_fails_loses_nobody(owned, mail):
    operate(owned, "set-owners", "d.a", owners=["broken", "ann"])
    plan = operate(owned, "pause", "d.a", notify_owners=True)
    assert plan.notified == {"told": ["ann@example.com"], "unreachable": ["broken"]}


def test_the_users_of_fab_have_addresses(owned, mail):
    """Where the auth manager knows them nobody else is asked."""
    with web_app("fab").active():
        operate(owned, "set-owners", "d.a", owners=["viewer", "nobody at all"])
        plan = operate(owned, "pause", "d.a", notify_owners=True)
    (told,) = plan.notified["told"]
    assert told.startswith("viewer@")
    assert plan.notified["unreachable"] == ["nobody at all"]


def test_the_number_of_queries_does_not_grow(session, mail):
    def queries(dag_id: str, count: int) -> int:
        install(session, [chain(dag_id, *(f"t{number}" for number in range(count)), owner="ann")])
        with counted_queries() as sent:
            plan = operate(session, "pause", *(f"{dag_id}.t{n}" for n in range(count)), notify_owners=True)
        assert plan.counts()["applied"] == count
        return len(sent)

    assert queries("few", 2) == queries("many", 40)


def test_command_line_and_rest(owned, mail, capsys, monkeypatch):
    cli = Cli(capsys, monkeypatch)
    here = cli.json("tasks", "pause", "d", "a", "--notify-owners")
    with web_app("simple").active() as web:
        there = Api(web).post("tasks/pause", targets=tasks("d.b"), notify_owners=True)
    assert here["notified"] == there["notified"] == {"told": ["ann@example.com"], "unreachable": ["bob"]}
    assert "notified" not in cli.json("tasks", "start", "d", "a")
    shown = cli("tasks", "start", "d", "b", "--notify-owners", "--yes").out
    assert "told: ann@example.com\nwithout an e-mail address: bob\n" in shown
    assert {one.why for one in deliveries(owned)} == {"notice"}


VERBS = {
    "start": ({"d.a": "pause"}, {}),
    "pause": ({}, {}),
    "offline": ({}, {}),
    "delete": ({"d.a": "offline"}, {"downstream": "run"}),
    "submit": ({"d.a": "offline"}, {}),
    "set-owners": ({}, {"owner": "carol"}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_the_dialog_of_each_verb_tells_the_owners_if_it_is_ticked(owned, mail, verb):
    before, fields = VERBS[verb]
    for name, first in before.items():
        operate(owned, first, name)
    with web_app("simple").active() as web:
        dialogs, path = Dialogs(web), f"change/tasks/{verb}"
        assert 'name="notify_owners" value="on">' in dialogs.post(path, target="d a", **fields).html
        assert "notify_owners is" in dialogs.post(path, 422, target="d a", notify_owners="maybe").problem.lower()
        done = dialogs.apply(path, target="d a", notify_owners="on", **fields)
        told = "2 owners will be told: ann@example.com, carol@example.com." if verb == "set-owners" else (
            "1 owner will be told: ann@example.com."
        )  # fmt: skip
        assert f"{told} No address is known for bob ." in done.words
        page = dialogs.client.get(f"/pluginsv2/taskops/operation?id={done.operation_id}").text
        assert "Owners told" in page
        assert "<dt>No address known</dt><dd>bob</dd>" in page
    send()
    assert len(mail.mails) == (2 if verb == "set-owners" else 1)


def test_the_dialog_tells_nobody_unasked(owned, mail):
    with web_app("simple").active() as web:
        done = Dialogs(web).apply("change/workflows/pause", target="d")
        assert "told" not in done.words
    assert deliveries(owned) == []
