"""Orders for instances in random histories: what is held never starts, and everything ends once nobody holds it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from airflow.models.taskinstance import TaskInstance as TI
from airflow.models.taskinstance import clear_task_instances
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from sqlalchemy import select, update

from taskops_provider.adapter.instance_operations import Ref
from taskops_provider.adapter.instance_orders import held_by_order
from taskops_provider.domain.instances import InstanceVerb, RunVerb
from taskops_provider.exceptions import TaskOpsError
from taskops_provider.inputs.operation import ReasonAndTicket
from taskops_provider.models import InstanceOrder
from taskops_provider.services.gate import instance_orders
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.index.refresh import refresh
from taskops_provider.services.operations.on_instances import InstanceRequest, Reach, apply_on_instances
from taskops_provider.services.operations.on_runs import RunRequest, apply_on_runs
from taskops_provider.services.shared.actor import Actor, UnrestrictedPermissions
from tests.support.airflow_db import write_dags
from tests.support.gates import settle, task
from tests.support.scheduling import Scheduler

ANN = Actor("ann", "api", UnrestrictedPermissions())
TASKS = ("a", "b", "e", "c", "side")
RUNS = ("run_1", "run_2")


class History:
    """One random history; ``log`` says what happened."""

    def __init__(self, session, seed: int):
        self.session, self.random, self.log = session, Random(seed), []
        with DAG("d", schedule=None) as dag:
            first = task("a", retries=2, retry_delay=timedelta(0))
            first >> task("b", retries=1, retry_delay=timedelta(0)) >> EmptyOperator(task_id="e") >> task("c")
            first >> task("side", trigger_rule="all_done")
        write_dags([dag], session)
        gate_settle.ensure_pools(session)
        refresh(session, datetime.now(UTC))
        session.commit()
        self.scheduler = Scheduler(session)
        for run_id in RUNS:
            self.scheduler.create_run("d", run_id)
        #: (task, run) of what was forced: it may start though it is held
        self.forced: set[tuple[str, str]] = set()

    def play(self, events: int) -> None:
        acts = (self.look, self.look, self.work, self.fail, self.monitor, self.clear, self.instance, self.run)
        for _ in range(events):
            act = self.random.choice(acts)
            act()
            self.session.commit()
            self.session.expire_all()
            self.check()

    def check(self) -> None:
        """Nothing that is held has a try that began after it was held."""
        query = select(TI.task_id, TI.run_id, TI.state).where(
            TI.state == "queued", TI.next_method.is_(None), held_by_order()
        )
        started = [row for row in self.session.execute(query) if (row.task_id, row.run_id) not in self.forced]
        assert not started, (started, self.log)

    def look(self) -> None:
        run_id = self.random.choice(RUNS)
        self.scheduler.start_queued("d", run_id)
        before = self.states(run_id)
        held = self.held(run_id)
        self.scheduler.schedule("d", run_id)
        self.session.expire_all()
        after = self.states(run_id)
        for task_id in held:
            # an empty task succeeds in the look itself
            ran = after[task_id] == "success" and before[task_id] != "success"
            assert not ran or (task_id, run_id) in self.forced, (task_id, run_id, self.log)
        self.log.append(("look", run_id, after))

    def states(self, run_id: str) -> dict[str, str | None]:
        return self.scheduler.states("d", run_id)

    def held(self, run_id: str) -> set[str]:
        return set(self.session.scalars(select(TI.task_id).where(TI.run_id == run_id, held_by_order())))

    def work(self) -> None:
        self.scheduler.work()
        # what has started is under the force no more
        self.session.execute(update(TI).where(TI.state.in_(("success", "failed"))).values(retry_reason=None))
        self.log.append(("work",))

    def fail(self) -> None:
        """A worker takes something and fails, as the execution API records it."""
        ti = self.session.scalars(select(TI).where(TI.state == "queued").order_by(TI.id)).first()
        if ti is None or ti.try_number > ti.max_tries:
            return
        key = (TI.task_id == ti.task_id, TI.run_id == ti.run_id)
        ti.end_date = datetime.now(UTC)
        ti.prepare_db_for_next_try(self.session)
        self.session.flush()
        values = {"state": "up_for_retry", "retry_delay_override": None, "retry_reason": None}
        self.session.execute(update(TI).where(*key).values(**values).execution_options(synchronize_session=False))
        self.log.append(("fail", ti.task_id, ti.run_id))

    def monitor(self) -> None:
        now = datetime.now(UTC)
        instance_orders.tend_orders(self.session, now)
        for run in instance_orders.runs_out_of_line(self.session, now):
            instance_orders.repair_run(self.session, run, now)
        gate_settle.repair_waiting(self.session, now)
        settle(self.session)
        self.log.append(("monitor",))

    def clear(self) -> None:
        run_id, chosen = self.random.choice(RUNS), self.random.sample(TASKS, self.random.randint(1, 3))
        tis = list(self.session.scalars(select(TI).where(TI.run_id == run_id, TI.task_id.in_(chosen))))
        clear_task_instances(tis, self.session)
        self.log.append(("clear", run_id, chosen))

    def instance(self) -> None:
        verb = self.random.choice(("hold", "hold", "release", "force", "rerun"))
        task_id, run_id = self.random.choice(TASKS), self.random.choice(RUNS)
        reach = Reach.WORKFLOW if verb == "rerun" else Reach.NONE
        asked = InstanceRequest("d", task_id, InstanceVerb(verb), [Ref(run_id)], ReasonAndTicket(), reach)
        plan = apply_on_instances(self.session, ANN, asked)
        if verb == "force" and plan.plan.applied():
            self.forced.add((task_id, run_id))
        self.log.append((verb, task_id, run_id, plan.outcome().value))

    def run(self) -> None:
        verb, run_id = self.random.choice(("hold", "release")), self.random.choice(RUNS)
        plan = apply_on_runs(self.session, ANN, RunRequest("d", RunVerb(verb), [run_id], ReasonAndTicket()))
        self.log.append((f"{verb} run", run_id, plan.outcome().value))

    def end(self) -> None:
        for run_id in RUNS:
            apply_on_runs(self.session, ANN, RunRequest("d", RunVerb.RELEASE, [run_id], ReasonAndTicket()))
            self.session.commit()
            for task_id in TASKS:
                asked = InstanceRequest("d", task_id, InstanceVerb.RELEASE, [Ref(run_id)], ReasonAndTicket())
                apply_on_instances(self.session, ANN, asked)
                self.session.commit()
        for run_id in RUNS:
            self.scheduler.start_queued("d", run_id)
            self.scheduler.settle = lambda session: self.monitor()
            state = self.scheduler.run_to_end("d", run_id)
            assert state in ("success", "failed"), (state, self.states(run_id), self.log)
        left = self.session.scalars(select(InstanceOrder).where(InstanceOrder.kind == "hold")).all()
        assert left == []


@pytest.mark.parametrize("seed", range(8))
def test_what_is_held_never_starts_and_all_ends_once_it_is_released(session, seed):
    history = History(session, seed)
    try:
        history.play(60)
        history.end()
    except TaskOpsError as error:  # pragma: no cover
        raise AssertionError(history.log) from error
