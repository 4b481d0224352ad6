"""What the browser tests and the screenshots share."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, Route

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PIN = "2468"
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
KIOSK = {"width": 1080, "height": 1920}

RISKS = "What are the side effects of ketamine?"
CRPS = "Does ketamine help CRPS?"
URGENT = "I want to kill myself"
MESSAGES = re.compile(r"/api/conversations/[^/]+/messages$")

# A clinic's site that does all it can against a stranger.
HOSTILE_CSS = "*{display:none!important;font-size:9px!important;visibility:hidden!important;pointer-events:none!important}html{font-size:9px}"
EXAMPLE_CSS = """body{margin:0;font:17px/1.6 Georgia,serif;color:#2b2b2b}header{background:#1f5560;color:#fff;padding:22px 60px;font-size:22px}
main{max-width:900px;margin:40px 60px}nav{float:right;font-size:16px}h1{font-size:38px;line-height:1.2}.band{background:#eef3f2;padding:24px;margin-top:30px}"""
EXAMPLE_BODY = """<header>Example Pain Clinic (not real)<nav>About &nbsp; Treatments &nbsp; Visit us</nav></header>
<main><h1>Living with long-term pain</h1><p>This is an example of a clinic's page, made for a picture. Our team sees people with nerve pain, CRPS,
fibromyalgia and other pain that stays. We take time to listen and to explain.</p>
<div class="band"><p>Do you have questions about ketamine? Our guide shows what published sources say.</p></div>
<p>Opening hours: Monday to Friday, 8 am to 5 pm.</p></main>"""


@cache
def axe_source() -> str:
    """axe-core 4.14.1 (MPL-2.0), kept here so that no test needs Node or the network."""
    return (HERE / "axe.min.js").read_text("utf-8")


def axe(page: Page) -> list[str]:
    """Violations of WCAG 2.0 to 2.2, A and AA: "rule: node"."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe_source())
    found = page.evaluate("o => axe.run(document, o)", {"runOnly": {"type": "tag", "values": AXE_TAGS}, "resultTypes": ["violations"]})
    return [f"{v['id']}: {n['html'][:160]} ({n.get('failureSummary', '')[:200]})" for v in found["violations"] for n in v["nodes"]]


AXE_COUNTS: dict[str, dict[str, int]] = {}  # state: scheme: violations, for the summary at the end of a run


def axe_both(page: Page, state: str) -> dict[str, list[str]]:
    """Violations in light and dark; kept for the summary under the state's name."""
    found = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        settle(page)
        found[scheme] = axe(page)
        AXE_COUNTS.setdefault(state, {})[scheme] = len(found[scheme])
    return found


def settle(page: Page) -> None:
    """Wait until the component has drawn and nothing moves."""
    page.wait_for_timeout(150)


def ask(page: Page, text: str) -> Locator:
    """Type a question, send it, wait for the answer."""
    replies = page.locator("guide-reply")
    before = replies.count()
    page.locator("#question").fill(text)
    page.locator("#question").press("Enter")
    reply = replies.nth(before)
    reply.locator("article").wait_for()
    page.locator(".send[aria-disabled=false]").wait_for()
    return reply


def altered(page: Page, **values: Any) -> None:
    """From here on replies come with these fields changed: kinds of reply that a test cannot be sure to get by asking."""

    def change(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        body["reply"].update(values)
        route.fulfill(response=response, json=body)

    page.route(MESSAGES, change)


def choose(page: Page, button: Locator) -> Locator:
    """Touch a question, wait for the answer."""
    replies = page.locator("guide-reply")
    before = replies.count()
    button.click()
    reply = replies.nth(before)
    reply.locator("article").wait_for()
    return reply


def conversation_of(page: Page, language: str = "en") -> str | None:
    """The conversation's id as the tab keeps it."""
    value: str | None = page.evaluate("l => sessionStorage.getItem('guide.conversation.' + l)", language)
    return value


@contextmanager
def site(port: int) -> Iterator[dict[str, Any]]:
    """A site on another origin. Set `css`, `body`, `policy`, `script` of the dictionary before each visit."""
    about: dict[str, Any] = {"css": "", "body": "", "policy": "", "script": ""}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/site.css":
                kind, content = "text/css", about["css"]
            elif self.path == "/":
                kind = "text/html; charset=utf-8"
                content = (
                    f'<!doctype html><html lang="en"><head><title>A clinic</title><meta name="viewport" content="width=device-width">'
                    f'<link rel="stylesheet" href="/site.css"></head><body>{about["body"]}{about["script"]}</body></html>'
                )
            else:
                self.send_response(404)
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            if about["policy"] and self.path == "/":
                self.send_header("Content-Security-Policy", about["policy"])
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {"about": about, "url": f"http://localhost:{port}"}
    finally:
        server.shutdown()
        server.server_close()


def settings(site_port: int) -> dict[str, str]:
    """Settings of the processes under test."""
    return {
        "KETAMINE_GUIDE_CLINIC_FILE": str(ROOT / "docs" / "clinic.example.yml"),
        "KETAMINE_GUIDE_FRAME_ANCESTORS": f"'self' http://localhost:{site_port}",
        "KETAMINE_GUIDE_KIOSK_STAFF_PIN": PIN,
    }
