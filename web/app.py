"""The Flask application: doors, headers, errors. What happens to a message is in web.guide."""

from __future__ import annotations

import re
import secrets
from typing import Any

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from flask_limiter import Limiter, RateLimitExceeded
from flask_limiter.util import get_remote_address
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from web import problems
from web.api import MAX_BODY, api
from web.channels.views import register as register_channels
from web.embed import embed
from web.errors import Refusal
from web.pages import pages
from web.parts import Parts, current_parts
from web.settings import Settings

log = structlog.get_logger()
_REDIS_PATIENCE: dict[str, Any] = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}  # seconds; then each process counts for itself
_NO_MESSAGE = ("api.create_conversation", "api.create_feedback")
_REQUEST_ID = re.compile(r"^[0-9a-f]{16,32}$")


def create_app(settings: Settings, parts: Parts | None = None) -> Flask:
    """The application.

    Args:
        settings: All settings.
        parts: What it answers with; made from the settings when not given.

    Raises:
        BuildMissing: when there is no build to serve.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = None  # the body is read by hand: its text is screened before its length counts
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    parts = parts or Parts.from_settings(settings)
    app.extensions["guide"] = parts
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies, x_host=0)  # type: ignore[method-assign]
    parts.guide.within_limits = _limits(limiter_for(app, settings), settings)
    app.register_blueprint(api)
    app.register_blueprint(pages)
    app.register_blueprint(embed)
    register_channels(app, settings, parts.guide)
    app.before_request(_let_others_pass)
    app.before_request(_begin)
    app.after_request(_headers(settings))
    app.register_error_handler(Exception, _on_error)
    return app


def limiter_for(app: Flask, settings: Settings) -> Limiter:
    """Counts in Redis, for all processes together, or in memory; also in memory while Redis is gone."""
    enabled = settings.rate_limits == "on"
    if not settings.redis_url:
        return Limiter(get_remote_address, app=app, storage_uri="memory://", enabled=enabled)
    return Limiter(
        get_remote_address, app=app, storage_uri=settings.redis_url, storage_options=dict(_REDIS_PATIENCE), enabled=enabled, in_memory_fallback_enabled=True
    )


def _limits(limiter: Limiter, settings: Settings) -> Any:
    """A check that raises the 429 refusal when an address or a conversation sends too much."""

    def check(address: str, conversation_id: str) -> None:
        try:
            with limiter.limit(settings.rate_address, key_func=lambda: f"a:{address}"):
                pass
            with limiter.limit(settings.rate_conversation, key_func=lambda: f"c:{conversation_id}"):
                pass
        except RateLimitExceeded as error:
            raise Refusal("too-many-requests", retry_after=int(error.limit.limit.get_expiry()) if error.limit else 60) from None

    return check


def _let_others_pass() -> None:
    """A request without a message holds up nobody: the rules will not be asked."""
    if request.method != "POST" or request.endpoint in _NO_MESSAGE:
        current_parts().guide.gate.arrivals.past()


def _begin() -> None:
    # a proxy of ours names the request, so that one id runs through all logs
    sent = request.headers.get("X-Request-Id", "") if current_parts().settings.proxies else ""
    g.request_id = sent if _REQUEST_ID.match(sent) else secrets.token_hex(8)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _headers(settings: Settings) -> Any:
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; frame-src 'self'; "
        f"base-uri 'none'; form-action 'self'; frame-ancestors {settings.frame_ancestors}; "
        "require-trusted-types-for 'script'; trusted-types lit-html"
    )

    def add(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = policy
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Request-Id"] = g.get("request_id", "")
        if request.is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if request.endpoint == "embed.widget":
            response.headers["Cache-Control"] = "public, max-age=300"
        elif request.endpoint != "static":
            response.headers["Cache-Control"] = "no-store"
        return response

    return add


def _on_error(error: Exception) -> Response | str | tuple[str, int]:
    refusal = problems.refusal_of(error)
    if refusal.slug == "internal":
        log.error("request.failed", error=type(error).__name__, endpoint=request.endpoint)
        current_parts().metrics.error("web")
    parts = current_parts()
    if problems.is_page():
        return make_response(render_template("problem.html", problem=problems.document(refusal, parts.guide.answerer, parts.guide.default), language=parts.guide.default.language), refusal.status)  # fmt: skip
    made = problems.response(refusal, parts.guide.answerer, parts.guide.default)
    if isinstance(error, HTTPException) and error.code == 405:
        made.headers["Allow"] = ", ".join(getattr(error, "valid_methods", None) or ())
    return made
