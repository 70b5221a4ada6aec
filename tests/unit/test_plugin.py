"""The plugin's declarations: cheap to load everywhere, complete where they are read."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest

from taskops_provider import plugin
from taskops_provider.plugin import TaskOpsPlugin

#: what the scheduler, the dag-processor and the triggerer do with plugins
_LOAD = """
import json, sys
from airflow import plugins_manager
from airflow.listeners.listener import get_listener_manager
before = set(sys.modules)
plugins_manager.ensure_plugins_loaded()
plugins_manager.integrate_listener_plugins(get_listener_manager())
plugins_manager.integrate_macros_plugins()
plugins_manager.get_timetables_plugins()
plugins_manager.get_priority_weight_strategy_plugins()
plugins_manager.get_global_operator_extra_links()
loaded = [plugin.name for plugin in plugins_manager._get_plugins()[0]]
print(json.dumps({"plugins": loaded, "new": sorted(set(sys.modules) - before)}))
"""


def test_loading_plugins_imports_no_web_framework() -> None:
    done = subprocess.run([sys.executable, "-c", _LOAD], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert "taskops" in found["plugins"]
    heavy = {"flask", "flask_appbuilder", "fastapi", "starlette", "uvicorn", "jinja2", "werkzeug"}
    assert not [name for name in found["new"] if name.split(".")[0] in heavy]
    assert not [name for name in found["new"] if name.startswith(("airflow.providers.fab", "airflow.api_fastapi"))]
    ours = [name for name in found["new"] if name.startswith("taskops_provider")]
    light = ("taskops_provider.plugin", "taskops_provider.polic", "taskops_provider.listener")
    assert not [name for name in ours if not name.startswith(light)]


@pytest.mark.parametrize("name", ["flask_blueprints", "appbuilder_views", "fastapi_apps", "external_views"])
def test_declarations_resolve_on_the_class_and_on_the_instance_and_stay_the_same(name: str) -> None:
    made = getattr(TaskOpsPlugin, name)
    assert isinstance(made, list)
    assert made
    assert getattr(TaskOpsPlugin, name) is made
    assert getattr(TaskOpsPlugin(), name) is made


def test_without_the_fab_provider_there_are_no_views(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec

    def without_fab(name: str, *args: Any) -> Any:
        return None if name == "airflow.providers.fab" else real(name, *args)

    monkeypatch.setattr(plugin, "find_spec", without_fab)
    assert plugin._flask_blueprints() == plugin._appbuilder_views() == plugin._external_views() == []
    assert [app["url_prefix"] for app in plugin._fastapi_apps()] == ["/taskops"]


def test_external_views_are_what_airflows_schema_wants() -> None:
    from airflow.api_fastapi.core_api.datamodels.plugins import ExternalViewResponse

    views = [ExternalViewResponse(**view) for view in TaskOpsPlugin.external_views]
    assert {view.destination for view in views} == {"nav", "dag", "task"}
    routes = [view.url_route for view in views]
    assert len(routes) == len(set(routes))
    # without a leading slash they survive a prefix in [api] base_url
    assert not [view.href for view in views if view.href.startswith("/")]


def test_the_provider_lists_what_airflow_reads_of_providers() -> None:
    from airflow.providers_manager import ProvidersManager

    from taskops_provider.get_provider_info import get_provider_info

    info = get_provider_info()
    ours = ProvidersManager()
    assert set(info["extra-links"]) <= set(ours.extra_links_class_names)
    assert set(info["notifications"]) <= set(ours.notification)
    assert set(info["db-managers"]) <= set(ours.db_managers)
    assert {"taskops_provider"} <= {one.name for one in ours.plugins}
    modules = {one.trigger_class_name for one in ours.trigger if one.package_name == info["package-name"]}
    assert modules
    assert ours.providers[info["package-name"]].data["versions"]
    for part in ("operators", "sensors", "triggers", "hooks"):
        for module in info[part][0]["python-modules"]:
            assert importlib.util.find_spec(module), module
