"""Fill the database of a home: ``python -m tests.support.fill ordinary``, ``... crowd 10000``, ``... empty``."""

from __future__ import annotations

import sys


def main(kind: str, number: str = "0") -> None:
    """Delete what is there and write what ``furnished.furnish`` or ``furnished.crowd`` does."""
    from tests.support import furnished
    from tests.support.airflow_db import empty_tables, new_session

    empty_tables()
    with new_session() as session:
        if kind == "ordinary":
            furnished.furnish(session)
        elif kind == "crowd":
            furnished.crowd(session, int(number))


if __name__ == "__main__":
    main(*sys.argv[1:])
