"""`rasa test` on the trained dialogue: intents and actions of whole conversations."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "build" / "current" / "rasa" / "model.tar.gz"


@pytest.mark.skipif(not MODEL.is_file(), reason="no trained dialogue: run `make build`")
def test_stories(tmp_path: Path) -> None:
    environment = {**os.environ, "RASA_TELEMETRY_ENABLED": "false", "KETAMINE_GUIDE_BUILD": str((ROOT / "build" / "current").resolve()), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "rasa", "test", "core", "--model", str(MODEL), "--stories", "tests/bot/test_stories.yml", "--endpoints", str(tmp_path / "none.yml")]
    run = subprocess.run([*command, "--out", str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    report = json.loads((tmp_path / "story_report.json").read_text()) if (tmp_path / "story_report.json").exists() else {}
    failed = tmp_path / "failed_test_stories.yml"
    assert run.returncode == 0, run.stderr[-2000:]
    assert report["conversation_accuracy"]["total"] == 12
    assert report["conversation_accuracy"]["correct"] == 12, failed.read_text()
