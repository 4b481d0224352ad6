"""What a cold load takes and what it weighs, measured and written into docs/widget.md: `python -m tests.browser.figures`.

Each load has a new profile, so an empty cache. "Slow phone" is what Lighthouse imitates: a processor 4 times slower,
1.6 Mbit/s, 150 ms there and back. Each figure is the middle of five loads.
"""

from __future__ import annotations

import gzip
import os
import re
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.support import CHROMIUM, FLAGS, PHONE, ROOT, settings
from tools.running import free_port, running

LOADS = 5
SLOWER = 4  # times
NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
PAGES = {"the widget's frame": ("/chat", "#question"), "the full page": ("/", "#question"), "the kiosk": ("/kiosk", ".tile")}
STATIC = ROOT / "web" / "static"
LIMITS = {"widget.js": 3, "guide-chat.js": 30}  # KB gzipped

# Runs before the page's own scripts. `ready`: the first frame in which what is touched first is there and the page is free to hear of it.
WATCH = """(selector => {
  const seen = window.__figures = { shift: 0, blocked: 0, largest: 0, ready: null, key: null };
  const watch = (type, each) => new PerformanceObserver(l => l.getEntries().forEach(each)).observe({ type, buffered: true });
  watch('layout-shift', e => { seen.shift += e.value; });
  watch('longtask', e => { seen.blocked += Math.max(0, e.duration - 50); });
  watch('largest-contentful-paint', e => { seen.largest = e.startTime; });
  const look = () => {
    if (!document.querySelector(selector)) return requestAnimationFrame(look);
    setTimeout(() => { seen.ready = performance.now(); });
  };
  requestAnimationFrame(look);
  addEventListener('input', e => requestAnimationFrame(() => setTimeout(() => { seen.key ??= performance.now() - e.timeStamp; })), true);
})"""


@dataclass(frozen=True)
class Load:
    """One cold load; times in ms since the navigation began.

    Attributes:
        paint: First contentful paint.
        largest: Largest contentful paint.
        ready: When the first thing that is touched can be touched.
        key: From a letter typed to the letter on the screen; 0 where there is no box.
        blocked: Total blocking time: what tasks take beyond 50 ms each.
        shift: Cumulative layout shift.
        requests: Number of requests.
        bytes: What came over the network, not compressed: that is the proxy's work.
    """

    paint: float
    largest: float
    ready: float
    key: float
    blocked: float
    shift: float
    requests: float
    bytes: float


def _until(page: Page, expression: str) -> None:
    """Wait without `wait_for_function`, which needs `eval`: the pages' own policy refuses that."""
    for _ in range(1000):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(30)
    raise RuntimeError(f"never: {expression}")


def load(browser: Browser, url: str, path: str, selector: str, slow: bool) -> Load:
    """One cold load of a page until `selector` can be touched."""
    page = browser.new_context(viewport=PHONE, base_url=url).new_page()  # type: ignore[arg-type]
    devtools = page.context.new_cdp_session(page)
    devtools.send("Network.enable")
    if slow:
        devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        devtools.send("Network.emulateNetworkConditions", NETWORK)
    finished: list[float] = []
    devtools.on("Network.loadingFinished", lambda e: finished.append(e["encodedDataLength"]))
    page.add_init_script(f"{WATCH}({selector!r})")
    page.goto(path)
    _until(page, "window.__figures.ready")
    if selector == "#question":
        page.locator(selector).press("a")
        _until(page, "window.__figures.key")
    page.wait_for_timeout(500)
    seen = page.evaluate("({...window.__figures, paint: performance.getEntriesByName('first-contentful-paint')[0].startTime})")
    page.context.close()
    return Load(
        seen["paint"], seen["largest"], seen["ready"], seen["key"] or 0, seen["blocked"], seen["shift"], len(finished), sum(finished)
    )


def cold(browser: Browser, url: str, path: str, selector: str, slow: bool) -> Load:
    """The middle of some cold loads, figure by figure."""
    loads = [load(browser, url, path, selector, slow) for _ in range(LOADS)]
    return Load(*(statistics.median(getattr(one, name) for one in loads) for name in Load.__dataclass_fields__))


def sizes() -> dict[str, float]:
    """KB of what is served to a browser, gzipped at level 9."""
    return {name: len(gzip.compress((STATIC / name).read_bytes(), 9)) / 1024 for name in ("widget.js", "guide-chat.js", "guide.css")}


def lines(browser: Browser, url: str) -> list[str]:
    """The tables of docs/widget.md."""
    size = sizes()
    out = ["| file | KB gzipped | limit |", "| --- | --- | --- |"]
    out += [f"| `{name}` | {kb:.1f} | {LIMITS.get(name, '–')} |" for name, kb in size.items()]
    font = STATIC / "fonts" / "atkinson-hyperlegible-next.woff2"
    out += [f"| the font, once | {font.stat().st_size / 1024:.0f} (woff2) | – |", ""]
    out += [
        "| cold load | first paint | largest paint | ready for a touch | letter to screen | blocked | layout shift | requests | KB, not compressed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for what, (path, selector) in PAGES.items():
        for slow in (False, True):
            f = cold(browser, url, path, selector, slow)
            key = f"{f.key:.0f} ms" if f.key else "–"
            out.append(
                f"| {what}{', slow phone' if slow else ''} | {f.paint:.0f} ms | {f.largest:.0f} ms | {f.ready:.0f} ms | {key} | {f.blocked:.0f} ms "
                f"| {f.shift:.3f} | {f.requests:.0f} | {f.bytes / 1024:.0f} |"
            )
    return [*out, "", f"Measured on {os.cpu_count()} cores that {os.getloadavg()[1]:.0f} processes wanted at once."]


def write(measured: list[str]) -> None:
    """Put the tables between the marks of docs/widget.md."""
    path = ROOT / "docs" / "widget.md"
    text = path.read_text("utf-8")
    made = re.sub(r"(<!-- figures -->\n).*(<!-- end of figures -->)", lambda m: m[1] + "\n".join(measured) + "\n\n" + m[2], text, flags=re.DOTALL)
    if made == text and "\n".join(measured) not in text:
        raise RuntimeError("docs/widget.md has no place for the figures")
    path.write_text(made, "utf-8")


def run(url: str) -> None:
    """Measure a running guide."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page: Page = browser.new_page()
        page.goto(url + "/chat")  # the server's own first time is not the patient's
        measured = lines(browser, url)
        browser.close()
    print("\n".join(measured))
    write(measured)


def main() -> None:
    """Start the guide, or use the one that KETAMINE_GUIDE_BROWSER_URL names."""
    if url := os.environ.get("KETAMINE_GUIDE_BROWSER_URL"):
        run(url)
        return
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "var", **settings(free_port())) as server:
        run(server.url)


if __name__ == "__main__":
    main()
