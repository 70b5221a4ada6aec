"""Which columns of a list somebody sees, and in which order (requirements B25)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class ColumnVisibility(StrEnum):
    """Whether a column is there for somebody who has chosen nothing."""

    ALWAYS = "always"
    #: where the window is wide
    WIDE = "wide"
    HIDDEN = "hidden"


@dataclass(frozen=True)
class Column:
    """A column of a list.

    :param sort: the service's name of it, empty where it cannot sort by it
    :param largest_first: whether the first click sorts descending: times and counts
    :param kind: what several columns have in common: ``time``
    """

    key: str
    label: str
    sort: str = ""
    largest_first: bool = False
    kind: str = ""
    shown: ColumnVisibility = ColumnVisibility.ALWAYS

    @property
    def css(self) -> str:
        """The classes of its cells."""
        return f"{self.key} {self.kind}".strip()


@dataclass(frozen=True)
class ColumnChoice:
    """A line of the column menu.

    :param is_wide: shown where the window is wide
    :param is_left_out: not a column of this page; the choice is kept for the others
    """

    column: Column
    is_shown: bool
    is_wide: bool = False
    is_left_out: bool = False


@dataclass(frozen=True)
class Arranged:
    """The columns of a page, and the menu that changes them.

    :param is_default: nothing was chosen: some columns are there in wide windows only
    """

    columns: tuple[Column, ...]
    choices: tuple[ColumnChoice, ...]
    is_default: bool


def arrange(
    fixed: Column, columns: Sequence[Column], chosen: Mapping[str, Sequence[str]] | None, left_out: Collection[str] = ()
) -> Arranged:
    """Put columns into somebody's order.

    :param fixed: the column that is always there, in front
    :param chosen: what :func:`choice_of` made once, maybe of other columns than there are now; None: nothing
    :param left_out: columns that this page does not have
    """
    chosen = chosen or {}
    order, hidden = list(chosen.get("order", ())), set(chosen.get("hidden", ()))
    # a column that is newer than the choice stands behind and is shown as it is by default
    by_key = {column.key: column for column in columns}
    ordered = [by_key[key] for key in dict.fromkeys(order) if key in by_key]
    ordered += [column for column in columns if column.key not in order]
    choices = []
    for column in ordered:
        is_chosen = column.key in order
        choices.append(
            ColumnChoice(
                column,
                is_shown=column.key not in hidden if is_chosen else column.shown is not ColumnVisibility.HIDDEN,
                is_wide=column.shown is ColumnVisibility.WIDE and not is_chosen,
                is_left_out=column.key in left_out,
            )
        )
    shown = (
        # what somebody chose is shown in any window
        replace(choice.column, kind=f"{choice.column.kind} wide".strip()) if choice.is_wide else choice.column
        for choice in choices
        if choice.is_shown and not choice.is_left_out
    )
    return Arranged((fixed, *shown), tuple(choices), not order)


def choice_of(columns: Sequence[Column], order: Sequence[str], shown: Collection[str]) -> dict[str, list[str]]:
    """Return what is kept of a choice.

    :param order: keys of columns, those that are not named behind
    :param shown: keys of those that are shown
    """
    keys = [*order, *(column.key for column in columns if column.key not in order)]
    return {"order": keys, "hidden": [key for key in keys if key not in shown]}
