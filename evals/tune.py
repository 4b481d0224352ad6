"""Fits the calibration of `knowledge.search` on the development questions. The test split is never read here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sklearn.linear_model import LogisticRegression

from evals.measure import auroc
from evals.questions import labels, load
from knowledge.search import Search

TARGET = Path(__file__).resolve().parent.parent / "knowledge" / "calibration.yml"
HEAD = "# Written by `python -m evals tune` from the development questions; never edit by hand.\n"
COVERAGE = 0.985  # share of in-scope development questions that are to be answered
SPANISH_COVERAGE = 0.87  # the same in Spanish, where more of the answers miss
CLARIFIED = 0.993  # … and that are at least asked back about


def tune(search: Search) -> dict[str, Any]:
    """New calibration: weights and bias for both languages, and the two thresholds, which both share."""
    kept: dict[str, Any] = yaml.safe_load(TARGET.read_text("utf-8"))
    english, scores = _fit(search, "en", "")
    answer_at = float(np.quantile(scores, 1 - COVERAGE))
    clarify_at = min(float(np.quantile(scores, 1 - CLARIFIED)), 0.8 * answer_at)
    spanish, scores = _fit(search, "es", "_es")
    # moved, so that the same threshold answers the share wanted in Spanish
    there = float(np.quantile(scores, 1 - SPANISH_COVERAGE))
    spanish["bias"] = round(spanish["bias"] + _logit(answer_at) - _logit(there), 4)
    return kept | english | {"es": kept["es"] | spanish, "answer_at": round(answer_at, 3), "clarify_at": round(clarify_at, 3)}


def _logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def _fit(search: Search, language: str, suffix: str) -> tuple[dict[str, Any], np.ndarray]:
    """Bias and weights for a language, and the confidence of its in-scope questions.

    The label is whether answering is right: an in-scope question with its topic among the statements it would show.
    """
    inside = load(f"in_scope{suffix}", split="development")
    outside = load(f"out_of_scope{suffix}", split="development")
    known = labels()
    founds = [search.find(search.prepare(q.text), language=language) for q in [*inside, *outside]]
    shown = [{c.topic for c in search.choose(f)} for f in founds]
    right = np.array([bool(topics & {*q.topics, *known.get(q.id, {}).get("also", ())}) for topics, q in zip(shown, inside, strict=False)])
    answerable = np.concatenate([right, np.zeros(len(outside), dtype=bool)])
    names = list(founds[0].features)
    x = np.array([[f.features[n] for n in names] for f in founds])
    scale = x.std(axis=0) + 1e-9
    model = LogisticRegression(C=3, max_iter=3000, class_weight="balanced").fit(x / scale, answerable)
    weights = model.coef_[0] / scale
    scores = 1 / (1 + np.exp(-(x @ weights + model.intercept_[0])))
    ours, theirs = scores[: len(inside)], scores[len(inside) :]
    near = np.array([bool(q.label.get("near")) for q in outside])
    print(f"{language}: AUROC all {auroc(ours, theirs):.3f} near {auroc(ours, theirs[near]):.3f} far {auroc(ours, theirs[~near]):.3f}; first on topic "
          f"{np.mean([f.candidates[0].topic in q.topics for f, q in zip(founds, inside, strict=False)]):.3f}, shown {right.mean():.3f}")  # fmt: skip
    print("coverage  score  wrong among answered  near answered  far answered")
    for coverage in (0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.92, 0.9, 0.85, 0.8):
        at = np.quantile(ours, 1 - coverage)
        wrong = 1 - right[ours >= at].mean()
        print(f"{coverage:8.2f} {at:6.3f} {wrong:21.3f} {np.mean(theirs[near] >= at):14.3f} {np.mean(theirs[~near] >= at):13.3f}")
    fitted = {"bias": round(float(model.intercept_[0]), 4), "weights": {n: round(float(w), 4) for n, w in zip(names, weights, strict=True)}}
    return fitted, ours


def write(calibration: dict[str, Any]) -> None:
    """Write the calibration file."""
    TARGET.write_text(HEAD + yaml.safe_dump(calibration, sort_keys=False, width=150), "utf-8")
