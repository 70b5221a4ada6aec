"""Old names of arguments: they work until 1.0 and warn at the line that calls.

Which there are is in :mod:`taskops_provider.domain.deprecated_words`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from airflow.exceptions import AirflowProviderDeprecationWarning

from taskops_provider.domain.deprecated_words import WordKind, old_words
from taskops_provider.hooks.errors import RequestRefused


def with_new_names(where: str, given: Mapping[str, Any], *, stacklevel: int = 3) -> dict[str, Any]:
    """Return arguments under the names that they have now, and warn of old ones.

    :param where: whose arguments they are: ``TaskOpsHook.list_tasks``
    :param stacklevel: of the line that calls, as :func:`warnings.warn` counts from here
    :raises RequestRefused: if an argument was given under both names
    """
    named = dict(given)
    for word in old_words(WordKind.ARGUMENT, where):
        if word.old not in named:
            continue
        if word.new in named:
            raise RequestRefused(word.refusal)
        value = named.pop(word.old)
        named[word.new] = word.values[value] if isinstance(value, bool) and value in word.values else value
        warnings.warn(word.sentence, AirflowProviderDeprecationWarning, stacklevel=stacklevel)
    return named
