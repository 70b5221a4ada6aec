"""Health."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """Whether TaskOps can work."""

    status: Literal["healthy", "unhealthy"]
    detail: str | None = None


class HealthCheck(BaseModel):
    """One check, as `airflow taskops check` makes it."""

    name: str
    level: Literal["ok", "warning", "error"]
    message: str


class HealthChecks(BaseModel):
    """All checks."""

    checks: list[HealthCheck]
