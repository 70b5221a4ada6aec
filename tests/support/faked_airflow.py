"""An Airflow of another version, which lacks names that TaskOps uses, for processes that a test starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: TaskOps alone misses the names: Airflow itself would not start without them
_PRELUDE = """
import builtins, os, sys
os.environ["_AIRFLOW__AS_LIBRARY"] = "1"  # not yet set up: that loads our policy
import airflow
del os.environ["_AIRFLOW__AS_LIBRARY"]
airflow.__version__ = {version!r}
missing = {missing!r}
real = builtins.__import__

def without(name, globals=None, locals=None, fromlist=(), level=0):
    who = (globals or {{}}).get("__name__", "")
    if who.startswith({only!r}):
        for module, lost in missing:
            if name == module and (lost is None or lost in (fromlist or ())):
                if lost is None:
                    raise ModuleNotFoundError(f"No module named {{module!r}}")
                raise ImportError(f"cannot import name {{lost!r}} from {{module!r}}")
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = without
from airflow import settings
settings.initialize()
"""


def run_with_faked(
    code: str,
    *missing: tuple[str, str | None],
    version: str = "3.9.0",
    only: str = "taskops_provider",
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run Python code where TaskOps finds an Airflow of another version.

    :param missing: modules, each with a name in it that is missing; None: the module itself is
    :param only: the modules that miss the names
    """
    prelude = _PRELUDE.format(version=version, missing=missing, only=only)
    return subprocess.run(
        [sys.executable, "-c", prelude + code],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )


def airflow_command(*words: str) -> str:
    """Return code that runs an ``airflow`` command."""
    return f"""
sys.argv = ["airflow", *{list(words)!r}]
from airflow.__main__ import main
main()
"""
