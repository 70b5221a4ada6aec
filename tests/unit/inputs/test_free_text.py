"""The gate for free text and free JSON: what passes can be kept by every database and read back (issue 12, S5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.free_text import MAX_DEPTH, MAX_JSON_LENGTH, json_problem, read_json, read_object


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": "\ud800"}, "is not valid Unicode"),
        ({"\udfff": 1}, "is not valid Unicode"),
        ([["a\0b"]], "zero byte"),
        ({"a": float("nan")}, "holds nan"),
        ({"a": [float("-inf")]}, "holds -inf"),
        ({"a": 2**63}, "more than 64 bits"),
        ({"a": b"x"}, "holds a bytes"),
        (nested(MAX_DEPTH + 1), "nested too deep"),
        ("x" * (MAX_JSON_LENGTH + 1), "too long"),
        ([1] * (MAX_JSON_LENGTH + 1), "too long"),
    ],
)
def test_what_cannot_be_kept_is_named(value, said):
    problem = json_problem(value)
    assert problem is not None
    assert said in problem


@pytest.mark.parametrize("value", [{"a": ["b", 1, 1.5, None, True, {"😀": -(2**63) + 1}]}, nested(MAX_DEPTH), ""])
def test_what_can_be_kept_passes(value):
    assert json_problem(value) is None
    assert read_json(json.dumps(value), "it") == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "--conf is no JSON"),
        ("[" * 60_000, "--conf is nested too deep"),
        ('{"a": "\\ud800"}', "--conf is not valid Unicode"),
        ('{"a": NaN}', "--conf holds nan"),
        ('{"a": 1e999}', "--conf holds inf"),
        ('{"a": ' + "9" * 5000 + "}", "--conf is no JSON"),
        ('"' + "x" * MAX_JSON_LENGTH + '"', "--conf is too long"),
        ("[]", "--conf is '[]'; allowed is a JSON object"),
    ],
)
def test_a_text_that_is_no_json_object_is_refused_in_a_line(text, said):
    with pytest.raises(BadInput) as refused:
        read_object(text, "--conf")
    assert said in str(refused.value)
    assert len(str(refused.value)) < 200
