"""What answers by SMS cost: segments of the first message, and of everything with MORE."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from web.channels.simulator.platform import Shown
from web.channels.simulator.run import Line
from web.channels.text import first_segment, is_gsm, segments

MOST_PAGES = 30
_MORE = re.compile(r"(?:Send MORE|Mande MAS)[^\n]*$")


@dataclass(frozen=True)
class Cost:
    """One question's answer.

    Attributes:
        first: Segments of what is sent at once, without the introduction.
        whole: Segments with every further page.
        gsm: Everything is within GSM-7.
        opening: What the first segment holds.
    """

    question: str
    first: int
    whole: int
    gsm: bool
    opening: str


def cost(line: Line, question: str) -> Cost:
    """Ask as somebody new, whose introduction has been shown already, and read to the end."""
    line.renew()
    line.post(line.sender.text("START"))
    shown = line.post(line.sender.text(question))
    pages: list[Shown] = list(shown)
    while pages and _MORE.search(pages[-1].text) and len(pages) < MOST_PAGES:
        pages += line.post(line.sender.text("MORE"))
    return Cost(
        question,
        sum(segments(s.text) for s in shown),
        sum(segments(s.text) for s in pages),
        all(is_gsm(s.text) for s in pages),
        first_segment(shown[0].text) if shown else "",
    )


def report(costs: Iterable[Cost]) -> str:
    """Median and maximum, as a Markdown table, and the costliest questions."""
    found = list(costs)
    rows = ["| | median | maximum |", "| --- | --- | --- |"]
    for name, numbers in (("first message", [c.first for c in found]), ("with every MORE", [c.whole for c in found])):
        rows.append(f"| segments, {name} | {statistics.median(numbers):g} | {max(numbers)} |")
    costly = sorted(found, key=lambda c: -c.first)[:3]
    rows += ["", f"{len(found)} questions; {sum(c.gsm for c in found)} answers within GSM-7. Costliest first messages:"]
    rows += ["", *(f"- {c.first} segments: {c.question}" for c in costly)]
    return "\n".join(rows)
