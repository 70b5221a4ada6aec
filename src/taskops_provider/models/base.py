"""The declarative base of our tables: their own MetaData, so that Airflow's migrations never see them."""

from __future__ import annotations

from airflow.models.base import StringID
from airflow.utils.sqlalchemy import UtcDateTime
from sqlalchemy import BigInteger, Integer, MetaData
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
