"""One browser and one Airflow for all tests in a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from xdist.scheduler import LoadScopeScheduling

from tests.support import rows
from tests.support.airflow_db import empty_tables, new_session, write_dags
from tests.support.browser import WAIT_MS, Person, chromium
from tests.support.live import FAB, LiveAirflow
from tests.support.warehouse import chain

#: a real Dag among the rows: Airflow's own page of a Dag needs one
DAG_ID = "customer_dim"


class ByAirflow(LoadScopeScheduling):
    """Gives each worker of ``--dist loadscope`` tests that share an Airflow: a file, under each auth manager.

    What is in a browser under SimpleAuthManager goes together, of all files: few tests, for which that server starts
    once. Marks of xdist's own (``xdist_group``) do nothing with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        is_simple = "simple" in test.partition("[")[2].rstrip("]").split("-")
        return "a browser-simple" if is_simple and "/test_www_" in file else f"{file}-{is_simple}"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Hand out tests by the Airflow that they need."""
    return ByAirflow(config, log) if config.getvalue("dist") == "loadscope" else None


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium."""
    expect.set_options(timeout=WAIT_MS)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session", params=[FAB], ids=["fab"])
def server(request: pytest.FixtureRequest, browser: Any) -> Iterator[LiveAirflow]:
    """A web server on this process's database, with FabAuthManager or another (see ``browser.both``)."""
    database = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    with LiveAirflow(Path(os.environ["AIRFLOW_HOME"]), request.param, database=database) as airflow:
        airflow.make_users()
        airflow.serve()
        yield airflow


@pytest.fixture(scope="module")
def filled() -> Iterator[None]:
    """The rows of ``rows.ordinary``, for a module; one that needs others has a fixture of its own."""
    with new_session() as session:
        rows.write(rows.ordinary(), session)
        write_dags([chain(DAG_ID, "step_00", "step_01", "step_02")], session)
    yield
    empty_tables()


@pytest.fixture(scope="session")
def in_airflow() -> bool:
    """Whether pages are opened inside Airflow's UI; a module that is not about the two together overrides it."""
    return True


@pytest.fixture
def person(browser: Any, server: LiveAirflow, filled: None, in_airflow: bool) -> Iterator[Person]:
    """Somebody at the browser; our scripts must not have complained by the end."""
    somebody = Person(browser, server, in_airflow=in_airflow)
    yield somebody
    somebody.context.close()
    assert somebody.errors == []
