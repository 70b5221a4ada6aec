"""One replenishment: what was asked for, how far it is, its cells (requirements 6, 8; D5)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from taskops_provider.domain.answers import copy_as
from taskops_provider.domain.progress import CellState, ReplenishmentState
from taskops_provider.services.replenishments.cells import CellRow, list_cells
from taskops_provider.services.replenishments.control import rights_to_control
from taskops_provider.services.replenishments.create import show_replenishment
from taskops_provider.services.replenishments.progress import ReplenishmentDetails, WorkflowProgress
from taskops_provider.services.replenishments.recorded import RecordedInputs
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.replenishments import cell_marks, progress_bar
from taskops_provider.www.presenters.replenishments.actions import actions, badge
from taskops_provider.www.presenters.replenishments.listing import NextLook
from taskops_provider.www.presenters.replenishments.page_contents import (
    PAGE,
    FailedCell,
    FailedCells,
    InputLines,
    LiveParts,
    ProgressFigures,
    RecordLink,
    ReplenishmentLook,
    ReplenishmentPage,
    WorkflowLine,
)
from taskops_provider.www.presenters.replenishments.progress_grid import GridPart, digest, progress_grid
from taskops_provider.www.presenters.text import Time

#: failed cells that are listed one by one
FAILED_SHOWN = 50
#: tasks and ranges that are named; the others are counted
NAMED = 20
#: seconds between two looks: at one that goes on, at one that is paused or very large
_SOON, _LATER = 2, 10
_LARGE = 20_000


def replenishment_page(asked: PageRequest) -> ReplenishmentPage:
    """Return the page.

    :raises BadInput: for a number that is none
    :raises ResourceNotFound: when there is no such replenishment, or the actor may read none of its Dags
    """
    details, part = _read(asked)
    live = _live_parts(asked, details, part)
    number = live.number
    return copy_as(
        ReplenishmentPage,
        live,
        poll=_poll(asked, details, part, live.digests()),
        title=f"Replenishment {number}: {details.name}",
        name=details.name,
        actor=details.actor,
        created=text.time(details.created_at),
        record=RecordLink(str(details.operation_id), asked.urls.page("operation", {"id": str(details.operation_id)})),
        inputs=_inputs(asked, details.inputs),
        refresh_url=asked.urls.page(PAGE, part.query() if asked.one("cycles") else {"id": number}),
    )


def replenishment_progress(asked: PageRequest) -> ReplenishmentLook:
    """Return what is not as the page has it (``seen``)."""
    details, part = _read(asked)
    live = _live_parts(asked, details, part)
    digests = live.digests()
    seen = asked.one("seen").split(".")
    changed = {name for (name, now), was in zip(digests, [*seen, *[""] * len(digests)], strict=False) if now != was}
    return copy_as(ReplenishmentLook, live, poll=_poll(asked, details, part, digests), changed=changed)


def _read(asked: PageRequest) -> tuple[ReplenishmentDetails, GridPart]:
    number = asked.number("id")
    details = show_replenishment(asked.session, asked.actor, number, asked.now)
    return details, GridPart.of(asked, number)


def _live_parts(asked: PageRequest, details: ReplenishmentDetails, part: GridPart) -> LiveParts:
    number = details.replenishment_id
    rights = rights_to_control(asked.session, asked.actor, [number])[number]
    return LiveParts(
        number=str(number),
        progress=_figures(details),
        workflows=[_workflow(asked, one) for one in details.workflows],
        actions=actions(details, rights, asked.urls),
        announced=_announced(details),
        failed=_failed(asked, details),
        grid=progress_grid(asked, part),
        all_url=asked.urls.page(PAGE, part.query(failed=False, cycles=1, tasks=1)),
        failed_url=asked.urls.page(PAGE, part.query(failed=True, cycles=1, tasks=1)),
    )


def _announced(details: ReplenishmentDetails) -> str:
    state = badge(details).text
    if not any(details.counts.by_state.values()):
        return state
    return f"{state}, {int(details.percent_complete // 10 * 10)} % complete"


def _poll(
    asked: PageRequest, details: ReplenishmentDetails, part: GridPart, digests: Sequence[tuple[str, str]]
) -> NextLook | None:
    """Where the page looks again; None when nothing will change any more."""
    if details.ended_at:
        return None
    is_slow = details.state == ReplenishmentState.PAUSED or sum(details.counts.by_state.values()) > _LARGE
    query = part.query() | {"seen": ".".join(value for _, value in digests)}
    return NextLook(asked.urls.page("replenishment/progress", query), _LATER if is_slow else _SOON)


def _figures(details: ReplenishmentDetails) -> ProgressFigures:
    by_state, by_class = details.counts.by_state, details.counts.by_class
    return ProgressFigures(
        badge=badge(details),
        bar=progress_bar.bar(details, by_state),
        cells=progress_bar.cell_numbers(details).all,
        eta=text.time(details.eta),
        started=text.time(details.started_at),
        ended=text.time(details.ended_at),
        problem=details.problem,
        states=[(mark, f"{by_state.get(key, 0):,}") for key, mark in cell_marks.STATES.items()],
        classes=[(mark.label, f"{by_class[key]:,}") for key, mark in cell_marks.CLASSES.items() if by_class.get(key)],
    )


def _workflow(asked: PageRequest, one: WorkflowProgress) -> WorkflowLine:
    return WorkflowLine(
        dag_id=text.name(one.dag_id),
        url=asked.urls.page("workflow", {"dag_id": one.dag_id}),
        key=f"w{digest(one.dag_id)}",
        bar=progress_bar.bar(one, one.by_state),
        words=progress_bar.count_words(one.by_state),
        cells=f"{sum(one.by_state.values()):,}",
    )


def _failed(asked: PageRequest, details: ReplenishmentDetails) -> FailedCells:
    if not details.counts.by_state.get(CellState.FAILED, 0):
        return FailedCells()
    failed = [CellState.FAILED.value]
    found = list_cells(asked.session, asked.actor, details.replenishment_id, states=failed, limit=FAILED_SHOWN)
    left = found.total_entries - len(found.rows)
    return FailedCells(
        total=found.total_entries,
        rows=[_failed_cell(asked, row) for row in found.rows],
        more=f"and {left:,} more" if left else "",
    )


def _failed_cell(asked: PageRequest, row: CellRow) -> FailedCell:
    return FailedCell(
        key=f"f{digest([row.dag_id, row.task_id, row.logical_date])}",
        dag_id=row.dag_id,
        task_id=row.task_id,
        task_url=asked.urls.page("task", {"dag_id": row.dag_id, "task_id": row.task_id}),
        date=text.time(row.logical_date),
        was=cell_marks.CLASSES[row.was].label,
        log_url=asked.urls.instance(row.dag_id, row.run_id, row.task_id) if row.run_id else "",
    )


#: what cells wait for, where it is not the usual
WAITS = {"none": "nothing in other workflows", "inside": "", "all": "everything upstream, in other workflows too"}
#: by which version existing runs execute, where it was chosen
VERSIONS = {None: "", True: "the newest", False: "that of the run"}


def _end(moment: datetime) -> Time | str | None:
    """An end of a range; one without a zone is what the clocks of each workflow's zone show."""
    return text.time(moment) if moment.tzinfo else f"{moment:%Y-%m-%d %H:%M:%S}"


def _inputs(asked: PageRequest, inputs: RecordedInputs) -> InputLines:
    targets = [(dag_id, asked.urls.page("workflow", {"dag_id": dag_id})) for dag_id in inputs.workflows]
    targets += [
        (f"{one.dag_id}.{one.task_id}", asked.urls.page("task", {"dag_id": one.dag_id, "task_id": one.task_id}))
        for one in inputs.tasks
    ]
    steps = [
        f"{depth:,} {way}" for depth, way in ((inputs.upstream, "upstream"), (inputs.downstream, "downstream")) if depth
    ]
    ranges = [(_end(one.first), _end(one.last)) for one in inputs.ranges]
    is_local = any(one.first.tzinfo is None or one.last.tzinfo is None for one in inputs.ranges)
    excluded = [f"{one.dag_id}.{one.task_id}" for one in inputs.exclude]
    more = f" and {len(excluded) - NAMED:,} more" if len(excluded) > NAMED else ""
    return InputLines(
        targets=targets[:NAMED],
        more_targets=max(len(targets) - NAMED, 0),
        steps=" and ".join(steps),
        ranges=ranges[:NAMED],
        more_ranges=max(len(ranges) - NAMED, 0),
        cells=", ".join(inputs.cells),
        order="newest first" if inputs.newest_first else "oldest first",
        runs=f"{inputs.max_active_runs:,}",
        window=f"{inputs.window} UTC" if inputs.window else "",
        zone="each workflow's own" if is_local else inputs.timezone or "",
        excluded=", ".join(excluded[:NAMED]) + more,
        wait_for=WAITS.get(inputs.wait_for, inputs.wait_for),
        version=VERSIONS[inputs.run_on_latest_version],
        overrides_conf=inputs.override_conf,
        conf=json.dumps(inputs.conf, ensure_ascii=False) if inputs.conf else "",
        reason=inputs.reason or "",
    )
