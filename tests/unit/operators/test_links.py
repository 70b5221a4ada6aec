"""Links from task instances to the pages of TaskOps."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk import DAG

from taskops_provider.operators import links
from taskops_provider.operators.links import OperationLink, ReplenishmentLink
from taskops_provider.operators.replenishment import DataReplenishmentOperator
from taskops_provider.operators.tasks import PauseTasksOperator


@pytest.mark.parametrize(
    ("base", "address"),
    [
        ("", "/plugin/taskops/pluginsv2/taskops/replenishment?id=7"),
        ("https://air.example.com", "https://air.example.com/plugin/taskops/pluginsv2/taskops/replenishment?id=7"),
        (
            "https://air.example.com/one/",
            "https://air.example.com/one/plugin/taskops/one/pluginsv2/taskops/replenishment?id=7",
        ),
    ],
)
def test_a_replenishment_has_its_page(monkeypatch, base, address):
    monkeypatch.setattr(links, "conf", SimpleNamespace(get=lambda *_, **__: base))
    operator = SimpleNamespace(replenishment_id=7)
    assert ReplenishmentLink().get_link(operator, ti_key=None) == address


def test_an_operation_has_its_record_and_nothing_done_has_none(monkeypatch):
    monkeypatch.setattr(links, "conf", SimpleNamespace(get=lambda *_, **__: ""))
    assert OperationLink().get_link(SimpleNamespace(operation_id=3), ti_key=None).endswith("/operation?id=3")
    assert OperationLink().get_link(SimpleNamespace(operation_id=None), ti_key=None) == ""


def test_a_deferred_replenishment_that_failed_has_its_link():
    operator = DataReplenishmentOperator(task_id="fill", workflows=["d"], ranges=[("2026-01-01", "2026-01-02")])
    event = {"status": "error", "permanent": True, "message": "it failed", "replenishment": {"replenishment_id": 9}}
    with pytest.raises(Exception, match="it failed"):
        operator.execute_complete({}, event)
    assert operator.replenishment_id == 9


def test_dags_keep_the_links_when_they_are_serialized():
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    with DAG("linked", schedule=None) as dag:
        DataReplenishmentOperator(task_id="fill", workflows=["d"], ranges=[("2026-01-01", "2026-01-02")])
        PauseTasksOperator(task_id="pause", workflows=["d"])
    read = LazyDeserializedDAG.from_dag(dag)._real_dag
    assert {task.task_id: list(task.extra_links) for task in read.tasks} == {
        "fill": ["Replenishment"],
        "pause": ["Operation record"],
    }
