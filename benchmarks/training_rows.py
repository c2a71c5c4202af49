"""The rows that are trained on: instructions, tweets, and made-up rows of an exact length."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.labels import WORDS
from benchmarks.subjects import records_of
from benchmarks.trainers import MAX_LENGTH
from tuneproof.formats.example import Example, read_examples
from tuneproof.models import load as models
from tuneproof.prepdata.sources.twitter_topics import INSTRUCTION, LABELS
from tuneproof.prompts import template as templates
from tuneproof.prompts.fit import lengths

MIX = {"dolly": 0.7, "finqa": 0.3}
"""Share of each task: what Dolly-15k (15,011 rows) and FinQA (6,251) come to."""
TOKENS = (40, 46, 74, 100, 140, 200, 282, 512, 512, 512)
"""Lengths of made-up instruction rows: such a mix at every tenth of its rows, at most 512."""
ANSWER = 1 / 3
"""Share of a made-up row's words that are trained on."""


def instructions(data: Path, count: int) -> list[Example]:
    """Return records of Dolly and FinQA where a data folder has both, else made-up ones.

    Contexts that are too long are cut here, for both sides, as `tune run` cuts them: TRL would cut
    the answer off.
    """
    tokenizer, file = models.load_tokenizer("tiny"), data / "train.jsonl"
    found: dict[str, list[Example]] = {task: [] for task in MIX}
    if file.is_file():
        for record in read_examples(file):
            found.setdefault(record.task, []).append(record)
    if not all(found[task] for task in MIX):
        made = (TOKENS[number % len(TOKENS)] for number in range(count))
        return [of_length(tokenizer, tokens, number) for number, tokens in enumerate(made)]
    wanted = {task: max(1, round(share * count)) for task, share in MIX.items()}
    spread = [each for task, some in wanted.items() for each in _spread(found[task], some)]
    return mixed([cut(record, tokenizer) for record in spread])


def _spread(records: Sequence[Example], count: int) -> list[Example]:
    """Return so many records at equal distances."""
    return [records[number * len(records) // count] for number in range(count)]


def mixed(records: list[Example], seed: int = 0) -> list[Example]:
    """Return the records in an order that is the same every time."""
    return random.Random(seed).sample(records, len(records))


def cut(record: Example, tokenizer: Any, limit: int = MAX_LENGTH) -> Example:
    """Return a record without what is too much of its context."""

    def held(characters: int) -> int:
        return length_of(replace(record, input=record.input[:characters]), tokenizer)

    if length_of(record, tokenizer) <= limit:
        return record
    kept = bisect_right(range(len(record.input) + 1), limit, key=held) - 1
    while kept > 0 and held(kept) > limit:  # a cut within a word can make more tokens of it
        kept -= 1
    return replace(record, input=record.input[: max(kept, 0)])


def length_of(record: Example, tokenizer: Any) -> int:
    """Return the tokens of prompt, answer and EOS."""
    row = (record.instruction, record.input, record.output)
    return lengths(templates.load(), tokenizer, [row])[0]


def of_length(tokenizer: Any, tokens: int, number: int = 0) -> Example:
    """Return a made-up record of exactly so many tokens.

    Raises:
        ValueError: The template alone takes more, or no length is met.
    """
    words = [word for word in WORDS if len(tokenizer(f" {word}").input_ids) == 1]
    draw = random.Random(number)

    def record(asked: int, answer: int) -> Example:
        """Return a record; every word but the first, which has no space before it, is a token."""
        texts = [" ".join([words[0], *draw.choices(words, k=k)]) for k in (asked, answer)]
        (made,) = records_of(texts[:1], texts[1:], "Go on.")
        return replace(made, id=f"bench-{number}", group=f"bench-{number}")

    more = tokens - length_of(record(0, 0), tokenizer)
    answer = max(0, int(more * ANSWER))
    made = record(max(0, more - answer), answer)
    if length_of(made, tokenizer) != tokens:
        raise ValueError(f"no row of {tokens} tokens can be made")
    return made


def tweets(count: int) -> list[Example]:
    """Return made-up tweets with the real topics."""
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(8, 30))) for _ in range(count)]
    return records_of(texts, draw.choices(LABELS, k=count), INSTRUCTION)
