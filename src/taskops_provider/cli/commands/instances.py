"""``airflow taskops instances ...`` and ``airflow taskops runs ...``"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from taskops_provider.cli import confirm
from taskops_provider.cli.instance_plans import ask, print_instance_plan
from taskops_provider.cli.output import Columns, print_list
from taskops_provider.cli.run import EXIT_REFUSED, UsageError, Work, changes, opened, reads
from taskops_provider.domain.instances import InstanceVerb, RunVerb
from taskops_provider.domain.operations.outcomes import OperationOutcome
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.instances import InstancesInput, RunsInput
from taskops_provider.inputs.problems import Path, flag
from taskops_provider.inputs.reading import read
from taskops_provider.services.catalog.holds import list_holds
from taskops_provider.services.operations.instance_request import InstancePlan, InstanceRequest
from taskops_provider.services.operations.on_instances import Ref, apply_on_instances, preview_on_instances
from taskops_provider.services.operations.on_runs import RunRequest, apply_on_runs, preview_on_runs

HOLD_COLUMNS: Columns = {
    "dag_id": lambda row: row.dag_id,
    "run_id": lambda row: row.run_id,
    "task_id": lambda row: row.task_id or "(run)",
    "map_index": lambda row: "" if row.map_index < 0 else row.map_index,
    "held_at": lambda row: row.held_at,
    "held_by": lambda row: row.held_by,
    "reason": lambda row: " ".join(filter(None, (row.ticket, row.reason))),
}


@reads
def instances_held(args: Namespace) -> None:
    """List what people hold."""
    if args.limit < 1 or args.offset < 0:
        raise BadInput(f"limit is {args.limit} and offset {args.offset}; allowed are 1 and more, 0 and more")
    with opened() as work:
        page = list_holds(
            work.session, work.actor, dag_id=args.in_dag or "", limit=min(args.limit, 1000), offset=args.offset
        )
    print_list(page.rows, HOLD_COLUMNS, args.output, empty="nothing is held")


@changes
def instances_rerun(args: Namespace) -> int:
    """Rerun instances of a task."""
    return _change_instances(args, InstanceVerb.RERUN)


@changes
def instances_force(args: Namespace) -> int:
    """Run instances of a task now."""
    return _change_instances(args, InstanceVerb.FORCE)


@changes
def instances_hold(args: Namespace) -> int:
    """Hold instances of a task."""
    return _change_instances(args, InstanceVerb.HOLD)


@changes
def instances_release(args: Namespace) -> int:
    """Release held instances of a task."""
    return _change_instances(args, InstanceVerb.RELEASE)


@changes
def instances_terminate(args: Namespace) -> int:
    """End instances of a task."""
    return _change_instances(args, InstanceVerb.TERMINATE)


@changes
def instances_set_success(args: Namespace) -> int:
    """Set instances of a task success."""
    return _change_instances(args, InstanceVerb.SET_SUCCESS)


@changes
def instances_set_failed(args: Namespace) -> int:
    """Set instances of a task failed."""
    return _change_instances(args, InstanceVerb.SET_FAILED)


@changes
def runs_hold(args: Namespace) -> int:
    """Hold whole runs."""
    return _change_runs(args, RunVerb.HOLD)


@changes
def runs_release(args: Namespace) -> int:
    """Release held runs."""
    return _change_runs(args, RunVerb.RELEASE)


def _change_instances(args: Namespace, verb: InstanceVerb) -> int:
    indexes = args.map_indexes or [-1]
    given = {
        "instances": [
            {"run_id": run_id, "map_index": index, "region_id": args.region_id}
            for run_id in args.run_ids
            for index in indexes
        ],
        "with_downstream": getattr(args, "with_downstream", None) or "none",
        "reason": args.reason,
        "ticket": args.ticket,
        "override_freeze": args.override_freeze,
    }
    wanted = read(InstancesInput, given, name=_named)
    request = InstanceRequest(
        args.dag_id,
        args.task_id,
        verb,
        [Ref(*key) for key in wanted.names()],
        wanted.explanation(),
        wanted.with_downstream,
        wanted.override_freeze,
    )
    return _change(
        args,
        lambda work: preview_on_instances(work.session, work.actor, request, work.now),
        lambda work, seen: apply_on_instances(work.session, work.actor, request, expected_hash=seen),
    )


def _named(path: Path) -> str:
    """Name a field as the command line has it."""
    if path and path[0] in ("instances", "run_ids"):
        return {"map_index": "--map-index", "region_id": "--region-id"}.get(str(path[-1]), "RUN_ID")
    return flag(path)


def _change_runs(args: Namespace, verb: RunVerb) -> int:
    given = {
        "run_ids": args.run_ids,
        "reason": args.reason,
        "ticket": args.ticket,
        "override_freeze": args.override_freeze,
    }
    wanted = read(RunsInput, given, name=_named)
    request = RunRequest(args.dag_id, verb, wanted.run_ids, wanted.explanation(), wanted.override_freeze)
    return _change(
        args,
        lambda work: preview_on_runs(work.session, work.actor, request, work.now),
        lambda work, seen: apply_on_runs(work.session, work.actor, request, expected_hash=seen),
    )


def _change(
    args: Namespace, preview: Callable[[Work], InstancePlan], apply: Callable[[Work, str | None], InstancePlan]
) -> int:
    """Preview or apply, print it, and return the exit code: 0 where every target was applied, else 3."""
    if args.dry_run and args.plan_hash is not None:
        raise UsageError("--plan-hash is for applying a plan, --dry-run makes one; take one of them")
    was_shown = False
    if args.dry_run:
        with opened() as work:
            plan = preview(work)
    else:
        expected = args.plan_hash
        if confirm.is_asked(args):
            # in a session of its own: no transaction waits for a person
            with opened() as work:
                shown = preview(work)
            was_shown = ask(shown)
            # what was agreed to is what is done, or nothing
            expected = expected or shown.plan.plan_hash
        with opened() as work:
            plan = apply(work, expected)
    print_instance_plan(plan, args.output, was_shown=was_shown)
    return 0 if plan.outcome() is OperationOutcome.SUCCESS else EXIT_REFUSED
