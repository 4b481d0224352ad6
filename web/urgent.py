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
from knowledge.safety.watch import Step, Watch, WatchState

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
        return cls(Watch.load(root), answerer)

    def step(self, stored: dict[str, Any] | None, finding: Finding, text: str) -> Step:
        """What a message means for a conversation that may be watched."""
        return self._watch.step(WatchState.from_json(stored), finding, text, time.time())

    def reply(self, step: Step, setting: Setting, channel: str) -> Reply:
        """The urgent reply: contacts first, short words in the language of the rule that fired, the number again in the other."""
        state = step.state
        if state is None:
            raise ValueError("an urgent step has a state")
        language, short = state.language, step.action == "urgent_again"
        told = Setting(language, setting.region, setting.clinic_contact)
        reply = self._answerer.blank("urgent", told)
        reply["urgent"] = {"category": state.category}
        reply["contacts"] = self._contacts(state, told)
        lines = [
            self._say.kiosk(language) if channel == "kiosk" else "",
            self._say.repeat(state.category, language, step.variant)
            if short
            else self._say.lead(state.category, language, state.subject, step.variant),
            self._say.minor(language) if state.minor else "",
            "" if short else self._say.closing(language, setting.region),
            self._other_language(state, setting.region),
        ]
        reply["lead"] = " ".join(line for line in lines if line)
        return self._answerer.finish(reply)

    def safe_now(self, stored: dict[str, Any] | None, setting: Setting) -> Reply:
        """Thanks to somebody who says they are safe; the contacts stay once more."""
        state = WatchState.from_json(stored)
        language = state.language if state else setting.language
        told = Setting(language, setting.region, setting.clinic_contact)
        reply = self._answerer.blank("smalltalk", told)
        reply["lead"] = self._say.safe_now(language)
        if state:
            self._still(reply, state, told)
        return self._answerer.finish(reply)

    def add_notices(self, reply: Reply, finding: Finding, step: Step, setting: Setting) -> None:
        """Put notices of danger first under a reply; somebody under 18 is also told whom to ask."""
        if finding.minor:
            reply["clinician"] = f"{reply['clinician']} {self._say.minor(setting.language)}"
        notices: list[dict[str, Any]] = []
        if step.action == "answer_with_contacts" and step.state:
            self._still(reply, step.state, setting)
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

    def _contacts(self, state: WatchState, setting: Setting) -> list[dict[str, Any]]:
        now = dt.datetime.now(dt.UTC)
        contacts = self._answerer.contacts.for_category(
            state.category, setting.region, setting.language, state.danger_signs, minor=state.minor, at=now
        )
        if state.category == "postinfusion_emergency" and setting.clinic_contact:
            contacts = [contacts[0], setting.clinic_contact, *contacts[1:]]
        return contacts

    def _other_language(self, state: WatchState, region: str) -> str:
        other = "en" if state.language == "es" else "es"
        contacts = self._answerer.contacts.for_category(state.category, region, other, state.danger_signs)
        return self._say.second_language_line(other, contacts)

    def _still(self, reply: Reply, state: WatchState, setting: Setting) -> None:
        """The notice `still_in_danger`, with the contacts of the danger told before."""
        contacts = self._contacts(state, setting)
        reply["contacts"] = contacts
        reply["notices"] = [self._answerer.notice("still_in_danger", setting.language, contacts), *reply["notices"]]
