"""Health."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class Health(BaseModel):
    """Whether TaskOps can work."""

    status: Literal["healthy", "unhealthy"]
    detail: str | None = None
