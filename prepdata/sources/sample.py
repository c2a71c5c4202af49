"""The embedded sample: small made-up tasks, so that everything can be tried with no network.

All rows are made here from word lists, always the same. One row:

    {"instruction": "In which city does Amara live?",
     "context": "Amara is a baker. Amara lives in Lisbon and has two cats.",
     "response": "Amara lives in Lisbon."}
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from tuneproof.formats.example import Example, content_id
from tuneproof.prepdata.sources.rows import Row

ROWS = 1200
SEED = 7

Made = tuple[str, str, str]


def _words(text: str) -> list[str]:
    return text.split()


NAMES = _words(
    "Amara Bruno Chidi Daria Elena Farid Greta Hugo Ines Jonas Kemal Lucia Marta Nadia Omar Paula "
    "Quentin Rosa Samir Teresa Ulla Viktor Wanda Xenia Yusuf Zoe"
)
CITIES = _words("Lisbon Oslo Prague Dublin Vienna Athens Madrid Warsaw Turin Bergen Porto Malaga")
JOBS = _words("baker nurse teacher farmer painter driver lawyer tailor singer gardener")
PETS = _words("cats dogs horses rabbits birds goats")
NUMBERS = _words("two three four five six seven eight nine")
GOODS = _words("butter flour bread cheese coffee tea honey rice salt sugar")
LISTS = {
    "colours": _words("red blue green yellow white black purple orange"),
    "fruits": _words("apple pear plum cherry grape lemon peach melon"),
    "animals": _words("horse sheep goat rabbit fox wolf bear deer"),
    "tools": _words("hammer saw chisel drill file wrench ladder spade"),
}
OPPOSITES = {
    "hot": "cold", "big": "small", "early": "late", "loud": "quiet", "dark": "light",
    "heavy": "light", "open": "closed", "full": "empty", "fast": "slow", "old": "new",
}  # fmt: skip


def rows() -> Iterator[Row]:
    """Yield the sample's rows: distinct, in a fixed order."""
    rng = random.Random(SEED)
    makers: list[Callable[[random.Random], Made]] = [_city, _price, _greeting, _list, _opposite]
    seen: set[tuple[str, str]] = set()
    while len(seen) < ROWS:
        instruction, context, response = rng.choice(makers)(rng)
        if (instruction, context) not in seen:
            seen.add((instruction, context))
            values = {"instruction": instruction, "context": context, "response": response}
            yield Row(values, f"sample row {len(seen)}", None)


def record(row: Row) -> Example:
    """Map one row."""
    instruction, context = row.text("instruction"), row.text("context")
    return Example(
        id=content_id("sample", instruction, context),
        task="sample",
        instruction=instruction,
        input=context,
        output=row.text("response"),
        group=context or instruction,
    )


def _city(rng: random.Random) -> Made:
    name, city, job = rng.choice(NAMES), rng.choice(CITIES), rng.choice(JOBS)
    context = (
        f"{name} is a {job}. {name} lives in {city} and has "
        f"{rng.choice(NUMBERS)} {rng.choice(PETS)}."
    )
    if rng.random() < 0.5:
        return f"In which city does {name} live?", context, f"{name} lives in {city}."
    return f"What is the job of {name}?", context, f"{name} is a {job}."


def _price(rng: random.Random) -> Made:
    goods = rng.sample(GOODS, 3)
    prices = [rng.randint(2, 60) for _ in goods]
    table = "\n".join(f"{good} | {price}" for good, price in zip(goods, prices, strict=True))
    pick = rng.randrange(3)
    return (
        f"How much does the {goods[pick]} cost?",
        f"item | price in dollars\n--- | ---\n{table}",
        f"The {goods[pick]} costs {prices[pick]} dollars.",
    )


def _greeting(rng: random.Random) -> Made:
    name, job, city = rng.choice(NAMES), rng.choice(JOBS), rng.choice(CITIES)
    return (
        f"Write a short greeting to {name}, a {job} from {city}.",
        "",
        f"Dear {name},\nwelcome! We are glad to have a {job} from {city} with us.",
    )


def _list(rng: random.Random) -> Made:
    kind = rng.choice(list(LISTS))
    without = rng.choice(LISTS[kind])
    rest = [word for word in LISTS[kind] if word != without][:3]
    return f"List three {kind}, but not {without}.", "", "\n".join(f"- {word}" for word in rest)


def _opposite(rng: random.Random) -> Made:
    word, name = rng.choice(list(OPPOSITES)), rng.choice(NAMES)
    return (
        f"{name} asks: what is the opposite of {word}?",
        "",
        f"The opposite of {word} is {OPPOSITES[word]}.",
    )
