"""What waits for what when a message comes in."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy.exc import OperationalError

from knowledge.answer import Answerer, Setting, Wording
from knowledge.contacts import Contacts
from knowledge.content import CONTENT, Content
from knowledge.decision import Decision
from knowledge.safety.screen import Screen
from web import guide as module
from web.errors import Refusal
from web.guide import Guide, Incoming, TurnEncoder
from web.store import Conversation, Turn
from web.urgent import Urgent


class HungStore:
    """A database that neither answers nor fails."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __getattr__(self, name: str) -> Any:
        def hang(*_: Any, **__: Any) -> Any:
            self.go.wait(20)
            raise OperationalError("hung", None, Exception("hung"))

        return hang


@pytest.fixture(scope="module")
def answerer() -> Answerer:
    return Answerer(Content.load(CONTENT), Wording(CONTENT), Contacts.load(CONTENT / "crisis" / "contacts.yml"), "0" * 12)


@pytest.fixture(scope="module")
def screen() -> Screen:
    return Screen.load(CONTENT)


def made(screen: Screen, answerer: Answerer, store: Any) -> Guide:
    return Guide(
        screen=screen, urgent=Urgent.load(CONTENT, answerer), answerer=answerer, encoder=None, store=store,
        ask=lambda *_: Decision("unavailable", reason="down"), is_paused=lambda: False, within_limits=lambda *_: None, default=Setting("en", "US", None),
    )  # fmt: skip


def test_a_database_that_hangs_holds_up_an_urgent_reply_for_a_second_only(screen: Screen, answerer: Answerer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STORE_PATIENCE", 0.2)
    store = HungStore()
    guide = made(screen, answerer, store)
    guide.gate._longest_wait = 0.2
    ordinary = [threading.Thread(target=lambda: _refused(guide)) for _ in range(8)]
    for thread in ordinary:
        thread.start()
    time.sleep(0.1)
    started = time.monotonic()
    reply = guide.message(Incoming("I took too much and can't breathe", "some-conversation"))
    assert time.monotonic() - started < 2
    assert reply["kind"] == "urgent" and reply["contacts"][0]["ways"][0]["dial"] == "911"
    store.go.set()
    for thread in ordinary:
        thread.join(timeout=10)


def _refused(guide: Guide) -> None:
    with pytest.raises(Refusal, match="store-down"):
        guide.message(Incoming("Is ketamine addictive?", "another"))


class SlowStore:
    """A database that writes nothing until it is let, and then has what was written."""

    def __init__(self) -> None:
        self.watch: dict[str, Any] | None = None
        self.free = threading.Event()

    def get(self, *_: Any) -> Conversation:
        return Conversation("key", "c_1", "en", "GB", "web", self.watch)

    def arrive(self, *_: Any) -> Turn:
        self.free.wait(timeout=5)
        return Turn(1, waits=False)

    def answer(self, conversation: Conversation, turn: Turn, reply: dict[str, Any], watch: dict[str, Any] | None) -> bool:
        self.watch = watch
        return True

    def wait_in_order(self, *_: Any) -> None:
        pass


def test_the_message_after_an_urgent_reply_sees_it_though_the_reply_did_not_wait_to_be_recorded(screen: Screen, answerer: Answerer) -> None:
    store = SlowStore()
    guide = made(screen, answerer, store)
    first = guide.message(Incoming("I can't breathe", "c"))
    assert guide._recording, "the reply is there while it is still being written down"
    assert first["contacts"][0]["ways"][0]["dial"] == "999"
    store.free.set()
    again = guide.message(Incoming("I can't breathe", "c"))
    assert again["kind"] == "urgent" and again["lead"] != first["lead"], "the same words never come twice in a row"
    assert guide.message(Incoming("they did not pick up", "c"))["kind"] == "urgent"
    deadline = time.monotonic() + 5
    while guide._recording and time.monotonic() < deadline:
        time.sleep(0.05)
    assert guide._recording == {}


class CountingEncoder:
    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.calls.append(list(texts))
        time.sleep(0.05)
        if "broken" in texts:
            raise RuntimeError("broken")
        return np.array([[float(len(t))] for t in texts], dtype=np.float32)


def test_messages_that_wait_are_encoded_together_and_each_gets_its_own() -> None:
    inner = CountingEncoder()
    encoder = TurnEncoder(inner, SimpleNamespace(repair=lambda t: t))  # type: ignore[arg-type]
    texts = ["a" * n for n in range(1, 12)] + ["long " * 100]
    got: dict[str, float] = {}

    def encode(text: str) -> None:
        got[text] = float(encoder.encode([text])[0, 0])

    threads = [threading.Thread(target=encode, args=(t,)) for t in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=5)
    assert got == {t: float(len(t)) for t in texts}
    assert len(inner.calls) < len(texts), "one call for several"
    assert max(map(len, inner.calls)) <= module.TOGETHER
    assert ["long " * 100] in inner.calls, "a long text would pad the short ones"


def test_a_message_is_encoded_once() -> None:
    inner = CountingEncoder()
    encoder = TurnEncoder(inner, SimpleNamespace(repair=str.lower))  # type: ignore[arg-type]
    first = encoder.encode(["One. Two.", "one.", "two."])[0]
    assert encoder.encode(["one. two."])[0] == first
    assert len(inner.calls) == 1


def test_a_failure_reaches_all_that_were_encoded_together() -> None:
    encoder = TurnEncoder(CountingEncoder(), SimpleNamespace(repair=lambda t: t))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError):
        encoder.encode(["broken"])
    assert encoder.encode(["whole"]).shape == (1, 1)
