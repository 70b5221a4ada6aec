"""What a state that an undo brings back would do: it is judged as the operation that leads there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.answers import Json
from taskops_provider.domain.chunks import chunks
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import GATED_STATES, OUT_OF_SERVICE, Downstream, TaskState, Verb
from taskops_provider.inputs.operation import Options, Request
from taskops_provider.models import Workflow
from taskops_provider.services.catalog.lineage import MANY_DAGS, DownstreamLinks
from taskops_provider.services.operations.kept_wishes import fill_their_gap
from taskops_provider.services.operations.plan import FILLS_GAP, block, forbid_to_end_held
from taskops_provider.services.operations.strict_mode_check import Blocking
from taskops_provider.services.shared.actor import Actor, replenishable

#: the states, from in service to out of it
_FARTHER = list(TaskState)


def overtaken(kept: Json, now: datetime) -> str | None:
    """Say what of a state cannot be restored because its time is over."""
    resume_at = kept.get("resume_at")
    if resume_at is None or datetime.fromisoformat(resume_at) > now:
        return None
    return f"its planned end ({resume_at}) has passed: it stays {kept['state']} until somebody starts it"


def judge_restored(session: Session, actor: Actor, items: Sequence[Item], now: datetime) -> None:
    """Block the targets whose former state the actor may not bring back. Changes ``items`` in place.

    :param items: of an undo; ``to`` of their ``restore`` is the state that comes back
    """
    restored = [item for item in items if item.restore and "state" in item.restore["to"]]
    _forbid_to_fill(session, actor, restored, now)
    gated = [item for item in restored if _after(item) in GATED_STATES]
    forbid_to_end_held(session, actor, [(item, Downstream(_to(item).get("downstream") or "skip")) for item in gated])
    _heed_strict_mode(session, actor, [item for item in gated if _goes_farther(item)])


def _to(item: Item) -> Json:
    to: Json = (item.restore or {})["to"]
    return to


def _after(item: Item) -> TaskState:
    return TaskState(_to(item)["state"])


def _goes_farther(item: Item) -> bool:
    before = TaskState((item.restore or {})["state"])
    return item.outcome is Outcome.APPLIED and _FARTHER.index(_after(item)) > _FARTHER.index(before)


def _forbid_to_fill(session: Session, actor: Actor, restored: Sequence[Item], now: datetime) -> None:
    """Block the pauses that fill their gap at their end, in Dags that the actor may not replenish."""
    ending = [item for item in restored if _to(item).get("resume_at") and not overtaken(_to(item), now)]
    may = replenishable(actor, {item.dag_id for item in ending})
    asked = {(item.dag_id, item.task_id): item for item in ending if item.dag_id not in may}
    for pair in fill_their_gap(session, {pair: _to(item).get("operation_id") for pair, item in asked.items()}):
        block(asked[pair], FILLS_GAP)


def _heed_strict_mode(session: Session, actor: Actor, stopping: Sequence[Item]) -> None:
    """Block what strict mode keeps in service.

    What goes offline together may go in waves, as with ``cascade``: undoing what brought it back needs no order.
    """
    if not stopping:
        return
    project_of: dict[str, str] = {}
    for chunk in chunks(sorted({item.dag_id for item in stopping}), MANY_DAGS):
        query = select(Workflow.dag_id, Workflow.project).where(Workflow.dag_id.in_(chunk))
        project_of |= {row.dag_id: row.project for row in session.execute(query)}
    blocking = Blocking(session, actor, DownstreamLinks(session), {})
    ways: dict[Verb, list[Item]] = {Verb.PAUSE: [], Verb.OFFLINE: []}
    for item in stopping:
        ways[Verb.OFFLINE if _after(item).value in OUT_OF_SERVICE else Verb.PAUSE].append(item)
    for verb, items in ways.items():
        if items:
            request = Request(verb, Scope.TASK, (), Options(cascade=verb is Verb.OFFLINE))
            blocking.apply(request, items, project_of)
    for item in stopping:
        item.wave = None  # they go at once
