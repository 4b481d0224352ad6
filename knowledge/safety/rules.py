"""The rules a clinician reads and edits, as typed models, and how they are matched.

One file of rules looks like this::

    category: crisis_suicide
    language: en
    rules:
      - id: su-en-want-to-die
        who: anyone
        when: any
        phrases: ["i [really] want to (die|be dead)"]
        excludes: [idiom]
        not: ["want to die laughing"]
        why: The plainest way to say it.
        reviewed: null

`phrases` are written in the language of phrases.py; `patterns` hold raw RE2 for what phrases cannot say; `together`
holds groups that must all occur near each other, in any order, also across sentences and messages. `excludes`
names contexts of contexts_en.yml or contexts_es.yml (negation, past, research …); `not` (overlapping the hit) and `unless`
(anywhere in its sentence) are contexts of this rule alone.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, TypeVar

import re2
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from knowledge.safety.errors import SafetyContentError
from knowledge.safety.normalise import Spellings, fold, words_of
from knowledge.safety.phrases import Expander, Needs, PhraseError
from knowledge.safety.prefilter import Prefilter, places

__all__ = [
    "CATEGORIES", "Compiled", "Context", "ContextFile", "Hit", "Language", "Rule", "RuleFile", "RuleSet",
    "load_lists", "load_protect", "load_spellings", "read_yaml",
]  # fmt: skip

M = TypeVar("M", bound=BaseModel)
Language = Literal["en", "es"]
LANGUAGES: tuple[Language, ...] = ("en", "es")
CATEGORIES = (
    "crisis_suicide", "medical_emergency", "overdose", "postinfusion_emergency", "abuse_danger", "child_exposure",
)  # fmt: skip
Reason = Literal["dose", "supply", "misuse", "eligibility", "diagnosis", "medicine_change", "other_personal"]
Subject = Literal["self", "other", "child", "anyone"]

# What `when` adds to a rule's own excludes: a danger that must be there now is not one that is long past or imagined.
_WHEN_EXCLUDES: Mapping[str, tuple[str, ...]] = {"now": ("past", "hypothetical"), "recent": ("past",), "any": ()}
_AROUND = 300  # characters to each side of a hit that a context of scope `message` reads
_MOST_HITS = 12  # Hits looked at per phrase; more of the same add nothing.


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """One rule.

    Attributes:
        id: unique over all files.
        who: whom it is about; `anyone` lets the screen look at the words around.
        when: `now` (adds the contexts past and hypothetical), `recent` (adds past) or `any`.
        phrases: phrases, any one of which is a hit.
        patterns: RE2 expressions over the normalised text, any one of which is a hit.
        together: groups of phrases; all groups must occur within `within` words.
        within: size of that neighbourhood, in words.
        excludes: names of contexts in which a hit does not count.
        not_: phrases of this rule alone that, overlapping a hit, undo it.
        unless: phrases of this rule alone that undo a hit from anywhere in the same sentence.
        weak: the words mostly mean danger but stand in ordinary messages as well; while there is a classifier it must not
            speak against the hit (see screen.py).
        danger_sign: the hit is itself a sign that somebody's life is in danger (breathing, waking …).
        topics: for `soon` rules, the contract topics whose statements belong to it.
        reason: for decline rules, the contract's reason.
        why: why the rule is there.
        reviewed: who reviewed it and when; null until a clinician has.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")
    who: Subject = "anyone"
    when: Literal["now", "recent", "any"] = "any"
    phrases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    within: int = Field(default=30, ge=2, le=80)
    excludes: tuple[str, ...] = ()
    not_: tuple[str, ...] = Field(default=(), alias="not")
    unless: tuple[str, ...] = ()
    weak: bool = False
    danger_sign: bool = False
    topics: tuple[str, ...] = ()
    reason: Reason | None = None
    why: str = Field(min_length=8)
    reviewed: str | None

    @model_validator(mode="after")
    def _has_something_to_match(self) -> Rule:
        if not (self.phrases or self.patterns or self.together):
            raise ValueError("the rule has no phrases, no patterns and no together")
        if self.together and len(self.together) < 2:
            raise ValueError("together needs at least two groups")
        return self


class RuleFile(_Strict):
    """One YAML file of rules, all of one category and language."""

    category: str = Field(min_length=2)
    language: Language
    rules: tuple[Rule, ...] = Field(min_length=1)


class Context(_Strict):
    """Words around a hit that change what it means.

    Attributes:
        id: the name rules use.
        scope: `before` – within `reach` words before the hit, same sentence; `hit` – overlapping the hit;
            `sentence` – anywhere in a sentence the hit touches; `message` – in the sentences near it too.
        reach: words between the context and the hit, for `before`.
        gap: for `before`, the only words that may stand between; empty means any. Keeps "it doesn't work, I will …" from
            being read as a negation of what follows.
        danger_only: in a `together` rule, look only at its last group, which names the danger.
        unless: phrases that, in the same place, undo the context ("not sure if").
        everywhere: categories all of whose rules exclude it without naming it.
    """

    id: str = Field(pattern=r"^[a-z_]+$")
    scope: Literal["before", "hit", "sentence", "message"]
    reach: int = Field(default=3, ge=0, le=12)
    gap: tuple[str, ...] = ()
    danger_only: bool = False
    phrases: tuple[str, ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()
    everywhere: tuple[str, ...] = ()
    why: str = Field(min_length=8)


class ContextFile(_Strict):
    """contexts_en.yml and contexts_es.yml."""

    language: Language
    contexts: tuple[Context, ...] = Field(min_length=1)


class _ListFile(_Strict):
    language: Language
    lists: dict[str, tuple[str, ...]]


class _SpellingFile(_Strict):
    always: dict[str, str]
    spanish: dict[str, str]
    spanish_signs: tuple[str, ...]


# -- reading ------------------------------------------------------------------------------------------------------


def read_yaml(file: Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        SafetyContentError: when the file is missing, unreadable or not YAML.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SafetyContentError(file, None, None, f"cannot be read ({error}).", "restore the file, as UTF-8.") from error
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader subclass)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark else None
        raise SafetyContentError(file, None, line, "is not YAML.", "check indentation, colons and quotes there.") from error


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader without YAML 1.1's yes/no/on/off: in these files "no" is a word that patients write."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")]
    for first, resolvers in getattr(yaml, "CSafeLoader", yaml.SafeLoader).yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile(r"^(?:true|false)$"), list("tf"))


def validated(model: type[M], file: Path, data: Any) -> M:
    """Return `data` as `model`.

    Raises:
        SafetyContentError: naming the file, the rule, the field and the mend.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        item, where = _locate(data, first["loc"])
        problem = first["msg"].removeprefix("Value error, ") + "."
        mends = {"extra_forbidden": "remove the field or correct its name.", "missing": "add the field."}
        raise SafetyContentError(file, item, where, problem, mends.get(first["type"], "correct the value; see the other entries.")) from error


def _locate(data: Any, loc: Sequence[str | int]) -> tuple[str | None, str | None]:
    item: str | None = None
    here = data
    for step in loc:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            break
        if isinstance(here, dict) and isinstance(here.get("id"), str):
            item = here["id"]
    names = [str(step) for step in loc if isinstance(step, str)]
    if item is None and loc and any(isinstance(step, int) for step in loc):
        item = f"entry {next(step for step in loc if isinstance(step, int)) + 1}"
    return item, names[-1] if names else None


def load_spellings(file: Path) -> Spellings:
    """Read spellings.yml.

    Raises:
        SafetyContentError: when it is broken.
    """
    table = validated(_SpellingFile, file, read_yaml(file))
    return Spellings.from_table(table.always, table.spanish, table.spanish_signs)


def load_lists(file: Path) -> Mapping[str, tuple[str, ...]]:
    """Read the word lists of one language (lists_en.yml).

    Raises:
        SafetyContentError: when it is broken.
    """
    return validated(_ListFile, file, read_yaml(file)).lists


def load_protect(file: Path) -> frozenset[str]:
    """Read the protect list: one ordinary word a line, `#` starts a comment.

    Raises:
        SafetyContentError: when the file is missing.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SafetyContentError(file, None, None, f"cannot be read ({error}).", "restore the file, as UTF-8.") from error
    return frozenset(fold(w) for line in lines for w in line.split("#")[0].split())


# -- matching -----------------------------------------------------------------------------------------------------

_OPTIONS = re2.Options()
_OPTIONS.max_mem = 64 << 20
_OPTIONS.never_capture = True
_OPTIONS.log_errors = False


def _compile(expression: str) -> Any:
    return re2.compile(expression, _OPTIONS)


@dataclass(frozen=True)
class Hit:
    """A rule that matched.

    Attributes:
        rule: the rule.
        category: its category (or decline reason).
        language: its language.
        span: start and end in the view.
        words: the matched words.
    """

    rule: Rule
    category: str
    language: Language
    span: tuple[int, int]
    words: str


@dataclass(frozen=True)
class _Ready:
    context: Context
    find: Any
    unless: Any | None


@dataclass(frozen=True)
class Compiled:
    """A rule with its compiled expressions.

    Attributes:
        parts: the expressions of the rule's own phrases and patterns, then those of each of its groups.
        needs: for each of them, the words it needs.
    """

    rule: Rule
    category: str
    language: Language
    parts: tuple[tuple[Any, ...], ...]
    needs: tuple[tuple[Needs, ...], ...]
    undo: Any | None
    unless: Any | None
    contexts: tuple[_Ready, ...]

    def hits(self, view: bytes, possible: Sequence[Sequence[int]]) -> Iterator[Hit]:
        """Yield the first hit in `view` that no context undoes, of the phrases and of the groups.

        Args:
            view: a view in ASCII; matching bytes spares RE2's wrapper the counting of characters.
            possible: for each of `parts` the places of the expressions to try.
        """
        for span in self._spans(view, 0, possible[0]):
            hit = self._unless_excluded(view, [span])
            if hit:
                yield hit
                break
        if len(possible) > 1 and all(possible[1:]):
            found: dict[int, list[tuple[int, int]]] = {}
            # the group with the fewest candidates first: it is the likeliest to be missing
            for part in sorted(range(1, len(possible)), key=lambda part: len(possible[part])):
                found[part] = self._spans(view, part, possible[part])
                if not found[part]:
                    return
            for near in _near(view, [found[part] for part in range(1, len(possible))], self.rule.within):
                hit = self._unless_excluded(view, near)
                if hit:
                    yield hit
                    return

    def _spans(self, view: bytes, part: int, possible: Sequence[int]) -> list[tuple[int, int]]:
        expressions = self.parts[part]
        spans = [m.span() for at in possible for m in islice(expressions[at].finditer(view), _MOST_HITS)]
        spans.sort(key=itemgetter(0))
        return spans

    def _unless_excluded(self, view: bytes, spans: list[tuple[int, int]]) -> Hit | None:
        start, end = min(s for s, _ in spans), max(e for _, e in spans)
        for span in spans:
            low, high = _sentence(view, span)
            sentence = view[low:high]
            here = span[0] - low, span[1] - low
            around = view[max(0, span[0] - _AROUND) : span[1] + _AROUND]
            if self.undo is not None and _overlaps(self.undo, sentence, here):
                return None
            if self.unless is not None and self.unless.search(b" " + sentence):
                return None
            for ready in self.contexts:
                if (span == spans[-1] or not ready.context.danger_only) and _applies(ready, around, sentence, here):
                    return None
        return Hit(self.rule, self.category, self.language, (start, end), view[start:end].decode().strip())


def _near(view: bytes, found: list[list[tuple[int, int]]], within: int) -> Iterator[list[tuple[int, int]]]:
    for anchor in found[0]:
        chosen = [anchor]
        for spans in found[1:]:
            chosen.append(min(spans, key=lambda s: abs(s[0] - anchor[0])))
        start, end = min(s for s, _ in chosen), max(e for _, e in chosen)
        if view.count(b" ", start, end) <= within + 1:
            yield chosen


def _sentence(view: bytes, span: tuple[int, int]) -> tuple[int, int]:
    """Return the bounds of the sentence(s) that `span` touches, at most 400 characters to each side."""
    low, high = max(0, span[0] - 400), min(len(view), span[1] + 400)
    start = max(view.rfind(b" . ", low, span[0] + 1), view.rfind(b" ? ", low, span[0] + 1))
    start = start + 2 if start >= 0 else low
    ends = [e for e in (view.find(b" . ", max(span[1] - 1, 0), high), view.find(b" ? ", max(span[1] - 1, 0), high)) if e >= 0]
    return start, min(ends) + 3 if ends else high


def _overlaps(find: Any, sentence: bytes, span: tuple[int, int]) -> bool:
    return any(m.start() < span[1] - 1 and m.end() > span[0] + 1 for m in find.finditer(sentence))


def _applies(ready: _Ready, around: bytes, sentence: bytes, span: tuple[int, int]) -> bool:
    """Say whether a context holds for the hit at `span` of its `sentence`."""
    scope = ready.context.scope
    if scope == "message":
        part = around
    elif scope == "before":
        # A hit begins at the space before its first word; the words before it end with that space.
        part = sentence[: span[0] + 1]
    else:
        if scope == "hit" and not _overlaps(ready.find, sentence, span):
            return False
        part = sentence
    if not part.startswith(b" "):
        part = b" " + part
    if ready.unless is None:
        return scope == "hit" or ready.find.search(part) is not None
    return (scope == "hit" or ready.find.search(part) is not None) and ready.unless.search(part) is None


class RuleSet:
    """All rules of some files, compiled, with the vocabulary they are made of.

    Args:
        compiled: the rules, in the order of the files.
        uses: for each language, how often each word stands in them.
        contexts: the compiled contexts by (language, id), for tests and explanations.
    """

    def __init__(self, compiled: Sequence[Compiled], uses: Mapping[str, Mapping[str, int]], contexts: Mapping[tuple[str, str], _Ready]) -> None:
        self.compiled = tuple(compiled)
        self.uses = uses
        self.vocabulary = frozenset().union(*uses.values())
        self.contexts = contexts
        self._places = [(one, part, at) for one in self.compiled for part, needs in enumerate(one.needs) for at in range(len(needs))]
        self._groups: list[tuple[int, ...]] = []  # the masks of the groups of each rule that has some
        size = 0
        for one in self.compiled:
            masks = []
            for part in one.needs:
                masks.append(((1 << len(part)) - 1) << size)
                size += len(part)
            if len(masks) > 1:
                self._groups.append(tuple(masks[1:]))
        self._prefilter = Prefilter([needs for one in self.compiled for part in one.needs for needs in part])

    @classmethod
    def load(cls, content: Path, files: Iterable[Path], spellings: Spellings) -> RuleSet:
        """Read rule files together with the lists and contexts of both languages.

        Args:
            content: the folder content/safety.
            files: the rule files to read.
            spellings: the table that messages are spelt with.

        Raises:
            SafetyContentError: naming file, rule, field and mend.
        """

        @functools.cache  # rules say the same words many times over
        def respell(text: str) -> list[str]:
            return spellings.apply(words_of(text))

        expanders: dict[str, Expander] = {}
        contexts: dict[tuple[str, str], _Ready] = {}
        for language in LANGUAGES:
            expanders[language] = Expander(load_lists(content / f"lists_{language}.yml"), respell)
            file = content / f"contexts_{language}.yml"
            for context in validated(ContextFile, file, read_yaml(file)).contexts:
                contexts[language, context.id] = _ready(file, context, expanders[language])
        compiled: list[Compiled] = []
        seen: dict[str, Path] = {}
        for file in files:
            parsed = validated(RuleFile, file, read_yaml(file))
            for rule in parsed.rules:
                if rule.id in seen:
                    raise SafetyContentError(file, rule.id, "id", f"the id is used already in {seen[rule.id].name}.", "give the rule its own id.")
                seen[rule.id] = file
                compiled.append(_compile_rule(file, parsed, rule, expanders[parsed.language], contexts))
        return cls(compiled, {language: expander.uses for language, expander in expanders.items()}, contexts)

    def hits(self, view: str) -> Iterator[Hit]:
        """Yield the hits of every rule in `view`, in the order of the files."""
        mask = self._prefilter.possible(view.split())
        for groups in self._groups:
            if not all(mask & group for group in groups):
                for group in groups:
                    mask &= ~group
        if not mask:
            return
        encoded = view.encode("ascii", "replace")
        rule: Compiled | None = None
        possible: list[list[int]] = []
        for bit in places(mask):
            owner, part, at = self._places[bit]
            if owner is not rule:
                if rule is not None:
                    yield from rule.hits(encoded, possible)
                rule, possible = owner, [[] for _ in owner.parts]
            possible[part].append(at)
        if rule is not None:
            yield from rule.hits(encoded, possible)

    def first(self, view: str) -> Hit | None:
        """Return the first hit in file order, or None."""
        return next(self.hits(view), None)


def _ready(file: Path, context: Context, expander: Expander) -> _Ready:
    try:
        find = expander.any_of(context.phrases)
        between = expander.any_of(context.gap) if context.gap else "(?:[a-z0-9]+ )"
        tail = f"{between}{{0,{context.reach}}}$" if context.scope == "before" else ""
        unless = _compile(" " + expander.any_of(context.unless)) if context.unless else None
        return _Ready(context, _compile(f"(?: |^){find}{tail}"), unless)
    except PhraseError as error:
        raise SafetyContentError(file, context.id, "phrases", f"{error}.", "correct the phrase.") from error
    except re2.error as error:
        raise SafetyContentError(file, context.id, "phrases", f"RE2 refuses it ({error}).", "simplify the phrase.") from error


def _compile_rule(file: Path, parsed: RuleFile, rule: Rule, expander: Expander, contexts: Mapping[tuple[str, str], _Ready]) -> Compiled:
    field = "phrases"
    try:
        alone = [_compile(_anchored(expander.phrase(p))) for p in rule.phrases]
        needs = [tuple(expander.needs(p) for p in rule.phrases) + ((),) * len(rule.patterns)]
        field = "patterns"
        parts = [(*alone, *(_compile(pattern) for pattern in rule.patterns))]
        field = "together"
        for group in rule.together:
            parts.append(tuple(_compile(_anchored(expander.phrase(p))) for p in group))
            needs.append(tuple(expander.needs(p) for p in group))
        field = "not"
        undo = _compile("|".join(_anchored(expander.phrase(p)) for p in rule.not_)) if rule.not_ else None
        field = "unless"
        unless = _compile("|".join(_anchored(expander.phrase(p)) for p in rule.unless)) if rule.unless else None
    except PhraseError as error:
        raise SafetyContentError(file, rule.id, field, f"{error}.", "correct the phrase.") from error
    except re2.error as error:
        raise SafetyContentError(
            file, rule.id, field, f"RE2 refuses it ({error}).", "no look-around and no back-reference; use excludes or not."
        ) from error
    everywhere = (name for (lang, name), one in contexts.items() if lang == parsed.language and parsed.category in one.context.everywhere)
    names = dict.fromkeys((*_WHEN_EXCLUDES[rule.when], *rule.excludes, *everywhere))
    ready = []
    for name in names:
        if (parsed.language, name) not in contexts:
            known = ", ".join(sorted(i for lang, i in contexts if lang == parsed.language))
            raise SafetyContentError(file, rule.id, "excludes", f"there is no context {name!r}.", f"use one of: {known}.")
        ready.append(contexts[parsed.language, name])
    return Compiled(rule, parsed.category, parsed.language, tuple(parts), tuple(needs), undo, unless, tuple(ready))


def _anchored(expression: str) -> str:
    """A phrase starts at the beginning of a word, which is after a space."""
    return expression if expression.startswith("(?:^ ") else " " + expression
