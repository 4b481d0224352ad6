"""Decision to Reply: the only place where a reply's words are put together, for every channel and every failure.

The Reply is a plain dictionary in the shape of the public contract (docs/contract.md).
"""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ulid import ULID

from knowledge.contacts import Contacts
from knowledge.content import Content, read_yaml
from knowledge.decision import Decision
from knowledge.safety.wording import UrgentWording
from knowledge.schema import Cited, Source, Statement
from knowledge.sign import Signatures

Reply = dict[str, Any]
_DANGER_NOTICES = ("notice_low_mood", "notice_see_clinician_soon", "notice_still_in_danger")
RANK = {"secondary": 0, "abstract": 1, "full_text": 2}
LANGUAGES = ("en", "es")
GLOSSARY_LIMIT = 8
COUNTRIES = {
    "US": {"en": "the United States", "es": "Estados Unidos"},
    "CA": {"en": "Canada", "es": "Canadá"},
    "GB": {"en": "the United Kingdom", "es": "el Reino Unido"},
    "IE": {"en": "Ireland", "es": "Irlanda"},
    "AU": {"en": "Australia", "es": "Australia"},
    "ES": {"en": "Spain", "es": "España"},
    "EU": {"en": "the European Union", "es": "la Unión Europea"},
}


@dataclass(frozen=True)
class Setting:
    """Who is asking, as far as a reply needs to know.

    Attributes:
        language: "en" or "es".
        region: One of the contract's regions.
        clinic_contact: The clinic's own contact in the contract's shape, or None.
    """

    language: str = "en"
    region: str = "US"
    clinic_contact: dict[str, Any] | None = None


class Wording:
    """The sentences of replies: wording/replies.yml, and wording/urgent.yml for notices of danger and declines."""

    def __init__(self, root: Path):
        self._lines: dict[str, dict[str, str]] = read_yaml(root / "wording" / "replies.yml", root)
        self.urgent = UrgentWording.load(root)

    def __call__(self, key: str, language: str) -> str:
        if key.startswith("decline_"):
            return self.urgent.decline(key.removeprefix("decline_"), language)
        if key in _DANGER_NOTICES:
            return self.urgent.notice(key.removeprefix("notice_"), language)
        return said(self._lines[key], language)


class Answerer:
    """Turns decisions into replies.

    Args:
        content: Checked content.
        wording: Interface sentences.
        contacts: Emergency and crisis contacts.
        version: Hash of the build, the reply's `knowledge_version`.
    """

    def __init__(self, content: Content, wording: Wording, contacts: Contacts, version: str):
        self.content = content
        self.say = wording
        self.contacts = contacts
        self.version = version
        self.signatures = Signatures(content)
        self._terms = {language: _term_pattern(content, language) for language in LANGUAGES}
        # the texts are few and always the same; looking for all terms in one takes a millisecond
        self._terms_in = lru_cache(maxsize=4096)(self._find_terms)

    # -- replies -----------------------------------------------------------------------------------------------------

    def reply(self, decision: Decision, setting: Setting) -> Reply:
        """The reply a decision stands for.

        Ids that this build does not hold are left out; when none is left of an answer, the reply is `unavailable`,
        as for a part that is down: the dialogue then runs on another build.
        """
        language = setting.language
        shown = [self.content.statements[i] for i, _ in decision.statements if i in self.content.statements]
        if decision.kind == "answer" and not shown:
            return self.unavailable("down", setting)
        cites = _Citations(self.content)
        reply = self._base(decision.kind, setting)
        reply["reason"] = decision.reason
        reply["lead"] = self.say(decision.lead, language) if decision.lead else self._lead(decision, language)
        reply["statements"] = [self._statement(s, language, cites) for s in shown]
        if decision.disagreement in self.content.disagreements:
            reply["disagreement"] = self._disagreement(str(decision.disagreement), language, cites)
        reply["citations"] = cites.entries
        reply["notices"] = self._notices(shown, decision, setting)
        if decision.reason == "language":
            reply["contacts"] = self.contacts.general(setting.region, language)
        topic = self.content.topics.get(decision.topic or "")
        if topic is not None:
            line = topic.clinician_decline if decision.kind == "decline" else topic.clinician
            reply["clinician"] = said(line, language)
        reply["glossary"] = self._glossary(reply, language)
        reply["legend"] = {c: self._legend(c, by, language) for c, by in _certainties(reply)}
        reply["suggestions"] = [
            said(self.content.topics[t].suggestion, language)
            for t in decision.suggestions
            if t in self.content.topics
        ]
        return self.finish(reply)

    def unavailable(self, reason: str, setting: Setting) -> Reply:
        """The reply when a part behind the web server is down (`down`), slow (`timeout`) or paused (`paused`)."""
        reply = self._base("unavailable", setting)
        reply["reason"] = reason
        reply["lead"] = self.say(f"unavailable_{reason}", setting.language)
        reply["contacts"] = self.contacts.general(setting.region, setting.language)
        return self.finish(reply)

    def greeting(self, setting: Setting) -> Reply:
        """The first reply of a conversation."""
        openers = ("efficacy.general", "risk.general", "practical.what_happens")
        reply = self.reply(Decision("smalltalk", lead="greeting", suggestions=openers), setting)
        reply["notices"] = [self.notice("not_reviewed", setting.language)] if not self.signatures.all_signed else []
        return self.finish(reply)

    def blank(self, kind: str, setting: Setting) -> Reply:
        """A reply with every field and nothing in it but the general clinician line, for `web` to fill."""
        return self._base(kind, setting)

    def finish(self, reply: Reply) -> Reply:
        """Write the plain-text form; call again after any change."""
        reply["text"] = plain_text(reply, self.say)
        return reply

    def notice(self, kind: str, language: str, contacts: Sequence[dict[str, Any]] = (), **values: str) -> dict[str, Any]:
        """A notice of the contract."""
        return {"kind": kind, "text": self.say(f"notice_{kind}", language).format(**values), "contacts": list(contacts)}

    def source(self, source_id: str) -> dict[str, Any] | None:
        """A Source of the contract, or None when there is none of that id."""
        source = self.content.sources.get(source_id)
        if source is None:
            return None
        entry = _source_fields(source)
        entry.update(
            read_as=source.read_as,
            read_at=source.read_at,
            scope=source.scope,
            caution=source.caution,
            seen_at=source.read_at,
            statements=[s.id for s in self.content.statements.values() if any(c.id == source_id for c in s.sources)],
        )
        return entry

    # -- parts -------------------------------------------------------------------------------------------------------

    def _base(self, kind: str, setting: Setting) -> Reply:
        return {
            "reply_id": f"r_{ULID()}",
            "kind": kind,
            "reason": None,
            "language": setting.language,
            "lead": None,
            "statements": [],
            "citations": [],
            "disagreement": None,
            "notices": [],
            "urgent": None,
            "contacts": [],
            "clinician": self.say("clinician_general", setting.language),
            "glossary": [],
            "legend": {},
            "suggestions": [],
            "knowledge_version": self.version,
            "text": "",
        }

    def _lead(self, decision: Decision, language: str) -> str | None:
        if decision.kind == "decline":
            return self.say(f"decline_{decision.reason}", language)
        return None

    def _statement(self, s: Statement, language: str, cites: _Citations) -> dict[str, Any]:
        return {
            "id": s.id,
            "topic": s.topic,
            "text": said(s.text, language),
            "certainty": s.certainty,
            "certainty_by": s.certainty_by,
            "last_reviewed": s.last_reviewed.isoformat(),
            "review": self.signatures.review(s),
            "citations": cites.add(s.sources, s.facts),
        }

    def _disagreement(self, disagreement_id: str, language: str, cites: _Citations) -> dict[str, Any]:
        d = self.content.disagreements[disagreement_id]
        return {
            "summary": said(d.summary, language),
            "positions": [
                {
                    "claim": said(p.claim, language),
                    "certainty": p.certainty,
                    "certainty_by": p.certainty_by,
                    "citations": cites.add(p.sources, p.facts),
                }
                for p in d.positions
            ],
            "why": said(d.why, language),
        }

    def _notices(self, shown: Sequence[Statement], decision: Decision, setting: Setting) -> list[dict[str, Any]]:
        language = setting.language
        notices = []
        if any(language not in s.text for s in shown):
            notices.append(self.notice("language", language))
        foreign = [r for s in shown for r in s.regions if s.regions and setting.region not in s.regions]
        if foreign:
            country = COUNTRIES[foreign[0]][language]
            notices.append(self.notice("outside_region", language, country=country))
        if any(self.signatures.review(s)["state"] != "signed" for s in shown):
            notices.append(self.notice("not_reviewed", language))
        return notices

    def _glossary(self, reply: Reply, language: str) -> list[dict[str, str]]:
        texts = [s["text"] for s in reply["statements"]]
        if reply["disagreement"]:
            texts += [p["claim"] for p in reply["disagreement"]["positions"]]
        # statements without Spanish text stand in English: their terms are looked up in both
        found = dict.fromkeys(i for lang in dict.fromkeys((language, "en")) for text in texts for i in self._terms_in(text, lang))
        entries = [self.content.terms[i] for i in found][:GLOSSARY_LIMIT]
        return [
            {"term": said(t.term, language), "plain": said(t.plain, language)}
            for t in entries
        ]

    def _find_terms(self, text: str, language: str) -> tuple[int, ...]:
        """Positions in `content.terms` of the terms in a text, in order of appearance."""
        pattern, owner = self._terms[language]
        return tuple(dict.fromkeys(owner[match.group(1).lower()] for match in pattern.finditer(text)))

    def _legend(self, certainty: str, by: str | None, language: str) -> str:
        line = self.say(f"legend_{certainty}", language)
        return f"{line} {self.say('legend_consensus', language)}" if by and "consensus" in by else line


class _Citations:
    """Numbers sources in the order in which they are first cited; one number a source."""

    def __init__(self, content: Content):
        self.content = content
        self.entries: list[dict[str, Any]] = []
        self._number: dict[str, int] = {}

    def add(self, cited: Sequence[Cited], facts: Iterable[str]) -> list[int]:
        numbers = []
        for c in cited:
            source = self.content.sources[c.id]
            read_as, read_at = self._read(source, facts)
            if c.id not in self._number:
                self._number[c.id] = len(self.entries) + 1
                entry = {"number": len(self.entries) + 1, **_source_fields(source), "locator": c.locator}
                entry |= {"read_as": read_as, "read_at": read_at}
                self.entries.append(entry)
            else:
                entry = self.entries[self._number[c.id] - 1]
                if c.locator not in entry["locator"]:
                    entry["locator"] += f"; {c.locator}"
                if RANK[read_as] < RANK[entry["read_as"]]:
                    entry |= {"read_as": read_as, "read_at": read_at}
            if self._number[c.id] not in numbers:
                numbers.append(self._number[c.id])
        return numbers

    def _read(self, source: Source, facts: Iterable[str]) -> tuple[str, str]:
        """What was read of a source for these facts: the least of it."""
        found: list[tuple[str, str]] = []
        for fact_id in facts:
            fact = self.content.facts.get(fact_id)
            for s in fact.sources if fact else ():
                if s == source.id:
                    found.append((source.read_as, source.read_at))
                elif not isinstance(s, str) and s.id == source.id:
                    found.append((s.read_as, s.read_at))
        return min(found or [(source.read_as, source.read_at)], key=lambda f: RANK[f[0]])


def _source_fields(source: Source) -> dict[str, Any]:
    return {
        "source_id": source.id,
        "title": source.title,
        "authors": source.authors,
        "publisher": source.publisher,
        "year": source.year,
        "kind": source.kind,
        "url": str(source.url) if source.url else None,
        "doi": source.doi,
    }


def said(texts: Mapping[Any, str], language: str) -> str:
    """A text in a language, in English where it has none."""
    return texts.get(language) or texts["en"]


def _certainties(reply: Reply) -> ItemsView[str, str | None]:
    found: dict[str, str | None] = {}
    positions = reply["disagreement"]["positions"] if reply["disagreement"] else []
    for entry in [*reply["statements"], *positions]:
        if not found.get(entry["certainty"]):
            found[entry["certainty"]] = entry["certainty_by"]
    return found.items()


def _term_pattern(content: Content, language: str) -> tuple[re.Pattern[str], dict[str, int]]:
    owner: dict[str, int] = {}
    for i, term in enumerate(content.terms):
        for name in [*_in(term.term, language), *(n for names in _in(term.forms, language) for n in names)]:
            if name:
                owner.setdefault(name.lower(), i)
    names = sorted(owner, key=len, reverse=True) or ["\x00"]
    return re.compile(r"(?<!\w)(" + "|".join(re.escape(n) for n in names) + r")(?!\w)", re.IGNORECASE), owner


def _in(by_language: Mapping[Any, Any], language: str) -> list[Any]:
    return [by_language[language]] if language in by_language else []


def contact_line(contact: dict[str, Any]) -> str:
    """One contact as a line of text: its words, its name, its hours."""
    ways = "; ".join(w["say"] for w in contact["ways"])
    hours = f" ({contact['hours']})" if contact.get("hours") else ""
    return f"{contact['name']}: {ways}{hours}"


def plain_text(reply: Reply, say: Wording) -> str:
    """The whole reply as plain text, in the contract's order."""
    language = reply["language"]
    blocks: list[str] = []
    if reply["contacts"]:
        blocks.append("\n".join(contact_line(c) for c in reply["contacts"]))
    if reply["lead"]:
        blocks.append(reply["lead"])
    for s in reply["statements"]:
        blocks.append(f"{s['text']} {_marks(s['citations'])}")
    if d := reply["disagreement"]:
        lines = [f"{say('heading_disagreement', language)}: {d['summary']}"]
        lines += [f"- {p['claim']} {_marks(p['citations'])}" for p in d["positions"]]
        blocks.append("\n".join([*lines, d["why"]]))
    for notice in reply["notices"]:
        blocks.append("\n".join([notice["text"], *(contact_line(c) for c in notice["contacts"])]))
    if reply["clinician"]:
        blocks.append(reply["clinician"])
    if reply["citations"]:
        lines = [say("heading_sources", language)]
        for c in reply["citations"]:
            year = f" ({c['year']})" if c["year"] else ""
            lines.append(f"[{c['number']}] {c['title']}{year} {c['url'] or c['publisher']}")
        blocks.append("\n".join(lines))
    if reply["suggestions"]:
        blocks.append("\n".join([say("heading_you_could_ask", language), *(f"- {s}" for s in reply["suggestions"])]))
    return "\n\n".join(blocks)


def _marks(numbers: Sequence[int]) -> str:
    return " ".join(f"[{n}]" for n in numbers)
