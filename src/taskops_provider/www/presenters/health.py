"""Health: the bar over all pages when nothing works in the background, and all checks on the settings page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taskops_provider.services.gate.coverage import scheduler_coverage
from taskops_provider.services.health import CheckLevel, SignsOfLife, check_health, signs_of_life
from taskops_provider.services.shared.durations import span
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.text import Badge, Piece

_BADGES: Mapping[CheckLevel, Badge] = {
    CheckLevel.OK: Badge("OK", "green"),
    CheckLevel.WARNING: Badge("Warning", "amber"),
    CheckLevel.ERROR: Badge("Error", "red"),
}
#: hosts that the bar names
_NAMED = 3
#: the words of a check's name
_NAMES: Mapping[str, tuple[str, str]] = {
    "airflow": ("Airflow", "TaskOps was tried with this version"),
    "tables": ("Tables", "TaskOps' tables are there, at the version of the package"),
    "gate": ("Gate", "Airflow asks TaskOps which instances may execute"),
    "coverage": ("Gate coverage", "every process that creates runs asks TaskOps"),
    "pools": ("Gate pools", "the pools in which gated instances wait have no slots"),
    "index": ("Index", "TaskOps knows the Dags that Airflow has"),
    "monitor": ("Monitor", "what settles gated instances, ends drains and prepares downloads is running"),
    "drains": ("Drains", "workflows whose last runs are on their way to their end"),
    "alarms": ("Alarms", "messages of alarms and to owners go out"),
}


@dataclass(frozen=True)
class Banner:
    """What is wrong, what that means and what to do.

    :param command: the command that helps, which ends the text
    """

    title: str
    text: str
    command: str
    url: str


@dataclass(frozen=True)
class HealthLine:
    """One check."""

    label: str
    meaning: str
    badge: Badge
    text: list[Piece]


def banner(asked: PageRequest) -> Banner | None:
    """Return what everybody should know before they work on; None where all is well. Three queries."""
    found = _trouble(signs_of_life(asked.session, asked.now)) or _without_gate(asked)
    return Banner(*found, f"{asked.urls.page('settings')}#health") if found else None


def _trouble(signs: SignsOfLife) -> tuple[str, str, str] | None:
    if not signs.monitor_runs:
        # one that ended properly left nothing but the index
        unseen = signs.monitor_seen or signs.refreshed
        return (
            f"The monitor has not run for {span(unseen)}." if unseen else "The monitor does not run.",
            "Gated tasks wait, resume times pass, no alarm goes out, no download is prepared. "
            "It runs in the API server, or as",
            "airflow taskops monitor",
        )
    if signs.index_is_old:
        title = "The Dags were never read." if signs.refreshed is None else ""
        return (
            title or f"The Dags were last read {span(signs.refreshed)} ago.",  # type: ignore[arg-type]
            "New Dags and tasks are missing here. The monitor's log says why it does not read them; to read them now:",
            "airflow taskops sync",
        )
    return None


def _without_gate(asked: PageRequest) -> tuple[str, str, str] | None:
    found = scheduler_coverage(asked.session, asked.now)
    hosts = sorted({one.host for one in (*found.uncovered, *found.troubled)})
    if not hosts:
        return None
    with_host = asked.actor.permissions.may_read_jobs()
    where = f"The scheduler on {', '.join(hosts[:_NAMED])}" if with_host else "A scheduler"
    more = f" and {len(hosts) - _NAMED} more" if with_host and len(hosts) > _NAMED else ""
    return (
        f"{where}{more} runs without TaskOps' gate.",
        "Runs that it creates may execute paused, offline and deleted tasks. An administrator sees more with",
        "airflow taskops check",
    )


def checks(asked: PageRequest) -> list[HealthLine]:
    """Return all checks, as ``airflow taskops check`` makes them, without names that the person may not read."""
    return [
        HealthLine(*_NAMES[check.name], _BADGES[check.level], text.with_code(check.message))
        for check in check_health(asked.session, asked.now, asked.actor)
    ]
