"""A conversation on the page, from the first question to its deletion."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.support import CRPS, MESSAGES, RISKS, URGENT, ask, axe_both, choose, conversation_of

pytestmark = pytest.mark.browser


def test_what_it_is_and_privacy_stand_before_the_first_message(chat: Page) -> None:
    intro = chat.locator(".intro")
    for words in ("computer program, not a person", "no personal advice", "not for emergencies", "No account", "deleted after 24 hours"):
        expect(intro).to_contain_text(words)
    assert conversation_of(chat) is None  # nothing is made on the server before somebody asks


def test_an_answer_has_short_paragraphs_with_certainty_and_sources(chat: Page) -> None:
    reply = ask(chat, RISKS)
    statements = reply.locator(".statement")
    assert 1 <= statements.count() <= 4
    for i in range(statements.count()):
        expect(statements.nth(i).locator(".sure")).to_have_text(re.compile("Clear answer|Probably|Only a hint|Not known|Not rated"))
        assert statements.nth(i).locator(".chip").count() >= 1
    expect(reply.locator(".clinician")).to_contain_text("Example Pain Clinic")
    expect(reply.locator(".clinician a[href^='tel:+1555']")).to_be_visible()


def test_a_source_opens_in_place_and_says_that_it_leaves(chat: Page) -> None:
    reply = ask(chat, RISKS)
    chip = reply.locator(".chip").first
    chip.click()
    expect(chip).to_have_attribute("aria-expanded", "true")
    panel = reply.locator(".panel:not([hidden])")
    for words in ("Kind of source", "What we read", "This leaves our site", "opens"):
        expect(panel).to_contain_text(words)
    expect(panel.locator(".year")).to_have_text(re.compile(r"\(\d{4}\)"))
    link = panel.get_by_role("link", name="Open the source")
    assert link.get_attribute("target") == "_blank"
    assert link.get_attribute("rel") == "noopener noreferrer"
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_have_count(0)
    expect(chip).to_be_focused()


def test_a_term_is_explained_where_it_stands(chat: Page) -> None:
    reply = ask(chat, RISKS)
    term = reply.locator("button.term").first
    term.click()
    expect(reply.locator(".term-plain")).to_be_visible()
    term.click()
    expect(reply.locator(".term-plain")).to_have_count(0)


def test_the_legend_explains_the_words_for_certainty(chat: Page) -> None:
    reply = ask(chat, RISKS)
    expect(reply.locator("dl.legend").first).to_be_hidden()
    reply.get_by_text("How sure is this?").last.click()
    expect(reply.locator("dl.legend").first).to_be_visible()


def test_a_word_for_certainty_says_what_it_means_and_who_rated_it(chat: Page) -> None:
    side = ask(chat, CRPS).locator(".side").first
    sure = side.locator("button.sure")
    sure.click()
    expect(sure).to_have_attribute("aria-expanded", "true")
    expect(side.locator(".sure-plain")).to_contain_text("could change the answer")
    expect(side.locator(".by")).to_contain_text("2018 consensus")
    side.get_by_role("button", name="Close").click()
    expect(sure).to_be_focused()
    expect(side.locator(".sure-plain")).to_have_count(0)


def test_closing_gives_the_focus_back_to_the_term_that_was_opened(chat: Page) -> None:
    statement = ask(chat, CRPS).locator(".statement").first
    term = statement.locator("button.term").nth(1)
    term.click()
    statement.get_by_role("button", name="Close").click()
    expect(term).to_be_focused()


def test_disagreement_is_shown_as_sides(chat: Page) -> None:
    reply = ask(chat, CRPS)
    block = reply.locator(".disagreement")
    assert block.locator(".side").count() >= 2
    expect(block).to_contain_text("Why they may differ")
    first = block.locator(".side").first
    expect(first.locator(".sure")).to_be_visible()
    first.locator(".chip").first.click()
    expect(first.locator(".source-title")).to_be_visible()


def test_a_suggestion_and_tell_me_more_continue_and_keep_the_focus(chat: Page) -> None:
    first = ask(chat, RISKS)
    second = choose(chat, first.locator(".choice").first)
    expect(second.locator("article")).to_be_focused()
    expect(first.locator(".choice")).to_have_count(0)  # only the newest answer offers what comes next
    third = choose(chat, second.get_by_role("button", name="Tell me more"))
    expect(third.locator("article")).to_be_visible()
    expect(chat.locator(".asked").last).to_contain_text("Tell me more")


def test_emergency_is_always_one_touch_away(chat: Page) -> None:
    for _ in range(2):
        button = chat.get_by_role("button", name="Emergency")
        expect(button).to_be_in_viewport()
        button.click()
        dialog = chat.get_by_role("dialog", name="If someone is in danger now")
        expect(dialog.locator("a[href='tel:911']")).to_be_visible()
        chat.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(button).to_be_focused()
        ask(chat, RISKS)


def test_an_urgent_reply_has_its_contacts_first(chat: Page) -> None:
    reply = ask(chat, URGENT)
    expect(reply.locator("article")).to_have_class(re.compile("urgent"))
    parts = reply.locator("article > *")
    expect(parts.first).to_have_class("help")
    expect(reply.locator("a[href='tel:988']").first).to_be_in_viewport()
    expect(reply.locator(".statement")).to_have_count(0)
    expect(chat.locator(".unseen[role=alert]")).to_contain_text("988")
    # on a phone the two most urgent numbers and what we say are seen at once; further lines come below
    expect(reply.locator("a[href='tel:911']").first).to_be_in_viewport()
    expect(reply.locator(".lead")).to_be_in_viewport()
    tops = [reply.locator(s).evaluate("e => e.getBoundingClientRect().top") for s in (".help >> nth=0", ".lead", ".more-help")]
    assert tops == sorted(tops)


def test_busy_is_told_after_300_ms_and_send_waits(chat: Page) -> None:
    chat.clock.install()
    chat.clock.pause_at(dt.datetime.now() + dt.timedelta(hours=1))
    held: list[Route] = []
    chat.route(MESSAGES, lambda route: held.append(route))
    chat.locator("#question").fill(RISKS)
    with chat.expect_request(MESSAGES):
        chat.locator("#question").press("Enter")
    send = chat.get_by_role("button", name="Send")
    expect(send).to_be_disabled()
    chat.clock.run_for(250)
    expect(chat.locator(".looking")).to_have_count(0)
    chat.clock.run_for(100)
    expect(chat.get_by_role("status").filter(has_text="Looking for an answer")).to_be_visible()
    chat.locator("#question").fill("a second one")
    chat.locator("#question").press("Enter")  # not sent while a turn is open, and not lost
    assert len(held) == 1
    held[0].continue_()
    chat.locator("guide-reply article").wait_for()
    expect(send).to_be_enabled()
    expect(chat.locator("#question")).to_have_value("a second one")
    expect(chat.locator(".looking")).to_have_count(0)


@pytest.mark.parametrize(("status", "words"), [(503, "did not work"), (429, "wait 7 seconds"), (413, "too long"), (0, "no connection")])
def test_an_error_keeps_what_was_typed(chat: Page, status: int, words: str) -> None:
    sent: list[dict[str, str]] = []

    def fail(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "{}"))
        if len(sent) > 1:
            route.continue_()
        elif status:
            kinds = {413: "text-too-long", 429: "too-many-requests", 503: "store-down"}
            body = {"type": f"https://x.invalid/problems/{kinds[status]}", "contacts": [], "clinician": ""}
            route.fulfill(status=status, json=body, headers={"Retry-After": "7", "Content-Type": "application/problem+json"})
        else:
            route.abort()

    chat.route(MESSAGES, fail)
    chat.locator("#question").fill(RISKS)
    chat.locator("#question").press("Enter")
    expect(chat.get_by_role("alert").filter(has_text=words)).to_be_visible()
    expect(chat.locator("#question")).to_have_value(RISKS)
    expect(chat.locator(".asked")).to_have_count(0)
    if status == 413:
        return  # sent again it would be as long
    chat.get_by_role("button", name="Try again").click()
    chat.locator("guide-reply .statement").first.wait_for()
    assert sent[0]["message_id"] == sent[1]["message_id"]  # the server answers one message once
    expect(chat.locator("#question")).to_have_value("")
    expect(chat.locator(".trouble")).to_have_count(0)


def test_offline_is_said_and_ends(chat: Page, context: BrowserContext) -> None:
    ask(chat, RISKS)
    context.set_offline(True)
    expect(chat.get_by_role("status").filter(has_text="No connection")).to_be_visible()
    chat.locator("#question").fill(CRPS)
    chat.locator("#question").press("Enter")
    expect(chat.locator("#question")).to_have_value(CRPS)
    expect(chat.locator("guide-reply")).to_have_count(1)
    context.set_offline(False)
    expect(chat.get_by_role("status").filter(has_text="connected again")).to_be_visible()
    chat.get_by_role("button", name="Try again").click()
    expect(chat.locator("guide-reply")).to_have_count(2)


def test_a_reload_restores_the_conversation(chat: Page) -> None:
    ask(chat, RISKS)
    said = chat.locator("guide-reply .said").all_inner_texts()
    chat.reload()
    expect(chat.locator("guide-reply .said")).to_have_count(len(said))
    assert chat.locator("guide-reply .said").all_inner_texts() == said
    expect(chat.locator(".asked")).to_have_count(1)
    ask(chat, CRPS)
    expect(chat.locator("guide-reply")).to_have_count(2)


def test_another_tab_knows_nothing(chat: Page, context: BrowserContext) -> None:
    ask(chat, RISKS)
    other = context.new_page()
    other.goto("/")
    expect(other.locator(".intro")).to_be_visible()
    expect(other.locator("guide-reply")).to_have_count(0)


def test_an_expired_conversation_becomes_a_new_one(chat: Page) -> None:
    ask(chat, RISKS)
    old = conversation_of(chat)
    assert chat.request.delete(f"/api/conversations/{old}").status == 204
    chat.locator("#question").fill(CRPS)
    chat.locator("#question").press("Enter")
    expect(chat.get_by_role("status").filter(has_text="has been deleted, as promised")).to_be_visible()
    expect(chat.locator(".send")).to_be_enabled()
    expect(chat.locator("guide-reply")).to_have_count(1)  # the new question is answered without asking again
    expect(chat.locator(".asked")).to_have_text(re.compile("CRPS"))
    assert conversation_of(chat) != old
    assert chat.request.delete(f"/api/conversations/{conversation_of(chat)}").status == 204
    chat.reload()
    expect(chat.get_by_role("status").filter(has_text="has been deleted, as promised")).to_be_visible()
    assert conversation_of(chat) is None


def test_clear_deletes_it_here_and_on_the_server(chat: Page, api_get: Callable[[str], int]) -> None:
    ask(chat, RISKS)
    conversation = conversation_of(chat) or ""
    assert api_get(conversation) == 200
    chat.get_by_label("Options").click()
    chat.get_by_role("button", name="Clear conversation").click()
    chat.get_by_role("button", name="Yes, delete it").click()
    expect(chat.get_by_role("status").filter(has_text="has been deleted")).to_be_visible()
    expect(chat.locator("guide-reply")).to_have_count(0)
    assert api_get(conversation) == 404
    assert conversation_of(chat) is None


def test_feedback_names_the_statement_and_what_was_wrong(chat: Page) -> None:
    reply = ask(chat, CRPS)
    reply.get_by_role("button", name="No", exact=True).click()
    expect(reply.get_by_text("What was wrong?")).to_be_focused()
    reply.get_by_label("I did not understand it").check()
    part = reply.locator("input[name=statement_id]")
    assert part.count() == reply.locator(".statement").count() + 1
    part.nth(1).check()
    expect(reply.locator("textarea")).to_have_count(0)  # a comment is asked for only where the clinic keeps comments
    with chat.expect_response(re.compile("/feedback$")) as sent:
        reply.get_by_role("button", name="Send feedback").click()
    assert sent.value.status == 204
    body = sent.value.request.post_data_json
    assert body["helpful"] is False
    assert body["problem"] == "unclear"
    assert body["statement_id"] == reply.locator(".statement").first.get_attribute("data-statement")
    expect(reply.get_by_text("Thank you")).to_be_focused()


def test_a_comment_is_asked_for_where_it_is_kept_and_says_so(page: Page) -> None:
    def switched_on(route: Route) -> None:
        response = route.fetch()
        off, on = "&#34;comments&#34;: false", "&#34;comments&#34;: true"
        assert off in response.text()
        route.fulfill(response=response, body=response.text().replace(off, on))

    page.route("**/chat", switched_on)
    page.goto("/chat")
    reply = ask(page, RISKS)
    reply.get_by_role("button", name="No", exact=True).click()
    box = reply.get_by_label("Anything else?")
    expect(reply.locator(f"#{box.get_attribute('aria-describedby')}")).to_contain_text("The clinic keeps this comment")
    reply.get_by_label("It worried me").check()
    box.fill("too long")
    assert axe_both(page, "chat: feedback with comment") == {"light": [], "dark": []}
    with page.expect_response(re.compile("/feedback$")) as sent:
        reply.get_by_role("button", name="Send feedback").click()
    assert sent.value.request.post_data_json["comment"] == "too long"
    assert sent.value.status == 204


def test_helpful_takes_one_touch(chat: Page) -> None:
    reply = ask(chat, RISKS)
    with chat.expect_response(re.compile("/feedback$")) as sent:
        reply.get_by_role("button", name="Yes", exact=True).click()
    assert sent.value.status == 204
    expect(reply.get_by_text("Thank you")).to_be_visible()


def test_text_size_grows_and_is_kept(chat: Page) -> None:
    def size() -> float:
        return float(chat.evaluate("parseFloat(getComputedStyle(document.body).fontSize)"))

    assert size() == 20
    chat.get_by_label("Options").click()
    for _ in range(4):
        chat.get_by_role("button", name="Larger text").click()
    assert size() == 35
    chat.reload()
    chat.locator("#question").wait_for()
    assert size() == 35


def test_a_text_that_is_too_long_is_still_sent_to_be_screened(chat: Page) -> None:
    long = "word " * 500
    chat.locator("#question").fill(long)
    expect(chat.get_by_text("letters too many")).to_be_visible()
    with chat.expect_response(MESSAGES) as sent:
        chat.locator("#question").press("Enter")
    assert sent.value.status == 413
    expect(chat.get_by_role("alert").filter(has_text="too long")).to_be_visible()
    assert chat.locator("#question").input_value().strip() == long.strip()


def test_a_paused_guide_says_so_with_contacts_and_answers_again(chat: Page, var: Path) -> None:
    pause = var / "paused"
    pause.touch()
    try:
        reply = ask(chat, RISKS)
        expect(reply.locator("article")).to_have_class(re.compile("unavailable"))
        expect(reply.locator("a[href='tel:911']")).to_be_visible()
        assert "urgent" in (ask(chat, URGENT).locator("article").get_attribute("class") or "")
    finally:
        pause.unlink()
    expect(ask(chat, RISKS).locator(".clinician")).to_be_visible()


def test_spanish_works_without_javascript(browser: Browser, base_url: str) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=base_url, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto("/")
    page.get_by_role("link", name="Español").click()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.get_by_text("Es un programa, no una persona")).to_be_visible()
    expect(page.get_by_text("Sin cuenta")).to_be_visible()
    page.get_by_label("Su pregunta").fill("¿La ketamina ayuda en el SDRC?")
    page.locator("button.send").click()
    expect(page.locator("article.reply").last).to_have_attribute("lang", "es")
    expect(page.locator("html")).to_have_attribute("lang", "es")  # it stays so after a turn
    page.locator(".clear a").click()
    expect(page.get_by_role("heading", name="Privacidad")).to_be_visible()
    page.goto("/")  # the conversation in the other language is one of its own
    expect(page.locator(".asked")).to_have_count(0)
    page.get_by_label("Your question").fill(RISKS)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".asked")).to_have_count(1)
    page.get_by_role("button", name="Clear conversation").click()
    page.goto("/?lang=es")
    expect(page.locator(".asked")).to_have_count(0)  # clearing clears both
    assert context.cookies() == []
    context.close()


def test_without_javascript_danger_in_a_message_is_seen_before_anything_else(browser: Browser, base_url: str) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=base_url)
    page = context.new_page()
    page.goto("/?lang=es")
    page.get_by_label("Su pregunta").fill("quiero matarme")
    page.locator("button.send").click()
    expect(page.locator("article.urgent a[href='tel:988']").first).to_be_visible()
    context.close()


def test_spanish_page_speaks_spanish(page: Page) -> None:
    page.goto("/chat?lang=es")
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page.get_by_role("heading", name="¿Preguntas sobre la ketamina para el dolor?")).to_be_visible()
    with page.expect_request(re.compile("/api/conversations$")) as made:
        choose(page, page.locator(".choice").first)
    assert made.value.post_data_json["language"] == "es"
    expect(page.locator("guide-reply article")).to_have_attribute("lang", "es")


def test_the_printed_sheet_has_answers_sources_and_code_but_no_question(chat: Page, tmp_path: Path) -> None:
    question = "What are the side effects of ketamine? My aunt Griselda asks."
    reply = ask(chat, question)
    said = reply.locator(".said").first.inner_text()
    pdf = tmp_path / "sheet.pdf"
    chat.pdf(path=str(pdf), format="A4", print_background=False)
    text = " ".join(subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True).stdout.split())
    assert "Griselda" not in text
    assert said[:40] in text
    assert "[1]" in text
    assert "https://" in text
    assert "Example Pain Clinic" in text
    assert "Emergency" not in text  # nothing of the screen
    subprocess.run(["pdftoppm", "-r", "150", "-png", str(pdf), str(tmp_path / "page")], check=True)
    codes = [subprocess.run(["zbarimg", "-q", "--raw", str(p)], capture_output=True, text=True).stdout for p in sorted(tmp_path.glob("page*.png"))]
    assert "https://clinic.example/" in "".join(codes)


def test_questions_are_printed_only_when_asked_for(chat: Page) -> None:
    chat.evaluate("void (window.print = () => { window.__sheet = document.querySelector('.sheet').textContent })")
    ask(chat, RISKS)
    for tick, expected in ((False, False), (True, True)):
        chat.get_by_label("Options").click()
        chat.get_by_role("button", name="Print or save as PDF").click()
        if tick:
            chat.get_by_label("Print my questions too").check()
        chat.get_by_role("button", name="Print", exact=True).click()
        chat.wait_for_timeout(300)
        assert (RISKS in chat.evaluate("window.__sheet")) is expected
        assert "No account" not in chat.evaluate("window.__sheet")
        expect(chat.locator(".sheet")).to_be_hidden()


def test_without_javascript_the_same_conversation_works(browser: Browser, base_url: str) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=base_url, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Your question").fill(RISKS)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("article.reply").last.locator(".statement").first).to_be_visible()
    page.locator(".emergency summary").click()
    expect(page.locator("a[href='tel:911']").first).to_be_visible()
    page.get_by_role("button", name="Clear conversation").click()
    expect(page.locator(".asked")).to_have_count(0)
    context.close()
