"""How a message is prepared for search."""

from __future__ import annotations

import pytest

from knowledge.content import Content
from knowledge.text import Namer, Preparer, Speller


@pytest.fixture(scope="module")
def preparer() -> Preparer:
    return Preparer(Speller({"ketamine": 9, "addictive": 4}), Namer(Content.load().lexicon))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("is it adictive?", "is ketamine addictive?"),
        ("does this stuff hurt", "does ketamine hurt"),
        ("is memantine the same as it", "is memantine the same as it"),
        ("is ketamine bad if it lasts", "is ketamine bad if it lasts"),
        ("bit by bit", "bit by bit"),
    ],
)
def test_it_is_named_unless_a_medicine_is(preparer: Preparer, text: str, expected: str) -> None:
    assert preparer.prepare(text) == expected
    assert preparer.prepare(expected) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("¿puedo tomarla si tengo la presión alta?", "¿puedo tomar ketamina si tengo la presión alta?"),
        ("puedo usarlo con el higado mal", "puedo usar ketamina con el higado mal"),
        ("van a ponérmela mañana", "van a ponerme ketamina mañana"),
        ("cuando me la ponen me mareo", "cuando me ponen ketamina me mareo"),
        ("me la van a poner en el hospital", "me van a poner ketamina en el hospital"),
        ("me la mandan a la casa", "me mandan ketamina a la casa"),
        ("la puedo usar en el embarazo", "puedo usar ketamina en el embarazo"),
        ("¿lo cubre el seguro?", "¿cubre ketamina el seguro?"),
        ("la tomo desde hace un mes", "tomo ketamina desde hace un mes"),
        ("¿eso da mucho sueño?", "¿ketamina da mucho sueño?"),
        ("y esta medicina sube la tensión", "y ketamina sube la tensión"),
        ("este tratamiento duele mucho, es normal", "ketamina duele mucho, es normal"),
        ("¿Es adictiva?", "¿Es adictiva la ketamina?"),
        ("es adictiva", "es adictiva la ketamina"),
        ("sirve para la fibromialgia", "sirve la ketamina para la fibromialgia"),
        ("¿cuánto cuesta?", "¿cuánto cuesta la ketamina?"),
    ],
)
def test_spanish_pronouns_are_named(preparer: Preparer, text: str, expected: str) -> None:
    """In the verb, before it, in "eso" and where there is no subject at all."""
    assert preparer.prepare(text) == expected
    assert preparer.prepare(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "puedo tomarla con un vino",
        "la memantina es adictiva, puedo usarla",
        "¿es peligroso manejar después?",
        "es seguro que me duele la mano",
        "me duele la espalda y eso no me deja dormir",
        "por eso no puedo hacerlo",
        "hay algo para eso",
        "eso de la infusión duele",
        "la receta del médico y la toma de la noche",
        "la ponen a dormir en la operación",
        "me lo dijeron en la clínica",
        "sirve el ejercicio para el dolor",
        "ayuda",
        "ayuda para mi mamá por favor",
    ],
)
def test_spanish_words_that_stand_for_something_else_are_kept(preparer: Preparer, text: str) -> None:
    """Another medicine, another thing, a noun, a subject that follows, a plea."""
    assert preparer.prepare(text) == text
