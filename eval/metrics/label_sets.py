"""Figures of a whole set of labelled items, made from counts that add up over the items.

Every function takes arrays of any leading shape, such as one row per resample, whose last axis is
the labels (`hits`, `predicted`, `actual`) or the confidence bins (`gaps`); so one call figures all
resamples. The values are scikit-learn's, which tests hold them to; it is not called because it
takes one set at a time.

    hits       (..., labels) items of this label that were given it
    predicted  (..., labels) items that were given this label
    actual     (..., labels) items whose reference is this label
    gaps       (..., bins) sum of confidence - correctness over the items in this bin
    doubts     (..., bins) sum of confidence x (1 - confidence) over them
    count      (...) items
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuneproof.eval.metrics.metric import NOT_READ, Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS = 15
"""Confidence bins of equal width, as in Guo et al., 2017; bin i is (i / 15, (i + 1) / 15]."""


def macro_f1(hits: Floats, predicted: Floats, actual: Floats) -> Any:
    """Return the mean F1 of the labels that occur, as a reference or as a prediction.

    Range [0, 1], higher is better. Every label counts the same, however rare.
    """
    import numpy as np

    f1 = label_f1(hits, predicted, actual)
    return np.nansum(f1, axis=-1) / np.count_nonzero(~np.isnan(f1), axis=-1)


MACRO_F1 = Metric(
    title="Macro F1",
    function=macro_f1,
    task="labels",
    direction="higher",
    unit="score",
    definition="Mean over the labels that occur of F1, the harmonic mean of precision and recall.",
    empty=NOT_READ,
    source="Sokolova and Lapalme, 2009, A systematic analysis of performance measures for "
    "classification tasks",
    weakness="A label with three items weighs as much as one with three hundred.",
)


def weighted_precision(hits: Floats, predicted: Floats, actual: Floats) -> Any:
    """Return the mean precision of the labels, weighted by how often each is the reference.

    Range [0, 1], higher is better. A label never predicted has precision 0 here.
    """
    return _weighted(label_precision(hits, predicted, actual), actual)


WEIGHTED_PRECISION = Metric(
    title="Weighted precision",
    function=weighted_precision,
    task="labels",
    direction="higher",
    unit="score",
    definition="Mean precision of the labels, weighted by how often each is right; 0 for one "
    "that is never predicted.",
    empty=NOT_READ,
    source="Sokolova and Lapalme, 2009",
    weakness="Hides rare labels.",
)


def weighted_recall(hits: Floats, predicted: Floats, actual: Floats) -> Any:
    """Return the mean recall of the labels, weighted likewise; by its algebra the accuracy.

    Range [0, 1], higher is better.
    """
    return _weighted(label_recall(hits, predicted, actual), actual)


WEIGHTED_RECALL = Metric(
    title="Weighted recall",
    function=weighted_recall,
    task="labels",
    direction="higher",
    unit="score",
    definition="Mean recall of the labels, weighted by how often each is right.",
    empty=NOT_READ,
    source="Sokolova and Lapalme, 2009",
    weakness="Equals the accuracy by its algebra; shown because others report it.",
)


def weighted_f1(hits: Floats, predicted: Floats, actual: Floats) -> Any:
    """Return the mean F1 of the labels, weighted by how often each is the reference.

    Range [0, 1], higher is better.
    """
    return _weighted(label_f1(hits, predicted, actual), actual)


WEIGHTED_F1 = Metric(
    title="Weighted F1",
    function=weighted_f1,
    task="labels",
    direction="higher",
    unit="score",
    definition="Mean F1 of the labels, weighted by how often each is right.",
    empty=NOT_READ,
    source="Sokolova and Lapalme, 2009",
    weakness="Hides rare labels; need not lie between weighted precision and recall.",
)


def matthews(hits: Floats, predicted: Floats, actual: Floats) -> Any:
    """Return the correlation of predicted and right labels, for any number of labels.

    Range [-1, 1], higher is better; 0 is what guessing gives, and also what is returned where all
    references or all predictions are one label. Answers that are no label count as one more.
    Source: Gorodkin, 2004.
    """
    import numpy as np

    total = actual.sum(axis=-1)
    covariance = hits.sum(axis=-1) * total - (predicted * actual).sum(axis=-1)
    none = total - predicted.sum(axis=-1)
    spread = (total**2 - (predicted**2).sum(-1) - none**2) * (total**2 - (actual**2).sum(-1))
    return np.where(spread > 0, covariance / np.sqrt(np.where(spread > 0, spread, 1)), 0.0)


MATTHEWS = Metric(
    title="Matthews correlation",
    least=-1,
    function=matthews,
    task="labels",
    direction="higher",
    unit="score",
    definition="Correlation between predicted and right labels, from -1 to 1; guessing and "
    "always saying the same label give 0.",
    empty=NOT_READ,
    source="Gorodkin, 2004, Comparing two K-category assignments by a K-category correlation "
    "coefficient",
    weakness="Says nothing of which labels are confused.",
)


def calibration_error(gaps: Floats, doubts: Floats, count: Floats) -> Any:
    """Return the mean distance of confidence from accuracy over the bins (ECE), debiased.

    Range [0, 1], lower is better. Source: Naeini et al., 2015; 15 bins as in Guo et al., 2017.
    The distance in a bin is of random size even where the confidence is right, so that a plain sum
    is too large, the more so the fewer items there are. What chance adds is taken off: a sum of
    correctness has the variance `doubts`, and the expected distance of a normal variable with
    it (the mean of the folded normal distribution) says by how much (Kumar et al., 2019, Verified
    Uncertainty Calibration, whose estimator this is with that variance).
    """
    import numpy as np
    from scipy.special import ndtr

    distance, spread = np.abs(gaps), np.sqrt(np.maximum(doubts, 0))
    ratio = np.divide(distance, spread, out=np.full(np.shape(gaps), np.inf), where=spread > 0)
    with np.errstate(invalid="ignore"):
        tail = np.where(np.isinf(ratio), 0.0, 2 * distance * ndtr(-ratio))
    expected = spread * np.sqrt(2 / np.pi) * np.exp(-np.square(ratio) / 2) + distance - tail
    return np.clip((2 * distance - expected).sum(axis=-1) / count, 0, 1)


CALIBRATION_ERROR = Metric(
    title="Calibration error",
    function=calibration_error,
    task="labels",
    direction="lower",
    unit="score",
    definition="Distance between confidence (the probability of the predicted label) and "
    "accuracy, averaged over 15 bins of equal width (ECE), less what chance alone adds to it in so "
    "few items.",
    empty=NOT_READ,
    source="Guo et al., 2017, On Calibration of Modern Neural Networks; debiased as by Kumar et "
    "al., 2019, Verified Uncertainty Calibration",
    weakness="Low for a model that is equally unsure of everything; not the plain ECE of papers, "
    "which is higher.",
)


def label_precision(hits: Floats, predicted: Floats, actual: Floats) -> Any:
    """Return the precision of every label; NaN where it was never predicted."""
    return _ratio(hits, predicted)


def label_recall(hits: Floats, predicted: Floats, actual: Floats) -> Any:
    """Return the recall of every label; NaN where it is never the reference."""
    return _ratio(hits, actual)


def label_f1(hits: Floats, predicted: Floats, actual: Floats) -> Any:
    """Return the F1 of every label; NaN where it does not occur at all."""
    return _ratio(2 * hits, predicted + actual)


def _ratio(part: Floats, whole: Floats) -> Any:
    import numpy as np

    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)


def _weighted(values: Any, actual: Floats) -> Any:
    import numpy as np

    return (np.nan_to_num(values) * actual).sum(axis=-1) / actual.sum(axis=-1)
