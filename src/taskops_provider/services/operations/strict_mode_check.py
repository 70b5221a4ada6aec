"""Strict mode applied to a plan (requirements 4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property

from sqlalchemy import select
from sqlalchemy.orm import Session

from taskops_provider.domain.operations.answers import HIDDEN, BlockingTask
from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Blocker, Item
from taskops_provider.domain.operations.targets import Scope
from taskops_provider.domain.states import Verb
from taskops_provider.domain.strict_mode import blockers, waves
from taskops_provider.inputs.operation import Request
from taskops_provider.models import Task, Workflow
from taskops_provider.services.catalog.lineage import MANY_DAGS, DownstreamLinks
from taskops_provider.services.operations.snapshot import BLOCKER_COLUMNS, BlockerRow
from taskops_provider.services.operations.strict_mode_setting import strict_projects
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.bulk_reads import read_in_bulk
from taskops_provider.services.shared.owners import owners_of_all_tasks
from taskops_provider.services.shared.task_keys import TaskKey

REASON = "strict mode: has downstream tasks that are not offline"
WORKFLOW_REASON = "strict mode: tasks of other workflows depend on it"


class Blocking:
    """Finds what blocks the items of a plan and marks them."""

    def __init__(self, session: Session, actor: Actor, links: DownstreamLinks, rows: Mapping[TaskKey, BlockerRow]):
        """Keep what is at hand.

        :param rows: by key; those of other tasks are added where they are needed
        """
        self._session = session
        self._actor = actor
        self._links = links
        self._rows: dict[TaskKey, BlockerRow] = dict(rows)

    def apply(self, request: Request, items: list[Item], project_of: Mapping[str, str]) -> list[str]:
        """Mark blocked items; with ``cascade``, number the waves of the others. Changes ``items`` in place.

        :return: the projects in strict mode
        """
        strict = strict_projects(self._session, set(project_of.values()))
        self._mark(request, items, project_of, strict)
        return sorted(project for project, is_on in strict.items() if is_on)

    def _mark(
        self, request: Request, items: list[Item], project_of: Mapping[str, str], strict: Mapping[str, bool]
    ) -> None:
        guarded = [
            item
            for item in items
            if item.outcome is Outcome.APPLIED and item.task_id and strict[project_of[item.dag_id]]
        ]
        if not guarded:
            return
        by_node = {(item.dag_id, item.task_id): item for item in guarded}
        self._links.load({item.dag_id for item in guarded})
        below = self._links.below
        is_live = self._live(down for node in by_node for down in below(node)).__contains__
        if request.options.cascade:
            planned, blocked = waves(by_node, below, is_live)
            for number, wave in enumerate(planned, start=1):
                for node in wave:
                    by_node[node].wave = number
        else:
            blocked = {n: by for n, by in blockers(by_node, below, is_live).items() if by}
        shown = self._shown({blocker for by in blocked.values() for blocker in by})
        if request.verb is Verb.DELETE and request.scope is Scope.WORKFLOW:
            _refuse_workflows(items, blocked, shown)
            return
        describe = shown.describe
        for node, by in blocked.items():
            _block(by_node[node], REASON, shown.blockers(node[0], by), describe)

    def _live(self, nodes: Iterable[TaskKey]) -> set[TaskKey]:
        """Tasks that are in their Dag and neither offline nor deleted, all such nodes among them: one query at most."""
        missing = {node for node in nodes if node not in self._rows}
        if missing:
            dag_ids = {dag_id for dag_id, _ in missing}
            query = select(*BLOCKER_COLUMNS).join(Workflow, Workflow.dag_id == Task.dag_id)
            if len(dag_ids) <= MANY_DAGS:
                query = query.where(Task.dag_id.in_(dag_ids))
            found = (((row.dag_id, row.task_id), row) for row in read_in_bulk(self._session, query))
            self._rows |= {node: row for node, row in found if node in missing}
        return {node for node, row in self._rows.items() if row.may_block}

    def _shown(self, nodes: set[TaskKey]) -> BlockerDetails:
        dag_ids = {dag_id for dag_id, _ in nodes}
        narrow = dag_ids if len(dag_ids) <= MANY_DAGS else None
        return BlockerDetails(
            self._rows,
            lambda: owners_of_all_tasks(self._session, narrow),
            self._actor.may_follow,
        )


class BlockerDetails:
    """What may be shown of blocking tasks: name, type, period, owners, workflow (the Dag)."""

    def __init__(
        self,
        rows: Mapping[TaskKey, BlockerRow],
        load_owners: Callable[[], Mapping[TaskKey, list[str]]],
        may_follow: Callable[[str, str], bool],
    ):
        """Keep what is at hand.

        :param load_owners: called once, when the first is shown: a plan of 100,000 tasks needs no owners to be made
        :param may_follow: as an actor has it; asked once for each pair of Dags
        """
        self._rows = rows
        self._load_owners = load_owners
        self._may_follow = cache(may_follow)

    @cached_property
    def _owners(self) -> Mapping[TaskKey, list[str]]:
        return self._load_owners()

    def blockers(self, dag_id: str, nodes: Sequence[TaskKey]) -> tuple[Blocker, ...]:
        """Those of some tasks that block one of a Dag which may be seen; behind them one without a name for all others,
        however many there are.
        """
        named: list[Blocker] = [node for node in nodes if self._may_follow(dag_id, node[0])]
        return (*named, (None, None)) if len(named) < len(nodes) else tuple(named)

    def describe(self, blocker: Blocker) -> BlockingTask:
        """One of them as it is shown."""
        dag_id, task_id = blocker
        if dag_id is None or task_id is None:
            return HIDDEN
        row = self._rows[dag_id, task_id]
        owners = self._owners.get((dag_id, task_id), [])
        return BlockingTask(dag_id, task_id, row.display_name, row.task_type, row.period, owners)


def _refuse_workflows(items: list[Item], blocked: Mapping[TaskKey, Sequence[TaskKey]], shown: BlockerDetails) -> None:
    """A workflow on which others depend is deleted as a whole or not at all."""
    by_dag: dict[str, set[TaskKey]] = defaultdict(set)
    for (dag_id, _), by in blocked.items():
        by_dag[dag_id].update(by)
    for item in items:
        if item.dag_id in by_dag and item.outcome is Outcome.APPLIED:
            _block(item, WORKFLOW_REASON, shown.blockers(item.dag_id, sorted(by_dag[item.dag_id])), shown.describe)


def _block(item: Item, reason: str, by: Sequence[Blocker], describe: Callable[[Blocker], BlockingTask]) -> None:
    item.outcome, item.after, item.reason = Outcome.BLOCKED, item.before, reason
    item.blockers, item.describe = by, describe
