"""Whose results a task takes by ``xcom_pull``, however it is written: in its templates, and in the code of its file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from airflow.models.dagcode import DagCode
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

_NAME = "xcom_pull"
_CALL = re.compile(r"xcom_pull\s*\(")
#: ``set x = ...``, between the marks of a template
_SET = re.compile(r"set\s+(\w+)\s*=(.+)", re.DOTALL)
#: what functions get to the instance by, and so what they may hand on
_HANDS_ON = frozenset({"ti", "task_instance", "context", "kwargs"})
#: a template is not looked at further
_LONGEST = 100_000
#: calls of a template that are looked at, characters of one of them, and of a file
_MOST_CALLS = 100
_LONGEST_CALL = 5000
_LONGEST_FILE = 2_000_000


class Pulls(NamedTuple):
    """What is known of the results that a task takes.

    :param task_ids: of tasks whose results it takes
    :param is_known: whether these are all
    """

    task_ids: frozenset[str] = frozenset()
    is_known: bool = True

    def with_others(self, others: Iterable[Pulls]) -> Pulls:
        """Return what is known altogether."""
        every = [self, *others]
        return Pulls(frozenset().union(*(one.task_ids for one in every)), all(one.is_known for one in every))


def pulls_of_templates(document: Mapping[str, Any], dag_id: str) -> Pulls:
    """Return what the templates of a task's stored form pull."""
    return Pulls().with_others(_of_template(text[:_LONGEST], dag_id) for text in _texts(document) if _NAME in text)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from _texts(one)


def _of_template(text: str, dag_id: str) -> Pulls:
    known = {name: found for name, value in _set_in(text) if (found := _parsed(value)) is not None}
    calls = list(islice(_CALL.finditer(text), _MOST_CALLS + 1))
    if not calls:
        return Pulls(is_known=False)  # it is named, so it is called some other way
    all_of_them = Pulls(is_known=len(calls) <= _MOST_CALLS)
    texts = (text[call.end() : call.end() + _LONGEST_CALL] for call in calls[:_MOST_CALLS])
    return all_of_them.with_others(_of_text_call(one, dag_id, known) for one in texts)


def _set_in(text: str) -> Iterator[tuple[str, str]]:
    """Yield what variables of a template are set to, as it is written there."""
    for block in islice(text.split("{%"), 1, _MOST_CALLS):
        inside, end, _ = block.partition("%}")
        if end and len(inside) <= _LONGEST_CALL and (found := _SET.match(inside.strip("-").strip())):
            yield found[1], found[2].strip()


def _of_text_call(text: str, dag_id: str, known: Mapping[str, ast.expr]) -> Pulls:
    """Read a call from after its opening bracket on."""
    depth, quote = 1, ""
    for at, letter in enumerate(text):
        if quote:
            if letter == quote and text[at - 1] != "\\":
                quote = ""
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if not depth:
                call = _parsed(f"f({text[:at]})")
                return of_call(call, dag_id, known) if isinstance(call, ast.Call) else Pulls(is_known=False)
    return Pulls(is_known=False)


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def of_call(call: ast.Call, dag_id: str, known: Mapping[str, ast.expr]) -> Pulls:
    """Return what a call of ``xcom_pull`` takes.

    :param known: what variables stand for
    """
    given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    given |= dict(zip(("task_ids", "dag_id", "key"), call.args, strict=False))
    if any(keyword.arg is None for keyword in call.keywords) or any(isinstance(one, ast.Starred) for one in call.args):
        return Pulls(is_known=False)
    other = given.get("dag_id")
    if isinstance(other, ast.Constant) and other.value not in (None, dag_id):
        return Pulls()  # of another Dag: nothing in this one makes it
    wanted = given.get("task_ids")
    if isinstance(wanted, ast.Name):
        wanted = known.get(wanted.id, wanted)
    if wanted is None or (isinstance(wanted, ast.Constant) and wanted.value is None):
        return Pulls()  # its own
    parts = wanted.elts if isinstance(wanted, ast.List | ast.Tuple | ast.Set) else [wanted]
    texts = [_text(part, known) for part in parts]
    return Pulls(frozenset(text for text in texts if text is not None), None not in texts)


def _text(part: ast.expr, known: Mapping[str, ast.expr]) -> str | None:
    """A text, also if it is put together of several: of any number, so it does not recurse."""
    if isinstance(part, ast.Name):
        part = known.get(part.id, part)
    rest, found = [part], []
    while rest:
        one = rest.pop()
        if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Add):
            rest += [one.right, one.left]
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            found.append(one.value)
        else:
            return None
    return "".join(found)


def pulls_of_code(session: Session, dag_id: str, callables: Mapping[str, str]) -> dict[str, Pulls]:
    """Return what Python tasks pull in the code of their Dag's file; a function from elsewhere is not known. One query.

    :param callables: task id -> the name of its function
    """
    try:
        source = DagCode.code(dag_id, session=session)
        if len(source) > _LONGEST_FILE:
            return dict.fromkeys(callables, Pulls(is_known=False))
        tree = ast.parse(source)
    except DBAPIError:
        raise
    except Exception:  # there is no code, or it is none of Python's: a zip file's, say
        return dict.fromkeys(callables, Pulls(is_known=False))
    known = _constants(tree)
    functions: dict[str, list[ast.AST]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions.setdefault(node.name, []).append(node)
    # many tasks may have one function
    names = {name.rpartition(".")[2] for name in callables.values()}
    found = {name: _of_functions(functions.get(name, []), dag_id, known) for name in names}
    return {task_id: found[name.rpartition(".")[2]] for task_id, name in callables.items()}


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """What the names of a file stand for that are given one value for good."""
    found: dict[str, ast.expr] = {}
    again: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            again |= {name} & set(found)
            found[name] = node.value
    return {name: value for name, value in found.items() if name not in again}


def _of_functions(functions: list[ast.AST], dag_id: str, known: Mapping[str, ast.expr]) -> Pulls:
    if not functions:
        return Pulls(is_known=False)
    calls = [node for function in functions for node in ast.walk(function) if isinstance(node, ast.Call)]
    return Pulls().with_others(_of_python_call(call, dag_id, known) for call in calls)


def _of_python_call(call: ast.Call, dag_id: str, known: Mapping[str, ast.expr]) -> Pulls:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name == _NAME:
        return of_call(call, dag_id, known)
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    hands_on = any(isinstance(one, ast.Name) and one.id in _HANDS_ON for one in given)
    return Pulls(is_known=not hands_on)
