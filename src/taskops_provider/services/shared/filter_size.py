"""How large a filter of a list may be, the same on every surface.

Pages read filters from addresses and forms, which have no bound of their own: a database refuses what is too large, or
takes minutes for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import TYPE_CHECKING

from taskops_provider.exceptions import BadInput

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: characters of a text, more than any name or folder has, and values of a field
MAX_TEXT, MAX_VALUES = 1000, 200


def check_size(where: DataclassInstance) -> None:
    """Refuse a filter that is larger than a database can be asked with, or in reasonable time.

    :param where: the dataclass of a list's filter
    :raises BadInput: for a text that is too long, a field with too many values
    """
    for one in fields(where):
        value = getattr(where, one.name)
        if isinstance(value, tuple):
            check_number(value)
        for text in value if isinstance(value, tuple) else (value,):
            check_text(text)


def check_number(values: Collection[object]) -> None:
    """Refuse more values than a condition can be made of.

    :raises BadInput: saying how many there may be
    """
    if len(values) > MAX_VALUES:
        raise BadInput(f"a filter has {len(values):,} values; at most {MAX_VALUES} are taken")


def check_text(text: object) -> None:
    """Refuse a text to look for that is longer than any name.

    :raises BadInput: saying how long it may be
    """
    if isinstance(text, str) and len(text) > MAX_TEXT:
        raise BadInput(f"a filter has {len(text):,} characters; at most {MAX_TEXT} are taken")
