"""The tree of folders in the filter form (requirements A19, B22)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from taskops_provider.services.catalog import folders
from taskops_provider.www.page_request import PageRequest
from taskops_provider.www.urls import Urls

PAGE = "folders"


@dataclass(frozen=True)
class Node:
    """A folder in the tree.

    :param is_open: a folder below it is chosen
    :param url: where the folders in it come from, when they are not here; empty where they are
    """

    path: str
    name: str
    workflows: str
    is_chosen: bool
    is_open: bool
    url: str
    below: FolderLevel


@dataclass(frozen=True)
class FolderLevel:
    """Folders beside each other.

    :param more: that there are more of them; empty where all are here
    """

    nodes: tuple[Node, ...] = ()
    more: str = ""


def tree(asked: PageRequest, chosen: Collection[str]) -> FolderLevel:
    """Return the top of the tree, as far down as it is given at once."""
    found = folders.folder_tree(asked.session, asked.actor, chosen)
    return _level(found, asked.urls, chosen, only=len(found.folders) == 1)


def paths(level: FolderLevel) -> set[str]:
    """The folders that a tree shows, of all levels."""
    return {path for node in level.nodes for path in (node.path, *paths(node.below))}


@dataclass(frozen=True)
class FolderPart:
    """What the template ``lists/folder_level.html`` shows.

    :param asked: what was searched for
    """

    level_of: FolderLevel
    is_search: bool
    asked: str


def folder_part(asked: PageRequest) -> FolderPart:
    """Return the folders in one, or those that a search finds."""
    under, part = asked.one("under"), asked.one("q")
    if under:
        found = folders.folders_below(asked.session, asked.actor, under)
    elif part:
        found = folders.find_folders(asked.session, asked.actor, part)
    else:
        found = folders.Folders()
    return FolderPart(_level(found, asked.urls, ()), is_search=not under, asked=part)


def _level(found: folders.Folders, urls: Urls, chosen: Collection[str], *, only: bool = False) -> FolderLevel:
    """:param only: there is one at the top: it is open"""
    nodes = tuple(_node(folder, urls, chosen, only=only) for folder in found.folders)
    return FolderLevel(nodes, "There are more: search for them" if found.is_capped else "")


def _node(folder: folders.Folder, urls: Urls, chosen: Collection[str], *, only: bool) -> Node:
    is_here = folder.below is not None
    return Node(
        path=folder.path,
        name=folder.name,
        workflows=f"{folder.workflows:,}",
        is_chosen=folder.path in chosen,
        is_open=is_here and (only or any(path.startswith(f"{folder.path}/") for path in chosen)),
        url="" if is_here else urls.page(PAGE, {"under": folder.path}),
        below=_level(folder.below, urls, chosen) if folder.below else FolderLevel(),
    )
