"""One message, from the patient's words to the Reply: the pipeline every channel uses.

Order matters: the safety screen first, whatever else is wrong; then length, rate, conversation, pause; then the dialogue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog

from knowledge.answer import Answerer, Reply, Setting
from knowledge.decision import Decision
from knowledge.encoder import Encoder, EncoderError
from knowledge.safety.screen import Finding, Screen
from knowledge.safety.watch import Step
from knowledge.text import Preparer, clean
from web.errors import Refusal
from web.store import Conversation, ConversationGone, Store, StoreError
from web.urgent import Urgent

MAX_TEXT = 2000
RECENT_SECONDS = 30 * 60
RECENT_MESSAGES = 2
log = structlog.get_logger()


class TurnEncoder:
    """The encoder as a web worker uses it: no more calls at once than cores, and one encoding a message.

    The safety classifier and the dialogue want the vector of the same message; the newest one of each thread is kept.
    """

    def __init__(self, encoder: Encoder, preparer: Preparer, at_once: int = 2):
        self._encoder = encoder
        self._preparer = preparer
        self._slots = threading.BoundedSemaphore(at_once)
        self._local = threading.local()

    def encode(self, texts: list[str]) -> np.ndarray:
        """Vectors (n, 384) of messages, prepared first."""
        prepared = [self.prepare(t) for t in texts]
        if len(prepared) == 1 and getattr(self._local, "text", None) == prepared[0]:
            kept: np.ndarray = self._local.vectors
            return kept
        with self._slots:
            vectors = self._encoder.encode(prepared)
        if len(prepared) == 1:
            self._local.text, self._local.vectors = prepared[0], vectors
        return vectors

    def prepare(self, text: str) -> str:
        """The text as it is encoded and handed to the dialogue, which alone knows what "it" stands for."""
        return self._preparer.repair(text)


@dataclass(frozen=True)
class Incoming:
    """A message as a channel received it.

    Attributes:
        text: Whatever text could be decoded.
        conversation_id: As sent; may be unknown.
        message_id: The client's own id, or None.
        address: The client's network address, for rate limits.
        request_id: For the logs.
        refusal: What a channel already found wrong (too large, not JSON …); raised unless the text is urgent.
    """

    text: str
    conversation_id: str
    message_id: str | None = None
    address: str = ""
    request_id: str = ""
    refusal: Refusal | None = None


@dataclass
class Guide:
    """Everything a worker needs to answer."""

    screen: Screen
    urgent: Urgent
    answerer: Answerer
    encoder: TurnEncoder | None
    store: Store
    ask: Callable[..., Decision]
    is_paused: Callable[[], bool]
    within_limits: Callable[[str, str], None]
    default: Setting
    count: Callable[..., None] = field(default=lambda *a, **k: None)
    debug: bool = False

    def message(self, incoming: Incoming) -> Reply:
        """Answer a message.

        Raises:
            Refusal: when the message cannot be accepted; never for one that the safety screen finds urgent.
        """
        started = time.perf_counter()
        # the message alone first: no store is asked before somebody in danger is seen
        finding = self.screen.check(incoming.text)
        conversation, store_error = self._look_up(incoming.conversation_id)
        if not finding.urgent and (recent := self._recent(conversation)):
            together = self.screen.check(incoming.text, recent)
            finding = together if together.urgent else finding
        step = self.urgent.step(conversation.watch if conversation else None, finding, incoming.text)
        setting = self._setting(conversation)
        if step.action in ("urgent", "urgent_again"):
            reply = self.urgent.reply(step, setting, conversation.channel if conversation else "web")
            reply = self._record_urgent(conversation, incoming, reply, step)
            self.count("urgent", category=reply["urgent"]["category"])
            self._log(incoming, reply, started, finding)
            return reply
        if incoming.refusal is not None:
            raise incoming.refusal
        text = clean(incoming.text)
        if not text:
            raise Refusal("empty-text")
        if len(text) > MAX_TEXT:
            raise Refusal("text-too-long")
        self.within_limits(incoming.address, incoming.conversation_id)
        if store_error:
            raise Refusal("store-down")
        if conversation is None:
            raise Refusal("no-such-conversation")
        try:
            reply = self._turn(conversation, incoming, text, finding, step, setting)
        except ConversationGone:
            raise Refusal("no-such-conversation") from None
        except StoreError:
            raise Refusal("store-down") from None
        self._log(incoming, reply, started, finding)
        return reply

    # -- parts -------------------------------------------------------------------------------------------------------

    def _turn(self, conversation: Conversation, incoming: Incoming, text: str, finding: Finding, step: Step, setting: Setting) -> Reply:
        turn = self.store.arrive(conversation, text, incoming.message_id)
        if turn.reply is not None:
            return turn.reply
        with self.store.in_order(conversation, turn):
            reply = self._reply(conversation, incoming, text, finding, step, setting)
            if not self.store.answer(conversation, turn, reply, _stored(step)):
                raise ConversationGone
        return reply

    def _reply(self, conversation: Conversation, incoming: Incoming, text: str, finding: Finding, step: Step, setting: Setting) -> Reply:
        if self.is_paused():
            return self.answerer.unavailable("paused", setting)
        if step.action == "thank_safe":
            return self.urgent.safe_now(conversation.watch, setting)
        if finding.foreign:
            decision = Decision("abstain", reason="language", lead="abstain_language")
        else:
            vector, prepared = self._vector(text)
            about = {"region": conversation.region, "language": finding.language, "request_id": incoming.request_id}
            decision = self.ask(conversation.sender, prepared, vector, about)
        reply = self._with_soon(decision, finding, setting)
        self.count("reply", channel=conversation.channel, kind=reply["kind"])
        self.urgent.add_notices(reply, finding, step, setting)
        if self.debug:
            reply["debug"] = {**decision.debug, "screen": finding.why}
        return self.answerer.finish(reply)

    def _with_soon(self, decision: Decision, finding: Finding, setting: Setting) -> Reply:
        """A symptom of one's own comes with the sourced statement on that risk, whatever the dialogue made of it."""
        if "see_clinician_soon" in finding.notices and finding.soon_topics and decision.kind != "decline":
            decision = self.urgent.soon_decision(decision, finding, self.answerer.content)
        if decision.kind == "unavailable":
            return self.answerer.unavailable(decision.reason or "down", setting)
        return self.answerer.reply(decision, setting)

    def _vector(self, text: str) -> tuple[np.ndarray | None, str]:
        if self.encoder is None:
            return None, text
        try:
            return self.encoder.encode([text])[0], self.encoder.prepare(text)
        except (EncoderError, RuntimeError) as error:
            log.error("encode.failed", error=type(error).__name__)
            return None, text

    def _look_up(self, conversation_id: str) -> tuple[Conversation | None, bool]:
        try:
            return self.store.get(conversation_id), False
        except StoreError as error:
            log.error("store.failed", error=type(error).__name__)
            self.count("error", stage="store")
            return None, True

    def _recent(self, conversation: Conversation | None) -> list[str]:
        if conversation is None:
            return []
        try:
            return self.store.recent(conversation, RECENT_SECONDS, RECENT_MESSAGES)
        except StoreError:
            return []

    def _setting(self, conversation: Conversation | None) -> Setting:
        if conversation is None:
            return self.default
        return Setting(conversation.language, conversation.region, self.default.clinic_contact)

    def _record_urgent(self, conversation: Conversation | None, incoming: Incoming, reply: Reply, step: Step) -> Reply:
        """Keep the turn if there is a conversation and a database, and give the reply to send: the first one's, when sent again."""
        if conversation is None:
            return reply
        try:
            turn = self.store.arrive(conversation, clean(incoming.text)[:MAX_TEXT], incoming.message_id)
            if turn.reply is not None:
                return turn.reply
            self.store.answer(conversation, turn, reply, _stored(step))
        except (StoreError, ConversationGone) as error:
            log.error("store.failed", error=type(error).__name__)
        return reply

    def _log(self, incoming: Incoming, reply: Reply, started: float, finding: Finding) -> None:
        log.info(
            "message.answered",
            request_id=incoming.request_id,
            kind=reply["kind"],
            reason=reply["reason"],
            rule=finding.rule,
            ms=round(1000 * (time.perf_counter() - started), 1),
            build=reply["knowledge_version"],
        )


def _stored(step: Step) -> dict[str, Any] | None:
    return step.state.to_json() if step.state else None
