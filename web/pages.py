"""Pages rendered on the server: the chat without JavaScript, sources, privacy."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, abort, g, make_response, redirect, render_template, request, url_for

from web import problems
from web.api import MAX_BODY, begin_conversation
from web.errors import Refusal
from web.guide import Incoming
from web.parts import current_parts
from web.store import StoreError

COOKIE = "conversation"
_ID = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
pages = Blueprint("pages", __name__)

def _page(entries: list[dict[str, Any]], status: int = 200, draft: str = "", refusal: Refusal | None = None) -> Response:
    parts = current_parts()
    default = parts.guide.default
    body = render_template(
        "chat.html",
        entries=entries,
        draft=draft,
        language=default.language,
        problem=problems.document(refusal, parts.guide.answerer, default) if refusal else None,
        contacts=parts.guide.answerer.contacts.general(default.region, default.language),
        clinic=parts.settings,
    )
    return make_response(body, status)


@pages.get("/")
def chat_page() -> Response:
    conversation_id = request.cookies.get(COOKIE, "")
    guide = current_parts().guide
    try:
        conversation = guide.store.get(conversation_id) if _ID.match(conversation_id) else None
        entries = guide.store.transcript(conversation) if conversation else []
    except StoreError:
        entries = []
    if not entries:
        reply = guide.answerer.greeting(guide.default)
        entries = [{"role": "guide", "at": "", "text": reply["text"], "reply": reply}]
    return _page(entries)


@pages.post("/")
def chat_post() -> Response:
    """One turn without JavaScript: the same pipeline, then back to the page."""
    if request.content_length is not None and request.content_length > MAX_BODY:
        text = request.stream.read(MAX_BODY).decode("utf-8", "replace")
        refusal: Refusal | None = Refusal("body-too-large")
    else:
        text, refusal = request.form.get("text", ""), None
    if request.form.get("clear") if refusal is None else False:
        return _cleared()
    guide = current_parts().guide
    conversation_id = request.cookies.get(COOKIE, "")
    reply = None
    try:
        if not _known(conversation_id):
            conversation_id = begin_conversation(guide.default.language, guide.default.region, "web")[0]
    except Refusal as error:
        refusal = refusal or error
    try:
        reply = guide.message(Incoming(text, conversation_id, None, request.remote_addr or "", g.request_id, refusal))
    except Refusal as error:
        return _page([], error.status, draft=text[:2000], refusal=error)
    if refusal is not None:  # urgent, and nowhere to keep it
        return _page([{"role": "guide", "at": "", "text": reply["text"], "reply": reply}])
    response = redirect(url_for("pages.chat_page") + "#newest", 303)
    response.set_cookie(COOKIE, conversation_id, httponly=True, samesite="Strict", secure=request.is_secure)
    return response  # type: ignore[return-value]


def _known(conversation_id: str) -> bool:
    """Whether a cookie names a live conversation.

    Raises:
        Refusal: when the database cannot tell.
    """
    if not _ID.match(conversation_id):
        return False
    try:
        return current_parts().guide.store.get(conversation_id) is not None
    except StoreError:
        raise Refusal("store-down") from None


def _cleared() -> Response:
    conversation_id = request.cookies.get(COOKIE, "")
    if _ID.match(conversation_id):
        try:
            current_parts().guide.store.delete(conversation_id)
        except StoreError:
            raise Refusal("store-down") from None
    response = redirect(url_for("pages.chat_page"), 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.is_secure)
    return response  # type: ignore[return-value]


@pages.get("/sources/<source_id>")
def source_page(source_id: str) -> str:
    parts = current_parts()
    source = parts.guide.answerer.source(source_id)
    if source is None:
        abort(404)
    statements = [parts.guide.answerer.content.statements[i] for i in source["statements"]]
    return render_template("source.html", source=source, statements=statements, language="en")


@pages.get("/privacy")
def privacy_page() -> str:
    return render_template("privacy.html", hours=current_parts().settings.expire_hours, language=current_parts().guide.default.language)
