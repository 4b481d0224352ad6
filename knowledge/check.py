"""The rules that all content must keep. One function a rule; each yields every Problem it finds."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import re2
import textstat

from knowledge.content import CONTENT, Content, read_model, today
from knowledge.errors import ContentError, Problem
from knowledge.schema import LANGUAGES, LEVELS, REGIONS, TOPICS, Checks, Cited, Lexicon, Position, Statement
from knowledge.sign import Signatures
from knowledge.text import clean

Embed = Callable[[Sequence[str]], np.ndarray]
RANK = {"secondary": 0, "abstract": 1, "full_text": 2}
_WORD_NUMBERS = {
    word: str(i)
    for i, word in enumerate((
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
        "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
    ))
} | {
    "once": "1", "twice": "2", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60", "seventy": "70",
    "eighty": "80", "ninety": "90", "hundred": "100", "half": "50", "third": "3", "quarter": "4", "fifth": "5",
    "tenth": "10", "double": "2", "triple": "3", "thousand": "1000",
}  # fmt: skip
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_TYPED = str.maketrans("‘’ʼμ", "'''µ")
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+(?=[A-Z¿¡0-9\"“])")


@dataclass
class Report:
    """What `check` found: problems, and the figures it prints."""

    problems: list[Problem] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    per_topic: dict[str, int] = field(default_factory=dict)


class Rules:
    """The compiled contents of wording/checks.yml."""

    def __init__(self, root: Path):
        raw = read_model(Checks, "wording/checks.yml", root)
        options = re2.Options()
        options.case_sensitive = False
        options.log_errors = False
        self.problems: list[Problem] = []

        def compiled(pattern: str, where: str) -> Any:
            try:
                return re2.compile(pattern, options)
            except re2.error as error:
                message = f"google-re2 refuses this pattern: {error}"
                self.problems.append(Problem("wording/checks.yml", 0, where, message, "use no look-around or back-reference"))
                return re2.compile("a^b")

        self.verbs: dict[tuple[str, str], tuple[list[Any], list[Any]]] = {
            (lang, level): ([compiled(p, f"{lang}.{level}") for p in verbs.must], [compiled(p, f"{lang}.{level}") for p in verbs.never])
            for lang, levels in raw.certainty_verbs.items()
            for level, verbs in levels.items()
        }
        self.never: dict[str, list[tuple[Any, str]]] = {
            lang: [(compiled(d.pattern, f"never.{lang}"), d.why) for d in entries] for lang, entries in raw.never_in_a_statement.items()
        }
        self.dose = [compiled(p, "dose_patterns") for p in raw.dose_patterns]
        self.dose_exceptions = set(raw.dose_exceptions)
        self.reading = raw.reading
        self.clinician_words = raw.clinician_words
        self.near_duplicate = raw.near_duplicate_cosine


class Checker:
    """Runs every rule over one content folder.

    Args:
        content: What was loaded.
        root: The folder it came from.
        embed: Texts to normalised vectors (n, d); without it the near-duplicate rule is left out.
        now: The day to judge dates by.

    """

    def __init__(self, content: Content, root: Path = CONTENT, embed: Embed | None = None, now: dt.date | None = None):
        self.content = content
        self.root = root
        self.embed = embed
        self.now = now or today()
        self.rules = Rules(root)
        self.grades: list[float] = []
        self.sentence_words: list[int] = []
        self.dose_hits = 0
        self._terms = {
            lang: sorted({t.term.get(lang, "") for t in content.terms} | {f for t in content.terms for f in t.forms.get(lang, [])}, key=len)[::-1]
            for lang in LANGUAGES
        }  # fmt: skip
        self._term_patterns: dict[str, re.Pattern[str]] = {
            lang: re.compile(r"\b(" + "|".join(re.escape(t) for t in terms if t) + r")\b", re.IGNORECASE)
            for lang, terms in self._terms.items()
            if any(terms)
        }

    def run(self) -> Report:
        """Every rule, every problem."""
        report = Report(problems=list(self.rules.problems))
        for rule in (
            self.topics, self.links, self.certainty, self.numbers, self.forbidden, self.dose, self.readability,
            self.dates, self.conflicts, self.disagreements, self.phrasings, self.lexicon, self.duplicates, self.facts_used,
            self.safety,
        ):  # fmt: skip
            report.problems += rule()
        self._figures(report)
        report.problems.sort()
        return report

    # -- helpers -----------------------------------------------------------------------------------------------------

    def _problem(self, label: str, key: str, part: str, message: str, mend: str) -> Problem:
        file, line = self.content.where.get(f"{label}:{key}", ("", 0))
        return Problem(file or f"{label}s", line, f"{key}.{part}" if part else key, message, mend)

    def _texts(self) -> Iterator[tuple[str, str, str, str, str]]:
        """(label, id, field, language, text) of everything that speaks of medicine, the text as a keyboard types it."""
        for s in self.content.statements.values():
            yield from (("statement", s.id, f"text.{lang}", lang, _typed(text)) for lang, text in s.text.items())
        for d in self.content.disagreements.values():
            claims = {f"positions[{i}].claim": p.claim for i, p in enumerate(d.positions)}
            for part, texts in ({"summary": d.summary, "why": d.why} | claims).items():
                yield from (("disagreement", d.id, f"{part}.{lang}", lang, _typed(text)) for lang, text in texts.items())

    # -- rules -------------------------------------------------------------------------------------------------------

    def topics(self) -> Iterator[Problem]:
        """Every topic has an entry, a bottom line and short clinician lines."""
        for topic in TOPICS:
            if topic not in self.content.topics:
                yield Problem("topics.yml", 0, topic, "the topic has no entry", "add its title, clinician lines and suggestion")
            marked = [s.id for s in self.content.statements.values() if s.bottom_line and s.topic == topic]
            message, mend = f"{len(marked)} bottom-line statements", "mark exactly one statement of the topic `bottom_line: true`"
            if not marked:
                yield Problem("statements", 0, topic, message, mend)
            for extra in marked[1:]:
                yield self._problem("statement", extra, "bottom_line", message, mend)
        for t in self.content.topics.values():
            for name in ("clinician", "clinician_decline"):
                for lang, text in getattr(t, name).items():
                    if len(text.split()) > self.rules.clinician_words:
                        message = f"{len(text.split())} words"
                        yield self._problem("topic", t.id, f"{name}.{lang}", message, f"{self.rules.clinician_words} words at most")
            for name in ("title", "clinician", "clinician_decline", "suggestion"):
                for lang in LANGUAGES:
                    if lang not in getattr(t, name):
                        yield self._problem("topic", t.id, name, f"no {lang} text", f"add {name}.{lang}")

    def _cited(self, label: str, key: str, part: str, facts: Sequence[str], cited: Sequence[Cited], allow_seed: bool) -> Iterator[Problem]:
        known = []
        for fact_id in facts:
            fact = self.content.facts.get(fact_id)
            if fact is None:
                yield self._problem(label, key, f"{part}facts", f"no fact {fact_id!r}", "link a fact of evidence/*.yml")
                continue
            known.append(fact)
            if fact.display == "hold":
                yield self._problem(label, key, f"{part}facts", f"fact {fact_id!r} is on hold", "leave it out")
            if fact.display == "seed_claim" and not allow_seed:
                message = f"fact {fact_id!r} is a claim of an interview or news item"
                yield self._problem(label, key, f"{part}facts", message, "show it only as one side of a disagreement")
        read = {source for fact in known for source in fact.source_ids()}
        yield from self._sources(label, key, f"{part}sources", [c.id for c in cited])
        for c in cited:
            if c.id in self.content.sources and c.id not in read:
                message = f"source {c.id!r} supports none of the linked facts"
                yield self._problem(label, key, f"{part}sources", message, "cite a source of its facts, or link the fact")

    def _sources(self, label: str, key: str, part: str, ids: Sequence[str]) -> Iterator[Problem]:
        for source in ids:
            if source not in self.content.sources:
                yield self._problem(label, key, part, f"no source {source!r}", "add it to sources.yml or correct the id")

    def links(self) -> Iterator[Problem]:
        """Facts, sources and locators resolve; a fact's country stands on its statement."""
        for s in self.content.statements.values():
            yield from self._cited("statement", s.id, "", s.facts, s.sources, allow_seed=False)
            for fact_id in s.facts:
                fact = self.content.facts.get(fact_id)
                country = (fact.region or "").split("-")[0] if fact else ""
                if country in REGIONS and country not in s.regions:
                    message = f"fact {fact_id!r} holds in {country} only"
                    yield self._problem("statement", s.id, "regions", message, f"add {country} to regions and name it in the text")
        for f in self.content.facts.values():
            yield from self._sources("fact", f.id, "sources", f.source_ids())
        for d in self.content.disagreements.values():
            for i, p in enumerate(d.positions):
                yield from self._cited("disagreement", d.id, f"positions[{i}].", p.facts, p.sources, allow_seed=True)

    def _published(self, label: str, key: str, part: str, entry: Statement | Position) -> Iterator[Problem]:
        facts = [self.content.facts[f] for f in entry.facts if f in self.content.facts]
        rated = (entry.certainty, entry.certainty_by)
        if entry.certainty in LEVELS and rated not in {(f.certainty, f.certainty_by) for f in facts}:
            message = f"certainty {entry.certainty!r} by {entry.certainty_by!r} is published by none of its facts"
            yield self._problem(label, key, f"{part}certainty", message, "copy a fact's level and rater, or leave it not_graded")

    def certainty(self) -> Iterator[Problem]:
        """A level is only copied as published, and the verb of an effect carries it."""
        for s in self.content.statements.values():
            yield from self._published("statement", s.id, "", s)
        for d in self.content.disagreements.values():
            for i, p in enumerate(d.positions):
                yield from self._published("disagreement", d.id, f"positions[{i}].", p)
        for label, key, part, lang, text in self._texts():
            entry = self.content.statements.get(key) if label == "statement" else None
            if entry is None or entry.certainty not in LEVELS or entry.kind not in ("effect", "no_effect"):
                continue
            must, never = self.rules.verbs[lang, entry.certainty]
            if not any(p.search(text) for p in must):
                message = f"the verb does not carry {entry.certainty!r} certainty"
                yield self._problem(label, key, part, message, "see the table of certainty verbs in docs/knowledge.md")
            for p in never:
                if p.search(text):
                    message = f"the wording contradicts {entry.certainty!r} certainty ({p.pattern})"
                    yield self._problem(label, key, part, message, "use the verb of its level")

    def numbers(self) -> Iterator[Problem]:
        """Every number of a text occurs in one of its facts or sources."""
        allowed = {("statement", s.id): self._numbers_of([s]) for s in self.content.statements.values()}
        allowed |= {("disagreement", d.id): self._numbers_of(d.positions) for d in self.content.disagreements.values()}
        for label, key, part, _, text in self._texts():
            for number in sorted(_numbers(text, words=False) - allowed[label, key]):
                message = f"the number {number} is in none of its facts"
                yield self._problem(label, key, part, message, "copy numbers exactly from the fact")

    def _numbers_of(self, entries: Sequence[Statement | Position]) -> set[str]:
        facts = [self.content.facts[f] for entry in entries for f in entry.facts if f in self.content.facts]
        cited = [(self.content.sources[c.id], c.locator) for entry in entries for c in entry.sources if c.id in self.content.sources]
        texts = [f"{f.claim} {f.notes or ''} {f.locator or ''} {f.numbers}" for f in facts]
        texts += [f"{source.year or ''} {source.title} {locator}" for source, locator in cited]
        return _numbers(" ".join(texts), words=True)

    def forbidden(self) -> Iterator[Problem]:
        """Promises, verdicts and advice never stand in a text."""
        for label, key, part, lang, text in self._texts():
            for pattern, why in self.rules.never[lang]:
                if pattern.search(text):
                    yield self._problem(label, key, part, f"forbidden wording ({pattern.pattern}): {why}", "reword it")

    def dose(self) -> Iterator[Problem]:
        """No dose, rate or instruction, unless somebody looked at it and listed it."""
        for label, key, part, _, text in self._texts():
            if key in self.rules.dose_exceptions:
                continue
            for pattern in self.rules.dose:
                if pattern.search(text):
                    self.dose_hits += 1
                    yield self._problem(label, key, part, f"reads like a dose ({pattern.pattern})", "leave the amount out")

    def readability(self) -> Iterator[Problem]:
        """Grade and sentence length, with the unavoidable terms left out of the grade."""
        for label, key, part, lang, text in self._texts():
            english, spanish = self.rules.reading.en, self.rules.reading.es
            longest = english.max_sentence_words if lang == "en" else spanish.max_sentence_words
            sentences = [x for x in _SENTENCE.split(text) if x.strip()]
            words = [len(x.split()) for x in sentences]
            for n, sentence in zip(words, sentences, strict=True):
                if n > longest:
                    message = f"a sentence of {n} words ({sentence[:40]}…)"
                    yield self._problem(label, key, part, message, f"{longest} at most")
            if lang == "en":
                grade = textstat.flesch_kincaid_grade(self.plain(text, lang))
                if label == "statement":
                    self.grades.append(grade)
                    self.sentence_words += words
                if grade > english.max_grade:
                    message = f"reading grade {grade:.1f}"
                    yield self._problem(label, key, part, message, f"{english.max_grade} at most: shorter words and sentences")
            elif (score := inflesz(text)) < spanish.min_inflesz:
                message = f"INFLESZ {score:.0f}"
                yield self._problem(label, key, part, message, f"{spanish.min_inflesz:.0f} at least: shorter words and sentences")

    def plain(self, text: str, lang: str) -> str:
        """The text with unavoidable terms replaced by one short word, for the grade only."""
        pattern = self._term_patterns.get(lang)
        return pattern.sub("it", text) if pattern else text

    def dates(self) -> Iterator[Problem]:
        """Nothing is past its review date, nothing was reviewed in the future."""
        for label in ("statement", "disagreement"):
            for entry in getattr(self.content, f"{label}s").values():
                if entry.review_by < self.now:
                    message = f"review was due by {entry.review_by}"
                    yield self._problem(label, entry.id, "review_by", message, "review it and set both dates anew")
                if entry.last_reviewed > self.now:
                    yield self._problem(label, entry.id, "last_reviewed", "lies in the future", "set the day of the review")

    def conflicts(self) -> Iterator[Problem]:
        """Conflicts point to statements and back."""
        for s in self.content.statements.values():
            for other_id in s.conflicts:
                other = self.content.statements.get(other_id)
                if other is None:
                    yield self._problem("statement", s.id, "conflicts", f"no statement {other_id!r}", "correct the id")
                elif s.id not in other.conflicts:
                    message = f"{other_id!r} does not name it back"
                    yield self._problem("statement", s.id, "conflicts", message, f"add {s.id!r} to the conflicts of {other_id!r}")

    def disagreements(self) -> Iterator[Problem]:
        """A disagreement hangs on statements that exist."""
        for d in self.content.disagreements.values():
            for statement_id in d.statements:
                if statement_id not in self.content.statements:
                    message = f"no statement {statement_id!r}"
                    yield self._problem("disagreement", d.id, "statements", message, "correct the id")

    def phrasings(self) -> Iterator[Problem]:
        """At least four a statement, none that belongs to two, none that is another one in capitals."""
        owner: dict[tuple[str, str], str] = {}
        for s in self.content.statements.values():
            if len(s.phrasings.get("en", [])) < 4:
                message = f"{len(s.phrasings.get('en', []))} English phrasings"
                yield self._problem("statement", s.id, "phrasings.en", message, "write at least 4 ways a patient asks this")
            for lang, phrasings in s.phrasings.items():
                for phrasing in phrasings:
                    key = (lang, re.sub(r"\W+", " ", phrasing.lower()).strip())
                    if key in owner:
                        place = "stands twice here" if owner[key] == s.id else f"belongs to {owner[key]!r} too"
                        message = f"the phrasing {phrasing!r} {place}"
                        yield self._problem("statement", s.id, f"phrasings.{lang}", message, "keep it where it is answered best")
                    owner.setdefault(key, s.id)

    def lexicon(self) -> Iterator[Problem]:
        """Conditions, medicines, routes and aspects named by statements are in the lexicon; no name means two things."""
        names: dict[str, tuple[str, str]] = {}  # of all kinds and languages, as the Namer looks them up
        for kind in Lexicon.model_fields:
            entries = getattr(self.content.lexicon, kind)
            known = {e.id for e in entries}
            for e in entries:
                for name in itertools.chain(*e.names.values()):
                    first = names.setdefault(name, (kind, e.id))
                    if first != (kind, e.id):
                        message = f"{name!r} names {first[1]!r} too"
                        yield self._problem("lexicon", f"{kind}.{e.id}", "", message, "keep it in one entry")
                    if name != name.lower():
                        yield self._problem("lexicon", f"{kind}.{e.id}", "", f"{name!r} is never found", "write it in lower case")
            for s in self.content.statements.values():
                for value in getattr(s, kind):
                    if value not in known:
                        message = f"{value!r} is not in the lexicon"
                        yield self._problem("statement", s.id, kind, message, f"add it to {kind} in lexicon.yml or correct it")

    def duplicates(self) -> Iterator[Problem]:
        """No two statements say the same, unless they are linked as conflicting."""
        if self.embed is None or len(self.content.statements) < 2:
            return
        entries = list(self.content.statements.values())
        vectors = self.embed([s.text["en"] for s in entries])
        close = np.argwhere(np.triu(vectors @ vectors.T, 1) >= self.rules.near_duplicate)
        for i, j in close:
            a, b = entries[i], entries[j]
            if b.id in a.conflicts or set(a.regions) != set(b.regions):
                continue
            message = f"says nearly the same as {b.id!r} (cosine {float(vectors[i] @ vectors[j]):.2f})"
            yield self._problem("statement", a.id, "text.en", message, "merge them, or say how they differ")

    def facts_used(self) -> Iterator[Problem]:
        """Every usable fact is used or accounted for."""
        used = self._used()
        for fact in self.content.facts.values():
            if fact.display in ("core", "supporting") and fact.id not in used and fact.id not in self.content.unused_facts:
                message = "a usable fact that no statement uses"
                yield self._problem("fact", fact.id, "display", message, "use it, or give the reason in unused_facts.yml")
        for fact_id in self.content.unused_facts:
            if fact_id not in self.content.facts:
                yield self._problem("unused", fact_id, "", "no such fact", "remove the entry")
            elif fact_id in used:
                yield self._problem("unused", fact_id, "", "the fact is used after all", "remove the entry")

    def safety(self) -> Iterator[Problem]:
        """Safety rules, contacts and urgent wording load and are complete."""
        try:
            from knowledge.safety import content_problems

            yield from content_problems(self.root, self.now)
        except ImportError as error:
            # unheld rules must never look like kept ones
            yield Problem("safety", 0, "all", f"the safety rules cannot be held: {error}", "repair or install what is missing")

    def _used(self) -> set[str]:
        used = {f for s in self.content.statements.values() for f in s.facts}
        return used | {f for d in self.content.disagreements.values() for p in d.positions for f in p.facts}

    # -- figures -----------------------------------------------------------------------------------------------------

    def _figures(self, report: Report) -> None:
        c = self.content
        usable = {f.id for f in c.facts.values() if f.display in ("core", "supporting")}
        used = self._used() & usable
        languages = Counter(lang for s in c.statements.values() for lang in s.text)
        report.per_topic = {t: sum(s.topic == t for s in c.statements.values()) for t in TOPICS}
        with_bottom = {s.topic for s in c.statements.values() if s.bottom_line}
        report.figures = {
            "statements": len(c.statements),
            "statements by language": dict(languages),
            "phrasings": sum(len(p) for s in c.statements.values() for p in s.phrasings.values()),
            "phrasings per statement (min)": min((len(s.phrasings.get("en", ())) for s in c.statements.values()), default=0),
            "sources": len(c.sources),
            "usable facts": len(usable),
            "usable facts used": len(used),
            "usable facts accounted for": len(usable & set(c.unused_facts)),
            "statements without fact link": sum(not s.facts for s in c.statements.values()),
            "topics without bottom line": len(set(TOPICS) - with_bottom),
            "disagreements": len(c.disagreements),
            "median grade": round(statistics.median(self.grades), 1) if self.grades else None,
            "maximum grade": round(max(self.grades), 1) if self.grades else None,
            "mean sentence (words)": round(statistics.mean(self.sentence_words), 1) if self.sentence_words else None,
            "dose patterns": self.dose_hits,
            "signed": len(Signatures(c, self.root).signed()),
        }
        limits = self.rules.reading.en
        if self.grades and statistics.median(self.grades) > limits.median_grade:
            message = f"median reading grade {statistics.median(self.grades):.1f}"
            report.problems.append(Problem("statements", 0, "all", message, f"{limits.median_grade} at most"))
        if self.sentence_words and statistics.mean(self.sentence_words) > limits.mean_sentence_words:
            message = f"mean sentence {statistics.mean(self.sentence_words):.1f} words"
            report.problems.append(Problem("statements", 0, "all", message, f"{limits.mean_sentence_words} at most"))


def _typed(text: str) -> str:
    """As a keyboard types it: patterns know neither curly apostrophes nor unusual or invisible blanks."""
    return clean(text).translate(_TYPED)


def _numbers(text: str, words: bool) -> set[str]:
    """Numbers of a text as plain digits; with `words`, number words count too (for facts, not for statements)."""
    found = {_plain_number(n) for n in _NUMBER.findall(text)}
    if words:
        found |= {_WORD_NUMBERS[w] for w in re.findall(r"[a-z]+", text.lower()) if w in _WORD_NUMBERS}
    return found


def _plain_number(number: str) -> str:
    if re.fullmatch(r"\d{1,3}(,\d{3})+", number):
        return number.replace(",", "")
    number = number.replace(",", ".")
    return number.rstrip("0").rstrip(".") if "." in number else number


def inflesz(text: str) -> float:
    """INFLESZ (Barrio-Cantalejo 2008): 206.835 - 62.3 * syllables/words - words/sentences."""
    words = re.findall(r"[a-záéíóúüñ]+", text.lower())
    sentences = max(1, len([s for s in re.split(r"[.!?:;]+", text) if s.strip()]))
    syllables = sum(_spanish_syllables(w) for w in words)
    return 206.835 - 62.3 * syllables / max(1, len(words)) - len(words) / sentences


def _spanish_syllables(word: str) -> int:
    """Vowel groups, with hiatus of strong vowels and accented weak ones counted apart."""
    strong, weak, count, previous = "aeoáéó", "iuü", 0, ""
    for letter in word:
        if letter in strong or letter in "íú":
            count += 1 if not (previous and previous in weak) else (0 if letter not in "íú" else 1)
            if previous and previous in weak and letter in strong:
                count += 0
            previous = letter
        elif letter in weak:
            count += 0 if previous and previous in strong + "íú" + weak else 1
            previous = letter
        else:
            previous = ""
    return max(1, count)


def check(root: Path = CONTENT, embed: Embed | None = None, now: dt.date | None = None) -> tuple[Content, Report]:
    """Read and check one content folder.

    Returns:
        What could be read, and every problem. What could not be read stands first: rules broken for want of it follow.

    Raises:
        ContentError: when wording/checks.yml cannot be read, so that no rule can be held.

    """
    content, unread = Content.read(root)
    try:
        report = Checker(content, root, embed, now).run()
    except ContentError as error:
        raise ContentError([*unread, *error.problems]) from error
    report.problems = [*unread, *report.problems]
    return content, report
