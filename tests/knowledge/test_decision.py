"""Decisions travel through Rasa as JSON and come back the same; slots are never trusted."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from knowledge.decision import Context, Decision, Kind

FULL = Decision(
    kind="answer",
    reason=None,
    lead="lead",
    statements=(("crps-bottom-line", 0.75), ("crps-consensus-2018", 0.5)),
    disagreement="benefit",
    suggestions=("risk.general",),
    topic="efficacy.crps",
    outside_region=True,
    build="0123456789ab",
    debug={"score": 0.75},
)


@pytest.mark.parametrize("decision", [FULL, Decision(kind="abstain"), Decision(kind="urgent", reason="overdose")])
def test_round_trip_through_json(decision: Decision) -> None:
    """What goes in comes out, as equal and hashable parts."""
    again = Decision.from_dict(json.loads(json.dumps(decision.to_dict())))
    assert again == decision
    assert isinstance(again.statements, tuple)
    assert isinstance(again.suggestions, tuple)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_of_the_contract_is_read(kind: Kind) -> None:
    """All seven."""
    assert Decision.from_dict({"kind": kind}).kind == kind


def test_the_context_travels_in_slots_only() -> None:
    """Not in the dictionary."""
    decision = Decision(kind="answer", context=Context(condition="crps", last_ids=("a",)))
    assert "context" not in decision.to_dict()
    assert Decision.from_dict(decision.to_dict()).context == Context()


@pytest.mark.parametrize(
    "data",
    [
        {}, None, [], "answer", 7, {"kind": "answer", "statements": 3}, {"kind": "answer", "statements": [["only-id"]]},
        {"kind": "answer", "statements": [["id", "high"]]}, {"kind": "answer", "suggestions": 3},
        {"kind": "answer", "statements": None},
    ],
)  # fmt: skip
def test_what_is_no_decision_is_refused(data: Any) -> None:
    """With ValueError and nothing else."""
    with pytest.raises(ValueError, match="not a decision"):
        Decision.from_dict(data)


@pytest.mark.parametrize(
    "data", [{"kind": "diagnosis"}, {"kind": None}, {"kind": ["answer"]}, {"kind": "answer", "debug": "text"},
             {"kind": "answer", "suggestions": "risk.general"}],
)  # fmt: skip
def test_fields_of_a_wrong_kind_are_refused(data: Any) -> None:
    """A kind outside the contract would only fail later, when the reply is made."""
    with pytest.raises(ValueError, match="not a decision"):
        Decision.from_dict(data)


def test_context_of_slots() -> None:
    """Good slots are read whole."""
    slots = {
        "condition": "crps",
        "medicine": "ketamine",
        "route": "iv",
        "aspect": "cost",
        "last_topic": "mechanism",
        "last_ids": ["a", "b"],
    }
    assert Context.of(slots) == Context("crps", "ketamine", "iv", "cost", "mechanism", ("a", "b"))


@pytest.mark.parametrize(
    "slots",
    [
        {},
        {"condition": 3, "medicine": ["ketamine"], "last_ids": "abc"},
        {"last_ids": None},
        {"last_ids": {"a": 1}},
        {"other": "x"},
    ],
)
def test_slots_of_a_wrong_type_count_as_absent(slots: dict[str, Any]) -> None:
    """Whatever Rasa's tracker holds."""
    assert Context.of(slots) == Context()


def test_ids_that_are_no_text_are_left_out() -> None:
    """The others stay, in order."""
    assert Context.of({"last_ids": ("a", 1, None, "b")}).last_ids == ("a", "b")
