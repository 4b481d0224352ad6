"""The OpenAPI 3.1 document of the API; a test holds it against the running routes and against real replies."""

from __future__ import annotations

from typing import Any

from knowledge.schema import REGIONS, TOPICS

CERTAINTIES = ["high", "moderate", "low", "very_low", "not_graded"]
KINDS = ["answer", "clarify", "abstain", "decline", "urgent", "smalltalk", "unavailable", "summary"]
REASONS = [
    "no_statement", "out_of_scope", "language", "dose", "supply", "misuse", "eligibility", "diagnosis", "medicine_change",
    "other_personal", "paused", "timeout", "down", None,
]  # fmt: skip
NOTICES = ["low_mood", "see_clinician_soon", "language", "not_reviewed", "not_private", "outside_region", "still_in_danger"]
CATEGORIES = ["crisis_suicide", "medical_emergency", "overdose", "postinfusion_emergency", "abuse_danger", "child_exposure"]


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [p for p in properties if p not in optional], "additionalProperties": False}


def _list(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXT = {"type": "string"}
_MAYBE = {"type": ["string", "null"]}
_NUMBERS = _list({"type": "integer", "minimum": 1})
_SOURCE = {
    "source_id": _TEXT, "title": _TEXT, "authors": _TEXT, "publisher": _TEXT, "year": {"type": ["integer", "null"]}, "kind": _TEXT,
    "url": _MAYBE, "doi": _MAYBE,
}  # fmt: skip
_READ = {"read_as": {"enum": ["full_text", "abstract", "secondary"]}, "read_at": _TEXT}

SCHEMAS: dict[str, Any] = {
    "Way": _object({"kind": {"enum": ["call", "text", "chat", "whatsapp"]}, "dial": _MAYBE, "e164": _MAYBE, "say": _TEXT, "body": _MAYBE, "url": _MAYBE}),
    "Contact": _object({"name": _TEXT, "for": _list({"enum": CATEGORIES}), "ways": _list(_ref("Way"), minItems=1), "hours": _MAYBE, "region": _MAYBE}),
    "Citation": _object({"number": {"type": "integer", "minimum": 1}, **_SOURCE, "locator": _TEXT, **_READ}),
    "Source": _object({**_SOURCE, **_READ, "scope": _TEXT, "caution": _MAYBE, "seen_at": _TEXT, "statements": _list(_TEXT)}),
    "Statement": _object(
        {
            "id": _TEXT, "topic": {"enum": list(TOPICS)}, "text": _TEXT, "certainty": {"enum": CERTAINTIES}, "certainty_by": _MAYBE,
            "last_reviewed": {"type": "string", "format": "date"},
            "review": _object({"state": {"enum": ["drafted", "signed"]}, "by": _MAYBE, "on": _MAYBE}),
            "citations": {**_NUMBERS, "minItems": 1},
        }
    ),
    "Disagreement": _object(
        {
            "summary": _TEXT,
            "positions": _list(_object({"claim": _TEXT, "certainty": {"enum": CERTAINTIES}, "certainty_by": _MAYBE, "citations": _NUMBERS}), minItems=2),
            "why": _TEXT,
        }
    ),
    "Notice": _object({"kind": {"enum": NOTICES}, "text": _TEXT, "contacts": _list(_ref("Contact"))}),
    "Reply": _object(
        {
            "reply_id": {"type": "string", "pattern": "^r_"}, "kind": {"enum": KINDS}, "reason": {"enum": REASONS},
            "language": {"enum": ["en", "es"]}, "lead": _MAYBE, "statements": _list(_ref("Statement"), maxItems=4),
            "citations": _list(_ref("Citation")), "disagreement": {"oneOf": [_ref("Disagreement"), {"type": "null"}]},
            "notices": _list(_ref("Notice")), "urgent": {"oneOf": [_object({"category": {"enum": CATEGORIES}}), {"type": "null"}]},
            "contacts": _list(_ref("Contact")), "clinician": {"type": "string", "minLength": 1},
            "glossary": _list(_object({"term": _TEXT, "plain": _TEXT})), "legend": {"type": "object", "additionalProperties": _TEXT},
            "suggestions": _list(_TEXT, maxItems=4), "knowledge_version": _TEXT, "text": _TEXT, "debug": {"type": "object"},
        },
        optional=("debug",),
    ),
    "Message": _object({"role": {"enum": ["patient", "guide"]}, "at": {"type": "string", "format": "date-time"}, "text": _TEXT, "reply": {"oneOf": [_ref("Reply"), {"type": "null"}]}}),
    "Problem": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri"}, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT,
            "contacts": _list(_ref("Contact")), "clinician": _TEXT,
        },
        "required": ["type", "title", "status", "detail"],
    },
}  # fmt: skip


def _json(schema: Any, description: str, media: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": schema}}}


def _problems(*statuses: int) -> dict[str, Any]:
    return {str(s): _json(_ref("Problem"), "Problem document", "application/problem+json") for s in statuses}


def _request(schema: dict[str, Any], required: bool = True) -> dict[str, Any]:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


_ID = [{"name": "conversation_id", "in": "path", "required": True, "schema": _TEXT}]


def document() -> dict[str, Any]:
    """The document."""
    start = {
        "type": "object",
        "properties": {"language": {"enum": ["en", "es"]}, "channel": {"enum": ["web", "kiosk"]}, "region": {"enum": list(REGIONS)}},
    }
    message = {
        "type": "object",
        "required": ["text"],
        "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": 2000},
            "message_id": {"type": ["string", "null"], "pattern": "^[!-~]{1,64}$"},
        },
    }
    judged = {
        "type": "object",
        "required": ["reply_id", "helpful"],
        "properties": {
            "reply_id": {"type": "string", "maxLength": 40},
            "helpful": {"type": "boolean"},
            "statement_id": {"type": ["string", "null"], "maxLength": 80},
            "problem": {"enum": ["wrong", "unclear", "not_my_question", "worrying", None]},
            "comment": {"type": ["string", "null"], "maxLength": 2000},
        },
    }
    reply = _object({"reply": _ref("Reply")})
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ketamine Guide", "version": "1", "description": "Sourced statements about ketamine for chronic pain. Education, not advice."},
        "paths": {
            "/api/conversations": {
                "post": {
                    "operationId": "createConversation", "requestBody": _request(start, required=False),
                    "responses": {"201": _json(_object({"conversation_id": _TEXT, "reply": _ref("Reply")}), "Created"), **_problems(400, 413, 415, 429, 503)},
                }
            },
            "/api/conversations/{conversation_id}": {
                "parameters": _ID,
                "get": {"operationId": "readConversation", "responses": {"200": _json(_object({"messages": _list(_ref("Message"))}), "The transcript"), **_problems(404, 503)}},
                "delete": {"operationId": "deleteConversation", "responses": {"204": {"description": "Gone, or never was"}, **_problems(503)}},
            },
            "/api/conversations/{conversation_id}/messages": {
                "parameters": _ID,
                "post": {"operationId": "createMessage", "requestBody": _request(message), "responses": {"200": _json(reply, "The reply"), **_problems(400, 404, 413, 415, 429, 503)}},
            },
            "/api/conversations/{conversation_id}/feedback": {
                "parameters": _ID,
                "post": {"operationId": "createFeedback", "requestBody": _request(judged), "responses": {"204": {"description": "Kept"}, **_problems(400, 404, 413, 415, 503)}},
            },
            "/api/sources/{source_id}": {
                "parameters": [{"name": "source_id", "in": "path", "required": True, "schema": _TEXT}],
                "get": {"operationId": "readSource", "responses": {"200": _json(_ref("Source"), "The source"), **_problems(404)}},
            },
            "/api/openapi.json": {"get": {"operationId": "readOpenapi", "responses": {"200": _json({"type": "object"}, "This document")}}},
            "/healthz": {"get": {"operationId": "health", "responses": {"200": _json(_object({"status": _TEXT}), "The process is up")}}},
            "/readyz": {"get": {"operationId": "ready", "responses": {"200": _json({"type": "object"}, "It can answer"), "503": _json({"type": "object"}, "It cannot")}}},
            "/metrics": {"get": {"operationId": "metrics", "responses": {"200": _json(_TEXT, "Prometheus text", "text/plain"), **_problems(403)}}},
        },
        "components": {"schemas": SCHEMAS},
    }  # fmt: skip
