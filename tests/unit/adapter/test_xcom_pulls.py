"""Whose results a task takes, however ``xcom_pull`` is written (case 18)."""

from __future__ import annotations

import ast
import time

import pytest

from taskops_provider.adapter import xcom_pulls
from taskops_provider.adapter.xcom_pulls import Pulls, pulls_of_code, pulls_of_templates

EXTRACT = Pulls(frozenset({"extract"}))
UNKNOWN = Pulls(is_known=False)


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ ti.xcom_pull('extract') }}", EXTRACT),
        ("{{ ti.xcom_pull(task_ids='extract', key='path') }}", EXTRACT),
        ("{{ ti.xcom_pull(key='path', task_ids='extract') }}", EXTRACT),
        ("{{ ti.xcom_pull(dag_id='d', task_ids='extract') }}", EXTRACT),
        ("{{ ti.xcom_pull(map_indexes=None, task_ids='extract') }}", EXTRACT),
        ("{{ task_instance.xcom_pull(key='path', task_ids=['extract']) }}", EXTRACT),
        (
            '{{ ti.xcom_pull(key="a)b", task_ids=("extract", "load"))[0] | upper }}',
            Pulls(frozenset({"extract", "load"})),
        ),
        ("{{ ti.xcom_pull (\n  task_ids = {'extract'},\n  default=[1, (2, 3)]\n) }}", EXTRACT),
        ("{{ ti.xcom_pull('ex' + 'tract') }}", EXTRACT),
        ("{% set who = 'extract' %}{{ ti.xcom_pull(who) }}", EXTRACT),
        ("{% set who = ['extract'] -%}{{ ti.xcom_pull(task_ids=who) }}", EXTRACT),
        (
            "{{ ti.xcom_pull('extract')['x'] }} {{ ti.xcom_pull(key='k', task_ids='load') }}",
            Pulls(frozenset({"extract", "load"})),
        ),
        ("{{ ti.xcom_pull(task_ids='extract', dag_id=dag.dag_id) }}", EXTRACT),
        ("{{ ti.xcom_pull('extract', 'other') }}", Pulls()),
        ("{{ ti.xcom_pull(task_ids='extract', dag_id='other') }}", Pulls()),
        ("{{ ti.xcom_pull(key='own') }}", Pulls()),
        ("{{ ti.xcom_pull(task_ids=None, key='own') }}", Pulls()),
        ("{{ ti.xcom_pull(params.who) }}", UNKNOWN),
        ("{{ ti.xcom_pull(task_ids=['extract', params.who]) }}", Pulls(frozenset({"extract"}), is_known=False)),
        ("{{ ti.xcom_pull(**params.how) }}", UNKNOWN),
        ("{{ ti.xcom_pull(task_ids='extract' ~ n) }}", UNKNOWN),
        ("{{ ti['xcom_pull']('extract') }}", UNKNOWN),
        ("{{ ti.xcom_pull('extract'", UNKNOWN),
        ("echo nothing", Pulls()),
    ],
)
def test_templates(template, found):
    assert pulls_of_templates({"bash_command": template}, "d") == found
    assert pulls_of_templates({"env": {"__var": {"X": ["a", template]}}}, "d") == found


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("xcom_pull(" * 9000, UNKNOWN),
        ("{% set a=" * 10_000 + "xcom_pull('extract')", EXTRACT),
        ("{% set a=x" + " " * 90_000 + "xcom_pull('extract')", EXTRACT),
        ("{% set a=" * 5000 + "%}" * 5000 + "xcom_pull(a)", UNKNOWN),
        ("xcom_pull(" + "+".join(["'a'"] * 20_000) + ")", UNKNOWN),
        ("xcom_pull(" + "+".join(["'a'"] * 1200) + ")", Pulls(frozenset({"a" * 1200}))),
        ("xcom_pull(" + "-" * 90_000 + "1)", UNKNOWN),
        ("xcom_pull(" + "(" * 90_000, UNKNOWN),
    ],
    ids=["calls", "sets", "blanks", "blocks", "long sum", "sum", "signs", "brackets"],
)
def test_a_template_that_is_made_to_take_long_does_not(template, found):
    """Nine thousand calls without an end took two minutes, in the request that plans."""
    began = time.monotonic()
    assert pulls_of_templates({"bash_command": template}, "d") == found
    assert time.monotonic() - began < 2


SOURCE = """
WHO = "extract"
MANY = ["extract", "load"]
again = "a"
again = "b"

def named(ti): return ti.xcom_pull(key="k", task_ids="extract")
def constant(ti): return ti.xcom_pull(task_ids=WHO)
def several(**kw): return kw["ti"].xcom_pull(task_ids=MANY)
def local(ti):
    source = "extract"
    return ti.xcom_pull(source)
def changing(ti): return ti.xcom_pull(again)
def argument(who, ti): return ti.xcom_pull(who)
def nothing(): return 1
def handed_on(ti): return helper(ti)
def nested(context):
    def inner(): return context["ti"].xcom_pull(task_ids="extract")
    return inner()
"""


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("named", EXTRACT),
        ("constant", EXTRACT),
        ("several", Pulls(frozenset({"extract", "load"}))),
        ("local", EXTRACT),
        ("changing", UNKNOWN),
        ("argument", UNKNOWN),
        ("nothing", Pulls()),
        ("handed_on", UNKNOWN),
        ("factory.<locals>.nested", EXTRACT),
        ("imported", UNKNOWN),
    ],
)
def test_code(monkeypatch, name, found):
    monkeypatch.setattr(xcom_pulls.DagCode, "code", lambda dag_id, session: SOURCE)
    assert ast.parse(SOURCE)
    assert pulls_of_code(None, "d", {"t": name}) == {"t": found}


def test_code_that_is_none(monkeypatch):
    monkeypatch.setattr(xcom_pulls.DagCode, "code", lambda dag_id, session: "PK\x03\x04")
    assert pulls_of_code(None, "d", {"t": "f"}) == {"t": UNKNOWN}


def test_code_that_is_made_to_take_long_does_not(monkeypatch):
    body = "    ti.x(1)\n" * 2000
    monkeypatch.setattr(xcom_pulls.DagCode, "code", lambda dag_id, session: f"def f(ti):\n{body}")
    began = time.monotonic()
    assert pulls_of_code(None, "d", {str(number): "f" for number in range(2000)})["7"] == Pulls()
    monkeypatch.setattr(xcom_pulls.DagCode, "code", lambda dag_id, session: "#" * 3_000_000)
    assert pulls_of_code(None, "d", {"t": "f"}) == {"t": UNKNOWN}
    monkeypatch.setattr(
        xcom_pulls.DagCode, "code", lambda dag_id, session: f"def f(ti): ti.xcom_pull({'+'.join(['x'] * 2000)})"
    )
    assert pulls_of_code(None, "d", {"t": "f"}) == {"t": UNKNOWN}
    assert time.monotonic() - began < 5
