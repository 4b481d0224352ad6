"""One message, from the patient's words to the Reply: the pipeline every channel uses.

Order matters: the safety screen first, whatever else is wrong; then length, rate, conversation, pause; then the dialogue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import structlog

from knowledge.answer import Answerer, Reply, Setting
from knowledge.decision import Decision
from knowledge.encoder import Encoder, EncoderError
from knowledge.safety.screen import Finding, Screen
from knowledge.safety.watch import Step
from knowledge.text import Preparer, clean
from web.errors import Refusal
from web.gate import Crowded, Gate, Rank
from web.store import OPEN_FOR, Conversation, ConversationGone, Store, StoreError
from web.urgent import Urgent

MAX_TEXT = 2000
RECENT_SECONDS = 30 * 60
RECENT_MESSAGES = 2
# How long an urgent reply waits for the database: to learn whose it is (without it, the default region's numbers are shown),
# and to be written down.
STORE_PATIENCE = 1.0  # seconds
RECORD_PATIENCE = 0.03
TOGETHER = 8  # texts encoded in one call at most …
SHORT = 200  # … each of so many characters at most
ASIDE = 8  # threads that wait for the database on behalf of urgent replies
T = TypeVar("T")
log = structlog.get_logger()


@dataclass
class _Asked:
    """Texts that wait for their vectors."""

    texts: list[str]
    vectors: np.ndarray | None = None
    error: Exception | None = None


class TurnEncoder:
    """The encoder as a web worker uses it.

    Messages that wait while others are encoded go together in the next call, which costs half as much as one by one (the
    model's weights are read once for all). One call at a time leaves a core to everything else. The safety classifier
    and the dialogue want the vector of the same message; the newest one of each thread is kept.
    """

    def __init__(self, encoder: Encoder, preparer: Preparer):
        self._encoder = encoder
        self._preparer = preparer
        self._waiting: list[_Asked] = []
        self._list = threading.Lock()
        self._busy = threading.Lock()
        self._local = threading.local()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors (n, 384) of messages, prepared first.

        Raises:
            EncoderError, RuntimeError: when it fails.
        """
        prepared = [self.prepare(t) for t in texts]
        if len(prepared) == 1 and getattr(self._local, "text", None) == prepared[0]:
            kept: np.ndarray = self._local.vectors
            return kept
        vectors = self._together(_Asked(prepared))
        if prepared:
            self._local.text, self._local.vectors = prepared[0], vectors[:1]
        return vectors

    def prepare(self, text: str) -> str:
        """The text as it is encoded and handed to the dialogue, which alone knows what "it" stands for."""
        return self._preparer.repair(text)

    def _together(self, mine: _Asked) -> np.ndarray:
        with self._list:
            self._waiting.append(mine)
        with self._busy:
            if mine.vectors is None and mine.error is None:
                self._encode(self._batch(mine))
        if mine.vectors is None:
            raise mine.error or RuntimeError("not encoded")
        return mine.vectors

    def _batch(self, mine: _Asked) -> list[_Asked]:
        """What is encoded with `mine`: short texts only, because all of a call are padded to its longest."""
        batch, size = [mine], len(mine.texts)
        with self._list:
            if all(len(t) <= SHORT for t in mine.texts):
                for other in self._waiting:
                    if other is not mine and size + len(other.texts) <= TOGETHER and all(len(t) <= SHORT for t in other.texts):
                        batch.append(other)
                        size += len(other.texts)
            self._waiting = [a for a in self._waiting if not any(a is b for b in batch)]
        return batch

    def _encode(self, batch: list[_Asked]) -> None:
        try:
            vectors = self._encoder.encode([t for a in batch for t in a.texts])
        except Exception as error:  # each of them gets it
            for asked in batch:
                asked.error = error
            return
        at = 0
        for asked in batch:
            asked.vectors = vectors[at : at + len(asked.texts)]
            at += len(asked.texts)


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
    stage: Callable[[str], AbstractContextManager[object]] = nullcontext
    debug: bool = False
    scrub: Callable[[str], str] | None = None  # there when unanswered questions are kept
    gate: Gate = field(default_factory=Gate)
    _aside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(ASIDE, "aside"), init=False)
    _recording: dict[str, Future[Reply]] = field(default_factory=dict, init=False)

    def message(self, incoming: Incoming) -> Reply:
        """Answer a message.

        Raises:
            Refusal: when the message cannot be accepted; never for one that the safety screen finds urgent.
        """
        try:
            with self.stage("total"):
                return self._message(incoming, time.perf_counter())
        except Refusal as refusal:
            self.count("refusal", problem=refusal.slug)
            raise

    def _message(self, incoming: Incoming, started: float) -> Reply:
        # the message alone first: no store is asked, nobody waited for, and nothing encoded without need, before somebody in danger is seen
        with self.stage("rules"), self.gate.long_texts if len(incoming.text) > MAX_TEXT else nullcontext():
            finding = self.screen.check_rules(incoming.text)
        alone: Finding | None = None
        if finding.likely:
            with self.stage("classify"):
                alone = self.screen.classify(incoming.text, finding)
            finding = alone if alone.urgent else finding
        if finding.urgent:
            self.gate.arrivals.urgent()
            nobody: Conversation | None = None
            conversation = self._within(STORE_PATIENCE, self._aside.submit(self._look_up_settled, incoming.conversation_id), nobody)
            return self._urgent(conversation, incoming, self._step(conversation, finding, incoming), started, finding)
        self.gate.arrivals.past()
        try:
            return self._not_at_once(incoming, finding, alone, started)
        except Crowded:
            raise Refusal("store-down") from None

    def _not_at_once(self, incoming: Incoming, finding: Finding, alone: Finding | None, started: float) -> Reply:
        """Answer a message that shows no danger to the rules; `alone` is what the classifier said, if it was asked already."""
        self._wait_until_recorded(incoming.conversation_id, OPEN_FOR)
        try:
            with self.stage("look_up"), self.gate.turn(Rank.SCREEN):
                conversation, store_error = self._look_up(incoming.conversation_id)
                recent = conversation.recent if conversation else ()
                if recent:
                    together = self.screen.check_rules(incoming.text, recent)
                    finding = together if together.urgent or together.likely else finding
        except Crowded:  # the database hangs; the classifier needs none
            conversation, recent, store_error = None, (), True
        with self.stage("classify"):
            finding = alone if alone and not recent else self.screen.classify(incoming.text, finding, recent)
        step = self._step(conversation, finding, incoming)
        if step.action in ("urgent", "urgent_again"):
            return self._urgent(conversation, incoming, step, started, finding)
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
            reply = self._turn(conversation, incoming, text, finding, step)
        except ConversationGone:
            raise Refusal("no-such-conversation") from None
        except StoreError:
            raise Refusal("store-down") from None
        self.count("reply", channel=conversation.channel, kind=reply["kind"])
        self._log(incoming, reply, started, finding)
        return reply

    # -- parts -------------------------------------------------------------------------------------------------------

    def _turn(self, conversation: Conversation, incoming: Incoming, text: str, finding: Finding, step: Step) -> Reply:
        with self.stage("arrive"), self.gate.turn(Rank.DIALOGUE):
            turn = self.store.arrive(conversation, text, incoming.message_id)
        if turn is None:
            turn = self.store.again(conversation, str(incoming.message_id))
        if turn.reply is not None:
            return turn.reply
        with self.stage("order"):
            self.store.wait_in_order(conversation, turn)
        setting = self._setting(conversation)
        made = self._without_dialogue(conversation, step, setting)
        decision = None if made else self._decision(conversation, incoming, text, finding)
        with self.stage("reply"), self.gate.turn(Rank.DIALOGUE):
            reply = self._reply(conversation, decision, finding, step, setting) if decision else made or {}
            if not self.store.answer(conversation, turn, reply, _stored(step)):
                raise ConversationGone
        self._keep_unanswered(conversation, text, reply)
        return reply

    def _keep_unanswered(self, conversation: Conversation, text: str, reply: Reply) -> None:
        """Keep what no statement answers, of the web page only: a kiosk promises to forget, channels show no such notice."""
        if self.scrub is None or reply["reason"] != "no_statement" or conversation.channel != "web":
            return
        try:
            self.store.add_unanswered(conversation, self.scrub(text), reply["knowledge_version"])
        except Exception as error:  # whatever goes wrong here, the patient has the reply
            log.error("unanswered.failed", error=type(error).__name__)

    def _without_dialogue(self, conversation: Conversation, step: Step, setting: Setting) -> Reply | None:
        if self.is_paused():
            return self.answerer.unavailable("paused", setting)
        return self.urgent.safe_now(conversation.watch, setting) if step.action == "thank_safe" else None

    def _decision(self, conversation: Conversation, incoming: Incoming, text: str, finding: Finding) -> Decision:
        if finding.foreign:
            return Decision("abstain", reason="language", lead="abstain_language")
        vector, prepared = self._vector(text)
        about = {"region": conversation.region, "language": finding.language, "request_id": incoming.request_id}
        with self.stage("dialogue"):
            return self.ask(conversation.sender, prepared, vector, about)

    def _reply(self, conversation: Conversation, decision: Decision, finding: Finding, step: Step, setting: Setting) -> Reply:
        reply = self._with_soon(decision, finding, setting)
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
            self.count("error", stage="encode")
            return None, text

    def _look_up(self, conversation_id: str) -> tuple[Conversation | None, bool]:
        try:
            return self.store.get(conversation_id, RECENT_SECONDS, RECENT_MESSAGES), False
        except StoreError as error:
            log.error("store.failed", error=type(error).__name__)
            self.count("error", stage="store")
            return None, True

    def _setting(self, conversation: Conversation | None) -> Setting:
        if conversation is None:
            return self.default
        return Setting(conversation.language, conversation.region, self.default.clinic_contact)

    def _step(self, conversation: Conversation | None, finding: Finding, incoming: Incoming) -> Step:
        return self.urgent.step(conversation.watch if conversation else None, finding, incoming.text)

    def _urgent(self, conversation: Conversation | None, incoming: Incoming, step: Step, started: float, finding: Finding) -> Reply:
        reply = self.urgent.reply(step, self._setting(conversation), conversation.channel if conversation else "web")
        if conversation is not None:
            # a slow database writes it down when it can: the reply does not wait for that, the next message does
            record = self._aside.submit(self._record_urgent, conversation, incoming, reply, step)
            self._recording[incoming.conversation_id] = record
            record.add_done_callback(lambda done: self._recorded(incoming.conversation_id, done))
            reply = self._within(RECORD_PATIENCE, record, reply)
        self.count("urgent", category=reply["urgent"]["category"])
        self.count("reply", channel=conversation.channel if conversation else "unknown", kind="urgent")
        self._log(incoming, reply, started, finding)
        return reply

    def _within(self, seconds: float, work: Future[T], otherwise: T) -> T:
        """The result of `work`, or `otherwise` when it takes longer; it then goes on by itself."""
        try:
            return work.result(seconds)
        except TimeoutError:
            log.error("store.slow")
            self.count("error", stage="store")
            return otherwise

    def _look_up_settled(self, conversation_id: str) -> Conversation | None:
        self._wait_until_recorded(conversation_id, STORE_PATIENCE / 2)
        return self._look_up(conversation_id)[0]

    def _wait_until_recorded(self, conversation_id: str, seconds: float) -> None:
        """Wait while the conversation's last urgent reply is still being written down: what follows depends on it."""
        record = self._recording.get(conversation_id)
        if record is not None:
            wait([record], seconds)

    def _recorded(self, conversation_id: str, record: Future[Reply]) -> None:
        if self._recording.get(conversation_id) is record:
            self._recording.pop(conversation_id, None)

    def _record_urgent(self, conversation: Conversation, incoming: Incoming, reply: Reply, step: Step) -> Reply:
        """Keep the turn, and give the reply to send: the first one's, when sent again."""
        try:
            turn = self.store.arrive(conversation, clean(incoming.text)[:MAX_TEXT], incoming.message_id)
            if turn is None:
                turn = self.store.again(conversation, str(incoming.message_id))
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
