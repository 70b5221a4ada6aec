"""The declarative base of our tables: their own MetaData, so that Airflow's migrations never see them."""

from __future__ import annotations

from typing import Any

from airflow.models.base import StringID
from airflow.utils.sqlalchemy import UtcDateTime
from sqlalchemy import BigInteger, Integer, MetaData, Table
from sqlalchemy.orm import DeclarativeBase

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)

#: autoincrementing key on every dialect (SQLite only counts INTEGER PRIMARY KEY)
BigKey = BigInteger().with_variant(Integer, "sqlite")

__all__ = ["NAMING", "Base", "BigKey", "StringID", "UtcDateTime", "metadata"]


class Base(DeclarativeBase):
    """Base class of TaskOps' tables."""

    metadata = metadata

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Map the table; a counted key is never used twice: what tells of a deleted row would tell of a new one."""
        super().__init_subclass__(**kwargs)
        table = cls.__table__
        if isinstance(table, Table) and (key := table.columns.get("id")) is not None and key.autoincrement is True:
            table.dialect_options["sqlite"]["autoincrement"] = True
