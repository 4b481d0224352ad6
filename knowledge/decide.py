"""What to reply: intent, search and the conversation's memory to a Decision. Pure; used by the action server and `ask`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from knowledge.decision import Context, Decision
from knowledge.followup import Reader, Reading
from knowledge.safety.decline import DeclineRules
from knowledge.search import Candidate, Found, Search
from knowledge.text import Entities, words

ADVICE = {
    "advice_dose": "dose", "advice_supply": "supply", "advice_misuse": "misuse", "advice_eligibility": "eligibility",
    "advice_diagnosis": "diagnosis", "advice_medicine": "medicine_change", "advice_other": "other_personal",
}  # fmt: skip
SMALLTALK = ("greet", "thanks", "goodbye", "help", "bot_challenge", "start_over")
META = ("ask_source", "ask_certainty", "more")
NO_STATEMENTS = ("supply", "misuse", "dose")  # nothing may look like an answer to these
SUGGESTIONS = 3
META_WORDS = 14
BARE = 3  # words; fewer need a turn before them
OUTSIDE = 0.6  # from this probability of being out of scope a message is taken as it stands
TURNS = 0.8  # from this score on "and …" is a new subject
SURE = 0.9  # from this probability on small talk is no question, whatever it looks like
TIE = 0.25  # what a statement on the last topic gains when the message points at the last answer


class Decider:
    """Chooses the kind of reply and the statements.

    Args:
        search: The search of one build.
        decline: Rules that tell requests for individual advice by their wording.
    """

    def __init__(self, search: Search, decline: DeclineRules):
        self.search = search
        self.decline = decline
        self.content = search.content
        self.reader = Reader(search.content, search.namer)

    def decide(
        self,
        text: str,
        *,
        intents: Mapping[str, float] | None = None,
        vector: np.ndarray | None = None,
        context: Context | None = None,
        region: str | None = None,
        language: str = "en",
    ) -> Decision:
        """Decide on one message.

        Args:
            text: The patient's message, not empty.
            intents: The dialogue's intents with their probabilities; None when there is no dialogue (`ask`, `explain`).
            vector: The encoding (384,) of `Search.repair(text)`, when the caller has it; of no use where the message is Spanish.
            context: The conversation's memory.
            region: The patient's region.
            language: The message's language; other than "en" and "es" it is not searched.
        """
        repaired = self.search.repair(text)
        turn = _Turn(
            text=text, repaired=repaired, named=self.search.prepare(repaired), entities=self.search.namer.find(repaired),
            intents=dict(intents or {}), vector=vector if language == "en" else None, context=context or Context(), region=region, language=language,
        )  # fmt: skip
        turn.debug.update(intents={name: round(p, 3) for name, p in turn.likeliest(4)}, query=turn.named)
        decision = self._route(turn)
        return replace(decision, build=self.search.build, debug={**turn.debug, **decision.debug})

    # -- routes ------------------------------------------------------------------------------------------------------

    def _route(self, turn: _Turn) -> Decision:
        at = self.search.calibration
        # what the conversation remembers decides neither of these two
        refused = self.decline.check(turn.text)
        if refused is not None:
            return self._decline(turn, refused.reason, f"decline rule {refused.rule}")
        advice = self._advice(turn)
        turn.debug["advice"] = round(advice, 3)
        limit = self.search.space(turn.language).calibration["advice_at"]
        if advice >= limit and not self._curated(turn):
            intent = max(ADVICE, key=lambda name: turn.intents.get(name, 0.0)) if turn.intents else "advice_other"
            return self._decline(turn, ADVICE[intent], f"requests for advice {advice:.2f} at least {limit}")
        if turn.language not in ("en", "es"):
            turn.debug["because"] = f"language {turn.language}"
            return Decision("abstain", reason="language", lead="abstain_language", context=turn.context)
        intent, likely = turn.likeliest(1)[0] if turn.intents else ("", 0.0)
        names = bool(turn.entities.conditions or turn.entities.aspects)
        if intent in SMALLTALK and likely >= at["smalltalk_at"] and not names and not (likely < SURE and self._known(turn)):
            turn.debug["because"] = f"intent {intent}"
            kept = Context() if intent == "start_over" else turn.context
            return Decision("smalltalk", lead=_LEADS[intent], context=kept)
        meta = max(META, key=lambda name: turn.intents.get(name, 0.0))
        # "what studies have been done", with nothing before it, is a question of its own
        alone = not turn.context.last_ids and len(turn.repaired.split()) > BARE and not self.reader.points(turn.repaired)
        aside = turn.entities.conditions or turn.entities.medicines or turn.entities.routes or turn.entities.aspects - {"evidence"}
        if turn.sum(META) >= at["followup_at"] and not aside and not alone and len(turn.repaired.split()) <= META_WORDS:
            return self._meta(meta, turn)
        return self._answer(turn)

    def _known(self, turn: _Turn) -> bool:
        """Whether the message is surely a question that statements answer ("who gets offered this")."""
        return len(turn.repaired.split()) > BARE and self._own(turn).confidence >= TURNS

    def _curated(self, turn: _Turn) -> bool:
        """Whether a curator wrote this very question, so that no classifier need guess what it asks for."""
        candidates = self._own(turn).candidates
        return bool(candidates) and words(candidates[0].matched) == words(turn.named)

    def _own(self, turn: _Turn) -> Found:
        """What the message as it stands finds; searched once, whoever asks first."""
        if turn.own is None:
            vector = turn.vector if turn.named == turn.repaired else None
            turn.own = self.search.find(turn.named, vector, turn.region, turn.language)
        return turn.own

    def _advice(self, turn: _Turn) -> float:
        """Probability that the message asks for a verdict on one person: two classifiers' log-odds, averaged.

        The dialogue's tells seventeen intents apart by a few examples each; the search's knows every phrasing that a statement answers, and with
        them the first person of people who ask for information.
        """
        request = self.search.request(turn.repaired, turn.vector, turn.language)["advice"]
        turn.debug["request_advice"] = round(request, 3)
        return _pooled(turn.sum(ADVICE), request) if turn.intents else request

    def _answer(self, turn: _Turn) -> Decision:
        """Answer the first reading that finds an answer; else ask back or abstain by the best one's score."""
        at = self.search.calibration
        follows = turn.intents.get("followup", 0.0)
        readings = self.reader.readings(turn.repaired, turn.named, turn.context, follows)
        if turn.sum(("out_of_scope",)) >= OUTSIDE and turn.language == "en":
            readings = [r for r in readings if r.how == "own"]
        if turn.leans_on_nothing(self.reader, at["followup_at"]):
            turn.debug["because"] = "a follow-up with nothing before it"
            return Decision("clarify", lead="clarify_lead", suggestions=_OPENERS, context=turn.context)
        searched = []
        for reading in readings:
            founds = self._find(reading, turn)
            searched.append((reading, founds))
            if self._score(founds[0], turn) >= (TURNS if reading.how == "turned" else at["answer_at"]):
                break
        else:
            searched.sort(key=lambda s: self._score(s[1][0], turn))
        reading, founds = searched[-1]
        best, score = founds[0], self._score(founds[0], turn)
        turn.debug.update(_explain(best), score=round(score, 3), reading=reading.how, readings=[r.query for r in readings])
        if reading.how != "own":
            turn.debug["composed"] = reading.query
        if best.candidates and score >= at["answer_at"]:
            turn.debug["because"] = f"score {score:.2f} at least {at['answer_at']}"
            chosen = self._merge([self.search.choose(f) for f in founds])
            return self._shown("answer", chosen, self._remember(turn, best.candidates[0].topic))
        if best.candidates and score >= at["clarify_at"]:
            turn.debug["because"] = f"score {score:.2f} between {at['clarify_at']} and {at['answer_at']}"
            return self._clarify(turn, best)
        # "I have fibromyalgia": no question, yet something to go on
        told = turn.entities.conditions and turn.sum(("out_of_scope",)) < at["followup_at"] and turn.language == "en"
        if told and (asked := self.reader.about(turn.repaired)):
            found = self.search.find(asked, None, turn.region, turn.language)
            if found.candidates and found.confidence >= at["answer_at"]:
                turn.debug["because"] = f"names a condition, score {score:.2f} below {at['clarify_at']}"
                return self._clarify(turn, found)
        turn.debug["because"] = f"score {score:.2f} below {at['clarify_at']}"
        outside = turn.intents.get("out_of_scope", 0.0) >= at["followup_at"]
        lead, reason = ("abstain_out_of_scope", "out_of_scope") if outside else ("abstain_no_statement", "no_statement")
        return Decision("abstain", reason=reason, lead=lead, suggestions=_OPENERS, context=turn.context)

    def _clarify(self, turn: _Turn, found: Found) -> Decision:
        topics = tuple(dict.fromkeys(c.topic for c in found.candidates))[: SUGGESTIONS + 1]
        return Decision("clarify", lead="clarify_lead", suggestions=topics, topic=topics[0], context=self._remember(turn, topics[0]))

    def _find(self, reading: Reading, turn: _Turn) -> list[Found]:
        """Search for a reading as a whole, then for each of its questions where it holds several; those that find an answer, the whole at least."""
        asked = [reading.query]
        if reading.how == "own" and len(questions := self.search.questions(turn.repaired)) > 1:
            # "it" in a message that names another medicine is that one
            asked += questions if turn.entities.medicines - {"ketamine"} else [self.search.prepare(q) for q in questions]
        vectors = {} if turn.vector is None else {turn.repaired: turn.vector}
        if new := [query for query in asked if query not in vectors]:
            vectors.update(zip(new, self.search.encode(new, turn.language), strict=True))
        founds = [_tied(self.search.find(query, vectors[query], turn.region, turn.language), reading.topic) for query in asked]
        if self._score(founds[0], turn) < self.search.calibration["clarify_at"]:
            return founds[:1]  # a part of what lies out of scope may look like a question of ours
        return [f for f in founds if self._answers(f, turn)] or founds[:1]

    def _answers(self, found: Found, turn: _Turn) -> bool:
        return self._score(found, turn) >= float(self.search.calibration["answer_at"])

    def _score(self, found: Found, turn: _Turn) -> float:
        weight = float(self.search.calibration["scope_weight"])
        return found.confidence * (1 - weight * turn.sum(("out_of_scope",)))

    def _decline(self, turn: _Turn, reason: str, because: str) -> Decision:
        turn.debug["because"] = because
        found = self._own(turn)
        near = found.confidence >= self.search.calibration["decline_shows_at"]
        turn.debug.update(_explain(found))
        if reason in NO_STATEMENTS or not near:
            topic = found.candidates[0].topic if near else None
            return Decision("decline", reason=reason, topic=topic, suggestions=_OPENERS, context=turn.context)
        topic = found.candidates[0].topic
        chosen = [c for c in self.search.choose(found) if c.topic == topic][:2]
        shown = self._shown("decline", chosen, self._remember(turn, topic))
        return replace(shown, reason=reason)

    def _meta(self, intent: str, turn: _Turn) -> Decision:
        """Questions about the last answer."""
        turn.debug["because"] = f"intent {intent}"
        context = turn.context
        last = [i for i in context.last_ids if i in self.content.statements]
        if not last:
            return Decision("clarify", lead="clarify_lead", suggestions=_OPENERS, context=context)
        topic = self.content.statements[last[0]].topic
        if intent == "more":
            rest = [s for s in self.content.statements.values() if s.topic == topic and s.id not in last and self.search.shows(f"statement:{s.id}")]
            rest = rest[:SUGGESTIONS]
            if not rest:
                suggestions = tuple(self.content.topics[topic].related)[:SUGGESTIONS]
                return Decision("clarify", lead="nothing_more", suggestions=suggestions, topic=topic, context=context)
            seen = tuple(dict.fromkeys([*(s.id for s in rest), *last]))[:8]
            return Decision(
                "answer", lead="answer_more_lead", statements=tuple((s.id, 0.0) for s in rest), topic=topic,
                suggestions=self._next(topic), context=replace(context, last_ids=seen),
            )  # fmt: skip
        lead = "sources_lead" if intent == "ask_source" else "how_sure_lead"
        return Decision(
            "answer", lead=lead, statements=tuple((i, 0.0) for i in last[:4]), disagreement=self._disagreement(last, None),
            topic=topic, suggestions=self._next(topic), context=context,
        )  # fmt: skip

    # -- parts -------------------------------------------------------------------------------------------------------

    def _merge(self, lists: list[list[Candidate]]) -> list[Candidate]:
        """The first of the whole and of each part, then of the rest what is on a topic not yet shown, then the rest by rank; four at most."""
        if len(lists) == 1:
            return lists[0]
        firsts, rest = [c[0] for c in lists], [c for rank in range(1, 4) for candidates in lists for c in candidates[rank : rank + 1]]
        merged = {c.id: c for c in firsts}
        topics = {c.topic for c in firsts}
        for c in rest:
            if c.topic not in topics:
                topics.add(c.topic)
                merged.setdefault(c.id, c)
        for c in rest:
            merged.setdefault(c.id, c)
        return list(merged.values())[:4]

    def _shown(self, kind: Any, chosen: list[Candidate], context: Context) -> Decision:
        topic = chosen[0].topic
        ids = [c.id for c in chosen]
        return Decision(
            kind,
            statements=tuple((c.id, c.score) for c in chosen),
            disagreement=self._disagreement(ids, chosen[0].topic),
            topic=topic,
            suggestions=self._next(topic),
            outside_region=chosen[0].foreign,
            context=replace(context, last_topic=topic, last_ids=tuple(ids)),
        )

    def _disagreement(self, ids: list[str], topic: str | None) -> str | None:
        """The disagreement that hangs on the first statement, else on one of the others shown of its topic."""
        for statement_id in ids:
            if topic and self.content.statements[statement_id].topic != topic:
                continue
            for d in self.content.disagreements.values():
                if statement_id in d.statements and self.search.shows(f"disagreement:{d.id}"):
                    return d.id
        return None

    def _next(self, topic: str) -> tuple[str, ...]:
        entry = self.content.topics.get(topic)
        return tuple(entry.related)[:SUGGESTIONS] if entry else ()

    def _remember(self, turn: _Turn, topic: str) -> Context:
        """The last of each kind that was named; an aspect only for one turn, since the topic tells it after that."""
        last = dict(self.search.namer.mentions(turn.repaired))
        before = turn.context
        return replace(
            before,
            condition=last.get("conditions", before.condition),
            medicine=last.get("medicines", before.medicine),
            route=last.get("routes", before.route),
            aspect=last.get("aspects"),
            last_topic=topic,
        )


@dataclass
class _Turn:
    """One message and what is known of it."""

    text: str
    repaired: str
    named: str
    entities: Entities
    intents: dict[str, float]
    vector: np.ndarray | None
    context: Context
    region: str | None
    language: str
    own: Found | None = None
    debug: dict[str, Any] = field(default_factory=dict)

    def sum(self, names: Iterable[str]) -> float:
        """Probability that the message is one of some intents."""
        return sum(self.intents.get(name, 0.0) for name in names)

    def likeliest(self, n: int) -> list[tuple[str, float]]:
        """The n likeliest intents."""
        return sorted(self.intents.items(), key=lambda item: -item[1])[:n]

    def leans_on_nothing(self, reader: Reader, at: float) -> bool:
        """Whether the message needs a turn before it and there is none."""
        if self.context.last_topic or self.entities.conditions or self.entities.medicines or self.entities.routes:
            return False
        if not reader.hollow(self.repaired):
            return False
        follows = self.intents.get("followup", 0.0)
        return reader.points(self.repaired) or reader.goes_on(self.repaired) or (follows >= at and reader.opens(self.repaired))


def _pooled(p: float, q: float) -> float:
    """Two probabilities of the same thing as one: the mean of their log-odds."""
    p, q = min(max(p, 1e-4), 1 - 1e-4), min(max(q, 1e-4), 1 - 1e-4)
    yes, no = math.sqrt(p * q), math.sqrt((1 - p) * (1 - q))
    return yes / (yes + no)


def _tied(found: Found, topic: str | None) -> Found:
    """The same with the candidates of a topic, or of all whose names start so, raised a little."""
    if topic is None:
        return found
    raised = [replace(c, score=round(c.score + (TIE if c.topic.startswith(topic) else 0.0), 4)) for c in found.candidates]
    return replace(found, candidates=tuple(sorted(raised, key=lambda c: -c.score)))


_LEADS = {"bot_challenge": "not_a_person", "greet": "greeting", "thanks": "thanks", "goodbye": "goodbye", "help": "help", "start_over": "restart"}
_OPENERS = ("efficacy.general", "risk.general", "practical.what_happens")


def _explain(found: Found) -> dict[str, Any]:
    return {
        "confidence": round(found.confidence, 3),
        "features": {k: round(v, 3) for k, v in found.features.items()},
        "entities": {k: sorted(getattr(found.entities, k)) for k in ("conditions", "medicines", "routes", "aspects")},
        "candidates": [
            {"id": c.id, "topic": c.topic, "score": c.score, "cosine": c.cosine, "bm25": c.bm25, "signals": c.signals, "matched": c.matched}
            for c in found.candidates[:6]
        ],
    }
