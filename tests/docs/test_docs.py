"""What the documents must cover, and that what they name exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from knowledge.schema import Statement
from web.openapi import document
from web.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# written in two parts, so that this file holds no such path itself
MACHINE_PATH = re.compile("/" + r"(work/(main|shared)|opt/(wheels|pypi)|tmp/env)")


def words(*names: str) -> str:
    return "\n".join((DOCS / name).read_text("utf-8") for name in names)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`KETAMINE_GUIDE_{name.upper()}`" in words("settings.md")


@pytest.mark.parametrize("name", sorted(Statement.model_fields))
def test_every_statement_field_is_documented(name: str) -> None:
    assert f"`{name}`" in words("curators.md")


@pytest.mark.parametrize("path", sorted(document()["paths"]))
def test_every_route_is_documented(path: str) -> None:
    short = path.replace("{conversation_id}", "{id}")
    assert path in words("contract.md") or short in words("contract.md")


def test_every_make_target_is_in_help() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
    assert [t for t in targets if not re.search(rf"^{t}:.*## ", makefile, re.MULTILINE)] == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            if not target.startswith(("http", "mailto:")) and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} → {target}")
    assert broken == []


def test_each_test_that_the_hazard_log_names_exists() -> None:
    named = set(re.findall(r"(tests/[\w/]+\.py)::(\w+)", words("safety/hazard-log.md", "safety/safety-case.md")))
    assert len(named) > 80
    assert "TODO-test" not in words("safety/hazard-log.md", "safety/safety-case.md")
    missing = []
    for file, name in sorted(named):
        path = ROOT / file
        functions = {n.name for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.FunctionDef)} if path.exists() else set()
        if name not in functions:
            missing.append(f"{file}::{name}")
    assert missing == []


def test_the_project_speaks_of_itself_alone() -> None:
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if not path.is_file() or parts[0] in (".git", ".venv", ".venv-bot", "build", "var") or "node_modules" in parts or path.suffix in (".png", ".svg", ".js"):
            continue
        if path == Path(__file__).resolve() or "__pycache__" in parts or any(p.startswith(".") and p != ".ci" for p in parts):
            continue
        text = path.read_text("utf-8", "ignore")
        if MACHINE_PATH.search(text):
            found.append(str(path.relative_to(ROOT)))
    assert found == []
