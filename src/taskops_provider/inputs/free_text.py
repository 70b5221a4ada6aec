"""The one gate for free text and free JSON: what people and programs write, on every surface.

What passes can be kept by every database and read back by everybody: text encodes to UTF-8 and has no zero byte;
JSON is of bounded size and depth, with finite numbers. Everything else is refused before anything is written, because
a row that cannot be read breaks lists for everybody, Airflow's own too.

Rows that were kept before are not read through it again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from taskops_provider.domain.answers import Json
from taskops_provider.exceptions import BadInput
from taskops_provider.inputs.problems import predicate

#: levels of objects and lists in each other
MAX_DEPTH: Final = 20
#: characters of the JSON as text
MAX_JSON_LENGTH: Final = 65_536
#: characters of a text that has no bound of its own
MAX_TEXT_LENGTH: Final = 10_000
#: what a whole number of 64 bits holds: databases and JavaScript take no greater ones
_MAX_WHOLE: Final = 2**63 - 1


def text_problem(text: str) -> str | None:
    """Return what keeps a text from being kept, as words behind its name; None: nothing."""
    if "\0" in text:
        return "holds a zero byte, which no text may"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode: it holds half of a surrogate pair"
    return None


def json_problem(value: Any) -> str | None:
    """Return what keeps a value from being kept as JSON, as words behind its name; None: nothing.

    It does not recurse: the depth of what is given is what is in question.
    """
    rest = [(value, 1)]
    room = MAX_JSON_LENGTH
    while rest:
        one, depth = rest.pop()
        room -= len(one) if isinstance(one, str) else 1
        if room < 0:
            return f"is too long; at most {MAX_JSON_LENGTH:,} characters are kept"
        if found := _scalar_problem(one):
            return found
        if isinstance(one, Mapping | list | tuple):
            if depth > MAX_DEPTH:
                return f"is nested too deep; at most {MAX_DEPTH} levels are kept"
            rest += [(part, depth + 1) for part in _parts(one)]
    return None


def _parts(value: Any) -> list[Any]:
    return [*value, *value.values()] if isinstance(value, Mapping) else list(value)


def _scalar_problem(value: Any) -> str | None:
    if isinstance(value, str):
        return text_problem(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f"holds {value}, which JSON does not have"
    if isinstance(value, int) and not -_MAX_WHOLE <= value <= _MAX_WHOLE:
        return "holds a whole number of more than 64 bits"
    if value is None or isinstance(value, str | int | float | Mapping | list | tuple):
        return None
    return f"holds a {type(value).__name__}, which JSON does not have"


def read_json(text: str, name: str) -> Any:
    """Read JSON that stands in a field, a flag or the configuration.

    :param name: what the surface calls it; the error begins with it
    :raises BadInput: one line, for what is not JSON or cannot be kept
    """
    if len(text) > MAX_JSON_LENGTH:
        raise BadInput(f"{name} is too long; at most {MAX_JSON_LENGTH:,} characters are kept")
    try:
        value = json.loads(text)
    except RecursionError:
        raise BadInput(f"{name} is nested too deep; at most {MAX_DEPTH} levels are kept") from None
    except ValueError as error:
        raise BadInput(f"{name} is no JSON: {error}") from None
    if found := json_problem(value):
        raise BadInput(f"{name} {found}")
    return value


def read_object(text: str, name: str) -> Json:
    """Read a JSON object, as the conf of runs is one; nothing is an empty one.

    :param name: what the surface calls it
    :raises BadInput: one line, for anything else
    """
    found = read_json(text, name) if text else {}
    if not isinstance(found, dict):
        raise BadInput(f'{name} is {text[:40]!r}; allowed is a JSON object, as {{"table": "orders"}}')
    return found


def storable_text(text: str) -> str:
    """Return a text that can be kept, for validators.

    :raises PydanticCustomError: what is wrong, behind the name of the field
    """
    if found := text_problem(text):
        raise predicate(found)
    return text


def storable_json(value: Any) -> Any:
    """Return JSON that can be kept, for validators.

    :raises PydanticCustomError: what is wrong, behind the name of the field
    """
    if found := json_problem(value):
        raise predicate(found)
    return value


#: an object of JSON that people write: the conf of runs, arguments
FreeJson = Annotated[Json, AfterValidator(storable_json)]
