"""Made-up comparisons of many kinds in which nothing is wrong, for the doctor's own test."""

from __future__ import annotations

from collections import Counter
from random import Random

from tuneproof.eval.selftest.kinds import Kind, Made
from tuneproof.formats.comparison import Answer, Comparison, Item
from tuneproof.formats.variant import Variant

LIMIT = 200
"""Tokens that an answer may have."""
BYTES_PER_TOKEN = 4


def comparison(kind: Kind, n: int, seed: int) -> Comparison:
    """Return a healthy comparison of a kind with `n` items, always the same for a seed."""
    rng = Random(seed)
    made: list[Made] = []
    seen: set[tuple[str, str]] = set()
    while len(made) < n:
        one = kind.make(rng, len(made))
        if (one.ask, one.about) not in seen:
            seen.add((one.ask, one.about))
            made.append(one)
    counts = Counter(piece for one in made for piece in _pieces(one.right))
    pieces = [piece for piece, count in counts.items() if count > 1] or ["so"]
    items = []
    for number, one in enumerate(made):
        answers = {
            "base": _by_base(kind, one, pieces, rng),
            "tuned": _by_tuned(kind, one, pieces, rng),
        }
        if kind.labels is not None:
            answers = {name: _label(kind, one, name, rng) for name in answers}
        items.append(
            Item(
                id=f"q{number}",
                task="made",
                instruction=one.ask,
                input=one.about,
                output=one.right,
                group=one.group or f"q{number}",
                answers=answers,
            )
        )
    return Comparison(
        decoding={"do_sample": False, "max_new_tokens": LIMIT},
        template="### Instruction:\n{{ instruction }}\n{{ input }}\n### Response:\n",
        labels=kind.labels,
        variants=(
            Variant(name="base", details={"model": "made", "adapter": None}),
            Variant(name="tuned", details={"model": "made", "adapter": "runs/tuned/adapter"}),
        ),
        items=tuple(items),
    )


def answered(text: str, reason: str = "eos") -> Answer:
    """Return an answer with the tokens that its text has about."""
    tokens = len(text.encode()) // BYTES_PER_TOKEN + 1
    return Answer(text=text, tokens=tokens, finish_reason=reason)


def _by_base(kind: Kind, one: Made, pieces: list[str], rng: Random) -> Answer:
    if kind.base == "chats":
        reworded = _reworded(one.right, pieces, rng, 0.5)
        return answered(f"Sure! Here is what you asked for: {reworded} I hope this helps you.")
    if kind.base == "good":
        return answered(one.right if rng.random() < 0.3 else _reworded(one.right, pieces, rng, 0.4))
    if rng.random() < 0.05:
        return answered(_reworded(one.right, pieces, rng, 0.8))
    round_ = " ".join([*one.ask.split()[:4], *rng.choices(one.ask.split(), k=4)])
    text = f"{round_} " * (1 + LIMIT * BYTES_PER_TOKEN // max(len(round_.encode()), 1))
    return Answer(text=text.strip(), tokens=LIMIT, finish_reason="length")


def _by_tuned(kind: Kind, one: Made, pieces: list[str], rng: Random) -> Answer:
    luck = rng.random()
    if luck < kind.right:
        return answered(one.right)
    if luck > 0.98:  # a few run into the limit
        text = f"{one.right} {one.right} "
        return Answer(
            text=text, tokens=len(text.encode()) // BYTES_PER_TOKEN, finish_reason="length"
        )
    return answered(_reworded(one.right, pieces, rng, rng.choice((0.15, 0.3, 0.5))))


def _reworded(text: str, pieces: list[str], rng: Random, share: float) -> str:
    """Return a text of which a share of the pieces is of other answers; the last one stays."""
    parts = _pieces(text)
    for index in range(len(parts) - 1):
        if rng.random() < share:
            parts[index] = rng.choice(pieces)
    if len(parts) == 1:
        is_number = any(map(str.isdigit, text))
        parts = [_other_digits(text, rng) if is_number else rng.choice(pieces)]
    return ("" if _is_dense(text) else " ").join(parts)


def _other_digits(text: str, rng: Random) -> str:
    return "".join(str(rng.randint(1, 9)) if one.isdigit() else one for one in text)


def _pieces(text: str) -> list[str]:
    """Return the words of a text, or runs of three characters where it has no spaces."""
    if _is_dense(text):
        return [text[start : start + 3] for start in range(0, len(text), 3)]
    return text.split(" ")


def _is_dense(text: str) -> bool:
    return any("\u3040" <= letter <= "\u9fff" for letter in text[:20])


def _label(kind: Kind, one: Made, name: str, rng: Random) -> Answer:
    labels = kind.labels or ()
    chance = {"base": 0.3 if len(labels) > 2 else 0.4, "tuned": 0.8}[name]
    label = one.right if rng.random() < max(chance, kind.right) else rng.choice(labels)
    weights = [rng.random() * 0.5 + (2.0 if other == label else 0.0) for other in labels]
    shares = {other: w / sum(weights) for other, w in zip(labels, weights, strict=True)}
    return Answer(
        text=label,
        tokens=len(label) // BYTES_PER_TOKEN + 2,
        finish_reason="eos",
        label=label,
        label_probabilities=shares if kind.has_probabilities else None,
    )
