"""How the verbs of operations are put."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from taskops_provider.domain.states import Verb


class VerbWords(NamedTuple):
    """How a verb is put: on its button, and with ``12 tasks`` in the place of ``{}``."""

    label: str
    action: str
    progress: str
    done: str


WORDS: Mapping[Verb, VerbWords] = {
    Verb.START: VerbWords("Start", "Start {}", "Starting {}", "{} started"),
    Verb.PAUSE: VerbWords("Pause", "Pause {}", "Pausing {}", "{} paused"),
    Verb.OFFLINE: VerbWords("Take offline", "Take {} offline", "Taking {} offline", "{} taken offline"),
    Verb.DELETE: VerbWords("Delete", "Delete {}", "Deleting {}", "{} deleted"),
    Verb.SUBMIT: VerbWords("Resubmit", "Resubmit {}", "Resubmitting {}", "{} resubmitted"),
    Verb.SET_OWNERS: VerbWords("Change owners", "Change owners of {}", "Changing owners of {}", "Owners of {} changed"),
}
