"""Spanish danger by families (body part × sign, means × wish, person × deed) and the ordinary talk that stands next to it."""

from __future__ import annotations

import pytest

from knowledge.safety.screen import Screen

DANGER = {
    "crisis_suicide": [
        "me corto más hondo cada noche",
        "en mi casa sobro yo",
        "mi tía anda repartiendo sus joyas y dice que pronto va a descansar",
        "compré una soga en la ferretería",
        "fui juntando morfina para reunirme con mi difunto marido",
        "me asomo al balcón cada vez con más cuerpo fuera",
        "la otra vez me salvaron, esta vez no fallo",
        "en cuanto se duerman lo hago",
        "si no me funciona me pego un tiro",
        "ya vendí el coche, cerré las cuentas y estoy en paz",
        "dejé las cartas en la mesa, una a cada uno",
        "tengo raticida en un vaso, quiero tomarlo",
        "las voces me ordenan que me tire",
        "ya no quiero vivir con este dolor, ya lo tengo decidido y tengo la cuerda",
        "se hace cortes en los muslos y tiene catorce",
        "mi hermano agarró la escopeta y se encerró en el granero",
        "seguro que cobran el seguro de vida aunque uno se mate, lo tengo decidido",
    ],
    "medical_emergency": [
        "se le ha caído un lado de la cara a mi madre",
        "no puedo pasar ni mi saliva",
        "tiene la barriga dura como tabla y fiebre",
        "una opresión que me sube a la quijada y sudo frío",
        "no le encuentro el pulso a mi abuelo",
        "popó negra como alquitrán y me mareo",
        "hace pausas largas al respirar y tiene la boca abierta",
        "no siento nada ahí abajo y se me escapa la orina",
        "le picó una abeja y tiene la lengua gorda",
        "el inhalador ya no me sirve",
        "se mordió la lengua, se orinó y sigue ido",
    ],
    "overdose": [
        "me eché la tira entera",
        "18 paracetamoles desde anoche",
        "mastiqué los de liberación prolongada",
        "bebí la ampolla y era para inyectar",
        "clonazepam encima del suero, ando cabeceando",
        "la bomba pasó en cinco minutos lo de dos horas",
        "jeringa grande en lugar de la chica, 30 rayas en vez de 3",
        "me tomé una, luego otra y después otra",
        "me dieron la bolsa de otro paciente",
    ],
    "postinfusion_emergency": [
        "desde la sesión tapa las ventanas y dice que le pusieron un chip",
        "mi suegra platica con los muertos desde la infusión de ayer",
        "va a gatas al baño, la infusión fue anteayer",
        "las piernas no me sostienen, la sesión fue hoy",
        "20/11 de tensión desde la clínica",
        "está convencida de que su hijo es un impostor desde la ketamina de ayer",
    ],
    "abuse_danger": [
        "dice que si lo denuncio me mata",
        "no puedo hablar mucho, está en la ducha",
        "les pedí que pararan y me sujetaron",
        "me puso un localizador en el coche",
        "la sopa me sabe amarga y luego no recuerdo nada, mi marido la prepara",
        "aprovechó que estaba dormida por la ketamina y me tocó",
        "me deja horas en la silla sin comer",
    ],
    "child_exposure": [
        "mi hijo repartió mis comprimidos en la escuela",
        "el pastillero abierto en la cuna",
        "mi nieto gatea y acabo de encontrar media pastilla mojada",
        "mi hermanita se echó el spray en la nariz",
        "la nena se chupó los dedos después de tocar el polvo de mi pastilla",
    ],
}

ORDINARY = [
    "mi jefa me mata si falto el lunes",
    "mi mujer me va a matar si se entera de lo que cuesta",
    "¿y si me desmayo en la sala?",
    "¿cuántas muertes por sobredosis hay al año?",
    "a mi abuela le dio un derrame a los 70, ¿influye?",
    "según mi vecina a uno le dio un paro con eso",
    "me aterra pensar que deje de respirar",
    "nadie me pega, los moretones son de la vía",
    "no me duele el pecho ni me desmayo",
    "ideas de matarme no, tristeza sí",
    "el seguro me tiene secuestrado con los papeles",
    "¿puedo tomar una cerveza después?",
    "tomo seis pastillas al día, ¿hay interacción?",
    "vendí la moto para pagar la infusión",
    "ya lo tengo decidido, empiezo en marzo",
    "veo borroso a ratos desde el spray y se me quita al descansar",
    "vomito poquito por las mañanas desde la infusión",
    "le pregunté si pensaba en suicidarse y me dijo que nunca",
    "el dolor no me deja salir de casa",
    "un coche me golpeó por detrás y me duele el cuello",
    "se me rompió el corazón al ver a mi hijo jugar solo",
    "quiero quejarme de la recepcionista",
    "parezco niño con zapatos nuevos, ¿me tomo mis medicinas antes?",
    "necesito un lugar seguro para guardar las tabletas",
    "le tengo miedo a las agujas",
    "no es que quiera morirme, es que me canso de que duela",
    "mi gata lamió la tableta",
    "voy por la tercera sesión y todo bien",
    "¿la ketamina quita las ganas de morir?",
    "tengo hombro congelado y no puedo levantar el brazo",
    "tengo miedo de atragantarme con la tableta",
    "me asusta asfixiarme bajo la sedación",
]


@pytest.mark.parametrize(("category", "text"), [(category, text) for category, texts in DANGER.items() for text in texts])
def test_danger_by_families(screen: Screen, category: str, text: str) -> None:
    finding = screen.check(text)
    assert finding.urgent, finding.why
    assert category == finding.category or category in finding.why, finding.why


@pytest.mark.parametrize("text", ORDINARY)
def test_what_stands_next_to_it_is_ordinary(screen: Screen, text: str) -> None:
    finding = screen.check(text)
    assert finding.category is None, finding.why
