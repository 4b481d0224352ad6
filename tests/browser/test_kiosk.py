"""The waiting room: big, without a way out, and without a trace."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.support import PIN, choose

pytestmark = pytest.mark.browser


def answer(page: Page) -> str:
    """Ask by touch; returns the conversation's id, which the page keeps in memory only."""
    with page.expect_response(re.compile("/api/conversations$")) as made:
        page.locator(".tile").nth(1).click()
        choose(page, page.locator(".choice").first)
    conversation: str = made.value.json()["conversation_id"]
    return conversation


def test_a_question_is_asked_by_touch_alone(kiosk: Page) -> None:
    answer(kiosk)
    expect(kiosk.locator("guide-reply .statement").first).to_be_visible()
    expect(kiosk.locator(".composer")).to_have_count(0)


def test_the_keyboard_on_the_screen_types_and_sends(kiosk: Page) -> None:
    kiosk.get_by_role("button", name="Type a question").click()
    for letter in "is it addictivee":
        kiosk.get_by_role("button", name="Space" if letter == " " else letter, exact=True).click()
    kiosk.locator(".keyboard").get_by_role("button", name="Delete").click()
    expect(kiosk.locator("#question")).to_have_value("is it addictive")
    expect(kiosk.locator("#question")).to_be_focused()
    kiosk.locator(".keyboard").get_by_role("button", name="Send").click()
    kiosk.locator("guide-reply article").wait_for()


def test_autofill_and_spell_check_are_off(kiosk: Page) -> None:
    kiosk.get_by_role("button", name="Type a question").click()
    box = kiosk.locator("#question")
    assert box.get_attribute("autocomplete") == "off"
    assert box.evaluate("e => e.spellcheck") is False


def test_idle_warns_and_a_button_gives_more_time(kiosk: Page, api_get: Callable[[str], int]) -> None:
    kiosk.clock.install()
    kiosk.reload()
    conversation = answer(kiosk)
    kiosk.clock.run_for(110_000)
    expect(kiosk.locator("dialog.idle-dialog")).to_be_hidden()
    kiosk.clock.run_for(11_000)
    dialog = kiosk.get_by_role("alertdialog")
    expect(dialog).to_be_visible()
    expect(kiosk.get_by_role("button", name="I need more time")).to_be_focused()
    assert dialog.locator(".countdown").get_attribute("aria-hidden") == "true"
    kiosk.clock.run_for(45_000)
    kiosk.keyboard.press("Space")
    expect(kiosk.locator("dialog.idle-dialog")).to_be_hidden()
    kiosk.clock.run_for(100_000)  # the count starts anew
    expect(kiosk.locator("guide-reply")).to_have_count(1)
    assert api_get(conversation) == 200


def test_nobody_there_wipes_everything(kiosk: Page, api_get: Callable[[str], int]) -> None:
    kiosk.clock.install()
    kiosk.reload()
    conversation = answer(kiosk)
    kiosk.clock.run_for(121_000)
    expect(kiosk.get_by_role("alertdialog")).to_be_visible()
    with kiosk.expect_navigation():
        kiosk.clock.run_for(61_000)
    expect(kiosk.locator(".tile").first).to_be_visible()
    assert api_get(conversation) == 404
    assert kiosk.evaluate("[sessionStorage.length, localStorage.length, document.cookie.length]") == [0, 0, 0]
    kiosk.go_back()
    expect(kiosk.locator("guide-reply")).to_have_count(0)


def test_a_wipe_survives_a_server_that_is_away(kiosk: Page) -> None:
    answer(kiosk)
    tries: list[str] = []
    kiosk.route(re.compile("/api/conversations/[^/]+$"), lambda route: (tries.append(route.request.method), route.abort())[1])
    kiosk.get_by_role("button", name="I am finished").click()
    expect(kiosk.locator("guide-reply")).to_have_count(0)
    expect(kiosk.locator(".tile").first).to_be_visible(timeout=15_000)
    assert tries.count("DELETE") >= 2


def test_finished_wipes_at_once_and_back_shows_nothing(kiosk: Page, api_get: Callable[[str], int]) -> None:
    conversation = answer(kiosk)
    with kiosk.expect_navigation():
        kiosk.get_by_role("button", name="I am finished").click()
    assert api_get(conversation) == 404
    assert kiosk.evaluate("history.length") <= 2  # this test's blank page, and the kiosk
    kiosk.go_back()
    expect(kiosk.locator("guide-reply")).to_have_count(0)


def test_a_reload_keeps_nothing(kiosk: Page) -> None:
    answer(kiosk)
    kiosk.reload()
    expect(kiosk.locator(".tile").first).to_be_visible()
    expect(kiosk.locator("guide-reply")).to_have_count(0)


def test_there_is_no_way_out_and_links_are_codes(kiosk: Page, tmp_path: Path) -> None:
    assert kiosk.locator("a[href]:not(.skip)").count() == 0
    answer(kiosk)
    kiosk.locator(".chip").first.click()
    code = kiosk.locator(".qr img")
    expect(code).to_be_visible()
    assert re.fullmatch(r"/qr/[a-z0-9._-]+\.svg", code.get_attribute("src") or "")  # a source's id: never a word of the patient's
    picture = tmp_path / "code.png"
    code.screenshot(path=str(picture))
    read = subprocess.run(["zbarimg", "-q", "--raw", str(picture)], capture_output=True, text=True).stdout.strip()
    assert read == kiosk.locator(".qr .address").inner_text()
    kiosk.get_by_role("button", name="Emergency").click()
    expect(kiosk.get_by_text("Tell a member of staff now")).to_be_visible()
    expect(kiosk.locator("dialog[open] .dial").first).to_contain_text("911")
    assert kiosk.locator("a[href]:not(.skip)").count() == 0


def test_targets_are_64_px_and_text_24(kiosk: Page) -> None:
    def small() -> list[str]:
        found: list[str] = kiosk.evaluate(
            """() => [...document.querySelectorAll('button:not(.term), a[href]:not(.skip), summary, textarea, label.option')].filter(e => e.checkVisibility())
            .map(e => [e, e.getBoundingClientRect()]).filter(([e, r]) => r.height < 63.5 || (r.width < 63.5 && !e.classList.contains('key')))
            .map(([e, r]) => e.outerHTML.slice(0, 120) + ` ${r.width}x${r.height}`)"""
        )
        texts: list[str] = kiosk.evaluate(
            """() => [...document.querySelectorAll('guide-kiosk *')].filter(e => e.checkVisibility() && !e.closest('svg, .unseen, .small-a, .skip') &&
            [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && parseFloat(getComputedStyle(e).fontSize) < 23.9)
            .map(e => e.outerHTML.slice(0, 120) + getComputedStyle(e).fontSize)"""
        )
        return found + texts

    assert small() == []
    kiosk.locator(".tile").nth(1).click()
    assert small() == []
    choose(kiosk, kiosk.locator(".choice").first)
    kiosk.locator(".chip").first.click()
    assert small() == []
    kiosk.get_by_role("button", name="Type a question").click()
    assert small() == []


def test_the_other_language_starts_anew(kiosk: Page, api_get: Callable[[str], int]) -> None:
    conversation = answer(kiosk)
    with kiosk.expect_navigation():
        kiosk.get_by_role("button", name="Español").click()
    expect(kiosk.locator("html")).to_have_attribute("lang", "es")
    expect(kiosk.get_by_role("heading", name="¿Qué le gustaría saber sobre la ketamina para el dolor?")).to_be_visible()
    assert api_get(conversation) == 404


def test_staff_leave_with_the_pin_only(kiosk: Page) -> None:
    kiosk.evaluate("void (window.close = () => { window.__closed = true })")
    kiosk.get_by_role("button", name="Staff").click()
    for pin, good in (("1111", False), (PIN, True)):
        for digit in pin:
            kiosk.get_by_role("button", name=digit, exact=True).click()
        with kiosk.expect_response(re.compile("/kiosk/exit$")) as answered:
            kiosk.get_by_role("button", name="Leave").click()
        assert answered.value.status == (204 if good else 403)
        expect(kiosk.get_by_text("You may close this window now." if good else "That PIN is not right.")).to_be_visible()
        assert bool(kiosk.evaluate("window.__closed || false")) is good
