"""`python3 tools/audit.py sbom|audit`: what is installed, and what is known against it.

The tools live in an environment of their own, so that they change neither of those they look at. Needs the network: `audit`
asks the advisory services of PyPI and npm.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".venv-audit"
WANTED = ["cyclonedx-bom==7.5.0", "pip-audit==2.10.1"]
ENVIRONMENTS = {"app": ROOT / ".venv", "bot": ROOT / ".venv-bot"}
FRONT_END = ROOT / "web" / "frontend"
ACCEPTED = ROOT / "docs" / "audit.md"


def prepare() -> None:
    """Make the tools' environment, once."""
    if (TOOLS / ".done").exists():
        return
    venv.create(TOOLS, with_pip=True, clear=True)
    subprocess.run([str(TOOLS / "bin" / "python"), "-m", "pip", "install", "--quiet", *WANTED], check=True)  # noqa: S603
    (TOOLS / ".done").touch()


def accepted(text: str) -> set[str]:
    """Identifiers of the findings that the document accepts: the first cell of its table's rows."""
    return set(re.findall(r"^\| `([A-Z]+-[\w-]+)` \|", text, re.MULTILINE))


def judge(report: dict[str, Any], known: set[str]) -> tuple[list[str], list[str]]:
    """Findings of a pip-audit report that nobody accepted, and packages it could not look up.

    Our own package, which is in no registry, does not count.
    """
    found, unseen = [], []
    for package in report["dependencies"]:
        if package["name"].replace("_", "-") == "ketamine-guide":
            continue
        if "skip_reason" in package:
            unseen.append(package["name"])
        for weakness in package.get("vulns", ()):
            if not known & {weakness["id"], *weakness.get("aliases", ())}:
                found.append(f"{package['name']} {package['version']}: {weakness['id']}, mended in {', '.join(weakness['fix_versions']) or 'no version'}")
    return found, unseen


def sbom() -> int:
    """Write the bills of materials; returns the exit status."""
    folder = ROOT / "var" / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    for name, environment in ENVIRONMENTS.items():
        target = folder / f"{name}.cdx.json"
        command = [str(TOOLS / "bin" / "cyclonedx-py"), "environment", str(environment / "bin" / "python"), "--output-format", "JSON", "-o", str(target)]
        subprocess.run(command, check=True)  # noqa: S603
        print(f"{target.relative_to(ROOT)}: {len(json.loads(target.read_text('utf-8'))['components'])} components")
    target = folder / "frontend.cdx.json"
    made = subprocess.run(["npm", "sbom", "--package-lock-only", "--sbom-format", "cyclonedx"], cwd=FRONT_END, capture_output=True, text=True, check=True)  # noqa: S607
    target.write_text(made.stdout, "utf-8")
    print(f"{target.relative_to(ROOT)}: {len(json.loads(made.stdout)['components'])} components")
    return 0


def audit() -> int:
    """Ask the advisory services; 0 only when all was looked up and nothing new was found."""
    known, status = accepted(ACCEPTED.read_text("utf-8")), 0
    for name, environment in ENVIRONMENTS.items():
        packages = next((environment / "lib").glob("python3*")) / "site-packages"
        run = subprocess.run(  # noqa: S603
            [str(TOOLS / "bin" / "pip-audit"), "--path", str(packages), "--format", "json", "--progress-spinner", "off"], capture_output=True, text=True
        )
        try:
            found, unseen = judge(json.loads(run.stdout), known)
        except ValueError:
            print(f"{name}: the advisory service was not reached")
            status = 1
            continue
        print("\n".join([f"{name}: {len(found)} not accepted, {len(unseen)} not looked up", *found]))
        status = status or int(bool(found or unseen))
    run = subprocess.run(["npm", "audit", "--package-lock-only", "--json"], cwd=FRONT_END, capture_output=True, text=True)  # noqa: S607
    try:
        count = json.loads(run.stdout)["metadata"]["vulnerabilities"]["total"]
    except (ValueError, KeyError):
        print("front end: the advisory service was not reached")
        return 1
    print(f"front end: {count} known weaknesses")
    return status or int(count > 0)


if __name__ == "__main__":
    commands = {"sbom": sbom, "audit": audit}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        print("usage: python3 tools/audit.py sbom|audit", file=sys.stderr)
        sys.exit(2)
    prepare()
    sys.exit(commands[sys.argv[1]]())
