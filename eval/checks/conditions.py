"""Whether the variants were asked alike, and often enough to conclude anything."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any

from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.eval.stats.exact import sign_p
from tuneproof.eval.units import group_numbers
from tuneproof.finding import Finding, finding, quoted, share
from tuneproof.formats.comparison import Comparison, Item

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
"""The base is called better when chance would so seldom win so many units (sign test)."""


def check_conditions(comparison: Comparison) -> Iterator[Finding]:
    """Yield what is wrong with how the variants were asked."""
    yield from _decoding(comparison)
    yield from _templates(comparison)
    if not comparison.tuned:
        return
    yield from _one_seed(comparison)
    units = _units(comparison)
    yield from _size(units)
    for name in comparison.tuned:
        yield from _worse_than_base(comparison, name, units)


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


def _one_seed(comparison: Comparison) -> Iterator[Finding]:
    """Name the runs that have no repeat with another seed beside them."""
    trained = [variant for variant in comparison.variants if variant.seed is not None]
    seeds_of = defaultdict(set)
    for one in trained:  # a merged copy of a run has its seed
        seeds_of[one.settings_sha256 or one.name].add(one.seed)
    alone = [one for one in trained if len(seeds_of[one.settings_sha256 or one.name]) == 1]
    if alone:
        seeds = ", ".join(f"{variant.name} (seed {variant.seed})" for variant in alone)
        yield finding(COMPARISON, "one-seed", f"{seeds}: what is said holds for this checkpoint")


def _size(unit_of: list[int]) -> Iterator[Finding]:
    """Say so where the items, counted by unit, are too few."""
    items, units = len(unit_of), len(set(unit_of))
    if units >= FEW:
        return
    groups = f" in {units} independent units" if units < items else ""
    seen = min(100, 100 / sqrt(units))
    yield finding(
        COMPARISON,
        "too-few-items",
        f"{items} items{groups}: a share is known to about {seen:.0f} percentage points only",
        severity="warning" if units < HARDLY_ANY else "note",
    )


def _units(comparison: Comparison) -> list[int]:
    """Return the unit of each item."""
    numbers = group_numbers(comparison.items)
    return list(range(len(comparison.items))) if numbers is None else numbers.tolist()


def _worse_than_base(comparison: Comparison, name: str, units: list[int]) -> Iterator[Finding]:
    """Compare tuned and base item by item: labels by being right, texts by their token F1."""
    score, what = scorer(comparison)
    gains: dict[int, float] = defaultdict(float)  # by unit: items of one are no more than one
    for unit, item in zip(units, comparison.items, strict=True):
        mine, base = (score(item, one) for one in (name, comparison.base))
        if mine is not None and base is not None:
            gains[unit] += mine - base
    lost, won = sum(gain < 0 for gain in gains.values()), sum(gain > 0 for gain in gains.values())
    if lost <= won:
        return
    if sign_p(lost, won) < P_WORSE:
        yield finding(
            COMPARISON,
            "base-is-better",
            f"{name}: {comparison.base} has the better {what} in {share(lost, lost + won)} of the "
            f"{'items' if len(gains) == len(comparison.items) else 'units'} in which they differ",
            run=name,
        )


def scorer(comparison: Comparison) -> tuple[Callable[[Item, str], float | None], str]:
    """Return what scores a variant's answer to an item, None without a reference; and its name."""
    from tuneproof.eval.metrics.squad import token_f1
    from tuneproof.eval.score import references_of

    labels = comparison.labels

    def score(item: Item, name: str) -> float | None:
        answer, right = item.answers[name], references_of(item, labels)
        given = answer.text if labels is None else answer.label
        if given is None or not right:
            return None
        if labels is not None:
            return float(given in right)
        values = (token_f1(given, one) for one in right)
        return max((value for value in values if value is not None), default=None)

    return score, "token F1" if labels is None else "label"
