"""What a message may mean in its conversation: the questions it could stand for, the likeliest first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from knowledge.content import Content
from knowledge.decision import Context
from knowledge.text import Namer

How = Literal["own", "composed", "anchored", "turned"]
SHORT = 12  # words; a longer message speaks for itself
# words that point at the last answer; "it" is ketamine as often as it is what was talked of
_THAT = re.compile(r"\b(that|this|these|those|eso|esto|esa|esos|ello)\b", re.IGNORECASE)
_POINTS = re.compile(_THAT.pattern + r"|\b(them|the \w+ one)\b", re.IGNORECASE)
_THEY = re.compile(r"\bthey\b", re.IGNORECASE)  # in a longer message: whoever runs the clinic
THEY_WORDS = 5
POINTING = 6  # words; a longer message tells itself what "that" is
# "that" and "those" for what was said, not "a pain that never goes"
_SAID = re.compile(r"\b(?:is|was|are|were|do|does|of|for|on|with|about|by|like|why|who|what's) (?:that|those)\b|\b(?:that|those|eso|esto)\W*$|^\W*(?:that|those)\b", re.IGNORECASE)
_IT = re.compile(r"\b(it|its|it's)\b", re.IGNORECASE)
_OPENS = re.compile(
    r"^\W*(?:(?:ok|okay|oh|hmm|right|well|thanks|vale|bueno)\W+)*"
    r"(and|an|or|but|so|also|plus|even|what about|how about|what if|same|no|not|sorry|actually|wait|i meant?|compared|why|y|pero|entonces|perdón|lo mismo|qué tal)\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"^\W*(and|or|y)\b", re.IGNORECASE)  # nobody begins with these
_AGAINST = re.compile(r"^\W*(no|not|same|compared|sorry|i meant?)\b", re.IGNORECASE)  # says more of the last subject
_ASKS = re.compile(r"^\W*(what|who|how|when|where|which|is|are|does|do|can|qu[eé]|qui[eé]n|c[oó]mo|cu[aá]ndo|cu[aá]nt[oa]s?|d[oó]nde|es|hay|se puede|sirve)\b", re.IGNORECASE)
# the aspect a topic is about: what "and fibro?" asks after an answer on that topic; the longest prefix counts
_ASPECT_OF = {
    "efficacy": "benefit", "evidence": "evidence", "mechanism": "mechanism", "regulatory": "approval", "regulatory.compounded_home": "home",
    "interaction": "interaction", "selection": "who", "selection.pregnancy": "pregnancy", "selection.age": "age", "alternatives": "alternatives",
    "risk.bladder": "bladder", "risk.liver": "liver", "risk.cardiovascular": "heart", "risk.psychological": "mind", "risk.cognitive": "memory",
    "risk.nausea": "nausea", "risk.addiction": "addiction", "risk": "risk", "practical.cost_insurance": "cost",
    "practical.duration_sessions": "duration", "practical.aftercare_driving": "driving", "practical.what_happens": "procedure",
}  # fmt: skip
# the topics that answer an aspect; what every topic has (benefit, risk, duration) is left to the search
_TOPIC_OF = {aspect: topic for topic, aspect in _ASPECT_OF.items() if aspect not in ("benefit", "risk", "duration", "evidence", "procedure")}
# nobody asks whether these help pain
_TAKEN_ALONG = frozenset(
    {"alcohol", "benzodiazepines", "maoi", "lamotrigine", "stimulants", "lithium", "thyroid_hormone", "blood_pressure_medicine", "theophylline", "cyp_medicines"}
)
# aspects that anything can have: "how long", "how risky" ask about what was talked of
_GENERIC = frozenset({"duration", "risk", "benefit", "evidence"})
# topics about a thing that has its own duration, risk and cure; after the others these words ask about the treatment
_OWN_THING = ("risk.", "interaction.", "selection.", "regulatory.compounded_home", "practical.what_happens", "practical.aftercare_driving")


@dataclass(frozen=True)
class Reading:
    """A question a message could stand for.

    Attributes:
        query: The question in full.
        how: As asked; made of the lexicon's names; tied to the last topic; or without its "and", as a new subject.
        topic: The topic it is tied to, or the first part of its name; such come first among equals.
    """

    query: str
    how: How
    topic: str | None = None


class Reader:
    """Reads messages in their conversation.

    Args:
        content: Its lexicon and topics.
        namer: Finds the lexicon's names.
    """

    def __init__(self, content: Content, namer: Namer):
        self._content = content
        self._namer = namer
        self._entries = {(kind, e.id): e for kind in ("conditions", "medicines", "routes", "aspects") for e in getattr(content.lexicon, kind)}

    def leans(self, text: str, follows: float) -> bool:
        """Whether a message may lean on the last turn.

        Args:
            text: The repaired message.
            follows: The classifier's probability that it does.
        """
        if len(text.split()) > SHORT:
            return False
        return follows >= 0.3 or bool(_OPENS.search(text) or _POINTS.search(text) or _IT.search(text)) or len(text.split()) <= 3

    def points(self, text: str) -> bool:
        """Whether a short message does no more than point at what was said before."""
        return len(text.split()) <= POINTING and bool(_SAID.search(text))

    def goes_on(self, text: str) -> bool:
        """Whether a short message begins in the middle and does not even say "it"."""
        return len(text.split()) <= POINTING and bool(_GOES_ON.search(text)) and not _IT.search(text)

    def opens(self, text: str) -> bool:
        """Whether a message goes on with what was said before, or is too short to stand alone."""
        return bool(_OPENS.search(text)) or len(text.split()) <= 3

    def hollow(self, text: str) -> bool:
        """Whether a message names no aspect, or goes on ("and …", "… is that") with one that anything can have."""
        aspects = {i for kind, i in self._namer.mentions(text) if kind == "aspects"}
        return not aspects or (aspects <= _GENERIC and bool(_OPENS.search(text) or _SAID.search(text)))

    def about(self, text: str) -> str | None:
        """Whether ketamine helps the condition that a message names; None when it names none."""
        conditions = [i for kind, i in self._namer.mentions(text) if kind == "conditions"]
        if not conditions:
            return None
        reading = self._composed({"conditions": conditions, "medicines": [], "routes": [], "aspects": ["benefit"]}, Context(), False)
        return reading.query if reading else None

    def readings(self, text: str, named: str, context: Context, follows: float) -> list[Reading]:
        """The questions a message could stand for, the likeliest first; the first one that finds an answer is meant.

        Args:
            text: The repaired message.
            named: The same with "it" named.
            context: The conversation's memory.
            follows: The classifier's probability that it leans on the last turn.
        """
        own = Reading(named, "own")
        mentions = self._namer.mentions(text)
        names = {kind: [i for k, i in mentions if k == kind and i != "ketamine"] for kind in ("conditions", "medicines", "routes", "aspects")}
        names_ketamine = ("medicines", "ketamine") in mentions
        things = bool(names["conditions"] or names["medicines"] or names["routes"])
        points = bool(_POINTS.search(text)) or (bool(_THEY.search(text)) and len(text.split()) <= THEY_WORDS)
        # what names its own thing and its own aspect, or says ketamine and points at nothing, stands for itself
        whole = bool(names["aspects"] and (names["conditions"] or names["medicines"])) or (names_ketamine and not _THAT.search(text))
        if whole or not self.leans(text, follows):
            # "her hand is crps. does the drip work on that": the question points at what the message itself told
            told = names["conditions"] and names["aspects"] and _POINTS.search(text) and (names_ketamine or names["routes"] or named != text)
            composed = self._composed(names, Context(), names_ketamine) if told else None
            return [own, composed] if composed else [own]
        opens = bool(_OPENS.search(text)) or follows >= 0.5
        bare = len(text.split()) <= 3 and not _ASKS.search(text)
        if not context.last_topic:
            composed = self._composed(names, Context(), names_ketamine) if (opens or bare) and (things or not self.hollow(text)) else None
            return [own, composed] if composed else [own]
        topic = context.last_topic
        anchored = Reading(self._anchored(text, topic), "anchored", topic)
        composed = self._composed(names, context, names_ketamine)
        made = [composed] if composed else []
        if things:
            if not (opens or points or bare):
                return [own, *made]
            tied = not names["aspects"] and self._tied(topic, names)
            return [anchored, *made, own] if tied else [*made, own, anchored]
        if names["aspects"]:
            about_it = set(names["aspects"]) <= _GENERIC and topic.startswith(_OWN_THING) and (points or opens or _IT.search(text))
            if about_it or (set(names["aspects"]) == {"benefit"} and points):
                return [anchored, *made, own]
            return [*made, own, anchored] if opens or points else [own, *made, anchored]
        rest = _OPENS.sub("", text).strip(" ,.?!")
        if opens and not points and rest and not (_IT.search(text) or _AGAINST.search(text)):
            # "and if you're expecting": a subject that the lexicon has no name for, or more on the last one
            return [Reading(f"ketamine {rest}", "turned"), anchored, own]
        if points or opens:
            return [anchored, own]
        return [own, anchored] if follows < 0.3 and not _IT.search(text) else [anchored, own]

    def _tied(self, topic: str, names: dict[str, list[str]]) -> bool:
        """Whether a bare name says more about the last topic rather than asking the same of something else."""
        if names["conditions"]:
            return False
        if names["medicines"]:
            return not topic.startswith(("efficacy", "interaction", "alternatives", "mechanism", "regulatory", "evidence", "practical"))
        return topic.startswith(("risk.", "interaction.", "selection."))

    def _anchored(self, text: str, topic: str) -> str:
        entry = self._content.topics.get(topic)
        return f"{entry.title['en']}: {text}" if entry else text

    def _composed(self, names: dict[str, list[str]], context: Context, names_ketamine: bool) -> Reading | None:
        """A whole question from the lexicon: what is named now, else what was named before."""
        if names["medicines"] and not set(names["aspects"]) - {"risk"} and (names_ketamine or names["aspects"] or names["medicines"][-1] in _TAKEN_ALONG):
            beside = names["medicines"][-1] != "esketamine"
            names = {**names, "aspects": ["interaction"] if beside else names["aspects"] or ["difference"]}
        specific = [a for a in names["aspects"] if a != "benefit"]
        aspect_id = specific[-1] if specific else names["aspects"][-1] if names["aspects"] else self._aspect_of(context)
        things = names["conditions"] or names["medicines"] or names["routes"]
        if not names["aspects"] and not things:
            return None
        if names["conditions"] and not names["aspects"] and aspect_id in ("interaction", "who", "pregnancy", "age"):
            aspect_id = "condition"
        elif names["conditions"] and not names["aspects"] and aspect_id not in ("benefit", "evidence", "approval", "duration", "alternatives"):
            aspect_id = "benefit"
        elif names["medicines"] and not names["aspects"] and aspect_id in ("who", "pregnancy", "age", "procedure", "driving"):
            aspect_id = "interaction"
        entry = self._entries.get(("aspects", aspect_id)) or self._entries.get(("aspects", "benefit"))
        if entry is None or entry.question is None:
            return None
        condition = names["conditions"][-1] if names["conditions"] else context.condition
        medicine = names["medicines"][-1] if names["medicines"] else None if names["conditions"] or names_ketamine else context.medicine
        if entry.id != "interaction" and not names["medicines"] and medicine != "esketamine":
            medicine = None  # what a medicine was asked about before, ketamine is asked about now
        route = names["routes"][-1] if names["routes"] else context.route if entry.id in ("procedure", "risk") else None
        filled = entry.question.format(
            condition=self._name("conditions", condition) or "chronic pain",
            medicine=self._name("medicines", medicine) or ("other medicines" if entry.id == "interaction" else "ketamine"),
            route=self._name("routes", route) or "",
        )
        topic = "practical.routes" if entry.id == "benefit" and names["routes"] and route != "iv" else _TOPIC_OF.get(entry.id)
        return Reading(" ".join(filled.split()).replace(" ?", "?"), "composed", topic)

    def _aspect_of(self, context: Context) -> str:
        if context.aspect:
            return context.aspect
        topic = context.last_topic or ""
        prefixes = [p for p in _ASPECT_OF if topic == p or topic.startswith(p + ".")]
        return _ASPECT_OF[max(prefixes, key=len)] if prefixes else "benefit"

    def _name(self, kind: str, entry_id: str | None) -> str | None:
        entry = self._entries.get((kind, entry_id or ""))
        return entry.names["en"][0] if entry else None
