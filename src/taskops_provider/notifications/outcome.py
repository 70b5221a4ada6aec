"""What came of sending, where it is not plain."""

from __future__ import annotations


class MaybeSent(Exception):
    """It was handed over, and the answer was lost: it may have arrived, so it must not be sent again by itself."""


class Refused(Exception):
    """The other side works and does not want this message: others may well go out.

    :param told: what everybody may read of it: the number that the other side gave
    :param text: what the other side says, for the log: it may name hosts and people
    """

    def __init__(self, told: str, text: str):
        super().__init__(told)
        self.text = text


class Unsendable(Exception):
    """No server would take this message, whatever it does: others may well go out."""
