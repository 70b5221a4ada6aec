"""Downloads that are prepared in the background."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from taskops_provider.models.base import Base, BigKey, StringID, UtcDateTime

#: MariaDB keeps a BLOB of a given size; a piece of an export is far below it
PIECE_SIZE = 2**24 - 1


class Export(Base):
    """One download: what was asked for, by whom, and how far its preparation came."""

    __tablename__ = "taskops_export"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=True)
    #: its record, by which people find it
    operation_id: Mapped[int] = mapped_column(BigInteger, nullable=False)
    #: tasks or workflows
    kind: Mapped[str] = mapped_column(String(16), nullable=False)
    #: csv or json
    form: Mapped[str] = mapped_column(String(8), nullable=False)
    #: the filter under its public names
    filters: Mapped[dict[str, Any]] = mapped_column(JSON, nullable=False)
    #: the only one who may fetch it
    actor: Mapped[str] = mapped_column(String(250), nullable=False)
    #: what the actor could read when asking (of older downloads a list of Dags); NULL: everything
    readable: Mapped[dict[str, Any] | list[str] | None] = mapped_column(JSON(none_as_null=True), nullable=True)
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, nullable=False)
    #: queued, preparing, ready or failed
    state: Mapped[str] = mapped_column(String(12), nullable=False)
    #: the last row that is prepared; the next slice begins behind it
    last_dag_id: Mapped[str | None] = mapped_column(StringID(), nullable=True)
    last_task_id: Mapped[str | None] = mapped_column(StringID(), nullable=True)
    row_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    #: bytes of the download
    byte_count: Mapped[int] = mapped_column(BigInteger, nullable=False, default=0)
    piece_count: Mapped[int] = mapped_column(Integer, nullable=False, default=0)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime, nullable=True)
    error: Mapped[str | None] = mapped_column(Text, nullable=True)
    #: the object storage folder of its pieces; NULL: they are in :class:`ExportPiece`
    location: Mapped[str | None] = mapped_column(String(1500), nullable=True)

    __table_args__ = (Index(None, "state"), Index(None, "requested_at"), Index(None, "operation_id"))


class ExportPiece(Base):
    """A part of a download, compressed by zlib; the parts in order are the whole."""

    __tablename__ = "taskops_export_piece"

    export_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary(PIECE_SIZE), nullable=False)
