"""The hash of a plan: what a person looked at is what is done, or nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from taskops_provider.domain.operations.outcomes import Outcome
from taskops_provider.domain.operations.plan import Item
from taskops_provider.exceptions import BadInput

#: of plans whose refusal names nothing that came since
NO_OPERATION = 0


def plan_hash(asked: Sequence[Any], items: Sequence[Item], *, newest_operation: int) -> str:
    """Return a hash of all that the plan rests on, led by the newest operation on its targets.

    The newest of all would tell of Dags that may not be read. The number in front lets a refusal name what came since.

    :param asked: what was asked for, as JSON
    """
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode())
    names = {outcome: outcome.value for outcome in Outcome}
    for item in items:
        # the operation that brought a state stands for the state and all that was chosen with it
        since = item.restore["operation_id"] if item.restore else None
        outcome = names[item.outcome]
        line = (item.dag_id, item.task_id, outcome, item.before, item.after, since, item.wave, item.blockers)
        digest.update(repr(line).encode())
    return f"{newest_operation}.{digest.hexdigest()[:40]}"


def is_same_plan(one: str, other: str) -> bool:
    """Tell whether two hashes are of plans that say the same, whatever operations were done meanwhile."""
    return one.partition(".")[2] == other.partition(".")[2]


def newest_operation_of(hash_: str) -> int:
    """Return the newest operation that a plan hash knew.

    :raises BadInput: when it is no plan hash
    """
    number, dot, digest = hash_.partition(".")
    if not dot or not number.isascii() or not number.isdigit() or len(number) > 18 or len(digest) != 40:
        raise BadInput(f"{hash_[:60]!r} is not a plan hash; take the one a preview returned")
    return int(number)
