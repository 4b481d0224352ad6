"""Every failure of an action becomes a Decision."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher

from actions import actions
from knowledge.decision import Context, Decision


def tracker(text: str = "zebra question", **slots: Any) -> Tracker:
    message = {"text": text, "intent": {"name": "ask", "confidence": 0.9}, "metadata": {"region": "US"}}
    return Tracker("c_1", slots, message, [], False, None, {}, "action_listen")


class Stub:
    def __init__(self, answer: Any):
        self.answer = answer

    def decide(self, text: str, **_: Any) -> Decision:
        if callable(self.answer):
            return self.answer()
        raise self.answer


def run(monkeypatch: pytest.MonkeyPatch, answer: Any) -> tuple[dict[str, Any], list[Any]]:
    monkeypatch.setattr(actions, "decider", lambda: Stub(answer))
    dispatcher = CollectingDispatcher()
    events = asyncio.run(actions.ActionAnswer().run(dispatcher, tracker(), {}))
    return dispatcher.messages[0]["custom"]["decision"], events


def test_a_decision_is_handed_over_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    decision, events = run(monkeypatch, lambda: Decision("answer", statements=(("a", 1.0),), context=Context(condition="crps", last_ids=("a",))))
    assert decision["kind"] == "answer" and decision["statements"] == [["a", 1.0]]
    assert {e["name"]: e["value"] for e in events if e["event"] == "slot"} == {"condition": "crps", "last_ids": ["a"]}
    assert (events[-1]["event"], events[-1]["name"]) == ("followup", "action_listen")


def test_only_what_changed_is_remembered() -> None:
    said = Context(condition="crps", route="iv", last_ids=("a",))
    assert actions.memory(said, {"condition": "crps", "route": "iv", "last_ids": ["a"], "medicine": None}) == []
    forgotten = actions.memory(Context(), {"condition": "crps", "last_ids": ["a"], "aspect": None})
    assert {e["name"]: e["value"] for e in forgotten} == {"condition": None, "last_ids": []}


def test_an_exception_becomes_unavailable_and_its_words_stay_out_of_the_log(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    decision, events = run(monkeypatch, RuntimeError("zebra question"))
    assert (decision["kind"], decision["reason"]) == ("unavailable", "down")
    assert [e["event"] for e in events] == ["followup"], "what was remembered stays"
    said = capsys.readouterr()
    assert "zebra" not in said.out + said.err
    assert "RuntimeError" in said.out + said.err


def test_a_slow_decision_times_out_and_does_not_stall_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "TIMEOUT", 0.05)

    def slow() -> Decision:
        time.sleep(0.3)
        return Decision("answer")

    decision, _ = run(monkeypatch, slow)
    assert (decision["kind"], decision["reason"]) == ("unavailable", "timeout")


@pytest.mark.parametrize("wanted", [True, False])
def test_the_reasons_travel_only_where_they_are_shown(monkeypatch: pytest.MonkeyPatch, wanted: bool) -> None:
    monkeypatch.setattr(actions, "DEBUG", wanted)
    decision, _ = run(monkeypatch, lambda: Decision("answer", statements=(("a", 1.0),), debug={"query": "zebra"}))
    assert decision["debug"] == ({"query": "zebra"} if wanted else {})


def test_a_forged_vector_is_no_vector() -> None:
    for value in ({}, {"vector": 7}, {"vector": "@@"}, {"vector": "AAAA"}):
        assert actions.vector_of(value) is None


def test_intents_come_from_the_ranking_else_from_the_one_intent() -> None:
    ranking = [{"name": "ask", "confidence": 0.6}, {"name": "advice_dose", "confidence": 0.4}]
    assert actions.intents_of({"intent": ranking[0], "intent_ranking": ranking}) == {"ask": 0.6, "advice_dose": 0.4}
    assert actions.intents_of({"intent": {"name": "ask", "confidence": 0.9}}) == {"ask": 0.9}
    assert actions.intents_of({"intent": {}, "intent_ranking": []}) == {}
