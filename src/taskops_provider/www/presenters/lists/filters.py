"""The filter form of a list: its fields, their choices, what is set and how to take it away again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import parse_qs

from taskops_provider.exceptions import BadInput
from taskops_provider.services.catalog.filter_choices import CAP, FilterChoices
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.presenters import text
from taskops_provider.www.presenters.lists import folders, owners

#: the plain field for owners, for browsers without script: several names with commas between them
TYPED_OWNERS = "owner_names"
#: the field that lists deleted rows as well
DELETED = "deleted"


@dataclass(frozen=True)
class FilterOption:
    """One choice of a field.

    :param tone: the colour of its mark, of a status
    """

    value: str
    label: str
    is_chosen: bool
    tone: str = ""


@dataclass(frozen=True)
class Field:
    """A field of the form: a text, or several choices where there are ``options``.

    :param more: why there are not all choices, with a text field for the others; empty where all are there
    :param find_url: where more choices come from while somebody types; empty where all are there
    :param typed: the name of the text field for values that are not among the choices; empty where there is none
    :param tree: the choices as a tree of folders; ``options`` are then chosen ones that it does not show
    :param zone: of a date and time: the time zone that it is in; empty for other fields
    """

    name: str
    label: str
    values: tuple[str, ...]
    hint: str = ""
    options: tuple[FilterOption, ...] | None = None
    more: str = ""
    find_url: str = ""
    typed: str = ""
    tree: folders.FolderLevel | None = None
    is_hidden: bool = False
    zone: str = ""

    @property
    def summary(self) -> str:
        """What the closed field shows beside its label."""
        if not self.values:
            return "All"
        return self.label_of(self.values[0]) if len(self.values) == 1 else f"{len(self.values)} chosen"

    @property
    def chosen(self) -> str:
        """All that is chosen, in words."""
        return ", ".join(map(self.label_of, self.values))

    def label_of(self, value: str) -> str:
        """The words of a value."""
        if self.zone:
            return f"{value.replace('T', ' ')} {self.zone}"
        return next((option.label for option in self.options or () if option.value == value), value)


@dataclass(frozen=True)
class Quick:
    """One status to see alone with one click, or all of them."""

    label: str
    url: str
    tone: str
    is_current: bool


@dataclass(frozen=True)
class Chip:
    """A filter that is set, and the address of the list without it."""

    label: str
    value: str
    url: str


@dataclass
class Problems:
    """What could not be understood of the request; the rest of it is answered."""

    lines: list[str] = field(default_factory=list)

    def only(self, name: str, given: Sequence[str], allowed: Iterable[str]) -> tuple[str, ...]:
        """Return the given values that are allowed and note the others."""
        allowed = tuple(allowed)
        for value in given:
            if value not in allowed:
                self.lines.append(f"{name} is “{value}”; allowed are {', '.join(allowed)}.")
        return tuple(value for value in given if value in allowed)


class _NotedArgs(dict[str, list[str]]):
    """Fields of a request that note which of them were asked for."""

    def __init__(self, fields: Mapping[str, list[str]]):
        super().__init__(fields)
        self.known: set[str] = set(_SAYS_NOTHING)

    def get(self, name: str, default: Any = None) -> Any:
        self.known.add(name)
        return super().get(name, default)


#: fields of a list that do not say what matches
_SAYS_NOTHING = ("page", "sort", "tab", "zone")
Found = TypeVar("Found")


def read_matching(asked: PageRequest, query: str, read: Callable[[PageRequest, Problems], Found]) -> Found:
    """Return what all rows of a list under its filter are, as ``matching`` names them; ``?`` is the list without one.

    What the list answers with a remark is refused here: more would match than was meant.

    :param query: as :func:`~taskops_provider.www.presenters.lists.paging.query_string` made it
    :param read: takes the request as the list gets it
    :raises BadInput: for a text that is no query, a filter that the list does not have, a value that cannot be
    """
    try:
        args = _NotedArgs(parse_qs(query.removeprefix("?"), strict_parsing=query not in ("", "?")))
    except ValueError:
        raise BadInput(f"matching is {query[:60]!r}; it is the query of a list, as '?status=paused'") from None
    problems = Problems()
    found = read(replace(asked, args=args), problems)
    if unknown := sorted(args.keys() - args.known):
        raise BadInput(f"matching has no filter {unknown[0][:60]!r}")
    if problems.lines:
        raise BadInput(problems.lines[0])
    return found


def text_field(name: str, label: str, value: str, hint: str) -> Field:
    """A field for words."""
    return Field(name, label, (value,) if value else (), hint)


def hidden_field(name: str, label: str, values: Sequence[str]) -> Field:
    """A field that links set, not the form; the form keeps it."""
    return Field(name, label, tuple(values), is_hidden=True)


def with_deleted(asked: PageRequest, problems: Problems) -> bool:
    """Return whether deleted rows are listed too, as ``--deleted`` and the REST API's ``deleted`` do."""
    given = asked.many(DELETED)
    return "true" in problems.only("Deleted", [value.lower() for value in given], ("true", "false"))


def deleted_field(*, is_shown: bool) -> Field:
    """The field that links set to list deleted rows too; its chip says so."""
    options = (FilterOption("true", "listed too", is_shown),)
    return Field(DELETED, "Deleted", ("true",) if is_shown else (), options=options, is_hidden=True)


def moment_field(name: str, label: str, value: str, zone: str) -> Field:
    """A field for a date and time, as clocks show it in a time zone."""
    return Field(name, label, (value,) if value else (), zone=zone or "UTC")


def fixed_field(name: str, label: str, chosen: Sequence[str], labels: Mapping[str, str]) -> Field:
    """A field with choices that are always the same."""
    options = tuple(FilterOption(value, words, value in chosen) for value, words in labels.items())
    return Field(name, label, tuple(chosen), options=options)


def status_field(chosen: Sequence[str], badges: Mapping[str, text.Badge]) -> Field:
    """The field for the shown status, each with its colour."""
    options = tuple(FilterOption(value, badge.text, value in chosen, badge.tone) for value, badge in badges.items())
    return Field("status", "Status", tuple(chosen), options=options)


def quick(fields: Iterable[Field], url: Callable[..., str]) -> list[Quick]:
    """Return links that show one status alone, and all of them.

    :param url: makes the address of the list with other values of some fields
    """
    status = next(field for field in fields if field.name == "status")
    return [
        Quick("All", url(status="", page=""), "", not status.values),
        *(
            Quick(option.label, url(status=option.value, page=""), option.tone, status.values == (option.value,))
            for option in status.options or ()
        ),
    ]


def found_field(name: str, label: str, chosen: Sequence[str], choices: FilterChoices) -> Field:
    """A field with the choices that the index holds; what is chosen comes first."""
    more = f"The first {CAP} are listed; type another one" if choices.is_capped else ""
    return Field(name, label, tuple(chosen), options=_options(chosen, choices), more=more)


def owners_of(asked: PageRequest) -> tuple[str, ...]:
    """Return the owners asked for, picked and typed."""
    typed = (name.strip() for name in asked.one(TYPED_OWNERS).split(","))
    return tuple(dict.fromkeys([*asked.many("owner"), *(name for name in typed if name)]))


def owner_field(asked: PageRequest, choices: FilterChoices) -> Field:
    """The field for owners, picked or typed; where there are many they are looked for while somebody types."""
    chosen = owners_of(asked)
    find_url = asked.urls.page(owners.PAGE, {"for": "filter"}) if choices.is_capped else ""
    shown = FilterChoices(choices.values[: owners.OFFERED], True) if choices.is_capped else choices
    options = _options(chosen, shown)
    return Field("owner", "Owner", chosen, options=options, find_url=find_url, typed=TYPED_OWNERS)


def folder_field(asked: PageRequest) -> Field:
    """The field for folders: a tree of several levels, in which a folder means those below it too."""
    chosen = asked.many("folder")
    tree = folders.tree(asked, chosen)
    shown = folders.paths(tree)
    elsewhere = tuple(FilterOption(path, path, is_chosen=True) for path in chosen if path not in shown)
    find_url = asked.urls.page(folders.PAGE)
    return Field("folder", "Folder", chosen, options=elsewhere, find_url=find_url, tree=tree)


def _options(chosen: Sequence[str], choices: FilterChoices) -> tuple[FilterOption, ...]:
    """What is chosen comes first."""
    others = [value for value in choices.values if value not in chosen]
    return tuple(FilterOption(value, value, value in chosen) for value in [*chosen, *others])
