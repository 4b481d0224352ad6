"""What WhatsApp (Cloud API) and Messenger share: Meta's handshake, signature and errors.

Source: Meta's "Webhooks: getting started" (hub.challenge, X-Hub-Signature-256).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

import httpx

from web.channels.base import Request, same
from web.channels.errors import BadPayload, BadSignature

# Meta's error codes that say "later" with a status of 4xx: too many calls, temporary trouble
PASSING = {1, 2, 4, 80007, 130429, 131000, 131016, 131056, 613}


def challenge(query: Mapping[str, str], token: str) -> str:
    """The challenge to give back.

    Raises:
        BadSignature: when the verify token is not ours.

    """
    if query.get("hub.mode") != "subscribe" or not same(query.get("hub.verify_token"), token):
        raise BadSignature
    return query.get("hub.challenge", "")


def verify(request: Request, secret: str) -> None:
    """Check X-Hub-Signature-256 over the raw body.

    Raises:
        BadSignature: when it does not hold.

    """
    expected = "sha256=" + hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    if not same(request.headers.get("x-hub-signature-256"), expected):
        raise BadSignature


def document(request: Request, kind: str) -> dict[str, Any]:
    """The body as an object of the given kind; another kind of object is empty.

    Raises:
        BadPayload: when it is not a JSON object.

    """
    try:
        data = json.loads(request.body)
    except (ValueError, RecursionError):
        raise BadPayload from None
    if not isinstance(data, dict):
        raise BadPayload
    return data if data.get("object") == kind else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; anything else gives none."""
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def inner(value: Any, *path: str) -> Any:
    """A value inside nested objects, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def words(value: Any) -> str:
    """A string, or the empty one."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> float:
    """A time stamp in seconds, or 0."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def problem(response: httpx.Response) -> str | None:
    """Meta's error code in a response, or None; codes that will pass count as rate limits."""
    if response.is_success:
        return None
    try:
        code = response.json()["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return str(response.status_code)
    return "ratelimited" if code in PASSING else str(code)
