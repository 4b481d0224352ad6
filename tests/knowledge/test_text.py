"""Words, parts, spelling repair and names in messages."""

from __future__ import annotations

import pytest

from knowledge.content import Content
from knowledge.schema import Lexicon
from knowledge.text import Entities, Namer, Speller, clean, count_words, is_spanish, parts, words

LEXICON = Lexicon.model_validate({
    "conditions": [
        {"id": "crps", "names": {"en": ["crps", "complex regional pain syndrome"], "es": ["sdrc"]}},
        {"id": "neuropathic", "names": {"en": ["nerve pain"]}},
        {"id": "shingles", "names": {"en": ["nerve pain after shingles"]}},
    ],
    "medicines": [{"id": "ketamine", "names": {"en": ["ketamine", "special k", "k"], "es": ["ketamina"]}}],
    "routes": [{"id": "iv", "names": {"en": ["drip", "iv"]}}],
    "aspects": [{"id": "cost", "names": {"en": ["cost", "what's the price"]}}],
})  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("", ""),
        ("  does \t it\r\n\n work ", "does it work"),
        ("dolor cro\u0301nico", "dolor crónico"),
        ("a\x00b\x1bc", "a b c"),
        ("a\u00a0b\u2028c", "a b c"),
        ("lone \ud800 half", "lone ? half"),
        ("<b>ketamine</b>", "<b>ketamine</b>"),
        ("\ufeffketamine", "ketamine"),
    ],
)
def test_clean(raw: str, expected: str) -> None:
    """NFC, no control characters, white space folded; nothing else is touched."""
    assert clean(raw) == expected
    assert clean(expected) == expected


@pytest.mark.parametrize("invisible", ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e"])
def test_clean_takes_invisible_characters_out_of_words(invisible: str) -> None:
    """A word that looks whole is whole, whatever was pasted into it."""
    assert clean(f"keta{invisible}mine") == "ketamine"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Does it work?", ["does", "it", "work"]),
        ("Isn’t it S-ketamine", ["isn't", "it", "s-ketamine"]),
        ("'quoted' -- dash-", ["quoted", "dash"]),
        ("¿Cuánto dura el año?", ["cuánto", "dura", "el", "año"]),
        ("?!…", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    """Lower case; apostrophes and hyphens only inside."""
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Does ketamine help?", ["Does ketamine help?"]),
        ("", [""]),
        ("Does it help CRPS? Is it safe?", ["Does it help CRPS", "Is it safe"]),
        ("does it help crps and how much does it cost", ["does it help crps", "how much does it cost"]),
        ("does it help crps, but is it safe", ["does it help crps", "is it safe"]),
        ("ketamine and memantine for nerve pain", ["ketamine and memantine for nerve pain"]),
        ("does it help\nwill it hurt me", ["does it help", "will it hurt me"]),
        ("ayuda con el dolor y cuánto dura el efecto", ["ayuda con el dolor", "cuánto dura el efecto"]),
        ("i live in cork, is it licensed here", ["i live in cork", "is it licensed here"]),
        ("does it help crps, or have they stopped", ["does it help crps", "have they stopped"]),
        ("nausea, headaches, dizziness", ["nausea, headaches, dizziness"]),
        ("Hi. Does it help CRPS? Thanks!", ["Hi. Does it help CRPS? Thanks!"]),
        ("Is it 2.5 times better than before", ["Is it 2.5 times better than before"]),
    ],
)
def test_parts(text: str, expected: list[str]) -> None:
    """Only a question that stands alone is a part."""
    assert parts(text) == expected


@pytest.fixture
def speller() -> Speller:
    """Knows a few words of the base."""
    counts = {
        "ketamine": 50,
        "ketamina": 2,
        "ketamin": 2,
        "bladdre": 1,
        "fibromyalgia": 9,
        "pain": 30,
        "pains": 3,
        "rare": 1,
        "bladder": 4,
        "5-year": 9,
    }
    return Speller(counts, known=["paint", "rates", "ketamina"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("does ketamie help", "does ketamine help"),
        ("does ketamnie help", "does ketamine help"),
        ("Ketmine?", "ketamine?"),
        ("fibromialgya", "fibromyalgia"),
        ("blader, Blader", "bladder, bladder"),
        ("paint", "paint"),
        ("ketamina", "ketamina"),
        ("ketamin", "ketamine"),  # a phrasing's own misspelling, 3 times rarer
        ("bladdre", "bladder"),
        ("raree", "raree"),
        ("pin", "pin"),
        ("xyzzy", "xyzzy"),
        ("ketamie's", "ketamie's"),
        ("", ""),
    ],
)
def test_speller_repairs_what_is_near_and_often(speller: Speller, text: str, expected: str) -> None:
    """Short, known, rare and far words are left alone; the rest of the text keeps its form."""
    assert speller.repair(text) == expected


def test_a_word_of_the_base_that_is_not_known_is_misspelt_only_beside_a_far_more_frequent_one() -> None:
    """A name that no dictionary holds stays; a short word and two edits need the other to be 25 times as frequent."""
    counts = {"shingels": 3, "shingles": 43, "lable": 4, "label": 100, "meds": 36, "mess": 80, "propofol": 2, "protocol": 49, "brandix": 5, "brandis": 9}
    speller = Speller(counts, known=["shingles", "label", "mess", "protocol", "brandis"])
    assert speller.repair("shingels lable") == "shingles label"
    assert speller.repair("meds propofol brandix") == "meds propofol brandix"


def test_nothing_is_repaired_to_a_misspelt_word_of_the_base() -> None:
    """Although it lies nearer."""
    speller = Speller({"reserch": 9, "research": 60}, known=["research"])
    assert speller.repair("reserchh") == "research"
    assert Speller({"zopiclone": 2}).repair("zopicolne") == "zopiclone"


def test_speller_prefers_the_nearest_then_the_most_frequent() -> None:
    """Distance first, then how often the word occurs."""
    speller = Speller({"boost": 3, "boast": 9, "boosts": 99})
    assert speller.repair("booost") == "boost"
    assert speller.repair("boest") == "boast"


def test_speller_allows_two_edits_in_long_words_only(speller: Speller) -> None:
    """Eight letters and more."""
    assert speller.repair("kettaminne") == "ketamine"
    assert speller.repair("bladdrre") == "bladder"
    assert speller.repair("bldr") == "bldr"


def test_speller_prepares_text_for_search(speller: Speller) -> None:
    """Clean first, then repaired."""
    assert speller.prepare("  ketamie\x00 \n pain ") == "ketamine pain"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ketamine for CRPS", {"medicines": {"ketamine"}, "conditions": {"crps"}}),
        ("special k", {"medicines": {"ketamine"}}),
        ("nerve pain after shingles", {"conditions": {"shingles"}}),
        ("nerve pain, and nerve pain after shingles", {"conditions": {"neuropathic", "shingles"}}),
        ("an IV drip of ketamina para sdrc", {"routes": {"iv"}, "medicines": {"ketamine"}, "conditions": {"crps"}}),
        ("what’s the price", {"aspects": {"cost"}}),
        ("s-ketamine, non-iv, costly, ok", {}),
        ("", {}),
    ],
)
def test_namer(text: str, expected: dict[str, set[str]]) -> None:
    """Whole names only, the longest first, in any case and language."""
    found = Namer(LEXICON).find(text)
    assert found == Entities(**{kind: frozenset(ids) for kind, ids in expected.items()})
    assert bool(found) is bool(expected)


@pytest.mark.parametrize(
    ("text", "aspects"),
    [
        ("la presion alta es peligrosa", {"heart", "risk"}),
        ("le hace daño al higado", {"risk", "liver"}),
        ("creo que es la vejiga", {"bladder"}),
        ("tension headache", set()),
    ],
)
def test_spanish_names_are_found_without_accents(text: str, aspects: set[str]) -> None:
    """In Spanish texts only: "tension" is an English word, and "que es" without its accent mostly no question."""
    assert Namer(Content.load().lexicon).find(text).aspects == aspects


def test_namer_with_an_empty_lexicon_finds_nothing() -> None:
    """No names, no entities, no exception."""
    assert not Namer(Lexicon(conditions=[], medicines=[], routes=[], aspects=[])).find("is it ketamine ?")


def test_count_words() -> None:
    """Counts over all texts."""
    assert count_words(["Pain and pain", "no PAIN"]) == {"pain": 3, "and": 1, "no": 1}


@pytest.mark.parametrize(
    "text", ["¿crea dependencia?", "se puede beber vino", "dolor de la mano", "cuántas sesiones", "es adictiva", "cuanto cuesta"]
)
def test_spanish_is_seen(text: str) -> None:
    assert is_spanish(text)


@pytest.mark.parametrize("text", ["does it help me", "is ketamine safe", "no pain in my leg", "fibro"])
def test_english_is_no_spanish(text: str) -> None:
    assert not is_spanish(text)


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("not crps, fibro", ["fibromyalgia"]),
        ("i meant fibro not migraine", ["fibromyalgia"]),
        ("crps and then fibro", ["crps", "fibromyalgia"]),
        ("not crps", ["crps"]),
    ],
)
def test_mentions_keep_their_order_and_leave_out_what_is_set_aside(text: str, conditions: list[str]) -> None:
    assert [i for kind, i in Namer(Content.load().lexicon).mentions(text) if kind == "conditions"] == conditions
