"""Plain text helpers of retrieval: tokens, spelling repair, and the lexicon's names found in a message."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rapidfuzz.distance import OSA

from knowledge.schema import Lexicon

_WORD = re.compile(r"[a-z0-9áéíóúüñ'-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_QUESTION = "how|what|is|are|was|were|does|do|did|has|have|can|will|would|who|when|where|why|which|should|could|cuánto|qué|cómo|es|se|puede"
_IT = re.compile(r"\b(?:it|this stuff|that stuff|the stuff|this thing|(?:this|the) treatment)\b", re.IGNORECASE)
_SPANISH_SIGN = re.compile(r"[¿¡ñáéíóú]|\b(?:k|qu)etamina\b")
_SPANISH_WORD = re.compile(
    r"\b(?:el|la|los|las|lo|del|al|un|una|que|para|con|por|sin|se|es|en|mi|su|si|y|le|les|nos|pero|sirve|puedo|puede|tengo|tomo|dolor|cuanto|cuando"
    r"|como|hay|esta|esto|eso|muy|despues|antes|dia|dias|soy|estoy|funciona|ayuda|adictiv[ao]|peligros[ao]|segur[ao]|tomarl[ao]|usarl[ao]|cuesta|dura|este|duele|medicina)\b"
)
# "tomarla", "ponérmela": verbs of which a medicine is the object; with most others ("hacerlo", "decirla") it is something else
_TAKE_IT = re.compile(
    r"\b(?:((?:tom|us|prob|mezcl|combin|inyect|consum)[aá]r|recib[ií]r)((?:me|te|se|nos|le)?)l[ao]"
    r"|((?:aplic|dej|recet|compr|d)[aá]r|pon[eé]r|(?:ped|consegu)[ií]r)((?:me|te|se|nos|le)?)la)\b",
    re.IGNORECASE,
)
# "me la ponen", "la tomo", "lo cubre"; "la receta", "la toma" and "la prueba" alone are nouns, and "la ponen a dormir" is about a person
_MAY = r"(?:(?:va|van|vas|voy|quier|pued|podr|deb|teng|tien|h[ae]\b|han\b)\w* (?:a |que )?)"
_GIVE_IT = re.compile(
    rf"\b(?:(?P<whom>me|te|se|nos|le|les) l[ao] (?P<give>{_MAY}?(?:pon|pus|puesto|d(?:a|an|ar|ado|oy|io|ieron)\b|recet|inyect|aplic|mand|ofrec|vend|cubr|pag)\w*)"
    rf"|l[ao] (?P<may>{_MAY}(?:tomar|usar|mezclar|combinar|recibir|inyectar|probar))"
    r"|la (?P<have>tomo|tomé|toman|tomaba|uso|usé|usan|usaba|pongo|ponen|dan|venden|recibo|reciben|dejo)(?! a\b)"
    r"|l[ao] (?P<pay>cubren?|pagan?))\b",
    re.IGNORECASE,
)
_THAT_ES = re.compile(
    r"\b(?:est?a (?:medicina|droga|cosa|sustancia)|est?e (?:medicamento|tratamiento|remedio|f[aá]rmaco)"
    r"|(?<!\bpor )(?<!\bpara )(?<!\bde )(?<!\ben )(?<!\ba )(?<!\by )(?<!\btodo )(?<!\bcomo )es(?:o|to)(?! (?:del?|que|sí|si|es todo)\b))\b",
    re.IGNORECASE,
)
# a question without a subject: "¿es adictiva?", "sirve para la fibromialgia"; "es peligroso manejar" and "sirve el yoga" have theirs
_BARE_ES = re.compile(
    r"^\W*(?:(?:y|pero|oye|oiga|hola|entonces|doctora?)\W+)*"
    r"(?:(?:(?:es|será|sería) (?:(?:muy|tan|realmente) )?(?:adictiv|peligros|segur|dañin|efectiv|riesgos|doloros|mal|buen|car)[ao]"
    r"|(?:es|será) (?:legal|eficaz|fuerte|gratis)|sirve|funciona|ayuda(?=.*\?))(?=\W*$| (?:para|con|en|contra|si)\b)"
    r"|(?:cu[aá]nto (?:cuesta|vale|dura)|c[oó]mo (?:funciona|act[uú]a|se (?:toma|pone|da))|(?:para )?qu[eé] (?:sirve|riesgos tiene))(?=\W*$))",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\b(?:not|no) (?:(?:for|the|my|with|para|la|el) )*\w+(?: pain)?(?=\W|$)", re.IGNORECASE)
_PARTS = re.compile(
    r"(?:\?+\s*|[.!;]\s+|\n+|,\s+(?=(?:" + _QUESTION + r")\b)|,?\s+(?:and|but|also|plus|or|y|pero|además)\s+(?=(?:then )?(?:" + _QUESTION + r")\b))", re.IGNORECASE
)


def clean(text: str) -> str:
    """NFC, invisible characters removed, control characters taken for blanks, white space folded."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    return re.sub(r"\s+", " ", _CONTROL.sub(" ", _INVISIBLE.sub("", text))).strip()


def words(text: str) -> list[str]:
    """Lower-case words; apostrophes and hyphens stay inside them."""
    return [w.strip("'-") for w in _WORD.findall(text.lower().replace("’", "'")) if w.strip("'-")]


def parts(text: str) -> list[str]:
    """The questions of a multi-part message, three words at least each; the whole message when it is one."""
    found = [p.strip() for p in _PARTS.split(text) if p and len(p.split()) >= 3]
    return found if len(found) > 1 else [text]


class Speller:
    """Repairs words that lie one edit (of 8 letters and more: two) from a word the base uses often.

    The base's phrasings are misspelt here and there as patients misspell. A word of theirs that is not known is taken for misspelt too,
    unless what it would become is hardly more frequent: it may be a name that no dictionary holds. A short word, and two edits, need more.

    Args:
        counts: Words of the content and how often each occurs.
        known: Words that are spelt right, and never touched: the dictionary's, and those of the statements and the lexicon.
    """

    RARER, RARER_SHORT = 3, 25
    SHORT = 5  # letters

    def __init__(self, counts: Mapping[str, int], known: Iterable[str] = ()):
        self.known = set(known)
        self._counts = counts
        self._frequent: dict[int, list[tuple[str, int]]] = {}
        often = [(w, n) for w, n in sorted(counts.items()) if n >= 2 and len(w) >= 4 and w.isalpha()]
        self._add((w, n) for w, n in often if w in self.known)
        # a misspelt word must not be what others are repaired to
        self._add([(w, n) for w, n in often if w not in self.known and self._word(w) == w])

    def _add(self, words_often: Iterable[tuple[str, int]]) -> None:
        for word, n in words_often:
            self._frequent.setdefault(len(word), []).append((word, n))

    def prepare(self, text: str) -> str:
        """The text as it is searched and encoded: clean, spelling repaired."""
        return self.repair(clean(text))

    def repair(self, text: str) -> str:
        """The text with unknown words replaced; the text itself when nothing is."""
        changed = {w: fixed for w in words(text) if (fixed := self._word(w)) != w}
        if not changed:
            return text
        pattern = re.compile(r"\b(" + "|".join(re.escape(w) for w in changed) + r")\b", re.IGNORECASE)
        return pattern.sub(lambda m: changed.get(m.group(0).lower(), m.group(0)), text)

    def _word(self, word: str) -> str:
        if len(word) < 4 or not word.isalpha() or word in self.known:
            return word
        limit = 2 if len(word) >= 8 else 1
        own = self._counts.get(word, 0)
        one, two = (max(2, rarer * own) for rarer in (self.RARER_SHORT if len(word) <= self.SHORT else self.RARER, self.RARER_SHORT))
        best: tuple[int, int, str] | None = None
        for length in range(len(word) - limit, len(word) + limit + 1):
            for candidate, n in self._frequent.get(length, ()):
                if n < one:
                    continue
                distance = OSA.distance(word, candidate, score_cutoff=limit)
                if distance <= limit and (n >= two or distance < 2) and (best is None or (distance, -n) < best[:2]):
                    best = (distance, -n, candidate)
        return best[2] if best else word


@dataclass(frozen=True)
class Entities:
    """What a message names, as lexicon ids."""

    conditions: frozenset[str] = frozenset()
    medicines: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    aspects: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.conditions or self.medicines or self.routes or self.aspects)


@dataclass
class Namer:
    """Finds the lexicon's names in a text, the longest first, each stretch of text used once.

    In a Spanish text they are found without their accents too, as most people type; what is then two short words ("que es") says too little.
    """

    lexicon: Lexicon
    _names: dict[str, tuple[str, str]] = field(default_factory=dict)
    _pattern: re.Pattern[str] = field(init=False)
    _plain: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        for kind in ("conditions", "medicines", "routes", "aspects"):
            for entry in getattr(self.lexicon, kind):
                for name in [n for names in entry.names.values() for n in names]:
                    self._names.setdefault(name, (kind, entry.id))
        self._pattern = _one_of(self._names)
        for name, entry in list(self._names.items()):
            plain = unaccented(name)
            if any(len(word) >= 4 for word in plain.split()):
                self._names.setdefault(plain, entry)
        self._plain = _one_of(self._names)

    def find(self, text: str) -> Entities:
        """The entities a text names."""
        found: dict[str, set[str]] = {"conditions": set(), "medicines": set(), "routes": set(), "aspects": set()}
        for kind, entry in self._all(text):
            found[kind].add(entry)
        return Entities(**{kind: frozenset(ids) for kind, ids in found.items()})

    def mentions(self, text: str) -> list[tuple[str, str]]:
        """(kind, id) of what a text names, in its order, without what it sets aside ("not fibro, migraine")."""
        return list(self._all(_ASIDE.sub(" ", text)) or self._all(text))

    def _all(self, text: str) -> list[tuple[str, str]]:
        pattern = self._plain if is_spanish(text) else self._pattern
        return [self._names[m.group(1)] for m in pattern.finditer(text.lower().replace("’", "'"))]


def _one_of(names: Iterable[str]) -> re.Pattern[str]:
    ordered = sorted(names, key=len, reverse=True)
    return re.compile(r"(?<![\w-])(" + ("|".join(re.escape(n) for n in ordered) or "(?!)") + r")(?![\w-])")


def unaccented(text: str) -> str:
    """The text without accents, as most people type Spanish."""
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


class Preparer:
    """Makes the text that is searched and encoded: clean, spelling repaired, and "it" named.

    A patient of this guide who says "is it addictive?" means ketamine. The first such word becomes the medicine's name
    unless the message names a medicine itself; without it, short questions look like anybody's. Spanish says it in the verb ("tomarla", "me la
    ponen"), by "eso" and the like, or not at all ("¿es adictiva?").

    Args:
        speller: Repairs spelling.
        namer: Finds whether a medicine is named.
    """

    def __init__(self, speller: Speller, namer: Namer):
        self._speller = speller
        self._namer = namer

    def repair(self, text: str) -> str:
        """The text clean and with its spelling repaired; what "it" stands for is left to the conversation."""
        text = clean(text)
        return text if is_spanish(text) else self._speller.repair(text)

    def prepare(self, text: str) -> str:
        """The prepared text; preparing it again changes nothing."""
        repaired = self.repair(text)
        if self._namer.find(repaired).medicines:
            return repaired
        if is_spanish(repaired):
            return _named_es(repaired)
        match = _IT.search(repaired)
        return f"{repaired[: match.start()]}ketamine{repaired[match.end() :]}" if match else repaired


def _named_es(text: str) -> str:
    """A Spanish text in which the first pattern that stands for a medicine holds the name."""
    if match := _TAKE_IT.search(text):
        verb, whom = (match[1], match[2]) if match[1] else (match[3], match[4])
        name = f"{unaccented(verb)}{whom} ketamina"
    elif match := _GIVE_IT.search(text):
        verb = match["give"] or match["may"] or match["have"] or match["pay"]
        name = f"{match['whom']} {verb} ketamina" if match["whom"] else f"{verb} ketamina"
    elif match := _THAT_ES.search(text):
        name = "ketamina"
    elif match := _BARE_ES.search(text):
        name = f"{match[0]} la ketamina"
    else:
        return text
    return f"{text[: match.start()]}{name}{text[match.end() :]}"


def is_spanish(text: str) -> bool:
    """Whether a text looks Spanish enough that English spelling must leave it alone."""
    lowered = text.lower()
    return bool(_SPANISH_SIGN.search(lowered)) or len(_SPANISH_WORD.findall(lowered)) >= 2


def count_words(texts: Iterable[str]) -> Counter[str]:
    """How often each word occurs."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words(text))
    return counts
