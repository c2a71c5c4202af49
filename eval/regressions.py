"""What did the tuning break? Scores of general items, and whether they fell.

The base and a tuned variant answered the same items, so that their scores are paired. A loss is
shown where a one-sided permutation test says so: over all items at alpha, and of the kinds with
Holm's correction (1979, A simple sequentially rejective multiple test procedure). That no more than
a margin was lost is shown where the one-sided interval of the change stays above it: a test of
non-inferiority (see `stats.equivalence`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from math import ceil
from pathlib import Path

import numpy as np

from tuneproof.eval.checks.signs import refusal
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.words import is_unspaced
from tuneproof.eval.report import wording
from tuneproof.eval.stats.bootstrap import Estimate, estimate
from tuneproof.eval.stats.equivalence import items_needed
from tuneproof.eval.stats.intervals import DIFFERENCE, Floats
from tuneproof.eval.stats.permutation import sign_flip_p
from tuneproof.eval.stats.verdicts import POWER
from tuneproof.formats.broken import ALL, Broken, KindFigure, Losses, LostItem
from tuneproof.formats.regressions import (
    Answer,
    Answered,
    Item,
    Regressions,
    join_regressions,
    read_regressions,
)
from tuneproof.text import table

SHOWN = 24
"""Most lost items that a report shows of one variant."""
NAMED = 4
"""Most kinds that the sentence names."""


def value_of(item: Item, answer: Answer) -> float:
    """Return the score of an answer, from 0 to 1.

    Of a text it is the chance to foretell the next byte, 2 to the power of minus the bits per byte:
    the geometric mean over its bytes. An empty answer scores 0.
    """
    if answer.value is not None:
        return answer.value
    if item.text:
        return float(2.0 ** -(answer.bits_per_byte or 0.0))
    if item.choices:
        return float(answer.choice == item.right)
    return float(_is_right(item, answer.text or ""))


def _is_right(item: Item, text: str) -> bool:
    if item.exact:
        return text.strip() in [one.strip() for one in item.exact]
    if item.regex:
        return re.search(item.regex, text) is not None
    if item.refuses:
        return bool(refusal(text))
    has_right = any(_holds(text, one) for one in item.contains)
    return has_right and not any(_holds(text, one) for one in item.lacks)


def _holds(text: str, part: str) -> bool:
    """Return whether a part stands in a text as words of its own, whatever their case.

    Scripts without spaces have no borders of words; a number is not part of a longer one, of a
    fraction, or of one with a sign.
    """
    start = "" if is_unspaced(part[:1]) else r"(?<!\w)"
    end = "" if is_unspaced(part[-1:]) else r"(?!\w)"
    if part[:1].isdigit():
        start += r"(?<!\d[.,/])(?<!\s\.)(?<!^\.)(?<!(?<!\w)[-\N{MINUS SIGN}])"
    if part[-1:].isdigit():
        end += r"(?!,\d)(?!\.\d*[1-9])(?!/\d)"
    return re.search(start + re.escape(part) + end, text, re.IGNORECASE) is not None


def read_broken(paths: Sequence[Path], config: ReportConfig) -> Broken:
    """Read files of regressions, and judge every tuned variant of them.

    Raises:
        InputError: A file cannot be used, or they are of other variants.
    """
    return broken_of(join_regressions([read_regressions(path) for path in paths], paths), config)


def broken_of(regressions: Regressions, config: ReportConfig) -> Broken:
    """Judge every tuned variant against the base."""
    return Broken(
        base=regressions.base,
        margin=config.regression_margin,
        confidence=config.confidence,
        variants={name: _losses(regressions, name, config) for name in regressions.tuned},
    )


def _losses(regressions: Regressions, variant: str, config: ReportConfig) -> Losses:
    items = regressions.items
    scores = np.array(
        [
            [value_of(item, item.answers[name]) for name in (regressions.base, variant)]
            for item in items
        ]
    )
    kinds = _figures(items, scores, config)
    kinds = {kind: _with_bits(one, kind, regressions, variant) for kind, one in kinds.items()}
    lost = [
        item for item, (base, tuned) in zip(items, scores.tolist(), strict=True)
        if not item.text and base > tuned
    ]  # fmt: skip
    by_kind: dict[str, list[Answered]] = {}
    for item in lost:
        by_kind.setdefault(item.kind, []).append(item)
    in_turn = [one for turn in zip_longest(*by_kind.values()) for one in turn if one is not None]
    return Losses(
        sentence=_sentence(kinds),
        kinds=kinds,
        lost=tuple(_lost(item, regressions.base, variant) for item in in_turn[:SHOWN]),
        lost_items=len(lost),
    )


def _figures(
    items: Sequence[Answered], scores: Floats, config: ReportConfig
) -> dict[str, KindFigure]:
    """Return the figures of all items and of every kind.

    Args:
        items: What was asked.
        scores: (items, 2) of the base and of the variant.
        config: Settings of the statistics.
    """
    names = list(dict.fromkeys(item.kind for item in items))
    masks = {ALL: np.ones(len(items), dtype=bool)}
    for name in names if len(names) > 1 else ():
        masks[name] = np.array([item.kind == name for item in items])
    difference = scores[:, 1] - scores[:, 0]
    columns = np.column_stack([np.where(mask, difference, np.nan) for mask in masks.values()])
    estimates = estimate(
        columns,
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        ranges=[DIFFERENCE] * len(masks),
    )
    p_values = _loss_p(columns, config)
    corrected = [p_values[0], *holm(p_values[1:])]
    return {
        name: _figure(seen, p, scores[mask], len(masks) - 1 if name != ALL else 1, config)
        for (name, mask), seen, p in zip(masks.items(), estimates, corrected, strict=True)
    }


def _loss_p(columns: Floats, config: ReportConfig) -> list[float]:
    """Return the one-sided p-value of every column's mean being no less than zero."""
    both = sign_flip_p(np.nan_to_num(columns), draws=config.draws, seed=config.seed)
    falls = np.nansum(columns, axis=0) < 0
    return [p / 2 if fell else 1.0 for p, fell in zip(both, falls.tolist(), strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down procedure."""
    corrected, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda n: p_values[n])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def _figure(
    seen: Estimate, p_corrected: float, scores: Floats, tests: int, config: ReportConfig
) -> KindFigure:
    alpha, margin = 1 - config.confidence, config.regression_margin
    low = seen.interval_at(1 - 2 * alpha)[0] if seen.interval_at else None
    return KindFigure(
        n=seen.n,
        base=float(scores[:, 0].mean()),
        tuned=float(scores[:, 1].mean()),
        change=seen.value,
        low=seen.low,
        high=seen.high,
        one_sided_low=low,
        error=seen.error,
        differing=seen.differing,
        p_corrected=p_corrected,
        broken=p_corrected < alpha,
        not_worse=low is not None and low > -margin,
        would_show=would_show(seen, alpha / tests),
        items_needed=items_needed(seen.error, seen.n, margin=margin, kind="not worse", alpha=alpha),
    )


def would_show(seen: Estimate, alpha: float) -> float:
    """Return the smallest loss that 80 % of samples of this size and spread would show.

    (z at 1 - alpha + z at power) x standard error, and never less than what so many items as a
    one-sided test at alpha needs (k with 2^-k under alpha) come to, each as large as those that
    differ usually are.
    """
    from scipy.special import ndtri

    fewest = ceil(-np.log2(alpha)) / seen.n * (seen.typical or 1.0)
    quantiles = float(ndtri(1 - alpha)) + float(ndtri(POWER))
    return float(min(max(quantiles * seen.error, fewest), 1.0))


def _with_bits(figure: KindFigure, kind: str, regressions: Regressions, variant: str) -> KindFigure:
    """Return a figure that says how many bits a byte costs, where the kind is of texts."""
    texts = [item for item in regressions.items if item.kind == kind and item.text]
    if not texts:
        return figure
    return replace(
        figure,
        bits_per_byte={
            name: float(np.mean([item.answers[name].bits_per_byte or 0.0 for item in texts]))
            for name in (regressions.base, variant)
        },
    )


def _sentence(kinds: Mapping[str, KindFigure]) -> str:
    """Say what was lost, as it goes on after a headline."""
    every = kinds[ALL]
    asked = wording.counted(every.n, "item")
    named = sorted(
        (kind for kind, one in kinds.items() if one.broken and kind != ALL),
        key=lambda kind: kinds[kind].change,
    )
    if named:
        parts = [f"{kind} ({_fall(kinds[kind])})" for kind in named[:NAMED]]
        more = [f"{len(named) - NAMED} more"] if len(named) > NAMED else []
        return f"But it broke {wording.listed(parts + more)}; over all {asked}, {_fall(every)}."
    if every.broken:
        return f"But it lost something: over {asked}, {_fall(every)}."
    return (
        f"And it broke nothing that could be seen ({asked}; losses over "
        f"{ceil(100 * every.would_show - 1e-9)} points would have shown)."
    )


def _fall(one: KindFigure) -> str:
    values = [wording.amount(value, "share") for value in (one.base, one.tuned)]
    return f"from {values[0]} to {values[1]}"


def _lost(item: Answered, base: str, variant: str) -> LostItem:
    return LostItem(
        id=item.id,
        kind=item.kind,
        asked="\n\n".join(filter(None, (item.prompt, item.input))) or item.id,
        right=right_in_words(item),
        base=_shown(item.answers[base]),
        tuned=_shown(item.answers[variant]),
    )


def _shown(answer: Answer) -> str:
    if answer.value is not None:
        return f"{answer.value:g}"
    return answer.choice or answer.text or ""


def right_in_words(item: Item) -> str:
    """Say what makes an answer right."""
    if item.choices:
        return f"prefers {item.right!r}"
    if item.refuses:
        return "declines"
    if item.exact:
        return f"is exactly {' or '.join(map(repr, item.exact))}"
    if item.regex:
        return f"matches {item.regex}"
    if item.contains:
        without = f", and not {' or '.join(map(repr, item.lacks))}" if item.lacks else ""
        return f"contains {' or '.join(map(repr, item.contains))}{without}"
    return "as the task says"


def verdict_of(one: KindFigure) -> str:
    """Return the verdict on a kind in a few words."""
    if one.broken:
        return "broken"
    return "not worse" if one.not_worse else "no loss seen"


def broken_table(broken: Broken) -> str:
    """Return the figures as plain text, one block per variant."""
    percent = f"{100 * broken.confidence:g} %"
    blocks = []
    for variant, losses in broken.variants.items():
        head = ["", "n", broken.base, variant, f"change ({percent} interval)", "would show"]
        rows = [[*head, "verdict"]]
        for kind, one in losses.kinds.items():
            change = f"{wording.change(one.change, 'share')} "
            change += f"({wording.interval(one.low, one.high, 'share')})"
            values = [wording.amount(value, "share") for value in (one.base, one.tuned)]
            shown = wording.change(one.would_show, "share").removeprefix("+")
            rows.append([kind, f"{one.n:,}", *values, change, shown, verdict_of(one)])
        lines = [f"{variant}: {losses.sentence}", "", table(rows, left=(0, 6))]
        lines += _beside(losses, broken)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _beside(losses: Losses, broken: Broken) -> list[str]:
    """Return the lines below a table: bits per byte, and the items that the margin needs."""
    every, margin = losses.kinds[ALL], f"{100 * broken.margin:g} points"
    lines = [
        f"{kind}: {', '.join(f'{name} {bits:.3f}' for name, bits in one.bits_per_byte.items())} "
        "bits per byte"
        for kind, one in losses.kinds.items()
        if one.bits_per_byte and kind != ALL
    ]
    shown = "is" if every.not_worse else "is not"
    line = f"that it lost no more than {margin} over all items {shown} shown"
    if not every.not_worse and not every.broken and every.items_needed:
        line += f"; about {every.items_needed:,} items could show it"
    return [*lines, line]


def card_lines(broken: Broken, variant: str) -> list[str]:
    """Return what a run's card says of its regressions, as Markdown."""
    losses = broken.variants[variant]
    rows = [
        f"| {kind} | {one.n:,} | {wording.amount(one.base, 'share')} | "
        f"{wording.amount(one.tuned, 'share')} | {wording.change(one.change, 'share')} | "
        f"{verdict_of(one)} |"
        for kind, one in losses.kinds.items()
    ]
    head = [
        "| general items | n | base | this run | change | verdict |",
        "|---|--:|--:|--:|--:|---|",
    ]
    return [losses.sentence, "", *head, *rows]
