"""Right labels: the scored one, the freely generated one, and the probabilities behind them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from tuneproof.eval.metrics.metric import NOT_READ, Metric
from tuneproof.labels import normalize_label


def accuracy(label: str, reference: str) -> float:
    """Return 1 when the label scored as most probable is the reference, otherwise 0.

    Range {0, 1}, higher is better. No normalisation: both are of the label set. Needs no generated
    answer, so an empty one changes nothing.
    """
    return float(label == reference)


ACCURACY = Metric(
    title="Accuracy",
    function=accuracy,
    task="labels",
    direction="higher",
    unit="share",
    definition="Share of items whose most probable label is the right one.",
    empty=NOT_READ,
    source="standard",
    weakness="Where one label is frequent, always saying it looks good: see the majority "
    "baseline and macro F1.",
)


def free_accuracy(prediction: str, reference: str, labels: tuple[str, ...]) -> float:
    """Return 1 when the generated answer, and all of it, is the reference label, otherwise 0.

    Range {0, 1}, higher is better. Normalisation: `normalize_label`; labels stay distinct under it,
    so at most one can match. An empty answer scores 0.
    """
    return float(normalize_label(prediction) == normalize_label(reference))


FREE_ACCURACY = Metric(
    title="Generated accuracy",
    function=free_accuracy,
    task="labels",
    direction="higher",
    unit="share",
    definition="Share of generated answers that are the right label and nothing else, but for "
    "case, spaces and punctuation around it.",
    source="tuneproof",
    weakness="A right label inside a sentence is missed.",
)


def invalid_rate(prediction: str, labels: tuple[str, ...]) -> float:
    """Return 1 when the generated answer is none of the labels, otherwise 0.

    Range {0, 1}, lower is better. Normalisation: `normalize_label`. An empty answer scores 1.
    """
    return float(normalize_label(prediction) not in _normalized(labels))


INVALID_RATE = Metric(
    title="Invalid answers",
    function=invalid_rate,
    task="labels",
    direction="lower",
    unit="share",
    definition="Share of generated answers that are none of the labels.",
    empty="1",
    source="tuneproof",
    weakness="A label inside a sentence counts as none.",
)


def brier(label_probabilities: Mapping[str, float], reference: str) -> float:
    """Return half the squared distance of the probabilities from certainty of the reference.

    Range [0, 1], lower is better; 0 is certain and right, 1 certain and wrong, and always saying
    0.5 to two labels scores 0.25. Source: Brier, 1950.
    """
    distances = ((name == reference) - p for name, p in label_probabilities.items())
    return sum(distance**2 for distance in distances) / 2


BRIER = Metric(
    title="Brier score",
    function=brier,
    task="labels",
    direction="lower",
    unit="score",
    definition="Half the squared distance between the label probabilities and certainty of "
    "the right label; 0 is certain and right, 1 certain and wrong.",
    empty=NOT_READ,
    source="Brier, 1950, Verification of Forecasts Expressed in Terms of Probability",
    weakness="Mixes being right with knowing how sure to be.",
)


@lru_cache(maxsize=8)
def _normalized(labels: tuple[str, ...]) -> frozenset[str]:
    return frozenset(map(normalize_label, labels))
