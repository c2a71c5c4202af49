"""Several comparison files of one experiment, read as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.codec import shown
from tuneproof.formats.comparison import Comparison, read_comparison
from tuneproof.formats.variant import Variant

COSTS = ("prompt_tokens", "answer_tokens", "seconds_per_answer")
"""What of a variant is a mean over a file's items."""
SAME = (
    "model", "adapter", "kind", "template", "system", "label_sentence", "quantization",
    "settings_sha256", "training_seed", "template_variables",
)  # fmt: skip
"""What of a variant must be the same in files that are scored together."""


def read_comparisons(paths: Sequence[Path]) -> Comparison:
    """Read the files and join their items.

    Raises:
        InputError: A file is not a comparison, or the files are not of the same experiment.
    """
    if not paths:
        raise InputError("no comparison file given; `infer compare` writes model_comparison.json")
    first, *others = [read_comparison(path) for path in paths]
    items = list(first.items)
    files = {item.id: first.sources[0] for item in items}
    for other in others:
        _check_same_experiment(first, other)
        for item in other.items:
            if item.id in files:
                raise InputError(
                    f"{other.sources[0]}: item {item.id!r} is in {files[item.id]} too; "
                    "every id may stand once, so give each file only once"
                )
            files[item.id] = other.sources[0]
        items += other.items
    every = (first, *others)
    joined = replace(
        first,
        sources=tuple(paths),
        variants=tuple(_over_all(variant, every) for variant in first.variants),
        items=tuple(items),
        failed=tuple(item for one in every for item in one.failed),
        left_out=tuple(item for one in every for item in one.left_out),
        too_long_for={item: names for one in every for item, names in one.too_long_for.items()},
    )
    _check_scored_alike(joined)
    return joined


def _over_all(variant: Variant, parts: Sequence[Comparison]) -> Variant:
    """Return a variant with what an answer costs over all files; one that a file lacks is left out.

    Its speed in tokens per second is left out too, unless there is one file only.
    """
    if len(parts) == 1:
        return variant
    left_out = {*COSTS, "tokens_per_second"}
    details = {key: value for key, value in variant.details.items() if key not in left_out}
    for key in COSTS:
        costs = [part.by_name[variant.name].number(key) for part in parts]
        known = [cost for cost in costs if cost is not None]
        if len(known) == len(parts):
            details[key] = round(fmean(known, [len(part.items) for part in parts]), 4)
    return replace(variant, details=details)


def _settings(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a variant was made and asked; of examples the number that were to stand there."""
    shots = details.get("shots") or {}
    chosen = {f"shots.{key}": shots.get(key) for key in ("k", "by", "seed")}
    return {key: details.get(key) for key in SAME} | chosen


def _differing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in one.items() if value != other[key]}


def _check_same_experiment(first: Comparison, other: Comparison) -> None:
    here, there = other.sources[0], first.sources[0]
    if sorted(first.names) != sorted(other.names):
        raise InputError(
            f"{here} compares {', '.join(other.names)}, but {there} compares "
            f"{', '.join(first.names)}; files scored together must have the same variants"
        )
    for name in other.names:
        mine, known = (_settings(comparison.by_name[name].details) for comparison in (other, first))
        if mine != known:
            raise InputError(
                f"{here}: variant {name!r} is {shown(_differing(mine, known))}, in {there} it is "
                f"{shown(_differing(known, mine))}; score different models apart"
            )
    if first.decoding != other.decoding:
        raise InputError(
            f"{here}: decoding is {shown(other.decoding)}, in {there} it is "
            f"{shown(first.decoding)}; answers decoded differently cannot be scored together"
        )
    if first.labels != other.labels:
        raise InputError(f"{here} and {there} have different label sets; score them apart")
    if first.calibrate != other.calibrate:
        raise InputError(
            f"{here}: calibrate is {shown(other.calibrate)}, in {there} it is "
            f"{shown(first.calibrate)}; score them apart"
        )
    if first.template != other.template:
        raise InputError(
            f"{here} and {there} were asked with different prompt templates; score them apart"
        )


def _check_scored_alike(comparison: Comparison) -> None:
    """Labels are scored for all items of a variant or for none, else nothing could be paired."""
    first = comparison.items[0]
    for item in comparison.items:
        for name, answer in item.answers.items():
            for key in ("label", "label_probabilities"):
                here, there = (getattr(a, key) is None for a in (answer, first.answers[name]))
                if here != there:
                    raise InputError(
                        f"{comparison.sources[0]}: variant {name!r} has {key!r} in item "
                        f"{(first if here else item).id!r} but not in item "
                        f"{(item if here else first).id!r}; score all items or none"
                    )
