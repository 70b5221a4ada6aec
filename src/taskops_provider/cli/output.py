"""Answers on stdout, as a table, JSON, YAML or plain columns.

Airflow's own console turns every number and null into a string, so JSON is written here. Lists are written row by
row: a hundred thousand rows do not sit in memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from taskops_provider.cli import tables
from taskops_provider.cli.text import cell, out, say
from taskops_provider.domain.answers import to_plain_data
from taskops_provider.domain.text import json_text

Row = Mapping[str, Any]
#: heading -> how to get the cell from a row
Columns = Mapping[str, Callable[[Any], Any]]

STRUCTURED = ("json", "yaml")


def print_object(value: Row, output: str) -> None:
    """Print one object as JSON or YAML."""
    if output == "json":
        out(json_text(value, indent=2))
    else:
        sys.stdout.write(_yaml(value))


def print_rows(rows: Iterable[Row], output: str) -> None:
    """Print a list as JSON, one object a line, or as YAML, as it comes."""
    if output == "yaml":
        _print_yaml_rows(rows)
        return
    separator = "[\n"
    for row in rows:
        sys.stdout.write(separator + json_text(row))
        separator = ",\n"
    out("\n]" if separator != "[\n" else "[]")


def _print_yaml_rows(rows: Iterable[Row]) -> None:
    found = False
    for row in rows:
        found = True
        sys.stdout.write(_yaml([row]))
    if not found:
        out("[]")


def _yaml(value: Any) -> str:
    from airflow.utils import yaml

    # by way of JSON: plain types only
    return yaml.dump(json.loads(json_text(value)), sort_keys=False, allow_unicode=True)


def print_table(rows: Iterable[Any], columns: Columns, output: str, *, empty: str) -> int:
    """Print a list as a table or as plain columns; return how many rows there were.

    :param empty: what to say when there are none
    """
    body = [[cell(value(row)) for value in columns.values()] for row in rows]
    if not body:
        # plain is for pipes: no rows are no lines
        (say if output == "plain" else out)(empty)
        return 0
    header = list(columns)
    if output == "table":
        # programs that read plain columns count them; people are spared the empty ones
        told = [number for number in range(len(header)) if any(row[number] for row in body)]
        header, body = [header[n] for n in told], [[row[n] for n in told] for row in body]
    for line in tables.lines(header, body, ruled=output == "table"):
        out(line)
    return len(body)


def print_details(details: Mapping[str, Any]) -> None:
    """Print names and values in two columns; what has no value is left out."""
    shown = {name: text for name, value in details.items() if (text := cell(value))}
    width = max(map(len, shown), default=0)
    for name, text in shown.items():
        out(f"{name:<{width}}  {text}")


def print_list(rows: Iterable[Any], columns: Columns, output: str, *, empty: str) -> int | None:
    """Print a list in the chosen format; return how many rows a table had, None for JSON and YAML."""
    if output in STRUCTURED:
        print_rows(map(to_plain_data, rows), output)
        return None
    return print_table(rows, columns, output, empty=empty)


def heading(text: str, rows: Sequence[Any] | None = None) -> None:
    """Print a heading, set off by an empty line."""
    if rows is None or rows:
        out()
        out(text)
