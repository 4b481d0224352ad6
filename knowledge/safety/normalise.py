"""From what a frightened person types to words a rule can match.

A message arrives with typos, slang, emoji, letters from other alphabets, or on purpose in a form that filters miss.
This module turns it into one or a few *views*: lower-case ASCII words separated by single spaces, with `.` and `?` kept
as words of their own because rules may not reach across sentences. The first view holds only changes that cannot
invent a word (folding, contractions, slang spellings, letters put together again). The others also repair typos
towards the words the rules use; they exist only when they differ.

Everything here is linear in the length of the text and raises nothing on any ``str``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

__all__ = ["Normaliser", "Spellings", "fold", "words_of"]

_MOST_REPAIRS = 3  # words tried for one slip
_MAX_WORD = 40  # A longer run of letters is not a word; cutting it keeps the work per word bounded.

# Letters of other alphabets that are drawn like Latin ones. NFKC already takes care of full-width and mathematical
# letters. Folding real Russian or Greek this way yields nonsense, which is harmless here: language is guessed
# from the raw text.
_LOOK_ALIKE = str.maketrans(
    {
        "а": "a", "ә": "a", "в": "b", "ь": "b", "с": "c", "ԁ": "d", "е": "e", "ё": "e", "є": "e", "ҽ": "e",
        "ғ": "f", "ɡ": "g", "һ": "h", "н": "h", "і": "i", "ї": "i", "ӏ": "l", "ј": "j", "к": "k", "ӄ": "k",
        "м": "m", "п": "n", "ո": "n", "о": "o", "ө": "o", "օ": "o", "р": "p", "ԛ": "q", "г": "r", "ѕ": "s",
        "т": "t", "ц": "u", "υ": "u", "ս": "u", "ѵ": "v", "ѡ": "w", "ԝ": "w", "х": "x", "у": "y", "ү": "y",
        "α": "a", "β": "b", "ϲ": "c", "δ": "d", "ε": "e", "η": "n", "ι": "i", "κ": "k", "μ": "u", "ν": "v",
        "ο": "o", "ρ": "p", "σ": "o", "ς": "s", "τ": "t", "χ": "x", "γ": "y", "ω": "w", "ı": "i", "ɩ": "i",
        "ɪ": "i", "ʟ": "l", "ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ŧ": "t", "ß": "ss", "æ": "ae", "œ": "oe",
        "ɑ": "a", "ʙ": "b", "ᴄ": "c", "ᴅ": "d", "ᴇ": "e", "ꜰ": "f", "ɢ": "g", "ʜ": "h", "ᴊ": "j", "ᴋ": "k",
        "ᴍ": "m", "ɴ": "n", "ᴏ": "o", "ᴘ": "p", "ʀ": "r", "ꜱ": "s", "ᴛ": "t", "ᴜ": "u", "ᴠ": "v", "ᴡ": "w",
        "ʏ": "y", "ᴢ": "z", "ð": "d", "þ": "p", "ə": "e", "ɛ": "e", "ʋ": "v", "ƙ": "k", "ɓ": "b", "ɗ": "d",
        "’": "'", "‘": "'", "ʼ": "'", "´": "'", "`": "'", "′": "'", "ʹ": "'", "＇": "'", "‛": "'", "ˈ": "'",
        "“": '"', "”": '"', "…": "...", "‐": "-", "‑": "-", "–": "-", "—": " - ", "⁄": "/",
    }
)  # fmt: skip

# Emoji that say what words would say. All others separate words and mean nothing here.
_EMOJI = {
    "🔫": "gun", "🔪": "knife", "🗡": "knife", "💊": "pills", "💉": "injection", "⚰": "coffin", "🪦": "grave",
    "🩸": "blood", "🆘": "sos", "🚑": "ambulance", "💀": "dead", "☠": "dead", "🪢": "rope", "🧒": "child",
    "👶": "baby", "👧": "child", "👦": "child", "🚨": "emergency", "🪒": "razor", "👋": "goodbye", "🍷": "wine",
    "🍺": "beer", "🥴": "dizzy", "💔": "heartbroken",
}  # fmt: skip
_EMOJI_RE = re.compile("|".join(map(re.escape, _EMOJI)))

_LEET = {"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g", "@": "a", "$": "s", "!": "i",
         "|": "i", "€": "e", "£": "l", "+": "t", "¡": "i", "(": "c", "<": "c"}  # fmt: skip
_LEET_L = {**_LEET, "1": "l", "!": "l", "|": "l"}

_CHUNK = re.compile(r"\S+")
_SPACED = re.compile(r"(?<![a-z0-9])[a-z](?:[^a-z0-9\n]{1,3}[a-z](?![a-z0-9])){2,}")
_PAUSE = re.compile(r"\.{2,}|[¿¡]")
_DECIMAL = re.compile(r"(?<=[0-9])[.,](?=[0-9])")
_STOP = re.compile(r"[!;\n\r\u2028\u2029]+")
_WORD = re.compile(r"[a-z]+|[0-9]+|[.?]")
_ENDS = re.compile(r"[.!?;\n\r\u2028\u2029。！？；¡¿]+")
_REPEAT3 = re.compile(r"([a-z])\1{2,}")
_REPEAT2 = re.compile(r"([a-z])\1+")
_CENSOR = re.compile(r"[a-z]+(?:[*#_xX•·.\-]{1,3}[a-z]+)+|[a-z]+[*#•·]{1,3}")
_APOSTROPHE = re.compile(r"(?<=[a-z])'(?=[a-z])")
# "I'll" must not become "ill". What 's stands for depends on the word before it (spellings.yml knows "hes", "whats") and after it.
_LONG_FORMS = {"ll": " will", "ve": " have", "re": " are", "m": " am", "d": " would"}
_LONG = re.compile(r"(?<=[a-z])'(ll|ve|re|m|d)\b")
_OWNER = re.compile(
    r"\b(?!(?:he|she|it|that|what|there|who|how|where|here|let|everyone|everybody|someone|somebody|nobody|one)')([a-z]+)'s\b"
    r"( (?:not|been|gone|got|going|gonna|so|too|just|an?|in|on|at|very|really|all|still|now|had|always|never|after|only|also|like|no|being|"
    r"about|barely|hardly|completely|totally|dead|blue|grey|gray|cold|limp|floppy|unconscious|unresponsive|suicidal|violent|drunk|tight|"
    r"closed|numb|stuck|full|swollen|red|yellow|confused|sick|ill|out|back|here|gonna|[a-z]{2,}ing|[a-z]{3,}ed)\b)?"
)


def fold(text: str) -> str:
    """Return `text` in lower case with compatibility forms, accents, look-alikes and invisible characters removed.

    Line breaks and punctuation stay. Lone surrogates become spaces.

    Args:
        text: any string.

    Returns:
        A string whose letters are as far as possible `a` to `z`.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    if text.isascii():
        return _ascii_controls(text)
    text = _EMOJI_RE.sub(lambda m: f" {_EMOJI[m.group()]} ", text)
    text = unicodedata.normalize("NFKD", text.translate(_LOOK_ALIKE))
    out: list[str] = []
    for char in text:
        if char.isascii():
            out.append(char)
            continue
        kind = unicodedata.category(char)
        if kind in ("Mn", "Me", "Cf", "Cc"):  # accents; zero-width and direction marks; controls
            continue
        replaced = char.translate(_LOOK_ALIKE)
        if replaced.isascii():
            out.append(replaced)
        elif kind[0] == "L":
            out.append(char)
        else:
            out.append(" ")
    return _ascii_controls("".join(out))


_CONTROLS = {code: None for code in range(32) if chr(code) not in "\n\r\t"} | {127: None, 9: " "}


def _ascii_controls(text: str) -> str:
    return text.translate(_CONTROLS)


@dataclass(frozen=True)
class Spellings:
    """The curators' table of other ways to write a word.

    Attributes:
        always: phrase → phrase, applied to every text ("im" → "i am").
        spanish: the same, applied only where Spanish words stand around ("toy" → "estoy").
        spanish_signs: words that make a text Spanish enough for `spanish`.
    """

    always: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    spanish: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    spanish_signs: frozenset[str] = frozenset()

    @classmethod
    def from_table(cls, always: Mapping[str, str], spanish: Mapping[str, str], signs: Iterable[str]) -> Spellings:
        """Build the table from plain strings, folding them as messages are folded."""
        return cls(_pairs(always), _pairs(spanish), frozenset(fold(s) for s in signs))

    def apply(self, words: Sequence[str]) -> list[str]:
        """Return `words` with every listed spelling replaced, longest match first, left to right."""
        spanish = bool(self.spanish) and not self.spanish_signs.isdisjoint(words)
        starts = self._starts
        if starts.isdisjoint(words):
            return list(words)
        out: list[str] = []
        at = 0
        while at < len(words):
            if words[at] in starts:
                for size in (3, 2, 1):
                    key = tuple(words[at : at + size])
                    if len(key) < size:
                        continue
                    new = self.always.get(key)
                    if new is None and spanish:
                        new = self.spanish.get(key)
                    if new is not None:
                        out.extend(new)
                        at += size
                        break
                else:
                    out.append(words[at])
                    at += 1
            else:
                out.append(words[at])
                at += 1
        return out

    @cached_property
    def _starts(self) -> frozenset[str]:
        return frozenset(key[0] for key in (*self.always, *self.spanish) if key)


def _pairs(table: Mapping[str, str]) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {tuple(_plain_words(key)): tuple(_plain_words(value)) for key, value in table.items()}


def _plain_words(text: str) -> list[str]:
    return _WORD.findall(_without_apostrophes(fold(text)))


def _without_apostrophes(text: str) -> str:
    if "'" not in text:
        return text
    text = _LONG.sub(lambda m: _LONG_FORMS[m.group(1)], text)
    text = _OWNER.sub(lambda m: f"{m.group(1)} is{m.group(2)}" if m.group(2) else f"{m.group(1)}s", text)
    return _APOSTROPHE.sub("", text)


def words_of(text: str) -> list[str]:
    """Return the plain words of `text`, folded, without any repair; for word lists and short-answer tests."""
    return [word for word in _plain_words(_ENDS.sub(" ", fold(text))) if word not in ".?"]


class Normaliser:
    """Turns a message into the views that the rules read.

    Args:
        vocabulary: the words the rules are made of; repairs go towards these and nowhere else.
        protect: ordinary words that stand close to a word of the vocabulary and must stay as they are.
        spellings: the curators' table of slang and contractions.
        uses: how often the rules use a word; among several repairs the most used comes first.
        spanish: the words that only Spanish rules use.
    """

    def __init__(
        self,
        vocabulary: Iterable[str] = (),
        protect: Iterable[str] = (),
        spellings: Spellings | None = None,
        uses: Mapping[str, int] | None = None,
        spanish: Iterable[str] = (),
    ) -> None:
        self.spellings = spellings or Spellings()
        aliases = {w for key in (*self.spellings.always, *self.spellings.spanish) for w in key}
        self.vocabulary = frozenset(w for w in vocabulary if w.isalpha())
        self._protect = frozenset(protect) | aliases
        self._uses = uses or {}
        self._spanish = frozenset(spanish)
        self._segments = self.vocabulary | aliases | _SEGMENT_WORDS
        self._longest = max((len(w) for w in self._segments), default=1)
        self._deletes = _delete_index(self.vocabulary)
        self._sounds: dict[str, list[str]] = {}
        for word in sorted(self.vocabulary):
            self._sounds.setdefault(_sound(word), []).append(word)
        self._by_length: dict[int, list[str]] = {}
        for word in sorted(self.vocabulary):
            self._by_length.setdefault(len(word), []).append(word)
        self._repairs = lru_cache(maxsize=16384)(self._repairs_uncached)

    def views(self, text: str) -> list[str]:
        """Return the views of `text`, each starting and ending with a space.

        Args:
            text: one message or one window of it.

        Returns:
            The plain view and, where typos could be repaired, up to three repaired views: a slip may stand for
            several words ("chst" for chest or chat), and each view takes the next best of them.
        """
        words = self.words(text)
        views = [_join(self.spellings.apply(words))]
        spanish = bool(self._spanish) and sum(w in self._spanish for w in words) * 3 > len(words)
        options = [self._repairs(w, spanish) for w in words]
        for turn in range(max(map(len, options), default=0)):
            repaired = [o[min(turn, len(o) - 1)] if o else w for w, o in zip(words, options, strict=True)]
            view = _join(self.spellings.apply(repaired))
            if view not in views:
                views.append(view)
        return views

    def plain(self, text: str) -> str:
        """Return the first of the views alone."""
        return _join(self.spellings.apply(self.words(text)))

    def words(self, text: str) -> list[str]:
        """Return the words of `text` before slang is spelt out: folded, letters joined, digits in words undone."""
        text = fold(text)
        text = _SPACED.sub(self._join_spaced, text)
        text = _CHUNK.sub(self._chunk, text)
        text = _PAUSE.sub(" ", text)  # an ellipsis is a pause, not the end of a sentence
        text = _DECIMAL.sub("", text)
        text = _without_apostrophes(text)
        text = _STOP.sub(" . ", text)
        out: list[str] = []
        for word in _WORD.findall(text):
            if word in ".?":
                if out and out[-1] not in ".?":
                    out.append(word)
                elif out and word == "?":
                    out[-1] = "?"
                continue
            out.extend(self._whole(word[:_MAX_WORD]))
        return self._join_pairs(out)

    # -- letters put together again -------------------------------------------------------------------------------

    def _join_spaced(self, match: re.Match[str]) -> str:
        raw = match.group()
        letters = re.sub(r"[^a-z]", "", raw)
        if len(letters) < 3:
            return raw
        if letters in self.vocabulary:
            return letters
        parts = self.segment(letters[:80])
        if parts and any(len(p) > 3 or p in self.vocabulary for p in parts) and len(parts) < len(letters):
            return " ".join(parts)
        # A word alone, misspelt as well: leave the joined form to the typo repair, unless it is an abbreviation.
        return letters if len(letters) >= 5 else raw

    def _chunk(self, match: re.Match[str]) -> str:
        raw = match.group()
        if raw.isalpha():
            return raw
        if raw.isdigit():
            return raw
        core = raw.strip(".,;:?!*\"'()[]{}")
        if not core or len(core) > _MAX_WORD or not any(c.isalpha() for c in core):
            return raw
        # Leading and trailing marks stay, so that a sentence still ends where it ended.
        start = raw.index(core)
        head, tail = raw[:start], raw[start + len(core) :]
        for candidate in self._undisguised(core):
            return f"{head} {candidate} {tail}"
        return raw

    def _undisguised(self, core: str) -> Iterable[str]:
        if core.isalpha() or _APOSTROPHE.sub("", core).isalpha():
            return
        for table in (_LEET, _LEET_L):
            letters = "".join(table.get(c, c) for c in core).replace("'", "")
            if letters.isalpha() and letters.isascii():
                if letters in self._segments and len(letters) > 1:
                    yield letters
                elif len(letters) >= 5 and (fixed := self._repair(letters)) != letters:
                    yield fixed
                elif len(letters) >= 7 and (parts := self.segment(letters)):
                    yield " ".join(parts)
        if _CENSOR.fullmatch(core):
            joined = re.sub(r"[^a-z]", "", core)
            if joined in self.vocabulary and len(joined) > 3:
                yield joined
            wild = re.compile(re.sub(r"[^a-z]", "[a-z]", core))
            for word in self._by_length.get(len(core), ()):
                if word[0] == core[0] and wild.fullmatch(word) and word in _CENSORED_WORDS:
                    yield word

    def _whole(self, word: str) -> list[str]:
        if len(word) < 3 or word in self._segments or not word.isalpha():
            return [word]
        if _REPEAT3.search(word) or (word not in self._protect and _REPEAT2.search(word)):
            two = _REPEAT3.sub(r"\1\1", word)
            for form in (two, *_single_forms(two)):
                if form in self._segments:
                    return [form]
            if _REPEAT3.search(word):
                word = _REPEAT3.sub(r"\1", word)
        if len(word) >= 7 and word not in self._protect and self._repair(word) == word:
            parts = self.segment(word)
            if parts and len(parts) > 1 and max(map(len, parts)) > 2:
                return parts
        return [word]

    def _join_pairs(self, words: list[str]) -> list[str]:
        out: list[str] = []
        at = 0
        while at < len(words):
            if at + 1 < len(words):
                joined = words[at] + words[at + 1]
                if joined in _SPLIT_WORDS and joined in self.vocabulary:
                    out.append(joined)
                    at += 2
                    continue
            out.append(words[at])
            at += 1
        return out

    def segment(self, letters: str) -> list[str] | None:
        """Split a run of letters into known words, fewest first; None where that cannot be done completely."""
        size = len(letters)
        best: list[tuple[int, int] | None] = [None] * (size + 1)
        best[0] = (0, 0)
        for end in range(1, size + 1):
            for start in range(max(0, end - self._longest), end):
                before = best[start]
                if before is None:
                    continue
                piece = letters[start:end]
                if piece in self._segments and (len(piece) > 1 or piece in "iaoyu"):
                    cost = before[0] + (1 if len(piece) > 2 else 2)
                    current = best[end]
                    if current is None or cost < current[0]:
                        best[end] = (cost, start)
        if best[size] is None:
            return None
        parts: list[str] = []
        at = size
        while at:
            step = best[at]
            assert step is not None
            parts.append(letters[step[1] : at])
            at = step[1]
        parts.reverse()
        # Many scraps are a coincidence, not words run together.
        return parts if size / len(parts) >= 2.4 else None

    # -- typos ----------------------------------------------------------------------------------------------------

    def _repair(self, word: str) -> str:
        return next(iter(self._repairs(word, False)), word)

    def _repairs_uncached(self, word: str, spanish: bool) -> tuple[str, ...]:
        """Return the words of the vocabulary that `word` may be a slip of, best first; none where it is a word itself."""
        size = len(word)
        if size < 4 or not word.isalpha() or word in self._segments or word in self._protect:
            return ()
        found: list[tuple[int, int, int, int, str]] = []
        seen: set[str] = set()
        reach = 2 if size >= 7 else 1
        for form in _deletions(word, reach):
            for target in self._deletes.get(form, ()):
                if target in seen:
                    continue
                seen.add(target)
                allowed = _allowed(len(target))
                if not allowed:
                    continue
                distance = _osa(word, target, allowed)
                if distance > allowed:
                    continue
                if word[:-1] == target and word[-1] in "sn":
                    continue  # a plural or another person of the verb, not a slip
                if len(target) < 5 and word[0] != target[0]:
                    continue  # short words resemble each other too much to doubt their first letter as well
                # Distance first; then the language written in, the same first letter, which typists rarely miss, and
                # the word that more rules use.
                other = int((target in self._spanish) != spanish)
                found.append((distance, other, int(word[0] != target[0]), -self._uses.get(target, 0), target))
        if not found:  # written as it sounds: "bibir" for vivir, "fone" for phone
            found = [(0, int((w in self._spanish) != spanish), 0, -self._uses.get(w, 0), w) for w in self._sounds.get(_sound(word), ())]
        found.sort()
        return tuple(target for distance, *_, target in found[:_MOST_REPAIRS] if distance == found[0][0])


_SOUNDS = (("qu", "k"), ("ph", "f"), ("ce", "se"), ("ci", "si"), ("ck", "k"), ("ch", "\0"), ("h", ""), ("c", "k"), ("z", "s"), ("v", "b"), ("ll", "y"),
           ("\0", "ch"))  # fmt: skip


def _sound(word: str) -> str:
    """Return one spelling for all words that sound alike in Spanish, and roughly in English."""
    for letters, sound in _SOUNDS:
        word = word.replace(letters, sound)
    return _REPEAT2.sub(r"\1", word)


def _allowed(size: int) -> int:
    """Edits allowed towards a word of `size` letters: 2 from eight letters on, 1 from four."""
    return 2 if size >= 8 else 1 if size >= 4 else 0


def _deletions(word: str, depth: int) -> set[str]:
    forms = {word}
    edge = {word}
    for _ in range(depth):
        edge = {w[:i] + w[i + 1 :] for w in edge for i in range(len(w))}
        forms |= edge
    return forms


def _delete_index(vocabulary: Iterable[str]) -> dict[str, tuple[str, ...]]:
    index: dict[str, list[str]] = {}
    for word in sorted(vocabulary):
        depth = _allowed(len(word))
        if depth:
            for form in _deletions(word, depth):
                index.setdefault(form, []).append(word)
    return {form: tuple(words) for form, words in index.items()}


def _osa(a: str, b: str, limit: int) -> int:
    """Optimal string alignment distance (Damerau 1964, restricted), or `limit` + 1 when it is larger."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    from rapidfuzz.distance import OSA

    return OSA.distance(a, b, score_cutoff=limit)


def _single_forms(word: str) -> Iterable[str]:
    """Yield `word` with its doubled letters made single, one at a time and then all."""
    for match in _REPEAT2.finditer(word):
        yield word[: match.start()] + match.group(1) + word[match.end() :]
    yield _REPEAT2.sub(r"\1", word)


def _join(words: Sequence[str]) -> str:
    return f" {' '.join(words)} " if words else " "


# Words written apart by mistake, or to slip past a filter.
_SPLIT_WORDS = frozenset({"overdose", "overdosed", "suicide", "suicidal", "myself", "himself", "herself", "anymore",
                          "unconscious", "heartbeat", "suicidarme", "sobredosis", "matarme", "goodbye", "headache",
                          "unresponsive", "ambulance", "seizure"})  # fmt: skip
# Words people write with a star in them.
_CENSORED_WORDS = frozenset({"kill", "killing", "killed", "die", "dying", "dead", "suicide", "suicidal", "hang", "shoot",
                             "cutting", "overdose", "rape", "raped", "raping", "harm", "death", "drugged", "matar",
                             "matarme", "suicidio", "morir", "violaron", "violo", "hurt", "wrists", "gun", "pills",
                             "myself", "suicidarme", "selfharm", "choke", "choked", "abuse", "beat"})  # fmt: skip
# Small words that hold a run-together sentence in one piece.
_SEGMENT_WORDS = frozenset({"i", "a", "me", "my", "the", "to", "of", "and", "it", "is", "am", "in", "on", "all", "im",
                            "dont", "cant", "want", "wanna", "going", "gonna", "just", "not", "no", "be", "so", "that",
                            "with", "for", "help", "please", "yo", "mi", "la", "el", "de", "que", "un", "una", "se",
                            "ya", "mas", "quiero", "puedo"})  # fmt: skip
