"""The real processes, started once, and a browser that talks to nobody else.

KETAMINE_GUIDE_BROWSER_URL and KETAMINE_GUIDE_BROWSER_SITE_PORT: test a guide that runs already (while working on the front end).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from tests.browser import support
from tools.running import free_port, running


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Every state that axe-core looked at, and what it found there."""
    if not support.AXE_COUNTS:
        return
    terminalreporter.section(f"axe-core: violations in {len(support.AXE_COUNTS)} states")
    for state, counts in sorted(support.AXE_COUNTS.items()):
        terminalreporter.write_line(f"{state:<44} " + "  ".join(f"{scheme} {n}" for scheme, n in counts.items()))
    terminalreporter.write_line(f"total {sum(sum(c.values()) for c in support.AXE_COUNTS.values())}")


@pytest.fixture(scope="session")
def site_port() -> int:
    return int(os.environ.get("KETAMINE_GUIDE_BROWSER_SITE_PORT") or free_port())


@pytest.fixture(scope="session")
def started(site_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path | None]]:
    """Address of the guide and its `var`; None for one that runs already."""
    if url := os.environ.get("KETAMINE_GUIDE_BROWSER_URL"):
        yield url, None
        return
    with running(tmp_path_factory.mktemp("var"), **support.settings(site_port)) as server:
        yield server.url, server.var


@pytest.fixture(scope="session")
def base_url(started: tuple[str, Path | None]) -> str:
    return started[0]


@pytest.fixture(scope="session")
def var(started: tuple[str, Path | None]) -> Path:
    if started[1] is None:
        pytest.skip("needs processes of its own")
    return started[1]


@pytest.fixture(scope="session")
def site(site_port: int, base_url: str) -> Iterator[dict[str, Any]]:
    with support.site(site_port) as served:
        yield served


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": support.CHROMIUM, "args": support.FLAGS}


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": support.PHONE}


WATCH = "window.__refused = []; addEventListener('securitypolicyviolation', e => window.__refused.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));"


@pytest.fixture(autouse=True)
def nobody_else(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Fails a test in which a page asked anything of another host, broke its own policy or threw an error."""
    if not {"page", "context", "visit"} & set(request.fixturenames):
        yield []
        return
    context: BrowserContext = request.getfixturevalue("context")
    outside: list[str] = []
    errors: list[str] = []

    def guard(route: Route) -> None:
        if route.request.url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "blob:")):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", guard)
    context.add_init_script(WATCH)
    context.set_default_timeout(10_000)
    context.on("weberror", lambda e: errors.append(str(e.error)))
    yield outside
    refused = [r for p in context.pages if not p.is_closed() for f in p.frames for r in f.evaluate("window.__refused || []")]
    assert not outside, f"asked of others: {outside}"
    assert not errors, f"errors on the page: {errors}"
    assert not refused, f"refused by the page's own policy: {refused}"


@pytest.fixture
def chat(page: Page) -> Page:
    """The full page, fresh."""
    page.goto("/")
    page.locator("#question").wait_for()
    return page


@pytest.fixture
def kiosk(page: Page) -> Page:
    """The waiting-room screen, fresh."""
    page.set_viewport_size(support.KIOSK)
    page.goto("/kiosk")
    page.locator(".tile").first.wait_for()
    return page


@pytest.fixture
def api_get(page: Page, base_url: str) -> Callable[[str], int]:
    """Status of a conversation, asked past the page."""
    return lambda conversation: page.request.get(f"{base_url}/api/conversations/{conversation}").status
