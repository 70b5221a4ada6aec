"""The page and the board about metrics say what the code sends."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from scripts import metrics_docs

from taskops_provider.domain.metrics import METRICS
from taskops_provider.monitor.steps import STEPS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "metrics.md"
BOARD = ROOT / "docs" / "grafana" / "taskops.json"
SENT_AS = re.compile(r"airflow_taskops_[a-z0-9_]+")


def test_the_table_is_that_of_the_code():
    assert PAGE.read_text() == metrics_docs.page(PAGE.read_text()), "run python scripts/metrics_docs.py"
    assert all(f"`{metric.name}`" in PAGE.read_text() for metric in METRICS)


def test_the_board_is_that_of_the_code():
    assert BOARD.read_text() == metrics_docs.board_text(), "run python scripts/metrics_docs.py"


def families(expression: str) -> set[str]:
    """The metrics that an expression of the board reads."""
    names = {metrics_docs.in_prometheus(metric): metric.family for metric in METRICS}
    found = SENT_AS.findall(expression)
    assert found, expression
    return {
        max((stem for stem in names if name.startswith(stem.rstrip("_"))), key=len, default=f"unknown: {name}")
        for name in found
    }


def test_the_board_reads_each_metric_and_no_other():
    board = json.loads(BOARD.read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    read = set().union(*map(families, expressions))
    assert read == {metrics_docs.in_prometheus(metric) for metric in METRICS}
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(target["legendFormat"] for panel in board["panels"] for target in panel["targets"])
    for step in STEPS:
        assert any(f"airflow_taskops_monitor_lag_{step.name})" in expression for expression in expressions)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(taskops\.[a-z_.*]+)`", PAGE.read_text()))))
def test_a_metric_that_the_text_names_is_sent(name):
    known = {metric.full_name(value) for metric in METRICS for value in (*metric.values, *(s.name for s in STEPS))}
    known |= {f"{metric.family}.*" for metric in METRICS}
    assert name in known
