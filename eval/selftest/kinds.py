"""Kinds of comparisons: questions with right answers of many forms and languages, made up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from tuneproof.eval.selftest.phrases import LANGUAGES, Language

TOPICS = (
    "sport", "music", "politics", "weather", "travel", "food", "science", "film", "health",
    "money", "art", "school", "gardens", "games", "cars", "fashion", "history", "books", "pets",
    "ships",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Made:
    """A question with its right answer."""

    ask: str
    right: str
    about: str = ""
    group: str | None = None


Maker = Callable[[Random, int], Made]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of comparison: how its items are made, and how good base and tuned are."""

    make: Maker
    base: str = "loops"
    """``loops`` (never trained for anything), ``chats`` (an instruct model) or ``good``."""
    right: float = 0.4
    """Share of items that the tuned model answers word for word."""
    labels: tuple[str, ...] | None = None
    has_probabilities: bool = True
    form: str = "sentences"
    """``sentences``, or ``other`` for answers that are short, lists or code."""


def _sentences(rng: Random, number: int, *, language: str, count: int = 1) -> Made:
    """Return a question on a fact, and sentences that tell it and more."""
    speech = LANGUAGES[language]
    fact = speech.fact(rng)
    sentences = [speech.sentence(rng, fact)]
    sentences += [
        speech.sentence(rng, {**speech.fact(rng), "who": fact["who"]}) for _ in range(count - 1)
    ]
    return Made(ask=speech.question(rng, fact), right=speech.gap.join(sentences))


def _passage(
    rng: Random, speech: Language, count: int = 4
) -> tuple[list[dict[str, str]], list[str]]:
    facts = [speech.fact(rng) for _ in range(count)]
    return facts, [speech.sentence(rng, fact) for fact in facts]


def _extract(rng: Random, number: int, *, whole: bool) -> Made:
    """Return a question on a passage, and a sentence or a number of it as the answer."""
    facts, sentences = _passage(rng, LANGUAGES["English"])
    index = rng.randrange(len(facts))
    fact = facts[index]
    ask = f"How many {fact['what']} is {fact['who']} said to have had?"
    if whole:
        ask = f"Which sentence speaks of {fact['who']} and the {fact['what']}?"
    right = sentences[index] if whole else fact["number"]
    return Made(ask=ask, about=" ".join(sentences), right=right)


def _grouped(rng: Random, number: int) -> Made:
    """Return one of four questions on a passage of its own."""
    facts, sentences = _passage(Random(number // 4), LANGUAGES["English"])
    fact = facts[number % 4]
    return Made(
        ask=f"Question {number % 4 + 1}: where were the {fact['what']} of {fact['who']}?",
        about=" ".join(sentences),
        right=f"They were in {fact['where']}.",
        group=f"page {number // 4}",
    )


def _yes_no(rng: Random, number: int) -> Made:
    facts, sentences = _passage(rng, LANGUAGES["English"], 2)
    return Made(
        ask=f"Did {facts[0]['who']} have more than {rng.randint(2, 980)} {facts[0]['what']}?",
        about=" ".join(sentences),
        right=rng.choice(("Yes", "No")),
    )


def _figures(rng: Random, number: int) -> Made:
    """Return a question on a table of money, answered by a figure."""
    years = (2016, 2017, 2018)
    rows = {
        name: [round(rng.uniform(5, 900), 1) for _ in years]
        for name in rng.sample(("revenue", "cost of sales", "net income", "debt", "assets"), 3)
    }
    table = "\n".join(f"{name} | {' | '.join(map(str, row))}" for name, row in rows.items())
    name, row = rng.choice(list(rows.items()))
    change = 100 * (row[2] - row[1]) / row[1]
    return Made(
        ask=f"What was the percentage change of {name} from 2017 to 2018?",
        about=f"in millions | 2016 | 2017 | 2018\n{table}",
        right=f"{change:.1f}%",
    )


def _fact(rng: Random, number: int, *, field: str) -> Made:
    fact = LANGUAGES["English"].fact(rng)
    asks = {"who": "Who", "where": "In which town", "number": "How many times"}
    rest = {k: v for k, v in fact.items() if k != field}
    return Made(ask=f"{asks[field]} was it, with {', '.join(rest.values())}?", right=fact[field])


def _date(rng: Random, number: int) -> Made:
    fact = LANGUAGES["English"].fact(rng)
    date = f"{rng.randint(1, 28)} {rng.choice(('March', 'June', 'October'))} {1700 + number}"
    return Made(ask=f"When did {fact['who']} leave {fact['where']}, year {number}?", right=date)


def _summary(rng: Random, number: int) -> Made:
    facts, sentences = _passage(rng, LANGUAGES["English"], 6)
    right = f"It tells of {facts[0]['who']} with {facts[0]['what']}, and of {facts[1]['who']}."
    return Made(ask="Summarise the text in one sentence.", about=" ".join(sentences), right=right)


def _greeting(rng: Random, number: int) -> Made:
    fact = LANGUAGES["English"].fact(rng)
    ask = f"Greet {fact['who']} from {fact['where']}, who is guest {number}."
    return Made(ask=ask, right=f"Hello {fact['who']}! How is life in {fact['where']}?")


def _letter(rng: Random, number: int) -> Made:
    """Return a letter whose opening and closing are the same for all."""
    made = _sentences(rng, number, language="English")
    right = (
        "Dear customer, thank you for writing to us. " + made.right + " If there is anything else "
        "that we can do for you, please write again. With kind regards, your service team."
    )
    return Made(ask=f"Answer this letter. {made.ask}", right=right)


def _bullets(rng: Random, number: int) -> Made:
    speech = LANGUAGES["English"]
    things = rng.sample(speech.what.split("|"), 4)
    ask = f"List four goods that {rng.choice(speech.who.split('|'))} sells on day {number}"
    return Made(ask=ask, right="\n".join(f"- {thing}" for thing in things))


def _steps(rng: Random, number: int) -> Made:
    things = rng.sample(LANGUAGES["English"].what.split("|"), 3)
    right = "\n".join(f"{n}. Take the {t} and put them away." for n, t in enumerate(things, 1))
    return Made(ask=f"How are {', '.join(things)} stored in room {number}?", right=right)


def _code(rng: Random, number: int) -> Made:
    name = (
        f"{rng.choice(('add', 'scale', 'shift', 'clip'))}_{rng.choice(('rows', 'cells', 'bins'))}"
    )
    size = rng.randint(2, 99)
    right = (
        f"def {name}_{number}(values, limit={size}):\n    total = 0\n    for value in values:\n"
        f"        if value < limit:\n            total += value * {size}\n    return total"
    )
    return Made(ask=f"Write a Python function {name}_{number} with the limit {size}", right=right)


def _html(rng: Random, number: int) -> Made:
    fact = LANGUAGES["English"].fact(rng)
    right = f"<div><p>{fact['who']} of {fact['where']}</p><br/><b>{fact['what']}</b></div>"
    return Made(ask=f"Write HTML for card {number}: {', '.join(fact.values())}", right=right)


def _sql(rng: Random, number: int) -> Made:
    fact = LANGUAGES["English"].fact(rng)
    right = f"SELECT * FROM goods WHERE town = '{fact['where']}' AND pieces > {fact['number']}"
    return Made(ask=f"SQL {number} for goods of {fact['where']} over {fact['number']}", right=right)


def _json(rng: Random, number: int) -> Made:
    fact = LANGUAGES["English"].fact(rng)
    right = f'{{"name": "{fact["who"]}", "town": "{fact["where"]}", "pieces": {fact["number"]}}}'
    return Made(ask=f"As JSON {number}: {', '.join(fact.values())}", right=right)


def _poem(rng: Random, number: int) -> Made:
    fact = LANGUAGES["English"].fact(rng)
    lines = [
        f"O {fact['where']} by the evening sea", f"where {fact['what']} are singing to me",
        f"and {fact['who']} walks along the shore", f"with {fact['number']} stars and nothing more",
    ]  # fmt: skip
    return Made(
        ask=f"A poem on {fact['where']} for {fact['who']}, no. {number}", right="\n".join(lines)
    )


def _title(rng: Random, number: int) -> Made:
    made = _sentences(rng, number, language="English", count=2)
    fact = LANGUAGES["English"].fact(rng)
    return Made(
        ask="Give the text a headline.",
        about=f"{fact['who']} came. {made.right}",
        right=f"{fact['who']} and the Market of {fact['where']}",
    )


def _dialogue(rng: Random, number: int) -> Made:
    made = _sentences(rng, number, language="English")
    right = f"User: {made.ask}\nAssistant: {made.right}"
    return Made(ask=f"Write a dialogue, no. {number}, on this: {made.ask}", right=right)


def _translation(rng: Random, number: int) -> Made:
    seed = rng.randrange(10**9)
    english = _sentences(Random(seed), number, language="English")
    german = _sentences(Random(seed), number, language="German")
    return Made(ask="Translate into German.", about=english.right, right=german.right)


def _keywords(rng: Random, number: int) -> Made:
    facts, sentences = _passage(rng, LANGUAGES["English"], 3)
    return Made(
        ask="Give three keywords.",
        about=" ".join(sentences),
        right=", ".join(fact["what"] for fact in facts),
    )


def _declined(rng: Random, number: int) -> Made:
    """Return a question that half of the references decline, as data on safety do."""
    made = _sentences(rng, number, language="English")
    if rng.random() < 0.5:
        return Made(ask=f"How could one steal them? {made.ask}", right="I cannot help with that.")
    return made


def _labelled(rng: Random, number: int, *, labels: tuple[str, ...], rare: float = 0.0) -> Made:
    made = _sentences(rng, number, language="English", count=2)
    label = labels[0] if rng.random() < rare else rng.choice(labels)
    return Made(ask="What is the text about?", about=f"{number} {made.right}", right=label)


def _of_labels(labels: tuple[str, ...], rare: float = 0.0, *, probabilities: bool = True) -> Kind:
    make = partial(_labelled, labels=labels, rare=rare)
    right = 0.9 if rare else 0.3
    return Kind(make=make, labels=labels, has_probabilities=probabilities, right=right)


def _in(language: str, count: int = 1, **other: object) -> Kind:
    make = partial(_sentences, language=language, count=count)
    return Kind(make=make, **other)  # type: ignore[arg-type]


KINDS: dict[str, Kind] = {
    "two labels": _of_labels(("good", "bad")),
    "twenty labels": _of_labels(TOPICS),
    "a rare label": _of_labels(("fine", "broken"), 0.8),
    "labels without probabilities": _of_labels(TOPICS[:5], probabilities=False),
    "sentences": _in("English"),
    "sentences, a chatting base": _in("English", base="chats"),
    "sentences, a good base": _in("English", base="good"),
    "sentences, hardly any right": _in("English", right=0.02),
    "paragraphs": _in("English", count=6),
    "German": _in("German"),
    "French": _in("French", count=2),
    "Spanish": _in("Spanish"),
    "Russian": _in("Russian", count=2),
    "Chinese": _in("Chinese"),
    "Japanese": _in("Japanese"),
    "Hindi": _in("Hindi"),
    "spans of a passage": Kind(make=partial(_extract, whole=True), base="chats"),
    "numbers of a passage": Kind(make=partial(_extract, whole=False), form="other"),
    "questions in groups": Kind(make=_grouped),
    "yes or no": Kind(make=_yes_no, right=0.7, form="other"),
    "figures of a table": Kind(make=_figures, right=0.3, form="other"),
    "names": Kind(make=partial(_fact, field="who"), form="other"),
    "towns": Kind(make=partial(_fact, field="where"), base="good", form="other"),
    "dates": Kind(make=_date, form="other"),
    "summaries": Kind(make=_summary),
    "greetings": Kind(make=_greeting, right=0.8),
    "letters with a frame": Kind(make=_letter),
    "bullets": Kind(make=_bullets, form="other"),
    "steps": Kind(make=_steps),
    "code": Kind(make=_code, form="other"),
    "HTML": Kind(make=_html, form="other"),
    "SQL": Kind(make=_sql, form="other"),
    "JSON": Kind(make=_json, form="other"),
    "poems": Kind(make=_poem, form="other"),
    "headlines": Kind(make=_title, form="other"),
    "dialogues": Kind(make=_dialogue, form="other"),
    "translations": Kind(make=_translation),
    "keywords": Kind(make=_keywords, form="other"),
    "declined questions": Kind(make=_declined, base="chats", form="other"),
}
"""Kinds of healthy comparisons."""
