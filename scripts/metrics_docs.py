"""Write what follows from the list of metrics: the table in docs/metrics.md and the Grafana board.

Run ``python scripts/metrics_docs.py`` after a change of ``taskops_provider.domain.metrics``; a test tells when.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from taskops_provider.domain import metrics
from taskops_provider.domain.metrics import METRICS, Metric
from taskops_provider.monitor.steps import STEPS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "metrics.md"
BOARD = ROOT / "docs" / "grafana" / "taskops.json"
BEGIN, END = "<!-- table: scripts/metrics_docs.py -->\n", "<!-- end of table -->\n"

_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS = 2
_WIDTH, _HEIGHT = 12, 8


def table() -> str:
    """Return the rows of all metrics, as Markdown."""
    rows = ["| name | kind | unit | meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        values = ", ".join(f"`{value}`" for value in metric.values)
        meaning = f"{metric.meaning} ({values})" if values else metric.meaning
        rows.append(f"| `{metric.name}` | {metric.kind} | {metric.unit} | {meaning} |")
    return "\n".join(rows) + "\n"


def page(text: str) -> str:
    """Return the page with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


def in_prometheus(metric: Metric, part: str = "") -> str:
    """Return the name that a metric has behind Prometheus' StatsD exporter."""
    return f"airflow.{metric.full_name(part)}".replace(".", "_")


def board() -> dict[str, Any]:
    """Return the Grafana board, for metrics that come by Prometheus' StatsD exporter."""
    steps = [step.name for step in STEPS]
    panels = [
        _panel("Instances that wait in the gate", "short", _each(metrics.WAITING)),
        _panel("Age of the oldest waiting instance", "s", _each(metrics.OLDEST_WAITING)),
        _panel("Gated instances per second", "short", _rates(metrics.GATED)),
        _panel("Settled instances per second", "short", _rates(metrics.SETTLED)),
        _panel("Schedulers without the gate (must be 0)", "short", _each(metrics.UNCOVERED)),
        _panel("Instances of runs that were created without the gate (must be 0)", "short", _rates(metrics.ESCAPED)),
        _panel("Round of the monitor, slowest of a hundred", "s", _quantiles(metrics.ROUNDS)),
        _panel(
            "Rounds of the monitor per second",
            "short",
            [(f"rate({in_prometheus(metrics.ROUNDS)}_count[5m])", "rounds")],
        ),
        _panel("Lag of the monitor's steps", "s", _each(metrics.LAG, steps)),
        _panel("Duration of the monitor's steps, slowest of a hundred", "s", _quantiles(metrics.STEP, steps)),
        _panel("Failures of the monitor's steps per second", "short", _rates(metrics.STEP_FAILED, steps)),
        _panel("Operations per second", "short", _rates(metrics.OPERATIONS)),
        _panel(
            "Duration of operations, slowest of a hundred",
            "s",
            [(f'{{__name__=~"{in_prometheus(metrics.OPERATION)}.+", quantile="0.99"}}', "{{__name__}}")],
        ),
        _panel("Cells of replenishments under way", "short", _each(metrics.CELLS)),
        _panel("Messages per second", "short", _rates(metrics.MESSAGES)),
        _panel("Messages that wait", "short", _each(metrics.MESSAGES_WAITING)),
    ]
    for number, panel in enumerate(panels):
        row, column = divmod(number, _COLUMNS)
        panel |= {"id": number + 1, "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}}
    return {
        "title": "TaskOps",
        "uid": "taskops",
        "tags": ["airflow", "taskops"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"}]
        },
        "panels": panels,
    }


def _panel(title: str, unit: str, queries: Iterable[tuple[str, str]]) -> dict[str, Any]:
    targets = [
        {"refId": _letters(number), "datasource": _DATASOURCE, "expr": expression, "legendFormat": legend}
        for number, (expression, legend) in enumerate(queries)
    ]
    return {
        "type": "timeseries",
        "title": title,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def _letters(number: int) -> str:
    return chr(ord("A") + number)


def _each(metric: Metric, values: Sequence[str] = ()) -> list[tuple[str, str]]:
    # any server and any exporter instance may have sent it last
    return [(f"max({in_prometheus(metric, value)})", value or "now") for value in (values or metric.values or ("",))]


def _rates(metric: Metric, values: Sequence[str] = ()) -> list[tuple[str, str]]:
    return [(f"sum(rate({in_prometheus(metric, value)}[5m]))", value) for value in (values or metric.values)]


def _quantiles(metric: Metric, values: Sequence[str] = ("",)) -> list[tuple[str, str]]:
    return [(f'max({in_prometheus(metric, value)}{{quantile="0.99"}})', value or "round") for value in values]


def board_text() -> str:
    """Return the board as the file has it."""
    return json.dumps(board(), indent=2) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    BOARD.parent.mkdir(exist_ok=True)
    BOARD.write_text(board_text())
