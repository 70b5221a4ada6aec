"""Sessions on the migrated database, emptied after each test."""

from __future__ import annotations

from tests.support.sessions import session

__all__ = ["session"]
