"""Which kind of reply a message gets, with a search that finds what it is told to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from knowledge.content import Content
from knowledge.decide import ADVICE, Decider
from knowledge.decision import Context
from knowledge.safety.decline import DeclineRules
from knowledge.search import Candidate, Found
from knowledge.text import Namer, Preparer, Speller, parts

CONTENT = Content.load()
RULES = DeclineRules.load()
AT = {"answer_at": 0.5, "clarify_at": 0.3, "advice_at": 0.55, "smalltalk_at": 0.5, "followup_at": 0.45, "scope_weight": 0.0, "decline_shows_at": 0.5}


def of(topic: str) -> list[str]:
    return [s.id for s in CONTENT.statements.values() if s.topic == topic]


class Finds:
    """Finds one topic for queries that hold a word, with a confidence."""

    def __init__(self, **known: tuple[str, float]):
        self.known, self.content, self.calibration, self.build = known, CONTENT, AT, "0123456789ab"
        self.namer = Namer(CONTENT.lexicon)
        self.preparer = Preparer(Speller({}), self.namer)
        self.asked: list[str] = []
        self.advice = 0.5
        self.matched = ""

    def repair(self, text: str) -> str:
        return self.preparer.repair(text)

    def prepare(self, text: str) -> str:
        return self.preparer.prepare(text)

    def request(self, text: str, vector: Any = None, language: str = "en") -> dict[str, float]:
        return {"question": 1 - self.advice, "outside": 0.0, "advice": self.advice}

    def questions(self, text: str) -> list[str]:
        return parts(text)

    def space(self, language: str) -> SimpleNamespace:
        return SimpleNamespace(calibration=AT)

    def encode(self, texts: list[str], language: str = "en") -> np.ndarray:
        return np.zeros((len(texts), 384), dtype=np.float32)

    def shows(self, what: str) -> bool:
        return True

    def find(self, query: str, vector: Any = None, region: str | None = None, language: str = "en") -> Found:
        self.asked.append(query)
        topic, confidence = next((v for word, v in self.known.items() if word in query.lower()), ("efficacy.general", 0.05))
        candidates = tuple(Candidate(i, topic, 1.0 - n / 100, 0.8, 0.5, 0.0, self.matched, False) for n, i in enumerate(of(topic)[:3]))
        return Found(query, self.namer.find(query), candidates, confidence)

    def choose(self, found: Found, limit: int = 4) -> list[Candidate]:
        return list(found.candidates)


def decider(**known: tuple[str, float]) -> Decider:
    return Decider(Finds(**known), RULES)  # type: ignore[arg-type]


def test_a_request_for_advice_spread_over_its_kinds_is_declined() -> None:
    d = decider(crps=("efficacy.crps", 0.9))
    intents = {"ask": 0.3, "advice_other": 0.3, "advice_eligibility": 0.4}
    decision = d.decide("crps and me and it, then", intents=intents)
    assert (decision.kind, decision.reason) == ("decline", "eligibility")
    assert decision.debug["advice"] == 0.604 and decision.debug["intents"]["ask"] == 0.3
    assert {CONTENT.statements[i].topic for i, _ in decision.statements} == {"efficacy.crps"}


def test_a_question_that_a_curator_wrote_is_none() -> None:
    d = decider(crps=("efficacy.crps", 0.9))
    d.search.matched = "Does ketamine help crps?"  # type: ignore[attr-defined]
    assert d.decide("does ketamine help CRPS", intents={"advice_other": 0.9}).kind == "answer"
    assert d.decide("does ketamine help my crps", intents={"advice_other": 0.9}).kind == "decline"


@pytest.mark.parametrize(("dialogue", "search", "kind"), [(0.9, 0.02, "answer"), (0.9, 0.5, "decline"), (0.4, 0.9, "decline"), (0.1, 0.6, "answer")])
def test_dialogue_and_search_decide_on_advice_together(dialogue: float, search: float, kind: str) -> None:
    d = decider(crps=("efficacy.crps", 0.9))
    d.search.advice = search  # type: ignore[attr-defined]
    assert d.decide("would people with crps get anything out of it", intents={"ask": 1 - dialogue, "advice_other": dialogue}).kind == kind


@pytest.mark.parametrize(("search", "kind"), [(0.9, "decline"), (0.2, "answer")])
def test_without_a_dialogue_the_search_decides_on_advice(search: float, kind: str) -> None:
    d = decider(crps=("efficacy.crps", 0.9))
    d.search.advice = search  # type: ignore[attr-defined]
    assert d.decide("would people with crps get anything out of it").kind == kind


@pytest.mark.parametrize("intent", sorted(ADVICE))
@pytest.mark.parametrize("context", [Context(), Context(condition="crps", last_topic="efficacy.crps", last_ids=("x",))])
def test_context_never_decides_advice(intent: str, context: Context) -> None:
    asked = decider(crps=("efficacy.crps", 0.9)).decide("hm, crps", intents={intent: 0.8, "ask": 0.2}, context=context)
    assert (asked.kind, asked.reason) == ("decline", ADVICE[intent])
    told = decider(crps=("efficacy.crps", 0.9)).decide("does ketamine help crps", intents={"ask": 0.8, intent: 0.2}, context=context)
    assert told.kind == "answer"


@pytest.mark.parametrize(("intent", "reason"), [("advice_dose", "dose"), ("advice_supply", "supply"), ("advice_misuse", "misuse")])
def test_nothing_that_looks_like_an_answer_stands_under_these(intent: str, reason: str) -> None:
    decision = decider(crps=("efficacy.crps", 0.9)).decide("crps hm", intents={intent: 0.9})
    assert (decision.reason, decision.statements) == (reason, ())


def test_the_first_reading_that_finds_an_answer_is_meant() -> None:
    d = decider(fibromyalgia=("efficacy.fibromyalgia", 0.9))
    before = Context(condition="crps", last_topic="efficacy.crps", last_ids=tuple(of("efficacy.crps")[:1]))
    decision = d.decide("what about fibro", intents={"followup": 0.9}, context=before)
    assert decision.kind == "answer" and decision.topic == "efficacy.fibromyalgia"
    assert decision.debug["composed"] == "does ketamine help fibromyalgia?" and decision.debug["reading"] == "composed"
    assert decision.context.condition == "fibromyalgia" and decision.context.last_topic == "efficacy.fibromyalgia"


def test_a_message_tied_to_the_last_topic_prefers_it() -> None:
    d = decider(bladder=("risk.bladder", 0.9))
    decision = d.decide("how common is that", intents={"followup": 0.9}, context=Context(last_topic="risk.bladder"))
    assert decision.kind == "answer" and decision.topic == "risk.bladder" and decision.debug["reading"] == "anchored"


@pytest.mark.parametrize(("score", "topic"), [(0.9, "risk.bladder"), (0.6, "efficacy.crps")])
def test_a_subject_without_a_name_is_new_only_when_it_is_found_for_certain(score: float, topic: str) -> None:
    d = decider()
    before = Context(condition="crps", last_topic="efficacy.crps")
    d.search.known = {"ketamine waterworks": ("risk.bladder", score), "crps": ("efficacy.crps", 0.9)}  # type: ignore[attr-defined]
    decision = d.decide("and waterworks", intents={"followup": 0.9}, context=before)
    assert (decision.kind, decision.topic) == ("answer", topic)


def test_a_question_about_studies_with_nothing_before_it_is_a_question() -> None:
    d = decider(studies=("evidence.studies", 0.9))
    assert d.decide("what studies have been done so far", intents={"ask_source": 0.9}).kind == "answer"
    assert d.decide("says who", intents={"ask_source": 0.9}).kind == "clarify"


def test_what_is_out_of_scope_is_never_read_into_the_conversation() -> None:
    d = decider(crps=("efficacy.crps", 0.9), complex=("efficacy.crps", 0.9))
    decision = d.decide("and who won that", intents={"out_of_scope": 0.8, "followup": 0.2}, context=Context(condition="crps", last_topic="efficacy.crps"))
    assert (decision.kind, decision.reason) == ("abstain", "out_of_scope")
    assert all("crps" not in q.lower() for q in d.search.asked)  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["and for how long", "what about that?", "how common is that"])
def test_a_follow_up_with_nothing_before_it_is_asked_back(text: str) -> None:
    decision = decider(long=("practical.duration_sessions", 0.9)).decide(text, intents={"followup": 0.9})
    assert decision.kind == "clarify" and 2 <= len(decision.suggestions) <= 4


def test_what_begins_in_the_middle_is_asked_back_whatever_the_classifier_says() -> None:
    d = decider(long=("practical.duration_sessions", 0.9), work=("efficacy.general", 0.9))
    assert d.decide("and how long for", intents={"ask": 0.9}).kind == "clarify"
    assert d.decide("and does it work", intents={"ask": 0.9}).kind == "answer"


def test_a_topic_that_was_only_offered_is_remembered() -> None:
    d = decider(crps=("efficacy.crps", 0.4))
    decision = d.decide("crps and drips", intents={"ask": 0.9})
    assert decision.kind == "clarify" and decision.context.last_topic == "efficacy.crps" and decision.context.condition == "crps"


@pytest.mark.parametrize(("intent", "lead"), [("ask_source", "sources_lead"), ("ask_certainty", "how_sure_lead"), ("more", "answer_more_lead")])
def test_questions_about_the_answer(intent: str, lead: str) -> None:
    ids = tuple(of("efficacy.crps")[:2])
    decision = decider().decide("hm?", intents={intent: 0.9}, context=Context(last_topic="efficacy.crps", last_ids=ids))
    assert (decision.kind, decision.lead, decision.topic) == ("answer", lead, "efficacy.crps")
    shown = tuple(i for i, _ in decision.statements)
    assert set(shown).isdisjoint(ids) if intent == "more" else shown == ids
    assert decider().decide("hm?", intents={intent: 0.9}).kind == "clarify"


def test_small_talk_keeps_the_conversation_and_starting_over_ends_it() -> None:
    before = Context(condition="crps", last_topic="efficacy.crps")
    thanked = decider().decide("thank you", intents={"thanks": 0.9}, context=before)
    assert (thanked.kind, thanked.context) == ("smalltalk", before)
    assert decider().decide("start over", intents={"start_over": 0.9}, context=before).context == Context()


def test_a_question_that_statements_surely_answer_is_no_small_talk_unless_that_is_sure() -> None:
    d = decider(offered=("selection.who", 0.9))
    assert d.decide("who gets offered this", intents={"bot_challenge": 0.6}).kind == "answer"
    assert d.decide("who gets offered this", intents={"bot_challenge": 0.95}).kind == "smalltalk"
    assert d.decide("who made you please", intents={"bot_challenge": 0.6}).kind == "smalltalk"


def test_another_language_is_not_searched() -> None:
    d = decider(crps=("efficacy.crps", 0.9))
    decision = d.decide("hilft das bei crps", intents={"ask": 0.9}, language="other")
    assert (decision.kind, decision.reason, d.search.asked) == ("abstain", "language", [])  # type: ignore[attr-defined]


def test_explain_is_given_candidates_scores_and_the_reason() -> None:
    debug = decider(crps=("efficacy.crps", 0.9)).decide("does ketamine help crps", intents={"ask": 1.0}).debug
    assert {"intents", "advice", "query", "readings", "reading", "confidence", "score", "entities", "candidates", "because"} <= set(debug)
    assert debug["candidates"][0]["topic"] == "efficacy.crps"


def test_every_part_of_a_message_is_prepared_and_shown_before_more_of_the_same() -> None:
    d = decider(**{"crps": ("efficacy.crps", 0.9), "cost": ("practical.cost_insurance", 0.9)})
    decision = d.decide("does it help crps and how much does it cost")
    assert d.search.asked[1:] == ["does ketamine help crps", "how much does ketamine cost"]  # type: ignore[attr-defined]
    topics = [CONTENT.statements[i].topic for i, _ in decision.statements]
    assert topics[:2] == ["efficacy.crps", "practical.cost_insurance"] and len(topics) == 4


def test_it_beside_another_medicine_is_that_one_and_a_part_of_what_is_not_ours_is_not_searched() -> None:
    d = decider(pregabalin=("interaction.medicines", 0.4), ketamine=("risk.general", 0.9))
    assert d.decide("pregabalin swells my ankles, is it a known effect of it").kind == "clarify"
    lost = decider(lyric=("definition", 0.1), placebo=("evidence.studies", 0.9))
    assert lost.decide("what song has a lyric like that, was it placebo").kind == "abstain"


def test_of_the_rest_what_is_on_another_topic_comes_first() -> None:
    def candidate(topic: str, n: int) -> Candidate:
        return Candidate(of(topic)[n], topic, 1.0 - n / 100, 0.8, 0.5, 0.0, "", False)

    whole = [candidate("efficacy.crps", n) for n in range(3)]
    part = [candidate("efficacy.crps", 0), candidate("efficacy.crps", 1), candidate("risk.liver", 0)]
    merged = decider()._merge([whole, part])
    assert [c.topic for c in merged] == ["efficacy.crps", "risk.liver", "efficacy.crps", "efficacy.crps"]
