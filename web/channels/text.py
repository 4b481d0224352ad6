"""Characters, segments and cutting: what a phone network counts, and where a text may be divided.

Sources: GSM 03.38 (3GPP TS 23.038) for the alphabet; 3GPP TS 23.040 for 160/153 and 70/67 characters a segment.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENDED = frozenset("^{}\\[~]|€\f")  # two characters each
_LOOK_ALIKE = {
    "‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "–": "-", "—": "-", "‑": "-",
    "−": "-", "…": "...", "•": "-", "·": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "×": "x", "≥": ">=",
    "≤": "<=", "→": "->", "®": "", "™": "", "\u200b": "", "\t": " ", "μ": "u", "µ": "u",
}  # fmt: skip
_FOLD = {"á": "a", "í": "i", "ó": "o", "ú": "u", "Á": "A", "Í": "I", "Ó": "O", "Ú": "U"}

# What is never divided. The order matters: a link holds numbers, a telephone number holds spaces.
_WHOLE = re.compile(
    r"""https?://\S+                                  # a link
    | (?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?:/\S*)?       # a site's name
    | \+?\(?\d[\d().\- ]*\d(?:\s?(?:%|[^\W\d_]+))?    # a number of more than one digit, with its unit
    | \d(?:\s?(?:%|[^\W\d_]+))?                       # a digit, with its unit
    """,
    re.VERBOSE,
)
_CALL = re.compile(r"\b(?:call|text|dial|press|llame al?|marque|pulse|al)\s+(?=\+?\(?\d)", re.IGNORECASE)
_MARKS = re.compile(r"\S+(?:\s+\[\d+\])+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\W\d_]|[¿¡\"“«])")


def to_gsm(text: str, fold: bool = True) -> str:
    """Text with as many characters as possible within GSM-7, its words unchanged.

    Typographic signs become their plain forms. With `fold`, á í ó ú lose their accents (é and ñ are in the alphabet).
    What has no plain form stays, and the text is then sent as UCS-2.
    """
    out = []
    for char in unicodedata.normalize("NFC", text):
        char = _LOOK_ALIKE.get(char, char)
        if fold:
            char = _FOLD.get(char, char)
            if char and not is_gsm(char):
                plain = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
                char = plain if plain and is_gsm(plain) else char
        out.append(char)
    return "".join(out)


def is_gsm(text: str) -> bool:
    """Whether every character is in the GSM-7 alphabet or its extension."""
    return all(c in GSM_BASIC or c in GSM_EXTENDED for c in text)


def septets(text: str) -> int:
    """Length of a GSM-7 text; characters of the extension count twice."""
    return sum(2 if c in GSM_EXTENDED else 1 for c in text)


def utf16(text: str) -> int:
    """Length in UTF-16 code units, as UCS-2 segments and Telegram count."""
    return len(text.encode("utf-16-le")) // 2


def segments(text: str) -> int:
    """How many SMS a text costs: 160 or 153 a segment in GSM-7, 70 or 67 in UCS-2."""
    if not is_gsm(text):
        length = utf16(text)
        return 1 if length <= 70 else -(-length // 67)
    if septets(text) <= 160:
        return 1
    count, room = 1, 153
    for char in text:  # a two-character sign is not divided between segments
        size = 2 if char in GSM_EXTENDED else 1
        if size > room:
            count, room = count + 1, 153
        room -= size
    return count


def first_segment(text: str) -> str:
    """What the first SMS of a text holds."""
    gsm = is_gsm(text)
    if segments(text) == 1:
        return text
    room, out = (153 if gsm else 67), []
    for char in text:
        size = (2 if char in GSM_EXTENDED else 1) if gsm else utf16(char)
        if size > room:
            break
        out.append(char)
        room -= size
    return "".join(out)


def tokens(text: str) -> list[str]:
    """Words that may stand on different messages; a link, a number with its unit or a citation mark stays whole."""
    words = [m.span() for m in re.finditer(r"\S+", text)]
    whole = [m.span() for pattern in (_WHOLE, _MARKS) for m in pattern.finditer(text)]
    whole += [(m.start(), m.end() + 1) for m in _CALL.finditer(text)]
    glued: list[tuple[int, int]] = []
    for start, end in words:
        if glued and any(a < glued[-1][1] and b > start for a, b in whole):
            glued[-1] = (glued[-1][0], end)
        else:
            glued.append((start, end))
    return [text[a:b] for a, b in glued]


def divide(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Divide a text at lines, else sentences, else words, so that each part fits.

    A single token that does not fit is a part of its own: too long is better than a number in two halves.
    """
    if fits(text):
        return [text]
    parts, joint = _parts(text)
    if len(parts) == 1:
        return [text]
    out: list[str] = []
    for part in parts:
        if out and fits(out[-1] + joint + part):
            out[-1] += joint + part
        else:
            out.extend([part] if fits(part) else divide(part, fits))
    return out


def _parts(text: str) -> tuple[list[str], str]:
    """A text's lines, else its sentences, else its tokens, and what joins them again."""
    for split, joint in ((str.splitlines, "\n"), (_SENTENCE.split, " ")):
        parts = [p for p in split(text) if p.strip()]
        if len(parts) > 1:
            return parts, joint
    return tokens(text) or [text], " "


def pack(blocks: Sequence[str], fits: Callable[[str], bool], gap: str = "\n\n", footer: str = "") -> list[str]:
    """Blocks as pages, in order; `footer` ends every page but the last.

    Args:
        blocks: Paragraphs.
        fits: Whether a page is short enough.
        gap: Between blocks.
        footer: How to get the next page, or nothing.

    """
    tail = f"{gap}{footer}" if footer else ""
    whole = gap.join(blocks)
    if fits(whole):
        return [whole]
    pages: list[str] = []
    for block in blocks:
        for part in divide(block, lambda t: fits(t + tail)):
            if pages and fits(pages[-1] + gap + part + tail):
                pages[-1] += gap + part
            else:
                pages.append(part)
    if len(pages) > 1 and fits(pages[-2] + gap + pages[-1]):  # the last page needs no footer
        pages[-2:] = [pages[-2] + gap + pages[-1]]
    return [page + tail for page in pages[:-1]] + pages[-1:]


def clip(text: str, limit: int) -> str:
    """The first whole tokens of a label within `limit` characters, with an ellipsis when something is left out."""
    if len(text) <= limit:
        return text
    out = ""
    for token in tokens(text):
        if len(out) + len(token) + 1 > limit - 1:
            break
        out = f"{out} {token}".strip()
    return f"{out}…" if out else text[: limit - 1] + "…"
