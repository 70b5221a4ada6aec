"""Where the pieces of prepared downloads are kept: in our table, or in object storage (``exports_url``)."""

from __future__ import annotations

import zlib

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from taskops_provider.adapter import object_storage
from taskops_provider.models import Export, ExportPiece


def write_piece(session: Session, export: Export, number: int, text: bytes) -> None:
    """Keep a piece.

    :raises Exception: whatever the object storage raises
    """
    content = zlib.compress(text)
    if export.location is not None:
        object_storage.write(export.location, _name(number), content)
        return
    session.execute(insert(ExportPiece).values(export_id=export.id, number=number, content=content))


def read_piece(session: Session, export_id: int, location: str | None, number: int) -> bytes:
    """Return a piece.

    :raises LookupError: when it was deleted meanwhile
    """
    if location is not None:
        return zlib.decompress(object_storage.read(location, _name(number)))
    query = select(ExportPiece.content).where(ExportPiece.export_id == export_id, ExportPiece.number == number)
    content = session.scalar(query)
    if content is None:
        raise LookupError(f"piece {number} of export {export_id} is gone")
    return zlib.decompress(content)


def delete_pieces(session: Session, export_id: int, location: str | None) -> None:
    """Delete the pieces of an export.

    :raises Exception: whatever the object storage raises
    """
    if location is not None:
        object_storage.remove(location)
    session.execute(
        delete(ExportPiece).where(ExportPiece.export_id == export_id).execution_options(synchronize_session=False)
    )


def _name(number: int) -> str:
    return f"{number:06}.zlib"
