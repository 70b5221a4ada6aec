"""What TaskOps uses of Airflow, and whether this version of Airflow has it.

``adapter/internals.py`` is written by ``pytest tests/contract/test_airflow_internals.py --update-golden``.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taskops_provider.adapter import internals
from taskops_provider.adapter.internals import INTERNALS, missing_internals

SOURCE = Path(internals.__file__).parents[1]
FILE = Path(internals.__file__)
#: they ask for what only some versions have, inside functions
OF_SOME_VERSIONS = [SOURCE / "adapter" / name for name in ("compatibility.py", "loops.py")]


class Uses(ast.NodeVisitor):
    """Collects what a module imports of Airflow, and which attributes of that it reads."""

    def __init__(self, *, everywhere: bool) -> None:
        self.everywhere = everywhere
        self.found: dict[str, set[str]] = defaultdict(set)
        self._names: dict[str, tuple[str, str]] = {}
        self._is_inside = False

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        before, self._is_inside = self._is_inside, True
        self.generic_visit(node)
        self._is_inside = before

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if module.split(".")[0] != "airflow" or (self._is_inside and not self.everywhere):
            return
        for alias in node.names:
            self._names[alias.asname or alias.name] = (module, alias.name)
            self.found[module].add(alias.name)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id in self._names and self.everywhere:
            module, name = self._names[node.value.id]
            self.found[module].add(f"{name}.{node.attr}")


def uses() -> dict[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(SOURCE.rglob("*.py")):
        visitor = Uses(everywhere=path not in OF_SOME_VERSIONS)
        visitor.visit(ast.parse(path.read_text()))
        for module, names in visitor.found.items():
            found[module] |= names
    return {module: sorted(names) for module, names in sorted(found.items())}


def written() -> Iterator[str]:
    head, _, rest = FILE.read_text().partition("INTERNALS: ")
    yield f"{head}INTERNALS: dict[str, tuple[str, ...]] = {{\n"
    for module, names in uses().items():
        yield f'    "{module}": (\n'
        yield from (f'        "{name}",\n' for name in names)
        yield "    ),\n"
    yield "}\n" + rest.partition("\n}\n")[2]


def test_the_inventory_lists_what_the_sources_use(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("update_golden"):
        FILE.write_text("".join(written()))
        pytest.skip("written")
    assert {module: list(names) for module, names in INTERNALS.items()} == uses(), "write it anew: see above"


def test_this_version_of_airflow_has_all_of_it() -> None:
    assert missing_internals() == []


def test_what_a_version_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.models.taskinstance import TaskInstance

    monkeypatch.setitem(INTERNALS, "airflow.models.taskinstance", ("TaskInstance.no_such_column", "TaskInstance.id"))
    monkeypatch.setitem(INTERNALS, "airflow.no_such_module", ("anything",))
    assert TaskInstance.id is not None
    assert missing_internals() == ["airflow.models.taskinstance.TaskInstance.no_such_column", "airflow.no_such_module"]


def test_a_module_that_fails_in_any_way_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> Any:
        raise RuntimeError("no such setting")

    monkeypatch.setattr(internals, "import_module", fails)
    assert missing_internals() == sorted(INTERNALS)
