"""What came of sending, where it is not plain."""

from __future__ import annotations


class MaybeSent(Exception):
    """It was handed over, and the answer was lost: it may have arrived, so it must not be sent again by itself."""


class Refused(Exception):
    """The other side works and does not want this message: others may well go out."""
