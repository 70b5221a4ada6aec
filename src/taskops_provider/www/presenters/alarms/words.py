"""Alarms in words: what rules wait for, whom they tell how, what became of deliveries (requirements 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from taskops_provider.domain.alarms.deliveries import EMAIL, DeliveryCause, DeliveryState
from taskops_provider.domain.alarms.kinds import FailedOn, Kind
from taskops_provider.inputs.alarms.parameters import DueBy, Failed, LongerThanAverage, LongerThanMinutes
from taskops_provider.services.alarms.answers import AlarmAnswer, RuleAnswer
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Badge

KINDS: Mapping[str, str] = {
    Kind.FAILED: "Failed",
    Kind.SUCCEEDED: "Succeeded",
    Kind.RUNNING_LONGER_THAN: "Runs too long",
    Kind.NOT_FINISHED_BY: "Not finished by",
    Kind.NOT_STARTED_BY: "Not started by",
    Kind.REPLENISHMENT_FAILED: "Replenishment failed",
    Kind.REPLENISHMENT_SUCCEEDED: "Replenishment succeeded",
}
LEVELS: Mapping[int, Badge] = {1: Badge("1 low", "grey"), 2: Badge("2 medium", "amber"), 3: Badge("3 high", "red")}
FAILED_ON: Mapping[str, str] = {
    FailedOn.RETRIES_EXHAUSTED: "no retry is left",
    FailedOn.FIRST_FAILURE: "it fails for the first time, even if it is tried again",
}
DELIVERY_STATES: Mapping[DeliveryState, Badge] = {
    DeliveryState.WAITING: Badge("Waiting", "amber"),
    DeliveryState.SENDING: Badge("Sending", "blue"),
    DeliveryState.SENT: Badge("Sent", "green"),
    DeliveryState.UNCERTAIN: Badge("Uncertain", "purple"),
    DeliveryState.FAILED: Badge("Failed", "red"),
}
CAUSES: Mapping[DeliveryCause, str] = {
    DeliveryCause.ALARM: "First message",
    DeliveryCause.REPEAT: "Repeat",
    DeliveryCause.ESCALATION: "Escalation",
    DeliveryCause.NOTICE: "Notice",
    DeliveryCause.TEST: "Test",
}
ACKNOWLEDGED, UNACKNOWLEDGED = Badge("Acknowledged", "green"), Badge("Unacknowledged", "red")
_CHANNELS = {EMAIL: "E-mail"}


def channel(name: str) -> str:
    """Return how a message goes: ``E-mail``, ``chat``."""
    return _CHANNELS.get(name, name)


def channels(rule: RuleAnswer) -> list[str]:
    """Return how the messages of a rule go."""
    return [
        channel(one.channel) + (" (not released, nothing is sent by it)" if one.channel in rule.set_aside else "")
        for one in rule.channels
    ]


def prefix(rule: RuleAnswer) -> str:
    """Return what stands in front of the name of what a rule is on."""
    if rule.task_id:
        return ""
    return "any task of" if rule.dag_id else "any task of project"


def target(rule: RuleAnswer) -> str:
    """Return the name of what a rule is on: ``orders.clean``."""
    return f"{rule.dag_id}.{rule.task_id}" if rule.task_id else rule.dag_id or rule.project or ""


def condition(rule: RuleAnswer) -> str:
    """Return when a rule fires, for a line that begins with what it is on: ``runs longer than 30 minutes``."""
    if rule.problem:
        return f"is set aside: {rule.problem}"
    parameters = rule.parameters
    if isinstance(parameters, Failed):
        is_last = parameters.on is FailedOn.RETRIES_EXHAUSTED
        return "fails, and no retry is left" if is_last else "fails for the first time"
    if isinstance(parameters, LongerThanMinutes):
        return f"runs longer than {text.count(parameters.minutes, 'minute')}"
    if isinstance(parameters, LongerThanAverage):
        return f"runs {parameters.percent:,} % longer than the average of the last {parameters.last}"
    if isinstance(parameters, DueBy):
        verb = "finished" if rule.kind is Kind.NOT_FINISHED_BY else "started"
        later = f", {text.count(parameters.days, 'day')} after the data day" if parameters.days else ""
        return f"has not {verb} by {parameters.time} {parameters.zone}{later}"
    if rule.kind is Kind.SUCCEEDED:
        return "succeeds"
    return f"is in a replenishment that {'failed' if rule.kind is Kind.REPLENISHMENT_FAILED else 'succeeded'}"


def follow_up(rule: RuleAnswer) -> list[str]:
    """Return what a rule does beside sending at once, a line each."""
    lines = []
    if quiet := rule.quiet_hours:
        let = f", except level {quiet.except_level} and above" if quiet.except_level else ""
        lines.append(f"Quiet {quiet.opens}–{quiet.closes} {quiet.zone}{let}")
    if repeat := rule.repeat:
        lines.append(f"Again every {repeat.minutes:,} min, {repeat.max:,} times at most")
    if escalation := rule.escalation:
        lines.append(f"After {escalation.after:,} min to {', '.join(escalation.recipients.words)}")
    return lines


def reach_line(rule: RuleAnswer) -> str:
    """Return whom a rule does not reach; empty if it reaches everybody."""
    if not rule.unreachable and not rule.reaches_nobody:
        return ""
    names = f"o address is known for {', '.join(rule.unreachable)}"
    if rule.reaches_nobody:
        return f"Reaches nobody: {f'n{names}' if rule.unreachable else 'it has no recipient'}"
    return f"N{names}"


def delivery_lines(alarm: AlarmAnswer) -> list[tuple[str, bool]]:
    """Return what became of the deliveries of an alarm, and whether that is bad: ``2 sent``, ``no address: bob``."""
    counted = Counter(one.state for one in alarm.deliveries)
    bad = {one.state for one in alarm.deliveries if one.error} | {DeliveryState.UNCERTAIN}
    lines = [
        (f"{counted[state]:,} {badge.text.lower()}", state in bad)
        for state, badge in DELIVERY_STATES.items()
        if counted[state]
    ]
    if alarm.unreachable:
        lines.append((f"no address: {', '.join(alarm.unreachable)}", True))
    return lines


def state(alarm: AlarmAnswer) -> Badge:
    """Return whether somebody has acknowledged an alarm."""
    return ACKNOWLEDGED if alarm.is_acknowledged else UNACKNOWLEDGED
