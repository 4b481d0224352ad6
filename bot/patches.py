"""What must be mended in Rasa's process, installed when the pipeline is created.

Rasa 3.6.21 is its last release, constructs these objects itself and offers no hook, so they can only be patched. Each
patch has a test in tests/bot.
"""

import logging
import os
from graphlib import TopologicalSorter
from typing import Any, Dict, List, MutableMapping, Optional, Text, Tuple

import aiohttp
import numpy as np
import structlog
from jsonschema import Draft7Validator, ValidationError
from rasa.core.actions.action import RemoteAction
from rasa.engine.exceptions import GraphRunError
from rasa.engine.runner.dask import DaskGraphRunner
from rasa.nlu.classifiers.logistic_regression_classifier import LogisticRegressionClassifier
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.utils.endpoints import EndpointConfig

# what Rasa's structured events may carry into a log; everything else could hold a patient's words
LOGGED_KEYS = {"event", "level", "logger", "timestamp"}
_installed = False


def install() -> None:
    """Install all patches once a process.

    Raises:
        RuntimeError: when telemetry is not switched off.
    """
    global _installed
    if os.environ.get("RASA_TELEMETRY_ENABLED", "").lower() != "false":
        raise RuntimeError("set RASA_TELEMETRY_ENABLED=false: nothing may leave this machine")
    if _installed:
        return
    _installed = True
    _validate_once()
    _slim_action_call()
    _keep_connections()
    _run_graph_directly()
    _classify_directly()
    _silence_text()


def _validate_once() -> None:
    """`jsonschema.validate` checks the schema itself anew on every action call: two thirds of a turn's time.

    The validator is built once, and what our actions return is seen to be well-formed without it: each event would be held
    against the schemas of all 23 kinds.
    """
    validator = Draft7Validator(RemoteAction.action_response_format_spec())

    def validate(self: RemoteAction, result: Dict[Text, Any]) -> bool:
        if not _plainly_valid(result) and next(validator.iter_errors(result), None) is not None:
            raise ValidationError("the action server's response is malformed")
        return True

    RemoteAction._validate_action_result = validate


def _plainly_valid(result: Any) -> bool:
    """Whether a response holds well-formed slots, follow-ups and messages, and nothing else. False says nothing."""
    if not isinstance(result, dict):
        return False
    events, responses = result.get("events", []), result.get("responses", [])
    if not isinstance(events, list) or not isinstance(responses, list) or not all(isinstance(r, dict) for r in responses):
        return False
    return all(isinstance(e, dict) and _plain_event(e) for e in events)


def _plain_event(event: Dict[Text, Any]) -> bool:
    kind, timestamp = event.get("event"), event.get("timestamp")
    timely = timestamp is None or (isinstance(timestamp, (int, float)) and not isinstance(timestamp, bool))
    if not timely or not isinstance(event.get("metadata", {}), (dict, type(None))):
        return False
    return kind == "followup" or (kind == "slot" and isinstance(event.get("name"), str) and "value" in event)


def _slim_action_call() -> None:
    """Send what our actions read: slots, the newest message with its vector, no history and no domain."""

    def call(self: RemoteAction, tracker: Any, domain: Any) -> Dict[Text, Any]:
        from bot.featurizer import METADATA_KEY, current_vector

        latest = tracker.latest_message
        metadata = dict(latest.metadata or {}) if latest else {}
        vector = current_vector.get()
        if vector is not None:
            metadata[METADATA_KEY] = vector
        return {
            "next_action": self.name(),
            "sender_id": tracker.sender_id,
            "version": "3.6.21",
            "domain": {},
            "tracker": {
                "sender_id": tracker.sender_id,
                "slots": tracker.current_slot_values(),
                "latest_message": {
                    "text": latest.text if latest else "",
                    "intent": latest.intent if latest else {},
                    "intent_ranking": (latest.parse_data or {}).get("intent_ranking", []) if latest else [],
                    "entities": latest.entities if latest else [],
                    "metadata": metadata,
                },
                "events": [],
                "paused": False,
                "followup_action": None,
                "active_loop": {},
                "latest_action_name": tracker.latest_action_name,
                "latest_input_channel": "rest",
                "latest_event_time": None,
            },
        }

    RemoteAction._action_call_format = call


class _Kept:
    """A client session that stays open when its user leaves it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __aenter__(self) -> aiohttp.ClientSession:
        return self._session

    async def __aexit__(self, *_: Any) -> None:
        """The next call uses its connection again."""


def _keep_connections() -> None:
    """Rasa opens a client session and with it a connection for every action call."""
    opened = EndpointConfig.session

    def session(self: EndpointConfig) -> _Kept:
        kept = getattr(self, "_kept", None)
        if kept is None or kept.closed:
            self._kept = kept = opened(self)
        return _Kept(kept)

    EndpointConfig.session = session


def _run_graph_directly() -> None:
    """Dask plans and schedules the same few nodes anew two or three times a message; here their order is worked out once.

    Training runs, which name no targets, stay with dask.
    """
    with_dask = DaskGraphRunner.run

    def plan(self: DaskGraphRunner, targets: Tuple[Text, ...]) -> List[Tuple[Text, List[Text]]]:
        plans = self.__dict__.setdefault("_plans", {})
        if targets not in plans:
            needs = {name: list(node.needs.values()) for name, node in self._graph_schema.minimal_graph_schema(list(targets)).nodes.items()}
            plans[targets] = [(name, needs[name]) for name in TopologicalSorter(needs).static_order() if name in needs]
        return plans[targets]

    def run(self: DaskGraphRunner, inputs: Optional[Dict[Text, Any]] = None, targets: Optional[List[Text]] = None) -> Dict[Text, Any]:
        if not targets:
            return with_dask(self, inputs, targets)
        done = {name: (name, value) for name, value in (inputs or {}).items()}
        try:
            for name, needs in plan(self, tuple(targets)):
                done[name] = self._instantiated_nodes[name](*[done.get(n, n) for n in needs])
        except RuntimeError as error:
            raise GraphRunError("Error running runner.") from error
        return dict(done[t] for t in targets)

    DaskGraphRunner.run = run


def _classify_directly() -> None:
    """scikit-learn checks, copies and joins matrices of one row for longer than it multiplies them: a tenth of a turn's time.

    The result is that of its multinomial logistic regression over the sparse features followed by the dense ones.
    """

    def process(self: LogisticRegressionClassifier, messages: List[Message]) -> List[Message]:
        names = [str(name) for name in self.clf.classes_]
        for message in messages:
            pieces = message.get_sparse_features(TEXT)[1].features.tocoo()
            vector = message.get_dense_features(TEXT)[1].features[0]
            weights = self.clf.coef_
            logits = self.clf.intercept_ + weights[:, pieces.col] @ pieces.data + weights[:, pieces.shape[1] :] @ vector
            chances = np.exp(logits - logits.max())
            chances /= chances.sum()
            ranking = [{"name": names[i], "confidence": float(chances[i])} for i in np.argsort(-chances, kind="stable")]
            message.set("intent", ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
        return messages

    LogisticRegressionClassifier.process = process


def _silence_text() -> None:
    """The REST channel logs the patient's text when a turn fails or the gateway hangs up; warnings quote messages."""

    def only_known(logger: Any, method: Text, event: MutableMapping[Text, Any]) -> MutableMapping[Text, Any]:
        error = event.get("exc_info")
        kept = {k: v for k, v in event.items() if k in LOGGED_KEYS}
        if isinstance(error, BaseException):
            kept["error"] = type(error).__name__
        return kept

    configuration = structlog.get_config()
    structlog.configure(processors=[only_known, *configuration["processors"]], cache_logger_on_first_use=True)
    logging.getLogger("py.warnings").disabled = True
    for name in ("rasa", "sanic.error", "sanic.root"):
        logging.getLogger(name).addFilter(_without_values)
        for handler in logging.getLogger(name).handlers:
            handler.addFilter(_without_values)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_values)


def _without_values(record: logging.LogRecord) -> bool:
    """Keep where and what kind of failure, drop arguments and exception messages, which may quote a message."""
    if record.exc_info and record.exc_info[0] is not None:
        record.msg = f"{record.name}: {record.exc_info[0].__name__}"
        record.args = None
        record.exc_info = None
        record.exc_text = None
    elif record.levelno >= logging.WARNING and record.args:
        record.msg, record.args = str(record.msg), None
    return True
