"""The calibration, the build in use and the code that reads them belong together."""

from __future__ import annotations

import pytest

from evals.questions import Question
from knowledge.decide import Decider
from knowledge.load import build_folder, load_decider
from knowledge.safety.decline import DeclineRules
from knowledge.search import Search


@pytest.fixture(scope="module")
def search() -> Search:
    return load_decider(build_folder()).search


def test_every_feature_has_a_weight(search: Search) -> None:
    found = search.find(search.prepare("does ketamine help crps"))
    assert set(found.features) == set(search.calibration["weights"]) == set(search.calibration["es"]["weights"])


@pytest.mark.parametrize(("text", "topic"), [
    ("¿la ketamina crea adicción?", "risk.addiction"), ("le hace daño a la vejiga?", "risk.bladder"), ("q tanto cuesta una infusion", "practical.cost_insurance"),
])  # fmt: skip
def test_a_spanish_question_is_ranked_in_a_space_of_its_own(search: Search, text: str, topic: str) -> None:
    prepared = search.prepare(text)
    found = search.find(prepared, language="es")
    assert found.candidates[0].topic == topic and found.confidence >= search.calibration["answer_at"]
    assert search.encode([prepared], "es").shape == (1, 512) and search.encode([prepared]).shape == (1, 384)


def test_every_other_language_is_compared_as_english_is(search: Search) -> None:
    assert search.space("de") is search.space("en") is not search.space("es")


def test_an_english_vector_is_of_no_use_to_a_spanish_message(search: Search) -> None:
    decider = Decider(search, DeclineRules.load())
    text = "¿cuánto dura el efecto de la ketamina en el dolor?"
    without = decider.decide(text, language="es")
    assert decider.decide(text, language="es", vector=search.encode([text])[0]).statements == without.statements != ()


@pytest.mark.parametrize("text", ["would a drip do anything for somebody with crps", "how much is one infusion", "can you get hooked on this stuff"])
def test_a_question_in_the_first_person_or_none_is_no_request_for_advice(search: Search, text: str) -> None:
    assert search.request(text)["advice"] < 0.5


@pytest.mark.parametrize("text", ["should I stop my tablets, yes or no", "tell me whether to have it", "am I a good candidate with my heart"])
def test_a_verdict_asked_for_is(search: Search, text: str) -> None:
    assert search.request(text)["advice"] > 0.6


def test_no_more_than_four_are_shown_and_a_second_topic_that_is_not_far_behind_is_among_them(search: Search) -> None:
    found = search.find(search.prepare("is ketamine any good"))
    search.calibration["other_gap"], kept = 9.0, search.calibration["other_gap"]
    wide = search.choose(found)
    search.calibration["other_gap"] = kept
    assert len(wide) <= 4 and len({c.topic for c in wide}) > 1 and wide[0] == search.choose(found)[0]


def test_parts_of_a_question() -> None:
    whole = Question("x", "in_scope", "a and b", "development", {"topics": ["risk.liver", "risk.bladder"], "parts": 2})
    assert whole.parts == [["risk.liver"], ["risk.bladder"]]
    assert Question("x", "in_scope", "a", "development", {"topics": ["risk.liver"]}).parts == []
