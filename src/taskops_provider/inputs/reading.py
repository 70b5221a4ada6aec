"""Reading an input by its model, the same on every surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from taskops_provider.inputs.problems import InvalidInput, Path, dotted

Model = TypeVar("Model", bound=BaseModel)


def read(
    model: type[Model], values: Mapping[str, Any], *, name: Callable[[Path], str] = dotted, at: Path = ()
) -> Model:
    """Read an input.

    :param name: how the surface names fields: :func:`dotted` or :func:`flag`
    :param at: the place of the values in a greater input
    :raises InvalidInput: one line about the first field that is not valid
    """
    try:
        return model.model_validate(values)
    except ValidationError as invalid:
        errors = [{**error, "loc": (*at, *error["loc"])} for error in invalid.errors(include_url=False)]
        raise InvalidInput(errors, list(model.model_fields), name) from None
