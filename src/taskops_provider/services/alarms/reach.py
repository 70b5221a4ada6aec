"""Whom rules would reach: an alarm that nobody gets must not look as if it were well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from taskops_provider.domain.alarms.kinds import AlarmScope
from taskops_provider.inputs.alarms.rule import Rule
from taskops_provider.services.alarms.channels import usable_channels
from taskops_provider.services.alarms.recipients import book_for, names_of
from taskops_provider.services.shared.owners import owners_by_key


@dataclass(frozen=True, slots=True)
class RuleReach:
    """Whom a rule would reach now.

    :param unreachable: owners and users without an address, for a rule with a channel that needs one
    :param is_nobody: it has no other recipient, and no channel that needs none
    """

    unreachable: Sequence[str] = ()
    is_nobody: bool = False


def reach_of(session: Session, rules: Sequence[Rule]) -> list[RuleReach]:
    """Return whom rules would reach, in their order: three queries for however many.

    Owners differ from task to task: those of a rule on a workflow or project are not looked at.
    """
    owned = [(rule.dag_id, rule.task_id) for rule in rules if _names_owners(rule)]
    owners = owners_by_key(session, owned) if owned else {}
    book = book_for(session, [rule.recipients for rule in rules], owners)
    released = usable_channels()
    found = []
    for rule in rules:
        tells_people = [released.tells_people(channel) for channel in released.usable(rule.channels)]
        if not any(tells_people):
            found.append(RuleReach())
            continue
        own = owners.get((rule.dag_id, rule.task_id), []) if _names_owners(rule) else []
        people = book.people(names_of(rule.recipients, own), rule.recipients.addresses)
        is_known = _names_owners(rule) or not rule.recipients.owners
        found.append(RuleReach(people.unreachable, is_known and all(tells_people) and not people.addresses))
    return found


def _names_owners(rule: Rule) -> bool:
    """Whether a rule tells the owners of the one task that it is on."""
    return rule.recipients.owners and rule.scope is AlarmScope.TASK
