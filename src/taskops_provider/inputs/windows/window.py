"""A window: read here from REST bodies, forms, flags and the database, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, StrictBool

from taskops_provider.domain.answers import Json, to_plain_data
from taskops_provider.domain.operations.limits import MAX_REASON_LENGTH
from taskops_provider.domain.states import Downstream
from taskops_provider.domain.windows.kinds import WindowKind
from taskops_provider.domain.windows.scope import WindowScope
from taskops_provider.domain.windows.times import Times
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.alarms.fields import one_of
from taskops_provider.inputs.fields import AtMost, Input, LongText, Name
from taskops_provider.inputs.reading import read
from taskops_provider.inputs.replenishment import TaskTarget
from taskops_provider.inputs.windows.times import WindowTimes

MAX_NAME_LENGTH = 250
MAX_NAMED = 1000
MAX_PLACES = 200

_Places = Annotated[tuple[Name, ...], Field(max_length=MAX_PLACES)]


class ScopeInput(Input):
    """What a window is about: the sum of its parts."""

    model_config = ConfigDict(frozen=True)

    tasks: Annotated[tuple[TaskTarget, ...], Field(max_length=MAX_NAMED)] = ()
    workflows: Annotated[tuple[Name, ...], Field(max_length=MAX_NAMED)] = ()
    folders: _Places = Field(default=(), description="`bundle/dir`: Dag files in them and below.")
    projects: _Places = Field(default=(), description="Dag bundles.")
    tags: _Places = Field(default=(), description="Dags that have one of these tags.")
    everything: StrictBool = False

    def scope(self) -> WindowScope:
        """As the domain has it; each part once."""
        return WindowScope(
            tuple(dict.fromkeys((one.dag_id, one.task_id) for one in self.tasks)),
            tuple(dict.fromkeys(self.workflows)),
            tuple(dict.fromkeys(folder.rstrip("/") for folder in self.folders)),
            tuple(dict.fromkeys(self.projects)),
            tuple(dict.fromkeys(self.tags)),
            self.everything,
        )


@dataclass(frozen=True, slots=True)
class WindowDefinition:
    """One window, complete and checked.

    :param downstream: None: it does not pause
    :param written: its times as they were written
    :param problem: of one that is kept and cannot be read any more: it is set aside
    """

    name: str
    kinds: tuple[WindowKind, ...]
    downstream: Downstream | None
    scope: WindowScope
    times: Times | None
    written: Json
    reason: str | None
    enabled: bool
    problem: str | None = None

    @property
    def pauses(self) -> bool:
        """Whether runs that are created in it do not execute."""
        return WindowKind.PAUSE in self.kinds


Kinds = Annotated[list[Annotated[WindowKind, one_of(WindowKind)]], Field(min_length=1, max_length=3)]


class WindowChange(Input):
    """Fields of a window to change, each as a whole. Those that are not sent stay as they are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": False}]})

    name: Name | None = None
    kinds: Kinds | None = Field(
        None,
        description="`pause`: runs that are created in it do not execute the tasks. `no_replenish`: nothing of a "
        "replenishment starts in it. `freeze`: operations are refused.",
    )
    downstream: Annotated[Downstream, one_of(Downstream)] | None = Field(
        None, description="pause: what becomes of the tasks' instances; `[taskops] default_downstream` if left out."
    )
    scope: ScopeInput | None = None
    times: WindowTimes | None = None
    reason: Annotated[LongText, AtMost(MAX_REASON_LENGTH)] | None = None
    enabled: StrictBool | None = None

    def apply_to(self, window: WindowDefinition, *, default: Downstream) -> WindowDefinition:
        """Return a window with the fields that were sent.

        :param default: the downstream effect of one that pauses and does not say
        :raises BadInput: for what does not go together
        """
        before = {
            "name": window.name,
            "kinds": list(window.kinds),
            "downstream": window.downstream,
            "scope": None,
            "times": None,
            "reason": window.reason,
            "enabled": window.enabled,
        }
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if given.get("kinds") and WindowKind.PAUSE not in given["kinds"]:
            given.setdefault("downstream", None)
        return _complete(before | given, window, default)


class WindowCreate(WindowChange):
    """A window to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "weekend",
                    "kinds": ["pause", "freeze"],
                    "scope": {"workflows": ["orders"]},
                    "times": {"cron": "0 22 * * 5", "zone": "Europe/Berlin", "duration": "56h"},
                    "reason": "maintenance of the warehouse",
                }
            ]
        }
    )

    name: Name
    kinds: Kinds
    scope: ScopeInput
    times: WindowTimes

    def window(self, *, default: Downstream) -> WindowDefinition:
        """Return the whole window.

        :param default: the downstream effect of one that pauses and does not say
        :raises BadInput: for what does not go together
        """
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return _complete(values, None, default)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Read a window from a form, from flags or from the database.

        :raises InvalidInput: one line about what is not valid
        """
        return read(cls, values)


def check_times(times: WindowTimes | None, now: datetime) -> None:
    """Refuse times that lie in the past, overlap or never come.

    :raises BadInput: one line
    """
    if times is not None and (found := times.problem(now)):
        raise BadInput(f"the times of the window cannot be: {found}")


def _complete(values: Mapping[str, Any], before: WindowDefinition | None, default: Downstream) -> WindowDefinition:
    for name in ("name", "kinds"):
        if values[name] is None:
            raise BadInput(f"{name} is null; a window needs it")
    kinds = tuple(kind for kind in WindowKind if kind in values["kinds"])
    downstream = values["downstream"]
    if WindowKind.PAUSE in kinds:
        downstream = downstream or default
    elif downstream is not None:
        raise BadInput("downstream goes with the kind pause alone")
    times, scope = values["times"], values["scope"]
    if before is None:
        assert times is not None
        assert scope is not None
    found = scope.scope() if scope is not None else before.scope  # type: ignore[union-attr]
    if found == WindowScope():
        raise BadInput("the scope of the window is empty: name tasks, workflows, folders, projects, tags or everything")
    return WindowDefinition(
        name=values["name"].strip(),
        kinds=kinds,
        downstream=downstream,
        scope=found,
        times=times.times() if times is not None else before.times,  # type: ignore[union-attr]
        written=_written(times) if times is not None else before.written,  # type: ignore[union-attr]
        reason=values["reason"] or None,
        enabled=True if values["enabled"] is None else values["enabled"],
    )


def _written(times: WindowTimes) -> Json:
    shown: Json = to_plain_data(times)
    return {name: value for name, value in shown.items() if value is not None and value != []}
