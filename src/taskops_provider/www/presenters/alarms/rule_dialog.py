"""The dialog that creates or changes an alarm rule: from a task, a selection, the list of rules (requirements B16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from taskops_provider.domain.alarms.deliveries import EMAIL
from taskops_provider.domain.alarms.kinds import LEVELS, AlarmScope, FailedOn, Kind
from taskops_provider.domain.answers import Json, to_plain_data
from taskops_provider.domain.operations.targets import Scope, Target
from taskops_provider.exceptions import TaskOpsError
from taskops_provider.inputs.alarms.channel import Channel
from taskops_provider.inputs.alarms.fields import MAX_MINUTES
from taskops_provider.inputs.alarms.follow_up import MAX_REPEATS
from taskops_provider.inputs.alarms.parameters import DEFAULT_LAST, MAX_DAYS, MAX_LAST, MAX_PERCENT, Failed
from taskops_provider.inputs.alarms.recipients import Recipients
from taskops_provider.inputs.alarms.rule import MAX_NAME_LENGTH, Rule, RuleChange, RuleCreate
from taskops_provider.inputs.problems import naming
from taskops_provider.inputs.reading import read
from taskops_provider.services.alarms.answers import RuleAnswer
from taskops_provider.services.alarms.rule_changes import check_targets, create_rule, create_rules, update_rule
from taskops_provider.services.alarms.rules import RuleFilter, editable_rule, list_rules, project_of
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.alarms import form, words
from taskops_provider.www.presenters.alarms.channel_fields import ChannelFields, channel_fields
from taskops_provider.www.presenters.alarms.question import Done
from taskops_provider.www.presenters.answer import CHANGED, WHOLE, DialogAnswer, refused
from taskops_provider.www.presenters.operations.form import selection_of, step_of, targets_of

NEW, EDIT = "alarm_rules/new", "alarm_rules/edit"
_TITLE = "Set alarm"
#: lines about whom new rules do not reach
LINES = 5
#: what a new rule is before anything is chosen
_EMPTY = Rule(
    name="",
    scope=AlarmScope.TASK,
    dag_id="",
    task_id="",
    project="",
    kind=Kind.FAILED,
    level=1,
    parameters=Failed(),
    recipients=Recipients(owners=True),
    channels=(Channel(channel=EMAIL),),
    quiet_hours=None,
    repeat=None,
    escalation=None,
    enabled=True,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The greatest numbers that fields take."""

    minutes: int = MAX_MINUTES
    percent: int = MAX_PERCENT
    last: int = MAX_LAST
    days: int = MAX_DAYS
    repeats: int = MAX_REPEATS
    name: int = MAX_NAME_LENGTH


@dataclass(frozen=True, slots=True)
class OtherRules:
    """The rules that there are on a target already."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class RuleDialog:
    """What ``alarms/rule_dialog.html`` shows.

    :param is_many: a rule is made on each of several targets
    :param on: which failure a rule of the kind ``failed`` waits for
    :param parameters: those of the rule, and defaults for the fields of other kinds
    """

    title: str
    action: str
    address: str
    fields: Sequence[tuple[str, str]]
    is_many: bool
    many: str
    noun: str
    rule: Rule
    scopes: Sequence[tuple[str, str]]
    kinds: Sequence[tuple[str, str]]
    ons: Sequence[tuple[str, str]]
    on: str
    parameters: Json
    levels: Sequence[tuple[int, str]]
    people: str
    channels: ChannelFields
    escalate_people: str
    limits: Limits
    others: OtherRules | None


def present_new(asked: PageRequest, scope: Scope | None) -> DialogAnswer:
    """Return the dialog of a new rule on what is selected, or make it. Errors are shown in the dialog.

    :param scope: what is selected; None: nothing, the dialog has fields for it
    """
    try:
        targets = targets_of(asked, scope) if scope else ()
        if step_of(asked) == "apply":
            return _create(asked, targets)
        check_targets(asked.session, asked.actor, targets)
        return _dialog(asked, _blank(asked, targets), targets, asked.urls.page(_address(scope)))
    except TaskOpsError as error:
        return _refused(asked, error)


def present_edit(asked: PageRequest) -> DialogAnswer:
    """Return the dialog of a rule, or change it. Errors are shown in the dialog."""
    try:
        number = asked.number("target")
        if step_of(asked) == "apply":
            with naming(form.label_of):
                change = read(RuleChange, form.described_target(asked) | form.described_rule(asked))
                answer = update_rule(asked.session, asked.actor, number, change, asked.now)
            return _done(asked, f"Rule {number} is changed", [answer])
        _, rule = editable_rule(asked.session, asked.actor, number)
        return _dialog(asked, rule, (), asked.urls.page(EDIT), number=number)
    except TaskOpsError as error:
        return _refused(asked, error)


def _address(scope: Scope | None) -> str:
    return f"{NEW}/{scope.value}s" if scope else NEW


def _refused(asked: PageRequest, error: TaskOpsError) -> DialogAnswer:
    # nothing of what the error interrupted is kept
    asked.session.rollback()
    return refused(_TITLE, error, is_part=asked.one("step") == "apply")


def _create(asked: PageRequest, targets: Sequence[Target]) -> DialogAnswer:
    described = form.described_rule(asked)
    with naming(form.label_of):
        if len(targets) > 1:
            first = targets[0]
            rule = read(RuleCreate, {**described, "dag_id": first.dag_id, "task_id": first.task_id or None}).rule()
            made = create_rules(asked.session, asked.actor, rule, targets, asked.now)
            return _done(asked, f"{len(made):,} rules are made", made)
        rule = read(RuleCreate, form.described_target(asked) | described).rule()
    answer = create_rule(asked.session, asked.actor, rule, asked.now)
    return _done(asked, f"Rule {answer.rule_id} is made", [answer])


def _done(asked: PageRequest, title: str, made: Sequence[RuleAnswer]) -> DialogAnswer:
    ids = [rule.rule_id for rule in made]
    one = {"rule": str(ids[0])} if len(ids) == 1 else {}
    done = Done(
        title=title,
        lines=["It watches from now on; what happened before is not told.", *_reach(made)],
        link=("See the rules" if len(ids) > 1 else "See the rule", asked.urls.page("alarm_rules", one)),
        test=str(ids[0]) if len(ids) == 1 else "",
        test_url=asked.urls.page("alarm_rules/test"),
    )
    return DialogAnswer("alarms/asked.html", done, headers=WHOLE | CHANGED)


def _reach(made: Sequence[RuleAnswer]) -> list[str]:
    """Whom the rules do not reach: a line for each sort."""
    return [f"{line}." for line in dict.fromkeys(map(words.reach_line, made)) if line][:LINES]


def _blank(asked: PageRequest, targets: Sequence[Target]) -> Rule:
    """A new rule: on the one task or workflow that is selected."""
    if len(targets) != 1:
        return _EMPTY
    (target,) = targets
    return replace(_EMPTY.on(*target), project=project_of(asked.session, target.dag_id) or "")


def _dialog(
    asked: PageRequest, rule: Rule, targets: Sequence[Target], address: str, number: int | None = None
) -> DialogAnswer:
    is_many = len(targets) > 1
    noun = "task" if targets and targets[0].task_id else "workflow"
    escalation = rule.escalation
    dialog = RuleDialog(
        title=f"Rule {number}" if number else _title(targets, noun),
        action="Save" if number else f"Set {text.count(len(targets), 'alarm')}" if is_many else _TITLE,
        address=address,
        fields=[("target", str(number))] if number else selection_of(asked),
        is_many=is_many,
        many=text.count(len(targets), noun),
        noun=noun,
        rule=rule,
        scopes=_scopes(asked, rule),
        kinds=list(words.KINDS.items()),
        ons=list(words.FAILED_ON.items()),
        on=rule.failed_on or FailedOn.RETRIES_EXHAUSTED,
        parameters={"last": DEFAULT_LAST, "days": 0, "zone": "UTC", **to_plain_data(rule.parameters)},
        levels=[(level, words.LEVELS[level].text) for level in LEVELS],
        people=_people(rule.recipients),
        channels=channel_fields(rule.channels),
        escalate_people=_people(escalation.recipients) if escalation else "",
        limits=Limits(),
        others=_others(asked, targets) if not number else None,
    )
    return DialogAnswer("alarms/rule_dialog.html", dialog)


def _title(targets: Sequence[Target], noun: str) -> str:
    if not targets:
        return "New alarm rule"
    if len(targets) > 1:
        return f"Set alarm on {text.count(len(targets), noun)}"
    return f"Set alarm on {targets[0].task_id or targets[0].dag_id}"


def _scopes(asked: PageRequest, rule: Rule) -> list[tuple[str, str]]:
    scopes = [(AlarmScope.TASK.value, "One task"), (AlarmScope.WORKFLOW.value, "Each task of a workflow")]
    if rule.scope is AlarmScope.PROJECT or asked.actor.permissions.may_change_settings():
        scopes.append((AlarmScope.PROJECT.value, "Each task of a project"))
    return scopes


def _others(asked: PageRequest, targets: Sequence[Target]) -> OtherRules | None:
    if len(targets) != 1:
        return None
    (target,) = targets
    where = RuleFilter(dag_id=target.dag_id, task_id=target.task_id)
    found = list_rules(asked.session, asked.actor, where, limit=1)
    query = {"dag_id": target.dag_id, "task_id": target.task_id}
    url = asked.urls.page("alarm_rules", {name: value for name, value in query.items() if value})
    return OtherRules(text.count(found.total_entries, "rule"), url) if found.total_entries else None


def _people(recipients: Recipients) -> str:
    return ", ".join([*recipients.users, *recipients.addresses])
