"""The safety screen: is somebody in danger, and if so in which way?

Rules first, then core words of other languages, then the classifier. A rule counts at once in a short message. In a longer one, where
its words may stand in history, hearsay or a question, the classifier must not be sure of the opposite; and a rule that is marked weak
needs it not to speak against it in any message. Where nothing can be classified every rule counts. Nothing here reads the clock, the network or a
store, and `Screen.check` answers every string; what goes wrong inside is logged without the text and answered
by whatever part still works.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from knowledge.safety.core_words import CoreWords
from knowledge.safety.language import Guess, LanguageGuesser
from knowledge.safety.normalise import Normaliser, fold
from knowledge.safety.rules import CATEGORIES, Hit, RuleSet, load_protect, load_spellings

if TYPE_CHECKING:
    import numpy as np

    from knowledge.encoder import Vectors
    from knowledge.safety.classifier import Classifier

__all__ = ["Finding", "Screen", "CONTENT"]

CONTENT = Path(__file__).parents[1] / "content"
_log = logging.getLogger(__name__)

_WINDOW = 4000  # characters screened at once …
_OVERLAP = 500  # … and how much the next window repeats, longer than any rule reaches
_GLANCE = 500  # characters
_RECENT = 2
_ENCODED = 2000  # characters of which the encoder's tokens hold the most
_MIXED = re.compile(r"[a-z][\u0370-\u04ff]|[\u0370-\u04ff][a-z]", re.IGNORECASE)  # Latin beside Greek or Cyrillic in one word
_SENTENCE_END = re.compile(r"[.!?\n]+\s+")
_SENTENCES, _SENTENCE_WORDS, _LONG_WORDS = 12, 3, 12
_SUPPORT = 0.4  # share of its threshold that some category must reach for a weak rule to count …
_PLAIN_SUPPORT = 0.2  # … and for any other in a message of more than so many words: no danger of ours that such a rule found lay below
_PLAIN_WORDS = 8
_NEWEST = 0.2  # share of the threshold that the newest message must reach alone, before messages are counted together

# Which category leads when several fit. Suicide and a child keep their own lines although an emergency sign is
# there as well, because with `danger_signs` their contacts begin with the emergency number anyway; the same holds for
# an overdose and for violence. A sign of danger beats "after the infusion", which has no line of its own.
_PRIORITY = (
    "crisis_suicide", "child_exposure", "abuse_danger", "overdose", "medical_emergency", "postinfusion_emergency",
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What the screen found in a message.

    Attributes:
        category: one of the contract's six, or None when nothing is urgent.
        language: language of the rule that fired, or of the message: "en", "es" or another code; "und" is given
            as "en" here because an English reply is the safe choice.
        subject: whom it is about.
        minor: the writer says to be under 18.
        notices: "low_mood" and "see_clinician_soon", when nothing is urgent.
        soon_topics: contract topics whose statements belong to the "soon" symptom.
        rule: id of the rule that decided.
        by: what decided: "rule", "classifier" or "core_words".
        score: the classifier's score, for "classifier".
        why: the reason in words, for `knowledge explain`; never shown to patients.
        danger_signs: signs that somebody's life is in danger; the emergency number goes first.
        foreign: the message is quite surely neither English nor Spanish.
        likely: what rules found that do not count alone, until the classifier was asked; a finding a category, the leading one first.
        needed: in such a finding, the share of its threshold that some category must reach.
    """

    category: str | None = None
    language: str = "en"
    subject: Literal["self", "other", "child"] = "self"
    minor: bool = False
    notices: tuple[str, ...] = ()
    soon_topics: tuple[str, ...] = ()
    rule: str | None = None
    by: Literal["rule", "classifier", "core_words"] | None = None
    score: float | None = None
    why: str = "nothing urgent found"
    danger_signs: bool = False
    foreign: bool = False
    likely: tuple[Finding, ...] = ()
    needed: float = _SUPPORT

    @property
    def urgent(self) -> bool:
        """Whether the message gets the urgent reply."""
        return self.category is not None


@dataclass(frozen=True)
class _Part:
    """A text that the classifier scores, with its vector; `part` when it is not the whole newest message."""

    text: str
    vector: np.ndarray
    part: bool
    joined: bool


class Screen:
    """Screens messages. Make one a process with `load`; it is safe to share between threads.

    Args:
        rules: the urgent rules.
        gentle: the rules of soon.yml and low_mood.yml.
        facts: rules that say something about the writer (under 18).
        normaliser: turns text into views.
        languages: guesses languages.
        core_words: core words of other languages.
        classifier: optional linear classifier.
        encoder: optional encoder, used when `check` gets no vector.
    """

    def __init__(
        self,
        rules: RuleSet,
        gentle: RuleSet,
        facts: RuleSet,
        normaliser: Normaliser,
        languages: LanguageGuesser,
        core_words: CoreWords,
        classifier: Classifier | None = None,
        encoder: Vectors | None = None,
    ) -> None:
        self.rules, self.gentle, self.facts = rules, gentle, facts
        self.normaliser, self.languages, self.core_words = normaliser, languages, core_words
        self.classifier, self.encoder = classifier, encoder

    @classmethod
    def load(cls, content: Path = CONTENT, encoder: Vectors | None = None, weights: Path | None = None) -> Screen:
        """Read the rules, and the classifier's weights if given.

        Args:
            content: the knowledge content folder (holding safety/).
            encoder: used to encode messages that come without a vector; without it only rules and core words work
                on such messages.
            weights: the classifier's .npz.

        Raises:
            SafetyContentError: when a rule file is broken. Weights that cannot be read do not raise: the rules alone
                serve, and `classifier` is None, which /readyz reports.
        """
        folder = content / "safety" if (content / "safety").is_dir() else content
        spellings = load_spellings(folder / "spellings.yml")
        urgent = RuleSet.load(folder, rule_files(folder, CATEGORIES), spellings)
        gentle = RuleSet.load(folder, rule_files(folder, ("soon", "low_mood")), spellings)
        facts = RuleSet.load(folder, rule_files(folder, ("minor",)), spellings)
        uses = sum((Counter(u) for rules in (urgent, gentle) for u in rules.uses.values()), Counter())
        spanish = {w for rules in (urgent, gentle) for w in rules.uses["es"]} - {w for rules in (urgent, gentle) for w in rules.uses["en"]}
        normaliser = Normaliser(uses, load_protect(folder / "protect.txt"), spellings, uses, spanish)
        classifier = None
        if weights is not None:
            from knowledge.safety.classifier import Classifier

            try:
                classifier = Classifier.load(weights)
            except (OSError, ValueError, KeyError) as error:
                _log.error("safety weights cannot be read, rules alone: %s", type(error).__name__)
        return cls(
            urgent, gentle, facts, normaliser, LanguageGuesser.load(folder / "languages.yml"),
            CoreWords.load(folder / "core_words.yml"), classifier, encoder,
        )  # fmt: skip

    def check(self, text: str, recent: Sequence[str] = (), vector: np.ndarray | None = None) -> Finding:
        """Screen a message.

        Args:
            text: the newest message, of any length and content.
            recent: up to two earlier patient messages of the last 30 minutes, oldest first.
            vector: the message's encoder vector, shape (384,), if the caller has it.

        Returns:
            The finding. Never raises on any string.
        """
        return self.classify(text, self.check_rules(text, recent), recent, vector)

    def check_rules(self, text: str, recent: Sequence[str] = ()) -> Finding:
        """The first step of `check`: rules and core words, without the classifier and so without an encoding."""
        try:
            return self._check_rules(text, [r for r in recent if isinstance(r, str)][-_RECENT:])
        except Exception as error:  # A fault in here must not cost somebody the number: fall back to the plainest look.
            # its words may quote the message, so only its type is logged
            _log.error("the safety screen failed on a message of %d characters: %s", len(text), type(error).__name__)
            return _last_resort(text)

    def glance(self, text: str) -> bool:
        """Whether a rule sees danger in the beginning of a text as it stands: a third of the time of `check_rules`, to tell who goes first."""
        try:
            return self.rules.first(self.normaliser.plain(text[:_GLANCE].encode("utf-8", "replace").decode("utf-8"))) is not None
        except Exception as error:
            _log.error("a glance failed at a message of %d characters: %s", len(text), type(error).__name__)
            return False

    def classify(self, text: str, finding: Finding, recent: Sequence[str] = (), vector: np.ndarray | None = None) -> Finding:
        """The second step of `check`: what the classifier adds, and whether it bears weak rules out."""
        if finding.urgent:
            return finding
        if self.classifier is None:
            return finding.likely[0] if finding.likely else finding
        try:
            return self._classified(text, finding, [r for r in recent if isinstance(r, str)][-_RECENT:], vector)
        except Exception as error:
            _log.error("the safety classifier failed on a message of %d characters: %s", len(text), type(error).__name__)
            return finding.likely[0] if finding.likely else finding

    def guess_language(self, text: str) -> Guess:
        """Return the guess at the language of `text`."""
        return self.languages.guess(text.encode("utf-8", "replace").decode("utf-8"))

    # -- inside ---------------------------------------------------------------------------------------------------

    def _check_rules(self, text: str, recent: Sequence[str]) -> Finding:
        text = text.encode("utf-8", "replace").decode("utf-8")
        recent = [r.encode("utf-8", "replace").decode("utf-8")[-_WINDOW:] for r in recent]
        guess = self.languages.guess(undisguised(text))
        language = guess.language if guess.language != "und" else "en"
        base = Finding(language=language, foreign=guess.foreign)
        views = [view for window in windows(text) for view in self.normaliser.views(window)]
        hits = [hit for view in views for hit in self.rules.hits(view)]
        context_views: list[str] = []
        said = text
        if recent:
            context_views = self._joined(recent, text)
            if not hits:
                hits = list(self._across(context_views, recent, text))
                said = " ".join([*recent, text])
        base = replace(base, minor=self._minor([*views, *context_views]))
        sure = [hit for hit in hits if not hit.rule.weak]
        if hits and (self.classifier is None or self.encoder is None):
            return self._from_hits(sure or hits, views or context_views, base, hits)
        if sure:
            plain = self._from_hits(sure, views or context_views, base, hits)
            if len(said.split()) <= _PLAIN_WORDS or len(said) > _ENCODED:  # the classifier reads no more than that
                return plain
            base = replace(base, likely=(replace(plain, needed=_PLAIN_SUPPORT),))
        elif hits:
            found = [c for c in _PRIORITY if any(hit.category == c for hit in hits)]
            base = replace(
                base, likely=tuple(self._from_hits([h for h in hits if h.category == c], views or context_views, base, hits) for c in found)
            )
        core = self.core_words.find(text, guess)
        if core is not None:
            return replace(
                base, category=core.category, language=core.language, by="core_words", rule=core.id, why=core.why,
                danger_signs=core.category == "medical_emergency",
            )  # fmt: skip
        gentle = [hit for view in views for hit in self.gentle.hits(view)]
        return self._gentle(gentle, base)

    def _classified(self, text: str, finding: Finding, recent: Sequence[str], vector: np.ndarray | None) -> Finding:
        text = text.encode("utf-8", "replace").decode("utf-8")
        recent = [r.encode("utf-8", "replace").decode("utf-8")[-_WINDOW:] for r in recent]
        plain = undisguised(text)
        if plain != text:
            text, vector = plain, None
        guess = self.languages.guess(text)
        views = [view for window in windows(text) for view in self.normaliser.views(window)]
        repaired = views[1].strip() if len(views) > 1 and len(text) <= _WINDOW else ""
        parts = self._parts(text, repaired, recent, vector, guess)
        found = self._classify(parts)
        likely, finding = finding.likely, replace(finding, likely=())
        if likely:
            chosen = next((one for one in likely if found and one.category == found[0]), likely[0])
            support = self._support(parts)
            if support is None:
                return chosen
            if support < chosen.needed:  # words in disguise say nothing to the classifier; what the rules read in them does
                read = " ".join(" ".join(views).split())
                support = max(support, self._support(self._parts(read, "", [], None, guess)) or 0.0)
            near = f"({support:.2f} of its threshold; {chosen.needed} needed)"
            if support >= chosen.needed:
                return replace(chosen, why=f"{chosen.why} The classifier does not speak against it {near}.")
            finding = replace(finding, why=f"{finding.why}; {chosen.why} The classifier speaks against it {near}.")
        if found is None:
            return self._with_notices(finding, parts)
        category, score, threshold = found
        return Finding(
            category=category, language=guess.language if guess.language != "und" else "en", minor=finding.minor, foreign=guess.foreign,
            by="classifier", score=score, subject=self._subject_of_text(views), danger_signs=category == "medical_emergency",
            why=f"classifier: {category} {score:.2f} reaches its threshold {threshold:.2f}",
        )  # fmt: skip

    def _from_hits(self, hits: Sequence[Hit], views: Sequence[str], base: Finding, every: Sequence[Hit]) -> Finding:
        """Return the finding of `hits`; `every` hit, weak ones too, may say that a life is in danger."""
        categories = {hit.category for hit in hits}
        danger = "medical_emergency" in categories or any(hit.rule.danger_sign for hit in every)
        leading = next(c for c in _PRIORITY if c in categories)
        if leading == "crisis_suicide" and "overdose" in categories:
            danger = True  # something was taken already: the ambulance comes before the talk
        # Among hits of the leading category the rule that stands first in its file speaks.
        hit = next(h for h in hits if h.category == leading)
        subject = _subject(hit, views)
        others = sorted(categories - {leading})
        why = f"rule {hit.rule.id}: {hit.words!r} – {hit.rule.why}" + (f" Also: {', '.join(others)}." if others else "")
        return replace(
            base, category=leading, language=hit.language, subject=subject, rule=hit.rule.id, by="rule", why=why,
            danger_signs=danger, notices=(), soon_topics=(), foreign=False,
        )  # fmt: skip

    def _joined(self, recent: Sequence[str], text: str) -> list[str]:
        head = text if len(text) <= _WINDOW else text[:_WINDOW]
        views = []
        for glue in (" . ", " "):
            views.extend(self.normaliser.views(glue.join([*recent, head])))
        return list(dict.fromkeys(views))

    def _across(self, views: Iterable[str], recent: Sequence[str], text: str) -> Iterable[Hit]:
        """Yield hits that need the newest message: what the earlier ones said alone was answered then."""
        before = {h.rule.id for glue in (" . ", " ") for v in self.normaliser.views(glue.join(recent)) for h in self.rules.hits(v)}
        for view in views:
            for hit in self.rules.hits(view):
                if hit.rule.id not in before:
                    yield hit

    def _minor(self, views: Iterable[str]) -> bool:
        return any(self.facts.first(view) is not None for view in views)

    def _gentle(self, hits: Sequence[Hit], base: Finding) -> Finding:
        """Add the notices that the rules found."""
        soon = [h for h in hits if h.category == "soon"]
        low = [h for h in hits if h.category == "low_mood"]
        notices = (("low_mood",) if low else ()) + (("see_clinician_soon",) if soon else ())
        if not notices:
            return base
        first = (soon or low)[0]
        return replace(
            base, notices=notices, soon_topics=tuple(dict.fromkeys(t for h in soon for t in h.rule.topics)), rule=first.rule.id, by="rule",
            foreign=False, subject=_subject(first, ()), language=first.language,
            why="; ".join(f"rule {h.rule.id}: {h.words!r} – {h.rule.why}" for h in [*soon[:1], *low[:1]]),
        )  # fmt: skip

    def _with_notices(self, finding: Finding, parts: Sequence[_Part]) -> Finding:
        """Add the notices that the classifier found besides."""
        scored = {label for p in parts if not p.joined for label in self._noticed(p)}
        names = {"low_mood": "low_mood" in scored, "see_clinician_soon": "soon" in scored}
        notices = tuple(name for name, found in names.items() if found or name in finding.notices)
        if notices == finding.notices:
            return finding
        if finding.notices:
            return replace(finding, notices=notices)
        return replace(finding, notices=notices, by="classifier", foreign=False, why=f"classifier: {', '.join(sorted(scored))}")

    def _noticed(self, part: _Part) -> tuple[str, ...]:
        return self.classifier.notice(part.vector, part.text, part.part) if self.classifier else ()

    def _parts(self, text: str, repaired: str, recent: Sequence[str], vector: np.ndarray | None, guess: Guess) -> list[_Part]:
        """What the classifier looks at, with vectors: the message, the sentences of a long one, the message with its spelling
        repaired, and the last messages joined.
        """
        if self.classifier is None or guess.foreign or not text.strip():
            return []
        # danger told in one sentence of a long, polite message drowns in the whole: each sentence is looked at as well
        texts = [text[:_ENCODED], *sentences(text), *([repaired[:_ENCODED]] if repaired else [])]
        # what was said before, and that with the newest message: danger may stand in no message alone
        joined = [" . ".join(messages)[-_ENCODED:] for messages in ((recent, [*recent, text]) if recent else ())]
        vectors = [] if vector is None else [vector]
        if self.encoder is not None and len(vectors) < len(texts) + len(joined):
            try:
                vectors += list(self.encoder.encode([*texts, *joined][len(vectors) :]))
            except Exception as error:
                _log.error("the encoder failed; the rules serve alone: %s", type(error).__name__)
        return [
            _Part(t[:_WINDOW], v, part=n > 0, joined=n >= len(texts)) for n, (t, v) in enumerate(zip([*texts, *joined], vectors, strict=False))
        ]

    def _support(self, parts: Sequence[_Part]) -> float | None:
        """Return how near some urgent category comes to its threshold in some part, as a share of it; None without parts."""
        if self.classifier is None or not parts:
            return None
        return max(self.classifier.nearness(p.vector, p.text) for p in parts)

    def _classify(self, parts: Sequence[_Part]) -> tuple[str, float, float] | None:
        classifier = self.classifier
        if classifier is None:
            return None
        found = [hit for p in parts if not p.joined and (hit := classifier.urgent(p.vector, p.text, p.part))]
        if found:
            return max(found, key=lambda f: f[1] - f[2])
        joined = [p for p in parts if p.joined]
        if len(joined) < 2:
            return None
        before, together = (classifier.urgent(p.vector, p.text) for p in joined)
        # What the earlier messages said alone was answered then, and a plain question after them is no danger.
        if together is None or before is not None:
            return None
        newest = classifier.scores(parts[0].vector, parts[0].text)[together[0]]
        return together if newest >= _NEWEST * together[2] else None

    def _subject_of_text(self, views: Sequence[str]) -> Literal["self", "other", "child"]:
        return _subject_in(" ".join(views)[:_WINDOW])


# -- helpers ------------------------------------------------------------------------------------------------------


def undisguised(text: str) -> str:
    """The text with look-alike letters read as what they look like, if a word of it mixes alphabets; else the text itself."""
    return fold(text) if _MIXED.search(text) else text


def sentences(text: str) -> list[str]:
    """The last sentences of a message of several, those of three words and more; none of a short one."""
    found = [s.strip() for s in _SENTENCE_END.split(text[-_WINDOW:]) if len(s.split()) >= _SENTENCE_WORDS]
    return found[-_SENTENCES:] if len(found) > 1 and len(text.split()) > _LONG_WORDS else []


def rule_files(folder: Path, categories: Iterable[str]) -> list[Path]:
    """Return the rule files of `categories` in `folder`, in that order: <category>_en.yml, <category>_es.yml.

    A file that is missing is returned as well, so that loading says so.
    """
    return [folder / f"{category}_{language}.yml" for category in categories for language in ("en", "es")]


def windows(text: str) -> list[str]:
    """Split a long text into overlapping windows that begin and end between words where possible."""
    if len(text) <= _WINDOW:
        return [text]
    out = []
    start = 0
    while start < len(text):
        end = min(len(text), start + _WINDOW)
        if end < len(text):
            space = text.rfind(" ", end - 100, end)
            end = space if space > start else end
        out.append(text[start:end])
        if end >= len(text):
            break
        start = end - _OVERLAP
        space = text.find(" ", start, start + 100)
        start = space if space >= 0 else start
    return out


_CHILD = re.compile(
    r" (?:child|kid|kids|baby|toddler|infant|newborn|little one|son|daughter|grandson|granddaughter|grandchild|nephew|niece|"
    r"children|teen|teenager|[0-9]+ year old|[0-9]+ month old|months old|hijo|hija|hijos|nino|nina|ninos|bebe|nieto|nieta|sobrino|sobrina|"
    r"peque|pequeno|pequena|chiquito|chiquita|crio|cria) "
)  # fmt: skip
_OTHER = re.compile(
    r" (?:he|she|they|him|her|them|his|husband|wife|partner|boyfriend|girlfriend|friend|mother|father|sister|brother|roommate|"
    r"spouse|someone|somebody|grandma|grandmother|grandpa|grandfather|neighbor|neighbour|patient|client|aunt|uncle|cousin|"
    r"himself|herself|themselves|el|ella|ellos|marido|esposo|esposa|mujer|pareja|novio|novia|amigo|amiga|madre|padre|hermano|hermana|abuela|"
    r"abuelo|vecino|vecina|alguien|companero|companera|paciente|tio|tia|primo|prima|suegra|suegro) "
)  # fmt: skip
_SELF_EN = re.compile(r" (?:i|me|myself|am) ")


def subject_of(hit: Hit, views: Sequence[str]) -> Literal["self", "other", "child"]:
    """Say whom a hit is about, from its own words and then from the sentence around it."""
    own = f" {hit.words} "
    if _CHILD.search(own):
        return "child"
    if _OTHER.search(own) and not (hit.language == "es" and _only_article(own)):
        return "other"
    for view in views:
        at = view.find(f" {hit.words} ")
        if at < 0:
            continue
        low = max(view.rfind(" . ", 0, at + 1), view.rfind(" ? ", 0, at + 1), at - 200, 0)
        before = view[low : at + 1]
        if re.search(r" (?:i|am|me|myself|estoy|tengo|yo|me) ", own):
            return "self"
        return _subject_in(before if before.strip() else own)
    return _subject_in(own)


_VICTIM_SELF = re.compile(r" (?:me|us|i|myself|my (?:drink|food|tea|coffee|room|house|neck|throat|body|clothes)|nos|yo|mi (?:bebida|casa|cuarto)) ")


def _subject(hit: Hit, views: Sequence[str]) -> Literal["self", "other", "child"]:
    """Say whom the leading hit is about: what its rule says, refined by the words around it."""
    own = f" {hit.words} "
    if hit.rule.who == "self":
        return "self"
    if hit.rule.who == "child":
        return "child"
    if hit.rule.who == "other":
        return "child" if _CHILD.search(own) else "other"
    # The person named with violence is mostly the one who does it.
    if hit.category == "abuse_danger" and _VICTIM_SELF.search(own):
        return "self"
    return subject_of(hit, views)


def _only_article(words: str) -> bool:
    return not re.search(r" (?:ella|marido|esposo|esposa|mujer|pareja|novio|novia|amigo|amiga|madre|padre|herman[oa]|abuel[oa]|"
                         r"vecin[oa]|alguien|companer[oa]|paciente|ti[oa]|prim[oa]|suegr[oa]|ellos) ", words)  # fmt: skip


def _subject_in(words: str) -> Literal["self", "other", "child"]:
    # The last person named before the sign of danger is the one it is about.
    last = {"child": -1, "other": -1, "self": -1}
    for name, pattern in (("child", _CHILD), ("other", _OTHER), ("self", _SELF_EN)):
        for match in pattern.finditer(words):
            last[name] = match.start()
    if last["child"] >= 0 and last["child"] + 40 > max(last.values()):
        return "child"
    best = max(last, key=lambda k: last[k])
    return best if last[best] >= 0 else "self"  # type: ignore[return-value]


_RESORT = (
    ("crisis_suicide", re.compile(r"suicid|kill ?my ?self|want to die|quiero morir|matarme", re.IGNORECASE)),
    ("medical_emergency", re.compile(r"(?:can.?t|cannot|can not) breathe|not breathing|won.?t wake|no respira|no puedo respirar|no despierta", re.IGNORECASE)),
    ("overdose", re.compile(r"overdos|sobredosis", re.IGNORECASE)),
)  # fmt: skip


def _last_resort(text: str) -> Finding:
    for category, pattern in _RESORT:
        if pattern.search(text[:100_000]):
            spanish = re.search(r"quiero|puedo|respira|despierta|sobredosis", text[:100_000], re.IGNORECASE)
            return Finding(category=category, language="es" if spanish else "en", by="rule", rule="last-resort",
                           why="the screen failed; a plain word was found", danger_signs=category != "crisis_suicide")  # fmt: skip
    return Finding(why="the screen failed and no plain word was found")
