"""Every check has a broken file that makes it fail; each is found with file, line, field and mend."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from knowledge.check import check
from knowledge.errors import ContentError, Problem
from knowledge.schema import TOPICS

if TYPE_CHECKING:
    from conftest import Broken, Folder

BROKEN = Path(__file__).parent / "broken"


def test_the_base_folder_keeps_every_rule(folder: Folder, twins: Callable[[float], Any]) -> None:
    """Without this, no broken file proves anything."""
    report = folder.report(twins(0.0))
    assert report.problems == []
    assert set(report.per_topic) == set(TOPICS)
    assert report.figures["topics without bottom line"] == 0
    assert report.figures["statements without fact link"] == 0


def test_broken_file_is_found_alone(folder: Folder, broken_file: Broken, twins: Callable[[float], Any]) -> None:
    """Exactly the problem that the file holds, at its place, with its mend."""
    expected = folder.lay(broken_file)
    assert expected, f"{broken_file.name} says not what it expects"
    found = folder.problems(None if broken_file.twins is None else twins(broken_file.twins))
    assert [str(p) for p in found if not any(e.matches(p) for e in expected)] == []
    assert len(found) == len(expected), "\n".join(map(str, found)) or "nothing was found"
    assert all(p.mend.strip() and p.message.strip() for p in found)


def test_every_wording_pattern_has_a_broken_file(
    make_folder: Callable[..., Folder], broken: Callable[[str], Broken]
) -> None:
    """A pattern added to wording/checks.yml asks for a broken file."""
    messages = ""
    for path in sorted(BROKEN.glob("*.yml")):
        if path.stem.startswith(("forbidden_", "dose_", "certainty_")):
            folder = make_folder(path.stem)
            folder.lay(broken(path.stem))
            messages += "\n".join(p.message for p in folder.problems())
    rules = yaml.safe_load(make_folder("rules").path("wording/checks.yml").read_text("utf-8"))
    patterns = [d["pattern"] for entries in rules["never_in_a_statement"].values() for d in entries] + rules[
        "dose_patterns"
    ]
    assert [p for p in patterns if f"({p})" not in messages] == []
    levels = [level for by_level in rules["certainty_verbs"].values() for level in by_level]
    assert [level for level in levels if f"contradicts '{level}'" not in messages] == []


@pytest.mark.parametrize(("changes", "expected"), [({"conflicts": True}, 0), ({"regions": True}, 0), ({}, 1)])
def test_near_duplicates_may_be_linked_or_of_other_regions(
    folder: Folder, twins: Callable[[float], Any], changes: dict[str, bool], expected: int
) -> None:
    """The near-duplicate rule lets go what is linked or holds elsewhere."""
    first: dict[str, Any] = folder.statement("twin-one", "Nobody looked at the twin.")
    second: dict[str, Any] = folder.statement("twin-two", "No one looked at the twin.")
    if "conflicts" in changes:
        first["conflicts"], second["conflicts"] = ["twin-two"], ["twin-one"]
    if "regions" in changes:
        first["regions"], second["regions"] = ["US"], ["GB"]
    folder.add(first, second)
    assert len(folder.problems(twins(0.95))) == expected


def test_near_duplicates_below_the_limit_pass(folder: Folder, twins: Callable[[float], Any]) -> None:
    """0.93 is the limit of wording/checks.yml."""
    folder.add(folder.statement("twin-one", "We saw a twin."), folder.statement("twin-two", "We met a twin."))
    assert folder.problems(twins(0.92)) == []
    assert len(folder.problems(twins(0.94))) == 1


def test_dose_exceptions_are_honoured(folder: Folder) -> None:
    """A reviewed exception silences the dose rule for its statement only."""
    folder.add(folder.statement("dose-one", "They gave 60 mg."), folder.statement("dose-two", "They gave 12 mg."))
    rules = folder.read("wording/checks.yml")
    rules["dose_exceptions"] = ["dose-one"]
    folder.write("wording/checks.yml", rules)
    report = folder.report()
    assert [p.field for p in report.problems] == ["dose-two.text.en"]
    assert report.figures["dose patterns"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "The trial had 60 people.",
        "In 1 trial, 60 people took part.",
        "It ran for 12 weeks in 2019.",
        "It ran for 12.0 weeks.",
        "A year has 1,000 days here.",
    ],
)
def test_numbers_of_the_fact_and_its_source_pass(folder: Folder, text: str) -> None:
    """Digits, number words and thousands marks of the fact, and its source's year."""
    evidence = folder.read("evidence/base.yml")
    evidence["facts"][0]["notes"] = "A thousand days."
    folder.write("evidence/base.yml", evidence)
    folder.add(folder.statement("numbers", text))
    assert folder.problems() == []


@pytest.mark.parametrize("kind", ["study", "guidance", "practice", "unknown"])
def test_verbs_are_held_to_the_table_for_effects_only(folder: Folder, kind: str) -> None:
    """What a guideline says keeps its own verb, graded or not."""
    entry = folder.statement(
        "said", "The panel backs it.", kind=kind, certainty="low", certainty_by="base rater", facts=["fact-low"]
    )  # fmt: skip
    folder.add(entry)
    assert folder.problems() == []


def test_terms_are_left_out_of_the_grade(folder: Folder) -> None:
    """An unavoidable term and its other forms count as one short word."""
    folder.add(folder.statement("hard", "Multidisciplinary rehabilitation is good."))
    assert [p.message[:13] for p in folder.problems()] == ["reading grade"]
    forms = {"en": ["multidisciplinary rehabilitation"]}
    terms = [{"term": {"en": "team care"}, "forms": forms, "plain": {"en": "Care by a team."}}]
    folder.write("terms.yml", folder.read("terms.yml") + terms)
    assert folder.problems() == []


def test_median_grade_and_mean_sentence_have_limits(folder: Folder) -> None:
    """Each text may pass while the whole is too hard."""
    hard = "We saw that patients in all of these many places often had very little relief of pain after."
    for path in sorted(folder.path("statements").glob("*.yml")):
        if path.stem != "efficacy.general":
            path.write_text(re.sub(r"Nobody looked at part \w+ yet\.", hard, path.read_text("utf-8")), "utf-8")
    messages = sorted((p.message, p.mend) for p in folder.problems())
    assert [m[:4] for m, _ in messages] == ["mean", "medi"], messages
    assert [mend for _, mend in messages] == ["15.0 at most", "6.0 at most"]


@pytest.mark.parametrize(("days", "expected"), [(0, 0), (1, 1)])
def test_review_is_due_until_the_end_of_the_day(folder: Folder, days: int, expected: int) -> None:
    """On the day itself the review still holds."""
    entry = folder.statement("dated") | {
        "last_reviewed": folder.now - dt.timedelta(days=90), "review_by": folder.now - dt.timedelta(days=days)
    }  # fmt: skip
    folder.add(entry)
    assert len(folder.problems()) == expected


def test_figures_add_up(folder: Folder, broken: Callable[[str], Broken]) -> None:
    """Usable = used + accounted for; held and seed facts are not usable."""
    folder.lay(broken("fact_unused"))
    before = folder.report()
    assert before.figures["usable facts"] == before.figures["usable facts used"] + 1
    folder.write("unused_facts.yml", [{"id": "broken-one", "why": "not for patients"}])
    after = folder.report()
    assert after.problems == []
    assert (
        after.figures["usable facts"]
        == after.figures["usable facts used"] + after.figures["usable facts accounted for"]
    )
    assert after.figures["usable facts"] == 8
    assert after.figures["disagreements"] == 1
    assert after.figures["statements"] == sum(after.per_topic.values()) == len(TOPICS) + 6
    assert after.figures["phrasings"] == 4 * after.figures["statements"]
    assert after.figures["statements by language"] == {"en": after.figures["statements"]}


def test_problems_of_the_safety_room_are_reported(folder: Folder, safety_room: Callable[..., None]) -> None:
    """The safety rules are part of the same run."""
    planted = Problem("safety/lists_en.yml", 3, "overdose", "planted", "take it out")
    safety_room([planted])
    _, report = check(folder.root, now=folder.now)
    assert planted in report.problems


def test_a_broken_safety_room_is_not_passed_over(folder: Folder, safety_room: Callable[..., None]) -> None:
    """A safety room that cannot be imported must never look like one without problems."""
    safety_room(None)
    try:
        _, report = check(folder.root, now=folder.now)
    except ImportError:
        return
    assert [p for p in report.problems if "safety" in p.file]


def test_several_kinds_of_problem_come_in_one_run(
    folder: Folder, broken: Callable[[str], Broken], safety_room: Callable[..., None]
) -> None:
    """What cannot be read hides nothing of what breaks a rule."""
    safety_room()
    names = [
        "yaml_broken",
        "unknown_topic",
        "missing_source",
        "duplicate_id",
        "review_expired",
        "certainty_low_contradicted",
    ]
    letters = itertools.islice("abcdef", len(names))
    expected = [e for name, tag in zip(names, letters, strict=True) for e in folder.lay(broken(name), tag)]
    with_rules: list[Problem] = []
    try:
        _, report = check(folder.root, now=folder.now)
        with_rules = report.problems
    except ContentError as error:
        with_rules = list(error.problems)
    missing = [e for e in expected if not any(e.matches(p) for p in with_rules)]
    assert missing == []
