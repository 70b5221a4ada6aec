"""Code of tasks and triggers has no database: it imports nothing that wants one, and little at all."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import taskops_provider

ROOT = Path(taskops_provider.__file__).parent
FILES = sorted(path for name in ("hooks", "operators", "sensors", "triggers") for path in (ROOT / name).glob("*.py"))
#: import-linter sees ``airflow`` as one package, so it cannot tell these from the SDK
FORBIDDEN = ("airflow.models", "airflow.utils.session", "airflow.settings", "airflow.api_fastapi", "airflow.hooks")

ADDED = """
import sys
import airflow.sdk, airflow.sdk.bases.sensor, airflow.sdk.bases.hook, airflow.sdk.bases.operatorlink
import airflow.triggers.base, httpx, tenacity
before = set(sys.modules)
import taskops_provider.operators.tasks, taskops_provider.sensors.task_status, taskops_provider.triggers.task_status
import taskops_provider.operators.replenishment, taskops_provider.sensors.replenishment
import taskops_provider.triggers.replenishment
print(*sorted({name for name in set(sys.modules) - before if not name.startswith("taskops_provider")}))
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_imports_no_part_of_airflow_that_has_the_database(path: Path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    wrong = {name for name in found if name.startswith(FORBIDDEN)}
    assert not wrong


@pytest.mark.slow
def test_a_dag_file_loads_nothing_beyond_the_sdk():
    """Every parse of every Dag file that uses an operator pays for its imports."""
    done = subprocess.run([sys.executable, "-c", ADDED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
