"""``airflow taskops alarms ...``"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from taskops_provider.cli.alarm_rule import described_rule, flag_of
from taskops_provider.cli.deprecated import warn_of_command
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
from taskops_provider.domain.alarms.deliveries import DeliveryState
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.inputs.alarms.rule import RuleChange, RuleCreate
from taskops_provider.inputs.problems import naming
from taskops_provider.inputs.reading import read
from taskops_provider.services.alarms import rule_changes, rule_test
from taskops_provider.services.alarms.acknowledge import acknowledge_alarms
from taskops_provider.services.alarms.answers import DeliveryAnswer, RuleAnswer
from taskops_provider.services.alarms.listing import AlarmFilter, list_alarms
from taskops_provider.services.alarms.rules import RuleFilter, list_rules

RULES: Columns = {
    "rule": lambda rule: rule.rule_id,
    "on": lambda rule: _on(rule),
    "kind": lambda rule: rule.kind.value,
    "parameters": lambda rule: to_plain_data(rule.parameters),
    "level": lambda rule: rule.level,
    "recipients": lambda rule: rule.recipients.words,
    "channels": lambda rule: [channel.channel for channel in rule.channels],
    "enabled": lambda rule: rule.enabled,
    "name": lambda rule: rule.name,
}
ALARMS: Columns = {
    "alarm": lambda alarm: alarm.event_id,
    "fired_at": lambda alarm: alarm.fired_at,
    "level": lambda alarm: alarm.level,
    "what": lambda alarm: f"{alarm.headline}: {alarm.what}",
    "messages": lambda alarm: _messages(alarm.deliveries),
    "unreachable": lambda alarm: alarm.unreachable,
    "acknowledged_by": lambda alarm: alarm.acknowledged_by,
    "rule": lambda alarm: alarm.rule_id,
}
DELIVERIES: Columns = {
    "channel": lambda delivery: delivery.channel,
    "recipient": lambda delivery: delivery.recipient,
    "state": lambda delivery: delivery.state.value,
    "error": lambda delivery: delivery.error,
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
        page = list_rules(work.session, work.actor, where, limit=args.limit, offset=args.offset)
    print_list(page.rows, RULES, args.output, empty="no alarm rules")


@changes
def alarms_create(args: Namespace) -> None:
    """Make a rule."""
    given = described_rule(args)
    if "scope" not in given:
        raise UsageError("name what it is on: --task DAG_ID TASK_ID, --workflow DAG_ID or --project BUNDLE")
    if "kind" not in given:
        raise UsageError("name the --kind of rule")
    with opened() as work:
        with naming(flag_of):
            rule = read(RuleCreate, given).rule()
        shown = rule_changes.create_rule(work.session, work.actor, rule, work.now)
    _print_rule(shown, args.output)


@changes
def alarms_update(args: Namespace) -> None:
    """Change a rule."""
    given = described_rule(args)
    if not given:
        raise UsageError("name what is to change")
    with opened() as work, naming(flag_of):
        change = read(RuleChange, given)
        shown = rule_changes.update_rule(work.session, work.actor, args.rule_id, change, work.now)
    _print_rule(shown, args.output)


@changes
def alarms_delete(args: Namespace) -> None:
    """Delete a rule."""
    with opened() as work:
        shown = rule_changes.delete_rule(work.session, work.actor, args.rule_id, work.now)
    _print_rule(shown, args.output)


@reads
def alarms_events(args: Namespace) -> None:
    """List alarms, the newest first."""
    with opened() as work:
        times = {
            name: parse_time(f"--{name}", text, work.now, sign="-") if (text := getattr(args, name)) else None
            for name in ("since", "until")
        }
        where = AlarmFilter(
            rule_id=args.rule,
            dag_id=args.in_dag or "",
            task_id=args.of_task or "",
            kinds=tuple(args.kinds or ()),
            levels=tuple(args.levels or ()),
            acknowledged=False if args.unacknowledged else None,
            search=args.search or "",
            **times,
        )
        page = list_alarms(work.session, work.actor, where, limit=args.limit, offset=args.offset)
    print_list(page.rows, ALARMS, args.output, empty="no alarms")


@changes
def alarms_acknowledge(args: Namespace) -> None:
    """Acknowledge alarms: all of them, or none."""
    _acknowledge(args)


@changes
def alarms_confirm(args: Namespace) -> None:
    """Acknowledge alarms, by the old name of the command."""
    warn_of_command("alarms confirm")
    _acknowledge(args)


def _acknowledge(args: Namespace) -> None:
    with opened() as work:
        alarms = acknowledge_alarms(work.session, work.actor, args.event_ids, work.now)
    print_list(alarms, ALARMS, args.output, empty="")


@changes
def alarms_test(args: Namespace) -> int:
    """Send one message by each channel of a rule now."""
    with opened() as work:
        answer = rule_test.send_test(work.session, work.actor, args.rule_id, work.now)
    if args.output in STRUCTURED:
        print_object(to_plain_data(answer), args.output)
    else:
        print_table(answer.deliveries, DELIVERIES, args.output, empty="nobody to tell")
        for name in answer.unreachable:
            say(f"{name} has no e-mail address")
    are_sent = answer.deliveries and all(one.state is DeliveryState.SENT for one in answer.deliveries)
    return 0 if are_sent and not answer.unreachable else EXIT_REFUSED


def _on(rule: RuleAnswer) -> str:
    return " ".join(filter(None, (rule.dag_id, rule.task_id))) or f"project {rule.project}"


def _messages(deliveries: Sequence[DeliveryAnswer]) -> list[str]:
    return [f"{one.why.value} {one.recipient or one.channel} {one.state.value}" for one in deliveries]


def _print_rule(rule: RuleAnswer, output: str) -> None:
    details = to_plain_data(rule)
    if rule.reaches_nobody:
        say(f"alarm rule {rule.rule_id} reaches nobody: none of its recipients has an e-mail address")
    if output in STRUCTURED:
        print_object(details, output)
        return
    if not rule.reaches_nobody:
        del details["reaches_nobody"]
    details["recipients"] = rule.recipients.words
    details["channels"] = [one.channel for one in rule.channels]
    if escalation := rule.escalation:
        details["escalation"] = f"after {escalation.after} min: {', '.join(escalation.recipients.words)}"
    print_details(details)
