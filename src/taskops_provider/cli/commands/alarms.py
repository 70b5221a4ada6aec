"""``airflow taskops alarms ...``"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from taskops_provider.cli.alarms import given_rule
from taskops_provider.cli.output import (
    STRUCTURED,
    Columns,
    print_details,
    print_list,
    print_object,
    print_table,
)
from taskops_provider.cli.run import EXIT_REFUSED, UsageError, changes, opened, reads
from taskops_provider.cli.text import say
from taskops_provider.cli.times import parse_time
from taskops_provider.domain.alarms import DeliveryState
from taskops_provider.services import alarm_changes, alarm_events, alarm_rules, alarm_send
from taskops_provider.services.alarm_events import EventFilter
from taskops_provider.services.alarm_rules import RuleFilter

RULES: Columns = {
    "rule": lambda rule: rule["rule_id"],
    "on": lambda rule: _on(rule),
    "kind": lambda rule: rule["kind"],
    "parameters": lambda rule: rule["parameters"],
    "level": lambda rule: rule["level"],
    "recipients": lambda rule: _people(rule["recipients"]),
    "channels": lambda rule: [channel["channel"] for channel in rule["channels"]],
    "enabled": lambda rule: rule["enabled"],
    "name": lambda rule: rule["name"],
}
EVENTS: Columns = {
    "alarm": lambda event: event["event_id"],
    "fired_at": lambda event: event["fired_at"],
    "level": lambda event: event["level"],
    "what": lambda event: f"{event['headline']}: {event['what']}",
    "messages": lambda event: _messages(event["deliveries"]),
    "unreachable": lambda event: event["unreachable"],
    "confirmed_by": lambda event: event["confirmed_by"],
    "rule": lambda event: event["rule_id"],
}
DELIVERIES: Columns = {
    "channel": lambda one: one["channel"],
    "connection": lambda one: one["connection"],
    "recipient": lambda one: one["recipient"],
    "state": lambda one: one["state"],
    "error": lambda one: one["error"],
}


@reads
def alarms_list(args: Namespace) -> None:
    """List rules, the newest first."""
    where = RuleFilter(
        dag_id=args.in_dag or "",
        task_id=args.of_task or "",
        project=args.project or "",
        kinds=tuple(args.kinds or ()),
        search=args.search or "",
    )
    with opened() as work:
        page = alarm_rules.list_rules(work.session, work.actor, where, limit=args.limit, offset=args.offset)
    print_list(page.rows, RULES, args.output, as_json=lambda one: one, empty="no alarm rules")


@changes
def alarms_create(args: Namespace) -> None:
    """Make a rule."""
    given = given_rule(args)
    if "scope" not in given:
        raise UsageError("name what it is on: --task DAG_ID TASK_ID, --workflow DAG_ID or --project BUNDLE")
    if "kind" not in given:
        raise UsageError("name the --kind of rule")
    with opened() as work:
        shown = alarm_changes.create_rule(work.session, work.actor, given, work.now)
    _print_rule(shown, args.output)


@changes
def alarms_update(args: Namespace) -> None:
    """Change a rule."""
    given = given_rule(args)
    if not given:
        raise UsageError("name what is to change")
    with opened() as work:
        shown = alarm_changes.update_rule(work.session, work.actor, args.rule_id, given, work.now)
    _print_rule(shown, args.output)


@changes
def alarms_delete(args: Namespace) -> None:
    """Delete a rule."""
    with opened() as work:
        shown = alarm_changes.delete_rule(work.session, work.actor, args.rule_id, work.now)
    _print_rule(shown, args.output)


@reads
def alarms_events(args: Namespace) -> None:
    """List what fired, the newest first."""
    with opened() as work:
        times = {
            name: parse_time(f"--{name}", text, work.now, sign="-") if (text := getattr(args, name)) else None
            for name in ("since", "until")
        }
        where = EventFilter(
            rule_id=args.rule,
            dag_id=args.in_dag or "",
            task_id=args.of_task or "",
            kinds=tuple(args.kinds or ()),
            levels=tuple(args.levels or ()),
            confirmed=False if args.open else None,
            search=args.search or "",
            **times,
        )
        page = alarm_events.list_events(work.session, work.actor, where, limit=args.limit, offset=args.offset)
    print_list(page.rows, EVENTS, args.output, as_json=lambda one: one, empty="no alarms")


@changes
def alarms_confirm(args: Namespace) -> None:
    """Confirm firings: all of them, or none."""
    with opened() as work:
        shown = alarm_events.confirm_events(work.session, work.actor, args.event_ids, work.now)
    print_list(shown, EVENTS, args.output, as_json=lambda one: one, empty="")


@changes
def alarms_test(args: Namespace) -> int:
    """Send one message by each channel of a rule now."""
    with opened() as work:
        ids, unreachable = alarm_events.prepare_test(work.session, work.actor, args.rule_id, work.now)
    alarm_send.send_now(ids, f"test of rule {args.rule_id}")
    with opened() as work:
        sent = alarm_events.deliveries_by_id(work.session, ids)
    if args.output in STRUCTURED:
        print_object({"rule_id": args.rule_id, "unreachable": unreachable, "deliveries": sent}, args.output)
    else:
        print_table(sent, DELIVERIES, args.output, empty="nobody to tell")
        for name in unreachable:
            say(f"{name} has no e-mail address")
    well = sent and not unreachable and all(one["state"] == DeliveryState.SENT for one in sent)
    return 0 if well else EXIT_REFUSED


def _on(rule: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (rule["dag_id"], rule["task_id"]))) or f"project {rule['project']}"


def _people(recipients: Mapping[str, Any]) -> list[str]:
    return [*(["owners"] if recipients["owners"] else []), *recipients["users"], *recipients["addresses"]]


def _messages(deliveries: list[dict[str, Any]]) -> list[str]:
    return [f"{one['why']} {one['recipient'] or one['channel']} {one['state']}" for one in deliveries]


def _print_rule(rule: dict[str, Any], output: str) -> None:
    if output in STRUCTURED:
        print_object(rule, output)
        return
    shown = {**rule, "recipients": _people(rule["recipients"])}
    shown["channels"] = [":".join(filter(None, (one["channel"], one["connection"]))) for one in rule["channels"]]
    if rule["escalation"]:
        escalation = rule["escalation"]
        shown["escalation"] = f"after {escalation['after']} min: {', '.join(_people(escalation['recipients']))}"
    print_details(shown)
