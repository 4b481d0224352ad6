"""Replies to somebody who may be in danger, and what stays under the replies that follow."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

from knowledge.answer import Answerer, Reply, Setting
from knowledge.content import Content
from knowledge.decision import Decision
from knowledge.safety.screen import Finding
from knowledge.safety.watch import Watch, Watched

SOON_SHOWN = 2


class Urgent:
    """Makes urgent replies and adds notices of danger.

    Args:
        watch: How long danger lasts, and which messages prolong it.
        answerer: Whose contacts and wording are used.
    """

    def __init__(self, watch: Watch, answerer: Answerer):
        self._watch = watch
        self._answerer = answerer
        self._say = answerer.say.urgent

    @classmethod
    def load(cls, root: Path, answerer: Answerer) -> Urgent:
        """Read the watch's word lists from a content folder."""
        return cls(Watch.load(root / "safety" / "watch.yml"), answerer)

    def step(self, state: dict[str, Any] | None, finding: Finding, text: str) -> Watched:
        """What a message means for a conversation that may be watched."""
        return self._watch.step(state, finding, text, time.time())

    def reply(self, watched: Watched, finding: Finding, setting: Setting, channel: str) -> Reply:
        """The urgent reply: contacts first, short words in the language of the rule that fired, the number again in the other."""
        state = watched.state or {}
        category = finding.category or state["category"]
        language = finding.language if finding.urgent and finding.language in ("en", "es") else state.get("language", setting.language)
        subject = finding.subject if finding.urgent else state.get("subject", "self")
        told = Setting(language, setting.region, setting.clinic_contact)
        reply = self._answerer.blank("urgent", told)
        reply["urgent"] = {"category": category}
        danger, minor = bool(state.get("danger_signs", finding.danger_signs)), bool(state.get("minor", finding.minor))
        reply["contacts"] = self._contacts(category, told, danger, minor)
        lines = [
            self._say.kiosk(language) if channel == "kiosk" else "",
            self._say.repeat(category, language, watched.variant)
            if watched.short
            else self._say.lead(category, language, subject, watched.variant),
            self._say.minor(language) if minor else "",
            "" if watched.short else self._say.closing(language, setting.region),
            self._other_language(category, language, setting.region, danger),
        ]
        reply["lead"] = " ".join(line for line in lines if line)
        return self._answerer.finish(reply)

    def safe_now(self, watched: Watched, setting: Setting) -> Reply:
        """Thanks to somebody who says they are safe; the contacts stay once more."""
        state = watched.state or {}
        language = state.get("language", setting.language)
        told = Setting(language, setting.region, setting.clinic_contact)
        reply = self._answerer.blank("smalltalk", told)
        reply["lead"] = self._say.safe_now(language)
        self._still(reply, state, told)
        return self._answerer.finish(reply)

    def add_notices(self, reply: Reply, finding: Finding, watched: Watched, setting: Setting) -> None:
        """Put notices of danger first under a reply."""
        notices: list[dict[str, Any]] = []
        if watched.contacts and watched.state:
            self._still(reply, watched.state, setting)
        if "see_clinician_soon" in finding.notices:
            contacts = [*([setting.clinic_contact] if setting.clinic_contact else []), self._answerer.contacts.emergency(setting.region, setting.language)]
            notices.append(self._answerer.notice("see_clinician_soon", setting.language, contacts))
        if "low_mood" in finding.notices:
            contacts = self._answerer.contacts.crisis_lines(setting.region, setting.language)
            notices.append(self._answerer.notice("low_mood", setting.language, contacts))
        reply["notices"] = [*notices, *reply["notices"]]

    @staticmethod
    def soon_decision(decision: Decision, finding: Finding, content: Content) -> Decision:
        """The sourced statements on the risk that a symptom belongs to, before what the dialogue found of that topic."""
        topics = set(finding.soon_topics)
        found = [(i, s) for i, s in decision.statements if i in content.statements and content.statements[i].topic in topics]
        bottom = [(s.id, 0.0) for s in content.statements.values() if s.topic in topics and s.bottom_line]
        shown = tuple(dict([*bottom, *found]).items())[:SOON_SHOWN] or decision.statements
        if not shown:
            return decision
        topic = content.statements[shown[0][0]].topic
        return Decision("answer", statements=shown, topic=topic, suggestions=decision.suggestions, build=decision.build, debug=decision.debug)

    # -- parts -------------------------------------------------------------------------------------------------------

    def _contacts(self, category: str, setting: Setting, danger: bool, minor: bool) -> list[dict[str, Any]]:
        now = dt.datetime.now(dt.UTC)
        contacts = self._answerer.contacts.for_category(category, setting.region, setting.language, danger, minor=minor, at=now)
        if category == "postinfusion_emergency" and setting.clinic_contact:
            contacts = [contacts[0], setting.clinic_contact, *contacts[1:]]
        return contacts

    def _other_language(self, category: str, language: str, region: str, danger: bool) -> str:
        other = "en" if language == "es" else "es"
        contacts = self._answerer.contacts.for_category(category, region, other, danger)
        return self._say.second_language_line(other, contacts)

    def _still(self, reply: Reply, state: dict[str, Any], setting: Setting) -> None:
        """The notice `still_in_danger`, with the contacts of the danger told before."""
        contacts = self._contacts(state.get("category", "medical_emergency"), setting, bool(state.get("danger_signs")), bool(state.get("minor")))
        reply["contacts"] = contacts
        reply["notices"] = [self._answerer.notice("still_in_danger", setting.language, contacts), *reply["notices"]]
