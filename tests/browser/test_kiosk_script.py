"""The start script of a waiting-room screen, with a stand-in for the browser that notes how it was called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.browser.support import ROOT

SCRIPT = ROOT / "docs" / "deploy" / "kiosk.sh"
BROWSER = """#!/bin/sh
echo "$@" >> "$NOTES"
[ "$(wc -l < "$NOTES")" -ge "$GOOD_AFTER" ]
"""


def start(folder: Path, good_after: int, **more: str) -> list[str]:
    """Run the script with a browser that crashes until its `good_after`th start; returns how it was called each time."""
    browser = folder / "browser"
    browser.write_text(BROWSER, "utf-8")
    browser.chmod(0o755)
    notes = folder / "notes"
    environment = {**os.environ, "CHROMIUM": str(browser), "NOTES": str(notes), "GOOD_AFTER": str(good_after), "TMPDIR": str(folder), **more}
    done = subprocess.run(["sh", str(SCRIPT)], env=environment, timeout=30)
    assert done.returncode == 0
    return notes.read_text("utf-8").splitlines()


def test_it_starts_full_screen_keeps_nothing_and_cleans_up(tmp_path: Path) -> None:
    [call] = start(tmp_path, 1, KETAMINE_GUIDE_URL="http://127.0.0.1:9999")
    for flag in ("--kiosk", "--incognito", "--app=http://127.0.0.1:9999/kiosk", "--disable-extensions", "--disable-dev-tools"):
        assert flag in call.split()
    assert "--kiosk-printing" not in call
    assert sorted(p.name for p in tmp_path.iterdir()) == ["browser", "notes"]  # the profile is gone


def test_a_browser_that_crashes_is_started_again(tmp_path: Path) -> None:
    assert len(start(tmp_path, 2, KIOSK_PRINT="yes")) == 2
    assert "--kiosk-printing" in (tmp_path / "notes").read_text("utf-8")
