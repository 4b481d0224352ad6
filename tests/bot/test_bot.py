"""What we add to Rasa, tested in Rasa's environment (Python 3.10)."""

import asyncio
import base64
import io
import itertools
import logging
import os
from types import SimpleNamespace

import numpy as np
import pytest
import structlog

os.environ["RASA_TELEMETRY_ENABLED"] = "false"

import rasa.shared.core.events as events
from aiohttp import web
from jsonschema import Draft7Validator, ValidationError
from rasa.core.actions.action import RemoteAction
from rasa.core.channels.channel import UserMessage
from rasa.core.tracker_store import SQLTrackerStore
from rasa.engine import loader
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.nlu.classifiers.logistic_regression_classifier import LogisticRegressionClassifier
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.nlu.training_data.message import Message
from rasa.utils.endpoints import EndpointConfig
from sqlalchemy.exc import SQLAlchemyError

from bot import patches
from bot.featurizer import LENGTH, NGrams, SentenceVector, current_vector, decode_vector
from bot.importer import KnowledgeImporter
from bot.place import build_folder
from bot.store import TrackerStore

# as Rasa ships it, before it is patched
RUN_WITH_DASK = DaskGraphRunner.run
CLASSIFY_WITH_SKLEARN = LogisticRegressionClassifier.process

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


@pytest.mark.parametrize(
    "value", [None, "", "!!", base64.b64encode(b"123").decode(), 7, base64.b64encode(np.full(384, np.nan, "<f4").tobytes()).decode()]
)
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
        __import__("json").dumps(
            {
                "phrasings": ["a brand new phrasing"],
                "examples": {"greet": {"en": ["hello"]}, "out_of_scope_far": {"en": ["weather"]}},
                "lexicon": empty,
            }
        )
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple:
    model = build_folder() / "rasa" / "model.tar.gz"
    metadata, runner = loader.load_predict_graph_runner(tmp_path_factory.mktemp("model"), model, LocalModelStorage, DaskGraphRunner)
    return metadata, runner


@pytest.mark.parametrize(
    "text", ["does ketamine help crps", "hello", "how much should i take", "where does that come from", "qwerty zxcv", "¿ayuda la ketamina?"]
)
def test_the_graph_run_directly_gives_what_dask_gives(trained: tuple, text: str) -> None:
    metadata, runner = trained

    def ran(run) -> tuple:
        tracker = DialogueStateTracker.from_events("c_1", [events.ActionExecuted("action_listen")], domain=metadata.domain)
        inputs = {"__message__": [UserMessage(text, metadata={"vector": SENT})], "__tracker__": tracker}
        parsed = run(runner, inputs=inputs, targets=[metadata.nlu_target])[metadata.nlu_target][0].as_dict(only_output_properties=True)
        tracker.update(events.UserUttered(text, parsed["intent"], [], parsed), metadata.domain)
        prediction = run(runner, inputs={"__tracker__": tracker}, targets=[metadata.core_target])[metadata.core_target]
        return parsed["intent"], parsed["intent_ranking"], prediction.probabilities, prediction.policy_name

    assert DaskGraphRunner.run is not RUN_WITH_DASK
    for _ in range(2):
        assert ran(DaskGraphRunner.run) == ran(RUN_WITH_DASK)


@pytest.mark.parametrize("text", ["does ketamine help crps", "hello", "how much should i take", "", "¿ayuda la ketamina?"])
def test_the_intent_classified_directly_is_scikit_learns(trained: tuple, text: str) -> None:
    classifier = next(n._component for n in trained[1]._instantiated_nodes.values() if isinstance(n._component, LogisticRegressionClassifier))

    def ranked(process) -> dict:
        message = Message(data={"text": text, "metadata": {"vector": SENT}})
        SentenceVector(SentenceVector.get_default_config(), "v").process([message])
        NGrams(NGrams.get_default_config(), "n").process([message])
        process(classifier, [message])
        assert message.get("intent") == message.get("intent_ranking")[0]
        return {r["name"]: r["confidence"] for r in message.get("intent_ranking")}

    assert LogisticRegressionClassifier.process is not CLASSIFY_WITH_SKLEARN
    theirs = ranked(CLASSIFY_WITH_SKLEARN)
    assert sum(theirs.values()) == pytest.approx(1)
    assert ranked(LogisticRegressionClassifier.process) == pytest.approx(theirs, abs=1e-9)


def turn(number: int) -> list:
    """The events of one turn, with time stamps so that two stores write the same bytes."""
    at = float(number)
    return [
        events.UserUttered("does it help", {"name": "ask"}, [], {"intent": {"name": "ask"}}, timestamp=at + 0.1, message_id=str(number)),
        events.ActionExecuted("action_answer", timestamp=at + 0.2),
        events.SlotSet("condition", f"c{number}", timestamp=at + 0.3),
        events.ActionExecuted("action_listen", timestamp=at + 0.4),
    ]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """Makes an empty database and gives a tracker store's arguments for it."""
    numbers = itertools.count()

    def make() -> dict:
        if request.param == "sqlite":
            return {"dialect": "sqlite", "db": str(tmp_path / f"{next(numbers)}.db")}
        server = request.getfixturevalue("postgres_server")
        server.empty()
        return {"dialect": "postgresql", "host": "127.0.0.1", "port": server.port, "username": "guide", "password": server.password, "db": "guide"}

    return make


def test_our_tracker_store_keeps_what_rasas_keeps(database) -> None:
    domain = Domain.from_dict({"slots": {"condition": {"type": "text", "mappings": [{"type": "custom"}]}}})
    rows, trackers = [], []
    session = [events.ActionExecuted("action_session_start", timestamp=10.0), events.SessionStarted(timestamp=10.0)]
    for kind in (SQLTrackerStore, TrackerStore):
        store = kind(domain, **database())
        for at, begin in ((1, []), (2, []), (11, session), (12, [])):
            tracker = asyncio.run(store.get_or_create_tracker("c_1", append_action_listen=False))
            for event in [*begin, *turn(at)]:
                tracker.update(event, domain)
            asyncio.run(store.save(tracker))
        asyncio.run(store.save(asyncio.run(store.get_or_create_tracker("c_1"))))
        assert asyncio.run(store.retrieve("nobody")) is None
        trackers.append(asyncio.run(store.retrieve("c_1")))
        with store.engine.connect() as db:
            rows.append(
                [tuple(r) for r in db.execute("SELECT id, sender_id, type_name, timestamp, intent_name, action_name, data FROM events ORDER BY id")]
            )
        store.engine.dispose()
    assert len(rows[0]) == 18 and rows[0] == rows[1]
    assert list(trackers[0].events) == list(trackers[1].events)
    assert trackers[0].current_slot_values() == trackers[1].current_slot_values() == {**trackers[0].current_slot_values(), "condition": "c12"}
    assert len(trackers[0].events) == len(session) + 8, "the last session only"


def test_a_tracker_that_was_not_read_is_not_written_twice(database) -> None:
    store = TrackerStore(Domain.empty(), **database())
    for _ in range(2):
        asyncio.run(store.save(DialogueStateTracker.from_events("c_1", turn(1))))
    with store.engine.connect() as db:
        assert db.execute("SELECT count(*) FROM events").scalar() == 4
    store.engine.dispose()


def test_the_tracker_store_outlives_a_restart_of_postgresql(postgres) -> None:
    arguments = {"dialect": "postgresql", "host": "127.0.0.1", "port": postgres.port, "username": "guide", "password": postgres.password, "db": "guide"}
    store = TrackerStore(Domain.empty(), **arguments)
    asyncio.run(store.save(DialogueStateTracker.from_events("c_1", turn(1))))
    postgres.stop("immediate")
    with pytest.raises(SQLAlchemyError):
        asyncio.run(store.retrieve("c_1"))
    postgres.start()
    assert len(asyncio.run(store.retrieve("c_1")).events) == 4
    store.engine.dispose()


def test_no_words_are_in_postgresqls_statistics(postgres) -> None:
    arguments = {"dialect": "postgresql", "host": "127.0.0.1", "port": postgres.port, "username": "guide", "password": postgres.password, "db": "guide"}
    for number in range(2):  # each start says it again
        store = TrackerStore(Domain.empty(), **arguments)
        for at in range(20):
            asyncio.run(store.save(DialogueStateTracker.from_events(f"c_{number}_{at}", turn(at))))
        store.engine.dispose()
    postgres.execute("ANALYZE")
    assert "sender_id" in (kept := postgres.execute("SELECT attname FROM pg_stats WHERE tablename = 'events'").split())
    assert "data" not in kept


@pytest.mark.parametrize(
    "result",
    [
        {}, {"events": [], "responses": [{}]}, {"events": [{"event": "slot", "name": "a", "value": None, "timestamp": None}]},
        {"events": [{"event": "followup", "name": "action_listen", "timestamp": 1.5, "metadata": None}]},
        {"events": [{"event": "slot", "name": "a"}]}, {"events": [{"event": "slot", "name": 7, "value": 1}]},
        {"events": [{"event": "slot", "name": "a", "value": 1, "timestamp": True}]}, {"events": [{"event": "slot", "name": "a", "value": 1, "metadata": "x"}]},
        {"events": [{"event": "followup", "timestamp": "now"}]}, {"events": [{"event": "unknown"}]}, {"events": {}}, {"responses": ["x"]}, {"responses": None},
        {"events": None}, {"events": [7]}, [], "x", None, {"events": [{"event": ["slot"], "name": "a", "value": 1}]},
    ],
)  # fmt: skip
def test_what_is_taken_for_well_formed_is_so_by_rasas_schema(result: object) -> None:
    valid = Draft7Validator(RemoteAction.action_response_format_spec()).is_valid(result)
    assert not patches._plainly_valid(result) or valid
    action = RemoteAction("action_answer", None)
    if valid:
        assert action._validate_action_result(result)
    else:
        with pytest.raises(ValidationError):
            action._validate_action_result(result)


def test_action_calls_share_a_connection() -> None:
    peers = set()

    async def webhook(request: web.Request) -> web.Response:
        peers.add(request.transport.get_extra_info("peername"))
        return web.json_response({"events": [], "responses": []})

    async def calls() -> None:
        app = web.Application()
        app.router.add_post("/webhook", webhook)
        served = web.AppRunner(app)
        await served.setup()
        site = web.TCPSite(served, "127.0.0.1", 0)
        await site.start()
        endpoint = EndpointConfig(f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/webhook")
        for _ in range(3):
            assert await endpoint.request(json={}) == {"events": [], "responses": []}
        await endpoint._kept.close()
        assert await endpoint.request(json={}) == {"events": [], "responses": []}, "a closed session is opened again"
        await endpoint._kept.close()
        await served.cleanup()

    asyncio.run(calls())
    assert len(peers) == 2


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
