"""Leaving phrases out by their words never changes what is found."""

from __future__ import annotations

import random

import pytest

from knowledge.safety.phrases import Expander, PhraseError
from knowledge.safety.prefilter import Prefilter, places
from knowledge.safety.screen import Screen


def _expander() -> Expander:
    return Expander({"who": ["he", "my (wife|son)"], "pill": ["pills", "tablet*"]}, str.split)


@pytest.mark.parametrize(
    ("phrase", "needs"),
    [
        ("want to die", [{"want"}, {"die"}, {"to"}]),
        ("[really] die", [{"die"}]),
        ("(a b|c)", [{"b", "c"}, {"a", "c"}]),
        ("<who> fell", [{"fell"}, {"he", "wife", "son"}]),
        ("took ~ <pill>", [{"took"}, {"pills", "tablet*"}]),
        ("pulse ~ <140-142>", [{"pulse"}, {"#"}]),
        ("(#|[a])", []),
    ],
)
def test_what_a_phrase_needs(phrase: str, needs: list[set[str]]) -> None:
    found = _expander().needs(phrase)
    assert all(set(n) in [set(f) for f in found] for n in needs)
    assert bool(found) is bool(needs)


def test_words_stems_and_numbers() -> None:
    phrases = ["took ~ <pill>", "pulse <140-142>", "[maybe]", "really ?"]
    expander = _expander()
    index = Prefilter([expander.needs(phrase) for phrase in phrases])
    assert places(index.possible(["i", "took", "three", "tablets"])) == [0, 2]
    assert places(index.possible(["pulse", "12"])) == [1, 2]
    assert places(index.possible(["really", "?"])) == [2, 3]
    assert places(index.possible([])) == [2]


@pytest.mark.parametrize(("text", "found"), [(" pulse 141 ", True), (" pulse 1411 ", False), (" pulse 139 ", False)])
def test_number_ranges(text: str, found: bool) -> None:
    import re2

    assert bool(re2.search(" " + _expander().phrase("pulse <140-142>"), text)) is found


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(PhraseError, match="no number"):
        _expander().phrase("<9-3>")


def test_every_match_is_possible(screen: Screen) -> None:
    """On texts made of the rules' own words, no phrase matches that the index leaves out."""
    rng = random.Random(20)
    words = sorted(screen.normaliser.vocabulary)
    for rules in (screen.rules, screen.gentle, screen.facts):
        expressions = [one.parts[part][at] for one, part, at in rules._places]
        for _ in range(12):
            view = f" {' '.join(rng.choice([*rng.sample(words, 40), 'i', 'my', 'he', 'took', 'pain', '7', '.', '?']) for _ in range(30))} "
            possible = set(places(rules._prefilter.possible(view.split())))
            matching = {at for at, expression in enumerate(expressions) if expression.search(view.encode())}
            assert matching <= possible
