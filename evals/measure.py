"""Figures with their uncertainty."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Hits among cases, with a 95% interval.

    Source: E. B. Wilson, Probable inference (1927), the score interval.
    """

    hits: int
    cases: int

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> Share:
        """Count outcomes."""
        listed = [bool(o) for o in outcomes]
        return cls(sum(listed), len(listed))

    @property
    def value(self) -> float:
        """The share, 0 when there is no case."""
        return self.hits / self.cases if self.cases else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound."""
        n, z = self.cases, 1.96
        if not n:
            return 0.0, 1.0
        centre = (self.value + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(self.value * (1 - self.value) / n + z * z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.3f} [{low:.3f}, {high:.3f}] ({self.hits}/{self.cases})"


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Probability that a positive scores above a negative, ties counted half (Mann-Whitney)."""
    ordered = sorted([(s, 1) for s in positive] + [(s, 0) for s in negative])
    ranks, i = 0.0, 0
    while i < len(ordered):
        j = i
        while j < len(ordered) and ordered[j][0] == ordered[i][0]:
            j += 1
        ranks += (i + j + 1) / 2 * sum(label for _, label in ordered[i:j])
        i = j
    n, m = len(positive), len(negative)
    return (ranks - n * (n + 1) / 2) / (n * m) if n and m else 0.5


def p95(times: Sequence[float]) -> float:
    """95th percentile."""
    return statistics.quantiles(times, n=20)[-1]
