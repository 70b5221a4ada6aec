"""What is not valid is told in one wording, for every field of every input: ``X is Y; allowed are ...``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

import taskops_provider.api.app  # noqa: F401  # all inputs are loaded with it
from taskops_provider.inputs.fields import Input
from taskops_provider.inputs.problems import dotted, flag, problem

#: of each kind of JSON one that some field takes and others do not
GIVEN = ("maybe", "", 7, -7, 10**30, 1.5, None, True, [], ["x", {}], {}, {"x": 1}, "x" * 20_000, "a\0b", [{}] * 1_100)

VALUE = r"('.*'(\.\.\.)?|\"[^\"]*\"|-?[\d.e+]+(\.\.\.)?|null|true|false|a list|an object)"
#: what may stand behind the name of the field
WORDINGS = (
    rf" is {VALUE}; allowed (is|are) \S",
    r" has [\d,]+ characters; at most [\d,]+ are kept",
    r" has (no|[\d,]+|more) entries; at (most|least) [\d,]+ (are taken|is needed)",
    r" is missing(; allowed are .*)?$",
    r" is empty; allowed is HH:MM, as 08:00$",
    r" cannot be chosen: name a channel that an administrator released",
    r" names nobody$",
    r" is empty; leave it out to match everything$",
    r" holds a zero byte, which no text may$",
    r" is beyond the times that can be kept$",
    r" holds a whole number of more than 64 bits$",
)


#: about the whole of several fields, or about one that does not exist
OTHERWISE = ("sentence", "extra_forbidden")


def inputs(kind: type[BaseModel] = Input) -> Iterator[type[BaseModel]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith("taskops_provider"):
            yield below
        yield from inputs(below)


def errors(model: type[BaseModel], name: str, value: object) -> list[dict[str, object]]:
    """What is wrong with a field alone."""
    try:
        model.model_validate({name: value})
    except ValidationError as invalid:
        return [dict(error) for error in invalid.errors()[:20] if error["loc"][:1] == (name,)]
    return []


ALL = sorted(set(inputs()), key=lambda model: (model.__module__, model.__qualname__))


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
def test_a_field_that_is_not_valid_is_told_in_one_wording(model):
    for field, described in model.model_fields.items():
        name = described.alias or field
        for value in GIVEN:
            for error in errors(model, name, value):
                lines = {name_of: problem(error, name_of(error["loc"])) for name_of in (dotted, flag)}
                if error["type"] in OTHERWISE:
                    continue
                words, again = (line.removeprefix(name_of(error["loc"])) for name_of, line in lines.items())
                assert words == again
                assert any(re.match(one, words) for one in WORDINGS), lines


def unbounded(schema: object, place: str = "") -> Iterator[str]:
    """Where a schema has a list of any length."""
    parts = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    if isinstance(schema, dict) and schema.get("type") == "array" and "maxItems" not in schema:
        yield place
    for name, part in parts:
        yield from unbounded(part, f"{place}/{name}")


@pytest.mark.parametrize("model", ALL, ids=lambda model: model.__name__)
def test_no_input_takes_long_to_be_refused(model):
    """Each error takes time in which the API server answers nobody: there are few, whatever is sent."""
    assert list(unbounded(model.model_json_schema())) == []
    sent = {f"x{number}": number for number in range(50_000)}
    with pytest.raises(ValidationError) as invalid:
        model.model_validate({**sent, next(iter(model.model_fields), "y"): None})
    told = invalid.value.errors()
    assert len(told) <= len(model.model_fields) + 25
    assert any(error["type"] == "extra_forbidden" for error in told)
