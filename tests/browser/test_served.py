"""What the pages are served with, and what a setting changes on them: no browser is needed for that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from web.app import create_app
from web.embed import chat_config
from web.parts import Parts
from web.settings import Settings

SITES = "'self' https://clinic.example"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Flask]:
    """An application with these settings; build and models are read once."""
    var = tmp_path_factory.mktemp("var")
    parts = Parts.from_settings(Settings(var=var))

    def make(**values: Any) -> Flask:
        settings = Settings(var=var, frame_ancestors=SITES, **values)
        return create_app(settings, replace(parts, settings=settings))

    return make


@pytest.mark.parametrize("path", ["/", "/chat", "/kiosk", "/embed", "/privacy", "/widget.js", "/clinic.css", "/nothing-here", "/api/openapi.json"])
def test_every_answer_carries_the_strict_headers(made: Callable[..., Flask], path: str) -> None:
    client = made().test_client()
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "font-src", "connect-src", "form-action")} == {"'self'"}
    assert policy["base-uri"] == "'none'"
    assert policy["frame-ancestors"] == SITES
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == "lit-html"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "microphone=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == ("public, max-age=300" if path == "/widget.js" else "no-store")
    assert "Strict-Transport-Security" not in headers
    assert client.get(path, base_url="https://guide.example").headers["Strict-Transport-Security"].startswith("max-age=")


def test_the_setting_decides_about_comments(made: Callable[..., Flask]) -> None:
    for keep in (False, True):
        app = made(keep_comments=keep)
        with app.test_request_context("/chat"):
            assert chat_config("frame")["comments"] is keep
            assert chat_config("kiosk")["comments"] is False  # nobody types a story on a screen in a waiting room
        assert ("add a comment" in app.test_client().get("/privacy").text) is keep


def test_the_browser_is_sent_only_the_words_it_shows(made: Callable[..., Flask]) -> None:
    with made().test_request_context("/chat?lang=es"):
        words = chat_config("frame")["text"]
    assert words["send"] == "Enviar"
    assert not [key for key in words if key.startswith(("page_", "widget_"))]


def test_pages_follow_the_language_that_is_asked_for(made: Callable[..., Flask]) -> None:
    client = made().test_client()
    for path in ("/", "/privacy", "/sources/cochrane-2025", "/chat", "/kiosk"):
        assert '<html lang="es"' in client.get(f"{path}?lang=es").text
        assert '<html lang="en"' in client.get(f"{path}?lang=xx").text


def test_the_bundle_of_the_wheel_is_the_one_that_is_committed() -> None:
    static = Path(__file__).resolve().parents[2] / "web" / "static"
    ignored = (static.parents[1] / ".gitignore").read_text("utf-8").split()
    # hatchling leaves out what git ignores, without a word
    assert not {"static", "static/", "web/static", "web/static/", "*.js", "*.css", "*.woff2"} & set(ignored)
    assert {p.name for p in static.iterdir()} >= {"guide-chat.js", "widget.js", "guide.css", "icon.svg", "fonts"}
