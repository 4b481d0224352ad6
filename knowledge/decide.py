"""What to reply: intent, search and the conversation's memory to a Decision. Pure; used by the action server and `ask`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from knowledge.decision import Context, Decision
from knowledge.safety.decline import DeclineRules
from knowledge.search import Candidate, Found, Search
from knowledge.text import Entities

ADVICE = {
    "advice_dose": "dose", "advice_supply": "supply", "advice_misuse": "misuse", "advice_eligibility": "eligibility",
    "advice_diagnosis": "diagnosis", "advice_medicine": "medicine_change", "advice_other": "other_personal",
}  # fmt: skip
SMALLTALK = ("greet", "thanks", "goodbye", "help", "bot_challenge", "start_over")
META = ("ask_source", "ask_certainty", "more")
NO_STATEMENTS = ("supply", "misuse", "dose")  # nothing may look like an answer to these
SUGGESTIONS = 3
FOLLOW_UP_WORDS = 12


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

    def decide(
        self,
        text: str,
        *,
        intent: str | None = None,
        confidence: float = 0.0,
        vector: np.ndarray | None = None,
        context: Context | None = None,
        region: str | None = None,
        language: str = "en",
    ) -> Decision:
        """Decide on one message.

        Args:
            text: The patient's message, not empty.
            intent: What the dialogue's classifier thinks it is; None when there is no dialogue (`ask`, `explain`).
            confidence: The classifier's probability for that intent.
            vector: The encoding (384,) of `Search.prepare(text)`, when the caller has it.
            context: The conversation's memory.
            region: The patient's region.
            language: The message's language; other than "en" and "es" it is not searched.
        """
        context = context or Context()
        prepared = self.search.prepare(text)
        debug: dict[str, Any] = {"intent": intent, "intent_confidence": round(confidence, 3), "query": prepared}
        decision = self._route(text, prepared, intent, confidence, vector, context, region, language, debug)
        return replace(decision, build=self.search.build, debug={**debug, **decision.debug})

    # -- routes ------------------------------------------------------------------------------------------------------

    def _route(
        self, text: str, prepared: str, intent: str | None, confidence: float, vector: np.ndarray | None,
        context: Context, region: str | None, language: str, debug: dict[str, Any],
    ) -> Decision:  # fmt: skip
        at = self.search.calibration
        entities = self.search.namer.find(prepared)
        refused = self.decline.check(text)
        if refused is not None:
            debug["because"] = f"decline rule {refused.rule}"
            return self._decline(refused.reason, prepared, vector, context, region)
        if intent in ADVICE and confidence >= at["advice_at"]:
            debug["because"] = f"intent {intent}"
            return self._decline(ADVICE[intent], prepared, vector, context, region)
        if intent in SMALLTALK and confidence >= at["smalltalk_at"] and not (entities.conditions or entities.aspects):
            debug["because"] = f"intent {intent}"
            kept = Context() if intent == "start_over" else context
            return Decision("smalltalk", lead="not_a_person" if intent == "bot_challenge" else _LEADS[intent], context=kept)
        if intent in META and confidence >= at["followup_at"] and len(prepared.split()) <= 14:
            return self._meta(intent, context, debug)
        if language not in ("en", "es"):
            debug["because"] = f"language {language}"
            return Decision("abstain", reason="language", lead="abstain_language", context=context)
        query = self._query(prepared, entities, intent, confidence, language, context, debug)
        if query is None:
            return Decision("clarify", lead="clarify_lead", suggestions=_OPENERS, context=context)
        if query != prepared:
            return self._answer(query, None, intent, confidence, context, region, debug)
        decision = self._answer(prepared, vector, intent, confidence, context, region, debug)
        if decision.kind == "answer" or not entities or not context.last_topic or len(prepared.split()) > FOLLOW_UP_WORDS:
            return decision
        # "and for how long": nothing by itself, an answer with what was asked before; what names nothing of ours stays unanswered
        composed = self._compose(entities, context)
        again = self._answer(composed, None, intent, confidence, context, region, dict(debug)) if composed else decision
        return again if again.kind == "answer" else decision

    def _query(
        self, prepared: str, entities: Entities, intent: str | None, confidence: float, language: str, context: Context, debug: dict[str, Any]
    ) -> str | None:
        """The text to search for: as asked, or composed from what the conversation remembers; None when there is nothing."""
        own = bool((entities.conditions or entities.medicines - {"ketamine"} or entities.routes) and entities.aspects)
        short = len(prepared.split()) <= FOLLOW_UP_WORDS
        follows = intent == "followup" and confidence >= self.search.calibration["followup_at"] and not own
        if follows and short and not context.last_topic and not entities:
            debug["because"] = "a follow-up with nothing before it"
            return None
        if (follows and short and context.last_topic) or language == "es":
            composed = self._compose(entities, context if follows else Context())
            if composed:
                debug["composed"] = composed
                return composed
        return prepared

    def _compose(self, named: Entities, context: Context) -> str | None:
        """A whole question from the lexicon: what is named now, else what was named before."""
        lexicon = self.content.lexicon

        def name(kind: str, own: frozenset[str], before: str | None) -> str | None:
            chosen = min(own) if own else before
            return next((e.names["en"][0] for e in getattr(lexicon, kind) if e.id == chosen), None)

        aspect_id = min(named.aspects) if named.aspects else (context.aspect or "benefit")
        if not named.aspects and not context.aspect and not (named.conditions or named.medicines - {"ketamine"} or named.routes):
            return None
        aspect = next((e for e in lexicon.aspects if e.id == aspect_id), None)
        if aspect is None or aspect.question is None:
            return None
        new_subject = bool(named.conditions)
        medicines = named.medicines - {"ketamine"} or named.medicines
        return " ".join(
            aspect.question.format(
                condition=name("conditions", named.conditions, context.condition) or "chronic pain",
                medicine=name("medicines", medicines, None if new_subject and not medicines else context.medicine) or "ketamine",
                route=name("routes", named.routes, context.route) or "",
            ).split()
        )

    def _answer(
        self, query: str, vector: np.ndarray | None, intent: str | None, confidence: float, context: Context, region: str | None, debug: dict[str, Any]
    ) -> Decision:
        at = self.search.calibration
        asked = self.search.questions(query)
        founds = [self.search.find(q, vector if len(asked) == 1 else None, region) for q in asked]
        founds = [f for f in founds if f.confidence >= at["answer_at"]] or [max(founds, key=lambda f: f.confidence)]
        best = founds[0]
        score = best.confidence
        if intent and intent.startswith("out_of_scope"):
            score *= 1 - at["scope_weight"] * confidence
        debug.update(_explain(best), score=round(score, 3))
        if score < at["clarify_at"] or not best.candidates:
            debug.setdefault("because", f"score {score:.2f} below {at['clarify_at']}")
            outside = bool(intent and intent.startswith("out_of_scope"))
            lead, reason = ("abstain_out_of_scope", "out_of_scope") if outside else ("abstain_no_statement", "no_statement")
            return Decision("abstain", reason=reason, lead=lead, suggestions=_OPENERS, context=context)
        if score < at["answer_at"]:
            debug.setdefault("because", f"score {score:.2f} between {at['clarify_at']} and {at['answer_at']}")
            topics = tuple(dict.fromkeys(c.topic for c in best.candidates))[: SUGGESTIONS + 1]
            return Decision("clarify", lead="clarify_lead", suggestions=topics, topic=topics[0], context=context)
        remembered = self._remember(best.entities, context, best.candidates[0].topic)
        chosen = self._merge([self.search.choose(f) for f in founds])
        debug.setdefault("because", f"score {score:.2f} at least {at['answer_at']}")
        return self._shown("answer", chosen, remembered)

    def _decline(self, reason: str, prepared: str, vector: np.ndarray | None, context: Context, region: str | None) -> Decision:
        found = self.search.find(prepared, vector, region)
        near = found.confidence >= self.search.calibration["decline_shows_at"]
        if reason in NO_STATEMENTS or not near:
            topic = found.candidates[0].topic if near else None
            return Decision("decline", reason=reason, topic=topic, suggestions=_OPENERS, context=context)
        topic = found.candidates[0].topic
        chosen = [c for c in self.search.choose(found) if c.topic == topic][:2]
        shown = self._shown("decline", chosen, self._remember(found.entities, context, topic))
        return replace(shown, reason=reason)

    def _meta(self, intent: str, context: Context, debug: dict[str, Any]) -> Decision:
        """Questions about the last answer."""
        debug["because"] = f"intent {intent}"
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
        """The first of each part, then the second of each, four at most, none twice."""
        if len(lists) == 1:
            return lists[0]
        merged: dict[str, Candidate] = {}
        for rank in range(2):
            for candidates in lists:
                if rank < len(candidates):
                    merged.setdefault(candidates[rank].id, candidates[rank])
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

    def _remember(self, named: Entities, context: Context, topic: str) -> Context:
        medicines = named.medicines - {"ketamine"} or named.medicines
        return replace(
            context,
            condition=min(named.conditions) if named.conditions else context.condition,
            medicine=min(medicines) if medicines else context.medicine,
            route=min(named.routes) if named.routes else context.route,
            aspect=min(named.aspects) if named.aspects else context.aspect,
            last_topic=topic,
        )


_LEADS = {"greet": "greeting", "thanks": "thanks", "goodbye": "goodbye", "help": "help", "start_over": "restart"}
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
