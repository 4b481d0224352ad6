"""What must be mended in Rasa's process, installed when the pipeline is created.

Rasa 3.6.21 is its last release, constructs these objects itself and offers no hook, so they can only be patched. Each
patch has a test in tests/bot.
"""

import logging
import os
from typing import Any, Dict, MutableMapping, Text

import structlog
from jsonschema import Draft7Validator, ValidationError
from rasa.core.actions.action import RemoteAction

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
    _silence_text()


def _validate_once() -> None:
    """`jsonschema.validate` checks the schema itself anew on every action call: two thirds of a turn's time."""
    validator = Draft7Validator(RemoteAction.action_response_format_spec())

    def validate(self: RemoteAction, result: Dict[Text, Any]) -> bool:
        error = next(validator.iter_errors(result), None)
        if error is not None:
            raise ValidationError("the action server's response is malformed")
        return True

    RemoteAction._validate_action_result = validate


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


def _silence_text() -> None:
    """The REST channel logs the patient's text when a turn fails or the gateway hangs up; warnings quote messages."""

    def only_known(logger: Any, method: Text, event: MutableMapping[Text, Any]) -> MutableMapping[Text, Any]:
        error = event.get("exc_info")
        kept = {k: v for k, v in event.items() if k in LOGGED_KEYS}
        if isinstance(error, BaseException):
            kept["error"] = type(error).__name__
        return kept

    configuration = structlog.get_config()
    structlog.configure(processors=[only_known, *configuration["processors"]], cache_logger_on_first_use=False)
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
