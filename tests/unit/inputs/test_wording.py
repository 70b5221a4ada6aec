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
