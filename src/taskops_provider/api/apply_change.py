"""Routes that change something: preview or apply, as the change asks for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import Depends
from sqlalchemy.orm import Session

from taskops_provider.api.datamodels.changes import Change
from taskops_provider.api.errors import CHANGE
from taskops_provider.api.security import require_json
from taskops_provider.domain.operations.answers import ChangeAnswer
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.operation import Request
from taskops_provider.services.operations.apply import apply_operation
from taskops_provider.services.operations.plan import preview_operation
from taskops_provider.services.shared.actor import Actor

#: what routes that change something have in common
CHANGING: Mapping[str, Any] = {"responses": CHANGE, "dependencies": [Depends(require_json)]}


def change(session: Session, actor: Actor, request: Request, body: Change, now: datetime) -> ChangeAnswer:
    """Do what is asked and return the answer; the session's owner commits.

    :raises TaskOpsError: when nothing was done
    """
    if body.dry_run:
        refuse_hash_of_preview(body.plan_hash)
        return preview_operation(session, actor, request, now).answer()
    return apply_operation(session, actor, request, expected_hash=body.plan_hash).answer()


def refuse_hash_of_preview(plan_hash: str | None) -> None:
    """Refuse a preview that names a plan.

    :raises BadInput: where it does
    """
    if plan_hash is not None:
        raise BadInput("plan_hash is for applying a plan, dry_run makes one; take one of them")
