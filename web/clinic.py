"""The clinic's own file: how the guide looks and what it says about the clinic. Read once at start, checked in full.

Errors: SettingsError (web.settings), one line that says which entry of which file to mend.
"""

from __future__ import annotations

import colorsys
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, ValidationError, field_validator, model_validator

from knowledge.schema import Language, Region
from web.settings import Settings, SettingsError

READABLE = 4.5  # WCAG 2.2, success criterion 1.4.3, level AA
# The tokens of static/guide.css that text in the accent colour stands on, or that stand on it.
LIGHT = {"ground": "#f4f2f6", "tint": "#ebe6f6", "paper": "#ffffff"}
DARK = {"ground": "#16131c", "tint": "#352d4d", "paper": "#211d2a"}
ACCENT = "#4a3a83"
ON_ACCENT = "#ffffff"
ON_ACCENT_DARK = "#1d1535"
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}

Hex = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$", to_lower=True)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb", 0 to 1 (WCAG 2.2, definition of relative luminance)."""

    def linear(byte: int) -> float:
        c = byte / 255
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _lighter(colour: str, lightness: float) -> str:
    """The same hue and saturation at another lightness, 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, _, saturation = colorsys.rgb_to_hls(red, green, blue)
    return "#" + "".join(f"{round(255 * c):02x}" for c in colorsys.hls_to_rgb(hue, lightness, min(saturation, 0.7)))


def _mix(colour: str, ground: str, share: float) -> str:
    """`share` (0 to 1) of a colour in a ground."""
    one, other = ([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (colour, ground))
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in zip(one, other, strict=True))


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _light(accent: str) -> dict[str, str]:
    """The light grounds of an accent: with a clinic's own, page and tint take a little of it, so that they go together."""
    return LIGHT if accent == ACCENT else {**LIGHT, "ground": _mix(accent, "#ffffff", 0.05), "tint": _mix(accent, "#ffffff", 0.12)}


def _dark(accent: str) -> dict[str, str]:
    """The dark grounds of an accent for dark pages."""
    return {**DARK, "tint": _mix(accent, DARK["paper"], 0.17)} if accent else DARK


class Colours(_Model):
    """The clinic's accent colour.

    Attributes:
        accent: for buttons, links and marks on a light page.
        accent_dark: the same on a dark page; made from `accent` when absent.
    """

    accent: Hex = ACCENT
    accent_dark: Hex | None = None

    @field_validator("accent")
    @classmethod
    def _readable(cls, accent: str) -> str:
        for name, colour in {**_light(accent), "button text": ON_ACCENT}.items():
            if (ratio := contrast(accent, colour)) < READABLE:
                raise ValueError(
                    f"{accent} has a contrast of {ratio:.1f}:1 with the {name} ({colour}), {READABLE}:1 is needed: choose a darker colour"
                )
        return accent

    @field_validator("accent_dark")
    @classmethod
    def _readable_dark(cls, accent: str | None) -> str | None:
        for name, colour in {**_dark(accent or ""), "button text": ON_ACCENT_DARK}.items():
            if accent and (ratio := contrast(accent, colour)) < READABLE:
                raise ValueError(
                    f"{accent} has a contrast of {ratio:.1f}:1 with the dark {name} ({colour}), {READABLE}:1 is needed: choose a lighter colour"
                )
        return accent

    @property
    def dark(self) -> str:
        """The accent of the dark page."""
        if self.accent_dark:
            return self.accent_dark
        made = (_lighter(self.accent, i / 40) for i in range(20, 41))
        return next(c for c in made if all(contrast(c, ground) >= READABLE + 1 for ground in _dark(c).values()))

    @property
    def light_grounds(self) -> dict[str, str]:
        """What the accent stands on, on a light page: token to colour."""
        return _light(self.accent)

    @property
    def dark_grounds(self) -> dict[str, str]:
        """What the dark accent stands on."""
        return _dark(self.dark)


class Button(_Model):
    """The words on the website's button."""

    en: Line = "Ketamine questions"
    es: Line = "Preguntas sobre la ketamina"


class Clinic(_Model):
    """Everything a clinic may say about itself. All of it is optional: without a file the guide stands for no clinic.

    Attributes:
        language: Language of people who do not choose one.
        region: Region of people who do not say theirs: decides the emergency numbers.
        name: The clinic's name, as patients know it.
        phone: As it should be shown; international form (+1 …) where patients may call from abroad.
        hours: When the phone is answered.
        booking: Page where a visit is booked.
        website: The clinic's general page; in the QR code of the printed sheet.
        guide_url: Public https address of this guide; in the snippet and in the QR codes of sources.
        logo: SVG, PNG or WebP, next to this file.
        colours: Accent colours, checked for contrast.
        button: Words on the website's button.
        side: Side of the page on which the button stands.
        kiosk_printer: Whether the kiosk has a printer.
    """

    language: Language = "en"
    region: Region = "US"
    name: Line | None = None
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ().-]{3,24}$")] | None = None
    hours: Line | None = None
    booking: HttpUrl | None = None
    website: HttpUrl | None = None
    guide_url: HttpUrl | None = None
    logo: Path | None = None
    colours: Colours = Field(default_factory=Colours)
    button: Button = Field(default_factory=Button)
    side: Literal["left", "right"] = "right"
    kiosk_printer: bool = True

    @model_validator(mode="after")
    def _sane(self) -> Clinic:
        if self.phone and not self.name:
            raise ValueError("a phone needs the clinic's name beside it: add `name`")
        return self

    @classmethod
    def of(cls, settings: Settings) -> Clinic:
        """The clinic of these settings: its file, or else the single settings.

        Raises:
            SettingsError: when the file is not readable or an entry of it is wrong.
        """
        if settings.clinic_file is not None:
            return load(settings.clinic_file, {"language": settings.language, "region": settings.region})
        name = settings.clinic_name or ("Your clinic" if settings.clinic_phone else None)
        return cls(language=settings.language, region=settings.region, name=name, phone=settings.clinic_phone, hours=settings.clinic_hours)

    @property
    def dial(self) -> str | None:
        """The phone as a `tel:` link has it."""
        if not self.phone:
            return None
        return ("+" if self.phone.startswith("+") else "") + re.sub(r"\D", "", self.phone)

    def contact(self) -> dict[str, Any] | None:
        """The clinic as a contact of the contract, or None when it has no phone."""
        if not self.phone or not self.dial:
            return None
        say = f"Llame al {self.phone}" if self.language == "es" else f"Call {self.phone}"
        way = {
            "kind": "call", "dial": self.dial.removeprefix("+"), "e164": self.dial if self.dial.startswith("+") else None, "say": say,
            "body": None, "url": None,
        }  # fmt: skip
        return {"name": self.name, "for": ["postinfusion_emergency"], "ways": [way], "hours": self.hours, "region": self.region}

    @property
    def css(self) -> str:
        """The accent as tokens of static/guide.css; empty when it is the guide's own."""
        if self.colours == Colours():
            return ""
        light_grounds, dark_grounds = self.colours.light_grounds, self.colours.dark_grounds
        light = f"--accent:{self.colours.accent};--on-accent:{ON_ACCENT};--ground:{light_grounds['ground']};--tint:{light_grounds['tint']}"
        dark = f"--accent:{self.colours.dark};--on-accent:{ON_ACCENT_DARK};--ground:{dark_grounds['ground']};--tint:{dark_grounds['tint']}"
        return f":root{{{light}}}\n@media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n@media print{{:root{{{light}}}}}\n"


def load(path: Path, default: dict[str, Any] | None = None) -> Clinic:
    """Read and check a clinic's file.

    Args:
        path: YAML file.
        default: Values of entries the file leaves out.

    Raises:
        SettingsError: one line: the file, the entry, what is wrong.
    """
    where = f"KETAMINE_GUIDE_CLINIC_FILE ({path})"
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{where}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise SettingsError(f"{where}: not valid YAML{line}") from None
    if not isinstance(data, dict):
        raise SettingsError(f"{where}: must hold entries such as `name: …`")
    try:
        clinic = Clinic.model_validate({**(default or {}), **data})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        entry = ".".join(str(p) for p in first["loc"]) or "the file"
        raise SettingsError(f"{where}: {entry}: {first['msg'].removeprefix('Value error, ')}") from None
    if clinic.logo is not None:
        logo = path.parent / clinic.logo
        if logo.suffix.lower() not in LOGO_TYPES or not logo.is_file():
            raise SettingsError(f"{where}: logo: {clinic.logo} is not an SVG, PNG or WebP file beside it")
        clinic = clinic.model_copy(update={"logo": logo.resolve()})
    return clinic
