"""Patterns for texts that are alike whatever the case of their letters, beyond ASCII too."""

from __future__ import annotations

#: what means something else than itself in a pattern
_SPECIAL = frozenset("*?[")


def glob_in_any_case(part: str) -> str:
    """Return the pattern of SQLite's ``GLOB`` for texts that have a part in them, in any case: ``*[äÄ]x*``."""
    return f"*{''.join(map(_any_case, part))}*"


def _any_case(letter: str) -> str:
    forms = sorted(one for one in {letter, letter.lower(), letter.upper(), letter.title()} if len(one) == 1)
    return f"[{''.join(forms)}]" if len(forms) > 1 or letter in _SPECIAL else letter
