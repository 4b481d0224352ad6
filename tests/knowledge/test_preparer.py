"""How a message is prepared for search."""

from __future__ import annotations

import pytest

from knowledge.content import Content
from knowledge.text import Namer, Preparer, Speller


@pytest.fixture(scope="module")
def preparer() -> Preparer:
    return Preparer(Speller({"ketamine": 9, "addictive": 4}), Namer(Content.load().lexicon))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("is it adictive?", "is ketamine addictive?"),
        ("does this stuff hurt", "does ketamine hurt"),
        ("is memantine the same as it", "is memantine the same as it"),
        ("is ketamine bad if it lasts", "is ketamine bad if it lasts"),
        ("bit by bit", "bit by bit"),
    ],
)
def test_it_is_named_unless_a_medicine_is(preparer: Preparer, text: str, expected: str) -> None:
    assert preparer.prepare(text) == expected
    assert preparer.prepare(expected) == expected
