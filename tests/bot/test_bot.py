"""What we add to Rasa, tested in Rasa's environment (Python 3.10)."""

import asyncio
import base64
import io
import logging
import os
from types import SimpleNamespace

import numpy as np
import pytest
import structlog

os.environ["RASA_TELEMETRY_ENABLED"] = "false"

from jsonschema import ValidationError
from rasa.core.actions.action import RemoteAction
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.training_data.message import Message

from bot import patches
from bot.featurizer import LENGTH, NGrams, SentenceVector, current_vector, decode_vector
from bot.importer import KnowledgeImporter

VECTOR = np.linspace(-1, 1, 384, dtype="<f4")
SENT = base64.b64encode(VECTOR.tobytes()).decode()


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    patches.install()


def featurizer() -> SentenceVector:
    return SentenceVector({**SentenceVector.get_default_config()}, "vector")


def test_the_vector_of_the_metadata_is_used_and_taken_out() -> None:
    metadata = {"vector": SENT, "region": "US"}
    message = Message(data={"text": "does it help", "metadata": metadata})
    featurizer().process([message])
    np.testing.assert_array_equal(message.features[0].features[0], LENGTH * VECTOR)
    assert metadata == {"region": "US"}, "the vector would end in the tracker"
    assert current_vector.get() == SENT


@pytest.mark.parametrize("value", [None, "", "!!", base64.b64encode(b"123").decode(), 7, base64.b64encode(np.full(384, np.nan, "<f4").tobytes()).decode()])
def test_a_vector_that_is_none_is_refused(value: object) -> None:
    assert decode_vector(value) is None


def test_without_metadata_the_featurizer_encodes() -> None:
    message = Message(data={"text": "does ketamine help crps"})
    featurizer().process([message])
    assert abs(np.linalg.norm(message.features[0].features[0]) - LENGTH) < 1e-4
    assert current_vector.get() is None


def ngrams(text: str) -> np.ndarray:
    message = Message(data={"text": text})
    NGrams({**NGrams.get_default_config()}, "ngrams").process([message])
    (feature,) = message.features
    assert feature.is_sparse() and feature.features.shape[0] == 1
    return feature.features.toarray()[0]


def test_ngrams_are_as_long_for_a_story_as_for_a_word() -> None:
    for text in ("crps", "should I", "a long story of a hand that burned for years and years and of doctors. should I try it? " * 4):
        characters, words = np.split(ngrams(text), 2)
        assert abs(np.linalg.norm(characters) - LENGTH) < 1e-4 and abs(np.linalg.norm(words) - LENGTH) < 1e-4


def test_ngrams_see_words_and_nothing_but_words() -> None:
    np.testing.assert_array_equal(ngrams("Should I, then?"), ngrams("should i then"))
    assert not np.array_equal(ngrams("should i"), ngrams("i should"))
    assert not ngrams("?!").any()


def test_the_fingerprint_changes_with_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    before = SentenceVector.fingerprint_addon({})
    monkeypatch.setenv("KETAMINE_GUIDE_BUILD", "build/another")
    assert SentenceVector.fingerprint_addon({}) not in (None, before)


def test_a_new_phrasing_teaches_the_dialogue(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = {"conditions": [], "medicines": [], "routes": [], "aspects": []}
    (tmp_path / "training.json").write_text(
        __import__("json").dumps({"phrasings": ["a brand new phrasing"], "examples": {"greet": {"en": ["hello"]}, "out_of_scope_far": {"en": ["weather"]}}, "lexicon": empty})
    )
    monkeypatch.setenv("KETAMINE_GUIDE_BUILD", str(tmp_path))
    examples = {e.get("text"): e.get("intent") for e in KnowledgeImporter().get_nlu_data().training_examples}
    assert examples == {"a brand new phrasing": "ask", "hello": "greet", "weather": "out_of_scope"}


def test_a_malformed_action_response_is_still_refused() -> None:
    action = RemoteAction("action_answer", None)
    assert action._validate_action_result({"events": [], "responses": []})
    for bad in ({"events": "x"}, {"responses": 7}, {"events": [1]}):
        with pytest.raises(ValidationError):
            action._validate_action_result(bad)


def test_the_action_call_is_small_and_carries_the_vector() -> None:
    token = current_vector.set(SENT)
    try:
        tracker = DialogueStateTracker("c_1", [])
        call = RemoteAction("action_answer", None)._action_call_format(tracker, SimpleNamespace())
    finally:
        current_vector.reset(token)
    assert call["tracker"]["events"] == [] and call["domain"] == {}
    assert call["tracker"]["latest_message"]["metadata"]["vector"] == SENT
    assert len(str(call)) < 4000


def test_the_action_call_carries_every_intent() -> None:
    ranking = [{"name": "advice_dose", "confidence": 0.5}, {"name": "ask", "confidence": 0.3}]
    heard = UserUttered("x", intent=ranking[0], parse_data={"intent": ranking[0], "intent_ranking": ranking, "text": "x", "entities": []})
    tracker = DialogueStateTracker.from_events("c_1", [heard])
    latest = RemoteAction("action_answer", None)._action_call_format(tracker, SimpleNamespace())["tracker"]["latest_message"]
    assert latest["intent_ranking"] == ranking and latest["intent"] == ranking[0]


def test_rasas_logs_drop_text() -> None:
    planted = "zebra in the log"
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logging.getLogger("rasa").addHandler(handler)
    processors = structlog.get_config()["processors"]
    event = {"event": "rest.message.received.failure", "text": planted, "exc_info": ValueError(planted)}
    kept = processors[0](None, "error", event)
    assert planted not in str(kept) and kept["event"] == "rest.message.received.failure"
    try:
        raise ValueError(planted)
    except ValueError:
        record = logging.LogRecord("rasa", logging.ERROR, "x", 1, "failed", None, __import__("sys").exc_info())
    assert patches._without_values(record) and planted not in logging.Formatter().format(record)
    assert logging.getLogger("py.warnings").disabled


def test_telemetry_must_be_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RASA_TELEMETRY_ENABLED", "true")
    with pytest.raises(RuntimeError, match="TELEMETRY"):
        patches.install()


def test_context_variable_reaches_the_action_of_the_same_turn_only() -> None:
    async def turn(value: str) -> object:
        current_vector.set(value)
        await asyncio.sleep(0.01)
        return current_vector.get()

    async def both() -> list:
        return list(await asyncio.gather(turn("a"), turn("b")))

    assert asyncio.run(both()) == ["a", "b"]
