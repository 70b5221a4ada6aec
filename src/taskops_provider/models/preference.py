"""What a person chose for the pages: the columns of a list."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.models.base import Base


class Preference(Base):
    """One choice of one person, who has the default where there is no row."""

    __tablename__ = "taskops_preference"

    #: as Airflow's auth manager names the person, and the operation records do
    user_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSON, nullable=False)
