"""What each part of the ranking is worth, on the development questions, in process: `python -m evals ablation`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from evals.measure import Share
from evals.questions import Question, labels, load
from evals.run import typo
from knowledge.search import Search, Weights

STEPS: tuple[tuple[str, Weights], ...] = (
    ("BM25 alone", Weights(dense=0, bm25=1, signals=0, topic=0, bottom_line=0)),
    ("vectors alone", Weights(bm25=0, signals=0, topic=0, bottom_line=0)),
    ("vectors + 0.2 BM25", Weights(signals=0, topic=0, bottom_line=0)),
    ("+ bottom line", Weights(signals=0, topic=0)),
    ("+ conditions, medicines, routes, aspects", Weights(topic=0)),
    ("+ topic classifier: as served", Weights()),
)


def row(search: Search, questions: Iterable[Question], weights: Weights, spelling: bool = True) -> tuple[Share, Share]:
    """First statement on the right topic, and an acceptable statement among the first ten."""
    search.weights = weights
    known = labels()
    first, ten = [], []
    for q in questions:
        label = known.get(q.id, {})
        text = search.prepare(q.text) if spelling else q.text
        candidates = search.find(text).candidates
        first.append(candidates[0].topic in {*q.topics, *label.get("also", ())})
        if label.get("ids"):
            ten.append(bool({c.id for c in candidates[:10]} & set(label["ids"])))
    search.weights = Weights()
    return Share.of(first), Share.of(ten)


def table(search: Search) -> str:
    """The ablation as a Markdown table."""
    questions = load("in_scope", split="development")
    lines = ["| ranking | first on topic | acceptable among ten |", "| --- | --- | --- |"]
    for name, weights in STEPS:
        first, ten = row(search, questions, weights)
        lines.append(f"| {name} | {first} | {ten} |")
    typos = [replace(q, text=typo(q.text, 1)) for q in questions]
    for name, spelling in (("as served, two typos each", True), ("the same without spelling repair", False)):
        first, ten = row(search, typos, Weights(), spelling)
        lines.append(f"| {name} | {first} | {ten} |")
    return "\n".join(lines)
