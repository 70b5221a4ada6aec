"""What an alarm rule is: read from what people and programs give, and refused in one line where it cannot be."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from taskops_provider.domain.alarm_times import Deadline, Quiet, parse_clock, parse_zone
from taskops_provider.exceptions import BadInput

LEVELS = (1, 2, 3)
MAX_PEOPLE = 100
MAX_CHANNELS = 10
MAX_MINUTES = 60 * 24 * 31
MAX_REPEATS = 1000
MAX_DAYS = 31
MAX_LAST = 100
DEFAULT_LAST = 10
MAX_PERCENT = 10_000
MAX_NAME_LENGTH = 250

EMAIL, WEBHOOK = "email", "webhook"

_ADDRESS = re.compile(r"[^@\s<>,;:\"'()\[\]\\]+@[^@\s<>,;:\"'()\[\]\\]+")
_CLASS_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_CONNECTION = re.compile(r"[\w.:-]{1,250}")
_SECRET_NAME = re.compile(
    r"pass(wor|w)?d|passphrase|secret|token|api_?-?key|credential|authorization|private_?key", re.I
)
_SECRET_VALUE = re.compile(r"//[^/@\s]+:[^/@\s]+@|^\s*(bearer|basic)\s", re.I)


class AlarmScope(StrEnum):
    """What a rule watches."""

    TASK = "task"
    WORKFLOW = "workflow"
    PROJECT = "project"


class Kind(StrEnum):
    """What a rule waits for."""

    FAILED = "failed"
    SUCCEEDED = "succeeded"
    RUNNING_LONGER_THAN = "running_longer_than"
    NOT_FINISHED_BY = "not_finished_by"
    NOT_STARTED_BY = "not_started_by"
    REPLENISHMENT_FAILED = "replenishment_failed"
    REPLENISHMENT_SUCCEEDED = "replenishment_succeeded"


DEADLINES = (Kind.NOT_FINISHED_BY, Kind.NOT_STARTED_BY)
REPLENISHMENTS = (Kind.REPLENISHMENT_FAILED, Kind.REPLENISHMENT_SUCCEEDED)


class On(StrEnum):
    """Which failure a ``failed`` rule waits for."""

    FIRST_FAILURE = "first_failure"
    RETRIES_EXHAUSTED = "retries_exhausted"


class Why(StrEnum):
    """Why a message is sent."""

    FIRING = "firing"
    REPEAT = "repeat"
    ESCALATION = "escalation"
    NOTICE = "notice"
    TEST = "test"


class DeliveryState(StrEnum):
    """What has become of a message."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    #: the process that sent it ended meanwhile, or the answer was lost: it may have gone out, and is not sent again
    UNCERTAIN = "uncertain"
    FAILED = "failed"


@dataclass(frozen=True)
class Recipients:
    """Who is told: the owners of the task, users of Airflow, e-mail addresses."""

    owners: bool = False
    users: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.owners or self.users or self.addresses)

    def as_json(self) -> dict[str, Any]:
        """As every surface shows it."""
        return {"owners": self.owners, "users": list(self.users), "addresses": list(self.addresses)}


@dataclass(frozen=True)
class Channel:
    """How people are told.

    :param channel: ``email``, ``webhook`` or the class path of a notifier
    :param connection: id of the Airflow connection; None: the default one of the channel
    :param args: further arguments of the notifier
    """

    channel: str
    connection: str | None = None
    args: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_site_class(self) -> bool:
        """Whether it is a class of a site's choice, neither e-mail nor webhook."""
        return self.channel not in (EMAIL, WEBHOOK)

    @property
    def key(self) -> str:
        """What has its own queue: messages of one key are sent one after the other."""
        return f"{self.channel}:{self.connection or ''}"[:250]

    def as_json(self) -> dict[str, Any]:
        """As every surface shows it."""
        return {"channel": self.channel, "connection": self.connection, "args": dict(self.args)}


@dataclass(frozen=True)
class Repeat:
    """Say it again every so many minutes, at most so often, until somebody confirms."""

    minutes: int
    max: int

    def as_json(self) -> dict[str, Any]:
        """As every surface shows it."""
        return {"minutes": self.minutes, "max": self.max}


@dataclass(frozen=True)
class Escalation:
    """Tell others too when nobody has confirmed after so many minutes."""

    after: int
    recipients: Recipients

    def as_json(self) -> dict[str, Any]:
        """As every surface shows it."""
        return {"after": self.after, "recipients": self.recipients.as_json()}


@dataclass(frozen=True)
class Rule:
    """One rule. ``parameters`` are those of its kind, complete and checked."""

    scope: AlarmScope
    dag_id: str
    task_id: str
    project: str
    kind: Kind
    level: int
    name: str
    parameters: Mapping[str, Any]
    recipients: Recipients
    channels: tuple[Channel, ...]
    quiet_hours: Mapping[str, Any] | None = None
    repeat: Repeat | None = None
    escalation: Escalation | None = None
    enabled: bool = True

    @property
    def watches(self) -> tuple[Any, ...]:
        """What it looks for: where this changes, it starts anew."""
        return (self.scope, self.dag_id, self.task_id, self.project, self.kind, dict(self.parameters))

    def quiet(self) -> Quiet | None:
        """Its quiet hours."""
        return read_quiet(self.quiet_hours)

    def deadline(self) -> Deadline:
        """Of a rule of ``DEADLINES``."""
        return read_deadline(self.parameters)

    def body(self) -> dict[str, Any]:
        """What is kept beside the columns."""
        return {
            "parameters": dict(self.parameters),
            "recipients": self.recipients.as_json(),
            "channels": [channel.as_json() for channel in self.channels],
            "quiet_hours": dict(self.quiet_hours) if self.quiet_hours else None,
            "repeat": self.repeat.as_json() if self.repeat else None,
            "escalation": self.escalation.as_json() if self.escalation else None,
        }

    def as_json(self) -> dict[str, Any]:
        """As every surface gives and shows it."""
        return {
            "name": self.name,
            "scope": self.scope.value,
            "dag_id": self.dag_id or None,
            "task_id": self.task_id or None,
            "project": self.project or None,
            "kind": self.kind.value,
            "level": self.level,
            **self.body(),
            "enabled": self.enabled,
        }


def read_quiet(given: Mapping[str, Any] | None) -> Quiet | None:
    """Return quiet hours from what is kept of them."""
    if not given:
        return None
    return Quiet(
        parse_clock("quiet_hours.from", given["from"]),
        parse_clock("quiet_hours.to", given["to"]),
        parse_zone("quiet_hours.zone", given["zone"]),
        given.get("except_level"),
    )


def read_deadline(parameters: Mapping[str, Any]) -> Deadline:
    """Return the deadline from the parameters of a rule of ``DEADLINES``."""
    return Deadline(
        parse_clock("time", parameters["time"]), parse_zone("zone", parameters["zone"]), int(parameters["days"])
    )


def read_rule(given: Mapping[str, Any]) -> Rule:
    """Make a rule of what people or programs give, in the form of :meth:`Rule.as_json`.

    :raises BadInput: one line that says what is wrong and what is allowed
    """
    scope = _choice(AlarmScope, "scope", given.get("scope") or _scope_of(given))
    dag_id, task_id, project = (_text(given, name) for name in ("dag_id", "task_id", "project"))
    _check_scope(scope, dag_id, task_id, project)
    kind = _choice(Kind, "kind", given.get("kind"))
    level = given.get("level", 1)
    if isinstance(level, bool) or level not in LEVELS:
        raise BadInput(f"level is {level!r}; allowed are 1 (lowest), 2, 3")
    name = _text(given, "name")
    if len(name) > MAX_NAME_LENGTH:
        raise BadInput(f"the name has {len(name)} characters; at most {MAX_NAME_LENGTH} are kept")
    channels = tuple(_channel(one) for one in _list("channels", given.get("channels") or [{"channel": EMAIL}]))
    if len(channels) > MAX_CHANNELS:
        raise BadInput(f"{len(channels)} channels were given; at most {MAX_CHANNELS} are kept")
    recipients = _recipients("recipients", given.get("recipients"))
    if not recipients and any(channel.channel == EMAIL for channel in channels):
        raise BadInput("no recipient: name owners, users or addresses; only channels other than email need none")
    return Rule(
        scope=scope,
        dag_id=dag_id,
        task_id=task_id,
        project=project,
        kind=kind,
        level=int(level),
        name=name,
        parameters=_parameters(kind, given.get("parameters")),
        recipients=recipients,
        channels=channels,
        quiet_hours=_quiet_hours(given.get("quiet_hours")),
        repeat=_repeat(given.get("repeat")),
        escalation=_escalation(given.get("escalation")),
        enabled=_flag("enabled", given.get("enabled", True)),
    )


def read_channels(given: Any) -> tuple[Channel, ...]:
    """Read a list of channels.

    :raises BadInput: when one cannot be
    """
    return tuple(_channel(one) for one in _list("channels", given))


def is_address(text: str) -> bool:
    """Whether a text is an e-mail address."""
    return len(text) <= 254 and text.isprintable() and _ADDRESS.fullmatch(text) is not None


def _scope_of(given: Mapping[str, Any]) -> str:
    if given.get("project"):
        return AlarmScope.PROJECT.value
    return (AlarmScope.TASK if given.get("task_id") else AlarmScope.WORKFLOW).value


def _check_scope(scope: AlarmScope, dag_id: str, task_id: str, project: str) -> None:
    needed = {
        AlarmScope.TASK: (True, True, False),
        AlarmScope.WORKFLOW: (True, False, False),
        AlarmScope.PROJECT: (False, False, True),
    }[scope]
    if (bool(dag_id), bool(task_id), bool(project)) != needed:
        names = " and ".join(n for n, wanted in zip(("dag_id", "task_id", "project"), needed, strict=True) if wanted)
        raise BadInput(f"a rule on a {scope.value} needs {names} and nothing else of dag_id, task_id, project")


def _choice(values: Any, what: str, given: Any) -> Any:
    try:
        return values(given)
    except ValueError:
        allowed = ", ".join(value.value for value in values)
        told = "is missing" if given is None else f"is {str(given)[:60]!r}"
        raise BadInput(f"{what} {told}; allowed are {allowed}") from None


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise BadInput(f"{name} is {str(value)[:40]!r}; a text is needed")
    return value.strip() if name == "name" else value


def _list(what: str, given: Any) -> list[Any]:
    if not isinstance(given, (list, tuple)):
        raise BadInput(f"{what} is {str(given)[:40]!r}; a list is needed")
    return list(given)


def _object(what: str, given: Any, allowed: Collection[str]) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise BadInput(f"{what} is {str(given)[:40]!r}; an object is needed")
    unknown = sorted(str(name) for name in set(given) - set(allowed))
    if unknown:
        known = ", ".join(allowed) or "none"
        raise BadInput(f"{what} has no {unknown[0][:40]!r}; allowed are {known}")
    return given


def _flag(what: str, given: Any) -> bool:
    if not isinstance(given, bool):
        raise BadInput(f"{what} is {str(given)[:40]!r}; allowed are true, false")
    return given


def _number(what: str, given: Any, least: int, most: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        raise BadInput(f"{what} is {str(given)[:40]!r}; allowed are {least} to {most}")
    return given


def _parameters(kind: Kind, given: Any) -> dict[str, Any]:
    given = {key: value for key, value in _object("parameters", given or {}, given or {}).items() if value is not None}
    if kind is Kind.FAILED:
        _object("parameters of failed", given, ("on",))
        return {"on": _choice(On, "on", given.get("on", On.RETRIES_EXHAUSTED.value)).value}
    if kind is Kind.RUNNING_LONGER_THAN:
        return _running_longer(given)
    if kind in DEADLINES:
        _object(f"parameters of {kind.value}", given, ("time", "zone", "days"))
        if "time" not in given:
            raise BadInput(f"{kind.value} needs a time, as 08:00")
        zone = given.get("zone", "UTC")
        parse_zone("zone", zone)
        days = _number("days (after the data day)", given.get("days", 0), 0, MAX_DAYS)
        return {"time": f"{parse_clock('time', given['time']):%H:%M}", "zone": str(zone), "days": days}
    _object(f"parameters of {kind.value}", given, ())
    return {}


def _running_longer(given: Mapping[str, Any]) -> dict[str, Any]:
    _object("parameters of running_longer_than", given, ("minutes", "percent", "last"))
    if ("minutes" in given) == ("percent" in given):
        raise BadInput("running_longer_than needs minutes, or percent over the average of the last runs; one of them")
    if "minutes" in given:
        if "last" in given:
            raise BadInput("last goes with percent, not with minutes")
        return {"minutes": _number("minutes", given["minutes"], 1, MAX_MINUTES)}
    return {
        "percent": _number("percent (over the average)", given["percent"], 1, MAX_PERCENT),
        "last": _number("last", given.get("last", DEFAULT_LAST), 1, MAX_LAST),
    }


def _recipients(what: str, given: Any) -> Recipients:
    given = _object(what, given or {}, ("owners", "users", "addresses"))
    users = tuple(dict.fromkeys(_names(f"{what}.users", given.get("users") or [])))
    addresses = tuple(dict.fromkeys(_names(f"{what}.addresses", given.get("addresses") or [])))
    for address in addresses:
        if not is_address(address):
            raise BadInput(f"{what}.addresses: {address[:60]!r} is no e-mail address")
    if len(users) + len(addresses) > MAX_PEOPLE:
        raise BadInput(f"{what} names {len(users) + len(addresses)}; at most {MAX_PEOPLE} are kept")
    return Recipients(_flag(f"{what}.owners", given.get("owners", False)), users, addresses)


def _names(what: str, given: Any) -> list[str]:
    names = _list(what, given)
    for name in names:
        if not isinstance(name, str) or not name.strip() or len(name) > 254 or not name.isprintable():
            raise BadInput(f"{what}: {str(name)[:40]!r} is no name")
    return [name.strip() for name in names]


def _channel(given: Any) -> Channel:
    if isinstance(given, str):
        given = {"channel": given}
    given = _object("a channel", given, ("channel", "connection", "args"))
    channel = given.get("channel")
    if not isinstance(channel, str) or not (channel in (EMAIL, WEBHOOK) or _CLASS_PATH.fullmatch(channel)):
        told = str(channel)[:80]
        raise BadInput(f"channel {told!r} is unknown; allowed are email, webhook, or the class path of a notifier")
    connection = given.get("connection") or None
    if connection is not None and not (isinstance(connection, str) and _CONNECTION.fullmatch(connection)):
        raise BadInput(f"connection {str(connection)[:60]!r} is no id of an Airflow connection")
    args = _object("args of a channel", given.get("args") or {}, given.get("args") or {})
    allowed = {EMAIL: ("from_email",), WEBHOOK: ("endpoint", "method", "headers")}.get(channel)
    if allowed is not None:
        _object(f"args of {channel}", args, allowed)
    _refuse_secrets(args)
    if channel == WEBHOOK and args.get("method", "POST") not in ("POST", "PUT", "PATCH"):
        raise BadInput(f"method is {str(args['method'])[:20]!r}; allowed are POST, PUT, PATCH")
    return Channel(channel, connection, dict(args))


def _refuse_secrets(value: Any, name: str = "") -> None:
    """Secrets belong into connections: rules are shown to everybody who may read the Dag."""
    if name and _SECRET_NAME.search(name):
        raise BadInput(f"argument {name[:40]!r} looks like a secret; keep it in an Airflow connection")
    if isinstance(value, Mapping):
        for key, one in value.items():
            _refuse_secrets(one, str(key))
    elif isinstance(value, (list, tuple)):
        for one in value:
            _refuse_secrets(one)
    elif isinstance(value, str) and _SECRET_VALUE.search(value):
        raise BadInput(f"the value of {name[:40] or 'an argument'!r} holds a secret; keep it in an Airflow connection")


def _quiet_hours(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    given = _object("quiet_hours", given, ("from", "to", "zone", "except_level"))
    opens, closes = (parse_clock(f"quiet_hours.{name}", given.get(name)) for name in ("from", "to"))
    if opens == closes:
        raise BadInput("quiet_hours begin and end at the same time; disable the rule to send nothing at all")
    zone = given.get("zone") or "UTC"
    parse_zone("quiet_hours.zone", zone)
    level = given.get("except_level")
    if level is not None and (isinstance(level, bool) or level not in LEVELS):
        raise BadInput(f"quiet_hours.except_level is {str(level)[:20]!r}; allowed are 1, 2, 3")
    return {"from": f"{opens:%H:%M}", "to": f"{closes:%H:%M}", "zone": str(zone), "except_level": level}


def _repeat(given: Any) -> Repeat | None:
    if given is None:
        return None
    given = _object("repeat", given, ("minutes", "max"))
    return Repeat(
        _number("repeat.minutes", given.get("minutes"), 1, MAX_MINUTES),
        _number("repeat.max", given.get("max", 3), 1, MAX_REPEATS),
    )


def _escalation(given: Any) -> Escalation | None:
    if given is None:
        return None
    given = _object("escalation", given, ("after", "recipients"))
    recipients = _recipients("escalation.recipients", given.get("recipients"))
    if not recipients:
        raise BadInput("escalation.recipients names nobody")
    return Escalation(_number("escalation.after (minutes)", given.get("after"), 1, MAX_MINUTES), recipients)
