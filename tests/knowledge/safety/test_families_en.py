"""English families of danger, and the kinds of ordinary talk that stand beside them: each in wordings of its own."""

from __future__ import annotations

import pytest

from knowledge.safety.screen import Screen

DANGER = {
    "crisis_suicide": [
        "I walked onto the viaduct last night and stood on the edge of it for an hour",
        "he sent us a photo of himself on the bridge",
        "I've parked at the top of the car park and keep looking down",
        "there's a noose in the shed and it's for me",
        "my revolver's on the kitchen table, I keep picking it up tonight",
        "I've been stashing my tramadol since spring, I know what for",
        "what's the gentlest way for someone like me to end it",
        "does the life insurance still pay out if it's by my own hand",
        "I can't find the courage to go through with it",
        "there's no version of next year with me in it",
        "I'd rather be dust than live like this",
        "I was so angry that I woke up again",
        "if the new drug doesn't work, I know what I'm doing then",
        "I've written a card for each of my children and they're sealed",
        "I quit my warfarin so that nature takes its course and lets me die",
        "I cut my arm again, deeper, it's the only relief",
        "enough. tonight. forgive me everyone",
        "my aunt gave me her house keys and her dog and she won't answer the phone",
        "I've chosen the day",
        "would anybody even come to my funeral",
        "tomorrow night I'll be gone, six feet under by Sunday",
    ],
    "medical_emergency": [
        "her mouth has slid down at one side and she can't smile",
        "half my face has gone numb",
        "he takes three breaths a minute",
        "I have to shake him to keep him breathing",
        "the oximeter says 71",
        "a bee sting, my tongue is swelling and I'm wheezing",
        "a ripping feeling between my shoulder blades, out of nowhere",
        "my belly is as hard as a board",
        "I'm 30 weeks pregnant and bleeding",
        "his sugar is 1.9 and he's sweating and confused",
        "our carbon monoxide alarm is beeping and we all have headaches",
        "the bone's sticking out of her shin",
    ],
    "overdose": [
        "I used a cup instead of the dropper",
        "I misread tenths as ones and I've already had it",
        "accidentally swallowed my brother's methadone",
        "I gulped it straight from the bottle without measuring",
        "crushed my slow release oxycodone and took it",
        "kept topping up until the spray was empty",
        "the packet was full at breakfast and it's empty now",
        "I've had tomorrow's lozenge and Sunday's as well",
        "double dose of lithium by mistake",
        "mixed ket with GHB and I'm on the floor",
        "brandy and zopiclone and my lozenge together, I feel so drowsy",
    ],
    "postinfusion_emergency": [
        "since Friday's drip she keeps asking who I am",
        "my uncle was discharged at two and he's talking to people who aren't there",
        "the treatment was yesterday and he swears our neighbours are spies",
        "after my session I got lost in my own kitchen, it's still like that today",
        "the walls haven't stopped breathing since my infusion on Monday",
        "my knees won't hold me since this morning's session",
        "every time I get up I go down again, infusion was yesterday",
        "nothing will come when I try to pee, they discharged me at ten this morning",
    ],
    "abuse_danger": [
        "can't talk loud, she's in the next room and she'll hit me",
        "he reads my phone and if he finds out he'll beat me",
        "punched me in the ribs because I dropped his dinner",
        "the carer ties my father to his chair when he's noisy",
        "my stepson takes my crutches away so I can't leave",
        "she pours my pain medicine down the toilet",
        "he says if I leave he'll bury me",
        "my ex is parked outside the clinic again",
        "I found a tracker on my car",
        "they filmed me while I was out of it with my gown open",
        "he said undressing is part of the ketamine treatment",
        "my landlord puts something in my tea and I lose whole evenings",
    ],
    "child_exposure": [
        "my niece, 4, got hold of my lozenges and there are bits on the floor",
        "the twins had my patch, one was chewing it",
        "my grandson told me the sweeties tasted bitter, they were my troches",
        "she thought they were jelly sweets, she's three",
        "there were eight, now there are five, and the drawer is open and the toddler was in there",
        "I fished half of it out of her mouth, she's 14 months old",
        "my stepdaughter, 13, stole two of my lozenges for a dare",
        "a fentanyl patch was stuck to the baby's back",
    ],
}

ORDINARY = [
    # research, hearsay, plans ahead
    "do registries list suicides after infusions?",
    "why does it act on suicidal thoughts faster than pills?",
    "I read on a forum that somebody overdosed on troches. true or myth?",
    "my barber says his cousin stopped breathing on it, did that really happen?",
    "what would a clinic do if a patient said they felt suicidal?",
    "when a caller says she wants to die, is there a script for the front desk?",
    "we run a mock code on Monday, scenario is an unresponsive patient",
    # history and background
    "my late husband had seizures all his life",
    "I faint at every blood test, I have since school",
    "my pulse goes to 150 whenever I get nervous",
    "the worst was 2014 to 2016, when I couldn't get off the floor",
    # denial
    "I have no wish to die, I only hurt",
    "no thoughts of suicide, just very tired",
    "I asked him whether he wanted to kill himself and he said no, never",
    "nobody is hitting me, the bruises are from the drip",
    # children, before anything has happened
    "what can I tell my kids so they don't think it's candy?",
    "should I even keep this in the house with a toddler?",
    # fear and pictures
    "I keep picturing my heart stopping in the chair",
    "my anxiety keeps telling me that my throat will close",
    # sayings
    "I'm choking on all this paperwork",
    "my insurer is holding me hostage",
    "I could strangle that receptionist",
    "I'm dead on my feet by lunchtime",
    # near the new families
    "I cut my finger cooking",
    "he broke his arm skiing",
    "my kids hit me with questions about it",
    "is ketamine dangerous with alcohol?",
    "I said goodbye to my old physio",
    "I took six weeks of physio",
    "do I keep taking my tablets during the infusions?",
    "the bottle is empty, how do I get a refill?",
    "I saw my doctor after the session and she was pleased",
    "I'm leaving on Friday for a week away",
    "I want off the opioids",
    "my hands go purple in the cold",
]


@pytest.mark.parametrize(("category", "text"), [(category, text) for category, texts in DANGER.items() for text in texts])
def test_a_family_is_found_in_another_wording(screen: Screen, category: str, text: str) -> None:
    finding = screen.check(text)
    assert finding.category == category, finding.why


@pytest.mark.parametrize("text", ORDINARY)
def test_what_stands_beside_a_family_is_ordinary(screen: Screen, text: str) -> None:
    finding = screen.check(text)
    assert finding.category is None, finding.why
