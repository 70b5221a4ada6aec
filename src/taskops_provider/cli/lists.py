"""The lists of workflows and tasks: one page, or everything as it comes from the database."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from taskops_provider.cli.output import Columns, print_list
from taskops_provider.cli.run import Work
from taskops_provider.cli.text import say
from taskops_provider.exceptions import BadInput
from taskops_provider.services.shared.paging import MAX_LIMIT, Page


def print_page(
    args: Namespace,
    work: Work,
    where: Any,
    list_page: Callable[..., Page[Any]],
    walk: Callable[..., Iterator[Any]],
    columns: Columns,
    what: str,
) -> None:
    """Print what ``--limit``, ``--offset`` and ``--order-by`` choose of a list.

    :raises BadInput: for a page or a column that cannot be
    """
    if args.offset < 0:
        raise BadInput(f"offset is {args.offset}; allowed are 0 and more")
    if args.limit is not None and args.limit < 1:
        raise BadInput(f"limit is {args.limit}; allowed are 1 and more")
    total = None
    rows: Iterator[Any]
    if args.limit is not None and args.limit <= MAX_LIMIT:
        page = list_page(
            work.session,
            work.actor,
            where,
            work.now,
            limit=args.limit,
            offset=args.offset,
            order_by=args.order_by,
        )
        rows, total = iter(page.rows), page.total_entries
    else:
        found = walk(work.session, work.actor, where, work.now, order_by=args.order_by)
        rows = islice(found, args.offset, None if args.limit is None else args.offset + args.limit)
    shown = print_list(rows, columns, args.output, empty=f"no {what} matches")
    if total is not None and shown and args.output == "table" and total > shown:
        say(f"{args.offset + 1} to {args.offset + shown} of {total:,}")
