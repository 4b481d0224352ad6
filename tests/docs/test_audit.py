"""The audit counts what nobody accepted and what could not be looked up."""

from __future__ import annotations

from pathlib import Path

from tools.audit import ACCEPTED, accepted, judge


def test_findings_that_are_not_accepted_and_packages_not_looked_up_count() -> None:
    report = {
        "dependencies": [
            {"name": "old", "version": "1", "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1-1"], "fix_versions": ["2"]}, {"id": "CVE-1-2", "fix_versions": []}]},
            {"name": "unknown", "skip_reason": "not found"},
            {"name": "fine", "version": "3", "vulns": []},
            {"name": "ketamine-guide", "skip_reason": "not found"},
        ]
    }
    found, unseen = judge(report, {"CVE-1-1"})
    assert found == ["old 1: CVE-1-2, mended in no version"]
    assert unseen == ["unknown"]


def test_every_accepted_finding_says_where_and_why() -> None:
    text = Path(ACCEPTED).read_text("utf-8")
    known = accepted(text)
    assert "CVE-2024-49375" in known
    for line in text.splitlines():
        if line.startswith("| `CVE"):
            assert all(len(cell.strip()) > 10 for cell in line.strip("|").split("|")), line
