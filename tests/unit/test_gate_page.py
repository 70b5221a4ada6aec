"""The tables of docs/gate.md: each row names a case, and here are the tests that hold it. They have to exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "gate.md"
INTEGRATION = ROOT / "tests" / "integration"

#: the bold words of a row -> the tests, below tests/integration
HELD_BY: dict[str, tuple[str, ...]] = {
    "Task downstream, G its only upstream": ("gate/test_order.py::test_trigger_rules_below_a_gated_task",),
    "The trigger rule of G itself": ("gate/test_order.py::test_the_trigger_rule_of_the_gated_task_itself",),
    "Several gated tasks in a row": ("gate/test_order.py::test_two_gated_in_a_row",),
    "Task group": ("gate/test_order.py::test_inside_a_task_group",),
    "Branch not chosen": ("gate/test_order.py::test_in_a_branch_that_is_not_chosen",),
    "Gated branch operator": ("gate/test_order.py::test_gated_branch_operator",),
    "G between setup and teardown": (
        "gate/test_order.py::test_gated_work_between_setup_and_teardown",
        "gate/test_disorder.py::test_a_teardown_behind_a_gated_empty_task_runs",
    ),
    "Gated setup": ("gate/test_order.py::test_gated_setup",),
    "Gated teardown": ("gate/test_order.py::test_gated_teardown",),
    "Mapped task": (
        "gate/test_mapped.py::test_mapped_over_a_literal",
        "gate/test_mapped.py::test_expanded_at_run_time",
        "gate/test_mapped.py::test_expanded_over_nothing",
    ),
    "Mapped task group": ("gate/test_mapped.py::test_failure_in_one_branch_of_a_mapped_task_group",),
    "Task mapped over the XCom of a gated task": ("gate/test_mapped.py::test_consumer_mapped_over_a_gated_task",),
    "The same, and the mapped task is gated too": (
        "gate/test_mapped.py::test_gated_consumer_of_a_gated_task_succeeds_with_run",
    ),
    "Task mapped over a gated mapped task": ("gate/test_mapped.py::test_consumer_mapped_over_a_gated_mapped_task",),
    "Task that reads the XCom of a gated task": (
        "gate/test_mapped.py::test_plain_consumer_and_reducer_of_a_gated_task",
    ),
    "EmptyOperator": ("gate/test_empty.py::test_in_the_middle", "gate/test_empty.py::test_order_and_failure_stay_true"),
    "A Dag version that changes the task's operator in mid-run": (
        "gate/test_disorder.py::test_an_operator_that_changes_in_mid_run_is_gated_all_the_same",
    ),
    "depends_on_past, wait_for_downstream": ("gate/test_runs.py::test_depends_on_past",),
    "Instance that people hold": (
        "gate/test_instance_orders.py::test_a_gated_instance_that_is_held_goes_back_into_the_gate",
    ),
    "Cleared instance": (
        "gate/test_runs.py::test_a_cleared_instance_runs",
        "gate/test_settle.py::test_a_cleared_instance_loses_our_note_and_keeps_a_persons",
        "gate/test_mapped.py::test_cleared_before_it_is_expanded_again",
    ),
    "Task that a later Dag version adds to a run under way": (
        "gate/test_runs.py::test_a_task_that_a_later_dag_version_brings_is_asked_for_too",
        "gate/test_runs.py::test_a_task_that_a_later_dag_version_brings_to_a_run_made_before_executes",
    ),
    "Task that leaves its Dag and comes back": (
        "gate/test_returning.py::test_a_gated_task_that_comes_back_is_gated_still",
        "gate/test_returning.py::test_one_that_was_settled_before_it_left_is_settled_again",
        "gate/test_returning.py::test_one_that_was_paused_after_the_run_was_created_executes_when_it_comes_back",
    ),
    "Mapped task that a later Dag version makes longer or shorter": (
        "gate/test_returning.py::test_a_mapped_task_that_shrinks_and_grows",
        "gate/test_returning.py::test_a_cleared_mapped_task_that_has_grown_executes_with_all_its_instances",
    ),
    "Paused task that leaves its Dag": (
        "gate/test_gone_tasks.py::test_starting_it_lets_it_execute",
        "gate/test_gone_tasks.py::test_taking_it_offline_ends_what_is_held",
        "gate/test_gone_tasks.py::test_its_planned_end_comes",
    ),
    "fail_fast Dags": ("gate/test_order.py::test_fail_does_not_stop_a_fail_fast_dag",),
    "Retries, callbacks, listeners, asset events": (
        "gate/test_order.py::test_fail_is_not_retried",
        "gate/test_order.py::test_run_emits_no_asset_events",
        "gate/test_settle.py::test_settled_instances_look_like_never_started_ones",
    ),
    "dagrun_timeout": ("gate/test_order.py::test_a_run_that_times_out_ends_what_is_held",),
    "Dag paused in Airflow": ("gate/test_empty.py::test_runs_that_the_scheduler_does_not_look_at_wait",),
    "An upstream task that is cleared while G waits": (
        "gate/test_disorder.py::test_a_held_one_waits_for_what_runs_again_above_it",
        "gate/test_disorder.py::test_what_waited_while_the_monitor_was_away_is_not_settled_beside_its_upstream",
    ),
    "`resume_at` has come, the monitor has not": (
        "gate/test_races.py::test_a_planned_end_is_the_end_for_runs_created_later_whoever_closes_the_interval_when",
    ),
    "A run that was being created while you paused": (
        "gate/test_races.py::test_what_escaped_an_interval_is_gated",
        "gate/test_races.py::test_a_run_that_the_operation_saw_goes_on",
        "gate/test_races.py::test_terminating_ends_instances_of_a_run_that_was_being_created",
    ),
    "A run that a process without TaskOps created": (
        "gate/test_coverage.py::test_a_run_of_a_process_without_the_gate_is_gated_before_it_executes",
        "gate/test_coverage.py::test_what_executed_is_told",
    ),
    "A run that was being created while you started": (
        "gate/test_races.py::test_a_start_while_a_run_is_being_created_holds_nothing_for_ever",
        "gate/test_races.py::test_a_held_instance_that_appears_after_the_start_goes_the_way_that_was_chosen",
    ),
    "Clocks that disagree": (
        "gate/test_races.py::test_an_open_interval_counts_whatever_the_clock_says_that_opened_it",
        "gate/test_races.py::test_a_closed_interval_does_not_count_whatever_the_clock_says_that_closed_it",
    ),
    "Two operations, or an operation and the scheduler, in each other's way": (
        "gate/test_concurrency.py::test_nobody_waits_for_ever_and_nothing_gated_executes",
    ),
    "Undo of an automatic start": (
        "gate/test_races.py::test_undoing_an_automatic_start_pauses_until_somebody_starts_it",
    ),
    "A Dag that cannot be read": ("gate/test_races.py::test_a_dag_that_cannot_be_read_is_set_aside_and_stops_nobody",),
    "Upgrade from a version in which gated instances waited as `scheduled`": (
        "gate/test_disorder.py::test_instances_of_the_old_gate_wait_in_the_new_one",
    ),
    "`airflow dags test`, `dag.test()`": ("gate/test_runs.py::test_dags_test_is_not_gated",),
    "A new run of a Dag that is awake for a replenishment": (
        "replenishments/test_whose_pause.py::test_a_scheduled_run_waits_until_a_person_unpauses_the_dag",
        "replenishments/test_whose_pause.py::test_one_that_assets_trigger",
    ),
    "A new run of a workflow that drains": (
        "replenishments/test_whose_pause.py::test_a_task_that_appears_while_a_workflow_drains",
    ),
    "A run of a paused Dag that somebody creates": (
        "replenishments/test_whose_pause.py::"
        "test_one_that_somebody_triggers_between_two_times_at_which_the_dag_is_awake",
        "replenishments/test_whose_pause.py::test_one_that_was_there_before_the_plan_goes_on",
    ),
    "An asset event for a workflow that drains": (
        "gate/test_drain.py::test_asset_events_execute_nothing_and_keep_no_workflow_draining",
    ),
    "The monitor dies while the Dag is awake": (
        "replenishments/test_whose_pause.py::test_nothing_of_it_executes_if_the_monitor_dies_after_the_wake",
    ),
    "You unpause the Dag and pause the workflow right after that": (
        "replenishments/test_whose_pause.py::test_one_goes_on_if_the_workflow_drains_right_after_its_dag_was_unpaused",
    ),
    "You pause the Dag in Airflow meanwhile": (
        "replenishments/test_whose_pause.py::test_one_set_while_the_dag_is_woken_is_kept",
    ),
    "`resume_at`, undo": (
        "replenishments/test_whose_pause.py::test_resume_at_does_not_lift_it",
        "replenishments/test_whose_pause.py::test_undo_does_not_lift_it",
        "replenishments/test_whose_pause.py::"
        "test_a_held_task_of_a_foreign_run_waits_for_the_dag_if_it_is_started_automatically",
    ),
}
#: a command that creates no run, so that no scheduler has to do with it
WITHOUT_TEST = {"`airflow tasks test`"}


def rows() -> list[str]:
    """The bold words of the rows of all tables, in their order."""
    return re.findall(r"^\| \*\*(.+?)\*\*", PAGE.read_text(), flags=re.MULTILINE)


@cache
def names_in(file: str) -> set[str]:
    path = INTEGRATION / file
    if not path.is_file():
        return set()
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_each_row_is_held_by_tests_and_no_other_is_listed():
    assert sorted(rows()) == sorted({*HELD_BY, *WITHOUT_TEST})


@pytest.mark.parametrize("row", HELD_BY)
def test_the_tests_of_a_row_exist(row: str):
    for name in HELD_BY[row]:
        file, _, test = name.partition("::")
        assert test in names_in(file), name
