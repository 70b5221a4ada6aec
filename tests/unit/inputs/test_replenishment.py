"""The reader of replenishments: what it takes, and one line about what it does not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from taskops_provider.domain.cells import CellSelection
from taskops_provider.domain.operations.targets import Target
from taskops_provider.domain.replenishment import DailyWindow, IfBusy, Range, ReplenishmentRequest, WaitFor
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.reading import read
from taskops_provider.inputs.replenishment import ControlInput, ReplenishmentCreateInput, ReplenishmentInput

LEAST: dict[str, Any] = {"workflows": ["d"], "ranges": [{"from": "2026-01-01", "to": "2026-01-02"}]}
#: without a zone: they are read in that of each Dag
DAYS = Range(datetime(2026, 1, 1), datetime(2026, 1, 2, 23, 59, 59, 999_999))


def test_the_least_that_is_to_be_said():
    request = read(ReplenishmentInput, LEAST).request()
    assert request == ReplenishmentRequest(workflows=("d",), ranges=(DAYS,))


def test_all_that_can_be_said():
    said = {
        **LEAST,
        "tasks": [{"dag_id": "e", "task_id": "t"}],
        "upstream_depth": 1,
        "downstream_depth": "2",
        "cells": ["all"],
        "name": "late",
        "max_active_runs": 3,
        "newest_first": True,
        "window": "22:00-06:00",
        "conf": {"table": "x"},
        "reason": "why",
        "if_busy": "refuse",
        "timezone": "Asia/Shanghai",
        "exclude": [{"dag_id": "e", "task_id": "u"}],
        "override_conf": True,
        "wait_for": "all",
        "run_on_latest_version": False,
    }
    assert read(ReplenishmentCreateInput, said).request(is_selection=True) == ReplenishmentRequest(
        workflows=("d",),
        tasks=(Target("e", "t"),),
        upstream_depth=1,
        downstream_depth=2,
        ranges=(DAYS,),
        cells=frozenset({CellSelection.ALL}),
        name="late",
        max_active_runs=3,
        newest_first=True,
        window=DailyWindow.parse("22:00-06:00"),
        conf={"table": "x"},
        if_busy=IfBusy.REFUSE,
        timezone="Asia/Shanghai",
        exclude=(Target("e", "u"),),
        override_conf=True,
        wait_for=WaitFor.ALL,
        run_on_latest_version=False,
        reason="why",
        is_selection=True,
    )


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"workflows": []}, "name at least one workflow or task to replenish"),
        ({"ranges": []}, "give at least one range of dates"),
        ({"ranges": [{"from": "2026-01-02", "to": "2026-01-01"}]}, "ranges[0] ends before it begins"),
        ({"upstream_depth": -1}, "upstream_depth is -1; allowed are 0 to 100"),
        ({"downstream_depth": 101}, "downstream_depth is 101; allowed are 0 to 100"),
        ({"max_active_runs": "many"}, "max_active_runs is 'many'; allowed are 1 to 1,000"),
        ({"max_active_runs": 1.5}, "max_active_runs is 1.5; allowed are 1 to 1,000"),
        ({"max_active_runs": "9" * 99}, f"max_active_runs is {'9' * 60}...; allowed are 1 to 1,000"),
        ({"name": "x" * 251}, "name has 251 characters; at most 250 are kept"),
        ({"reason": "x" * 2001}, "reason has 2,001 characters; at most 2,000 are kept"),
        ({"window": "22-6"}, "window is '22-6'; allowed is HH:MM-HH:MM (UTC), as 22:00-06:00"),
        ({"window": 5}, "window is '5'; allowed is HH:MM-HH:MM (UTC), as 22:00-06:00"),
        ({"window": "22:00-22:00"}, "window opens and closes at the same time; leave it out to run at any time"),
        ({"conf": {"a": ["x\0"]}}, "conf holds a zero byte, which no text may"),
        ({"timezone": "Moon"}, "timezone is 'Moon'; allowed are names of time zones, as Europe/Berlin, UTC"),
        ({"override_conf": True}, "give a conf to override that of existing runs with"),
        ({"wait_for": "some"}, "wait_for is 'some'; allowed are none, inside, all"),
        ({"cells": ["some"]}, "cells[0] is 'some'; allowed are missing, failed, all"),
        ({"max_active_runs": 0, "name": "x" * 251}, "name has 251 characters; at most 250 are kept (and 1 more)"),
    ],
)
def test_refusals(wrong, line):
    with pytest.raises(BadInput) as refused:
        read(ReplenishmentInput, LEAST | wrong)
    assert str(refused.value) == line


def test_a_plan_waits_for_nobody():
    with pytest.raises(BadInput, match="if_busy: there is no such field; allowed are workflows, tasks, upstream_depth"):
        read(ReplenishmentInput, LEAST | {"if_busy": "queue"})


def test_control():
    assert read(ControlInput, {}) == ControlInput(terminate_instances=False, reason=None)
    with pytest.raises(BadInput, match="reason has 2,001 characters"):
        read(ControlInput, {"reason": "x" * 2001})
