"""What people read: subject, plain text and HTML of one message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, StrictUndefined

from taskops_provider import config
from taskops_provider.domain.alarms.deliveries import DeliveryCause, MessageContent
from taskops_provider.domain.alarms.kinds import REPLENISHMENTS, Kind
from taskops_provider.domain.answers import Json, to_plain_data
from taskops_provider.services.alarms.facts import AlarmFacts, OperationFacts
from taskops_provider.services.shared.task_keys import TaskKey

_TEXT = """\
{{ heading }}
{% for block in blocks %}

{% if blocks|length > 1 %}
{{ block.title }}

{% endif %}
{% for label, value in block.lines %}
{{ (label ~ ":").ljust(width) }} {{ value }}
{% endfor %}


{% for label, url in block.links %}
{{ label }}: {{ url }}
{% endfor %}
{% endfor %}

{{ footer }}
"""

_HTML = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ subject }}</title></head>
<body style="margin:0;padding:16px;font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,sans-serif;
font-size:14px;line-height:1.5;color:#1a202c;background:#ffffff">
<h1 style="font-size:18px;margin:0 0 12px">{{ heading }}</h1>
{% for block in blocks %}
{% if blocks|length > 1 %}
<h2 style="font-size:15px;margin:16px 0 4px">{{ block.title }}</h2>
{% endif %}
<table role="presentation" style="border-collapse:collapse">
{% for label, value in block.lines %}
<tr><th style="text-align:left;vertical-align:top;padding:2px 16px 2px 0;font-weight:600;white-space:nowrap">
{{- label }}</th><td style="padding:2px 0;white-space:pre-line">{{ value }}</td></tr>
{% endfor %}
</table>
{% if block.links %}
<p style="margin:8px 0">{% for label, url in block.links %}
<a href="{{ url }}" style="margin-right:16px">{{ label }}</a>
{% endfor %}</p>
{% endif %}
{% endfor %}
<p style="margin-top:20px;color:#4a5568;font-size:12px">{{ footer }}</p>
</body></html>
"""


def _environment(*, autoescape: bool) -> Environment:
    return Environment(
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


_PLAIN = _environment(autoescape=False).from_string(_TEXT)
_RICH = _environment(autoescape=True).from_string(_HTML)

_KINDS = {
    Kind.FAILED: "failed",
    Kind.SUCCEEDED: "succeeded",
    Kind.RUNNING_LONGER_THAN: "runs too long",
    Kind.NOT_FINISHED_BY: "is not finished in time",
    Kind.NOT_STARTED_BY: "has not started in time",
    Kind.REPLENISHMENT_FAILED: "replenishment failed",
    Kind.REPLENISHMENT_SUCCEEDED: "replenishment succeeded",
}
#: how many alarms one message tells in full
IN_FULL = 50
_PREFIXES = {
    DeliveryCause.REPEAT: "repeated: ",
    DeliveryCause.ESCALATION: "escalated: ",
    DeliveryCause.TEST: "test: ",
}

Link = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Block:
    """What a message says of one alarm or operation.

    :param lines: labels and values
    :param links: labels and addresses
    """

    title: str
    lines: list[tuple[str, str]]
    links: list[Link]


def shown_time(moment: datetime | str | None) -> str:
    """A moment as people read it, UTC."""
    if not moment:
        return ""
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{read.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def alarm_content(
    alarms: Sequence[AlarmFacts], cause: DeliveryCause, *, has_links: bool = True, together: str = "during quiet hours"
) -> MessageContent:
    """Return the message about one alarm, or about several.

    :param together: why several are told at once
    """
    first = alarms[0]
    level = max(alarm.level for alarm in alarms)
    what = headline(first)
    if len(alarms) > 1:
        what = f"{len(alarms)} alarms {together}, among them {what}"
    subject = f"[TaskOps] Level {level}: {_PREFIXES.get(cause, '')}{what}"
    in_full = alarms[:IN_FULL]
    blocks = [_block(alarm, has_links=has_links, is_test=cause is DeliveryCause.TEST) for alarm in in_full]
    left = len(alarms) - len(in_full)
    footer = f"Alarm rule {first.rule_id}" + (f" ({first.rule})" if first.rule else "") + " of TaskOps."
    if left:
        footer = f"And {left} more, which the list of alarms shows. {footer}"
    if cause is DeliveryCause.TEST:
        footer = f"This is a test: nothing has happened. {footer}"
    facts = {"why": cause.value, "level": level, "events": to_plain_data(in_full)}
    return _render(subject, what, blocks, footer, facts)


def headline(alarm: AlarmFacts) -> str:
    """What happened, in a line."""
    target = f"{alarm.dag_id}.{alarm.task_id}" if alarm.task_id else alarm.dag_id
    mapped = f" #{alarm.iteration}" if alarm.iteration else f" [{alarm.map_index}]" if alarm.map_index >= 0 else ""
    kind = Kind(alarm.kind)
    if kind in REPLENISHMENTS:
        return f"{_KINDS[kind]}: {target}"
    return f"{target}{mapped} {_KINDS[kind]}"


def _block(alarm: AlarmFacts, *, has_links: bool, is_test: bool) -> _Block:
    lines = [
        ("Workflow", alarm.dag_id),
        ("Task", alarm.task_id),
        ("Mapped instance", str(alarm.map_index) if alarm.map_index >= 0 and not alarm.iteration else ""),
        ("Iteration", alarm.iteration or ""),
        ("Cycle", shown_time(alarm.data_time)),
        ("What", alarm.what),
        ("When", shown_time(alarm.at)),
        ("Run", alarm.run_id),
        ("Owners", ", ".join(alarm.owners)),
        ("Project", alarm.project),
    ]
    links = _links(alarm.dag_id, alarm.task_id, alarm.run_id, alarm.map_index) if has_links else []
    if links and not is_test:
        links.append(("See and acknowledge the alarm", _page("alarms", rule=alarm.rule_id, state="open")))
    return _Block(headline(alarm), _filled(lines), links)


def _links(dag_id: str, task_id: str, run_id: str | None = None, map_index: int = -1) -> list[Link]:
    """Return the addresses that open what a message is about; none if ``[api] base_url`` is not set."""
    base = config.base_url()
    if not base:
        return []
    dag = f"{base}/dags/{quote(dag_id, safe='')}"
    if not task_id:
        return [("Open the workflow", dag)]
    # inside Airflow's frame: the tab that TaskOps has on each task
    found = [("Open the task", f"{dag}/tasks/{quote(task_id, safe='')}/plugin/taskops-task")]
    if run_id:
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        instance = f"{dag}/runs/{quote(run_id, safe='')}/tasks/{quote(task_id, safe='')}{mapped}"
        found.append(("Open the instance and its log", instance))
    return found


def _page(name: str, **query: object) -> str:
    """Return the address of a page of ours inside Airflow, which puts its whole path behind its own: a prefix comes
    twice.
    """
    base = config.base_url()
    return f"{base}/plugin/taskops{urlsplit(base).path}/pluginsv2/taskops/{name}?{urlencode(query)}"


def notice_content(operation: OperationFacts, done: str, targets: Sequence[TaskKey]) -> MessageContent:
    """Return the message to somebody of whose tasks an operation changed the state.

    :param done: what was done, as people say it: ``paused``
    """
    count = f"{len(targets)} tasks" if len(targets) > 1 else "1 task"
    what = f"{operation.actor} {done} {count} of yours"
    named = [f"{dag_id} {task_id}".strip() for dag_id, task_id in targets]
    more = f"\nand {len(named) - IN_FULL} more" if len(named) > IN_FULL else ""
    lines = [
        ("Tasks", "\n".join(named[:IN_FULL]) + more),
        ("When", shown_time(operation.at)),
        ("Reason", operation.reason),
        ("Ticket", operation.ticket),
        ("Operation", str(operation.operation_id)),
    ]
    links = _links(*targets[0])
    if config.base_url():
        links.append(("Open the record", _page("operation", id=operation.operation_id)))
    facts = {
        "why": DeliveryCause.NOTICE.value,
        **to_plain_data(operation),
        "targets": [{"dag_id": dag_id, "task_id": task_id or None} for dag_id, task_id in targets],
    }
    block = _Block(what, _filled(lines), links)
    return _render(f"[TaskOps] {what}", what, [block], "You are told as their owner.", facts)


def _filled(lines: Sequence[tuple[str, str | None]]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in lines if value]


def _render(subject: str, heading: str, blocks: Sequence[_Block], footer: str, facts: Json) -> MessageContent:
    # one line: a header must not be continued by what somebody wrote
    subject = "".join(c if c.isprintable() else " " for c in subject)[:200]
    width = max((len(label) for block in blocks for label, _ in block.lines), default=0) + 1
    values = {"subject": subject, "heading": heading, "blocks": blocks, "footer": footer, "width": width}
    return MessageContent(subject, _PLAIN.render(values), _RICH.render(values), facts)
