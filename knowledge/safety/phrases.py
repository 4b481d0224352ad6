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
    ?               a question mark
    ^  $            the message starts or ends here

RE2 matches in linear time by construction; what it refuses is an error when the file is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

__all__ = ["PhraseError", "Expander"]

_TOKEN = re.compile(r"\.\.\.|<[a-z0-9_]+>|[()\[\]|~#?^$]|[^\W_][\w'’´-]*\*?", re.UNICODE)
_MINORS = (
    "(?:[0-9]|1[0-7]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|"
    "seventeen|un|uno|una|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince) "
)
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
        self._done: dict[str, str] = {"age": _MINORS}
        self._open: list[str] = []
        self.vocabulary: set[str] = set()

    def phrase(self, phrase: str) -> str:
        """Return the expression for one phrase, without anchors; every word in it eats its trailing space.

        Raises:
            PhraseError: on an unknown list, an unbalanced bracket or an empty phrase.
        """
        tokens = _TOKEN.findall(phrase)
        if re.sub(r"[\s,.;:!\"¿¡/—–-]+", "", _TOKEN.sub("", phrase)):
            raise PhraseError(f"cannot read {_TOKEN.sub('', phrase).strip()!r} in {phrase!r}")
        if not tokens:
            raise PhraseError("the phrase is empty")
        expression, at = self._alternatives(tokens, 0, None, phrase)
        if at != len(tokens):
            raise PhraseError(f"a bracket is closed that was not opened in {phrase!r}")
        return expression

    def any_of(self, phrases: Sequence[str]) -> str:
        """Return the expression for any one of `phrases`."""
        return "(?:" + "|".join(self.phrase(p) for p in phrases) + ")"

    def named(self, name: str) -> str:
        """Return the expression for the word list `name`.

        Raises:
            PhraseError: when the list is unknown or refers to itself.
        """
        if name not in self._done:
            if name not in self._lists:
                raise PhraseError(f"there is no word list <{name}>")
            if name in self._open:
                raise PhraseError(f"the word list <{name}> refers to itself")
            self._open.append(name)
            try:
                self._done[name] = self.any_of(self._lists[name])
            finally:
                self._open.pop()
        return self._done[name]

    def _alternatives(self, tokens: list[str], at: int, closer: str | None, phrase: str) -> tuple[str, int]:
        branches: list[str] = []
        parts: list[str] = []
        words: list[str] = []

        def flush() -> None:
            if words:
                for word in self._respell(" ".join(words)):
                    self.vocabulary.add(word)
                    parts.append(f"{word} ")
                words.clear()

        while at < len(tokens):
            token = tokens[at]
            if token in (")", "]"):
                if token != closer:
                    raise PhraseError(f"brackets do not match in {phrase!r}")
                flush()
                branches.append("".join(parts))
                return self._joined(branches, phrase), at + 1
            if token in ("(", "["):
                flush()
                inner, at = self._alternatives(tokens, at + 1, ")" if token == "(" else "]", phrase)
                parts.append(inner + ("?" if token == "[" else ""))
                continue
            if token == "|":
                flush()
                branches.append("".join(parts))
                parts = []
            elif token in _GAP:
                flush()
                parts.append(_GAP[token])
            elif token == "#":
                flush()
                parts.append("[0-9]+ ")
            elif token == "?":
                flush()
                parts.append(r"\? ")
            elif token == "^":
                flush()
                parts.append("^ ")
            elif token == "$":
                flush()
                parts.append(r"(?:[.?] )*$")
            elif token.startswith("<"):
                flush()
                parts.append(self.named(token[1:-1]))
            elif token.endswith("*"):
                flush()
                stem = "".join(self._respell(token[:-1]))
                parts.append(f"{stem}[a-z]* ")
            else:
                words.append(token)
            at += 1
        if closer is not None:
            raise PhraseError(f"a bracket is not closed in {phrase!r}")
        flush()
        branches.append("".join(parts))
        return self._joined(branches, phrase), at

    @staticmethod
    def _joined(branches: list[str], phrase: str) -> str:
        if any(not branch for branch in branches):
            raise PhraseError(f"an alternative is empty in {phrase!r}")
        return "(?:" + "|".join(branches) + ")"
