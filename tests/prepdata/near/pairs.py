"""Labelled pairs of records, made by rule: repeats of several kinds, and what only looks like one.

Run `python -m tests.prepdata.near.pairs` from the repository for the table of the docs.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from typing import NamedTuple

from tuneproof.prepdata.near.comparing import Texts
from tuneproof.prepdata.near.index import DuplicateIndex
from tuneproof.prepdata.near.sketches import THRESHOLD

REPEATS = ("exact", "case and punctuation", "frame added", "parts swapped", "words swapped",
           "reworded question", "reworded sentence", "numbers in words")  # fmt: skip
OTHERS = ("other entity", "other figure", "other row of a table", "one word, other label",
          "roles swapped", "other answer")  # fmt: skip
CITIES = (
    "Lisbon", "Oslo", "Prague", "Dublin", "Vienna", "Athens", "Madrid", "Warsaw", "Turin", "Bergen",
    "Porto", "Malaga",
)  # fmt: skip
GOODS = (
    "bicycle", "piano", "camera", "kettle", "carpet", "blanket", "mirror", "teapot", "ladder",
    "guitar", "lamp", "tent",
)  # fmt: skip
FRAMES = (
    "Hello, {}", "Hi there! {} Thanks!", "Could you please tell me: {}", "Please, {}",
    "{} Thank you very much in advance.", "Good morning. I would like to know, {}",
    "Excuse me, {}", "Dear team, {} Many thanks!", "I have a question: {}",
    "Can you help me? {}",
)  # fmt: skip
QUESTIONS = (
    "How do I change the battery of my smoke detector?",
    "What is the difference between a lake and a pond?",
    "Which planet has the shortest day?",
    "How can I remove a red wine stain from a wool jumper?",
    "Why do leaves turn brown in autumn?",
    "What does the warranty of this dishwasher cover?",
    "How do I close my account at your bank?",
    "Who invented the printing press?",
    "What is the best way to store fresh basil?",
    "How many bones are there in a human hand?",
    "Can I return shoes that I wore for two days?",
    "What is the purpose of a flywheel in an engine?",
    "How do bees find their way back to the hive?",
    "Which documents do I need for a student visa?",
    "What are the symptoms of a vitamin shortage?",
    "How do I convert a spreadsheet into a database table?",
    "Why is the sky dark at night?",
    "What should I feed a young hedgehog?",
    "How much does the yearly ticket cost?",
    "When does the library open on public holidays?",
)
PASSAGES = (
    "The old mill stands at the river bend. Its wheel has not turned for forty years. In spring "
    "the owner paints the door green. Visitors come from the village to see the herons.",
    "My order arrived with a broken lid. I wrote to the shop twice and nobody answered. The "
    "courier had left the box in the rain. I want my money back before the weekend.",
    "The committee met on a cold evening. It approved the plan for a new footbridge. The mayor "
    "spoke about the cost of steel. Residents asked for better lighting along the path.",
    "We drove through the valley at dawn. Fog lay over the vineyards and the farms. A tractor "
    "blocked the narrow lane for a while. Lunch was bread, cheese and a jug of cider.",
    "The phone gets hot when I charge it. Its screen flickers after the last update. Restarting "
    "brings no improvement at all. Your support page says nothing about this fault.",
    "She learned to sew from her grandmother. The first coat she made was far too wide. Years "
    "later she opened a workshop near the harbour. Now nine people work at her tables.",
    "The choir sings every Thursday in the chapel. New voices are welcome without any audition. "
    "Sheet music lies on the bench by the door. After practice there is tea for everyone.",
    "A storm took the roof off the barn. Neighbours carried the hay into the school. The insurer "
    "sent a letter full of conditions. By winter the beams were in place again.",
    "The recipe asks for ripe plums and rye flour. Let the dough rest under a damp cloth. Bake it "
    "until the crust sounds hollow. It keeps fresh for a week in a tin.",
    "Our bank changed its app in the night. Transfers now need a code from a letter. The letter "
    "never reached my address. The hotline plays music and then hangs up.",
)
SENTENCES = (
    "Its wheel has stood still for forty years.", "I sent the shop two messages and heard nothing.",
    "It agreed to the plan for a new footbridge.", "Fog covered the vineyards and the farms.",
    "Its display flickers since the last update.",
    "The first coat that she sewed was much too wide.",
    "New voices may join without any audition.", "Neighbours brought the hay into the school.",
    "Let the dough rest beneath a damp cloth.", "Transfers now require a code from a letter.",
)  # fmt: skip
"""The second sentence of each passage in other words."""
COUNTERFACTUALS = (
    ("The soup was hot and the waiter was {}.", "friendly", "rude"),
    ("I would {} recommend this hotel to my friends.", "always", "never"),
    ("The plot is {} from the first page to the last.", "gripping", "boring"),
    ("After two weeks the paint still looks {}.", "perfect", "patchy"),
    ("Delivery was {} than the shop had promised.", "faster", "slower"),
    ("The new seats are {} and the air is fresh.", "comfortable", "painful"),
    ("My son {} every minute of the show.", "loved", "hated"),
    ("The staff {} listened to what I had to say.", "patiently", "hardly"),
    ("This update makes the phone {} to use.", "easier", "harder"),
    ("The concert was {} and the sound was clear.", "wonderful", "dreadful"),
)


class Pair(NamedTuple):
    """Two records, the kind of pair they are, and whether the second repeats the first."""

    kind: str
    one: Texts
    other: Texts

    @property
    def is_repeat(self) -> bool:
        return self.kind in REPEATS


def pairs() -> list[Pair]:
    """Return all pairs, always the same."""
    rng = random.Random(3)
    made: list[Pair] = []

    def add(kind: str, one: str, other: str, answer: str, other_answer: str | None = None) -> None:
        second = Texts(other, "", answer if other_answer is None else other_answer)
        made.append(Pair(kind, Texts(one, "", answer), second))

    asked = [*QUESTIONS]
    asked += [
        f"Do you ship a {goods} to {city}, and when does it arrive?"
        for goods, city in zip(GOODS * 2, rng.sample(CITIES * 2, 24), strict=True)
    ]
    for number, question in enumerate(asked):
        answer = f"Answer {number}: see page {number * 7 + 3}."
        add("exact", question, question, answer)
        add("case and punctuation", question, rng.choice(
            [question.upper(), question.lower().rstrip("?"), question.replace("?", " ?!"),
             question.replace(",", " -")]), answer)  # fmt: skip
        frame = FRAMES[number % len(FRAMES)]
        add("frame added", question, frame.format(question), answer)
        add("words swapped", question, _swapped(question, rng), answer)
        if (other := _reworded(question)) != question:
            add("reworded question", question, other, answer)
    for number, passage in enumerate(PASSAGES * 2):
        answer = f"label {number % 3}"
        lines = re.split(r"(?<=\.) ", passage)
        if number < len(PASSAGES):
            reworded = [lines[0], SENTENCES[number], *lines[2:]]
            add("reworded sentence", passage, " ".join(reworded), answer)
            add("parts swapped", passage, " ".join([*lines[2:], *lines[:2]]), answer)
        else:
            add("exact", passage, passage, answer)
            add("case and punctuation", passage, passage.replace(".", " !"), answer)
    for number, city in enumerate(CITIES):
        for place, count, word in ((n, n + 2, _word(n + 2)) for n in range(3)):
            one = f"Near {city}, which {count} museums of room {place} are open on Sundays?"
            answer = f"Those of street {number}-{place}."
            add("parts swapped", one,
                f"Which {count} museums of room {place} are open on Sundays near {city}?",
                answer)  # fmt: skip
            add("numbers in words", one, one.replace(f" {count} ", f" {word} "), answer)
    for number in range(60):
        one, other = rng.sample(CITIES, 2)
        goods = rng.choice(GOODS)
        text = "Which office in {} handles a lost {} of a customer?"
        add("other entity", text.format(one, goods), text.format(other, goods), "office")
        day, later = rng.sample(range(2, 29), 2)
        text = "Move the meeting about the {} from room 4 to the {} of May, please."
        add("other figure", text.format(goods, day), text.format(goods, later), "moved")
        add("roles swapped", f"Does a train from {one} to {other} stop on the way, and where?",
            f"Does a train from {other} to {one} stop on the way, and where?", "yes")  # fmt: skip
        row, changed = _table_rows(rng)
        add("other row of a table", row, changed, "high")
        text = f"How long does order {number} take?"
        add("other answer", text, text, f"It takes {day} days.", f"It has reached {one} already.")
    for number in range(60):
        text, good, bad = COUNTERFACTUALS[number % len(COUNTERFACTUALS)]
        rest = f" We went there {_word(2 + number // 10)} times with the {rng.choice(GOODS)} club."
        add("one word, other label", text.format(good) + rest, text.format(bad) + rest,
            "positive", "negative")  # fmt: skip
    return made


def found(made: list[Pair], threshold: float = THRESHOLD) -> dict[str, list[bool]]:
    """Return, by kind, whether the index takes the second record of each pair for a repeat.

    Each pair is looked up in an index of its first record, among all other pairs' texts, so that
    what many share is known.
    """
    texts = [texts for pair in made for texts in (pair.one, pair.other)]
    by_kind: dict[str, list[bool]] = defaultdict(list)
    index = DuplicateIndex(len(texts), texts.__getitem__, threshold=threshold)
    for number in range(0, len(texts), 2):
        index.add(number)
    for number, match in index.find(range(1, len(texts), 2)):
        pair = made[number // 2]
        by_kind[pair.kind].append(match is not None and texts[match[1]] == pair.one)
    return by_kind


def table(threshold: float = THRESHOLD) -> str:
    """Return how many pairs of each kind are taken for repeats, as a table in Markdown."""
    by_kind = found(pairs(), threshold)
    lines = ["| pair | is a repeat | pairs | taken for one |", "| --- | --- | ---: | ---: |"]
    lines += [
        f"| {kind} | {'yes' if kind in REPEATS else 'no'} | {len(by_kind[kind])} | "
        f"{sum(by_kind[kind])} |"
        for kind in (*REPEATS, *OTHERS)
    ]
    recall, precision = rates(by_kind)
    return "\n".join([*lines, "", f"Recall {recall:.1%}, precision {precision:.1%}."])


def rates(by_kind: dict[str, list[bool]]) -> tuple[float, float]:
    """Return recall and precision over all pairs."""
    repeats = [taken for kind in REPEATS for taken in by_kind[kind]]
    others = [taken for kind in OTHERS for taken in by_kind[kind]]
    return sum(repeats) / len(repeats), sum(repeats) / (sum(repeats) + sum(others))


def _reworded(question: str) -> str:
    """Return the question asked in another of the usual ways, if there is one."""
    rules = (
        (r"^How do I (.+)\?$", r"What is the way to \1?"),
        (r"^How can I (.+)\?$", r"How do I \1?"),
        (r"^What is the (.+)\?$", r"Can you tell me what the \1 is?"),
        (r"^Why is (.+?) (\w+ at .+)\?$", r"For what reason is \1 \2?"),
        (r"^Which documents do I need (.+)\?$", r"Which documents do I require \1?"),
        (r"^How much does (.+) cost\?$", r"What is the price of \1?"),
        (r"^When does (.+)\?$", r"At what time does \1?"),
        (r"^Who invented (.+)\?$", r"Do you know who invented \1?"),
        (r"^Can I return (.+)\?$", r"Is it possible to return \1?"),
        (r"^What are (.+)\?$", r"Tell me what \1 are."),
        (r"^Do you ship a (.+)\?$", r"Could you tell me if you send a \1?"),
    )
    for pattern, other in rules:
        if re.match(pattern, question):
            return re.sub(pattern, other, question)
    return question


def _swapped(question: str, rng: random.Random) -> str:
    """Return the question with two words beside each other in the other order."""
    words = question.rstrip("?").split()
    place = rng.randrange(1, len(words) - 2)
    words[place], words[place + 1] = words[place + 1], words[place]
    return " ".join(words) + "?"


def _table_rows(rng: random.Random) -> tuple[str, str]:
    """Return two rows of a table written out by one template, which differ in one cell."""
    cells = {
        "age": [str(number) for number in range(20, 70)],
        "work class": ["private", "public", "own business"],
        "education": ["school", "college", "masters", "doctorate"],
        "status": ["married", "single", "widowed", "divorced"],
        "occupation": ["sales", "repair", "farming", "transport", "teaching"],
        "sex": ["male", "female"],
        "country": ["Mexico", "Canada", "India", "Japan"],
    }
    row = {name: rng.choice(values) for name, values in cells.items()}
    name = rng.choice(list(cells))
    other = {**row, name: rng.choice([value for value in cells[name] if value != row[name]])}
    one, two = (
        " ".join(f"The {k} of the person is {v}." for k, v in r.items()) for r in (row, other)
    )
    return one, two


def _word(number: int) -> str:
    return ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"][number]


if __name__ == "__main__":
    print(table())
