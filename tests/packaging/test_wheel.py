"""What is in the wheel, and what loading the package costs Airflow's processes."""

from __future__ import annotations

import os
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest


def test_every_file_of_the_package_is_in_the_wheel(tree: Path, wheel: ZipFile) -> None:
    package = tree / "src" / "taskops_provider"
    files = [path for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {path.relative_to(tree / "src").as_posix() for path in files}
    assert {"taskops_provider/www/static/dist/manifest.json", "taskops_provider/plugin.py"} < expected
    assert any(name.endswith("alembic.ini") for name in expected)
    assert expected <= set(wheel.namelist())


def test_it_says_what_airflow_looks_for(wheel: ZipFile) -> None:
    [entry_points] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    text = wheel.read(entry_points).decode()
    for group in ("[apache_airflow_provider]", "[airflow.plugins]", "[airflow.policy]"):
        assert group in text
    [metadata] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    message = Parser().parsestr(wheel.read(metadata).decode())
    assert message["Name"] == "airflow-provider-taskops"
    assert "apache-airflow<3.5,>=3.3" in (message.get_all("Requires-Dist") or [])


def test_the_provider_info_fits_airflows_schema():
    import json

    import airflow
    import jsonschema

    from taskops_provider.get_provider_info import get_provider_info

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "loads",
    [
        "import taskops_provider.policies",
        "from taskops_provider.policies import gate",
        "import taskops_provider.plugin",
        "from taskops_provider.get_provider_info import get_provider_info; get_provider_info()",
        "from airflow import plugins_manager; plugins_manager.ensure_plugins_loaded()",
    ],
)
def test_scheduler_and_workers_import_neither_flask_nor_fastapi(loads):
    """Measured against Airflow alone: what our package adds is not among the heavy ones."""
    code = (
        "import sys, airflow.settings, airflow.models.dagrun\n"
        "before = set(sys.modules)\n"
        f"{loads}\n"
        "heavy = {'flask', 'fastapi', 'flask_appbuilder', 'starlette'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    assert run_python(code) == "[]"


def test_the_gate_is_loaded_in_every_process():
    code = (
        "from airflow import settings\n"
        "hook = settings.get_policy_plugin_manager().hook.task_instance_mutation_hook\n"
        "names = [impl.plugin_name for impl in hook.get_hookimpls()]\n"
        "print(settings.task_instance_mutation_hook.is_noop, 'taskops' in names)"
    )
    assert run_python(code) == "False True"
