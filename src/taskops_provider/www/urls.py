"""The addresses of pages, static files and Airflow's own pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import cast
from urllib.parse import quote, urlencode

STATIC = Path(__file__).resolve().parent / "static"
#: where Airflow mounts AppBuilder views, and our pages below it
PAGES = "pluginsv2/taskops"
#: where Airflow's UI shows such a page in a frame (``url_route`` of the navigation entry)
FRAME = "plugin/taskops"

Query = Mapping[str, str | Sequence[str]]


@cache
def _built() -> Mapping[str, str]:
    """The files that the front end's build made: name -> name with a hash of its contents."""
    return cast("Mapping[str, str]", json.loads((STATIC / "dist" / "manifest.json").read_text())["files"])


@cache
def _file(name: str) -> str:
    """Return a static file's address below ``static/``: it changes with the contents, so browsers may keep the file."""
    if name in _built():
        return f"dist/{_built()[name]}"
    return f"{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Urls:
    """Addresses as the browser needs them.

    :param airflow: the path of Airflow, ``/`` or ``/prefix/``
    """

    airflow: str

    def page(self, name: str, query: Query | None = None) -> str:
        """A page of ours: ``workflows``, ``tasks``."""
        return f"{self.airflow}{PAGES}/{name}" + (f"?{urlencode(query, doseq=True)}" if query else "")

    def framed(self, name: str, query: Query | None = None) -> str:
        """The same page inside Airflow's UI, which puts a page's whole path behind its own: a prefix comes twice."""
        return f"{self.airflow}{FRAME}{self.page(name, query)}"

    def static(self, name: str) -> str:
        """A static file: ``taskops.js``, as built, or one that is as it is: ``icon-light.svg``."""
        return f"{self.airflow}{PAGES}/static/{_file(name)}"

    def dag(self, dag_id: str, tab: str = "") -> str:
        """Airflow's page of a Dag.

        :param tab: ``code``, say
        """
        return f"{self.airflow}dags/{quote(dag_id, safe='')}{f'/{tab}' if tab else ''}"

    def task(self, dag_id: str, task_id: str) -> str:
        """Airflow's page of a task."""
        return f"{self.dag(dag_id, 'tasks')}/{quote(task_id, safe='')}"

    def instance(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1, try_number: int = 0) -> str:
        """Airflow's page of a task instance, which shows its log.

        :param try_number: the try whose log is shown; 0 for the last one
        """
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        tried = f"?try_number={try_number}" if try_number else ""
        return f"{self.run(dag_id, run_id)}/tasks/{quote(task_id, safe='')}{mapped}{tried}"

    def pools(self) -> str:
        """Airflow's page of pools."""
        return f"{self.airflow}pools"

    def run(self, dag_id: str, run_id: str) -> str:
        """Airflow's page of a run."""
        return f"{self.dag(dag_id, 'runs')}/{quote(run_id, safe='')}"

    def export(self, export_id: int) -> str:
        """The file of a download, in the REST API."""
        return f"{self.airflow}taskops/v1/exports/{export_id}/content"
