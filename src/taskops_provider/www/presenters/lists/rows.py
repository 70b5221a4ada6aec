"""What you can do with rows of a list: boxes to select them, toolbar, menu of each (requirements B12-B18, B21)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from taskops_provider.domain.states import TaskStatus, Verb
from taskops_provider.www.presenters.text import Badge
from taskops_provider.www.presenters.verbs import WORDS
from taskops_provider.www.urls import Urls

#: what is offered beside the verbs
REPLENISH = "replenish"
ALARM = "alarm"
STOPPED = "Offline tasks are not replenished; resubmit them first"
NO_MORE = "It is deleted: nothing of it runs any more"
NONE_STOPPED = "None of its tasks is offline or deleted"
#: in the order of the toolbar and of the menus
VERBS = (Verb.START, Verb.PAUSE, Verb.OFFLINE, Verb.DELETE, Verb.SUBMIT, Verb.SET_OWNERS)


@dataclass(frozen=True)
class Action:
    """An operation that is offered.

    :param why_not: why it cannot be done with this row; empty where it can
    """

    verb: str
    label: str
    url: str
    why_not: str = ""


@dataclass(frozen=True)
class CellLink:
    """A place that a row leads to.

    :param leads: ``airflow`` for a page of Airflow's, ``outside`` for one elsewhere, empty for one of ours
    """

    label: str
    url: str
    leads: str = ""


@dataclass(frozen=True)
class ListScope:
    """What the rows of a list are.

    :param name: ``workflows`` or ``tasks``
    :param may_be: the statuses in which a verb applies to a row
    :param badges: what the statuses are called
    :param labels: words of a row's menu that are not those of the toolbar
    """

    name: str
    noun: str
    may_be: Mapping[Verb, Collection[str]]
    badges: Mapping[str, Badge]
    labels: Mapping[Verb, str]

    def why_not(self, verb: Verb, status: str) -> str:
        """Why a verb leaves a row of this status alone; empty where it does not."""
        if status == TaskStatus.DELETED and verb is not Verb.SUBMIT:
            return f"This {self.noun} is deleted; resubmit it first"
        if status in self.may_be[verb]:
            return ""
        wanted = " or ".join(badge.text.lower() for known, badge in self.badges.items() if known in self.may_be[verb])
        return f"This {self.noun} is {self.badges[status].text.lower()}; it would have to be {wanted}"


class Offers:
    """The operations that one person is offered on one page of a list.

    :param editable: Dags of the page's rows that the person may change
    :param deletable: those that they may delete; who may not is not offered it
    """

    def __init__(self, urls: Urls, scope: ListScope, *, editable: Collection[str], deletable: Collection[str]):
        self._scope = scope
        self._replenish_url = urls.page(f"{REPLENISH}/{scope.name}")
        self._alarm_url = urls.page(f"alarm_rules/new/{scope.name}")
        self._urls = {verb: urls.page(f"change/{scope.name}/{verb.value}") for verb in VERBS}
        self._editable = editable
        self._deletable = deletable
        self._made: dict[tuple[str, bool, bool], tuple[Action, ...]] = {}

    def may_select(self, dag_id: str) -> bool:
        """Whether a row has a box."""
        return dag_id in self._editable

    def toolbar(self) -> tuple[Action, ...]:
        """What can be done with selected rows; nothing where the person may change none of them."""
        if not self._editable:
            return ()
        verbs = (verb for verb in VERBS if verb is not Verb.DELETE or self._deletable)
        actions = (Action(verb.value, WORDS[verb][0], self._urls[verb]) for verb in verbs)
        return (*actions, self._replenish(), self._alarm())

    def menu(self, dag_id: str, status: str, *, has_stopped: bool = True) -> tuple[Action, ...]:
        """What can be done with one row.

        :param has_stopped: False for a workflow of which no task is offline or deleted
        """
        if dag_id not in self._editable:
            return ()
        key = status, dag_id in self._deletable, has_stopped
        if key not in self._made:
            self._made[key] = tuple(self._actions(*key))
        return self._made[key]

    def _actions(self, status: str, may_delete: bool, has_stopped: bool) -> Iterable[Action]:
        for verb in VERBS:
            if verb is not Verb.DELETE or may_delete:
                label = self._scope.labels.get(verb, WORDS[verb][0])
                why_not = self._scope.why_not(verb, status)
                if verb is Verb.SUBMIT and not has_stopped:
                    why_not = NONE_STOPPED
                yield Action(verb.value, label, self._urls[verb], why_not)
        # what cannot be taken offline is offline, or deleted
        yield self._replenish(STOPPED if self._scope.why_not(Verb.OFFLINE, status) else "")
        # whose owners cannot be changed is deleted
        yield self._alarm(NO_MORE if self._scope.why_not(Verb.SET_OWNERS, status) else "")

    def _replenish(self, why_not: str = "") -> Action:
        return Action(REPLENISH, "Replenish", self._replenish_url, why_not)

    def _alarm(self, why_not: str = "") -> Action:
        return Action(ALARM, "Set alarm", self._alarm_url, why_not)


def development(urls: Urls, dag_id: str, elsewhere: Mapping[str, str]) -> Iterable[CellLink]:
    """Yield the places where a Dag is developed: its code in Airflow, and in its repository where there is one."""
    yield CellLink("Development: code in Airflow", urls.dag(dag_id, "code"), "airflow")
    if dag_id in elsewhere:
        yield CellLink("Development: repository", elsewhere[dag_id], "outside")
