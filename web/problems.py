"""Problem documents: every error the API gives, with the way to help and to a clinician in it."""

from __future__ import annotations

from typing import Any

from flask import Response, json, request
from werkzeug.exceptions import HTTPException

from knowledge.answer import Answerer, Setting
from web.errors import PROBLEMS, Refusal
from web.store import StoreError

BASE = "https://ketamine-guide.invalid/problems/"
_BY_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 415: "unsupported-media-type", 429: "too-many-requests", 400: "bad-request", 403: "forbidden"}  # fmt: skip


def document(refusal: Refusal, answerer: Answerer, setting: Setting) -> dict[str, Any]:
    """RFC 9457 problem details, with `contacts` and `clinician` as a Reply has them."""
    return {
        "type": BASE + refusal.slug,
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "contacts": answerer.contacts.general(setting.region, setting.language),
        "clinician": answerer.say("clinician_general", setting.language),
    }


def response(refusal: Refusal, answerer: Answerer, setting: Setting) -> Response:
    """The HTTP response of a problem."""
    made = Response(json.dumps(document(refusal, answerer, setting)), refusal.status, content_type="application/problem+json")
    if refusal.retry_after is not None:
        made.headers["Retry-After"] = str(refusal.retry_after)
    return made


def refusal_of(error: Exception) -> Refusal:
    """Any exception as a refusal."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, StoreError):
        return Refusal("store-down")
    if isinstance(error, HTTPException) and error.code in _BY_STATUS:
        return Refusal(_BY_STATUS[error.code])
    if isinstance(error, HTTPException) and error.code and error.code < 500:
        return Refusal("bad-request")
    return Refusal("internal")


def is_page() -> bool:
    """Whether the request is for a page of ours rather than the API."""
    return not request.path.startswith(("/api/", "/healthz", "/readyz", "/metrics"))


__all__ = ["BASE", "PROBLEMS", "document", "is_page", "refusal_of", "response"]
