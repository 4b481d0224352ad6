"""The actions. Each hands the message to `knowledge.decide` and returns its Decision; none blocks, none raises."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np
import structlog
from rasa_sdk import Action, Tracker
from rasa_sdk.events import EventType, FollowupAction, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from knowledge.decide import Decider
from knowledge.decision import Context, Decision
from knowledge.load import load_decider

TIMEOUT = 1.5  # seconds; the web server gives up after 3
DEBUG = os.environ.get("KETAMINE_GUIDE_DEBUG_REPLIES", "").lower() in ("1", "true", "yes", "on")
# one more than the cores, so that a slow message does not hold up the next
_POOL = ThreadPoolExecutor(max_workers=3, thread_name_prefix="decide")
log = structlog.get_logger()


@lru_cache(maxsize=1)
def decider() -> Decider:
    """The decider over the current build, loaded once a process."""
    return load_decider()


def vector_of(metadata: dict[str, Any]) -> np.ndarray | None:
    """The message's vector (384,) as `web` sent it, or None."""
    try:
        vector = np.frombuffer(base64.b64decode(metadata["vector"], validate=True), dtype="<f4")
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None
    return vector if vector.shape == (384,) and np.isfinite(vector).all() else None


def intents_of(message: dict[str, Any]) -> dict[str, float]:
    """Each intent's probability, the likeliest first; Rasa's ranking, or its one intent where there is none."""
    ranking = message.get("intent_ranking") or [message.get("intent") or {}]
    return {str(e["name"]): float(e.get("confidence") or 0.0) for e in ranking if e.get("name")}


async def decide(tracker: Tracker) -> Decision:
    """The Decision on the newest message; every failure becomes a Decision too."""
    message = tracker.latest_message or {}
    metadata = message.get("metadata") or {}
    request_id = str(metadata.get("request_id", ""))
    try:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(
            _POOL,
            lambda: decider().decide(
                message.get("text") or "",
                intents=intents_of(message),
                vector=vector_of(metadata),
                context=Context.of(tracker.current_slot_values()),
                region=metadata.get("region"),
                language=str(metadata.get("language") or "en"),
            ),
        )
        return await asyncio.wait_for(work, TIMEOUT)
    except TimeoutError:
        log.error("decide.timeout", request_id=request_id)
        return Decision("unavailable", reason="timeout")
    except Exception as error:  # whatever it is, the patient gets a reply; its message may quote theirs, so only its type is kept
        log.error("decide.failed", error=type(error).__name__, request_id=request_id)
        return Decision("unavailable", reason="down")


def memory(context: Context, slots: dict[str, Any]) -> list[EventType]:
    """What changed in the conversation's memory, as slots: each event is a row in Rasa's tracker store."""
    values = asdict(context)
    values["last_ids"] = list(context.last_ids)
    return [SlotSet(name, value) for name, value in values.items() if (slots.get(name) or None) != (value or None)]


class _Decides:
    """What every action does: decide, hand the Decision over, remember. No Action itself, or rasa-sdk would register it."""

    async def run(self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]) -> list[EventType]:
        """Called by rasa-sdk with one message's state."""
        decision = await decide(tracker)
        message = decision.to_dict()
        if not DEBUG:
            # only a reply's `debug` field shows it; it is most of what Rasa would keep of a turn
            message["debug"] = {}
        dispatcher.utter_message(json_message={"decision": message})
        remembered = [] if decision.kind == "unavailable" else memory(decision.context, tracker.current_slot_values())
        # said here, because Rasa would ask its policies again only to hear that it is the patient's turn
        return [*remembered, FollowupAction("action_listen")]


class ActionAnswer(_Decides, Action):
    """Questions, follow-ups, and whatever was not understood."""

    def name(self) -> str:
        return "action_answer"


class ActionDecline(_Decides, Action):
    """Requests for individual advice."""

    def name(self) -> str:
        return "action_decline"


class ActionAboutLast(_Decides, Action):
    """Questions about the last answer: more, where from, how sure."""

    def name(self) -> str:
        return "action_about_last"


class ActionSmalltalk(_Decides, Action):
    """Greetings and the like."""

    def name(self) -> str:
        return "action_smalltalk"
