"""The files of rules: they load, they are complete, and a broken one says what and where."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from knowledge.safety import content_problems
from knowledge.safety.errors import SafetyContentError
from knowledge.safety.rules import CATEGORIES, Compiled, RuleSet, load_spellings
from knowledge.safety.screen import CONTENT, Screen, rule_files

BROKEN = Path(__file__).parent / "broken"
SAFETY = CONTENT / "safety"


def _all() -> list[Compiled]:
    screen = Screen.load()
    return [*screen.rules.compiled, *screen.gentle.compiled, *screen.facts.compiled]


def test_every_category_has_rules_in_both_languages() -> None:
    found = {(c.category, c.language) for c in _all()}
    for category in (*CATEGORIES, "soon", "low_mood", "minor"):
        assert (category, "en") in found and (category, "es") in found


def test_every_rule_says_why_and_awaits_review() -> None:
    for compiled in _all():
        assert len(compiled.rule.why) > 8
        assert compiled.rule.reviewed is None or compiled.rule.reviewed.strip()


def test_soon_rules_name_contract_topics() -> None:
    known = {"risk.bladder", "risk.liver", "risk.psychological", "risk.cognitive", "risk.cardiovascular", "risk.nausea",
             "risk.general", "risk.addiction", "selection.pregnancy"}  # fmt: skip
    for compiled in _all():
        if compiled.category == "soon":
            assert compiled.rule.topics and set(compiled.rule.topics) <= known


def test_content_has_no_problems() -> None:
    problems = list(content_problems(CONTENT, dt.date(2026, 12, 1)))
    assert not [p for p in problems if p.file.split("/")[-1].endswith(("_en.yml", "_es.yml"))], problems


@pytest.mark.parametrize("file", sorted(BROKEN.glob("*.yml")), ids=lambda f: f.stem)
def test_a_broken_file_is_refused_with_its_place(file: Path, tmp_path: Path) -> None:
    for name in ("lists_en.yml", "lists_es.yml", "contexts_en.yml", "contexts_es.yml"):
        shutil.copy(SAFETY / name, tmp_path / name)
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("# expects: "):
            expected = line.removeprefix("# expects: ").split(" | ")
            break
    else:
        pytest.fail("a broken fixture says what it expects in its first line")
    with pytest.raises(SafetyContentError) as caught:
        RuleSet.load(tmp_path, [file], load_spellings(SAFETY / "spellings.yml"))
    message = str(caught.value)
    assert file.name in message and "Mend:" in message
    for word in expected:
        assert word in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    shutil.copytree(SAFETY, tmp_path / "safety")
    (tmp_path / "safety" / "overdose_es.yml").unlink()
    with pytest.raises(SafetyContentError, match="overdose_es.yml"):
        Screen.load(tmp_path)


def test_an_id_stands_once(tmp_path: Path) -> None:
    shutil.copytree(SAFETY, tmp_path / "safety")
    folder = tmp_path / "safety"
    (folder / "overdose_es.yml").write_text((folder / "overdose_en.yml").read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(SafetyContentError, match="used already"):
        RuleSet.load(folder, rule_files(folder, CATEGORIES), load_spellings(folder / "spellings.yml"))
