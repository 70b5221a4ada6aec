"""What Airflow's plugin manager loads: declarations only.

The scheduler, the dag-processor and the triggerer load it too, so the web parts are resolved when the API
server reads them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from taskops_provider.airflow_versions import log_unavailable

log = logging.getLogger(__name__)

#: below Airflow's own path, without a leading slash: survives a prefix in ``[api] base_url``
PAGES = "pluginsv2/taskops"


class _Lazy:
    """A class attribute whose value is made when it is first read.

    Airflow's API server reads it while it starts, and would not start if it raised: it is empty then, and the log says
    why.
    """

    def __init__(self, what: str, make: Callable[[], list[Any]]):
        self._what = what
        self._make = make
        self._made: list[Any] | None = None

    def __get__(self, instance: Any, owner: type) -> list[Any]:
        if self._made is None:
            try:
                self._made = self._make()
            except Exception as error:
                log_unavailable(log, self._what, error)
                self._made = []
        return self._made


def _has_web() -> bool:
    """Whether the FAB provider, which serves AppBuilder views, is there. Looks only; importing costs a second."""
    return all(find_spec(package) for package in ("flask_appbuilder", "airflow.providers.fab"))


def _flask_blueprints() -> list[Any]:
    if not _has_web():
        return []
    from taskops_provider.www.blueprint import make_blueprint

    return [make_blueprint()]


def _appbuilder_views() -> list[Any]:
    if not _has_web():
        return []
    from taskops_provider.www.views import ALL_VIEWS

    # without a name: with one, Airflow's UI adds an entry "Legacy FAB Views"
    return [{"view": view} for view in ALL_VIEWS]


def _fastapi_apps() -> list[Any]:
    from taskops_provider.api.app import create_app

    return [{"app": create_app(), "url_prefix": "/taskops", "name": "TaskOps"}]


def _listeners() -> list[Any]:
    from taskops_provider import listener

    return [listener]


def _external_views() -> list[Any]:
    if not _has_web():
        return []
    icons = {
        "icon": f"{PAGES}/static/icon-light.svg",
        "icon_dark_mode": f"{PAGES}/static/icon-dark.svg",
    }
    return [
        {
            "name": "TaskOps",
            "href": f"{PAGES}/workflows",
            "destination": "nav",
            "url_route": "taskops",
            "nav_top_level": True,
            **icons,
        },
        {
            "name": "TaskOps",
            "href": f"{PAGES}/tasks?tab=dag&dag_id={{DAG_ID}}",
            "destination": "dag",
            "url_route": "taskops-tasks",
            **icons,
        },
        {
            "name": "TaskOps",
            # on the page of a group {TASK_ID} stays as it is, and the page says so
            "href": f"{PAGES}/task?embedded=1&dag_id={{DAG_ID}}&task_id={{TASK_ID}}",
            "destination": "task",
            "url_route": "taskops-task",
            **icons,
        },
    ]


class TaskOpsPlugin(AirflowPlugin):
    """The plugin: web views, the API with the monitor in its lifespan, navigation entries."""

    name = "taskops"
    flask_blueprints = _Lazy("the web view", _flask_blueprints)
    appbuilder_views = _Lazy("the web view", _appbuilder_views)
    fastapi_apps = _Lazy("the REST API, with the monitor in the API server,", _fastapi_apps)
    external_views = _Lazy("the entry in the navigation", _external_views)
    listeners = _Lazy("the listener for metrics", _listeners)


class TaskOpsProviderPlugin(AirflowPlugin):
    """What Airflow loads for the ``plugins`` of the provider, which it does if it discovers providers at start.

    It declares nothing: Airflow loads :class:`TaskOpsPlugin` always, through the entry point, and would report it as
    loaded twice.
    """

    name = "taskops_provider"
