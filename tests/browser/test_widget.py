"""The one script on a clinic's site, on another origin, among hostile style and a strict policy."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Frame, Page, expect

from tests.browser.support import HOSTILE_CSS, RISKS, ROOT, axe

pytestmark = pytest.mark.browser
# The loader's root is closed: these tests keep a hand on it, as no script of a site could that runs after the loader.
PEEK = "const real = Element.prototype.attachShadow; Element.prototype.attachShadow = function (o) { return (window.__root = real.call(this, o)); };"


@pytest.fixture
def visit(page: Page, site: dict[str, Any], base_url: str) -> Any:
    """Open the site with the loader on it."""

    def go(css: str = "", policy: bool = False, attributes: str = "", body: str = "<main><h1>A clinic</h1></main>", port: str = "") -> Page:
        about = site["about"]
        about["css"], about["body"] = css, body
        about["script"] = f'<script src="{base_url}/widget.js" defer {attributes}></script>'
        strict = f"default-src 'none'; style-src 'self'; script-src 'self' {base_url}; frame-src {base_url}; require-trusted-types-for 'script'"
        about["policy"] = strict if policy else ""
        page.add_init_script(PEEK)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(site["url"] + "/")
        return page

    return go


def frame_of(page: Page, part: str = "/chat") -> Frame:
    page.wait_for_timeout(100)
    for _ in range(50):
        for frame in page.frames:
            if part in frame.url:
                frame.locator("#question").wait_for()
                return frame
        page.wait_for_timeout(100)
    raise AssertionError("no frame")


def ask_in(frame: Frame, text: str) -> None:
    frame.locator("#question").fill(text)
    frame.locator("#question").press("Enter")
    frame.locator("guide-reply .statement").first.wait_for()


def test_sizes_are_within_the_limits() -> None:
    for name, limit in (("widget.js", 3), ("guide-chat.js", 30)):
        size = len(gzip.compress((ROOT / "web" / "static" / name).read_bytes(), 9))
        assert size <= limit * 1024, f"{name}: {size} bytes gzipped"


def test_a_hostile_site_with_a_strict_policy_still_opens_and_answers(visit: Any) -> None:
    page = visit(css=HOSTILE_CSS, policy=True)
    box = page.evaluate("(() => { const r = window.__root.querySelector('button').getBoundingClientRect(); return [r.width, r.height] })()")
    assert box[0] > 150
    assert box[1] >= 44
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    frame = frame_of(page)
    expect(frame.locator("#question")).to_be_focused()
    ask_in(frame, RISKS)
    assert frame.evaluate("getComputedStyle(document.querySelector('.said')).fontSize") == "21px"
    assert axe_in(frame) == []
    assert page.evaluate("window.__refused") == []


def axe_in(frame: Frame) -> list[str]:
    return axe(frame)  # type: ignore[arg-type]


def test_the_site_cannot_read_the_conversation(visit: Any) -> None:
    page = visit()
    page.evaluate("window.__root.querySelector('button').click()")
    ask_in(frame_of(page), RISKS)
    assert page.evaluate("document.querySelector('ketamine-guide-widget').shadowRoot") is None
    heard = page.evaluate("(() => { try { return window.__root.querySelector('iframe').contentDocument } catch (e) { return e.name } })()")
    assert heard is None
    assert "side effects" not in page.evaluate("document.documentElement.textContent + JSON.stringify(sessionStorage) + JSON.stringify(localStorage)")


def test_no_message_to_the_site_carries_a_word(visit: Any) -> None:
    page = visit()
    page.evaluate("window.__heard = []; addEventListener('message', e => window.__heard.push(JSON.stringify(e.data)))")
    page.evaluate("window.__root.querySelector('button').click()")
    frame = frame_of(page)
    ask_in(frame, RISKS)
    frame.get_by_role("button", name="Close the guide").click()
    page.wait_for_timeout(100)
    assert page.evaluate("window.__heard") == ['"ketamine-guide:ready"', '"ketamine-guide:close"']


def test_escape_and_the_close_button_close_and_the_conversation_stays(visit: Any) -> None:
    page = visit()
    is_open = "window.__root.querySelector('dialog').open"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    frame = frame_of(page)
    ask_in(frame, RISKS)
    frame.locator("#question").press("Escape")
    page.wait_for_timeout(150)
    assert page.evaluate(is_open) is False
    assert page.evaluate("window.__root.activeElement === window.__root.querySelector('button')")
    page.evaluate("window.__root.querySelector('button').click()")
    expect(frame.locator("guide-reply")).to_have_count(1)
    frame.get_by_role("button", name="Close the guide").click()
    page.wait_for_timeout(150)
    assert page.evaluate(is_open) is False


def test_a_strangers_message_does_not_close_it(visit: Any) -> None:
    page = visit()
    page.evaluate("window.__root.querySelector('button').click()")
    frame_of(page)
    page.evaluate("window.postMessage('ketamine-guide:close', '*')")
    page.wait_for_timeout(150)
    assert page.evaluate("window.__root.querySelector('dialog').open") is True


def test_a_source_link_opens_a_whole_tab_from_the_sandbox(visit: Any, context: BrowserContext) -> None:
    page = visit()
    context.route(
        re.compile(r"^https://"),
        lambda route: route.fulfill(content_type="text/html", body="<title>source</title><script>document.title = origin</script>"),
    )
    page.evaluate("window.__root.querySelector('button').click()")
    frame = frame_of(page)
    ask_in(frame, RISKS)
    frame.locator(".chip").first.click()
    with context.expect_page() as opened:
        frame.get_by_role("link", name="Open the source").click()
    opened.value.wait_for_load_state()
    assert opened.value.title().startswith("https://")  # its scripts ran and its origin is its own: it left the sandbox
    assert opened.value.evaluate("window.opener") is None


def test_where_the_chat_does_not_come_there_is_a_way_on_and_out(visit: Any, context: BrowserContext) -> None:
    context.route(re.compile(r"/chat\?"), lambda route: route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>"))
    page = visit(css=HOSTILE_CSS, policy=True)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_timeout(3300)
    seen = page.evaluate(
        """(() => { const w = window.__root.querySelector('.wait'); return [getComputedStyle(w).visibility, w.textContent, w.querySelector('a').href,
        w.querySelector('button').getBoundingClientRect().height, getComputedStyle(window.__root.querySelector('iframe')).visibility] })()"""
    )
    assert seen[0] == "visible"
    assert "not open yet" in seen[1]
    assert "emergency number" in seen[1]
    assert seen[2].endswith("/?lang=en")
    assert seen[3] >= 44
    assert seen[4] == "hidden"  # the error page of somebody else is nothing to show
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("window.__root.querySelector('dialog').open") is False


@pytest.mark.parametrize("rights", ["ours", "fewer"])
def test_a_phone_link_is_let_out_of_the_sandbox(visit: Any, rights: str) -> None:
    page = visit()
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text))
    page.evaluate("window.__root.querySelector('button').click()")
    frame = frame_of(page)
    if rights == "fewer":  # the same link without the rights is refused: so silence with them means something
        page.evaluate(
            "(() => { const f = window.__root.querySelector('iframe'); f.setAttribute('sandbox', 'allow-scripts allow-same-origin'); f.src += '&again=1' })()"
        )
        frame = frame_of(page, "again")
    frame.get_by_role("button", name="Emergency").click()
    frame.locator("a[href='tel:911']").click()
    page.wait_for_timeout(500)
    refused = [s for s in said if "sandbox" in s.lower() and "blocked" in s.lower()]
    assert bool(refused) is (rights == "fewer"), said


def test_print_is_allowed_in_the_frame(visit: Any) -> None:
    page = visit()
    ignored: list[str] = []
    page.on("console", lambda m: ignored.append(m.text) if "print" in m.text.lower() else None)
    page.evaluate("window.__root.querySelector('button').click()")
    frame = frame_of(page)
    frame.evaluate("setTimeout(() => window.print(), 0)")
    page.wait_for_timeout(400)
    assert ignored == []


def test_a_site_that_is_not_listed_is_refused(page: Page, site: dict[str, Any], base_url: str) -> None:
    site["about"].update(css="", policy="", script="", body=f'<iframe src="{base_url}/chat"></iframe>')
    page.goto(site["url"].replace("localhost", "127.0.0.1") + "/")  # the same site under a name that is not on the list
    page.wait_for_timeout(500)
    assert [f.locator("guide-chat").count() for f in page.frames if f.parent_frame] == [0]


def test_language_side_and_own_button_are_chosen_by_attributes(visit: Any) -> None:
    page = visit(attributes='data-language="es" data-side="left" data-region="ES"', body='<main><a href="#" data-ketamine-guide>Ask</a></main>')
    assert page.evaluate("window.__root.querySelector('button').getBoundingClientRect().left") < 100
    page.get_by_text("Ask").click()
    frame = frame_of(page)
    expect(frame.locator("html")).to_have_attribute("lang", "es")
    frame.get_by_role("button", name="Emergencia").click()
    expect(frame.locator("a[href='tel:112']").first).to_be_visible()


def test_on_a_phone_it_fills_the_screen(visit: Any) -> None:
    page = visit()
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("window.__root.querySelector('button').click()")
    frame_of(page)
    box = page.evaluate("(() => { const r = window.__root.querySelector('dialog').getBoundingClientRect(); return [r.x, r.y, r.width, r.height] })()")
    assert box == [0, 0, 390, 800]


def test_preview_shows_the_snippet(page: Page, base_url: str) -> None:
    page.goto("/embed")
    expect(page.locator("pre").first).to_contain_text('<script src="https://guide.clinic.example/widget.js" defer></script>')
    expect(page.frame_locator("iframe").locator("#question")).to_be_visible()
    assert axe(page) == []
