"""The phone, drawn with characters."""

from __future__ import annotations

import textwrap

from web.channels.simulator.platform import Shown
from web.channels.text import is_gsm, segments

WIDTH = 52
PAD = " " * 12


def theirs(text: str) -> str:
    """What the person wrote, on the right."""
    return textwrap.indent(_box(_wrap(text, WIDTH - 12), WIDTH - 12), PAD)


def ours(shown: Shown, sms: bool = False) -> str:
    """What the phone shows of us, on the left, with what can be tapped."""
    lines = [_box(_wrap(("↪ " if shown.quoted else "") + shown.text, WIDTH), WIDTH)]
    if shown.menu:
        lines.append("  [ ☰ menu ]")
    lines += [f"  ({n}) [ {label} ]" for n, (label, _) in enumerate(shown.buttons, 1)]
    if sms:
        count, alphabet = segments(shown.text), "GSM-7" if is_gsm(shown.text) else "UCS-2"
        lines.append(f"  {count} segment{'s' if count > 1 else ''}, {alphabet}, {len(shown.text)} characters")
    return "\n".join(lines)


def _wrap(text: str, width: int) -> list[str]:
    out: list[str] = []
    for line in text.split("\n"):
        out += textwrap.wrap(line, width, break_on_hyphens=False) or [""]
    return out


def _box(lines: list[str], width: int) -> str:
    return "\n".join(
        ["╭" + "─" * (width + 2) + "╮", *(f"│ {line:<{width}} │" for line in lines), "╰" + "─" * (width + 2) + "╯"]
    )
