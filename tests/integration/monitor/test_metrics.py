"""Metrics, as a StatsD server on the network receives them."""

from __future__ import annotations

import logging
import socket
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from airflow.observability import stats
from airflow.observability.metrics import stats_utils

from taskops_provider import metrics
from taskops_provider.domain.alarms.deliveries import DeliveryState
from taskops_provider.domain.metrics import GATED, METRICS, MetricKind
from taskops_provider.exceptions import TaskOpsError
from taskops_provider.monitor.loop import Monitor
from taskops_provider.monitor.steps import STEPS, Step
from taskops_provider.services.alarms import deliver
from taskops_provider.services.gauges import send_gauges
from taskops_provider.services.operations.undo import undo
from taskops_provider.services.shared.reporting import after_commit
from tests.support.cli import Cli
from tests.support.gates import gate
from tests.support.queries import counted_queries
from tests.support.replenishment_rows import create, progress
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, chain, install, operate

pytest.importorskip("statsd")


class Listener:
    """What came in by UDP: name -> (value, kind) in order."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self._all: dict[str, list[tuple[float, str]]] = defaultdict(list)

    @property
    def received(self) -> dict[str, list[tuple[float, str]]]:
        self.socket.settimeout(0.2)
        try:
            while True:
                for line in self.socket.recv(65536).decode().splitlines():
                    name, _, rest = line.partition(":")
                    value, _, kind = rest.partition("|")
                    self._all[name.removeprefix("airflow.")].append((float(value), kind.partition("|")[0]))
        except TimeoutError:
            return self._all

    def last(self, name: str) -> float:
        return self.received[name][-1][0]

    def total(self, name: str) -> float:
        return sum(value for value, _ in self.received[name])


@pytest.fixture
def statsd(monkeypatch) -> Iterator[Listener]:
    found = Listener()
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(found.port))
    metrics.start()
    yield found
    monkeypatch.undo()
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
    found.socket.close()


def test_gating_waiting_and_settling(session, statsd):
    install(session, [chain("d", "u", "g", "after")])
    operate(session, "pause", "d.g", downstream="skip")
    scheduler = Scheduler(session)
    scheduler.create_run("d")
    assert statsd.total("taskops.gated.skip") == 1
    moment = datetime.now(UTC)
    send_gauges(session, moment + timedelta(minutes=10))
    assert statsd.last("taskops.waiting.skip") == 1
    assert statsd.last("taskops.waiting.hold") == 0
    assert 599 < statsd.last("taskops.waiting_age.skip") < 630
    assert statsd.last("taskops.waiting_age.hold") == 0
    scheduler.schedule("d")
    scheduler.work()
    scheduler.schedule("d")
    assert "taskops.settled.skip" not in statsd.received
    monitor = Monitor(interval=1)
    monitor.run_once()
    monitor.close()
    assert statsd.total("taskops.settled.skip") == 1
    assert statsd.last("taskops.waiting.skip") == 0
    assert statsd.last("taskops.schedulers_without_gate") == 0


def test_a_round_and_its_steps(session, statsd):
    def fail(*_):
        raise RuntimeError("disk full")

    Monitor(1, [Step("index", 0, lambda *_: False), Step("drain", 0, fail)]).run_once()
    got = statsd.received
    assert [kind for _, kind in got["taskops.monitor.round"]] == ["ms"]
    assert set(got) == {
        "taskops.monitor.round",
        "taskops.monitor.step.index",
        "taskops.monitor.lag.index",
        "taskops.monitor.step.drain",
        "taskops.monitor.lag.drain",
        "taskops.monitor.failed.drain",
    }


def test_lag_is_what_a_step_is_late_by(session, statsd):
    monitor = Monitor(1, [Step("index", 0, lambda *_: False)])
    monitor.run_once()
    assert statsd.last("taskops.monitor.lag.index") == 0
    monitor._schedules[0].began -= 31  # a step before it took half a minute
    monitor.run_once()
    assert 29.9 < statsd.last("taskops.monitor.lag.index") < 60


def test_operations_by_outcome_and_duration(session, statsd, caplog):
    install(session, [chain("d", "a", "b")])
    with caplog.at_level(logging.INFO, "taskops_provider"):
        number = operate(session, "pause", "d.a", downstream="skip").operation_id
    assert f"TaskOps operation {number}: pause by alice" in caplog.text
    assert "applied 1, left alone 0, blocked 0; Dags d" in caplog.text
    operate(session, "pause", "d.a", "d.b")
    undo(session, ALICE, number)
    session.rollback()
    assert statsd.total("taskops.operations.success") == 1
    assert statsd.total("taskops.operations.part_success") == 1
    assert len(statsd.received["taskops.operation.pause"]) == 2
    assert "taskops.operation.undo" not in statsd.received, "it was rolled back"
    with pytest.raises(TaskOpsError):
        operate(session, "pause", "d.nothing")
    assert statsd.total("taskops.operations.refused") == 1
    for value, kind in statsd.received["taskops.operation.pause"]:
        assert kind == "ms"
        assert 0 < value < 60_000


def test_commands_send_them_too(session, statsd, capsys, monkeypatch):
    install(session, [chain("d", "a")])
    assert Cli(capsys, monkeypatch)("tasks", "pause", "d", "a", "--yes").code == 0
    assert statsd.total("taskops.operations.success") == 1


def test_cells_and_messages(session, statsd):
    install(session, [chain("sales", "sum")])
    number = create(session, "sales.sum", days=4)
    progress(session, number, "running", ["success", "failed"])
    send_gauges(session, datetime.now(UTC))
    cells = {state: statsd.last(f"taskops.replenishment.cells.{state}") for state in ("success", "failed", "cancelled")}
    assert cells == {"success": 1, "failed": 1, "cancelled": 0}
    assert statsd.last("taskops.replenishment.cells.waiting") >= 1
    assert statsd.last("taskops.messages_waiting") == 0
    assert "taskops.operation.replenish" in statsd.received


def test_messages_sent_and_refused(session, statsd, monkeypatch):
    write = {DeliveryState.SENT: "sent", DeliveryState.FAILED: "failed", DeliveryState.WAITING: "put_off"}
    delivery = deliver.Delivery(1, {"channel": "email"}, "a@example.com", {}, 1, datetime.now(UTC) + timedelta(hours=1))
    for state, name in write.items():
        monkeypatch.setattr(deliver, "_send", lambda _, state=state: deliver.DeliveryOutcome(state))
        deliver._deliver(delivery, "h", None)
        assert statsd.total(f"taskops.messages.{name}") == 1
    deliver._deliver(delivery, "h", datetime.now(UTC) + timedelta(hours=2))
    assert statsd.total("taskops.messages.failed") == 2, "it was tried for long enough"


def test_gauges_cost_a_constant_number_of_queries_and_none_where_metrics_are_off(session, statsd, monkeypatch):
    gate(session, "d", "g", "hold")
    with counted_queries() as sent:
        send_gauges(session, datetime.now(UTC))
    assert len(sent) == 4
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "False")
    with counted_queries() as sent:
        send_gauges(session, datetime.now(UTC))
    assert sent == []


def test_what_is_measured_does_not_break(session, monkeypatch, caplog):
    """Neither by a backend that fails, nor by a report that does."""
    monkeypatch.setattr(metrics, "_failed_before", False)
    monkeypatch.setattr(metrics, "_stats", lambda: None)
    with caplog.at_level(logging.WARNING):
        metrics.count(GATED, "skip")
        metrics.count(GATED, "skip")
        metrics.gauge(GATED, 1)
        metrics.start()
    assert caplog.text.count("cannot send metrics") == 1
    after_commit(session, lambda: 1 / 0)
    session.commit()
    assert "could not report what was done" in caplog.text


def test_a_savepoint_is_no_commit_and_a_rollback_forgets(session):
    done: list[str] = []
    after_commit(session, lambda: done.append("kept"))
    with session.begin_nested():
        pass
    assert done == []
    nested = session.begin_nested()
    nested.rollback()
    session.commit()
    assert done == ["kept"]
    session.connection()
    after_commit(session, lambda: done.append("lost"))
    session.rollback()
    session.commit()
    assert done == ["kept"]


def test_every_step_has_a_plain_name():
    for step in STEPS:
        assert step.name.isidentifier(), step.name


def test_names_are_good_for_every_backend():
    names = [metric.full_name(part) for metric in METRICS for part in (*metric.values, "instances-rerun", "x y")]
    assert all(len(name) < 60 and name.startswith("taskops.") for name in names)
    assert len({metric.family for metric in METRICS}) == len(METRICS)
    assert {metric.kind for metric in METRICS} == set(MetricKind)
