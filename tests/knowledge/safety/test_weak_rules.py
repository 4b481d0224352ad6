"""Weak rules: alone they count only while nothing better can judge; beside a classifier it must not speak against them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from knowledge.safety.screen import Screen

WEAK = "the lid is off my lozenges and my two year old has pink all round his mouth"
PLAIN = "my husband won't wake up"


class Judge:
    """A classifier that finds every text equally near."""

    def __init__(self, near: float, category: str = "medical_emergency") -> None:
        self.near, self.category = near, category

    def nearness(self, vector: np.ndarray, text: str) -> float:
        return self.near

    def urgent(self, vector: np.ndarray, text: str, part: bool = False) -> tuple[str, float, float] | None:
        return (self.category, 0.9, 0.8) if self.near >= 1 else None

    def notice(self, vector: np.ndarray, text: str, part: bool = False) -> tuple[str, ...]:
        return ()

    def scores(self, vector: np.ndarray, text: str) -> dict[str, float]:
        return {self.category: self.near}


class Vectors:
    """An encoder of nothing."""

    def __init__(self, works: bool = True) -> None:
        self.works = works

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        if not self.works:
            raise RuntimeError("no encoder")
        return np.zeros((len(texts), 384), dtype=np.float32)


def judged(screen: Screen, near: float, category: str = "medical_emergency", works: bool = True) -> Screen:
    return Screen(
        screen.rules, screen.gentle, screen.facts, screen.normaliser, screen.languages, screen.core_words,
        Judge(near, category), Vectors(works),  # type: ignore[arg-type]
    )  # fmt: skip


def test_without_a_classifier_a_weak_rule_counts(screen: Screen) -> None:
    finding = screen.check_rules(WEAK)
    assert finding.category == "child_exposure"
    hits = [hit for view in screen.normaliser.views(WEAK) for hit in screen.rules.hits(view)]
    assert hits and all(hit.rule.weak for hit in hits)


def test_the_first_step_leaves_a_weak_rule_open_while_there_is_a_classifier(screen: Screen) -> None:
    finding = judged(screen, 0.9).check_rules(WEAK)
    assert not finding.urgent
    assert [one.category for one in finding.likely] == ["child_exposure"]


def test_a_classifier_that_is_not_far_down_bears_a_weak_rule_out(screen: Screen) -> None:
    finding = judged(screen, 0.45).check(WEAK)
    assert finding.category == "child_exposure"
    assert finding.by == "rule"
    assert "does not speak against it (0.45" in finding.why
    assert finding.likely == ()


def test_a_classifier_that_is_far_down_stops_a_weak_rule_and_says_so(screen: Screen) -> None:
    finding = judged(screen, 0.2).check(WEAK)
    assert not finding.urgent
    assert finding.likely == ()
    assert "speaks against it (0.20" in finding.why


def test_a_plain_rule_in_a_short_message_waits_for_nobody(screen: Screen) -> None:
    finding = judged(screen, 0.0).check_rules(PLAIN)
    assert finding.category == "medical_emergency"


def test_a_classifier_that_is_sure_of_the_opposite_stops_a_plain_rule_in_a_longer_message(screen: Screen) -> None:
    long = f"I came home from the shops at four and {PLAIN}, what shall I do"
    assert judged(screen, 0.3).check(long).category == "medical_emergency"
    stopped = judged(screen, 0.1).check(long)
    assert not stopped.urgent
    assert "speaks against it (0.10" in stopped.why
    assert judged(screen, 0.1, works=False).check(long).urgent


def test_what_the_classifier_cannot_read_whole_is_left_to_the_plain_rule(screen: Screen) -> None:
    assert judged(screen, 0.0).check("we drove home and had tea " * 400 + PLAIN).category == "medical_emergency"


def test_what_a_plain_rule_found_besides_is_kept_while_it_waits(screen: Screen) -> None:
    long = "my son of two has swallowed one of my ketamine lozenges and now he is not breathing at all"
    waiting = judged(screen, 0.5).check_rules(long)
    assert not waiting.urgent
    assert [one.category for one in waiting.likely] == ["child_exposure"]
    assert judged(screen, 0.5).check(long).danger_signs


@pytest.mark.parametrize("works", [True, False])
def test_with_an_encoder_that_fails_a_weak_rule_counts(screen: Screen, works: bool) -> None:
    assert judged(screen, 0.0, works=works).check(WEAK).urgent is not works


def test_the_weak_rules_category_stands_where_the_classifier_names_none(screen: Screen) -> None:
    found = judged(screen, 0.5).check("he holds my medicine and I only get it if I am nice to him, tonight he has the belt out")
    assert found.category == "abuse_danger"
