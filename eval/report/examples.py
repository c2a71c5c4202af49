"""Every item as the report shows it, and which items a reader should look at first."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuneproof.eval.metrics.registry import METRICS
from tuneproof.eval.score import Scores, references_of
from tuneproof.eval.stats.against import measured_against
from tuneproof.eval.stats.intervals import Floats
from tuneproof.eval.stats.label_figures import confidence_of
from tuneproof.formats.comparison import Answer, Comparison, Item
from tuneproof.formats.conversation import NAMES, Message, last_question, transcript
from tuneproof.formats.report import Report

CLIP_CHARACTERS = 6_000
SHOWN_METRICS = ("rougeL", "numeric_match", "executed_match", "exact_match")
"""Metrics whose value is shown with each answer."""
RANKING = ("rougeL", "chrf", "accuracy")
"""Metrics that can rank single items, the one for most texts first."""
SHOWN_LABELS = 3
"""Most probable labels shown with each answer."""


@dataclass(frozen=True, kw_only=True)
class ShownLabel:
    """The label that was scored."""

    label: str
    right: bool
    confidence: float | None
    """Its probability; None where there are none."""
    top: tuple[tuple[str, float | None], ...]
    """The most probable labels with their probabilities, the scored one first."""


@dataclass(frozen=True, kw_only=True)
class ShownAnswer:
    """One answer as a reader sees it."""

    text: str | None
    length: float | None
    flags: tuple[str, ...]
    """``looping``, ``echoing``, ``unstopped``, ``empty``."""
    scores: dict[str, float]
    """Title of a metric -> value."""
    label: ShownLabel | None


@dataclass(frozen=True, kw_only=True)
class ShownItem:
    """One item as a reader sees it."""

    id: str
    task: str
    history: tuple[tuple[str, str], ...]
    """Who said what before the question; empty where there is no conversation."""
    prompt: str
    input: str
    reference: str | None
    truncated: bool
    gains: tuple[float | None, ...]
    """Gains in the ranking metric, in the order of `Comparison.tuned`."""
    answers: tuple[ShownAnswer, ...]
    """One per variant, in the order of `Comparison.names`."""

    def as_row(self) -> dict[str, Any]:
        """Return what the page's script reads."""
        row = dataclasses.asdict(self)
        for answer in row["answers"]:
            answer |= answer.pop("label") or {}
        return row


def ranking_metric(report: Report) -> str | None:
    """Return the metric that ranks single items: the primary one where it grades them finely.

    That are ROUGE-L, chrF and accuracy; the first that was scored where another is primary, None
    without any.
    """
    scored = {name for figures in report.metrics.values() for name in figures}
    primary = report.primary and report.primary.metric
    ranking = [name for name in RANKING if name in scored]
    return primary if primary in ranking else next(iter(ranking), None)


def item_gains(comparison: Comparison, scores: Scores, metric: str | None) -> Floats:
    """Return (items, tuned variants) gains of a metric over what it is measured against.

    NaN where there is none.
    """
    names = comparison.names
    if metric is None:
        return np.full((len(comparison.items), len(comparison.tuned)), np.nan)
    table = scores.values[metric]
    tuned = [names.index(name) for name in comparison.tuned]
    against = measured_against(comparison, scores).get(metric, comparison.base)
    return np.asarray(table[:, tuned] - table[:, [names.index(against)]])


def examples_of(comparison: Comparison, scores: Scores, metric: str | None) -> list[ShownItem]:
    """Return every item with its answers and its gain in a metric, in the order of the file."""
    gains = item_gains(comparison, scores, metric)
    return [
        ShownItem(
            id=item.id,
            task=item.task,
            history=tuple((NAMES[turn.role], clip(turn.content)) for turn in before(item)),
            prompt=clip(item.instruction),
            input="" if item.input == transcript(before(item)) else clip(item.input),
            reference=clip("\nor: ".join(references_of(item, comparison.labels))) or None,
            truncated=item.truncated,
            gains=tuple(map(_rounded, gains[row])),
            answers=tuple(
                _answer(item.answers[name], scores, row, column)
                for column, name in enumerate(comparison.names)
            ),
        )
        for row, item in enumerate(comparison.items)
    ]


def before(item: Item) -> list[Message]:
    """Return the turns of a conversation before its last question."""
    asked = last_question(item.messages)
    return [] if asked is None else list(item.messages[:asked])


def telling_first(items: Sequence[ShownItem]) -> list[int]:
    """Return item numbers, largest gain or loss first, then those with a flag, then the rest."""

    def weight(index: int) -> tuple[float, bool]:
        item = items[index]
        size = max((abs(gain) for gain in item.gains if gain is not None), default=0.0)
        return (-size, not any(answer.flags for answer in item.answers))

    return sorted(range(len(items)), key=weight)


def extremes(
    items: Sequence[ShownItem], variant: int, count: int
) -> tuple[list[ShownItem], list[ShownItem]]:
    """Return the items of a tuned variant's largest gains and largest losses, largest first."""
    known = [(gain, item) for item in items if (gain := item.gains[variant]) is not None]
    ranked = sorted(known, key=lambda pair: pair[0])
    best = sorted((pair for pair in known if pair[0] > 0), key=lambda pair: -pair[0])
    worst = [item for gain, item in ranked if gain < 0]
    return [item for _, item in best[:count]], worst[:count]


def confident_mistakes(
    items: Sequence[ShownItem], variant: int, count: int
) -> list[tuple[ShownItem, ShownLabel]]:
    """Return the wrong labels that a variant was surest of, the surest first.

    Those without probabilities are left out. `variant` counts in the order of `Comparison.names`.
    """
    labels = [(item, item.answers[variant].label) for item in items]
    wrong = [(item, label) for item, label in labels if label and label.label and not label.right]
    sure = [pair for pair in wrong if pair[1].confidence is not None]
    return sorted(sure, key=lambda pair: -(pair[1].confidence or 0.0))[:count]


def clip(text: str, limit: int = CLIP_CHARACTERS) -> str:
    """Shorten a very long text, saying by how much."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … ({len(text) - limit:,} more characters)"


def _answer(answer: Answer, scores: Scores, row: int, column: int) -> ShownAnswer:
    def value(metric: str) -> float | None:
        table = scores.values.get(metric)
        return None if table is None else _rounded(table[row, column])

    flags = {
        "looping": value("loop_rate") == 1,
        "echoing": value("echo_rate") == 1,
        "unstopped": answer.finish_reason == "length",
        "empty": answer.text is not None and not answer.text.strip(),
    }
    shown = {METRICS[name].title: value(name) for name in SHOWN_METRICS}
    return ShownAnswer(
        text=None if answer.text is None else clip(answer.text),
        length=value("length"),
        flags=tuple(flag for flag, is_set in flags.items() if is_set),
        scores={title: number for title, number in shown.items() if number is not None},
        label=None if answer.label is None else _label(answer, answer.label, scores, row, column),
    )


def _label(answer: Answer, label: str, scores: Scores, row: int, column: int) -> ShownLabel:
    probabilities = answer.label_probabilities or {}
    ranked = sorted(probabilities.items(), key=lambda pair: (pair[0] != label, -pair[1]))
    return ShownLabel(
        label=label,
        right=bool(scores.values["accuracy"][row, column]),
        confidence=_rounded(confidence_of(answer)),
        top=tuple((name, _rounded(p)) for name, p in ranked[:SHOWN_LABELS]),
    )


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 3)
