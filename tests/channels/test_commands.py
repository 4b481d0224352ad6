"""Commands are whole messages."""

from __future__ import annotations

import pytest

from web.channels.commands import Command, read


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("STOP", "stop", ""),
        (" stop. ", "stop", ""),
        ("Alto!", "stop", ""),
        ("BAJA", "stop", ""),
        ("Start", "start", ""),
        ("/start", "start", ""),
        ("/start@guide_bot", "start", ""),
        ("/start clinic-7", "start", ""),
        ("/stop", "stop", ""),
        ("Help?", "help", ""),
        ("AYUDA", "help", ""),
        ("info", "help", ""),
        ("más", "more", ""),
        ("MORE", "more", ""),
        ("delete my data", "delete", ""),
        ("Borrar mis datos", "delete", ""),
        ("/delete", "delete", ""),
        ("2", "number", "2"),
        ("2)", "number", "2"),
        ("Español", "language", "es"),
        ("país UK", "country", "GB"),
        ("/country au", "country", "AU"),
        ("COUNTRY", "country", ""),
        ("yes", "yes", ""),
    ],
)
def test_commands(text: str, name: str, value: str) -> None:
    assert read(text) == Command(name, value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "stop, I want to die",
        "please stop",
        "I want it to stop",
        "help me I can't breathe",
        "ayuda no respiro",
        "can I start ketamine",
        "/start I want to die",
        "/unknown",
        "10",
        "2 pills",
        "country music",
        "delete my pain",
        "more pain",
        "",
        "?",
        "no",
    ],
)
def test_no_commands(text: str) -> None:
    assert read(text) is None
