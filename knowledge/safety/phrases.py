"""The small phrase language of the safety files.

A clinician writes ``i [really] want to (die|be dead)``; this module turns it into an RE2 expression over the normalised
text (see normalise.py), in which every word is followed by one space.

    word            that word
    word*           any word that starts so
    (a|b c|d)       one of these
    [a]             may stand there or not; [a|b] works as well
    <name>          any phrase of the word list `name` in lists_en.yml or lists_es.yml
    ~               up to two words of any kind
    ...             up to eight words of any kind, also into the next sentence
    #               a number in digits
    <age>           a number below 18, in digits or words
    <180-259>       a number in digits from 180 to 259
    ?               a question mark
    ^  $            the message starts or ends here

RE2 matches in linear time by construction; what it refuses is an error when the file is loaded.

Next to the expression stands what it *needs*: sets of words, of each of which at least one must be in the text for the
phrase to match. prefilter.py leaves out rules by them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

__all__ = ["PhraseError", "Expander", "Needs"]

Needs = tuple[frozenset[str], ...]

_TOKEN = re.compile(r"\.\.\.|<[a-z0-9_-]+>|[()\[\]|~#?^$]|[^\W_][\w'’´-]*\*?", re.UNICODE)
_MINORS = (
    "(?:[0-9]|1[0-7]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    "seventeen|un|uno|una|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince) "
)
_MINOR_WORDS = frozenset({"#", *re.findall(r"[a-z]+", _MINORS)})
_MOST_NEEDS = 4
# Words so common that needing them says little; the rest count as rare.
_COMMON_WORDS = (
    "i a am an and are at be but can cant do dont for from get had has have he her his how if in is it just like me more my no not of on one or "
    "our out she so some that the their them they this to too up was we what when will with you your now after pain ketamine infusion "
    "de el en es esta estoy ha he la las lo los me mi mucho muy no para pero por que se si su te tengo un una y ya con al del"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_RANGE = re.compile(r"([0-9]{1,4})-([0-9]{1,4})")
_GAP = {"~": "(?:[a-z0-9]+ ){0,2}", "...": "(?:[a-z0-9.?]+ ){0,8}"}


class PhraseError(ValueError):
    """A phrase that cannot be read; says why."""


class Expander:
    """Compiles phrases; keeps the word lists and collects the vocabulary used.

    Args:
        lists: name → phrases, which may themselves use lists.
        respell: spells contractions and slang the way messages are spelt (words → words).
    """

    def __init__(self, lists: Mapping[str, Sequence[str]], respell: Callable[[str], list[str]]) -> None:
        self._lists = lists
        self._respell = respell
        self._done: dict[str, tuple[str, Needs]] = {"age": (_MINORS, (_MINOR_WORDS,))}
        self._open: list[str] = []
        self.uses: Counter[str] = Counter()

    @property
    def vocabulary(self) -> set[str]:
        """The words of all phrases read so far; `uses` says how often each was."""
        return set(self.uses)

    def phrase(self, phrase: str) -> str:
        """Return the expression for one phrase, without anchors; every word in it eats its trailing space.

        Raises:
            PhraseError: on an unknown list, an unbalanced bracket or an empty phrase.
        """
        return self._read(phrase)[0]

    def needs(self, phrase: str) -> Needs:
        """Return sets of words, of each of which at least one stands in every text that `phrase` matches; rarest first.

        "#" stands for any number in digits, "word*" for any word that starts so. Empty where nothing can be said.

        Raises:
            PhraseError: as `phrase`.
        """
        return self._read(phrase)[1]

    def _read(self, phrase: str) -> tuple[str, Needs]:
        tokens = _TOKEN.findall(phrase)
        if re.sub(r"[\s,.;:!\"¿¡/—–-]+", "", _TOKEN.sub("", phrase)):
            raise PhraseError(f"cannot read {_TOKEN.sub('', phrase).strip()!r} in {phrase!r}")
        if not tokens:
            raise PhraseError("the phrase is empty")
        expression, needs, at = self._alternatives(tokens, 0, None, phrase)
        if at != len(tokens):
            raise PhraseError(f"a bracket is closed that was not opened in {phrase!r}")
        return expression, needs

    def any_of(self, phrases: Sequence[str]) -> str:
        """Return the expression for any one of `phrases`."""
        return "(?:" + "|".join(self.phrase(p) for p in phrases) + ")"

    def named(self, name: str) -> str:
        """Return the expression for the word list `name`.

        Raises:
            PhraseError: when the list is unknown or refers to itself.
        """
        return self._named(name)[0]

    def _named(self, name: str) -> tuple[str, Needs]:
        if bounds := _RANGE.fullmatch(name):
            numbers = [str(n) for n in range(int(bounds[1]), int(bounds[2]) + 1)]
            if not numbers:
                raise PhraseError(f"no number lies in <{name}>")
            return f"(?:{'|'.join(numbers)}) ", (frozenset("#"),)
        if name not in self._done:
            if name not in self._lists:
                raise PhraseError(f"there is no word list <{name}>")
            if name in self._open:
                raise PhraseError(f"the word list <{name}> refers to itself")
            self._open.append(name)
            try:
                read = [self._read(p) for p in self._lists[name]]
                self._done[name] = "(?:" + "|".join(e for e, _ in read) + ")", _any_of_needs([n for _, n in read])
            finally:
                self._open.pop()
        return self._done[name]

    def _alternatives(self, tokens: list[str], at: int, closer: str | None, phrase: str) -> tuple[str, Needs, int]:
        branches: list[tuple[str, Needs]] = []
        parts: list[str] = []
        needs: list[frozenset[str]] = []
        words: list[str] = []

        def flush() -> None:
            if words:
                for word in self._respell(" ".join(words)):
                    self.uses[word] += 1
                    parts.append(f"{word} ")
                    needs.append(frozenset({word}))
                words.clear()

        def end_branch() -> None:
            flush()
            branches.append(("".join(parts), _rarest(needs)))
            parts.clear()
            needs.clear()

        while at < len(tokens):
            token = tokens[at]
            if token in (")", "]"):
                if token != closer:
                    raise PhraseError(f"brackets do not match in {phrase!r}")
                end_branch()
                return *self._joined(branches, phrase), at + 1
            if token in ("(", "["):
                flush()
                inner, inner_needs, at = self._alternatives(tokens, at + 1, ")" if token == "(" else "]", phrase)
                parts.append(inner + ("?" if token == "[" else ""))
                if token == "(":
                    needs.extend(inner_needs)
                continue
            if token == "|":
                end_branch()
            elif token in _GAP:
                flush()
                parts.append(_GAP[token])
            elif token == "#":
                flush()
                parts.append("[0-9]+ ")
                needs.append(frozenset("#"))
            elif token == "?":
                flush()
                parts.append(r"\? ")
                needs.append(frozenset("?"))
            elif token == "^":
                flush()
                parts.append("^ ")
            elif token == "$":
                flush()
                parts.append(r"(?:[.?] )*$")
            elif token.startswith("<"):
                flush()
                inner, inner_needs = self._named(token[1:-1])
                parts.append(inner)
                needs.extend(inner_needs)
            elif token.endswith("*"):
                flush()
                stem = "".join(self._respell(token[:-1]))
                parts.append(f"{stem}[a-z]* ")
                if len(stem) >= 3:  # shorter ones begin too many words to be worth looking up
                    needs.append(frozenset({f"{stem}*"}))
            else:
                words.append(token)
            at += 1
        if closer is not None:
            raise PhraseError(f"a bracket is not closed in {phrase!r}")
        end_branch()
        return *self._joined(branches, phrase), at

    @staticmethod
    def _joined(branches: list[tuple[str, Needs]], phrase: str) -> tuple[str, Needs]:
        if any(not expression for expression, _ in branches):
            raise PhraseError(f"an alternative is empty in {phrase!r}")
        return "(?:" + "|".join(expression for expression, _ in branches) + ")", _any_of_needs([needs for _, needs in branches])


def _rarest(needs: Sequence[frozenset[str]]) -> Needs:
    """Return the few of `needs` that say most, without repeats."""
    if len(needs) < 2:  # nearly always
        return tuple(needs)
    return tuple(sorted(dict.fromkeys(needs), key=_commonness)[:_MOST_NEEDS])


def _commonness(words: frozenset[str]) -> tuple[int, int]:
    return sum(25 if word in _COMMON else 1 for word in words), len(words)


def _any_of_needs(branches: Sequence[Needs]) -> Needs:
    """Return what a choice between `branches` needs: a word of one of them, for their first needs, their second …"""
    if len(branches) == 1:
        return branches[0]
    if not all(branches):
        return ()
    most = max(map(len, branches))
    return _rarest([frozenset().union(*(needs[min(at, len(needs) - 1)] for needs in branches)) for at in range(most)])
