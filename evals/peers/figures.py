"""What is measured of each system, from its rankings. Needs the standard library only: the peers' environment reads it too."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from evals.measure import Share, auroc

DEPTH = 10


@dataclass(frozen=True)
class Answer:
    """What a system gave for one question.

    Attributes:
        ids: Statements, best first, none twice.
        score: Its own score for the first, on whatever scale; 0 where it found none.
        ms: Milliseconds from the text to the ranking.
        cpu_ms: What the process computed in that time.
    """

    ids: Sequence[str]
    score: float
    ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Wanted:
    """What is right for one in-scope question.

    Attributes:
        topics: On which a first statement is right.
        ids: Acceptable statements; empty where none are labelled.
    """

    topics: Collection[str]
    ids: Collection[str]


def best_rows(rows: Iterable[tuple[str, float]]) -> tuple[list[str], float]:
    """Statements in the order of their best rows, and the first one's score; rows come best first."""
    scores: dict[str, float] = {}
    for statement, score in rows:
        scores.setdefault(statement, score)
    return list(scores), next(iter(scores.values()), 0.0)


def reciprocal_rank(ids: Sequence[str], right: Collection[str], depth: int = DEPTH) -> float:
    """1 / rank of the first right one among `depth`, 0 where there is none."""
    return next((1 / rank for rank, i in enumerate(ids[:depth], 1) if i in right), 0.0)


def among(ids: Sequence[str], right: Collection[str], k: int) -> bool:
    """Whether a right one is among the first k."""
    return any(i in right for i in ids[:k])


def figures(
    inside: Sequence[tuple[Wanted, Answer]], near: Sequence[Answer], far: Sequence[Answer], topic_of: dict[str, str]
) -> dict[str, str | float]:
    """Figures of one system by name, without times; shares with their 95% interval as text."""
    labelled = [(w, a) for w, a in inside if w.ids]
    scores = [a.score for _, a in inside]
    return {
        "top-1": str(Share.of(among(a.ids, w.ids, 1) for w, a in labelled)),
        "top-3": str(Share.of(among(a.ids, w.ids, 3) for w, a in labelled)),
        "top-10": str(Share.of(among(a.ids, w.ids, DEPTH) for w, a in labelled)),
        "MRR@10": statistics.fmean(reciprocal_rank(a.ids, w.ids) for w, a in labelled),
        "first on topic": str(Share.of(bool(a.ids) and topic_of[a.ids[0]] in w.topics for w, a in inside)),
        "AUROC all": auroc(scores, [a.score for a in (*near, *far)]),
        "AUROC near": auroc(scores, [a.score for a in near]),
    }
