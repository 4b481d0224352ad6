"""What a message may stand for in its conversation, without a search."""

from __future__ import annotations

import pytest

from knowledge.content import Content
from knowledge.decision import Context
from knowledge.followup import Reader
from knowledge.text import Namer

CONTENT = Content.load()
READER = Reader(CONTENT, Namer(CONTENT.lexicon))
CRPS = Context(condition="crps", last_topic="efficacy.crps")
BLADDER = Context(last_topic="risk.bladder")
MIXING = Context(medicine="alcohol", last_topic="interaction.alcohol_drugs")


def first(text: str, context: Context = CRPS, follows: float = 0.9) -> tuple[str, str]:
    reading = READER.readings(text, text.replace(" it", " ketamine"), context, follows)[0]
    return reading.how, reading.query


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("what about fibro?", "does ketamine help fibromyalgia?"),
        ("and for how long", "how long does relief from ketamine last for crps?"),
        ("no i meant nerve pain", "does ketamine help nerve pain?"),
        ("not crps, fibro", "does ketamine help fibromyalgia?"),
        ("I meant fibro not migraine", "does ketamine help fibromyalgia?"),
        ("and the cream?", "does ketamine cream help crps?"),
        ("what would that cost", "how much does ketamine cost and does insurance pay for it?"),
        ("is it approved for that", "is ketamine approved for crps?"),
        ("memantine?", "does memantine help crps?"),
        ("and alcohol?", "does ketamine interact with alcohol?"),
    ],
)
def test_after_an_answer_on_crps(text: str, query: str) -> None:
    assert first(text) == ("composed", query)


@pytest.mark.parametrize("text", ["how common is that", "does it get better when you stop", "even with a drip?", "how risky is that", "is it permanent"])
def test_after_an_answer_on_the_bladder_it_is_about_the_bladder(text: str) -> None:
    how, query = first(text, BLADDER)
    assert (how, query) == ("anchored", f"Bladder: {text}")
    assert READER.readings(text, text, BLADDER, 0.9)[0].topic == "risk.bladder"


def test_another_medicine_after_an_interaction_is_an_interaction() -> None:
    assert first("and gabapentin?", MIXING) == ("composed", "does ketamine interact with gabapentin?")


@pytest.mark.parametrize(
    "text",
    [
        "what are the side effects of ketamine",
        "does ketamine help migraine",
        "is spravato approved for depression",
        "is ketamine addictive",
        "do you have to fast for six hours before they start the whole thing off, and may you drink water",
    ],
)
@pytest.mark.parametrize("context", [Context(), CRPS, BLADDER])
def test_what_stands_for_itself_inherits_nothing(text: str, context: Context) -> None:
    assert [r.how for r in READER.readings(text, text, context, 0.1)] == ["own"]


def test_a_question_may_point_at_what_the_message_itself_told() -> None:
    text = "my wife's hand is crps since the fracture in may. does the drip work on that"
    assert [r.query for r in READER.readings(text, text, Context(), 0.1)] == [text, "does ketamine drip help crps?"]


def test_what_goes_on_without_a_name_may_be_a_new_subject() -> None:
    readings = READER.readings("and if my bowels are slow", "and if my bowels are slow", CRPS, 0.9)
    assert [r.how for r in readings] == ["turned", "anchored", "own"] and readings[0].query == "ketamine if my bowels are slow"
    assert [r.how for r in READER.readings("and does that pass", "and does that pass", CRPS, 0.9)] == ["anchored", "own"]


@pytest.mark.parametrize(
    ("text", "topic"), [("is it approved for that", "regulatory"), ("and the cream?", "practical.routes"), ("and the drip?", None), ("what about fibro?", None)]
)
def test_an_aspect_leads_to_its_topics(text: str, topic: str | None) -> None:
    assert READER.readings(text, text, CRPS, 0.9)[0].topic == topic


@pytest.mark.parametrize(("text", "points"), [("how risky is that", True), ("and those", True), ("sleep apnoea, does that rule people out", False), ("a pain that never goes", False)])
def test_pointing_at_what_was_said(text: str, points: bool) -> None:
    assert READER.points(text) == points


@pytest.mark.parametrize("text", ["what about that?", "and for how long", "how common is that", "how risky is that", "no, the other one", "why"])
def test_hollow_messages(text: str) -> None:
    assert READER.hollow(text)


@pytest.mark.parametrize("text", ["and getting home?", "what about the bladder", "is it addictive"])
def test_messages_with_an_aspect_of_their_own_are_not_hollow(text: str) -> None:
    assert not READER.hollow(text)


@pytest.mark.parametrize("text", ["¿sirve para la fibromialgia?", "¿puede beberse vino?", "¿qué diferencia hay entre ketamina y esketamina?", "¿cuánto cuesta?"])
def test_spanish_questions_stand_for_themselves(text: str) -> None:
    assert first(text, Context()) == ("own", text)


def test_spanish_follow_ups_keep_the_subject() -> None:
    assert first("¿y en la migraña?", CRPS, 0.9) == ("composed", "does ketamine help migraine?")


def test_every_aspect_makes_a_whole_question() -> None:
    for entry in CONTENT.lexicon.aspects:
        assert entry.question
        name = entry.names["en"][0]
        composed = [r.query for r in READER.readings(f"and {name}?", f"and {name}?", CRPS, 0.9) if r.how == "composed"]
        assert all("{" not in q and "  " not in q and q.endswith("?") for q in composed), entry.id


def test_about() -> None:
    assert READER.about("I have fibro") == "does ketamine help fibromyalgia?"
    assert READER.about("I have a question") is None
