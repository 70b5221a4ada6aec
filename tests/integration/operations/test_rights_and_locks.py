"""Who may not do something keeps nobody waiting: it is refused before the locks, and locks no other's Dags."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from taskops_provider.adapter import dag_state
from taskops_provider.adapter.instance_operations import Ref
from taskops_provider.domain.instances import InstanceVerb
from taskops_provider.domain.operations.targets import Target
from taskops_provider.exceptions import Conflict, Forbidden, ResourceNotFound
from taskops_provider.inputs.alarms.rule import Rule, RuleChange, RuleCreate
from taskops_provider.inputs.operation import ReasonAndTicket
from taskops_provider.services.alarms.rule_changes import (
    create_rule,
    create_rules,
    delete_rules,
    enable_rules,
    update_rule,
)
from taskops_provider.services.alarms.rule_test import start_test
from taskops_provider.services.catalog.filters import TaskFilter
from taskops_provider.services.exports.request import MAX_UNFINISHED, request_export
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.on_instances import InstanceRequest, apply_on_instances
from taskops_provider.services.operations.strict_mode_setting import set_strict_mode
from taskops_provider.services.operations.undo import undo
from taskops_provider.services.replenishments.control import ControlVerb, control_replenishment
from taskops_provider.services.replenishments.create import create_replenishment
from taskops_provider.services.shared.actor import Actor
from tests.support.alarming import rule
from tests.support.queries import writer_transactions
from tests.support.replenishing import World, asked
from tests.support.warehouse import Limited, install, operate, outcomes, request, retail

STRANGER = Actor("stranger", "api", Limited(["sales"]))
READER = Actor("reader", "api", Limited(["orders", "sales"]))
EDITOR = Actor("editor", "api", Limited(["orders", "sales"], ["sales"]))
BOTH = ("orders.load", "sales.sum")


@pytest.fixture
def session(session):
    install(session, retail())
    return session


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The Dags that were locked, each time."""
    found: list[set[str]] = []
    lock = dag_state.lock_runs_and_dags

    def noted(session: Session, dag_ids: Collection[str]) -> None:
        found.append(set(dag_ids))
        lock(session, dag_ids)

    monkeypatch.setattr(dag_state, "lock_runs_and_dags", noted)
    return found


@pytest.mark.parametrize(
    ("actor", "names", "error", "said"),
    [
        (STRANGER, ["orders.load"], ResourceNotFound, "Dag 'orders' does not exist"),
        (STRANGER, BOTH, ResourceNotFound, "Dag 'orders' does not exist"),
        (EDITOR, ["sales.sum", "mart.build"], ResourceNotFound, "Dag 'mart' does not exist"),
        (READER, BOTH, Forbidden, "nothing was done with orders load and 1 more: you may not change this Dag"),
        (READER, ["orders"], Forbidden, "nothing was done with orders clean and 2 more"),
    ],
)
@pytest.mark.parametrize("verb", ["pause", "set-owners"])
def test_what_may_not_be_done_is_refused_before_the_locks(session, locked, verb, actor, names, error, said):
    asked = request(verb, *names, **({"owners": ["ann"]} if verb == "set-owners" else {}))
    said = said.replace(" clean and 2 more", "") if verb == "set-owners" else said
    with writer_transactions() as writing, pytest.raises(error, match=said):
        apply_operation(session, actor, asked)
    assert locked == []
    assert writing == []


def test_rights_that_options_need_are_asked_before_the_locks(session, locked, monkeypatch):
    monkeypatch.setattr(Limited, "may_change_instances", lambda self, dag_id: False)
    with writer_transactions() as writing, pytest.raises(Forbidden, match="you may not change task instances"):
        apply_operation(session, EDITOR, request("pause", "sales.sum", terminate_instances=True))
    assert locked == []
    assert writing == []


def test_what_is_done_locks_the_dags_of_which_it_may_be_done(session, locked):
    assert outcomes(operate(session, "pause", *BOTH, actor=EDITOR)) == {
        "orders.load": "blocked",
        "sales.sum": "applied",
    }
    assert locked == [{"sales"}]


def test_rights_are_asked_again_under_the_locks(session, locked, monkeypatch):
    """What was granted while it waited is not locked; what was taken away is not done."""
    answers = iter([{"sales"}, {"orders"}])
    monkeypatch.setattr(Limited, "editable", lambda self, dag_ids: next(answers))
    with pytest.raises(Forbidden, match="nothing was done with orders load and 1 more"):
        apply_operation(session, EDITOR, request("pause", *BOTH))
    assert locked == [{"sales"}]


def test_an_undo_is_refused_before_the_locks(session, locked):
    number = operate(session, "pause", *BOTH).operation_id
    orders = operate(session, "pause", "orders.clean").operation_id
    locked.clear()
    for actor, operation_id, error in (
        (STRANGER, orders, ResourceNotFound),
        (STRANGER, number, Forbidden),
        (READER, number, Forbidden),
        (EDITOR, orders, Forbidden),
    ):
        with writer_transactions() as writing, pytest.raises(error):
            undo(session, actor, operation_id)
        assert locked == []
        assert writing == []
    plan = undo(session, EDITOR, number)
    session.commit()
    assert outcomes(plan) == {"orders.load": "blocked", "sales.sum": "applied"}
    assert locked == [{"sales"}]


def test_an_operation_on_instances_is_refused_before_the_lock(session, monkeypatch):
    monkeypatch.setattr(Limited, "may_change_instances", lambda self, dag_id: False)
    for actor, error in ((STRANGER, ResourceNotFound), (EDITOR, Forbidden)):
        asked = InstanceRequest("orders", "load", InstanceVerb.RERUN, [Ref("run_1", -1)], ReasonAndTicket())
        with writer_transactions() as writing, pytest.raises(error):
            apply_on_instances(session, actor, asked)
        assert writing == []


NOW = datetime.now(UTC)
ACTS: dict[str, Callable[[Session, Actor, dict[str, int]], object]] = {
    "replenish": lambda session, actor, _: create_replenishment(session, actor, asked("orders.load"), NOW),
    "replenish a selection": lambda session, actor, _: create_replenishment(
        session, actor, replace(asked("orders"), is_selection=True), NOW
    ),
    **{
        f"{verb} a replenishment": lambda session, actor, numbers, verb=verb: control_replenishment(
            session, actor, numbers["replenishment"], verb, NOW
        )
        for verb in ControlVerb
    },
    "make a rule": lambda session, actor, _: create_rule(session, actor, _rule(), NOW),
    "make rules": lambda session, actor, _: create_rules(session, actor, _rule(), [Target("orders", "load")], NOW),
    "change a rule": lambda session, actor, numbers: update_rule(
        session, actor, numbers["rule"], RuleChange.model_validate({"level": 3}), NOW
    ),
    "enable a rule": lambda session, actor, numbers: enable_rules(session, actor, [numbers["rule"]], NOW, enabled=True),
    "delete a rule": lambda session, actor, numbers: delete_rules(session, actor, [numbers["rule"]], NOW),
    "test a rule": lambda session, actor, numbers: start_test(session, actor, numbers["rule"], NOW),
    "strict mode": lambda session, actor, _: set_strict_mode(session, actor, None, True, NOW),
}


def _rule() -> Rule:
    given = {"dag_id": "orders", "task_id": "load", "kind": "failed", "recipients": {"addresses": ["ops@example.com"]}}
    return RuleCreate.read(given).rule()


@pytest.mark.parametrize("actor", [READER, STRANGER], ids=["reader", "stranger"])
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_every_other_act_is_refused_before_the_lock(session, act, actor):
    numbers = {"rule": rule(session, "orders.load"), "replenishment": World(session).create("orders.load")}
    with writer_transactions() as writing:
        with pytest.raises((Forbidden, ResourceNotFound)):
            act(session, actor, numbers)
        session.rollback()
    assert writing == []


def test_who_has_too_many_downloads_under_way_waits_for_no_lock(session):
    for _ in range(MAX_UNFINISHED):
        request_export(session, EDITOR, TaskFilter(), "csv", NOW)
    session.commit()
    with writer_transactions() as writing:
        with pytest.raises(Conflict):
            request_export(session, EDITOR, TaskFilter(), "csv", NOW)
        session.rollback()
    assert writing == []


def test_what_was_allowed_before_the_lock_is_asked_again_under_it(session, monkeypatch):
    number = rule(session, "sales.sum")
    answers = iter([{"sales"}, set()])
    monkeypatch.setattr(Limited, "editable", lambda self, dag_ids: next(answers))
    with writer_transactions() as writing:
        with pytest.raises(Forbidden):
            delete_rules(session, EDITOR, [number], NOW)
        session.rollback()
    assert len(writing) == 1
