"""A stopped task that was renamed executes under its new id: `check` says so (case 30)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import time_machine
from airflow.sdk import DAG, TaskGroup

from taskops_provider.services.health import check_health
from tests.support.warehouse import ALICE, BOB, START, Limited, bash, install, operate


def first() -> DAG:
    with DAG("ren", schedule="@daily", start_date=START, catchup=False) as dag:
        bash("extract") >> bash("load")
    return dag


def second() -> DAG:
    with DAG("ren", schedule="@daily", start_date=START, catchup=False) as dag:
        extract = bash("extract")
        with TaskGroup("g"):
            extract >> bash("load")
    return dag


def told(session, actor=None) -> list[str]:
    return [one.message for one in check_health(session, datetime.now(UTC), actor) if one.name == "renames"]


def test_a_renamed_task_is_named_where_people_look(session):
    install(session, [first()])
    operate(session, "offline", "ren.load")
    assert told(session) == []
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=5)):
        install(session, [second()])
    (line,) = told(session)
    assert (
        "load of ren, offline, is no longer in the Dag, and g.load, of the same type, came since and executes" in line
    )
    assert told(session, type(BOB)("eve", "api", Limited(["other"]))) == []
    operate(session, "offline", "ren.g.load")
    assert told(session) == []


def test_a_task_that_left_without_another_is_not_named(session):
    install(session, [first()])
    operate(session, "offline", "ren.load")
    with DAG("ren", schedule="@daily", start_date=START, catchup=False) as dag:
        bash("extract")
    install(session, [dag])
    assert told(session, ALICE) == []
