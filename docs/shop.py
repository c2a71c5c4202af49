"""The data of the tutorial: what customers ask an invented lamp shop, and what it answers.

`make docs` writes docs/shop.csv. Names, lamps and rules are made up; an answer greets by the name
that the question gives, names the lamp, and tells the shop's rule for what was asked.
"""

from __future__ import annotations

import csv
import io
import random
from itertools import product

ROWS = 200
SEED = 7
NAMES = (
    "Ada", "Arne", "Bodil", "Carla", "Dario", "Edda", "Emil", "Farid", "Greta", "Hanna", "Igor",
    "Jonas", "Karin", "Leif", "Lotte", "Marek", "Nadia", "Olga", "Paul", "Quentin", "Rosa", "Sven",
    "Tilda", "Umar", "Vera", "Wanda", "Yusuf", "Zoe",
)  # fmt: skip
LAMPS = (
    "Harbour lamp", "Meadow lamp", "Orbit lamp", "Pebble lamp", "Birch lamp", "Comet lamp",
    "Lantern lamp", "Willow lamp", "Copper lamp", "Dune lamp",
)  # fmt: skip
RULES = (
    (
        (
            "When will my {lamp} be delivered?",
            "How long does it take to deliver a {lamp}?",
            "My {lamp} was not delivered yet. Where is it?",
        ),
        "your {lamp} leaves our workshop within two days. You get a link to follow the parcel.",
    ),
    (
        (
            "The {lamp} came broken.",
            "My {lamp} is broken. It must have fallen on the way.",
            "I opened the box, and the glass of the {lamp} is broken.",
        ),
        "we are sorry about the broken {lamp}. A new one is on its way, and you pay nothing.",
    ),
    (
        (
            "I would like to return the {lamp}.",
            "Can I return a {lamp} that I do not like?",
            "How do I return my {lamp}?",
        ),
        "you can return the {lamp} within thirty days. Print the label and bring it to the post.",
    ),
    (
        (
            "Which bulb fits the {lamp}?",
            "What bulb do I need for my {lamp}?",
            "The bulb of my {lamp} is dead. Which one should I buy?",
        ),
        "the {lamp} takes any small bulb of six watts. One comes with every lamp.",
    ),
    (
        (
            "I need an invoice for the {lamp}.",
            "Could you send me the invoice for my {lamp} again?",
            "Where do I find the invoice of the {lamp}?",
        ),
        "the invoice for your {lamp} is in your account, under orders. We sent it by mail, too.",
    ),
    (
        (
            "Please cancel my order of the {lamp}.",
            "I changed my mind. Could you cancel the {lamp}?",
            "Can I still cancel the {lamp} that I ordered today?",
        ),
        "we have cancelled the {lamp}. Your money is back on your card in three days.",
    ),
    (
        (
            "May I hang the {lamp} in the bathroom?",
            "Is the {lamp} safe in a bathroom?",
            "Can the {lamp} get wet in my bathroom?",
        ),
        "please keep the {lamp} in dry rooms. It must not get wet, not even for a moment.",
    ),
    (
        (
            "How do I clean the {lamp}?",
            "There is dust on my {lamp}. May I clean it with soap?",
            "What do I clean the shade of the {lamp} with?",
        ),
        "wipe the {lamp} with a soft dry cloth, and unplug it first. Soap harms the paint.",
    ),
)
"""What is asked, in three ways each, and what the shop says to it."""
OPENINGS = ("Hello, this is {name}. ", "Hi, {name} here. ", "My name is {name}. ")


def table() -> str:
    """Return the CSV: 200 rows of question and answer, no two of them alike."""
    draw = random.Random(SEED)
    all_rows = [
        ((opening + asked).format(name=name, lamp=lamp), f"Dear {name}, {said.format(lamp=lamp)}")
        for name, lamp, opening, (questions, said) in product(NAMES, LAMPS, OPENINGS, RULES)
        for asked in questions
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("question", "answer"))
    writer.writerows(draw.sample(all_rows, ROWS))
    return text.getvalue()
