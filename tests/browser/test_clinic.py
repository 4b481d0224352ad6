"""The clinic's file: what is wrong with it is told at the start, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.support import ROOT
from web.clinic import DARK, LIGHT, Clinic, Colours, contrast, load
from web.settings import SettingsError

EXAMPLE = ROOT / "docs" / "clinic.example.yml"


def test_the_example_is_right_and_visibly_an_example() -> None:
    clinic = load(EXAMPLE)
    assert "not real" in (clinic.name or "")
    assert EXAMPLE.read_text("utf-8").startswith("# EXAMPLE")
    assert clinic.dial == "+15550100199"
    contact = clinic.contact()
    assert contact is not None
    assert contact["ways"][0] == {
        "kind": "call",
        "dial": "15550100199",
        "e164": "+15550100199",
        "say": "Call +1 555 0100 199",
        "body": None,
        "url": None,
    }


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("accent", ["#4a3a83", "#1f5560", "#7a1f3d", "#004d00", "#000000"])
def test_the_dark_accent_is_readable_whatever_the_light_one(accent: str) -> None:
    colours = Colours(accent=accent)
    assert all(contrast(colours.dark, ground) >= 4.5 for ground in colours.dark_grounds.values())
    assert all(contrast(accent, ground) >= 4.5 for ground in colours.light_grounds.values())
    assert contrast("#262133", colours.light_grounds["tint"]) >= 7  # the patient's own words
    assert contrast("#f1eef6", colours.dark_grounds["tint"]) >= 7


def test_the_guides_own_colours_pass_their_own_check() -> None:
    css = (ROOT / "web" / "static" / "guide.css").read_text("utf-8")
    Colours(accent=Colours().accent)
    for tokens in (LIGHT, DARK):
        assert all(colour in css for colour in tokens.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colours: {accent: '#ffcc00'}", "colours.accent: #ffcc00 has a contrast of"),
        ("colours: {accent: yellow}", "colours.accent"),
        ("colours: {accent_dark: '#222222'}", "choose a lighter colour"),
        ("nmae: A clinic", "nmae"),
        ("phone: '555 0100'", "needs the clinic's name"),
        ("language: fr", "language"),
        ("region: XX", "region"),
        ("booking: clinic.example", "booking"),
        ("logo: missing.svg", "logo: missing.svg is not"),
        ("name: [", "not valid YAML in line"),
        ("just words", "must hold entries"),
        ("name: " + "x" * 81, "name"),
    ],
)
def test_a_broken_file_gives_one_clear_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "clinic.yml"
    path.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as told:
        load(path)
    line = str(told.value)
    assert words in line
    assert "KETAMINE_GUIDE_CLINIC_FILE" in line
    assert "\n" not in line


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "none.yml")


def test_no_colours_of_its_own_need_no_style() -> None:
    assert Clinic().css == ""
    css = load(EXAMPLE).css
    assert "--accent:#1f5560" in css
    assert "--tint:#" in css
