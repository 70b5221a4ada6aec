"""Alarms in words: what rules wait for, whom they tell how, what became of messages (SPEC 7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from taskops_provider.domain.alarms import EMAIL, WEBHOOK, DeliveryState, Kind, On, Why
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
ON: Mapping[str, str] = {
    On.RETRIES_EXHAUSTED: "no retry is left",
    On.FIRST_FAILURE: "it fails for the first time, even if it is tried again",
}
DELIVERIES: Mapping[str, Badge] = {
    DeliveryState.WAITING: Badge("Waiting", "amber"),
    DeliveryState.SENDING: Badge("Sending", "blue"),
    DeliveryState.SENT: Badge("Sent", "green"),
    DeliveryState.UNCERTAIN: Badge("Uncertain", "purple"),
    DeliveryState.FAILED: Badge("Failed", "red"),
}
WHY: Mapping[str, str] = {
    Why.FIRING: "First message",
    Why.REPEAT: "Repeat",
    Why.ESCALATION: "Escalation",
    Why.NOTICE: "Notice",
    Why.TEST: "Test",
}
_CHANNELS = {EMAIL: "E-mail", WEBHOOK: "Webhook"}


def channel(name: str, connection: str | None) -> str:
    """Return how a message goes: ``E-mail``, ``Webhook by chat``, ``retail_site.DutyBook``."""
    return _CHANNELS.get(name, name) + (f" by {connection}" if connection else "")


def before(rule: Mapping[str, Any]) -> str:
    """Return what stands in front of the name of what a rule is on."""
    if rule["task_id"]:
        return ""
    return "any task of" if rule["dag_id"] else "any task of project"


def condition(rule: Mapping[str, Any]) -> str:
    """Return when a rule fires, for a line that begins with what it is on: ``runs longer than 30 minutes``."""
    kind, parameters = rule["kind"], rule["parameters"]
    if kind == Kind.FAILED:
        return "fails, and no retry is left" if parameters["on"] == On.RETRIES_EXHAUSTED else "fails for the first time"
    if kind == Kind.SUCCEEDED:
        return "succeeds"
    if kind == Kind.RUNNING_LONGER_THAN:
        if "minutes" in parameters:
            return f"runs longer than {text.count(parameters['minutes'], 'minute')}"
        return f"runs {parameters['percent']:,} % longer than the average of the last {parameters['last']}"
    if kind in (Kind.NOT_FINISHED_BY, Kind.NOT_STARTED_BY):
        verb = "finished" if kind == Kind.NOT_FINISHED_BY else "started"
        later = f", {text.count(parameters['days'], 'day')} after the data day" if parameters["days"] else ""
        return f"has not {verb} by {parameters['time']} {parameters['zone']}{later}"
    return f"is in a replenishment that {'failed' if kind == Kind.REPLENISHMENT_FAILED else 'succeeded'}"


def people(recipients: Mapping[str, Any]) -> str:
    """Return who is told: ``owners, carol, ops@example.com``."""
    owners = ["owners"] if recipients["owners"] else []
    return ", ".join([*owners, *recipients["users"], *recipients["addresses"]])


def follow_up(rule: Mapping[str, Any]) -> list[str]:
    """Return what a rule does beside sending at once, a line each."""
    lines = []
    if quiet := rule["quiet_hours"]:
        let = f", except level {quiet['except_level']} and above" if quiet["except_level"] else ""
        lines.append(f"Quiet {quiet['from']}–{quiet['to']} {quiet['zone']}{let}")
    if repeat := rule["repeat"]:
        lines.append(f"Again every {repeat['minutes']:,} min, {repeat['max']:,} times at most")
    if escalation := rule["escalation"]:
        lines.append(f"After {escalation['after']:,} min to {people(escalation['recipients'])}")
    return lines


def messages(event: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Return what became of the messages about a firing, and whether that is bad: ``2 sent``, ``no address: bob``."""
    counted = Counter(one["state"] for one in event["deliveries"])
    bad = {one["state"] for one in event["deliveries"] if one["error"]} | {DeliveryState.UNCERTAIN}
    lines = [
        (f"{counted[state]:,} {badge.text.lower()}", state in bad)
        for state, badge in DELIVERIES.items()
        if counted[state]
    ]
    if event["unreachable"]:
        lines.append((f"no address: {', '.join(event['unreachable'])}", True))
    return lines


def state(event: Mapping[str, Any]) -> Badge:
    """Return whether somebody has confirmed a firing."""
    return Badge("Confirmed", "green") if event["confirmed_at"] else Badge("Open", "red")
