"""Whether the variants were asked alike, and often enough to conclude anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.finding import Finding, finding, quoted, share
from tuneproof.formats.comparison import Answer, Comparison

DECODING = (
    "do_sample", "max_new_tokens", "temperature", "top_p", "top_k", "num_beams",
    "repetition_penalty", "no_repeat_ngram_size", "seed",
)  # fmt: skip
"""Settings of decoding that scripts write beside a variant."""
HARDLY_ANY = 20
"""Fewer items are a warning: one in ten answers turning better stays unseen even if all go one
way, since two of twenty do not reach significance."""
FEW = 100
"""Fewer items are a note: a share is then known to 10 percentage points at best (1 / sqrt(n))."""
P_WORSE = 0.01
"""The base is called better when chance would so seldom win so many items (sign test). Stricter
than 0.05, since items of one group are counted as if they were independent."""


def check_conditions(comparison: Comparison) -> Iterator[Finding]:
    """Yield what is wrong with how the variants were asked."""
    yield from _decoding(comparison)
    yield from _templates(comparison)
    yield from _size(comparison)
    for name in comparison.tuned:
        yield from _worse_than_base(comparison, name)


def _decoding(comparison: Comparison) -> Iterator[Finding]:
    """Compare the settings that variants record for themselves, over those of the document."""
    shared = dict(comparison.decoding or {})
    asked: dict[str, dict[str, Any]] = {}
    for variant in comparison.variants:
        if variant.is_baseline or variant.is_head:  # nothing is decoded
            continue
        beside = {key: variant.details[key] for key in DECODING if key in variant.details}
        asked[variant.name] = {**shared, **beside, **variant.decoding}
    if not any(asked.values()):
        if any(answer.text for item in comparison.items for answer in item.answers.values()):
            yield finding(COMPARISON, "decoding-not-recorded", "the file does not say how answers "
                        "were drawn")  # fmt: skip
        return
    first, *others = asked
    for name in others:
        differing = sorted(
            key
            for key in asked[first].keys() | asked[name].keys()
            if asked[first].get(key) != asked[name].get(key)
        )
        if not differing:
            continue
        settings = ", ".join(
            f"{key} {_value(asked[first], key)} for {first} and {_value(asked[name], key)} "
            f"for {name}"
            for key in differing
        )
        is_kind = bool(asked[first].get("do_sample")) != bool(asked[name].get("do_sample"))
        yield finding(
            COMPARISON, "sampled-against-greedy" if is_kind else "decoding-differs", settings
        )
    if all(settings.get("do_sample") for settings in asked.values()):
        seed = asked[first].get("seed", "not recorded")
        yield finding(COMPARISON, "sampled-once", f"every answer is one random draw (seed {seed})")


def _value(settings: dict[str, Any], key: str) -> str:
    return json.dumps(settings[key]) if key in settings else "not set"


def _templates(comparison: Comparison) -> Iterator[Finding]:
    for variant in comparison.variants:
        own = variant.template
        if own is not None and comparison.template and own != comparison.template:
            yield finding(
                COMPARISON,
                "template-differs",
                f"{variant.name} was asked with {quoted(own)}, the others with "
                f"{quoted(comparison.template)}",
            )


def _size(comparison: Comparison) -> Iterator[Finding]:
    """Say so where the items, counted by group, are too few."""
    if not comparison.tuned:
        return
    items = len(comparison.items)
    units = len({item.group for item in comparison.items})
    if units >= FEW:
        return
    groups = f" in {units} independent groups" if units < items else ""
    seen = min(100, 100 / sqrt(units))
    yield finding(
        COMPARISON,
        "too-few-items",
        f"{items} items{groups}: a share is known to about {seen:.0f} percentage points only",
        severity="warning" if units < HARDLY_ANY else "note",
    )


def _worse_than_base(comparison: Comparison, name: str) -> Iterator[Finding]:
    """Compare tuned and base item by item: labels by being right, texts by their token F1."""
    score, what = scorer(comparison)
    pairs = [
        (score(item.answers[name], item.reference), score(item.answers[comparison.base],
         item.reference))
        for item in comparison.items
        if item.reference is not None
    ]  # fmt: skip
    known = [(mine, base) for mine, base in pairs if mine is not None and base is not None]
    lost, won = sum(m < b for m, b in known), sum(m > b for m, b in known)
    if lost <= won:
        return
    from scipy.stats import binomtest

    if binomtest(lost, lost + won, 0.5, alternative="greater").pvalue < P_WORSE:
        yield finding(
            COMPARISON,
            "base-is-better",
            f"{name}: {comparison.base} has the better {what} in {share(lost, lost + won)} of the "
            "items in which they differ",
            run=name,
        )


def scorer(
    comparison: Comparison,
) -> tuple[Callable[[Answer, str | None], float | None], str]:
    """Return what scores an answer against its reference, and its name."""
    if comparison.labels is not None:
        return lambda a, right: None if a.label is None else float(a.label == right), "label"
    from tuneproof.eval.metrics.squad import token_f1

    return lambda a, right: None if a.text is None else token_f1(a.text, right or ""), "token F1"
