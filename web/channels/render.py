"""A Reply as bubbles of plain text: short lines, sources as `[1] Title (year) link`, suggestions to tap or to type."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knowledge.answer import Reply, contact_line
from knowledge.content import read_yaml
from web.channels.text import pack, segments, to_gsm

FIRST_SEGMENTS = 3  # the short first answer by SMS
MORE_SEGMENTS = 4  # each page after it
SOON = ("low_mood", "see_clinician_soon", "still_in_danger")  # notices that may not wait for MORE
Fits = Callable[[str], bool]


@dataclass(frozen=True)
class Option:
    """Something to tap.

    Attributes:
        label: Whole text of the suggestion.
        value: What the platform sends back.

    """

    label: str
    value: str


@dataclass(frozen=True)
class Bubble:
    """One message on the phone.

    Attributes:
        text: What it says.
        options: What can be tapped under it.
        urgent: Somebody may be in danger: delivery is tried longer.
        menu: What opens the options where they are in a menu.

    """

    text: str
    options: tuple[Option, ...] = ()
    urgent: bool = False
    menu: str = ""


class Words:
    """The channels' own sentences, from wording.yml, and the replies' headings through `say`."""

    def __init__(self, say: Callable[[str, str], str]):
        root = Path(__file__).parent
        self._lines: dict[str, dict[str, str]] = read_yaml(root / "wording.yml", root)
        self._say = say

    def __call__(self, key: str, language: str, **values: str) -> str:
        """A sentence of the channels."""
        line = self._lines[key]
        return (line.get(language) or line["en"]).format(**values)

    def urgent(self, reply: Reply) -> str:
        """A short sentence for the first SMS of an urgent reply; another than before where the lead is another."""
        category, variant = reply["urgent"]["category"], zlib.crc32((reply["lead"] or "").encode())
        curated = getattr(self._say, "urgent", None)
        if reply["language"] == "es" and curated is not None:
            line: str = curated.sms_es(category, variant)  # written within GSM-7 by the safety wording's authors
            return line
        return self(f"urgent_{category}_{variant % 2 + 1}", reply["language"])

    def reply(self, key: str, language: str) -> str:
        """A sentence of the replies (wording/replies.yml)."""
        return self._say(key, language)


@dataclass(frozen=True)
class View:
    """What rendering needs to know besides the reply."""

    words: Words = field(repr=False)
    language: str
    fold: bool = True


# -- blocks ------------------------------------------------------------------------------------------------------------


def marks(numbers: list[int]) -> str:
    """Citation marks, apart from each other: "[1][2]" is read as one link by some clients."""
    return " ".join(f"[{n}]" for n in numbers)


def cited(text: str, numbers: list[int]) -> str:
    """A sentence with its citation marks."""
    return f"{text} {marks(numbers)}".strip()


def source_line(citation: dict[str, Any]) -> str:
    """`[1] Title (year) link`."""
    year = f" ({citation['year']})" if citation["year"] else ""
    return f"[{citation['number']}] {citation['title']}{year} {citation['url'] or citation['publisher']}"


def option_value(reply: Reply, number: int) -> str:
    """What a tapped suggestion sends back: at most 64 bytes, which is what Telegram allows."""
    return f"s:{reply['reply_id']}:{number}"


def read_option(value: str) -> tuple[str, int] | None:
    """The reply id and number of a tapped suggestion, or None."""
    parts = value.split(":")
    if len(parts) == 3 and parts[0] == "s" and parts[2].isascii() and parts[2].isdigit():
        return parts[1], int(parts[2])
    return None


def options(reply: Reply) -> tuple[Option, ...]:
    """A reply's suggestions as options."""
    return tuple(Option(s, option_value(reply, n)) for n, s in enumerate(reply["suggestions"], 1))


def numbered(reply: Reply) -> str:
    """Suggestions to pick by number."""
    return "\n".join(f"{n}. {s}" for n, s in enumerate(reply["suggestions"], 1))


def notice(entry: dict[str, Any], reply: Reply) -> str:
    """A notice with its contacts, unless they stand at the top of the reply already."""
    return "\n".join([entry["text"], *(contact_line(c) for c in entry["contacts"] if c not in reply["contacts"])])


def body(view: View, reply: Reply) -> list[str]:
    """The whole reply but its suggestions, in the contract's order."""
    say = view.words.reply
    out = []
    if reply["contacts"]:
        out.append("\n".join(contact_line(c) for c in reply["contacts"]))
    if reply["lead"]:
        out.append(reply["lead"])
    out += [cited(s["text"], s["citations"]) for s in reply["statements"]]
    if d := reply["disagreement"]:
        lines = [f"{say('heading_disagreement', view.language)}: {d['summary']}"]
        lines += [f"- {cited(p['claim'], p['citations'])}" for p in d["positions"]]
        out.append("\n".join([*lines, d["why"]]))
    out += [notice(n, reply) for n in reply["notices"]]
    if reply["clinician"] and reply["kind"] != "urgent":  # somebody in danger needs one thing to do
        out.append(reply["clinician"])
    if reply["citations"]:
        heading = say("heading_sources", view.language)
        out.append("\n".join([heading, *(source_line(c) for c in reply["citations"])]))
    return out


def ask_heading(view: View, reply: Reply) -> str | None:
    """The heading over suggestions; a question that offers its own choices needs none."""
    return None if reply["kind"] == "clarify" else view.words.reply("heading_you_could_ask", view.language)


def rich(view: View, reply: Reply, fits: Fits, number: bool = False, apart: bool = False) -> list[Bubble]:
    """A reply for channels without a strict length: as few messages as fit.

    Args:
        view: Wording and language.
        reply: The reply.
        fits: Whether a text is short enough for one message.
        number: Write the suggestions into the text, numbered, because buttons cannot hold them.
        apart: Suggestions go into a last message of their own.

    """
    blocks = body(view, reply)
    choices = options(reply)
    heading = ask_heading(view, reply)
    ask = "\n".join(filter(None, [heading, numbered(reply) if number else None]))
    if choices and not apart and ask:
        blocks.append(ask)
    pages = pack(blocks, fits)
    if not choices:
        return [Bubble(p, urgent=reply["kind"] == "urgent") for p in pages]
    menu = view.words("choose", view.language)
    if apart:
        return [*(Bubble(p) for p in pages), Bubble(ask or view.words("pick", view.language), choices, menu=menu)]
    return [*(Bubble(p) for p in pages[:-1]), Bubble(pages[-1], choices, menu=menu)]


# -- SMS ---------------------------------------------------------------------------------------------------------------


def sms(view: View, reply: Reply) -> list[list[Bubble]]:
    """A reply as SMS pages: a short first answer, the rest on MORE."""
    if reply["kind"] == "urgent":
        return [sms_urgent(view, reply)]
    more = to_gsm(view.words("more_sources" if reply["citations"] else "more_rest", view.language), view.fold)
    head, rest = ([to_gsm(b, view.fold) for b in blocks] for blocks in _sms_blocks(view, reply))
    return [[Bubble(page)] for page in _sms_pages(head, rest, more)]


def _sms_blocks(view: View, reply: Reply) -> tuple[list[str], list[str]]:
    """What may not wait for MORE, and the rest, in the order by SMS."""
    d = reply["disagreement"]
    statements = [cited(s["text"], s["citations"]) for s in reply["statements"]]
    asks = "\n".join(filter(None, [ask_heading(view, reply), numbered(reply)])) if reply["suggestions"] else ""
    head = [contact_line(c) for c in reply["contacts"]]
    head += [reply["lead"]] if reply["lead"] else []
    head += statements[:1]
    head += [notice(n, reply) for n in reply["notices"] if n["kind"] in SOON]
    head += [f"{view.words.reply('heading_disagreement', view.language)}: {d['summary']}"] if d else []
    head += [asks] if asks and reply["kind"] == "clarify" else []
    rest = [notice(n, reply) for n in reply["notices"] if n["kind"] not in SOON]
    rest += [reply["clinician"]] if reply["clinician"] else []
    rest += statements[1:]
    rest += [f"- {cited(p['claim'], p['citations'])}" for p in d["positions"]] + [d["why"]] if d else []
    rest += [source_line(c) for c in reply["citations"]]
    rest += [asks] if asks and reply["kind"] != "clarify" else []
    return head, rest


def _sms_pages(head: list[str], rest: list[str], more: str) -> list[str]:
    """The first page holds the whole head, and of the rest what fits; the pages after it may be longer."""
    first = "\n".join(head)
    if segments("\n".join([*head, *rest])) <= FIRST_SEGMENTS:
        return ["\n".join([*head, *rest])]
    while rest and segments(f"{first}\n{rest[0]}\n{more}") <= FIRST_SEGMENTS:
        first = f"{first}\n{rest.pop(0)}"
    pages = pack(rest, lambda t: segments(t) <= MORE_SEGMENTS, "\n", more) if rest else []
    return [f"{first}\n{more}" if pages else first, *pages]


def ways(contact: dict[str, Any], limit: int | None = None, name: bool = True) -> str:
    """A contact's telephone ways in its own words."""
    said = [w["say"] for w in contact["ways"] if w["kind"] in ("call", "text")] or [w["say"] for w in contact["ways"]]
    line = "; ".join(said[:limit])
    return f"{contact['name']}: {line}" if name else line


def sms_urgent(view: View, reply: Reply) -> list[Bubble]:
    """An urgent reply: one segment with the numbers first, then the rest.

    A text of several segments may arrive in pieces, so the first message is one segment, whatever has to be left to
    the second.
    """
    first = _first_contacts(reply["contacts"])
    line = view.words.urgent(reply)
    candidates = [
        [*(ways(c) for c in first), line],
        [*(ways(c, 1) for c in first), line],
        [*(ways(c, 1) for c in first), view.words("urgent_now", view.language)],
        [*(ways(c, 1, name=False) for c in first), line],
        [*(ways(c, 1, name=False) for c in first)],
        [ways(c, 1, name=False) for c in first[:1]],
    ]
    texts = [to_gsm(". ".join(p.rstrip(". ") for p in parts) + ".", view.fold) for parts in candidates]
    short = next((t for t in texts if segments(t) == 1), texts[-1])
    told = [c for c in first if all(to_gsm(w["say"], view.fold) in short for w in c["ways"])]
    rest = [reply["lead"] or "", *(contact_line(c) for c in reply["contacts"] if c not in told)]
    rest += [notice(n, reply) for n in reply["notices"]]
    pages = pack([to_gsm(r, view.fold) for r in rest if r], lambda t: segments(t) <= MORE_SEGMENTS, "\n")
    return [Bubble(short, urgent=True), *(Bubble(p, urgent=True) for p in pages if p)]


def _first_contacts(contacts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first contact that a telephone reaches, and the emergency number if that is another."""
    first = [c for c in contacts if _callable(c)][:1] or contacts[:1]
    emergency = [c for c in contacts if "medical_emergency" in c["for"] and c not in first]
    return first + emergency[:1]


def _callable(contact: dict[str, Any]) -> bool:
    return any(w["kind"] in ("call", "text") for w in contact["ways"])


def compact(contacts: list[dict[str, Any]]) -> str:
    """Contacts in one line, for the end of a service message."""
    return ". ".join(ways(c, 1) for c in contacts[:2]) + "."
