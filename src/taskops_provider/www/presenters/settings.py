"""Settings: strict mode of projects (A18), the configuration in effect, health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taskops_provider import config
from taskops_provider.exceptions import BadInput, Forbidden, NotFound, TaskOpsError
from taskops_provider.services.strict_effect import Effect, effect_of_strict_mode
from taskops_provider.services.strict_mode import StrictMode, list_strict_mode, set_strict_mode
from taskops_provider.www.asked import Asked
from taskops_provider.www.presenters import health, text
from taskops_provider.www.presenters.changes import Answer, refused

PAGE = "settings"
_VALUES: Mapping[str, bool] = {"on": True, "off": False}
_STEPS = ("preview", "apply")


def present(asked: Asked) -> dict[str, Any]:
    """Return what the template ``settings.html`` shows."""
    default = config.strict_mode()
    return {
        "page": PAGE,
        "title": "Settings",
        "may_change": asked.actor.permissions.may_change_settings(),
        "default": "on" if default else "off",
        "projects": [_project(mode, default=default) for mode in list_strict_mode(asked.session, asked.actor)],
        "reads_all": asked.actor.permissions.readable() is None,
        "options": [{"option": option, "about": text.with_code(option.description)} for option in config.options()],
        "checks": health.checks(asked),
    }


def _project(mode: StrictMode, *, default: bool) -> dict[str, Any]:
    return {
        "name": text.name(mode.project),
        "is_on": mode.strict_mode,
        "is_chosen": mode.chosen,
        "differs": mode.strict_mode is not default,
        "changed_by": mode.changed_by or "",
        "changed_at": text.time(mode.changed_at),
    }


def change(asked: Asked) -> Answer:
    """Return the dialog that changes strict mode of a project, or change it and show the page anew."""
    try:
        is_on = _value(asked)
        if not asked.actor.permissions.may_change_settings():
            raise Forbidden("changing strict mode needs the permission to edit every Dag")
        project = _project_of(asked)
        if asked.one("step") == "apply":
            set_strict_mode(asked.session, asked.actor, project, is_on, asked.now)
            return Answer("settings_changed.html", {}, headers={"HX-Refresh": "true"})
        return _preview(asked, project, is_on)
    except TaskOpsError as error:
        asked.session.rollback()
        return refused("Strict mode", error, is_part=False)


def _value(asked: Asked) -> bool:
    given = asked.one("strict_mode")
    if given not in _VALUES:
        raise BadInput(f"strict_mode is {given[:60]!r}; allowed are {', '.join(_VALUES)}")
    step = asked.one("step") or _STEPS[0]
    if step not in _STEPS:
        raise BadInput(f"step is {step[:60]!r}; allowed are {', '.join(_STEPS)}")
    return _VALUES[given]


def _project_of(asked: Asked) -> str:
    given = asked.one("project")
    known = [mode.project for mode in list_strict_mode(asked.session, asked.actor)]
    if given not in known:
        raise NotFound(f"project {given[:60]!r} does not exist; there are {', '.join(known) or 'none yet'}")
    return given


def _preview(asked: Asked, project: str, is_on: bool) -> Answer:
    word = "on" if is_on else "off"
    return Answer(
        "settings_dialog.html",
        {
            "title": f"Turn strict mode {word} for project {project}?",
            "project": project,
            "value": word,
            "address": asked.urls.page(PAGE),
            "action": f"Turn {word}",
            "words": _effect_words(effect_of_strict_mode(asked.session, asked.actor, project), is_on=is_on),
        },
    )


def _effect_words(effect: Effect, *, is_on: bool) -> str:
    """What it means for the tasks that there are now."""
    if not effect.kept:
        return "No task of the project has downstream tasks that are not offline: nothing changes for now."
    kept = f"{effect.kept:,} of its {text.count(effect.tasks, 'task')}, in {text.count(effect.workflows, 'workflow')},"
    have = "has" if effect.kept == 1 else "have"
    if is_on:
        return (
            f"{kept} {have} downstream tasks that are not offline. From now on they cannot be paused, taken offline or "
            "deleted, until those are offline."
        )
    return f"{kept} {have} downstream tasks that are not offline. From now on they can be stopped all the same."
