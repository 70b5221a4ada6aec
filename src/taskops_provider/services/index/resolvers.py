"""What a site may replace: how a task's type and a Dag's folder are named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from posixpath import dirname
from typing import Any

from taskops_provider import config
from taskops_provider.adapter.serialized import TaskDefinition
from taskops_provider.config import import_function

log = logging.getLogger(__name__)

#: widths of the columns
MAX_TASK_TYPE = 250
MAX_FOLDER = 700


class Resolvers:
    """The configured resolvers, imported once for a refresh. A broken one is warned of once and done without."""

    def __init__(self) -> None:
        self._task_type = _Resolver("task_type_resolver", config.task_type_resolver())
        self._folder = _Resolver("folder_resolver", config.folder_resolver())

    def task_type(self, task: TaskDefinition) -> str:
        """Return the type of a task: what the site says, else its operator's name."""
        return (self._task_type(task.document) or task.operator)[:MAX_TASK_TYPE]

    def folder(self, bundle_name: str, relative_fileloc: str) -> str:
        """Return the folder of a Dag file: what the site says, else ``bundle/dir/sub``."""
        return (self._folder(bundle_name, relative_fileloc) or default_folder(bundle_name, relative_fileloc))[
            :MAX_FOLDER
        ]


def configured() -> str:
    """Name the configured resolvers, so that a change of configuration can be told."""
    return f"{config.task_type_resolver()} {config.folder_resolver()}"


def default_folder(bundle_name: str, relative_fileloc: str) -> str:
    """Return the directory of a file inside its bundle, led by the bundle's name."""
    directory = dirname(relative_fileloc).strip("/")
    return f"{bundle_name}/{directory}" if directory and directory != "." else bundle_name


class _Resolver:
    def __init__(self, option: str, path: str):
        self._option = option
        self._path = path
        self._function: Callable[..., Any] | None = None
        if path:
            try:
                self._function = import_function(path)
            except Exception as error:
                self._give_up(error)

    def __call__(self, *arguments: str | Mapping[str, Any]) -> str | None:
        """Return what the site's function says; None where there is none that works."""
        if self._function is None:
            return None
        try:
            named = self._function(*arguments)
            if not isinstance(named, str):
                raise TypeError(f"it returned {named!r}, not a string")
        except Exception as error:
            self._give_up(error)
            return None
        return named

    def _give_up(self, error: Exception) -> None:
        self._function = None
        log.warning(
            "[taskops] %s = %s does not work, the default is used: %s: %s",
            self._option,
            self._path,
            type(error).__name__,
            error,
        )
