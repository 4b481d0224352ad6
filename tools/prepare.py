"""Knowledge build and dialogue training, each skipped when its inputs have not changed; `current` is switched last."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from knowledge.build import activate, build, sha256
from knowledge.errors import KnowledgeError
from web.settings import SettingsError, settings

ROOT = Path(__file__).resolve().parent.parent
BUILD_CODE = ("knowledge/build.py", "knowledge/encoder.py", "knowledge/multilingual.py", "knowledge/content.py", "knowledge/schema.py", "knowledge/check.py", "knowledge/safety", "knowledge/parallel.py", "knowledge/text.py", "knowledge/topics.py", "knowledge/tuning.py", "knowledge/encoder_tuned.npz")
TRAIN_INPUTS = ("config.yml", "bot")


def stamp(*names: str) -> str:
    """Hash of files and folders, by name and content."""
    digest = hashlib.sha256()
    for name in names:
        path = ROOT / name
        files = sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts) if path.is_dir() else [path]
        for file in files:
            digest.update(f"{file.relative_to(ROOT)} {sha256(file)}\n".encode())
    return digest.hexdigest()


def prepared_build(builds: Path) -> Path:
    """The build of today's content: made now, or the one made from the same inputs."""
    inputs = stamp("knowledge/content", *BUILD_CODE)
    memo = builds / "inputs.json"
    try:
        known = json.loads(memo.read_text("utf-8"))
        folder = builds / known["build"]
        if known["inputs"] == inputs and (folder / "manifest.json").is_file():
            print(f"[build] unchanged: {folder.name}")
            return folder
    except (OSError, ValueError, KeyError):
        pass
    print("[build] knowledge base")
    started = time.time()
    folder = build(builds, say=lambda line: print(f"[build] {line}", flush=True))
    memo.write_text(json.dumps({"inputs": inputs, "build": folder.name}), "utf-8")
    print(f"[build] {folder.name} in {time.time() - started:.0f} s")
    return folder


def train(folder: Path) -> None:
    """Train Rasa on a build, unless that was done with the same project files."""
    inputs = stamp(*TRAIN_INPUTS)
    target = folder / "rasa"
    memo = target / "inputs"
    if memo.is_file() and memo.read_text("utf-8") == inputs and (target / "model.tar.gz").is_file():
        print("[train] unchanged")
        return
    print("[train] dialogue (about a minute)", flush=True)
    started = time.time()
    making = folder / ".rasa"
    shutil.rmtree(making, ignore_errors=True)
    environment = {**os.environ, "KETAMINE_GUIDE_BUILD": str(folder), "RASA_TELEMETRY_ENABLED": "false", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    command = [
        str(ROOT / ".venv-bot/bin/python"), "-m", "rasa", "train", "--config", "config.yml", "--domain", "bot/domain", "--data", "bot/data",
        "--out", str(making), "--fixed-model-name", "model", "--force",
    ]  # fmt: skip
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)  # noqa: S603
    if run.returncode or not (making / "model.tar.gz").is_file():
        print(run.stdout[-3000:], run.stderr[-3000:], file=sys.stderr)
        raise SystemExit("[train] Rasa training failed")
    (making / "inputs").write_text(inputs, "utf-8")
    (making / "sha256").write_text(sha256(making / "model.tar.gz"), "utf-8")
    shutil.rmtree(target, ignore_errors=True)
    making.rename(target)
    shutil.rmtree(ROOT / ".rasa", ignore_errors=True)  # training cache
    print(f"[train] done in {time.time() - started:.0f} s")


def main() -> int:
    """Entry point; returns the exit code."""
    try:
        builds = settings().builds
        folder = prepared_build(builds)
        train(folder)
        activate(builds, folder)
    except (KnowledgeError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
