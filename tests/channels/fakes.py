"""The real guide, screen, contacts and wording, with a scripted dialogue in Rasa's place and a pretend platform."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import web.channels.state  # noqa: F401 - its tables
from knowledge.answer import Answerer, Setting, Wording
from knowledge.contacts import Contacts
from knowledge.content import CONTENT, Content
from knowledge.decision import Decision
from knowledge.safety.screen import Screen
from web.channels.settings import ChannelSettings
from web.channels.simulator.platform import Platform, Shown
from web.channels.simulator.sender import PHONES, Hook, Sender, pretend_settings
from web.channels.views import Door, close, register
from web.guide import Guide
from web.store import Store, metadata
from web.urgent import Urgent

BASE = "https://chat.clinic.example"


@lru_cache(maxsize=1)
def content() -> Content:
    return Content.load(CONTENT)


@lru_cache(maxsize=1)
def answerer() -> Answerer:
    return Answerer(content(), Wording(CONTENT), Contacts.load(CONTENT), "000000000000")


@lru_cache(maxsize=1)
def screen() -> Screen:
    return Screen.load(CONTENT)


class Script:
    """A dialogue that knows a few words. `asked` holds what it was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False

    def __call__(self, sender: str, text: str, vector: Any, about: dict[str, str]) -> Decision:
        self.asked.append(text)
        low = text.lower()
        if self.down:
            return Decision("unavailable", reason="down")
        if found := re.search(r"wait ([0-9.]+) seconds", low):
            time.sleep(float(found.group(1)))
        if "disagree" in low:
            topic, disagreement = "evidence.disagreement", next(iter(content().disagreements))
        elif "how many mg" in low:
            return Decision(
                "decline", reason="dose", topic="practical.routes", suggestions=("practical.routes", "risk.general")
            )
        elif low in ("hello", "hola"):
            return Decision("smalltalk", lead="greeting", suggestions=("efficacy.general", "risk.general"))
        elif low == "pain":
            topics = ("efficacy.crps", "efficacy.fibromyalgia", "efficacy.neuropathic", "efficacy.migraine_headache")
            return Decision("clarify", lead="clarify_lead", suggestions=topics)
        elif "weather" in low:
            return Decision(
                "abstain", reason="out_of_scope", lead="abstain_out_of_scope", suggestions=("risk.general",)
            )
        elif "bladder" in low or "vejiga" in low:
            topic, disagreement = "risk.bladder", None
        else:
            topic, disagreement = "efficacy.crps", None
        shown = tuple((s.id, 1.0) for s in content().statements.values() if s.topic == topic)[:3]
        suggestions = ("practical.duration_sessions", "risk.general", "alternatives")
        return Decision("answer", statements=shown, topic=topic, disagreement=disagreement, suggestions=suggestions)


@dataclass
class World:
    """An application with every channel on, and the platform it talks to."""

    app: Flask
    client: FlaskClient
    guide: Guide
    script: Script
    store: Store
    settings: ChannelSettings
    platform: Platform
    doors: dict[str, Door]

    def phone(self, name: str, user: str | None = None) -> Phone:
        return Phone(self, name, user)

    def post(self, hook: Hook, **headers: str) -> TestResponse:
        return self.client.post(hook.path, data=hook.body, headers={**hook.headers, **headers})

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        with self.store.engine.connect() as db:
            return {
                t.name: db.execute(sa.select(sa.func.count()).select_from(t)).scalar_one()
                for t in metadata.sorted_tables
            }

    def close(self) -> None:
        close(self.doors, 3.0)
        self.platform.close()
        self.store.engine.dispose()


class Phone:
    """Somebody's phone."""

    def __init__(self, world: World, name: str, user: str | None = None):
        self.world, self.name = world, name
        self.sender: Sender = PHONES[name](world.settings, BASE, user)

    def post(self, hook: Hook) -> list[Shown]:
        """Send a webhook; what is shown then."""
        before = len(self.world.platform.messages(self.sender.address))
        response = self.world.post(hook)
        assert response.status_code == 200, response.status_code
        if response.mimetype == "text/xml":
            return twiml(response.get_data(as_text=True))
        return self.world.platform.messages(self.sender.address)[before:]

    def say(self, text: str, **more: Any) -> list[Shown]:
        return self.post(self.sender.text(text, **more))

    def read(self, text: str, **more: Any) -> str:
        """Say something; all that is shown, as one text."""
        return "\n".join(s.text for s in self.say(text, **more))


def twiml(text: str) -> list[Shown]:
    import xml.etree.ElementTree as ET

    return [Shown(m.text or "") for m in ET.fromstring(text.encode()).iter("Message")]


def make_world(folder: Path, **settings: Any) -> World:
    url = f"sqlite:///{folder / 'guide.db'}"
    store = Store(url, url, 24 * 3600)
    metadata.create_all(store.engine)
    script = Script()
    guide = Guide(
        screen=screen(),
        urgent=Urgent.load(CONTENT, answerer()),
        answerer=answerer(),
        encoder=None,
        store=store,
        ask=script,
        is_paused=lambda: False,
        within_limits=lambda address, conversation: None,
        default=Setting("en", "US", None),
    )
    platform = Platform()
    values = pretend_settings(platform, BASE, **{"channel_retry_seconds": 0.01, **settings})
    app = Flask(__name__)
    doors = register(app, values, guide)
    return World(app, app.test_client(), guide, script, store, values, platform, doors)
