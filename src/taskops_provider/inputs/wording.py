"""How an error of pydantic's reads: ``is 'x'; allowed are a, b``, behind the name of the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

Error = Mapping[str, Any]

#: characters of a value that an error quotes
_SHOWN: Final = 60


def quoted(value: Any) -> str:
    """Return a value that was given as an error quotes it; a list or an object is called that, not written out."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text, write = (value, repr) if isinstance(value, str) else (repr(value), str)
    return write(text) if len(text) <= _SHOWN else f"{write(text[:_SHOWN])}..."


def not_allowed(value: Any, allowed: str) -> str:
    """Return what is wrong with a value that is none of those allowed, as words behind the name of the field.

    :param allowed: with its verb: ``are 1 to 5``, ``is a list``
    """
    return f"is {quoted(value)}; allowed {allowed}"


def unquoted(choices: str) -> str:
    """Turn pydantic's ``'a', 'b' or 'c'`` into ``a, b, c``."""
    return choices.replace(" or ", ", ").replace("'", "")


def words_of(error: Error) -> str | None:
    """Return what is wrong, as words behind the name of the field; None if there are no words of ours for it."""
    words = _WORDS.get(error["type"])
    return words(error) if words else None


def _allows(allowed: str) -> Callable[[Error], str]:
    """The words for an error; ``allowed`` may name what pydantic knows of it: ``{ge}``."""
    return lambda error: not_allowed(error["input"], allowed.format(**error.get("ctx", {})))


def _choice(error: Error) -> str:
    return not_allowed(error["input"], f"are {unquoted(error['ctx']['expected'])}")


def _too_long_text(error: Error) -> str:
    return f"has {len(error['input']):,} characters; at most {error['ctx']['max_length']:,} are kept"


def _too_long(error: Error) -> str:
    return f"has {error['ctx']['actual_length'] or 'more'} entries; at most {error['ctx']['max_length']:,} are taken"


def _too_short(error: Error) -> str:
    return f"has {error['ctx']['actual_length'] or 'no'} entries; at least {error['ctx']['min_length']:,} is needed"


def _missing(_error: Error) -> str:
    return "is missing"


_WORDS: Final[Mapping[str, Callable[[Error], str]]] = {
    **dict.fromkeys(("enum", "literal_error"), _choice),
    **dict.fromkeys(("bool_type", "bool_parsing"), _allows("are true, false")),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _allows("is a whole number")),
    **dict.fromkeys(("float_type", "float_parsing"), _allows("is a number")),
    **dict.fromkeys(("string_type", "string_unicode"), _allows("is text")),
    **dict.fromkeys(("list_type", "tuple_type"), _allows("is a list")),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), _allows("is an object")),
    "greater_than_equal": _allows("are {ge:,} and more"),
    "less_than_equal": _allows("are {le:,} and less"),
    "string_too_short": _allows("is text of at least {min_length} characters"),
    "string_pattern_mismatch": _allows("is text of the form {pattern}"),
    "string_too_long": _too_long_text,
    "too_long": _too_long,
    "too_short": _too_short,
    "missing": _missing,
}
