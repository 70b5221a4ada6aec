"""Typed reads of the ``[taskops]`` section. Defaults and descriptions live in ``get_provider_info``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow.configuration import conf
from airflow.sdk.module_loading import import_string  # type: ignore[attr-defined]

from taskops_provider.domain.secrets import without_secrets
from taskops_provider.domain.states import DOWNSTREAM_ALLOWED, Downstream, Verb
from taskops_provider.exceptions import BadInput
from taskops_provider.get_provider_info import get_provider_info

SECTION = "taskops"


def strict_mode() -> bool:
    """Whether projects that chose nothing are in strict mode."""
    return conf.getboolean(SECTION, "strict_mode", fallback=False)


def default_downstream() -> Downstream:
    """The downstream effect of pause and offline where none is chosen.

    :raises BadInput: when the configured value is none of skip, run, fail
    """
    value = conf.get(SECTION, "default_downstream", fallback="skip")
    allowed = DOWNSTREAM_ALLOWED[Verb.OFFLINE]
    if value not in allowed:
        raise BadInput(f"[taskops] default_downstream is {value!r}; allowed are {', '.join(allowed)}")
    return Downstream(value)


def monitor_in_api_server() -> bool:
    """Whether the API server runs the monitor loop in a thread."""
    return conf.getboolean(SECTION, "monitor_in_api_server", fallback=True)


def monitor_interval() -> float:
    """Seconds between two rounds of the monitor loop."""
    return conf.getfloat(SECTION, "monitor_interval", fallback=2.0)


def page_size() -> int:
    """Rows on a page."""
    return conf.getint(SECTION, "page_size", fallback=50)


def max_replenishment_cells() -> int:
    """Cells, task by cycle, that one replenishment has at most."""
    return conf.getint(SECTION, "max_replenishment_cells", fallback=100_000)


def records_retention_days() -> int:
    """Days for which operation records and closed gate intervals are kept."""
    return conf.getint(SECTION, "records_retention_days", fallback=180)


def exports_url() -> str:
    """Where prepared downloads are kept: an object storage path; empty: in the metadata database."""
    return conf.get(SECTION, "exports_url", fallback="").strip()


def task_type_resolver() -> str:
    """Import path of the function that names a task's type; empty: the operator's name."""
    return conf.get(SECTION, "task_type_resolver", fallback="")


def folder_resolver() -> str:
    """Import path of the function that names a Dag's folder; empty: the directory of its file."""
    return conf.get(SECTION, "folder_resolver", fallback="")


def owner_email_resolver() -> str:
    """Import path of the function that finds the e-mail address of an owner or user; empty: none."""
    return conf.get(SECTION, "owner_email_resolver", fallback="")


def alarm_channels() -> str:
    """The channels that people may choose, a JSON object as ``inputs.alarms.released`` reads it; empty: e-mail."""
    return conf.get(SECTION, "alarm_channels", fallback="")


def notice_channels() -> Any:
    """The channels of notices to owners, as rules have them.

    :raises BadInput: when the configured value is no JSON
    """
    value = conf.get(SECTION, "notice_channels", fallback="").strip() or '["email"]'
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise BadInput(f"[taskops] notice_channels is no JSON: {error}") from None


def delivery_window_hours() -> float:
    """Hours for which a message that cannot be sent is tried again."""
    return conf.getfloat(SECTION, "delivery_window_hours", fallback=24.0)


def base_url() -> str:
    """Where Airflow answers, without a slash at the end: ``[api] base_url``; empty where it is not set."""
    return (conf.get("api", "base_url", fallback="") or "").rstrip("/")


@dataclass(frozen=True)
class ConfigOption:
    """An option as it is in effect.

    :param default: what it is where nobody sets it
    """

    name: str
    value: str
    default: str
    description: str


def options() -> list[ConfigOption]:
    """Return all options of the section as they are in effect, for people to look at.

    Secrets in addresses are masked; of channels the names are there, which is what people choose.
    """
    described = get_provider_info()["config"][SECTION]["options"]
    return [
        ConfigOption(
            name=name,
            value=_shown(name, conf.get(SECTION, name, fallback=option["default"])),
            default=_shown(name, option["default"]),
            description=" ".join(option["description"].split()),
        )
        for name, option in described.items()
    ]


def _shown(name: str, value: str) -> str:
    if name not in ("alarm_channels", "notice_channels"):
        return without_secrets(value)
    try:
        found = json.loads(value or "[]")
    except (ValueError, RecursionError):
        return "not valid"
    if not isinstance(found, dict if name == "alarm_channels" and value else list):
        return "not valid"
    return ", ".join(str(one.get("channel")) if isinstance(one, dict) else str(one) for one in found)


def import_function(path: str) -> Callable[..., Any]:
    """Return the function of an import path.

    :raises Exception: where there is none
    """
    function: Callable[..., Any] = import_string(path.replace(":", "."))
    if not callable(function):
        raise TypeError("it cannot be called")
    return function
