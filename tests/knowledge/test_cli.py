"""`python -m knowledge --content DIR check`, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from knowledge.__main__ import main
from knowledge.schema import TOPICS

if TYPE_CHECKING:
    from conftest import Broken, Folder

READING = [
    "yaml_broken",
    "unknown_topic",
    "unknown_field",
    "no_locator",
    "bad_doi",
    "not_utf8",
    "duplicate_id",
    "signature_not_a_hash",
]
RULES = [
    "missing_source", "unknown_fact", "hold_fact", "review_expired", "certainty_low_contradicted", "number_not_in_fact",
    "dose_amount", "forbidden_promise", "sentence_too_long", "phrasings_too_few", "conflict_not_symmetric",
    "clinician_line_too_long", "disagreement_unknown_statement", "fact_unused",
]  # fmt: skip
NAMED_FIRST = [
    "yaml_broken",
    "unknown_topic",
    "missing_source",
    "duplicate_id",
    "review_expired",
    "certainty_low_contradicted",
]


@pytest.mark.parametrize("names", [READING, RULES, NAMED_FIRST], ids=["reading", "rules", "first"])
def test_all_of_several_problems_in_one_run(folder: Folder, broken: Callable[[str], Broken], names: list[str]) -> None:
    """Exit code 1, one line a problem, nothing left for a second run, no traceback."""
    expected = [e for i, name in enumerate(names) for e in folder.lay(broken(name), tag=chr(ord("a") + i))]
    done = folder.cli("check", "--fast")
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    missing = [
        e for e in expected
        if not any(x.startswith(f"{e.file}:{e.line}: {e.field}: ") and e.message in x and e.mend in x for x in lines)
    ]  # fmt: skip
    assert missing == [], done.stderr


@pytest.fixture
def no_safety_problems(safety_room: Callable[..., None]) -> None:
    """The safety room has its own tests; here it finds nothing."""
    safety_room()


@pytest.mark.usefixtures("no_safety_problems")
def test_valid_content_passes(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, counts for every topic, every figure the issue asks for."""
    assert main(["--content", str(folder.root), "check", "--fast"]) == 0
    out, error = capsys.readouterr()
    assert error == ""
    assert out.splitlines()[-1] == "0 problem(s)"
    printed = dict(line.split()[:2] for line in out.splitlines() if line.startswith("  "))
    assert printed == {topic: "7" if topic == "efficacy.general" else "1" for topic in TOPICS}
    for figure in ("usable facts", "usable facts used", "usable facts accounted for", "statements", "phrasings",
                   "topics without bottom line", "statements without fact link", "median grade", "maximum grade",
                   "mean sentence (words)", "dose patterns", "disagreements"):  # fmt: skip
        assert f"\n{figure}: " in f"\n{out}"


@pytest.mark.usefixtures("no_safety_problems")
def test_the_count_of_problems_is_printed(
    folder: Folder, broken: Callable[[str], Broken], capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line says how many."""
    folder.lay(broken("missing_source"), "a")
    folder.lay(broken("unknown_fact"), "b")
    assert main(["--content", str(folder.root), "check", "--fast"]) == 1
    out, error = capsys.readouterr()
    assert out.splitlines()[-1] == "2 problem(s)"
    assert len(error.splitlines()) == 2


def test_a_folder_that_is_not_there(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    """One clear line, exit code not 0."""
    assert main(["--content", str(folder.root / "nowhere"), "check", "--fast"]) == 1
    assert [line for line in capsys.readouterr().err.splitlines() if "nowhere" in line and "Mend: " in line]


def test_wording_rules_that_are_not_whole(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    """A key missing from wording/checks.yml is named, not a traceback."""
    rules = folder.read("wording/checks.yml")
    del rules["dose_patterns"]
    folder.write("wording/checks.yml", rules)
    assert main(["--content", str(folder.root), "check", "--fast"]) == 1
    error = capsys.readouterr().err
    assert "wording/checks.yml" in error
    assert "dose_patterns" in error


@pytest.mark.usefixtures("no_safety_problems")
def test_near_duplicates_are_compared_unless_fast(
    folder: Folder,
    broken: Callable[[str], Broken],
    twins: Callable[[float], Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The command line compares meanings too (here with a stand-in for the encoder)."""
    monkeypatch.setattr("knowledge.__main__._embedder", lambda builds: twins(0.95))
    (expected,) = folder.lay(broken("near_duplicate"))
    assert main(["--content", str(folder.root), "check"]) == 1
    error = capsys.readouterr().err
    assert f"{expected.file}:{expected.line}: {expected.field}: {expected.message}" in error
    assert main(["--content", str(folder.root), "check", "--fast"]) == 0


def test_a_command_is_needed(folder: Folder) -> None:
    """Without a command: usage, exit code 2."""
    assert folder.cli().returncode == 2
