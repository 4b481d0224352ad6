"""What is over, supposed, read somewhere or said lightly is no danger; its twin that happens now is."""

from __future__ import annotations

import pytest

from knowledge.safety.screen import Screen

CALM = {
    "behind one": [
        "I had an overdose of codeine at age 19 and my kidneys recovered. Is ketamine hard on the kidneys?",
        "In my twenties I tried to kill myself. All that is behind me now. Would ketamine suit someone like that?",
        "In the eighties I took too many pills at a party and came out of it fine. Does that matter for a drip?",
        "I stopped breathing once under anaesthetic, they bagged me, all fine. Who do I tell?",
        "I overdosed at sixteen years ago and they pumped me, stomach and all. Does that rule me out?",
        "My dad beat me when I was a child. Is trauma linked with fibromyalgia?",
        "I collapsed in church last summer, turned out to be my sugar. Does that exclude me?",
        "Hace diez años intenté quitarme la vida, ahora estoy bien. ¿Eso me descarta?",
        "De joven me tomé muchas pastillas y me lavaron el estómago. ¿Influye en algo?",
        "Crecí en una casa donde me pegaban, ya lo superé. ¿Hay algo sobre trauma y dolor?",
        "Hubo un tiempo en que quise morirme, quedó atrás. ¿Puedo recibir ketamina?",
    ],
    "supposed": [
        "Say someone took three by accident, would the clinic want to be told?",
        "Suppose he stopped breathing in the chair, what would the nurse do first?",
        "What would you do if I said I was going to hurt myself? Just testing this.",
        "Imagine a patient has chest pain in the middle of it, who comes?",
        "If someone swallows a whole tray, what happens to them?",
        "¿Y si un día no puedo orinar después de la infusión, a quién se llama?",
        "¿Cómo se ve una sobredosis de ketamina? Quiero saber reconocerla.",
        "Si alguien deja de respirar en la sesión, ¿qué se hace?",
        "¿Qué pasa si una persona se toma dos tabletas?",
    ],
    "read somewhere": [
        "A podcast said ketamine stopped a soldier wanting to die. Is that right?",
        "Saw a video on tiktok of a woman who couldn't walk after the drip, is it real?",
        "Headlines call it the date rape drug, why do doctors use it?",
        "Un tiktok dice que una señora se murió por la ketamina, ¿será verdad?",
        "En el telediario hablaron de chicos intoxicados, ¿eso lleva ketamina?",
        "La llaman droga de violación, ¿por qué la usan los médicos?",
    ],
    "said lightly": [
        "My wife will murder me if I forget to ask about parking.",
        "Is it career suicide to tell my boss about the infusions?",
        "My sister is a drama queen, she'll die if she has to fast.",
        "Those tablets knock me out cold, is ketamine gentler?",
        "The covid hit me hard and left my joints sore, does it help?",
        "Does suboxone kill the effect of ketamine?",
        "I'm just weary and blue these days. Are there people of my age having it?",
        "Hoy el dolor me dio una paliza. ¿Hay estudios?",
        "Me pegó durísimo el covid y quedé con dolor.",
        "Se me cae la cara de vergüenza de preguntar esto, ¿se orina uno durante la sesión?",
        "Me muero de risa con mi nieta, pero la rodilla me duele.",
        "Mi hijo me amenaza con quitarme el carro si manejo, jaja, ¿tiene razón?",
        "Vivo así, me arrastro hasta la cama y aun así trabajo.",
    ],
    "ordinary": [
        "ok so the second session flopped, now what",
        "it is usual that crps does not answer to opioids",
        "is ketamine a way to wean off oxycodone",
        "insurance never pays for this, is it so",
        "jaw clenching and tight muscles on ketamine",
        "psychological help around infusions",
    ],
}

DANGER = {
    "crisis_suicide": [
        "In my twenties I tried to kill myself and tonight I want to again.",
        "I have the pistol on the table and I am going to use it on myself",
        "I keep putting one lozenge aside every night. There is enough in the tin now.",
        "would it look like an accident, I want my boys to think I slipped",
        "every evening I stop at the bridge and stand there, it pulls me",
        "the dog has gone to my sister and the letter for when they find me is on the desk",
        "am away to end masel the night",
        "Hace años intenté quitarme la vida y hoy quiero hacerlo otra vez.",
        "ya elegí el día, no llego al domingo",
        "regalé mi gata porque donde voy no la puedo llevar",
        "cuántas pastillas hay que juntar para no despertar",
        "me voy pal otro barrio esta noche",
    ],
    "medical_emergency": [
        "there's a long gap between her breaths and her lips are a funny colour",
        "a man has just slid off his chair in the waiting room and isn't answering",
        "it's like a lorry parked on my breastbone and I'm wringing wet",
        "soup just ran out of the left side of my mouth and my hand won't hold the spoon",
        "something like thunder went off inside my skull and I can't bend my neck",
        "tengo como un elefante encima del pecho",
        "vomité y parecía café molido",
        "mi tía se puso morada y no contesta",
    ],
    "overdose": [
        "I read ml where it said mg and the whole syringe is in me now",
        "I miscalculated by a factor of ten and took it twenty minutes ago",
        "half a bottle of gin on top of her lozenge and she's snoring very oddly",
        "I swallowed everything in the Monday to Friday boxes",
        "me equivoqué de jeringa y me puse diez veces la dosis",
        "me clavé toda la keta que había y el corazón me salta",
    ],
    "postinfusion_emergency": [
        "he was infused at noon and now he thinks it is 1962 and that we kidnapped him",
        "the curtains have been whispering to me since Friday's session",
        "since the drip I've fallen three times and I'm sick every time I lift my head",
        "desde que me quitaron el suero veo caras en la pared y tengo terror",
    ],
    "abuse_danger": [
        "he keeps my medicine and I only get it if I'm nice to him at night",
        "my dad is laying into my mum again, he's got her by the throat",
        "when I came round his hand was under the blanket",
        "he counts my minutes, if he finds out about this I'll get worse than last time",
        "mi padrastro me casca si no le consigo la medicina, hoy dijo que me quiebra",
        "viene borracho otra vez y me escondí en el baño con los niños",
    ],
    "child_exposure": [
        "found a soggy half tablet in my daughter's car seat, she's thirteen months",
        "there's a half sucked lozenge in the cot with tiny teeth marks",
        "the wean's ate my lozenge",
        "el chamaco se tragó mi pastilla de keta y anda como borracho",
        "mi niña de año y medio se metió una tableta entera en la boca",
    ],
}


@pytest.mark.parametrize("text", [text for texts in CALM.values() for text in texts])
def test_the_rules_leave_it_alone(screen: Screen, text: str) -> None:
    finding = screen.check_rules(text)
    assert not finding.urgent, finding.why


@pytest.mark.parametrize(("category", "text"), [(category, text) for category, texts in DANGER.items() for text in texts])
def test_its_dangerous_twin_is_found(screen: Screen, category: str, text: str) -> None:
    finding = screen.check_rules(text)
    assert finding.category == category, finding.why


@pytest.mark.parametrize("category", DANGER)
def test_danger_is_found_inside_a_long_polite_message(screen: Screen, category: str) -> None:
    before = "Good morning and thank you for this page, it is clear and kind. I have had knee pain since an operation and my doctor mentioned infusions."
    after = "Could you also tell me how long an appointment takes and whether I need somebody to drive me? Kind regards from all of us here."
    for text in DANGER[category]:
        assert screen.check_rules(f"{before} {text}. {after}").urgent, text
