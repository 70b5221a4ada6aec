"""How often each oracle was broken, and by which histories."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.play import Verdict

#: all of them, as they are counted
ORACLES = (
    "gated executes",
    "effect",
    "order",
    "ends otherwise",
    "never ends",
    "pause lifted",
    "cells",
    "reports",
    "monitor step",
    "operation",
    "airflow",
)


@dataclass(frozen=True)
class Violation:
    """An oracle was broken.

    :param event: number of the event at which it was noticed
    """

    oracle: str
    text: str
    event: int

    def __str__(self) -> str:
        return f"[{self.oracle}] {self.text} (event {self.event})"


def likeness(violation: Violation) -> str:
    """What failures of one cause mostly have in common: the oracle and its words, without names."""
    text = re.sub(
        r"\bd\d+\.\w+|\bd\d+\b|\bt\d+\b|(manual|scheduled|backfill|asset_triggered)__\S+", "_", violation.text
    )
    text = re.sub(r"\d+", "N", text)
    if violation.oracle == "ends otherwise":
        text = re.sub(r"_ \((\w+)\)(, _ \(\w+\))*", r"\1", text).replace(" in _", "")
    if violation.oracle == "never ends":
        text = re.sub(r":.*", "", text)
    return f"{violation.oracle}: {text}"[:160]


@dataclass
class Tally:
    """How often each oracle was broken, and first by which history."""

    played: int = 0
    failed: int = 0
    began: float = field(default_factory=time.perf_counter)
    broken: Counter[str] = field(default_factory=Counter)
    alike: Counter[str] = field(default_factory=Counter)
    #: oracle -> failures that were shrunk or written down
    shrunk: Counter[str] = field(default_factory=Counter)
    #: likeness -> (number of the history, its seed)
    first: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, seed: int, verdict: Verdict) -> list[Violation]:
        """Count a history; return those of its failures whose like is new."""
        self.played += 1
        self.failed += bool(verdict.violations)
        self.broken.update(verdict.kinds)
        new = []
        seen = set()
        for violation in verdict.violations:
            like = likeness(violation)
            if like in seen:
                continue
            seen.add(like)
            self.alike[like] += 1
            if like not in self.first:
                self.first[like] = (self.played, seed)
                new.append(violation)
        return new

    def as_json(self) -> dict[str, Any]:
        """Everything, for :meth:`merge` in another process."""
        plain = {"played": self.played, "failed": self.failed, "broken": self.broken, "alike": self.alike}
        return {**plain, "first": self.first}

    def merge(self, other: dict[str, Any]) -> None:
        """Add what another process has counted."""
        self.played += other["played"]
        self.failed += other["failed"]
        self.broken.update(other["broken"])
        self.alike.update(other["alike"])
        for like, (number, seed) in other["first"].items():
            self.first.setdefault(like, (number, seed))

    def told(self) -> str:
        """The tables."""
        seconds = time.perf_counter() - self.began
        lines = [f"{self.played} histories in {seconds:.0f} s: {self.played / max(seconds, 0.001):.2f} a second"]
        lines.append(f"{self.failed} broke an oracle")
        for oracle in ORACLES:
            number = self.broken[oracle]
            lines.append(f"  {oracle:<16} {number:6}   {1000 * number / max(self.played, 1):7.1f} per 1000")
        lines.append("what was broken, how often, first by which history (its number and seed):")
        for like, number in self.alike.most_common():
            lines.append(f"  {number:5}  {self.first[like][0]:5} seed {self.first[like][1]:<12} {like}")
        return "\n".join(lines)
