"""The phrase language of the rules."""

from __future__ import annotations

import pytest
import re2

from knowledge.safety.phrases import Expander, PhraseError


def _expander() -> Expander:
    return Expander({"who": ["he", "my (wife|son)"], "again": ["<who> again"]}, str.split)


@pytest.mark.parametrize(
    ("phrase", "text", "found"),
    [
        ("want to (die|be dead)", " i want to be dead ", True),
        ("want [really] to die", " want to die ", True),
        ("want [really] to die", " want really to die ", True),
        ("<who> fell", " my son fell ", True),
        ("<again> fell", " he again fell ", True),
        ("took ~ pills", " took all my pills ", True),
        ("took ~ pills", " took one two three pills ", False),
        ("took ... help", " took it . please help ", True),
        ("suicid*", " suicidal ", True),
        ("suicid*", " a suicidal ", True),
        ("took # pills", " took 12 pills ", True),
        ("^ help $", " help . ", True),
        ("^ help $", " help me ", False),
        ("<age> year old", " 17 year old ", True),
        ("<age> year old", " 71 year old ", False),
        ("die", " diet ", False),
    ],
)
def test_matching(phrase: str, text: str, found: bool) -> None:
    expression = _expander().phrase(phrase)
    anchored = expression if expression.startswith("(?:^ ") else " " + expression
    assert bool(re2.search(anchored, text)) is found


@pytest.mark.parametrize("phrase", ["", "(a|b", "a)", "[a", "(a|)", "<nobody>", "a {b}", "()"])
def test_broken_phrases_say_why(phrase: str) -> None:
    with pytest.raises(PhraseError, match="[a-z]"):
        _expander().phrase(phrase)


def test_a_list_that_uses_itself() -> None:
    with pytest.raises(PhraseError, match="itself"):
        Expander({"a": ["<a> b"]}, str.split).phrase("<a>")
