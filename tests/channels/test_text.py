"""Counting and cutting."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from web.channels.text import clip, divide, first_segment, is_gsm, pack, segments, septets, to_gsm, tokens, utf16


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("á" * 70, 1),
        ("á" * 71, 2),
        ("é" * 160, 1),
        ("ñ" * 160, 1),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("a" * 152 + "€" + "a" * 10, 2),
        ("", 1),
    ],
)
def test_segments(text: str, count: int) -> None:
    assert segments(text) == count


def test_a_two_part_sign_is_not_divided_between_segments() -> None:
    text = "a" * 152 + "€" + "b" * 152
    assert septets(text) == 306
    assert segments(text) == 3
    assert first_segment(text) == "a" * 152


def test_spanish_within_gsm() -> None:
    assert (
        to_gsm("¿Cuánto dura el alivio? Llámelo «así» — él, año, ü…")
        == '¿Cuanto dura el alivio? Llamelo "asi" - él, año, ü...'
    )
    assert is_gsm(to_gsm("áíóúÁÍÓÚ’“”–—…•"))
    assert not is_gsm(to_gsm("cuánto", fold=False))
    assert to_gsm("日本") == "日本"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Please call 988 now", "call 988"),
        ("Llame al 1-800-222-1222 ya", "al 1-800-222-1222"),
        ("In the UK it is 116 123 for all", "116 123"),
        ("Use +34 024 or so", "+34 024"),
        ("It fell by 2.5 points in weeks", "2.5 points"),
        ("See https://doi.org/10.1002/14651858.CD012033 there", "https://doi.org/10.1002/14651858.CD012033"),
        ("Chat at 988lifeline.org today", "988lifeline.org"),
        ("It may help. [1] [2] Next", "help. [1] [2]"),
        ("Ask about 30 % of people", "30 %"),
    ],
)
def test_what_is_never_divided(text: str, kept: str) -> None:
    for limit in range(1, 40):
        assert any(kept in part for part in divide(text, lambda t, limit=limit: len(t) <= limit)), limit


words = st.text("abcdefgñé", min_size=1, max_size=9)
numbers = st.from_regex(r"\A[1-9][0-9]{0,3}(\.[0-9])?\Z") | st.sampled_from(
    ["1-800-222-1222", "116 123", "+1 415 555 2671"]
)
links = st.from_regex(r"\Ahttps://[a-z]{2,8}\.org/[a-z0-9./-]{0,30}[a-z0-9]\Z")
pieces = st.lists(st.tuples(words, st.one_of(words, numbers, links)), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None)
@given(pieces, st.integers(20, 120))
def test_nothing_is_lost_or_cut(parts: list[tuple[str, str]], limit: int) -> None:
    text = " ".join(f"{w} {x}" for w, x in parts)
    pages = pack([text, text], lambda t: len(t) <= limit, "\n\n", "MORE")
    joined = re.sub(r"\s+", " ", " ".join(p.removesuffix("\n\nMORE") for p in pages[:-1]) + " " + pages[-1]).strip()
    assert joined == f"{text} {text}"
    for _, x in parts:
        assert any(x in page for page in pages)
    whole = set(tokens(text))
    for page in pages:
        assert len(page) <= limit or any(len(t) + 6 > limit for t in whole)


def test_pack_puts_a_footer_on_all_but_the_last() -> None:
    pages = pack(["a" * 30, "b" * 30, "c" * 30], lambda t: len(t) <= 40, "\n", "MORE")
    assert [p.endswith("MORE") for p in pages] == [True, True, False]


def test_clip_keeps_whole_tokens() -> None:
    assert clip("short", 20) == "short"
    assert clip("1. How long does the relief last?", 24) == "1. How long does the…"
    assert len(clip("x" * 50, 24)) == 24
    assert utf16("😀") == 2
