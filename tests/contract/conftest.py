"""Sessions on the migrated database, as the integration tests have them."""

from __future__ import annotations

from tests.integration.conftest import count_queries, session

__all__ = ["count_queries", "session"]
