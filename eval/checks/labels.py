"""Labels: worse than a guess, always the same, none of the set, or turned round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tuneproof.eval.checks.advice import COMPARISON
from tuneproof.finding import Finding, finding, quoted, share
from tuneproof.formats.comparison import Comparison
from tuneproof.labels import normalize_label

P_BELOW = 1e-3
"""A variant is below chance when a guess would so seldom be so wrong (one-sided, binomial)."""
P_MAJORITY = 0.05
"""Likewise below always saying the commonest label; only a warning, hence looser."""
COLLAPSED = 0.95
"""Share of one label among the answers that counts as always saying it, ..."""
VARIED = 0.8
"""... where it is at most this share of the right labels."""
ENOUGH = 20
"""Items that "always the same" needs: with fewer, a good model may see one label only."""
INVALID = 0.2
"""Share of generated answers that are no label from which it is told. A tuned model should give
hardly any; half as many as this may come from a limit or a rare label."""


def check_labels(comparison: Comparison) -> Iterator[Finding]:
    """Yield what is wrong with the labels that each model gives."""
    if comparison.labels is None:
        return
    right = [item.reference or "" for item in comparison.items]
    for name in comparison.names:
        if name in comparison.baselines:
            continue
        is_tuned = name in comparison.tuned
        given = [item.answers[name].label for item in comparison.items]
        said = [(label, true) for label, true in zip(given, right, strict=True) if label]
        if said and None not in given:
            labels, of = [label for label, _ in said], [true for _, true in said]
            yield from _accuracy(name, of, labels, comparison.labels, is_tuned=is_tuned)
            yield from _collapse(name, of, labels, is_tuned=is_tuned)
        yield from _invalid(comparison, name, is_tuned=is_tuned)


def _accuracy(
    name: str, right: list[str], given: list[str], labels: tuple[str, ...], *, is_tuned: bool
) -> Iterator[Finding]:
    """Say the one thing that fits best: turned round, below chance, or below the majority."""
    from scipy.stats import binomtest

    from tuneproof.label_order import check_mapping

    mapping = check_mapping(right, given, labels)
    total, correct = len(right), round(mapping.accuracy * len(right))
    majority, most = Counter(right).most_common(1)[0]
    if mapping.is_turned and mapping.best_accuracy > most / total:  # renaming beats saying one
        read = ", ".join(f"{given!r} as {right!r}" for given, right in mapping.renamed.items())
        yield finding(
            COMPARISON,
            "labels-turned",
            f"{name}: accuracy is {mapping.accuracy:.1%}, but would be "
            f"{mapping.best_accuracy:.1%} with {read}",
            of_base=not is_tuned,
        )
    elif binomtest(correct, total, 1 / len(labels), alternative="less").pvalue < P_BELOW:
        yield finding(
            COMPARISON,
            "below-chance",
            f"{name}: {share(correct, total)} right; guessing among {len(labels)} labels gives "
            f"{1 / len(labels):.1%}",
            of_base=not is_tuned,
        )
    elif binomtest(correct, total, most / total, alternative="less").pvalue < P_MAJORITY:
        yield finding(
            COMPARISON,
            "below-majority",
            f"{name}: {share(correct, total)} right; always saying {majority!r} gives "
            f"{most / total:.1%}",
            of_base=not is_tuned,
        )


def _collapse(
    name: str, right: list[str], given: list[str], *, is_tuned: bool
) -> Iterator[Finding]:
    label, count = Counter(given).most_common(1)[0]
    total = len(given)
    if total >= ENOUGH and count >= COLLAPSED * total and right.count(label) <= VARIED * total:
        yield finding(
            COMPARISON,
            "one-label-only",
            f"{name}: {share(count, total)} answers are {label!r}, which is right "
            f"{right.count(label):,} times",
            of_base=not is_tuned,
        )


def _invalid(comparison: Comparison, name: str, *, is_tuned: bool) -> Iterator[Finding]:
    known = {normalize_label(label) for label in comparison.labels or ()}
    texts = [
        (item.id, text)
        for item in comparison.items
        if (text := item.answers[name].text) is not None
    ]
    invalid = [(where, text) for where, text in texts if normalize_label(text) not in known]
    if invalid and len(invalid) >= INVALID * len(texts):
        where, text = invalid[0]
        yield finding(
            COMPARISON,
            "invalid-labels",
            f"{name}: {share(len(invalid), len(texts))} generated answers are none of the labels; "
            f"{where}: {quoted(text)}",
            of_base=not is_tuned,
        )
