"""Owners are told when somebody deletes, pauses, starts or takes offline what is theirs (B18)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import delete

from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.operations.answers import Notified
from taskops_provider.exceptions import BadInput
from taskops_provider.models import AlarmDelivery, Operation
from taskops_provider.services.operations.records import get_operation
from taskops_provider.services.shared.actor import Actor
from tests.support.alarming import deliveries, send
from tests.support.api import Api, tasks
from tests.support.apps import web_app
from tests.support.cli import Cli
from tests.support.dialogs import Dialogs, read
from tests.support.mail import MailServer
from tests.support.queries import counted_queries
from tests.support.warehouse import ALICE, Limited, chain, install, operate, stored

RESOLVER = "tests.integration.alarms.test_owner_notices.address"


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


def notified(*told: str, unreachable: Sequence[str] = (), channels: Sequence[str] = ("email",)) -> Notified:
    """What an answer says of the owners."""
    return Notified(list(told), list(unreachable), list(channels))


def tell_by(monkeypatch, *channels: Any) -> None:
    """Set ``notice_channels``."""
    monkeypatch.setenv("AIRFLOW__TASKOPS__NOTICE_CHANNELS", json.dumps(channels))


def test_each_owner_is_told_once_of_all_that_is_theirs(owned, mail):
    plan = operate(
        owned, "pause", "d.a", "d.b", "e.a", notify_owners=True, reason="<source> is {{ late }}", ticket="T-1"
    )
    assert plan.notified == notified("ann@example.com", "carol@example.com", unreachable=["bob"])
    assert plan.answer().notified == plan.notified
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
    assert get_operation(owned, ALICE, plan.operation_id).options["notified"] == to_plain_data(plan.notified)
    pat = Actor("pat", "api", Limited(["d"]))
    assert "notified" not in get_operation(owned, pat, plan.operation_id).options


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
    assert plan.notified == notified("ann@example.com", unreachable=["broken"])


CHAT = "chat"


def test_a_channel_that_knows_no_persons_tells_nobody_by_name(owned, mail, monkeypatch, capsys):
    """One message about everything; nobody is said to be written to who is not."""
    tell_by(monkeypatch, CHAT)
    plan = operate(owned, "pause", "d.a", "e.a", notify_owners=True)
    assert plan.notified == notified(channels=["chat"])
    [one] = deliveries(owned)
    assert (one.recipient, one.channel["channel"]) == ("", "chat")
    shown = Cli(capsys, monkeypatch)("tasks", "start", "d", "a", "--notify-owners", "--yes").out
    assert "told: by chat\n" in shown
    assert "without an e-mail address" not in shown
    tell_by(monkeypatch, "email", CHAT)
    plan = operate(owned, "pause", "d.a", notify_owners=True)
    assert plan.notified == notified("ann@example.com", unreachable=["bob"], channels=["email", "chat"])


@pytest.mark.parametrize(("channels", "says"), [(["pigeon"], "pigeon"), ([], "names no channel")])
def test_channels_that_cannot_be_stop_the_operation(owned, mail, monkeypatch, channels, says):
    tell_by(monkeypatch, *channels)
    with pytest.raises(BadInput, match=says):
        operate(owned, "pause", "d.a", notify_owners=True)
    owned.rollback()
    assert stored(owned, "d")["a"] == "scheduling"
    operate(owned, "pause", "d.a")  # it matters to nobody else


@pytest.mark.slow
def test_the_users_of_fab_have_addresses(owned, mail):
    """Where the auth manager knows them nobody else is asked."""
    with web_app("fab").active():
        operate(owned, "set-owners", "d.a", owners=["viewer", "nobody at all"])
        plan = operate(owned, "pause", "d.a", notify_owners=True)
    (told,) = plan.notified.told
    assert told.startswith("viewer@")
    assert plan.notified.unreachable == ["nobody at all"]


def test_the_number_of_queries_does_not_grow(session, mail):
    def queries(dag_id: str, count: int) -> int:
        install(session, [chain(dag_id, *(f"t{number}" for number in range(count)), owner="ann")])
        with counted_queries(savepoints=False) as sent:
            plan = operate(session, "pause", *(f"{dag_id}.t{n}" for n in range(count)), notify_owners=True)
        assert plan.counts().applied == count
        return len(sent)

    assert queries("few", 2) == queries("many", 40)


def test_command_line_and_rest(owned, mail, capsys, monkeypatch):
    cli = Cli(capsys, monkeypatch)
    here = cli.json("tasks", "pause", "d", "a", "--notify-owners")
    with web_app("simple").active() as web:
        there = Api(web).post("tasks/pause", targets=tasks("d.b"), notify_owners=True)
    assert here["notified"] == there["notified"] == to_plain_data(notified("ann@example.com", unreachable=["bob"]))
    assert "notified" not in cli.json("tasks", "start", "d", "a")
    shown = cli("tasks", "start", "d", "b", "--notify-owners", "--yes").out
    assert "told: ann@example.com\nwithout an e-mail address: bob\n" in shown
    assert {one.why for one in deliveries(owned)} == {"notice"}


#: verb -> what is done before, the fields that it needs
VERBS = {
    "start": ("pause", {}),
    "pause": (None, {}),
    "offline": (None, {}),
    "delete": ("offline", {"downstream": "run"}),
    "submit": ("offline", {}),
    "set-owners": (None, {"owner": "carol"}),
}
of_each = pytest.mark.parametrize(
    ("scope", "verb"), [(scope, verb) for scope in ("tasks", "workflows") for verb in VERBS]
)


@pytest.fixture
def dialogs(owned, mail):
    with web_app("simple").active() as web:
        yield Dialogs(web)


def ready(session, scope: str, verb: str) -> dict[str, str]:
    """Make the verb possible, and return the fields of its dialog."""
    before, fields = VERBS[verb]
    if before:
        operate(session, before, *(("d.a", "d.b") if scope == "tasks" else ("d",)))
    return {"target": "d a" if scope == "tasks" else "d", **fields}


@of_each
def test_each_dialog_tells_the_owners_if_its_box_is_ticked(owned, mail, dialogs, scope, verb):
    fields, path = ready(owned, scope, verb), f"change/{scope}/{verb}"
    shown = dialogs.post(path, **fields)
    assert '<input type="checkbox" name="notify_owners" value="on">' in shown.html
    whom = "the new owners and those from before" if verb == "set-owners" else "the owners"
    assert f"Notify owners Tells {whom} by e-mail what was done, by whom and why." in shown.words
    assert deliveries(owned) == []

    done = dialogs.apply(path, notify_owners="on", **fields)
    told = ["ann@example.com", "carol@example.com"] if verb == "set-owners" else ["ann@example.com"]
    counted = "2 owners" if verb == "set-owners" else "1 owner"
    assert f"{counted} will be told: {', '.join(told)}. No address is known for bob ." in done.words
    written = deliveries(owned)
    assert [one.recipient for one in written] == told
    assert {(one.operation_id, one.why) for one in written} == {(done.operation_id, "notice")}
    assert owned.get(Operation, done.operation_id).options["notify_owners"] is True

    page = dialogs.client.get(f"/pluginsv2/taskops/operation?id={done.operation_id}").text
    assert f"<dt>Owners told</dt><dd>{', '.join(told)}</dd>" in page
    assert "<dt>No address known</dt><dd>bob</dd>" in page
    send()
    assert [one.recipient for one in mail.mails] == told


@of_each
def test_no_dialog_tells_anybody_unasked(owned, dialogs, scope, verb):
    done = dialogs.apply(f"change/{scope}/{verb}", **ready(owned, scope, verb))
    assert "told" not in done.words
    assert "address" not in done.words
    assert deliveries(owned) == []
    page = dialogs.client.get(f"/pluginsv2/taskops/operation?id={done.operation_id}").text
    assert "Owners told" not in page


@of_each
def test_a_box_that_says_neither_is_refused(owned, dialogs, scope, verb):
    fields = ready(owned, scope, verb)
    before = stored(owned, "d")
    plan_hash = dialogs.post(f"change/{scope}/{verb}", notify_owners="on", **fields).plan_hash
    asked = {"step": "apply", "part": "plan", "plan_hash": plan_hash, "notify_owners": "maybe", **fields}
    problem = dialogs.post(f"change/{scope}/{verb}", 422, **asked).problem
    assert problem == "Notify_owners is 'maybe'; allowed is on, or leave it out"
    assert stored(owned, "d") == before
    assert deliveries(owned) == []


def test_the_box_is_part_of_what_was_looked_at(owned, dialogs):
    """Ticked after the plan was made, and not told to it: nothing is done, and it stays ticked."""
    path, fields = "change/tasks/pause", {"target": "d a"}
    plain = dialogs.post(path, **fields)
    ticked = {"step": "apply", "part": "plan", "notify_owners": "on", **fields}
    again = dialogs.post(path, 409, plan_hash=plain.plan_hash, **ticked)
    assert stored(owned, "d")["a"] == "scheduling"
    assert dialogs.post(path, plan_hash=again.plan_hash, **ticked).title == "1 task paused"
    assert 'name="notify_owners" value="on" checked>' in dialogs.post(path, notify_owners="on", target="d b").html


def test_the_result_says_by_what_else_and_when_nobody_is_told(owned, dialogs, monkeypatch):
    def told(target: str, verb: str = "pause", **fields: str) -> str:
        done = dialogs.apply(f"change/tasks/{verb}", target=target, notify_owners="on", **fields)
        page = dialogs.client.get(f"/pluginsv2/taskops/operation?id={done.operation_id}").text
        return f"{done.words} | {read(page)}"

    tell_by(monkeypatch, "email", CHAT)
    assert "Tells the owners by e-mail and chat what" in dialogs.post("change/tasks/pause", target="d a").words
    words = told("d a")
    assert "1 owner will be told: ann@example.com. A message goes out by chat too. No address" in words
    assert "Owners told ann@example.com, by chat No address known bob" in words
    tell_by(monkeypatch, CHAT)
    words = told("d b")
    assert "A message to the owners goes out by chat." in words
    assert "Owners told by chat" in words
    assert "ann@example.com" not in words
    tell_by(monkeypatch, "email")
    told("e a", "set-owners", owner="bob")
    owned.execute(delete(AlarmDelivery))
    owned.commit()
    words = told("e a")
    assert "No owner will be told. No address is known for bob ." in words
    assert "Owners told none No address known bob" in words
    assert deliveries(owned) == []


@pytest.mark.parametrize(
    ("channels", "says"),
    [('["pigeon"]', "pigeon"), ("email", "notice_channels is no JSON"), ("[]", "notice_channels names no channel")],
)
def test_the_box_says_when_nobody_can_be_told(owned, dialogs, monkeypatch, channels, says):
    monkeypatch.setenv("AIRFLOW__TASKOPS__NOTICE_CHANNELS", channels)
    words = dialogs.post("change/tasks/pause", target="d a").words
    assert "Notify owners Not possible now: " in words
    assert says in words


def test_of_many_owners_the_first_are_named(session, mail):
    owners = ",".join(f"owner{number:02}@example.com" for number in range(12))
    install(session, [chain("many", "a", owner=owners)])
    with web_app("simple").active() as web:
        done = Dialogs(web).apply("change/tasks/pause", target="many a", notify_owners="on")
    assert "12 owners will be told: owner00@example.com, " in done.words
    assert "owner09@example.com and 2 more." in done.words
    assert len(deliveries(session)) == 12
