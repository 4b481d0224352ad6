"""Conversations over HTTP: what the last turn leans on, and what it must not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from knowledge.schema import TOPICS
from tools.running import Server

pytestmark = pytest.mark.running

GROUPS: dict[str, list[list[str]]] = yaml.safe_load((Path(__file__).parent / "dialogues.yml").read_text("utf-8"))
# these must never fail; of the others, which hang on what the search finds, nine in ten must hold
STRICT = ("about the answer", "safety and advice go by the message", "nothing before it")


def replies(server: Server, turns: list[str], language: str) -> list[dict[str, Any]]:
    conversation = server.start(language=language)
    return [server.say(conversation, turn) for turn in turns]


def right(said: list[dict[str, Any]], wanted: str) -> bool:
    last = said[-1]
    topics = {s["topic"] for s in last["statements"]}
    if wanted == "same":
        return last["kind"] == "answer" and {s["topic"] for s in said[-2]["statements"]} >= {last["statements"][0]["topic"]}
    if wanted in ("abstain", "clarify", "decline", "smalltalk"):
        return bool(last["kind"] == wanted or (wanted == "clarify" and last["kind"] == "abstain"))
    return last["kind"] == "answer" and bool(topics & set(wanted.split()))


def wrong(server: Server, group: str) -> list[str]:
    def one(case: list[str]) -> str | None:
        said = replies(server, case[:-1], "es" if group == "Spanish" else "en")
        return None if right(said, case[-1]) else f"{case} → {said[-1]['kind']} {[s['topic'] for s in said[-1]['statements']]}"

    with ThreadPoolExecutor(3) as pool:
        return [w for w in pool.map(one, GROUPS[group]) if w]


def test_the_file_names_topics_and_kinds_only() -> None:
    kinds = {"same", "abstain", "clarify", "decline", "smalltalk"}
    assert all(set(case[-1].split()) <= kinds | set(TOPICS) for cases in GROUPS.values() for case in cases)
    assert sum(len(cases) for cases in GROUPS.values()) >= 80


@pytest.mark.parametrize("group", STRICT)
def test_what_depends_on_the_conversation_alone_always_holds(server: Server, group: str) -> None:
    assert wrong(server, group) == []


def test_nine_in_ten_follow_ups_are_answered_on_their_topic(server: Server) -> None:
    groups = [g for g in GROUPS if g not in STRICT]
    failed = [w for g in groups for w in wrong(server, g)]
    assert len(failed) <= 0.1 * sum(len(GROUPS[g]) for g in groups), "\n".join(failed)
