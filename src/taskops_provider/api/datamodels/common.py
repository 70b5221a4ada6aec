"""Types that the data models share."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from airflow import settings
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

TIME_EXAMPLE = "2026-12-24T06:00:00+01:00"


def _is_storable(text: str) -> str:
    # PostgreSQL refuses texts with a zero byte, and no name has one
    if "\0" in text:
        raise ValueError("holds a zero byte, which no text may")
    return text


def _is_not_empty(text: str) -> str:
    # an empty one is a script's unset variable, and would match everything
    if not text.strip():
        raise ValueError("is empty; leave it out to match everything")
    return text


def _is_time(value: Any) -> Any:
    """Numbers would be taken for seconds since 1970."""
    if isinstance(value, str) and not value.strip().lstrip("+-").replace(".", "", 1).isdigit():
        return value
    if isinstance(value, datetime):
        return value
    raise ValueError(f"is no time; allowed are a date and time in ISO 8601, as {TIME_EXAMPLE}")


def _in_utc(moment: datetime) -> datetime:
    """Without a zone a time is in Airflow's default zone, as everywhere in Airflow."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=settings.TIMEZONE)).astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError("is beyond the times that can be kept") from None


Text = Annotated[str, StringConstraints(max_length=500), AfterValidator(_is_storable), AfterValidator(_is_not_empty)]
LongText = Annotated[str, AfterValidator(_is_storable)]
Name = Annotated[
    str, StringConstraints(min_length=1, max_length=250), AfterValidator(_is_storable), AfterValidator(_is_not_empty)
]
Moment = Annotated[datetime, BeforeValidator(_is_time), AfterValidator(_in_utc)]
#: an autoincremented key
Number = Annotated[int, Field(ge=1, le=2**63 - 1)]

Names = Annotated[list[Name], Field(max_length=200)]


class Asked(BaseModel):
    """What is sent. A field that does not exist is refused: a misspelt one would silently do something else."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Asked):
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
