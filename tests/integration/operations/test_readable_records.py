"""Records of operations tell a limited reader what came of what they may read, and of no project beside."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from taskops_provider.models import Operation, Workflow
from taskops_provider.services.operations.records import RecordFilter, get_record, list_actors, list_operations
from taskops_provider.services.operations.strict_mode_setting import set_strict_mode
from taskops_provider.services.shared.actor import Actor
from tests.support.warehouse import ALICE, Limited, chain, install, operate

PAT = Actor("pat", "api", Limited({"open"}))


@pytest.fixture
def dags(session):
    install(session, [chain("open", "a", "b"), chain("shut", "a", "b")])
    session.execute(update(Workflow).where(Workflow.dag_id == "shut").values(project="secret"))
    session.commit()
    return session


def shown(session, actor: Actor, number: int) -> str:
    """The outcome of a record, which the filter finds it by too."""
    outcome = get_record(session, actor, number).outcome
    for one in ("success", "part_success", "refused"):
        found = list_operations(session, actor, RecordFilter(outcomes=(one,)), limit=50)
        assert (number in {row.operation_id for row in found.rows}) is (one == outcome)
        assert found.total_entries == len(found.rows)
    return outcome


@pytest.mark.parametrize(
    ("before", "targets", "whole", "part"),
    [
        # what was refused is hidden, and what was applied
        (["shut.a"], ["open.a", "shut.a"], "part_success", "success"),
        (["open.a"], ["open.a", "shut.a"], "part_success", "refused"),
        (["open.a", "shut.a"], ["open.a", "open.b", "shut.b"], "part_success", "part_success"),
        ([], ["open.a", "shut.a"], "success", "success"),
        # nothing is hidden
        (["open.a"], ["open.a", "open.b"], "part_success", "part_success"),
        # a workflow's tasks that are paused already are not refused
        (["open.a"], ["open", "shut"], "success", "success"),
    ],
)
def test_the_outcome_is_that_of_the_visible_part(dags, before, targets, whole, part):
    for one in before:
        operate(dags, "pause", one)
    number = operate(dags, "pause", *targets).operation_id
    assert shown(dags, ALICE, number) == whole
    assert shown(dags, PAT, number) == part


def test_settings_of_a_project_are_seen_with_a_workflow_of_it(dags):
    projects = sorted(dags.scalars(Workflow.__table__.select().with_only_columns(Workflow.project).distinct()))
    now = datetime.now(UTC)
    numbers = []
    root = Actor("root", "cli", ALICE.permissions)
    for actor, project in ((root, "secret"), (ALICE, None), (ALICE, next(one for one in projects if one != "secret"))):
        set_strict_mode(dags, actor, project, True, now)
        dags.commit()
        numbers.append(max(dags.scalars(Operation.__table__.select().with_only_columns(Operation.id))))
    seen = [row.operation_id for row in list_operations(dags, PAT, RecordFilter(), limit=50).rows]
    assert seen == [numbers[2], numbers[1]]
    assert "secret" not in str(get_record(dags, PAT, numbers[1]).options)
    assert "root" not in list_actors(dags, PAT).values
    assert len(list_operations(dags, ALICE, RecordFilter(), limit=50).rows) == 3
    nobody = Actor("nobody", "api", Limited(()))
    assert not list_operations(dags, nobody, RecordFilter(), limit=50).rows
