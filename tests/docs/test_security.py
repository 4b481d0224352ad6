"""The threat table names for each threat the control and a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs" / "security.md").read_text("utf-8").split("## Threats by arrow")[1].split("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines() if line.startswith("|")][2:]
ARROWS = ("patient → web", "site → widget", "kiosk", "platform → web", "web → platform", "web → rasa", "rasa → actions", "web, rasa → database",
          "build → processes", "curator → content", "processes → logs", "monitor → web", "install → machine")  # fmt: skip
ROOMS = ("knowledge", "actions", "web", "bot", "tools")


def functions(path: Path) -> set[str]:
    return {n.name for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.FunctionDef)}


def test_every_arrow_has_rows() -> None:
    assert {row[0] for row in ROWS if row[0]} == set(ARROWS)


@pytest.mark.parametrize("row", ROWS, ids=[row[2] for row in ROWS])
def test_each_threat_has_a_control_and_a_test_that_exists(row: list[str]) -> None:
    _, _, threat, control, shown = row
    assert threat and control
    if shown == "–":
        assert control.startswith(("not claimed", "not prevented")), "only what is not controlled needs no test"
        return
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown)
    assert named, "no test"
    for file, name in named:
        assert (ROOT / file).is_file() and name in functions(ROOT / file), f"{file}::{name}"


def test_each_test_that_a_document_names_exists() -> None:
    missing = []
    for page in (ROOT / "docs").rglob("*.md"):
        for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text("utf-8")):
            if not (ROOT / file).is_file() or name not in functions(ROOT / file):
                missing.append(f"{page.name}: {file}::{name}")
    assert missing == []


def test_nothing_of_ours_reads_a_pickle_or_runs_text_as_code() -> None:
    found = []
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    # joblib may start our own processes, and may not read files
                    only_starts = isinstance(node, ast.ImportFrom) and {a.name for a in node.names} <= {"Parallel", "delayed", "parallel_config"}
                    names = [a.name for a in node.names] if isinstance(node, ast.Import) else [] if only_starts else [node.module or ""]
                    found += [f"{path.name}: {n}" for n in names if n.split(".")[0] in ("pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve")]
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                    found.append(f"{path.name}: {node.func.id}")
                elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and not (isinstance(node.value, ast.Constant) and node.value.value is False):
                    found.append(f"{path.name}: allow_pickle")
    assert found == []


def test_no_language_model_is_asked_at_run_time() -> None:
    """There is none to instruct: nothing of ours imports a client or a runtime of one."""
    banned = {"openai", "anthropic", "llama_cpp", "vllm", "langchain", "litellm", "ollama", "cohere", "mistralai"}
    found = []
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                found += [f"{path.name}: {n}" for n in names if n.split(".")[0] in banned]
    assert found == []
