"""Pictures of the main states for the docs: `python -m tests.browser.shots`."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.support import (
    CHROMIUM,
    CRPS,
    DESKTOP,
    EXAMPLE_BODY,
    EXAMPLE_CSS,
    FLAGS,
    KIOSK,
    PHONE,
    RISKS,
    ROOT,
    URGENT,
    ask,
    choose,
    settings,
    site,
)  # fmt: skip
from tools.running import free_port, running

LONG = "How long does relief last?"  # some statements, many sources, and no agreement
OUT = ROOT / "docs" / "screenshots"


def save(page: Page, name: str) -> None:
    """Write one picture."""
    page.mouse.move(0, 0)  # nothing is hovered over on a phone or a kiosk
    page.wait_for_timeout(500)
    page.screenshot(path=str(OUT / f"{name}.png"), animations="disabled", caret="hide")
    print(f"[shots] {name}.png")


class Camera:
    """Opens pages of the running guide."""

    def __init__(self, browser: Browser, url: str):
        self.browser = browser
        self.url = url

    def page(self, path: str, size: Any, **media: Any) -> Page:
        page = self.browser.new_context(viewport=size, base_url=self.url, reduced_motion="reduce", **media).new_page()
        page.goto(path)
        return page


def phone(camera: Camera) -> None:
    """The states of a conversation on a phone."""
    page = camera.page("/chat", PHONE)
    page.locator("#question").wait_for()
    save(page, "phone-first")
    reply = ask(page, RISKS)
    save(page, "phone-answer")
    reply.locator(".chip").first.click()
    save(page, "phone-source")
    page = camera.page("/chat", PHONE)
    ask(page, CRPS).locator(".disagreement").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('.disagreement').scrollIntoView()")
    save(page, "phone-disagreement")
    ask(page, URGENT)
    save(page, "phone-emergency")
    for name, media in (("dark", {"color_scheme": "dark"}), ("forced-colours", {"forced_colors": "active"})):
        page = camera.page("/chat", PHONE, **media)
        ask(page, CRPS).locator(".chip").first.click()
        save(page, name)
    page = camera.page("/", {"width": 320, "height": 256})
    ask(page, RISKS)
    save(page, "zoom-400")
    page = camera.page("/chat", {"width": 360, "height": 2400})
    ask(page, LONG)
    save(page, "phone-long-answer")
    page = camera.page("/chat?lang=es", PHONE)
    choose(page, page.locator(".choice").first)
    save(page, "phone-spanish")


def desktop(camera: Camera, site_port: int) -> None:
    """The full page, and the widget on an example clinic's page."""
    page = camera.page("/", DESKTOP)
    ask(page, CRPS)
    save(page, "desktop-answer")
    with site(site_port) as served:
        served["about"].update(css=EXAMPLE_CSS, body=EXAMPLE_BODY, script=f'<script src="{camera.url}/widget.js" defer></script>')
        page = camera.page(served["url"], DESKTOP)
        save(page, "desktop-button")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_timeout(1500)
        frame = next(f for f in page.frames if "/chat" in f.url)
        frame.locator("#question").fill(RISKS)
        frame.locator("#question").press("Enter")
        frame.locator("guide-reply article").wait_for()
        save(page, "desktop-widget")


def kiosk(camera: Camera) -> None:
    """The waiting room's states."""
    page = camera.page("/kiosk", KIOSK)
    page.locator(".tile").first.wait_for()
    save(page, "kiosk-home")
    page.locator(".tile").nth(1).click()
    save(page, "kiosk-topic")
    choose(page, page.locator(".choice").first).locator(".chip").first.click()
    save(page, "kiosk-answer")
    page.get_by_role("button", name="Type a question").click()
    save(page, "kiosk-keyboard")
    page = camera.page("/kiosk", {"width": 1280, "height": 800})
    page.locator(".tile").first.wait_for()
    save(page, "kiosk-landscape")
    page = camera.page("/kiosk", KIOSK)
    page.clock.install()
    page.reload()
    page.locator(".tile").nth(1).click()
    choose(page, page.locator(".choice").first)
    page.clock.run_for(125_000)
    save(page, "kiosk-idle")


def printed(camera: Camera) -> None:
    """The sheet, as it comes out of the printer."""
    page = camera.page("/", DESKTOP)
    ask(page, CRPS)
    with tempfile.TemporaryDirectory() as folder:
        pdf = Path(folder) / "sheet.pdf"
        page.pdf(path=str(pdf), format="A4")
        subprocess.run(["pdftoppm", "-r", "80", "-png", "-f", "1", "-l", "1", "-singlefile", str(pdf), str(OUT / "printed-sheet")], check=True)
    print("[shots] printed-sheet.png")


def take(url: str, site_port: int) -> None:
    """All pictures."""
    OUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        camera = Camera(browser, url)
        phone(camera)
        desktop(camera, site_port)
        kiosk(camera)
        printed(camera)
        browser.close()


def main() -> None:
    """Start the guide, or use the one that KETAMINE_GUIDE_BROWSER_URL names."""
    if url := os.environ.get("KETAMINE_GUIDE_BROWSER_URL"):
        take(url, int(os.environ["KETAMINE_GUIDE_BROWSER_SITE_PORT"]))
        return
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "var", **settings(port)) as server:
        take(server.url, port)


if __name__ == "__main__":
    main()
