"""Words that steer the channel, only when they are the whole message: "stop, I want to die" is no command."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Name = Literal["stop", "start", "help", "delete", "more", "number", "language", "country", "yes"]

# The English words of STOP, START and HELP are those that Twilio and the US carriers' rules (CTIA) name.
TWILIO_STOP = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
_STOP = TWILIO_STOP | {
    "alto",
    "parar",
    "pare",
    "baja",
    "detener",
    "cancelar",
    "no mas mensajes",
    "stop messages",
    "opt out",
}
_START = frozenset({"start", "unstop", "iniciar", "empezar", "comenzar", "alta"})
_HELP = frozenset({"help", "info", "ayuda", "informacion"})
_MORE = frozenset({"more", "mas", "tell me more", "show more", "mas informacion", "ver mas"})
_DELETE = frozenset(
    f"{verb} {what}"
    for verbs, things in (
        (("delete", "erase", "remove"), ("my data", "my messages", "my chat", "my conversation", "everything")),
        (
            ("borrar", "borra", "borre", "elimina", "elimine", "eliminar"),
            ("mis datos", "mis mensajes", "mi chat", "mi conversacion", "todo"),
        ),
    )
    for verb in verbs
    for what in things
) | {"delete"}
_LANGUAGES = {
    "espanol": "es", "en espanol": "es", "spanish": "es", "castellano": "es", "en castellano": "es",
    "english": "en", "in english": "en", "ingles": "en",
}  # fmt: skip
_COUNTRIES = {
    "us": "US", "usa": "US", "united states": "US", "estados unidos": "US", "eeuu": "US",
    "ca": "CA", "canada": "CA",
    "gb": "GB", "uk": "GB", "united kingdom": "GB", "england": "GB", "scotland": "GB",
    "wales": "GB", "reino unido": "GB",
    "ie": "IE", "ireland": "IE", "irlanda": "IE",
    "au": "AU", "australia": "AU",
    "es": "ES", "spain": "ES", "espana": "ES",
    "eu": "EU", "europe": "EU", "europa": "EU", "union europea": "EU", "european union": "EU",
}  # fmt: skip
_COUNTRY = re.compile(r"^(?:country|pais|region)(?:\s+(.{1,40}))?$")
_NUMBER = re.compile(r"^[#(]?\s?([1-9])\s?[.)]?$")
_BOT_COMMAND = re.compile(r"^/([a-z]+)(?:@\w+)?(?:\s|$)")
_PAYLOAD = re.compile(r"^[a-z0-9_-]{1,64}$")
_SLASH = {"start": "start", "stop": "stop", "help": "help", "delete": "delete", "more": "more", "country": "country"}


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        name: Which.
        value: Number, language or region; empty when the command asks for a list.

    """

    name: Name
    value: str = ""


def folded(text: str) -> str:
    """Lower case, no accents, single spaces, no punctuation around."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", plain).strip(" \t\r\n.,;:!¡¿?\"'*_")


def read(text: str) -> Command | None:
    """The command a whole message is, or None."""
    if len(text) > 60:
        return None
    word = folded(text)
    if slash := _BOT_COMMAND.match(word):
        name = _SLASH.get(slash.group(1))
        if name == "country":
            word = "country " + word[slash.end() :]
        elif name is not None and (
            slash.end() >= len(word) or (name == "start" and _PAYLOAD.match(word[slash.end() :]))
        ):
            # Telegram's deep links send "/start something"; that one word is the link's, not the person's
            return Command(name)  # type: ignore[arg-type]
        else:
            return None
    word = word.strip()
    for name, words in (("stop", _STOP), ("start", _START), ("help", _HELP), ("more", _MORE), ("delete", _DELETE)):
        if word in words:
            return Command(name)  # type: ignore[arg-type]
    if word == "yes":
        return Command("yes")
    if number := _NUMBER.match(word):
        return Command("number", number.group(1))
    if word in _LANGUAGES:
        return Command("language", _LANGUAGES[word])
    if country := _COUNTRY.match(word):
        name = (country.group(1) or "").strip()
        if not name:
            return Command("country")
        return Command("country", _COUNTRIES[name]) if name in _COUNTRIES else None
    return None
