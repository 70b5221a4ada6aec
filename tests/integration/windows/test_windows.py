"""Windows: made, laid ahead, asked for, on Airflow's own scheduler logic where runs are concerned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from airflow.sdk import DAG
from sqlalchemy import func, select, update

from taskops_provider.adapter.instance_operations import Ref
from taskops_provider.adapter.next_cycles import next_cycles
from taskops_provider.domain.instances import InstanceVerb, Reach, RunVerb
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.exceptions import BadInput, Conflict, Forbidden, ResourceNotFound
from taskops_provider.inputs.operation import ReasonAndTicket
from taskops_provider.inputs.windows.holding import HoldAll, ReleaseAll, SkipNext
from taskops_provider.inputs.windows.window import WindowCreate
from taskops_provider.models import GateInterval, Operation, Task, Window, Workflow
from taskops_provider.services.catalog.filters import TaskFilter
from taskops_provider.services.catalog.tasks import list_tasks
from taskops_provider.services.gate import settle as gate_settle
from taskops_provider.services.index.deleted import forget_dags
from taskops_provider.services.operations.on_instances import InstanceRequest, apply_on_instances
from taskops_provider.services.operations.on_runs import RunRequest, apply_on_runs
from taskops_provider.services.operations.plan import preview_operation
from taskops_provider.services.operations.records import RecordFilter, list_operations
from taskops_provider.services.operations.undo import preview_undo
from taskops_provider.services.replenishments import execute as replenishment_execute
from taskops_provider.services.replenishments.create import create_replenishment, show_replenishment
from taskops_provider.services.retention import delete_old_records
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.large_work import large_work
from taskops_provider.services.why.task import why
from taskops_provider.services.windows import calendar as calendars
from taskops_provider.services.windows import calendar_file, changes, laying
from taskops_provider.services.windows import skip_next as skipping
from taskops_provider.services.windows.calendar import calendar
from taskops_provider.services.windows.hold_all import hold_all, release_all
from taskops_provider.services.windows.listing import WindowFilter, list_windows, show_window
from taskops_provider.services.windows.preview import preview_kept, preview_window
from taskops_provider.services.windows.skip_next import skip_next
from tests.support.airflow_db import write_dags
from tests.support.gates import settle
from tests.support.queries import counted_queries
from tests.support.replenishing import asked
from tests.support.scheduling import Scheduler
from tests.support.warehouse import ALICE, Limited, bash, chain, install, operate, outcomes, request, retail, stored
from tests.support.windowing import NIGHTS, body, change, lay_all, make, once, sweep

NOW = datetime(2026, 10, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def bob(*readable: str, edits: tuple[str, ...] = ()) -> Actor:
    return Actor("bob", "api", Limited(readable, edits))


def laid(session, window_id):
    query = select(GateInterval.dag_id, GateInterval.task_id, GateInterval.from_at, GateInterval.to_at)
    query = query.where(GateInterval.window_id == window_id).order_by(GateInterval.from_at, GateInterval.dag_id)
    return [tuple(row) for row in session.execute(query)]


class TestLaying:
    def test_two_weeks_ahead_over_a_change_of_clocks(self, session):
        """Berlin's clocks go back on 25 October 2026."""
        install(session, retail())
        made = make(session, NOW, "orders.clean")
        rows = laid(session, made.window_id)
        assert rows[:3] == [
            ("orders", "clean", utc(2026, 10, 23, 20), utc(2026, 10, 24, 4)),
            ("orders", "clean", utc(2026, 10, 24, 20), utc(2026, 10, 25, 5)),
            ("orders", "clean", utc(2026, 10, 25, 21), utc(2026, 10, 26, 5)),
        ]
        assert len(rows) == 14
        assert (made.next_begin, made.next_end, made.open_until) == (rows[0][2], rows[0][3], None)
        assert lay_all(session, NOW + DAY) == []
        assert lay_all(session, NOW + 8 * DAY) == [made.window_id]
        assert len(laid(session, made.window_id)) == 22
        assert lay_all(session, NOW + 8 * DAY) == []

    def test_the_next_one_is_laid_however_far_it_is(self, session):
        install(session, retail())
        times = {"rrule": "FREQ=YEARLY", "starts": "2025-06-01T00:00", "duration": "1d"}
        made = make(session, NOW, "orders", times=times)
        assert laid(session, made.window_id) == [("orders", "", utc(2027, 6, 1), utc(2027, 6, 2))]

    def test_a_change_lays_anew_and_what_is_open_ends(self, session):
        install(session, retail())
        inside = utc(2026, 10, 23, 22)
        made = make(session, NOW, "orders")
        change(session, inside, made.window_id, downstream="hold")
        rows = laid(session, made.window_id)
        assert rows[:3] == [
            ("orders", "", utc(2026, 10, 23, 20), inside),
            ("orders", "", inside, utc(2026, 10, 24, 4)),
            ("orders", "", utc(2026, 10, 24, 20), utc(2026, 10, 25, 5)),
        ]
        change(session, inside + HOUR, made.window_id, enabled=False)
        assert [row[3] for row in laid(session, made.window_id)] == [inside, inside + HOUR]
        change(session, inside + 2 * HOUR, made.window_id, enabled=True)
        changes.delete_window(session, ALICE, made.window_id, inside + 3 * HOUR)
        session.commit()
        assert max(row[3] for row in laid(session, made.window_id)) == inside + 3 * HOUR
        with pytest.raises(ResourceNotFound):
            show_window(session, ALICE, made.window_id, NOW)

    def test_dags_that_come_and_go(self, session):
        install(session, retail())
        project = session.scalar(select(Workflow.project).limit(1))
        made = make(session, NOW, scope={"projects": [project]}, times=once(NOW + HOUR, NOW + 2 * HOUR))
        assert [row[0] for row in laid(session, made.window_id)] == ["mart", "orders", "report", "sales"]
        install(session, [*retail(), chain("late", "a")])
        session.execute(update(Workflow).where(Workflow.dag_id == "mart").values(is_present=False))
        session.commit()
        assert lay_all(session, NOW) == [made.window_id]
        assert [row[0] for row in laid(session, made.window_id)] == ["late", "orders", "report", "sales"]

    def test_tags_and_folders(self, session):
        with DAG("tagged", schedule=None, tags=["finance"]) as dag:
            bash("a")
        install(session, [*retail(), dag])
        made = make(session, NOW, scope={"tags": ["finance"]})
        assert {row[0] for row in laid(session, made.window_id)} == {"tagged"}
        folder = session.scalar(select(Workflow.folder).where(Workflow.dag_id == "tagged"))
        of_folder = make(session, NOW, scope={"folders": [f"{folder}/"]})
        assert {row[0] for row in laid(session, of_folder.window_id)} == {"mart", "orders", "report", "sales", "tagged"}

    def test_a_dag_that_was_deleted_is_in_no_window_any_more(self, session):
        """Another Dag of its name would be."""
        install(session, retail())
        both = make(session, NOW, "orders.clean", "sales")
        alone = make(session, NOW, "orders")
        forget_dags(session, ["orders"], NOW)
        session.commit()
        assert show_window(session, ALICE, both.window_id, NOW).scope["tasks"] == []
        assert show_window(session, ALICE, both.window_id, NOW).scope["workflows"] == ["sales"]
        with pytest.raises(ResourceNotFound):
            show_window(session, ALICE, alone.window_id, NOW)
        lay_all(session, NOW)
        assert {row[0] for row in laid(session, both.window_id)} == {"sales"}

    def test_a_window_on_many_tasks_lays_fewer_times_ahead(self, session, monkeypatch):
        """One on a thousand tasks laid 100,000 rows, and a file of 200 such windows 20 million, while others waited."""
        install(session, [chain("d", *"abcdef")])
        monkeypatch.setattr(laying, "MOST_ROWS", 24)
        tasks = [f"d.{name}" for name in "abcdef"]
        made = make(session, NOW, *tasks)
        assert len(laid(session, made.window_id)) == 24
        assert len({row[2] for row in laid(session, made.window_id)}) == 4
        # laid in time, wherever it stands: the next one is always there
        moment = NOW
        for _ in range(40):
            moment += HOUR * 5
            lay_all(session, moment)
            assert {row[1] for row in laid(session, made.window_id) if row[2] > moment} == set("abcdef")
        monkeypatch.setattr(laying, "MOST_ROWS", 1)
        few = make(session, NOW, *tasks)
        assert len({row[2] for row in laid(session, few.window_id)}) == 2
        monkeypatch.setattr(changes, "MOST_NAMED", 11)
        with pytest.raises(BadInput, match="12 tasks and workflows are named altogether; at most 11 are at once"):
            changes.create_windows(session, ALICE, [WindowCreate.read(body(*tasks))] * 2, NOW)

    def test_everything_is_one_row_each(self, session):
        install(session, retail())
        made = make(session, NOW, scope={"everything": True})
        assert {row[:2] for row in laid(session, made.window_id)} == {("", "")}
        assert len(laid(session, made.window_id)) == 14

    def test_the_monitor_asks_few_questions(self, session):
        install(session, retail())
        project = session.scalar(select(Workflow.project).limit(1))
        for number in range(5):
            make(session, NOW, name=str(number), scope={"projects": [project], "tags": ["x"]})
        with counted_queries() as statements:
            assert lay_all(session, NOW) == []
        assert len([one for one in statements if one.startswith("SELECT")]) == 3


class TestRights:
    def test_named_dags_need_edit_and_open_scopes_every_dag(self, session):
        install(session, retail())
        limited = bob("orders", "sales", edits=("orders",))
        made = make(session, NOW, "orders", actor=limited)
        for names, error in (
            (("sales",), Forbidden),
            (("mart",), ResourceNotFound),
            (("orders", "mart"), ResourceNotFound),
            (("orders.nothing",), ResourceNotFound),
        ):
            with pytest.raises(error):
                make(session, NOW, *names, actor=limited)
        for scope in ({"projects": ["x"]}, {"folders": ["x"]}, {"tags": ["x"]}, {"everything": True}):
            with pytest.raises(Forbidden):
                make(session, NOW, scope=scope, actor=limited)
        change(session, NOW, made.window_id, limited, reason="why")
        with pytest.raises(ResourceNotFound):
            change(session, NOW, made.window_id, bob("sales"), reason="why")
        with pytest.raises(Forbidden):
            change(session, NOW, made.window_id, bob("orders"), reason="why")
        with pytest.raises(Forbidden):
            change(session, NOW, made.window_id, limited, scope={"everything": True})

    def test_nothing_is_told_of_dags_that_may_not_be_read(self, session):
        install(session, retail())
        made = make(session, NOW, "orders.clean", "mart")
        project = session.scalar(select(Workflow.project).limit(1))
        of_project = make(session, NOW, name="all", scope={"projects": [project], "tags": ["none"]})
        everywhere = make(session, NOW, name="every", scope={"everything": True})
        limited = bob("orders", edits=("orders",))
        shown = show_window(session, limited, made.window_id, NOW)
        assert shown.scope["tasks"] == [{"dag_id": "orders", "task_id": "clean"}]
        assert shown.scope["workflows"] == []
        assert show_window(session, limited, of_project.window_id, NOW).scope["tags"] == []
        assert list_windows(session, bob("nothing"), WindowFilter(), NOW, limit=50).total_entries == 1
        assert show_window(session, bob("nothing"), everywhere.window_id, NOW).name == "every"
        with pytest.raises(Forbidden, match="covers Dags that you may not change"):
            change(session, NOW, made.window_id, limited, reason="why")
        assert preview_kept(session, limited, of_project.window_id, NOW).workflows == 1
        records = list_operations(session, bob("nothing"), RecordFilter(), limit=50).rows
        assert [one.verb for one in records] == []
        records = list_operations(session, limited, RecordFilter(), limit=50).rows
        assert [one.verb for one in records] == ["window-create"] * 3

    def test_whether_a_window_covers_a_dag_is_not_told_who_may_not_read_it(self, session):
        """``dag_id`` named a Dag that the window covers: who sees the window for another one could ask for each."""
        install(session, retail())
        project = session.scalar(select(Workflow.project).limit(1))
        make(session, NOW, "orders.clean", "mart")
        make(session, NOW, "orders", "sales")
        make(session, NOW, scope={"projects": [project]})
        for hidden in ("mart", "sales", "nothing"):
            where = WindowFilter(dag_id=hidden)
            assert list_windows(session, bob("orders"), where, NOW, limit=9).total_entries == 0
        assert list_windows(session, bob("orders"), WindowFilter(dag_id="orders"), NOW, limit=9).total_entries == 3
        assert list_windows(session, ALICE, WindowFilter(dag_id="mart"), NOW, limit=9).total_entries == 2

    def test_one_person_does_not_fill_the_table(self, session, monkeypatch):
        install(session, retail())
        monkeypatch.setattr(changes, "MAX_OF_ONE", 2)
        limited = bob("orders", edits=("orders",))
        make(session, NOW, "orders", actor=limited)
        (made,) = skip_next(session, limited, SkipNext(workflows=["orders"]), NOW)
        session.commit()
        with pytest.raises(Conflict, match="2 of your windows are kept; at most 2 are: delete some"):
            make(session, NOW, "orders", actor=limited)
        with pytest.raises(Conflict, match="at most 2 are"):
            skip_next(session, limited, SkipNext(workflows=["orders"]), NOW)
        session.rollback()
        for _ in range(3):  # nobody else is kept from theirs, and who may edit every Dag keeps them in order
            make(session, NOW, "orders")
        changes.delete_window(session, limited, made.window_id, NOW)
        session.commit()
        make(session, NOW, "orders", actor=limited)

    def test_a_full_table_does_not_keep_anybody_from_holding_everything(self, session, monkeypatch):
        install(session, retail())
        make(session, NOW, "orders")
        monkeypatch.setattr(changes, "MAX_WINDOWS", 1)
        with pytest.raises(Conflict, match="at most 1 windows"):
            make(session, NOW, "orders")
        assert hold_all(session, ALICE, HoldAll(), NOW).workflows

    def test_a_list_takes_few_queries(self, session):
        install(session, retail())
        project = session.scalar(select(Workflow.project).limit(1))
        for number in range(6):
            make(session, NOW, name=str(number), scope={"projects": [project], "tags": ["none"]})
        with counted_queries() as statements:
            page = list_windows(session, bob("orders"), WindowFilter(dag_id="orders"), NOW, limit=2)
        assert (page.total_entries, len(page.rows)) == (6, 2)
        assert len(statements) <= 3

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"times": {}}, "a window needs times"),
            ({"times": {"cron": "0 22 * * *"}}, "one of duration and until"),
            ({"times": {"rrule": "FREQ=DAILY", "duration": "1h"}}, "needs starts"),
            ({"times": {**NIGHTS, "zone": "Berlin"}}, "zone is 'Berlin'"),
            ({"times": once(NOW - HOUR, NOW)}, "has passed"),
            ({"times": {"cron": "*/15 * * * *", "duration": "1h"}}, "overlap"),
            ({"times": {**NIGHTS, "exceptions": ["soon"]}}, "exceptions"),
            ({"kinds": []}, "kinds has no entries"),
            ({"kinds": ["freeze"], "downstream": "hold"}, "downstream goes with the kind pause"),
            ({"scope": {}}, "scope of the window is empty"),
            ({"scope": {"projects": ["nowhere"]}}, "project 'nowhere' does not exist"),
            ({"downstream": "melt"}, "downstream is 'melt'"),
        ],
    )
    def test_what_cannot_be_is_told_in_a_line(self, session, given, told):
        install(session, retail())
        with pytest.raises(BadInput, match=told) as caught:
            make(session, NOW, "orders", **given)
        assert "\n" not in str(caught.value)
        assert session.scalar(select(func.count()).select_from(Window)) == 0


class TestFreeze:
    def frozen(self, session, **more):
        install(session, retail())
        return make(session, NOW, "orders.clean", kinds="freeze", times=once(NOW, NOW + HOUR), reason="audit", **more)

    def test_operations_are_refused_while_it_lasts(self, session):
        self.frozen(session)
        plan = operate(session, "pause", "orders.clean", "orders.load", now=NOW + HOUR / 2)
        assert outcomes(plan) == {"orders.clean": "blocked", "orders.load": "applied"}
        assert plan.items[0].reason == "frozen by window night until 2026-10-23 13:00:00 UTC: audit"
        assert operate(session, "pause", "orders.clean", now=NOW + HOUR).counts().applied == 1

    def test_who_may_overrides_it_with_a_reason(self, session):
        self.frozen(session)
        limited = bob("orders", edits=("orders",))
        with pytest.raises(Forbidden, match="overriding a freeze"):
            operate(session, "pause", "orders.clean", actor=limited, now=NOW, override_freeze=True, reason="fire")
        with pytest.raises(BadInput, match="needs a reason"):
            operate(session, "pause", "orders.clean", now=NOW, override_freeze=True)
        plan = operate(session, "pause", "orders.clean", now=NOW, override_freeze=True, reason="fire")
        assert plan.counts().applied == 1
        record = session.get(Operation, plan.operation_id)
        assert (record.options["override_freeze"], record.reason) == (True, "fire")

    @pytest.mark.parametrize("verb", list(InstanceVerb))
    def test_operations_on_instances_are_refused_and_overridden(self, session, verb):
        scheduler = self.with_run(session, "d.b")
        if verb is InstanceVerb.RERUN:
            scheduler.run_to_end("d")
        request = InstanceRequest("d", "b", verb, [Ref("run_1")], ReasonAndTicket(reason="fire"))
        if verb is InstanceVerb.RELEASE:
            hold = InstanceRequest("d", "b", InstanceVerb.HOLD, [Ref("run_1")], ReasonAndTicket(reason="x"), Reach.NONE)
            assert apply_on_instances(session, ALICE, replace(hold, override_freeze=True)).plan.counts().applied == 1
            session.commit()
        before = scheduler.states("d")
        plan = apply_on_instances(session, ALICE, request).plan
        session.commit()
        assert [(item.outcome, item.reason.partition(" until")[0]) for item in plan.items] == [
            (Outcome.BLOCKED, "frozen by window night")
        ]
        assert scheduler.states("d") == before
        limited = bob("d", edits=("d",))
        with pytest.raises(Forbidden, match="overriding a freeze"):
            apply_on_instances(session, limited, replace(request, override_freeze=True))
        with pytest.raises(BadInput, match="needs a reason"):
            apply_on_instances(session, ALICE, replace(request, override_freeze=True, explanation=ReasonAndTicket()))
        plan = apply_on_instances(session, ALICE, replace(request, override_freeze=True)).plan
        session.commit()
        assert plan.counts().applied == 1
        assert session.get(Operation, plan.operation_id).options["override_freeze"] is True

    def with_run(self, session, *frozen):
        install(session, [chain("d", "a", "b", "c", schedule=None)])
        gate_settle.ensure_pools(session)
        session.commit()
        scheduler = Scheduler(session, settle=settle)
        scheduler.create_run("d")
        now = datetime.now(UTC)
        make(session, now, *frozen, kinds="freeze", times=once(now - HOUR, now + HOUR))
        return scheduler

    def test_a_rerun_leaves_out_what_is_frozen_below(self, session):
        scheduler = self.with_run(session, "d.b")
        scheduler.run_to_end("d")
        request = InstanceRequest(
            "d", "a", InstanceVerb.RERUN, [Ref("run_1")], ReasonAndTicket(reason="x"), Reach.WORKFLOW
        )
        plan = apply_on_instances(session, ALICE, request).plan
        session.commit()
        assert {item.task_id: item.outcome for item in plan.items} == {
            "a": Outcome.APPLIED, "b": Outcome.BLOCKED, "c": Outcome.APPLIED
        }  # fmt: skip
        session.expire_all()
        assert scheduler.states("d") == {"a": None, "b": "success", "c": None}
        plan = apply_on_instances(session, ALICE, replace(request, task_id="b")).plan
        assert [(item.task_id, item.outcome) for item in plan.items] == [("b", Outcome.BLOCKED)]

    def test_operations_on_runs_and_their_undo_are_refused(self, session):
        scheduler = self.with_run(session, "d.b")
        request = RunRequest("d", RunVerb.HOLD, ["run_1"], ReasonAndTicket(reason="fire"))
        assert apply_on_runs(session, ALICE, request).plan.items[0].outcome is Outcome.BLOCKED
        session.commit()
        assert scheduler.states("d")["a"] is None
        held = apply_on_runs(session, ALICE, replace(request, override_freeze=True)).plan
        session.commit()
        assert held.counts().applied == 1
        release = replace(request, verb=RunVerb.RELEASE)
        assert apply_on_runs(session, ALICE, release).plan.items[0].outcome is Outcome.BLOCKED
        assert preview_undo(session, ALICE, held.operation_id).items[0].outcome is Outcome.BLOCKED

    def test_nobody_plans_around_it(self, session):
        self.frozen(session)
        limited = bob("orders", edits=("orders",))
        for names in (("orders",), ("orders.clean",)):
            with pytest.raises(Conflict, match="frozen by window night"):
                make(session, NOW, *names, actor=limited)
        with pytest.raises(Conflict, match="frozen by window night"):
            skip_next(session, limited, SkipNext(workflows=["orders"]), NOW)
        make(session, NOW, "orders.load", actor=limited)

    def test_it_is_not_lifted_by_changing_the_window(self, session):
        install(session, retail())
        limited = bob("orders", edits=("orders",))
        times = once(NOW, NOW + HOUR)
        made = make(session, NOW - DAY, "orders", kinds="freeze", times=times, actor=limited)
        with pytest.raises(Forbidden, match="freezes"):
            changes.delete_window(session, limited, made.window_id, NOW)
        changes.delete_window(session, limited, made.window_id, NOW - HOUR)

    def test_what_was_asked_for_before_happens(self, session):
        self.frozen(session)
        with time_machine.travel(NOW - DAY, tick=False):
            operate(session, "pause", "orders.clean", now=NOW - DAY, resume_at=NOW)
        from tests.support.gates import resume_due_tasks

        with time_machine.travel(NOW + HOUR / 2, tick=False):
            assert resume_due_tasks(session, NOW + HOUR / 2)
        assert stored(session, "orders")["clean"] == "scheduling"

    def test_replenishments_of_it_are_refused(self, session):
        dag = chain("d", "a")
        install(session, [dag])
        make(session, NOW, "d", kinds="freeze", times=once(NOW, NOW + HOUR))
        with pytest.raises(Conflict, match="frozen by window night"):
            create_replenishment(session, ALICE, asked("d"), NOW)


class TestNoReplenish:
    def test_nothing_starts_in_it(self, session):
        install(session, [chain("d", "a")])
        now = datetime.now(UTC)
        made = make(session, now, "d.a", kinds="no_replenish", times=once(now - HOUR, now + HOUR))
        number = create_replenishment(session, ALICE, asked("d"), now).replenishment_id
        session.commit()
        replenishment_execute.advance_replenishments(session, now)
        shown = show_replenishment(session, ALICE, number, now)
        assert shown.state == "queued"
        assert "d is in window night until" in (shown.problem or "")
        changes.delete_window(session, ALICE, made.window_id, now)
        session.commit()
        replenishment_execute.advance_replenishments(session, now)
        assert show_replenishment(session, ALICE, number, now).state == "running"


class TestWhatIsTold:
    def test_why_lists_and_the_preview_of_a_start(self, session):
        install(session, retail())
        make(session, NOW, "orders", reason="audit", downstream="hold", times=once(NOW, NOW + HOUR))
        inside = NOW + HOUR / 2
        lines = [reason for reason in why(session, ALICE, "orders", "clean", inside).reasons if reason.code == "window"]
        assert [(one.text, one.until) for one in lines] == [
            ("Paused by window night: audit; in runs made in it it waits until the window ends.", NOW + HOUR)
        ]
        page = list_tasks(session, ALICE, TaskFilter(dag_ids=("orders", "sales")), inside, limit=50)
        assert {row.window for row in page.rows} == {"night until 2026-10-23 13:00:00 UTC", None}
        page = list_tasks(session, ALICE, TaskFilter(dag_ids=("orders",)), NOW + HOUR, limit=50)
        assert {row.window for row in page.rows} == {None}
        operate(session, "pause", "orders.clean", now=NOW)
        answer = preview_operation(session, ALICE, request("start", "orders.clean"), inside).answer()
        assert [(one.name, one.tasks, one.until) for one in answer.windows] == [("night", 1, "2026-10-23 13:00:00 UTC")]

    def test_a_preview_names_the_cycles_that_it_stops(self, session):
        install(session, [chain("hourly", "a", "b", schedule="@hourly"), chain("manual", "a", schedule=None)])
        asked_for = WindowCreate.read(body("hourly", "manual"))
        shown = preview_window(session, ALICE, asked_for, NOW, occurrences=2)
        assert session.scalar(select(func.count()).select_from(Window)) == 0
        assert [len(one.cycles) for one in shown.occurrences] == [8, 9]  # the night in which the clocks go back
        first = shown.occurrences[0]
        assert first.cycles[0].run_after == first.begin
        assert first.cycles[-1].run_after == first.end - HOUR
        assert (shown.workflows, shown.tasks) == (2, 3)
        assert "manual" in shown.without_cycles

    def test_the_calendar(self, session):
        install(session, retail())
        make(session, NOW, "orders")
        operate(session, "pause", "sales.sum", now=NOW, resume_at=NOW + DAY)
        found = calendar(session, ALICE, NOW, NOW + 2 * DAY)
        assert [(one.what, one.begin) for one in found] == [
            ("window", utc(2026, 10, 23, 20)),
            ("resume", NOW + DAY),
            ("window", utc(2026, 10, 24, 20)),
        ]
        assert [one.what for one in calendar(session, bob("orders"), NOW, NOW + 2 * DAY)] == ["window"] * 2
        with pytest.raises(BadInput):
            calendar(session, ALICE, NOW, NOW + 100 * DAY)

    def test_a_preview_of_years_to_come_takes_a_turn(self, session):
        """A custom timetable is asked for each run until then, in a request of who may read the workflow."""
        install(session, retail())
        far = make(session, NOW, "orders", times=once(utc(2100, 1, 1), utc(2100, 1, 2)))
        near = make(session, NOW, "orders")
        with large_work("another plan", "bob") as slot:
            slot.take()
            with pytest.raises(Conflict, match="another large request of yours"):
                preview_kept(session, bob("orders"), far.window_id, NOW)
            assert preview_kept(session, bob("orders"), near.window_id, NOW).occurrences
        assert preview_kept(session, bob("orders"), far.window_id, NOW).occurrences

    def test_a_calendar_of_many_windows_takes_a_turn(self, session, monkeypatch):
        """A thousand windows took half a minute of the API server for anybody who looked."""
        install(session, retail())
        make(session, NOW, "orders.clean")
        monkeypatch.setattr(calendars, "MANY", 0)
        monkeypatch.setattr(calendar_file, "_MANY", 0)
        with large_work("another plan", "bob") as slot:
            slot.take()
            for asked_for in (
                lambda: calendar(session, bob("orders"), NOW, NOW + DAY),
                lambda: calendar_file.export_windows(session, bob("orders"), NOW),
            ):
                with pytest.raises(Conflict, match="another large request of yours"):
                    asked_for()
        assert calendar(session, bob("orders"), NOW, NOW + DAY)


class TestSkipNext:
    def test_the_next_cycles_of_a_task(self, session):
        install(session, [chain("d", "a", "b")])
        (made,) = skip_next(session, ALICE, SkipNext(tasks=[{"dag_id": "d", "task_id": "b"}], cycles=2), NOW)
        session.commit()
        scheduler = Scheduler(session, settle=settle)
        gate_settle.ensure_pools(session)
        session.commit()
        row = session.scalars(select(GateInterval)).one()
        assert (row.by_cycle, row.to_at - row.from_at) == (True, DAY + timedelta(seconds=1))
        run_id = scheduler.create_as("scheduled", "d")
        scheduler.run_to_end("d", run_id)
        assert scheduler.states("d", run_id) == {"a": "success", "b": "skipped"}
        manual = scheduler.create_as("manual", "d")
        scheduler.run_to_end("d", manual)
        assert scheduler.states("d", manual) == {"a": "success", "b": "success"}
        assert made.purpose == "skip_next"
        assert lay_all(session, datetime.now(UTC)) == []
        reasons = [one.text for one in why(session, ALICE, "d", "b", row.from_at).reasons if one.code == "window"]
        assert reasons == ["Left out: next 2 cycles of d; in runs that are due until then it is skipped."]
        with pytest.raises(Conflict):
            change(session, NOW, made.window_id, reason="x")

    def test_it_is_taken_back_for_cycles_that_are_due_as_well(self, session):
        install(session, [chain("d", "a", "b")])
        (made,) = skip_next(session, ALICE, SkipNext(workflows=["d"]), NOW)
        session.commit()
        changes.delete_window(session, ALICE, made.window_id, datetime.now(UTC))
        session.commit()
        assert session.scalars(select(GateInterval)).all() == []

    def test_many_cycles_keep_nobody_waiting(self, session, monkeypatch):
        """100,000 of them were counted while everybody's operations waited."""
        install(session, [chain("d", "a"), chain("e", "a")])
        monkeypatch.setattr(skipping, "MOST_CYCLES", 3)
        with pytest.raises(BadInput, match="4 cycles would be left out; at most 3 are at once"):
            skip_next(session, ALICE, SkipNext(workflows=["d", "e"], cycles=2), NOW)
        monkeypatch.setattr(skipping, "_LARGE", 1)
        with large_work("another plan", ALICE.name) as slot:
            slot.take()
            with pytest.raises(Conflict, match="another large request of yours"):
                skip_next(session, ALICE, SkipNext(workflows=["d"], cycles=2), NOW)
        waiting = []
        monkeypatch.setattr(skipping, "take_writer_lock", lambda *_: waiting.append(True))

        def counted(*given):
            assert not waiting
            return next_cycles(*given)

        monkeypatch.setattr(skipping, "next_cycles", counted)
        assert len(skip_next(session, ALICE, SkipNext(workflows=["d", "e"]), NOW)) == 2
        assert waiting

    def test_what_has_no_cycles_is_refused(self, session):
        install(session, [chain("manual", "a", schedule=None)])
        with pytest.raises(BadInput, match="has no next cycle"):
            skip_next(session, ALICE, SkipNext(workflows=["manual"]), NOW)
        with pytest.raises(BadInput, match="nothing is selected"):
            skip_next(session, ALICE, SkipNext(), NOW)


class TestHoldAll:
    def test_nothing_runs_until_it_is_released_in_waves(self, session):
        names = ["a", "b", "c"]
        install(session, [chain(name, f"{name}1", f"{name}2", schedule=None) for name in names])
        gate_settle.ensure_pools(session)
        session.commit()
        scheduler = Scheduler(session, settle=settle)
        for name in names:
            scheduler.create_run(name, "old")
        scheduler.schedule("a", "old")  # its first task is queued
        now = datetime.now(UTC)
        held = hold_all(session, ALICE, HoldAll(reason="outage"), now)
        session.commit()
        assert (held.workflows, held.instances) == (3, 6)
        write_dags([chain("late", "late1", schedule=None)], session)
        for name in [*names, "late"]:
            scheduler.create_run(name, "new")
        for name in names:
            scheduler.run_to_end(name, "old")
        for name in [*names, "late"]:
            scheduler.run_to_end(name, "new")
        sweep(session, datetime.now(UTC))
        assert scheduler.executed == []
        with pytest.raises(Conflict):
            hold_all(session, ALICE, HoldAll(), now)
        released = release_all(session, ALICE, ReleaseAll(wave=1, every_minutes=10), datetime.now(UTC))
        session.commit()
        assert released.workflows == 3
        for waves in (1, 2, 3):
            sweep(session, datetime.now(UTC) + timedelta(minutes=10 * (waves - 1), seconds=1))
            for name in [*names, "late"]:
                for run_id in ("old", "new") if name != "late" else ("new",):
                    scheduler.run_to_end(name, run_id)
            assert {task_id[0] for _, task_id, _ in scheduler.executed if task_id != "late1"} == set(names[:waves])
        assert {scheduler.run_state(name, "old") for name in names} == {"success"}
        with pytest.raises(ResourceNotFound):
            release_all(session, ALICE, ReleaseAll(), datetime.now(UTC))

    @pytest.mark.parametrize("first", ["person", "window"])
    def test_what_a_person_holds_too_runs_when_both_let_it_go(self, session, first):
        install(session, [chain("a", "a1", schedule=None)])
        gate_settle.ensure_pools(session)
        session.commit()
        scheduler = Scheduler(session, settle=settle)
        scheduler.create_run("a", "old")
        asked_for = RunRequest("a", RunVerb.HOLD, ["old"], ReasonAndTicket(reason="x"))
        apply_on_runs(session, ALICE, asked_for)
        session.commit()
        hold_all(session, ALICE, HoldAll(), datetime.now(UTC))
        session.commit()

        def person():
            apply_on_runs(session, ALICE, replace(asked_for, verb=RunVerb.RELEASE))

        def window():
            release_all(session, ALICE, ReleaseAll(), datetime.now(UTC))

        steps = [person, window] if first == "person" else [window, person]
        for step, ran in zip(steps, ([], ["a1"]), strict=True):
            step()
            session.commit()
            session.expire_all()
            sweep(session, datetime.now(UTC) + timedelta(seconds=1))
            scheduler.run_to_end("a", "old")
            assert scheduler.executed_tasks("old") == ran

    def test_what_is_released_at_once_is_not_taken_for_escaped(self, session):
        install(session, [chain("a", "a1", schedule=None)])
        gate_settle.ensure_pools(session)
        session.commit()
        scheduler = Scheduler(session, settle=settle)
        hold_all(session, ALICE, HoldAll(), datetime.now(UTC))
        session.commit()
        scheduler.create_run("a", "new")
        scheduler.run_to_end("a", "new")
        release_all(session, ALICE, ReleaseAll(), datetime.now(UTC))
        session.commit()
        for _ in range(3):
            sweep(session, datetime.now(UTC))
        scheduler.run_to_end("a", "new")
        assert scheduler.states("a", "new") == {"a1": "success"}

    def test_a_project_and_rights(self, session):
        install(session, retail())
        project = session.scalar(select(Workflow.project).limit(1))
        with pytest.raises(Forbidden):
            hold_all(session, bob("orders", edits=("orders",)), HoldAll(), NOW)
        with pytest.raises(BadInput):
            hold_all(session, ALICE, HoldAll(project="nowhere"), NOW)
        held = hold_all(session, ALICE, HoldAll(project=project), NOW)
        session.commit()
        assert {row[0] for row in laid(session, held.window_ids[0])} == {"mart", "orders", "report", "sales"}
        release_all(session, ALICE, ReleaseAll(project=project), NOW + HOUR)
        session.commit()
        assert {row[3] for row in laid(session, held.window_ids[0])} == {NOW + HOUR}
        assert session.scalar(select(func.count()).select_from(Task)) > 0


def test_what_is_over_is_kept_no_longer_than_records(session):
    install(session, retail())
    make(session, NOW, "orders", times=once(NOW, NOW + HOUR))
    nightly = make(session, NOW, "orders.clean")
    gone = make(session, NOW, "orders.load")
    changes.delete_window(session, ALICE, gone.window_id, NOW)
    session.commit()
    delete_old_records(session, NOW + 50 * DAY)
    session.commit()
    assert session.scalars(select(GateInterval.window_id)).all() == []
    assert session.scalars(select(Window.id).order_by(Window.id)).all() == [nightly.window_id, gone.window_id]
    delete_old_records(session, NOW + 9999 * DAY)
    session.commit()
    assert session.scalars(select(Window.id)).all() == [nightly.window_id]
