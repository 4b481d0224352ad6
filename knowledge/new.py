"""`python -m knowledge new`: asks for a statement, writes its YAML into its topic's file, checks it, keeps it only if it passes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import yaml

from knowledge.check import Checker
from knowledge.content import Content, today
from knowledge.errors import ContentError
from knowledge.schema import TOPICS, ClaimKind

Ask = Callable[[str], str]
REVIEW_AFTER = dt.timedelta(days=365)


def interview(root: Path, ask: Ask = input, say: Callable[[str], None] = print) -> int:
    """Ask, write, check; returns the exit code.

    The file is put back as it was when the new statement breaks a rule.
    """
    content = Content.load(root)
    say("A new statement. Leave an answer empty to end a list; Ctrl-C leaves without writing.")
    entry: dict[str, object] = {}
    entry["id"] = _until(ask, say, "Short id (like crps-relief-weeks): ", lambda v: bool(re.fullmatch(r"[a-z0-9][a-z0-9-]{2,80}", v)) and v not in content.statements, "lower case, digits and hyphens; not used yet")  # fmt: skip
    topic = _until(ask, say, "Topic: ", lambda v: v in TOPICS, "one of: " + ", ".join(TOPICS))
    entry["kind"] = _until(ask, say, f"Kind ({', '.join(get_args(ClaimKind))}): ", lambda v: v in get_args(ClaimKind), "one of those words")
    entry["text"] = {"en": _until(ask, say, "The statement, as patients read it: ", bool, "it cannot be empty")}
    facts = _many(ask, say, "Evidence fact id: ", lambda v: v in content.facts and content.facts[v].display in ("core", "supporting"), "an id in evidence/*.yml that may be shown")
    entry["facts"] = facts
    graded = {(content.facts[f].certainty, content.facts[f].certainty_by) for f in facts if content.facts[f].certainty != "not_graded"}
    if graded:
        level, by = sorted(graded, key=str)[0]
        if ask(f"Its evidence was rated {level} by {by}. Does the statement tell that effect? (y/n) ").strip().lower() == "y":
            entry["certainty"], entry["certainty_by"] = level, by
    sources = list(dict.fromkeys(s for f in facts for s in content.facts[f].source_ids()))
    entry["sources"] = []
    for source in sources:
        locator = ask(f"Where in {source} ({content.sources[source].title[:60]})? ").strip() or next((content.facts[f].locator for f in facts if content.facts[f].locator), None) or "whole text"
        entry["sources"].append({"id": source, "locator": locator})  # type: ignore[attr-defined]
    for kind in ("conditions", "medicines", "routes", "aspects"):
        known = {e.id for e in getattr(content.lexicon, kind)}
        chosen = [v for v in re.split(r"[,\s]+", ask(f"{kind.capitalize()} it concerns ({', '.join(sorted(known))}): ").strip()) if v in known]
        if chosen:
            entry[kind] = chosen
    regions = [v for v in re.split(r"[,\s]+", ask("Countries it holds in only (US CA GB IE AU ES EU; empty = everywhere): ").strip().upper()) if v]
    if regions:
        entry["regions"] = regions
    entry["phrasings"] = {"en": _many(ask, say, "A way a patient asks this (4 at least): ", bool, "")}
    day = today()
    entry["last_reviewed"], entry["review_by"] = day, day + REVIEW_AFTER
    return _write(root, topic, entry, say)


def _write(root: Path, topic: str, entry: dict[str, object], say: Callable[[str], None]) -> int:
    path = root / "statements" / f"{topic}.yml"
    before = path.read_text("utf-8") if path.exists() else None
    day = today()
    text = before or f"topic: {topic}\nlast_reviewed: {day}\nreview_by: {day + REVIEW_AFTER}\nstatements:\n"
    item = yaml.safe_dump([entry], allow_unicode=True, sort_keys=False, width=110)
    path.write_text(text.rstrip("\n") + "\n" + item, "utf-8")
    try:
        problems = [p for p in Checker(Content.load(root), root).run().problems if str(entry["id"]) in p.field]
    except ContentError as error:
        problems = list(error.problems)
    if not problems:
        say(f"Written to {path.relative_to(root)} and checked. A clinician signs it with `python -m knowledge sign`.")
        return 0
    if before is None:
        path.unlink()
    else:
        path.write_text(before, "utf-8")
    draft = root.parent / f"{entry['id']}.draft.yml"
    draft.write_text(item, "utf-8")
    say(f"Not added: {len(problems)} problem(s). Your draft is in {draft.name}; mend it and paste it into {path.relative_to(root)}.")
    for problem in problems:
        say(str(problem))
    return 1


def _until(ask: Ask, say: Callable[[str], None], question: str, good: Callable[[str], object], hint: str) -> str:
    while True:
        value = ask(question).strip()
        if good(value):
            return value
        say(f"  {hint}")


def _many(ask: Ask, say: Callable[[str], None], question: str, good: Callable[[str], object], hint: str) -> list[str]:
    values: list[str] = []
    while True:
        value = ask(question).strip()
        if not value and values:
            return values
        if value and good(value):
            values.append(value)
        else:
            say(f"  {hint or 'at least one is needed'}")
