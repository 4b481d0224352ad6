"""Fits the calibration of `knowledge.search` on the development questions. The test split is never read here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sklearn.linear_model import LogisticRegression

from evals.measure import auroc
from evals.questions import Question, load
from knowledge.search import Found, Search

TARGET = Path(__file__).resolve().parent.parent / "knowledge" / "calibration.yml"
HEAD = "# Written by `python -m evals tune` from the development questions; never edit by hand.\n"
# shares of out-of-scope development questions that may lie above the threshold
FAR_ANSWERED = 0.02
NEAR_ANSWERED = 0.09


def best_found(search: Search, question: Question) -> Found:
    """The most confident of a message's questions, as the dialogue takes it."""
    founds = [search.find(q) for q in search.questions(search.prepare(question.text))]
    return max(founds, key=lambda f: f.confidence)


def tune(search: Search) -> dict[str, Any]:
    """New calibration: weights, bias and the two thresholds.

    The label is whether answering is right: an in-scope question whose first statement is on its topic.
    """
    inside = load("in_scope", split="development")
    outside = load("out_of_scope", split="development")
    found = [best_found(search, q) for q in [*inside, *outside]]
    right = [f.candidates[0].topic in q.topics for f, q in zip(found, inside, strict=False)]
    labels = np.array([True] * len(inside) + [False] * len(outside))
    # an in-scope question that would be answered wrongly teaches nothing about scope: it is left out of the fit
    keep = np.array([*right, *([True] * len(outside))])
    names = list(found[0].features)
    x = np.array([[f.features[n] for n in names] for f in found])
    model = LogisticRegression(C=1.0, max_iter=1000, class_weight="balanced").fit(x[keep], labels[keep])
    scores = 1 / (1 + np.exp(-(x @ model.coef_[0] + model.intercept_[0])))
    near = np.array([False] * len(inside) + [bool(q.label.get("near")) for q in outside])
    far = ~labels & ~near
    answer_at = max(np.quantile(scores[near], 1 - NEAR_ANSWERED), np.quantile(scores[far], 1 - FAR_ANSWERED))
    clarify_at = min(float(np.quantile(scores[labels], 0.04)), float(answer_at) * 0.8)
    print(f"AUROC all {auroc(scores[labels], scores[~labels]):.3f} near {auroc(scores[labels], scores[near]):.3f} far {auroc(scores[labels], scores[far]):.3f}")
    for at in np.linspace(0.1, 0.9, 17):
        print(f"  at {at:.2f}: in scope {np.mean(scores[labels] >= at):.3f}  near {np.mean(scores[near] >= at):.3f}  far {np.mean(scores[far] >= at):.3f}")
    print(f"answer_at {answer_at:.3f}: coverage {np.mean(scores[labels] >= answer_at):.3f}")
    kept = yaml.safe_load(TARGET.read_text("utf-8"))
    kept |= {
        "bias": round(float(model.intercept_[0]), 4),
        "weights": {n: round(float(w), 4) for n, w in zip(names, model.coef_[0], strict=True)},
        "answer_at": round(float(answer_at), 3),
        "clarify_at": round(clarify_at, 3),
    }
    return kept


def write(calibration: dict[str, Any]) -> None:
    """Write the calibration file."""
    TARGET.write_text(HEAD + yaml.safe_dump(calibration, sort_keys=False, width=150), "utf-8")
