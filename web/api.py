"""The JSON API of the public contract (docs/contract.md). What happens to a message is in web.guide."""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST

from knowledge.answer import Setting
from knowledge.schema import LANGUAGES, REGIONS
from web.errors import Refusal
from web.guide import Incoming
from web.openapi import document as openapi_document
from web.parts import current_parts
from web.store import Conversation, StoreError

MAX_BODY = 64 * 1024
MAX_DRAINED = 4 * 1024 * 1024
CHANNELS = ("web", "kiosk")
PROBLEM_WORDS = ("wrong", "unclear", "not_my_question", "worrying")
_MESSAGE_ID = re.compile(r"^[\x21-\x7e]{1,64}$")
_HALF = re.compile("[\ud800-\udfff]")
_TEXT_FIELD = re.compile(rb'"text"\s*:\s*"((?:[^"\\]|\\.)*)', re.DOTALL)
api = Blueprint("api", __name__)

def _body() -> tuple[dict[str, Any], str, Refusal | None]:
    """The body as an object, whatever text could be decoded from it, and what is wrong with it.

    The text is returned even when the body is too large, of the wrong type or broken: it is screened before the refusal.
    """
    raw = request.stream.read(MAX_BODY + 1)
    too_large = len(raw) > MAX_BODY
    if too_large:
        # a client that is still sending would see a broken connection instead of the answer
        request.stream.read(MAX_DRAINED)
    raw = raw[:MAX_BODY]
    try:
        data = json.loads(raw.decode("utf-8")) if raw else {}
        wrong = None if isinstance(data, dict) else Refusal("invalid-json")
    except (UnicodeDecodeError, ValueError, RecursionError):
        data, wrong = None, Refusal("invalid-json")
    if too_large:
        wrong = Refusal("body-too-large")
    elif raw and request.mimetype != "application/json":
        wrong = Refusal("unsupported-media-type")
    if isinstance(data, dict):
        text = data.get("text")
        return data, text if isinstance(text, str) else "", wrong
    found = _TEXT_FIELD.search(raw)
    return {}, (found.group(1) if found else raw).decode("utf-8", "replace"), wrong


def _choice(data: dict[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = data.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or value not in allowed:
        raise Refusal("invalid-field", f"`{name}` must be one of: {', '.join(allowed)}.")
    return value


def _optional(data: dict[str, Any], name: str, kind: type, limit: int = 0) -> Any:
    value = data.get(name)
    # half a character (a lone surrogate) is good JSON and no text: no database takes it
    if value is not None and (not isinstance(value, kind) or (limit and len(str(value)) > limit) or _HALF.search(str(value))):
        raise Refusal("invalid-field", f"`{name}` is not valid.")
    return value


# -- conversations -----------------------------------------------------------------------------------------------------


def begin_conversation(language: str, region: str, channel: str) -> tuple[str, dict[str, Any]]:
    guide = current_parts().guide
    reply = guide.answerer.greeting(Setting(language, region, guide.default.clinic_contact))
    try:
        return guide.store.create(language, region, channel, reply), reply
    except StoreError:
        raise Refusal("store-down") from None


@api.post("/api/conversations")
def create_conversation() -> tuple[Response, int]:
    data, _, wrong = _body()
    if wrong:
        raise wrong
    default = current_parts().guide.default
    language = _choice(data, "language", LANGUAGES, default.language)
    region = _choice(data, "region", REGIONS, default.region)
    channel = _choice(data, "channel", CHANNELS, "web")
    current_parts().guide.within_limits(request.remote_addr or "", "new")
    conversation_id, reply = begin_conversation(language, region, channel)
    return jsonify(conversation_id=conversation_id, reply=reply), 201


@api.post("/api/conversations/<conversation_id>/messages")
def create_message(conversation_id: str) -> Response:
    data, text, wrong = _body()
    message_id = data.get("message_id")
    if wrong is None and "text" in data and not isinstance(data["text"], str):
        wrong = Refusal("invalid-field", "`text` must be a string.")
    if wrong is None and message_id is not None and not (isinstance(message_id, str) and _MESSAGE_ID.match(message_id)):
        wrong = Refusal("invalid-field", "`message_id` must be 1 to 64 visible ASCII characters.")
    incoming = Incoming(
        text=text,
        conversation_id=conversation_id,
        message_id=message_id if wrong is None else None,
        address=request.remote_addr or "",
        request_id=g.request_id,
        refusal=wrong,
    )
    return jsonify(reply=current_parts().guide.message(incoming))


def _conversation(conversation_id: str) -> Conversation:
    try:
        conversation = current_parts().guide.store.get(conversation_id)
    except StoreError:
        raise Refusal("store-down") from None
    if conversation is None:
        raise Refusal("no-such-conversation")
    return conversation


@api.get("/api/conversations/<conversation_id>")
def read_conversation(conversation_id: str) -> Response:
    conversation = _conversation(conversation_id)
    return jsonify(messages=current_parts().guide.store.transcript(conversation))


@api.delete("/api/conversations/<conversation_id>")
def delete_conversation(conversation_id: str) -> tuple[str, int]:
    try:
        current_parts().guide.store.delete(conversation_id)
    except StoreError:
        raise Refusal("store-down") from None
    return "", 204


@api.post("/api/conversations/<conversation_id>/feedback")
def create_feedback(conversation_id: str) -> tuple[str, int]:
    data, _, wrong = _body()
    if wrong:
        raise wrong
    store = current_parts().guide.store
    conversation = _conversation(conversation_id)
    reply_id = _optional(data, "reply_id", str, 40)
    helpful = data.get("helpful")
    if reply_id is None or not isinstance(helpful, bool):
        raise Refusal("invalid-field", "`reply_id` and `helpful` (true or false) are needed.")
    statement_id = _optional(data, "statement_id", str, 80)
    comment = _optional(data, "comment", str, 2000)
    problem = data.get("problem")
    if problem is not None and problem not in PROBLEM_WORDS:
        raise Refusal("invalid-field", f"`problem` must be one of: {', '.join(PROBLEM_WORDS)}.")
    reply = store.reply_of(conversation, reply_id)
    if reply is None:
        raise Refusal("no-such-reply")
    if statement_id is not None and statement_id not in {s["id"] for s in reply["statements"]}:
        raise Refusal("invalid-field", "`statement_id` is not in that reply.")
    scrub = current_parts().scrub  # there when the clinic keeps comments; otherwise nothing of one stays
    kept = scrub(comment) if scrub and comment and comment.strip() and conversation.channel == "web" else None
    values = {"reply_id": reply_id, "statement_id": statement_id, "helpful": helpful, "problem": problem, "build": reply["knowledge_version"], "comment": kept}
    try:
        store.add_feedback(conversation, values)
    except StoreError:
        raise Refusal("store-down") from None
    return "", 204


@api.get("/api/sources/<source_id>")
def read_source(source_id: str) -> Response:
    source = current_parts().guide.answerer.source(source_id)
    if source is None:
        raise Refusal("no-such-source")
    return jsonify(source)


@api.get("/api/openapi.json")
def read_openapi() -> Response:
    return jsonify(openapi_document())


@api.get("/healthz")
def health() -> Response:
    return jsonify(status="up")


@api.get("/readyz")
def ready() -> tuple[Response, int]:
    state = current_parts().readiness()
    return jsonify(state), 200 if state["status"] != "down" else 503


@api.get("/metrics")
def metrics() -> Response:
    parts = current_parts()
    token = parts.settings.metrics_token
    if token is not None:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode(), f"Bearer {token.get_secret_value()}".encode()):
            raise Refusal("forbidden")
    elif not _is_loopback(request.remote_addr) or "X-Forwarded-For" in request.headers:
        # a proxy on this machine is on the loopback too; whom it speaks for is not
        raise Refusal("forbidden")
    return Response(parts.metrics.text(), content_type=CONTENT_TYPE_LATEST)


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
