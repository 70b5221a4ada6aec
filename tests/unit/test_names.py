"""Names that stand for one thing each."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import taskops_provider

PACKAGE = Path(taskops_provider.__file__).parent
#: a table, what the API says of it and the class in between may well share a name
MAY_SHARE = ("models/", "api/datamodels/")


def test_no_class_name_stands_twice():
    """A reader who meets a class by name finds one definition."""
    places = defaultdict(list)
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith(MAY_SHARE):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(place)
    assert len(places) > 200
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
