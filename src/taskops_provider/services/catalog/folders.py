"""The folders of workflows as a tree: ``bundle/dir/sub`` (requirements A8, A19, B22)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from taskops_provider.domain.states import TaskState
from taskops_provider.models import Workflow
from taskops_provider.services.shared.actor import Actor
from taskops_provider.services.shared.filter_size import check_text

#: a tree of more folders than this is given level by level
MOST_AT_ONCE = 250
#: folders of one level that are given, and folders that a search gives
MOST_IN_A_LEVEL = 500
MOST_FOUND = 100


@dataclass(frozen=True)
class Folder:
    """A folder.

    :param workflows: how many are in it and below it
    :param below: the folders in it; None where there are some that were not asked for
    """

    path: str
    name: str
    workflows: int
    below: Folders | None


@dataclass(frozen=True)
class Folders:
    """Some folders.

    :param is_capped: there are more than are given
    """

    folders: tuple[Folder, ...] = ()
    is_capped: bool = False


def folder_tree(session: Session, actor: Actor, chosen: Collection[str]) -> Folders:
    """Return the top of the tree, all of it where it is small, else opened as far as the chosen folders. One query."""
    counts = _with_parents(_counts(session, actor))
    wanted = {parent for path in chosen for parent in _parents(path.rstrip("/"))}
    everything = len(counts) <= MOST_AT_ONCE
    return _level(counts, _children(counts), "", opened=None if everything else wanted)


def folders_below(session: Session, actor: Actor, under: str) -> Folders:
    """Return the folders that are directly in one, each without its own. One query.

    :raises BadInput: for a text that is longer than any folder
    """
    check_text(under)
    under = under.rstrip("/")
    counts = _with_parents(_counts(session, actor, under))
    return _level(counts, _children(counts), under, opened=())


def find_folders(session: Session, actor: Actor, part: str) -> Folders:
    """Return folders of any level whose path has a part in it, in any case, each without its own. One query.

    :raises BadInput: for a text that is too long
    """
    check_text(part)
    counts = _with_parents(_counts(session, actor))
    wanted = part.casefold()
    found = sorted(path for path in counts if wanted in path.casefold())
    folders = tuple(Folder(path, path, counts[path], Folders()) for path in found[:MOST_FOUND])
    return Folders(folders, len(found) > MOST_FOUND)


def _counts(session: Session, actor: Actor, under: str = "") -> dict[str, int]:
    """How many workflows that may be read are in each folder itself, of those that lists show."""
    query = (
        select(Workflow.folder, func.count().label("workflows"))
        .where(Workflow.is_present.is_(True), Workflow.default_state != TaskState.DELETED.value)
        .group_by(Workflow.folder)
    )
    readable = actor.permissions.readable()
    if readable is not None:
        query = query.where(Workflow.dag_id.in_(readable))
    if under:
        below = Workflow.folder.startswith(f"{under}/", autoescape=True)
        query = query.where(or_(Workflow.folder == under, below))
    return {row.folder: row.workflows for row in session.execute(query)}


def _parents(path: str) -> list[str]:
    """The folders that a path leads through, the outermost first, itself left out."""
    parts = path.split("/")
    # a site's own folders may begin with a slash: nothing is in front of it
    return [parent for end in range(1, len(parts)) if (parent := "/".join(parts[:end]))]


def _with_parents(own: Mapping[str, int]) -> dict[str, int]:
    counts = dict(own)
    for path, workflows in own.items():
        for parent in _parents(path):
            counts[parent] = counts.get(parent, 0) + workflows
    return counts


def _children(paths: Iterable[str]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {}
    for path in paths:
        children.setdefault(path.rpartition("/")[0], []).append(path)
    return children


def _level(
    counts: Mapping[str, int], children: Mapping[str, list[str]], under: str, *, opened: Collection[str] | None
) -> Folders:
    """The folders directly in one.

    :param opened: those whose own folders are given too; None: of all
    """
    paths = sorted(children.get(under, ()), key=lambda path: (path.casefold(), path))

    def folder(path: str) -> Folder:
        is_open = opened is None or path in opened or path not in children
        below = _level(counts, children, path, opened=opened) if is_open else None
        return Folder(path, path.rpartition("/")[2], counts[path], below)

    # what was asked to be opened is there, however many there are
    given = paths[:MOST_IN_A_LEVEL] + [path for path in paths[MOST_IN_A_LEVEL:] if path in (opened or ())]
    return Folders(tuple(map(folder, given)), len(paths) > MOST_IN_A_LEVEL)
