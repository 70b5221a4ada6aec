"""Types that the data models share."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from taskops_provider.inputs.fields import Input

Value = TypeVar("Value")


def _is_none(value: object) -> bool:
    return value is None


#: a field that an answer has only sometimes: it is left out while it is None (``OMIT_NONE`` of the services' answers)
Sometimes = Annotated[Value | None, Field(exclude_if=_is_none)]


class PageQuery(Input):
    """Which part of a list."""

    limit: int = Field(50, ge=1, le=1000, description="At most so many rows.")
    offset: int = Field(0, ge=0, le=10**9, description="Leave out the first so many rows.")


class Error(BaseModel):
    """Why a request was refused, in one line. Nothing was changed."""

    detail: str = Field(examples=["Task 'clean' of Dag 'orders' does not exist"])


class ChangedTarget(BaseModel):
    """A target that is not any more as the preview showed it."""

    dag_id: str
    task_id: str | None
    now: str | None = Field(description="Its shown status.")
    why: str = Field(examples=["pause by alice (operation 7)"])


class ConflictError(Error):
    """The state does not allow it. With a ``plan_hash`` that is no longer right: what has changed since."""

    difference: list[ChangedTarget] | None = None
