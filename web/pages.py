"""Pages rendered on the server: the chat without JavaScript, sources, privacy."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, abort, g, make_response, redirect, render_template, request, url_for

from knowledge.answer import Setting
from knowledge.schema import LANGUAGES
from web import problems
from web.api import MAX_BODY, begin_conversation
from web.embed import asked_setting, catalogue
from web.errors import Refusal
from web.guide import Incoming
from web.parts import current_parts
from web.store import Conversation, StoreError

COOKIE = "conversation"
_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
# Words for the patient where the API's are for a programmer: keys of the catalogue.
_WORDS = {413: "problem_long", 429: "problem_busy", 404: "page_missing", 400: "problem_refused"}
pages = Blueprint("pages", __name__)


def _cookie(language: str) -> str:
    """Name of the cookie: each language has a conversation of its own, because the server answers in the one it began in."""
    return f"{COOKIE}_{language}"


def _address(setting: Setting, anchor: str = "") -> str:
    """The page itself, in the language and region that were asked for."""
    kept: dict[str, Any] = {name: value for name, value in (("lang", setting.language), ("region", setting.region)) if name in request.args}
    return url_for("pages.chat_page", **kept) + anchor


def _page(setting: Setting, entries: list[dict[str, Any]], status: int = 200, draft: str = "", refusal: Refusal | None = None) -> Response:
    parts = current_parts()
    t = catalogue(setting.language)
    body = render_template(
        "chat.html",
        entries=entries,
        draft=draft,
        language=setting.language,
        t=t,
        action=_address(setting),
        languages=[(code, catalogue(code)["language_name"]) for code in LANGUAGES if code != setting.language],
        hours=round(parts.settings.expire_hours),
        problem=problems.document(refusal, parts.guide.answerer, setting) if refusal else None,
        problem_words=t[_WORDS.get(refusal.status, "problem_down")].replace("{seconds}", str(refusal.retry_after or 60)) if refusal else "",
        contacts=parts.guide.answerer.contacts.general(setting.region, setting.language),
        clinic=parts.clinic,
    )
    return make_response(body, status)


def _conversation(setting: Setting) -> tuple[str, Conversation | None]:
    """The id that the cookie of this language holds, and its live conversation if there is one.

    Raises:
        StoreError: when the database cannot tell.
    """
    conversation_id = request.cookies.get(_cookie(setting.language), "")
    return conversation_id, current_parts().guide.store.get(conversation_id) if _ID.match(conversation_id) else None


@pages.get("/")
def chat_page() -> Response:
    """The chat; what stands in it is the same conversation for people without JavaScript."""
    setting = asked_setting()
    guide = current_parts().guide
    try:
        conversation = _conversation(setting)[1]
        entries = guide.store.transcript(conversation) if conversation else []
    except StoreError:
        entries = []
    if not entries:
        reply = guide.answerer.greeting(setting)
        entries = [{"role": "guide", "at": "", "text": reply["text"], "reply": reply}]
    return _page(setting, entries)


@pages.post("/")
def chat_post() -> Response:
    """One turn without JavaScript: the same pipeline, then back to the page."""
    setting = asked_setting()
    if request.content_length is not None and request.content_length > MAX_BODY:
        text = request.stream.read(MAX_BODY).decode("utf-8", "replace")
        refusal: Refusal | None = Refusal("body-too-large")
    else:
        text, refusal = request.form.get("text", ""), None
    if request.form.get("clear") if refusal is None else False:
        return _cleared(setting)
    guide = current_parts().guide
    conversation_id = ""
    try:
        conversation_id, conversation = _conversation(setting)
        if conversation is None:
            conversation_id = begin_conversation(setting.language, setting.region, "web")[0]
    except StoreError:
        refusal = refusal or Refusal("store-down")
    except Refusal as error:
        refusal = refusal or error
    try:
        reply = guide.message(Incoming(text, conversation_id, None, request.remote_addr or "", g.request_id, refusal))
    except Refusal as error:
        return _page(setting, [], error.status, draft=text[:2000], refusal=error)
    if refusal is not None:  # urgent, and nowhere to keep it
        return _page(setting, [{"role": "guide", "at": "", "text": reply["text"], "reply": reply}])
    response = redirect(_address(setting, "#newest"), 303)
    response.set_cookie(_cookie(setting.language), conversation_id, httponly=True, samesite="Strict", secure=request.is_secure)
    return response  # type: ignore[return-value]


def _cleared(setting: Setting) -> Response:
    """Deletes the conversations of every language: whoever clears expects nothing to be left."""
    response = redirect(_address(setting), 303)
    for language in LANGUAGES:
        conversation_id = request.cookies.get(_cookie(language), "")
        if _ID.match(conversation_id):
            try:
                current_parts().guide.store.delete(conversation_id)
            except StoreError:
                raise Refusal("store-down") from None
        response.delete_cookie(_cookie(language), httponly=True, samesite="Strict", secure=request.is_secure)
    return response  # type: ignore[return-value]


@pages.get("/sources/<source_id>")
def source_page(source_id: str) -> str:
    """One source, for the QR codes and for people who want to know more about it."""
    parts = current_parts()
    setting = asked_setting()
    source = parts.guide.answerer.source(source_id)
    if source is None:
        abort(404)
    statements = [parts.guide.answerer.content.statements[i] for i in source["statements"]]
    return render_template("source.html", source=source, statements=statements, language=setting.language, t=catalogue(setting.language))


@pages.get("/privacy")
def privacy_page() -> str:
    """What happens to a patient's words."""
    settings = current_parts().settings
    language = asked_setting().language
    return render_template("privacy.html", hours=round(settings.expire_hours), comments=settings.keep_comments, unanswered=settings.keep_unanswered, days=round(settings.keep_days), language=language, t=catalogue(language))
