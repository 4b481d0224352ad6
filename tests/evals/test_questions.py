"""The labelled questions are many enough, well formed, and near no phrasing."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rapidfuzz import fuzz, process
from rapidfuzz.utils import default_process

from evals.run import AMOUNT, METHOD
from knowledge.safety.classifier import read_examples
from knowledge.schema import TOPICS

ROOT = Path(__file__).parents[2]
QUESTIONS = ROOT / "evals" / "questions"
SETS = ("in_scope", "dialogues", "out_of_scope", "advice", "in_scope_es", "out_of_scope_es", "advice_es")
NEAR_COPY = 85
WHOLE_QUESTION_WORDS = 4


@cache
def entries(name: str) -> tuple[dict[str, Any], ...]:
    """Every entry of one set, from all voices."""
    return tuple(e for path in sorted(QUESTIONS.glob(f"*/{name}.yml")) for e in yaml.safe_load(path.read_text("utf-8")))


@cache
def labels() -> tuple[dict[str, Any], ...]:
    return tuple(yaml.safe_load((QUESTIONS / "labels.yml").read_text("utf-8")))


@cache
def themes() -> tuple[dict[str, Any], ...]:
    return tuple(yaml.safe_load((ROOT / "evals" / "themes.yml").read_text("utf-8")))


@cache
def statements() -> tuple[dict[str, Any], ...]:
    """Read plainly: the content's own rules are not what is tested here."""
    folder = ROOT / "knowledge" / "content" / "statements"
    return tuple(s for path in sorted(folder.glob("*.yml")) for s in yaml.safe_load(path.read_text("utf-8"))["statements"])


@cache
def phrasings() -> tuple[str, ...]:
    return tuple(default_process(p) for s in statements() for ps in s["phrasings"].values() for p in ps)


def near_copies(questions: list[tuple[str, str]], *scorers: Any) -> list[str]:
    """Whole questions too like a phrasing by each scorer: case and punctuation do not count."""
    whole = [(key, default_process(text)) for key, text in questions if len(text.split()) >= WHOLE_QUESTION_WORDS]
    scores = [process.cdist([t for _, t in whole], phrasings(), scorer=s, score_cutoff=NEAR_COPY, dtype=np.uint8, workers=-1) > 0 for s in scorers]
    return [f"{whole[i][0]}: {whole[i][1]!r} ~ {phrasings()[j]!r}" for i, j in zip(*np.logical_and.reduce(scores).nonzero(), strict=True)]


@pytest.mark.parametrize(("name", "least"), [("in_scope", 600), ("dialogues", 120), ("out_of_scope", 400), ("advice", 200), ("in_scope_es", 300), ("advice_es", 100)])
def test_there_are_enough_of_each_set(name: str, least: int) -> None:
    assert len(entries(name)) >= least


def test_half_of_what_is_out_of_scope_is_near() -> None:
    near = sum(bool(e["near"]) for e in entries("out_of_scope"))
    assert near * 2 >= len(entries("out_of_scope"))


def test_dialogues_have_two_to_four_turns_unless_they_test_a_turn_alone() -> None:
    assert all(1 <= len(e["turns"]) <= 4 for e in entries("dialogues"))
    assert sum(len(e["turns"]) >= 2 for e in entries("dialogues")) >= 120


def test_ids_are_unique() -> None:
    ids = Counter(e["id"] for name in SETS for e in entries(name))
    assert [i for i, n in ids.items() if n > 1] == []


def test_no_theme_question_stands_twice_or_among_the_labelled_ones() -> None:
    asked = Counter(e["q"].strip().lower() for e in themes())
    assert [q for q, n in asked.items() if n > 1] == []
    assert {e["q"].strip().lower() for name in SETS for e in entries(name) if "q" in e} & set(asked) == set()


def test_topics_are_the_contracts() -> None:
    named = {t for name in ("in_scope", "in_scope_es", "advice") for e in entries(name) for t in e.get("topics", ())}
    named |= {t for e in entries("dialogues") for t in e["expect"].get("topics", ())}
    named |= {t for e in themes() for t in e.get("topics", ())}
    named |= {t for e in labels() for t in e.get("also", ())}
    assert named - set(TOPICS) == set()


def test_in_scope_questions_name_a_topic() -> None:
    assert [e["id"] for name in ("in_scope", "in_scope_es") for e in entries(name) if not e["topics"]] == []


def test_labels_are_for_every_question_of_the_first_three_voices_and_name_statements_that_exist() -> None:
    assert Counter(e["id"] for e in labels()) == Counter(e["id"] for e in entries("in_scope") if not e["id"].startswith("d-"))
    known = {s["id"] for s in statements()}
    assert {i for e in labels() for i in (*e.get("best", ()), *e.get("ids", ()))} - known == set()


def test_a_theme_names_topics_or_says_that_nothing_is_known() -> None:
    assert [e["q"] for e in themes() if bool(e.get("topics")) == bool(e.get("nothing"))] == []


def test_every_theme_is_asked_about_twice_or_more() -> None:
    asked = Counter(e["theme"] for e in themes())
    assert len(asked) == 31
    assert [t for t, n in asked.items() if n < 2] == []


def test_no_theme_question_is_near_a_phrasing() -> None:
    assert near_copies([(e["theme"], e["q"]) for e in themes()], fuzz.token_set_ratio) == []


@pytest.mark.parametrize("name", ["in_scope", "out_of_scope", "advice", "in_scope_es", "out_of_scope_es", "advice_es"])
def test_no_question_is_a_near_copy_of_a_phrasing(name: str) -> None:
    """The token-set ratio alone is 100 for any long question that holds the words of "what is ketamine", so here a near copy is one
    by the token-sort ratio as well. Figures for the questions that are far by the token-set ratio alone stand apart in evals/results.md.
    """
    found = near_copies([(e["id"], e["q"]) for e in entries(name)], fuzz.token_set_ratio, fuzz.token_sort_ratio)
    assert found == [], f"{len(found)} of {len(entries(name))}"


def test_no_example_of_the_safety_classifier_is_a_near_copy_of_a_labelled_message() -> None:
    """What is tested must not be learned. Longer messages only: many people say "I can't breathe" in the same words."""
    folder = ROOT / "evals" / "safety"
    labelled = [e for name in ("must_trigger", "must_not", "soon", "dialogues") for e in yaml.safe_load((folder / f"{name}.yml").read_text("utf-8"))]
    asked = [default_process(t) for e in labelled for t in e.get("turns", [e.get("text")])]
    learned = [m.text for m in read_examples(ROOT / "knowledge" / "content" / "safety").messages if len(m.text.split()) >= WHOLE_QUESTION_WORDS]
    scores = process.cdist([default_process(t) for t in learned], asked, scorer=fuzz.token_sort_ratio, score_cutoff=NEAR_COPY, dtype=np.uint8, workers=-1)
    assert [t for t, row in zip(learned, scores, strict=True) if row.any()] == []


def test_there_are_enough_adversarial_requests_in_both_languages() -> None:
    requests = yaml.safe_load((ROOT / "evals" / "safety" / "adversarial.yml").read_text("utf-8"))
    assert len({e["text"] for e in requests}) == len(requests) >= 150
    assert {e["kind"] for e in requests} == {"dose", "supply", "lethal", "concealment", "misuse"}
    assert min(Counter(e["lang"] for e in requests).values()) >= 40


def test_no_statement_and_no_refusal_holds_an_amount_or_a_method() -> None:
    """All that a reply to an adversarial request could be made of."""
    lines = {s["id"]: " ".join(s["text"].values()) for s in statements()}
    refusals = yaml.safe_load((ROOT / "knowledge" / "content" / "wording" / "urgent.yml").read_text("utf-8"))["decline"]
    lines |= {reason: " ".join(by_language.values()) for reason, by_language in refusals.items()}
    assert [f"{name}: {m.group()}" for name, text in lines.items() for m in [AMOUNT.search(text) or METHOD.search(text)] if m] == []


@pytest.mark.parametrize("text", ["take 50 mg", "0.5 mg of it", "two lozenges a day", "about three drops", "tome 2 tabletas", "crush it first", "hide it from her"])
def test_amounts_and_methods_are_seen(text: str) -> None:
    assert AMOUNT.search(text) or METHOD.search(text)
