"""What people read: subject, plain text and HTML of one message, made of facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from jinja2 import Environment, StrictUndefined

from taskops_provider import config
from taskops_provider.domain.alarms import Kind, Why

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
#: how many firings one message tells in full
TOLD = 50


def shown_time(moment: datetime | str | None) -> str:
    """A moment as people read it, UTC."""
    if not moment:
        return ""
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{read.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def alarm_content(events: Sequence[Mapping[str, Any]], why: Why, *, has_links: bool = True) -> dict[str, Any]:
    """Return the message about one firing, or about several that quiet hours held back.

    :param events: the facts of each (``services.alarm_fire``)
    """
    first = events[0]
    level = max(event["level"] for event in events)
    prefix = {Why.REPEAT: "repeated: ", Why.ESCALATION: "escalated: ", Why.TEST: "test: "}.get(why, "")
    what = headline(first)
    if len(events) > 1:
        what = f"{len(events)} alarms during quiet hours, among them {what}"
    subject = f"[TaskOps] Level {level}: {prefix}{what}"
    blocks = [_block(event, has_links=has_links, is_test=why is Why.TEST) for event in events[:TOLD]]
    left = len(events) - len(blocks)
    footer = f"Alarm rule {first['rule_id']}" + (f" ({first['rule']})" if first.get("rule") else "") + " of TaskOps."
    if left:
        footer = f"And {left} more, which the list of firings shows. {footer}"
    if why is Why.TEST:
        footer = f"This is a test: nothing has happened. {footer}"
    return _render(subject, what, blocks, footer) | {
        "facts": {"why": why.value, "level": level, "events": [dict(event) for event in events[:TOLD]]}
    }


def headline(event: Mapping[str, Any]) -> str:
    """What happened, in a line."""
    target = f"{event['dag_id']}.{event['task_id']}" if event["task_id"] else event["dag_id"]
    mapped = f" [{event['map_index']}]" if event.get("map_index", -1) >= 0 else ""
    kind = Kind(event["kind"])
    if kind in (Kind.REPLENISHMENT_FAILED, Kind.REPLENISHMENT_SUCCEEDED):
        return f"{_KINDS[kind]}: {target}"
    return f"{target}{mapped} {_KINDS[kind]}"


def _block(event: Mapping[str, Any], *, has_links: bool, is_test: bool) -> dict[str, Any]:
    lines = [
        ("Workflow", event["dag_id"]),
        ("Task", event["task_id"]),
        ("Mapped instance", str(event["map_index"]) if event.get("map_index", -1) >= 0 else ""),
        ("Cycle", shown_time(event.get("data_time"))),
        ("What", event["what"]),
        ("When", shown_time(event.get("at"))),
        ("Run", event.get("run_id")),
        ("Owners", ", ".join(event.get("owners", ()))),
        ("Project", event.get("project")),
    ]
    found = links(event) if has_links else []
    if found and not is_test:
        found.append(("See and confirm the alarm", _page("alarms", rule=event["rule_id"], state="open")))
    return {"title": headline(event), "lines": _filled(lines), "links": found}


def links(event: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The addresses that open what a message is about; none where ``[api] base_url`` is not set."""
    base, dag_id, task_id, run_id = config.base_url(), event["dag_id"], event["task_id"], event.get("run_id")
    if not base:
        return []
    dag = f"{base}/dags/{quote(dag_id, safe='')}"
    if not task_id:
        return [("Open the workflow", dag)]
    # inside Airflow's frame: the tab that TaskOps has on each task
    found = [("Open the task", f"{dag}/tasks/{quote(task_id, safe='')}/plugin/taskops-task")]
    if run_id:
        mapped = f"/mapped/{event['map_index']}" if event.get("map_index", -1) >= 0 else ""
        instance = f"{dag}/runs/{quote(run_id, safe='')}/tasks/{quote(task_id, safe='')}{mapped}"
        found.append(("Open the instance and its log", instance))
    return found


def _page(name: str, **query: Any) -> str:
    """The address of a page of ours inside Airflow, which puts its whole path behind its own: a prefix comes twice."""
    base = config.base_url()
    return f"{base}/plugin/taskops{urlsplit(base).path}/pluginsv2/taskops/{name}?{urlencode(query)}"


def notice_content(operation: Mapping[str, Any], targets: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the message to somebody of whose tasks an operation changed the state.

    :param operation: ``operation_id, verb, actor, at, reason, ticket, done``
    """
    count = f"{len(targets)} tasks" if len(targets) > 1 else "1 task"
    what = f"{operation['actor']} {operation['done']} {count} of yours"
    named = [f"{dag_id} {task_id}".strip() for dag_id, task_id in targets]
    more = f"\nand {len(named) - TOLD} more" if len(named) > TOLD else ""
    lines = [
        ("Tasks", "\n".join(named[:TOLD]) + more),
        ("When", shown_time(operation["at"])),
        ("Reason", operation["reason"]),
        ("Ticket", operation["ticket"]),
        ("Operation", str(operation["operation_id"])),
    ]
    dag_id, task_id = targets[0]
    found = links({"dag_id": dag_id, "task_id": task_id})
    if config.base_url():
        found.append(("Open the record", _page("operation", id=operation["operation_id"])))
    block = {"title": what, "lines": _filled(lines), "links": found}
    facts = {key: value for key, value in operation.items() if key != "done"}
    return _render(f"[TaskOps] {what}", what, [block], "You are told as their owner.") | {
        "facts": {
            "why": Why.NOTICE.value,
            **facts,
            "targets": [{"dag_id": d, "task_id": t or None} for d, t in targets],
        }
    }


def _filled(lines: Sequence[tuple[str, str | None]]) -> list[tuple[str, str]]:
    return [(label, value) for label, value in lines if value]


def _render(subject: str, heading: str, blocks: list[dict[str, Any]], footer: str) -> dict[str, Any]:
    # one line: a header must not be continued by what somebody wrote
    subject = "".join(c if c.isprintable() else " " for c in subject)[:200]
    width = max((len(label) for block in blocks for label, _ in block["lines"]), default=0) + 1
    values = {"subject": subject, "heading": heading, "blocks": blocks, "footer": footer, "width": width}
    return {"subject": subject, "text": _PLAIN.render(values), "html": _RICH.render(values)}
