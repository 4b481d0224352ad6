"""What patients see with JavaScript: the widget's script and frame, the kiosk, the preview for clinics, QR codes."""

from __future__ import annotations

import hmac
import io
import json
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import segno
from flask import Blueprint, Response, render_template, request, send_file, url_for

from knowledge.answer import Setting, said
from knowledge.schema import LANGUAGES, REGIONS, Language
from web.clinic import LOGO_TYPES, ON_ACCENT, Clinic, contrast
from web.errors import Refusal
from web.parts import current_parts

TEXT = Path(__file__).parent / "frontend" / "text"
STATIC = Path(__file__).parent / "static"
WIDGET_WORDS = ("title", "widget_slow", "widget_tab", "sheet_danger", "close")
PIN_TRIES = 5
PIN_WINDOW = 60.0  # seconds
# Topics as the first screens group them; each becomes the question that stands for it in topics.yml.
GROUPS: dict[str, tuple[str, ...]] = {
    "help": ("efficacy.general", "efficacy.crps", "efficacy.fibromyalgia", "efficacy.neuropathic", "efficacy.migraine_headache", "efficacy.back_pain", "efficacy.cancer_pain", "efficacy.phantom_limb", "efficacy.spinal_cord_injury"),
    "risks": ("risk.general", "risk.psychological", "risk.cardiovascular", "risk.bladder", "risk.liver", "risk.nausea", "risk.cognitive", "risk.addiction", "risk.longterm", "risk.overdose"),
    "session": ("practical.what_happens", "practical.duration_sessions", "practical.routes", "practical.monitoring_team", "practical.aftercare_driving"),
    "who": ("selection.who", "selection.contraindications", "selection.psychiatric", "selection.pregnancy", "selection.age", "interaction.medicines", "interaction.alcohol_drugs"),
    "rules": ("regulatory.approval_offlabel", "practical.cost_insurance", "regulatory.esketamine", "regulatory.compounded_home"),
    "mood": ("efficacy.depression", "efficacy.ptsd_anxiety", "efficacy.opioid_reduction", "efficacy.opioid_hyperalgesia"),
    "evidence": ("definition", "mechanism", "evidence.why_uncertain", "evidence.disagreement", "evidence.studies", "future_research"),
    "other": ("alternatives", "efficacy.other_nmda", "talking_to_clinician"),
}  # fmt: skip
embed = Blueprint("embed", __name__)


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> dict[str, str]:
    """The interface's words in a language."""
    words: dict[str, str] = json.loads((TEXT / f"{language}.json").read_text("utf-8"))
    return words


def clinic() -> Clinic:
    """The clinic of this application, read once at its start."""
    return current_parts().clinic


def _asked(name: str, allowed: tuple[str, ...], default: str) -> str:
    value = request.args.get(name, default)
    return value if value in allowed else default


def asked_setting() -> Setting:
    """Language and region that the address asks for, the clinic's where it asks for none."""
    us = clinic()
    language: Any = _asked("lang", LANGUAGES, us.language)
    region: Any = _asked("region", REGIONS, us.region)
    return Setting(language, region, us.contact())


def chat_config(mode: str) -> dict[str, Any]:
    """What the component is told by its page.

    Args:
        mode: `page`, `frame` (inside a clinic's site) or `kiosk`.
    """
    parts = current_parts()
    us = clinic()
    setting = asked_setting()
    region = setting.region
    language: Any = setting.language
    answerer = parts.guide.answerer
    greeting = answerer.greeting(setting)
    kept: dict[str, Any] = {"region": region} if region != us.region else {}
    config = {
        "mode": mode,
        "language": language,
        "region": region,
        "text": {key: words for key, words in catalogue(language).items() if not key.startswith(("page_", "widget_"))},
        "languages": [
            {"code": code, "name": catalogue(code)["language_name"], "href": url_for(str(request.endpoint), lang=code, **kept)}
            for code in LANGUAGES
            if code != language
        ],
        "api": "/api",
        "urls": {
            "public": str(us.guide_url).rstrip("/") if us.guide_url else None,
            "privacy": url_for("pages.privacy_page", lang=language),
            "sources": "/sources",
            "qr": "/qr",
            "exit": url_for("embed.kiosk_exit"),
        },
        "clinic": {
            "name": us.name,
            "phone": {"say": us.phone, "dial": us.dial} if us.phone else None,
            "hours": us.hours,
            "booking": str(us.booking) if us.booking else None,
            "logo": url_for("embed.logo") if us.logo else None,
        },
        "greeting": {"notices": greeting["notices"], "suggestions": greeting["suggestions"]},
        "contacts": answerer.contacts.general(region, language),
        "groups": _groups(language),
        "hours": round(parts.settings.expire_hours),
        "takeaway": _general_address(),
        "printer": True,
        "comments": parts.settings.keep_comments and mode != "kiosk",
    }
    if mode == "kiosk":
        config |= {
            "idle": parts.settings.kiosk_idle_seconds,
            "warning": parts.settings.kiosk_warning_seconds,
            "pin": parts.settings.kiosk_staff_pin is not None,
            "printer": us.kiosk_printer,
        }
    return config


def _groups(language: Language) -> list[dict[str, Any]]:
    topics = current_parts().guide.answerer.content.topics
    found = []
    for group, ids in GROUPS.items():
        questions = [said(topics[i].suggestion, language) for i in ids if i in topics]
        if questions:
            found.append({"id": group, "questions": questions})
    return found


def _general_address() -> str | None:
    us = clinic()
    address = us.website or us.guide_url
    return str(address) if address else None


@embed.app_context_processor
def _for_pages() -> dict[str, Any]:
    return {"chat_config": chat_config, "catalogue": catalogue}


@embed.app_template_filter("host")
def _host(url: str) -> str:
    """Host name of an address, as the component shows it before a link leaves the site."""
    return (urlsplit(url).hostname or "").removeprefix("www.")


# -- pages ---------------------------------------------------------------------------------------------------------------


@embed.get("/chat")
def frame() -> str:
    """The widget's frame."""
    config = chat_config("frame")
    return render_template("frame.html", config=config, language=config["language"], t=catalogue(config["language"]))


@embed.get("/kiosk")
def kiosk() -> str:
    """The waiting-room screen."""
    config = chat_config("kiosk")
    return render_template("kiosk.html", config=config, language=config["language"], t=catalogue(config["language"]))


@embed.get("/embed")
def preview() -> str:
    """For the clinic: the snippet, and how it will look."""
    us = clinic()
    address = str(us.guide_url).rstrip("/") if us.guide_url else request.host_url.rstrip("/")
    colours = [
        {"what": what, "colour": accent, "ratio": f"{min(contrast(accent, g) for g in grounds.values()):.1f}"}
        for what, accent, grounds in (("light", us.colours.accent, us.colours.light_grounds), ("dark", us.colours.dark, us.colours.dark_grounds))
    ]
    settings = current_parts().settings
    return render_template("embed.html", address=address, clinic=us, colours=colours, sites=settings.frame_ancestors, language="en")


# -- what the pages load ----------------------------------------------------------------------------------------------------


@embed.get("/widget.js")
def widget() -> Response:
    """The loader with the clinic's colours and words in it, so that the snippet stays one line."""
    us = clinic()
    about = {
        "language": us.language,
        "side": us.side,
        "accent": us.colours.accent,
        "onAccent": ON_ACCENT,
        "ground": us.colours.light_grounds["ground"],
        "darkGround": us.colours.dark_grounds["ground"],
        "labels": {code: {"button": getattr(us.button, code), **{k: catalogue(code)[k] for k in WIDGET_WORDS}} for code in LANGUAGES},
    }
    script = (STATIC / "widget.js").read_text("utf-8").replace("__CLINIC__", json.dumps(about), 1)
    response = Response(script, content_type="text/javascript; charset=utf-8")
    # any site may load the button; which sites may show the chat is decided by frame-ancestors
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@embed.get("/clinic.css")
def clinic_css() -> Response:
    """The clinic's colours."""
    return Response(clinic().css, content_type="text/css; charset=utf-8")


@embed.get("/clinic-logo")
def logo() -> Response:
    """The clinic's logo."""
    path = clinic().logo
    if path is None:
        raise Refusal("not-found")
    return send_file(path, mimetype=LOGO_TYPES[path.suffix.lower()])


@embed.get("/qr/<code>.svg")
def qr(code: str) -> Response:
    """A QR code: of the clinic's general page (`guide`), or of a source. Never of anything a patient typed."""
    if code == "guide":
        address = _general_address()
    else:
        source = current_parts().guide.answerer.source(code)
        if source is None:
            raise Refusal("no-such-source")
        own = clinic().guide_url
        address = f"{str(own).rstrip('/')}/sources/{code}" if own else source["url"]
    if not address:
        raise Refusal("not-found")
    out = io.BytesIO()
    segno.make(address, error="m", micro=False).save(out, kind="svg", scale=6, border=4, svgns=True, xmldecl=False, light="#fff")
    return Response(out.getvalue(), content_type="image/svg+xml")


# -- the kiosk's staff exit ---------------------------------------------------------------------------------------------------


class _Tries:
    """Wrong PINs of the last minute, over all kiosks: enough for a slip, too few to guess."""

    def __init__(self) -> None:
        self._at: list[float] = []
        self._lock = threading.Lock()

    def allowed(self) -> bool:
        with self._lock:
            self._at = [t for t in self._at if t > time.monotonic() - PIN_WINDOW]
            return len(self._at) < PIN_TRIES

    def wrong(self) -> None:
        with self._lock:
            self._at.append(time.monotonic())


_tries = _Tries()


@embed.post("/kiosk/exit")
def kiosk_exit() -> tuple[str, int]:
    """Whether a PIN lets staff leave the kiosk."""
    pin = current_parts().settings.kiosk_staff_pin
    if pin is None:
        raise Refusal("not-found")
    if not _tries.allowed():
        raise Refusal("too-many-requests", retry_after=int(PIN_WINDOW))
    data = request.get_json(silent=True)
    sent = data.get("pin") if isinstance(data, dict) else None
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), pin.get_secret_value().encode()):
        _tries.wrong()
        raise Refusal("forbidden")
    return "", 204
