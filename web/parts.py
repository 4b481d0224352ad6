"""What the application answers with, put together from the settings."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from flask import current_app

from knowledge.answer import Answerer, Setting, Wording
from knowledge.build import verify
from knowledge.contacts import Contacts
from knowledge.content import Content
from knowledge.encoder import Encoder, EncoderError
from knowledge.errors import BuildCorrupt
from knowledge.safety.screen import Screen
from knowledge.search import preparer
from knowledge.sign import Signatures
from web.clinic import Clinic
from web.dialogue import Dialogue
from web.gate import ARRIVALS, Gate
from web.guide import Guide, TurnEncoder
from web.metrics import Metrics
from web.scrub import Scrubber
from web.settings import Settings, SettingsError
from web.store import DAY, Store, StoreError
from web.urgent import Urgent

SWEEP_EVERY = 30.0  # seconds
log = structlog.get_logger()


@dataclass
class Parts:
    """The parts of one worker."""

    settings: Settings
    guide: Guide
    dialogue: Dialogue
    metrics: Metrics
    build: str
    clinic: Clinic = field(default_factory=Clinic)
    scrub: Scrubber | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Parts:
        """Load everything from the build and the settings.

        A broken encoder does not stop the web server: it then screens by rules alone, and says so in /readyz.

        Raises:
            BuildMissing: when there is no build.
            BuildCorrupt: when its content was altered.
        """
        clinic = Clinic.of(settings)
        folder = settings.build_folder()
        verify(folder, only=("content",))
        content = Content.from_json((folder / "content.json").read_text("utf-8"))
        encoder = _encoder(folder, content)
        root = folder / "content"
        weights = folder / "safety.npz"
        screen = Screen.load(root, encoder, weights if encoder and _intact(folder, "safety.npz") else None)
        contacts = Contacts.load(root / "crisis" / "contacts.yml")
        ARRIVALS.glance = screen.glance
        answerer = Answerer(content, Wording(root), contacts, folder.name)
        if settings.require_signed and (unsigned := _unsigned(content, root)):
            raise SettingsError(f"KETAMINE_GUIDE_REQUIRE_SIGNED: {len(unsigned)} texts are not signed, first {unsigned[0]}")
        metrics = Metrics(folder.name)
        dialogue = Dialogue(settings.rasa_url, settings.rasa_timeout, settings.threads // 2, metrics.error, settings.internal_token_file)
        default = Setting(clinic.language, clinic.region, clinic.contact())
        store = Store(settings.web_database, settings.rasa_database, settings.expire_hours * 3600, settings.keep_days * DAY)
        scrub = Scrubber(content) if settings.keep_comments or settings.keep_unanswered else None
        guide = Guide(
            screen=screen,
            urgent=Urgent.load(root, answerer),
            answerer=answerer,
            encoder=encoder,
            store=store,
            ask=dialogue.ask,
            is_paused=lambda: settings.is_paused,
            within_limits=lambda address, conversation: None,
            default=default,
            count=metrics.count,
            stage=metrics.stage,
            debug=settings.debug_replies,
            scrub=scrub if settings.keep_unanswered else None,
            gate=Gate(arrivals=ARRIVALS),
        )
        return cls(settings, guide, dialogue, metrics, folder.name, clinic, scrub if settings.keep_comments else None)

    def readiness(self) -> dict[str, Any]:
        """State of each part: `ready`, `degraded` when something is missing, `down` when the database is gone."""
        parts: dict[str, dict[str, Any]] = {
            "screen": {"state": "rules and classifier" if self.guide.screen.classifier else "rules only", "build": self.build},
            "encoder": {"state": "up" if self.guide.encoder else "missing", "build": self.build},
            "dialogue": self._loopback(self.settings.rasa_port, "/"),
            "actions": self._loopback(self.settings.actions_port, "/health"),
        }
        try:
            self.guide.store.ping()
            parts["database"] = {"state": "up", "build": None}
        except StoreError:
            parts["database"] = {"state": "down", "build": None}
        parts["paused"] = {"state": "yes" if self.settings.is_paused else "no", "build": None}
        same = len({p["build"] for p in parts.values() if p["build"]}) == 1
        up = all(parts[name]["state"] == "up" for name in ("encoder", "dialogue", "actions"))
        good = up and self.guide.screen.classifier is not None
        status = "down" if parts["database"]["state"] == "down" else "ready" if good and same else "degraded"
        return {"status": status, "build": self.build, "parts": parts}

    def _loopback(self, port: int, path: str) -> dict[str, Any]:
        up = self.dialogue.alive(f"http://127.0.0.1:{port}{path}")
        return {"state": "up" if up else "down", "build": _served_build(self.settings)}

    def sweep_forever(self) -> threading.Thread:
        """Delete what has expired, every half minute, in a thread of its own."""
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(SWEEP_EVERY):
                try:
                    self.guide.store.sweep()
                except StoreError as error:
                    log.error("sweep.failed", error=type(error).__name__)

        thread = threading.Thread(target=run, name="sweep", daemon=True)
        thread.start()
        return thread


def current_parts() -> Parts:
    """The parts of the application that handles this request."""
    parts: Parts = current_app.extensions["guide"]
    return parts


def _served_build(settings: Settings) -> str | None:
    """The build that Rasa and the action server were started with."""
    try:
        return (settings.var / "dialogue.build").read_text("utf-8").strip() or None
    except OSError:
        return None


def _unsigned(content: Content, root: Path) -> list[str]:
    """Clinician lines, urgent wording, safety rules and contacts that nobody has signed as they stand."""
    return [what for what in Signatures(content, root).unsigned() if what.startswith(("topic:", "file:"))]


def _intact(folder: Path, name: str) -> bool:
    try:
        verify(folder, only=(name,))
    except BuildCorrupt as error:
        log.error("build.corrupt", part=name, error=type(error).__name__)
        return False
    return True


def _encoder(folder: Path, content: Content) -> TurnEncoder | None:
    if not _intact(folder, "encoder/"):
        return None
    try:
        return TurnEncoder(Encoder.load(folder / "encoder"), preparer(content, folder))
    except (EncoderError, OSError, ValueError) as error:
        log.error("encoder.missing", error=type(error).__name__)
        return None
