"""Settings: strict mode of projects (requirements A18), the configuration in effect, health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taskops_provider import config
from taskops_provider.exceptions import BadInput, Forbidden, ResourceNotFound, TaskOpsError
from taskops_provider.services.operations.strict_mode_preview import StrictModeEffect, effect_of_strict_mode
from taskops_provider.services.operations.strict_mode_setting import StrictMode, list_strict_mode, set_strict_mode
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import health, text
from taskops_provider.www.presenters.answer import DialogAnswer, refused

PAGE = "settings"
_VALUES: Mapping[str, bool] = {"on": True, "off": False}
_STEPS = ("preview", "apply")


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """Strict mode of one project."""

    name: text.Name
    is_on: bool
    is_chosen: bool
    differs: bool
    changed_by: str
    changed_at: text.Time | None


@dataclass(frozen=True, slots=True)
class OptionRow:
    """One option of the configuration."""

    option: config.ConfigOption
    about: Sequence[text.Piece]


@dataclass(frozen=True, slots=True)
class SettingsPage:
    """What the template ``settings/page.html`` shows."""

    may_change: bool
    default: str
    projects: Sequence[ProjectRow]
    reads_all: bool
    reads_configuration: bool
    options: Sequence[OptionRow]
    checks: Sequence[health.HealthLine]
    page: str = PAGE
    title: str = "Settings"


@dataclass(frozen=True, slots=True)
class StrictModeDialog:
    """What the template ``settings/dialog.html`` shows."""

    title: str
    project: str
    value: str
    address: str
    action: str
    words: str


def settings_page(asked: PageRequest) -> SettingsPage:
    """Return strict mode of the projects, the configuration and the health of the installation.

    The configuration is for those who may read it in Airflow: it has URLs and paths of the installation.
    """
    reads_configuration = asked.actor.permissions.may_read_configuration()
    options = config.options() if reads_configuration else ()
    default = config.strict_mode()
    return SettingsPage(
        may_change=asked.actor.permissions.may_change_settings(),
        default="on" if default else "off",
        projects=[_project(mode, default=default) for mode in list_strict_mode(asked.session, asked.actor)],
        reads_all=asked.actor.permissions.readable() is None,
        reads_configuration=reads_configuration,
        options=[OptionRow(option, text.with_code(option.description)) for option in options],
        checks=health.checks(asked),
    )


def _project(mode: StrictMode, *, default: bool) -> ProjectRow:
    return ProjectRow(
        name=text.name(mode.project),
        is_on=mode.strict_mode,
        is_chosen=mode.chosen,
        differs=mode.strict_mode is not default,
        changed_by=mode.changed_by or "",
        changed_at=text.time(mode.changed_at),
    )


def change_strict_mode(asked: PageRequest) -> DialogAnswer:
    """Return the dialog that changes strict mode of a project, or change it and show the page anew."""
    try:
        is_on = _value(asked)
        if not asked.actor.permissions.may_change_settings():
            raise Forbidden("changing strict mode needs the permission to edit every Dag")
        project = _project_of(asked)
        if asked.one("step") == "apply":
            set_strict_mode(asked.session, asked.actor, project, is_on, asked.now)
            return DialogAnswer("settings/changed.html", None, headers={"HX-Refresh": "true"})
        return _preview(asked, project, is_on)
    except TaskOpsError as error:
        asked.session.rollback()
        return refused("Strict mode", error, is_part=False)


def _value(asked: PageRequest) -> bool:
    given = asked.one("strict_mode")
    if given not in _VALUES:
        raise BadInput(f"strict_mode is {given[:60]!r}; allowed are {', '.join(_VALUES)}")
    step = asked.one("step") or _STEPS[0]
    if step not in _STEPS:
        raise BadInput(f"step is {step[:60]!r}; allowed are {', '.join(_STEPS)}")
    return _VALUES[given]


def _project_of(asked: PageRequest) -> str:
    given = asked.one("project")
    known = [mode.project for mode in list_strict_mode(asked.session, asked.actor)]
    if given not in known:
        raise ResourceNotFound(f"project {given[:60]!r} does not exist; there are {', '.join(known) or 'none yet'}")
    return given


def _preview(asked: PageRequest, project: str, is_on: bool) -> DialogAnswer:
    word = "on" if is_on else "off"
    dialog = StrictModeDialog(
        title=f"Turn strict mode {word} for project {project}?",
        project=project,
        value=word,
        address=asked.urls.page(PAGE),
        action=f"Turn {word}",
        words=_effect_words(effect_of_strict_mode(asked.session, asked.actor, project), is_on=is_on),
    )
    return DialogAnswer("settings/dialog.html", dialog)


def _effect_words(effect: StrictModeEffect, *, is_on: bool) -> str:
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
