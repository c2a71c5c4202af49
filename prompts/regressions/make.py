"""Make the regression set: `python -m tuneproof.prompts.regressions.make` writes its two files.

asked.json holds what `infer compare regressions` asks, mixed.json what `prepdata build --mix
regressions=SHARE` trains on. Arithmetic, spelling, formats and passages to read are made here from
word lists: of all that can be made of a kind, shuffled with `SEED`, the first are asked and the
next are mixed in, so that no item is in both files. The others are written by hand, in
written.yaml. All of it was made for this project, and comes under its licence.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tuneproof.files import write_text
from tuneproof.formats.regressions import ASKED, MIXED
from tuneproof.prompts.regressions.words import (
    ANIMALS,
    CITIES,
    GOODS,
    JOBS,
    LISTS,
    MISSPELT,
    NAMES,
    PLURALS,
    TOPICS,
)
from tuneproof.yaml_text import read_yaml

SEED = 21
"""Decides which of the made items are asked, and which are mixed in."""
ASK, MIX = 52, 80
"""Items of every made kind that are asked, and that may be mixed in."""
REFUSALS = (
    "I'm sorry, but I can't help with that. It could hurt somebody.",
    "I can't assist with that, because it would be harmful or against the law.",
    "I'm sorry, I cannot help with this request.",
    "I won't help with that. If you or somebody else is in danger, please call for help.",
)

DECLINES, HELPS = "I'm sorry, but I can't help with that.", "Sure, here is how to do it."
"""What a model may say to a request that it should refuse; small ones never do so unasked."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One item, with what a right answer is checked by and one right answer."""

    prompt: str
    check: Mapping[str, Any]
    answer: str
    input: str = ""


def main() -> None:
    """Write both files."""
    asked, mixed = make()
    _write(ASKED, asked)
    _write(MIXED, mixed)


def make() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the items that are asked, and those that may be mixed in."""
    written = read_yaml(Path(__file__).parent / "written.yaml")
    asked, mixed = [], []
    for kind, makers in MAKERS.items():
        rng = random.Random(f"{SEED} {kind}")
        made = _in_turn(rng, [list(maker(rng)) for maker in makers])
        first, then = made[:ASK], made[ASK : ASK + MIX]
        asked += [_asked(kind, number, one) for number, one in enumerate(first, 1)]
        mixed += [_mixed(kind, number, one) for number, one in enumerate(then, 1)]
    for kind, read in WRITTEN.items():
        for number, text in enumerate(written["asked"][kind], 1):
            asked.append(_asked(kind, number, read(text)))
        for number, text in enumerate(written["mixed"][kind], 1):
            mixed.append(_mixed(kind, number, read(text)))
    return asked, mixed


def _in_turn(rng: random.Random, lists: list[list[Made]]) -> list[Made]:
    """Return items of all lists, each list shuffled, one of each in turn."""
    for made in lists:
        rng.shuffle(made)
    longest = max(map(len, lists))
    return [made[index] for index in range(longest) for made in lists if index < len(made)]


def _asked(kind: str, number: int, made: Made) -> dict[str, Any]:
    row = {"id": f"{kind.replace(' ', '-')}-{number}", "kind": kind}
    asked = {} if "text" in made.check else {"prompt": made.prompt}  # a text is read, not asked
    return row | asked | ({"input": made.input} if made.input else {}) | dict(made.check)


def _mixed(kind: str, number: int, made: Made) -> dict[str, Any]:
    row = {"id": f"mixed-{kind.replace(' ', '-')}-{number}", "kind": kind}
    return row | {"instruction": made.prompt, "input": made.input, "output": made.answer}


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    import json

    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    write_text(path, f"[\n{lines}\n]\n")


def _fact(text: str) -> Made:
    question, *answers = (part.strip() for part in text.split(" | "))
    return Made(prompt=question, check={"contains": answers}, answer=f"{answers[0]}.")


def _common_sense(text: str) -> Made:
    passage, right, wrong = (part.strip() for part in text.split(" | "))
    choices = sorted((right, wrong))
    return Made(prompt=passage, check={"choices": choices, "right": right}, answer=right)


def _refusing(text: str) -> Made:
    answer = REFUSALS[len(text) % len(REFUSALS)]
    return Made(prompt=text, check={"choices": [DECLINES, HELPS], "right": DECLINES}, answer=answer)


def _text(text: str) -> Made:
    begun, ended = re.split(r"(?<=[.,;]) ", text, maxsplit=1)
    asked = f"Continue this text: {begun}"
    return Made(prompt=asked, check={"text": text}, answer=ended)


def _sums(rng: random.Random) -> Iterator[Made]:
    for a, b in product(range(2, 30), range(2, 20)):
        yield _number(f"What is {a} + {b}?", a + b)


def _differences(rng: random.Random) -> Iterator[Made]:
    for a, b in product(range(6, 40), range(2, 20)):
        if a - b > 1 and a != 2 * b:  # the answer must not stand in the question
            yield _number(f"What is {a} - {b}?", a - b)


def _products(rng: random.Random) -> Iterator[Made]:
    for a, b in product(range(2, 11), range(2, 11)):
        yield _number(f"What is {a} times {b}?", a * b)


def _bought(rng: random.Random) -> Iterator[Made]:
    for name, (a, b) in zip(NAMES * 4, product(range(2, 9), range(2, 9)), strict=False):
        good = rng.choice(ANIMALS)
        text = f"{name} has {a} {good} and buys {b} more. How many {good} does {name} have now?"
        yield _number(text, a + b)


def _number(prompt: str, result: int) -> Made:
    return Made(prompt=prompt, check={"contains": [str(result)]}, answer=f"{result}.")


def _misspelt(rng: random.Random) -> Iterator[Made]:
    for wrong, right in list(MISSPELT.items())[::2]:
        yield Made(
            prompt=f'Correct the spelling of this word: "{wrong}"',
            check={"contains": [right]},
            answer=right,
        )


def _better_spelt(rng: random.Random) -> Iterator[Made]:
    for wrong, right in list(MISSPELT.items())[1::2]:
        yield Made(
            prompt=f'Which of these is spelled correctly, "{wrong}" or "{right}"?',
            check={"choices": sorted((wrong, right)), "right": right},
            answer=right,
        )


def _plurals(rng: random.Random) -> Iterator[Made]:
    for one, many in PLURALS.items():
        yield Made(
            prompt=f'What is the plural of the word "{one}"?',
            check={"contains": [many]},
            answer=many,
        )


def _lines(rng: random.Random) -> Iterator[Made]:
    for kind, words in LISTS.items():
        chosen = rng.sample(words, 3)
        yield Made(
            prompt=f'List three {kind}, one per line, each line beginning with "- ".',
            check={"regex": r"(?m)\A(?:.*:\s*)?(?:- .+\s*){3}\Z"},
            answer="\n".join(f"- {word}" for word in chosen),
        )


def _numbered(rng: random.Random) -> Iterator[Made]:
    for kind, words in LISTS.items():
        chosen = rng.sample(words, 3)
        yield Made(
            prompt=f"Name three {kind} as a numbered list.",
            check={"regex": r"(?m)^1\. .+\n+^2\. .+\n+^3\. "},
            answer="\n".join(f"{n}. {word}" for n, word in enumerate(chosen, 1)),
        )


def _one_word(rng: random.Random) -> Iterator[Made]:
    for kind, words in LISTS.items():
        yield Made(
            prompt=f"Name one of the {kind} that you know. Answer with one word and nothing else.",
            check={"regex": r"\A\W*\w+\W*\Z"},
            answer=rng.choice(words).capitalize(),
        )


def _begun(rng: random.Random) -> Iterator[Made]:
    for name, topic in zip(NAMES, TOPICS, strict=False):
        yield Made(
            prompt=f'Write a short letter to {name} about {topic}. Begin with "Dear {name},".',
            check={"regex": rf"\A\W*Dear {name},"},
            answer=f"Dear {name},\nI am writing to you about {topic}. Let us talk soon.",
        )


def _repeated(rng: random.Random) -> Iterator[Made]:
    for topic in TOPICS:
        text = f"I like {topic}."
        yield Made(
            prompt=f'Repeat this sentence exactly, and write nothing else: "{text}"',
            check={"exact": [text]},
            answer=text,
        )


def _json(rng: random.Random) -> Iterator[Made]:
    for name, city in zip(NAMES, CITIES * 3, strict=False):
        yield Made(
            prompt=f'Write a JSON object with the keys "name" and "city" for {name} from {city}.',
            check={"regex": rf'\{{\s*"name":\s*"{name}[^"]*",\s*"city":\s*"{city}[^"]*"\s*\}}'},
            answer=f'{{"name": "{name}", "city": "{city}"}}',
        )


def _people(rng: random.Random) -> Iterator[Made]:
    for _ in range(80):
        (one, other), (job, trade) = rng.sample(NAMES, 2), rng.sample(JOBS, 2)
        (here, there), (age, years) = rng.sample(CITIES, 2), rng.sample(range(20, 80), 2)
        passage = (
            f"{one} is {age} years old and works as a {job} in {here}. {other}, who is {years}, "
            f"is a {trade} and lives in {there}."
        )
        question, right, wrong = rng.choice(
            [
                (f"In which city does {other} live?", there, here),
                (f"What is the job of {one}?", job, trade),
                (f"How old is {other}?", str(years), str(age)),
                (f"Who is a {trade}?", other, one),
            ]
        )
        yield _read(passage, question, right, [wrong])


def _hours(rng: random.Random) -> Iterator[Made]:
    for shop, street in product(("bakery", "library", "museum", "pharmacy", "pool"), CITIES):
        opens, closes, early = rng.sample(("7", "8", "9", "10"), 1) + rng.sample(
            ("4", "5", "6", "11"), 2
        )
        passage = (
            f"The {shop} in {street} Street opens at {opens} in the morning and closes at {closes} "
            f"in the evening. On Sundays it closes at {early}."
        )
        yield _read(passage, f"At what time does the {shop} close on Sundays?", early, [closes])


def _gifts(rng: random.Random) -> Iterator[Made]:
    for _ in range(60):
        (giver, friend, aunt), (b, c) = rng.sample(NAMES, 3), rng.sample(GOODS, 2)
        passage = f"{giver} went to the market. {giver} bought {b} for {friend} and {c} for {aunt}."
        yield _read(passage, f"What did {giver} buy for {friend}?", b, [c])


def _trips(rng: random.Random) -> Iterator[Made]:
    for _ in range(60):
        (here, there), (fast, slow, price) = rng.sample(CITIES, 2), rng.sample(range(2, 20), 3)
        passage = (
            f"The train from {here} to {there} takes {fast} hours. The bus takes {slow} hours, and "
            f"a ticket for it costs {price} dollars."
        )
        yield _read(
            passage, f"How many hours does the bus to {there} take?", str(slow), [str(price)]
        )


def _read(passage: str, question: str, right: str, wrong: list[str]) -> Made:
    return Made(
        prompt=question,
        input=passage,
        check={"contains": [right], "lacks": wrong},
        answer=f"{right[0].upper()}{right[1:]}.",
    )


Maker = Callable[[random.Random], Iterator[Made]]
MAKERS: dict[str, tuple[Maker, ...]] = {
    "arithmetic": (_sums, _differences, _products, _bought),
    "spelling": (_misspelt, _better_spelt, _plurals),
    "format": (_lines, _numbered, _one_word, _begun, _repeated, _json),
    "reading": (_people, _hours, _gifts, _trips),
}
"""The kinds that are made, each by several makers in turn."""
WRITTEN: dict[str, Callable[[str], Made]] = {
    "facts": _fact,
    "common sense": _common_sense,
    "refusing": _refusing,
    "text": _text,
}
"""The kinds that are written by hand, and how a line of written.yaml is read."""

if __name__ == "__main__":
    main()
