"""The length-controlled win rate: what a judge would say if both answers were equally long.

Judges like long answers. A logistic regression of the judge's choice on the difference in length
says what is left where that is zero (Dubois et al., 2024, Length-Controlled AlpacaEval). Its term
for how hard an item is needs the answers of many models and is left out, as there are two.
"""

from __future__ import annotations

import numpy as np

from tuneproof.eval.judging.win_rate import LEAST
from tuneproof.eval.stats.intervals import Floats, Integers

RIDGE = 1.0
"""Strength of the penalty on the length's coefficient, so that it stays finite where length alone
decides."""


def length_controlled(
    judged: Floats, lengths: Floats, units: Integers, confidence: float
) -> tuple[float, float, float] | None:
    """Return the win rate at equal lengths with its interval; None where nothing can be fitted.

    Args:
        judged: (items,) 1 where the first answer wins, 0.5 for a tie, 0 where it loses.
        lengths: (items,) characters of the first answer less those of the second.
        units: (items,) the unit of each.
        confidence: Of the interval, by the sandwich estimator over units.
    """
    from scipy import stats
    from scipy.special import expit

    count = len(np.unique(units))
    if count <= LEAST or judged.min() == judged.max():
        return None
    spread = float(lengths.std()) or 1.0
    design = np.column_stack([np.ones(len(judged)), np.tanh(lengths / spread)])
    coefficients = _fitted(design, judged)
    chances = expit(design @ coefficients)
    slopes = design * (judged - chances)[:, None]
    _, of = np.unique(units, return_inverse=True)
    sums = np.stack([np.bincount(of, weights=column) for column in slopes.T], 1)
    inverse = np.linalg.inv(_curvature(design, chances))
    covariance = inverse @ (sums.T @ sums) @ inverse * count / (count - 1)
    reach = float(stats.t.ppf((1 + confidence) / 2, count - 1) * covariance[0, 0] ** 0.5)
    low, value, high = (float(expit(coefficients[0] + part)) for part in (-reach, 0.0, reach))
    return value, low, high


def _fitted(design: Floats, target: Floats) -> Floats:
    """Return the coefficients of a logistic regression; all but the first are kept small."""
    from sklearn.linear_model import LogisticRegression

    # a tie is half a win and half a loss
    weights = np.concatenate([target, 1 - target])
    model = LogisticRegression(C=1 / RIDGE, tol=1e-8)
    outcomes = np.repeat([1, 0], len(target))
    twice = np.concatenate([design[:, 1:], design[:, 1:]])
    model.fit(twice[weights > 0], outcomes[weights > 0], sample_weight=weights[weights > 0])
    return np.concatenate([model.intercept_, model.coef_[0]])


def _curvature(design: Floats, chances: Floats) -> Floats:
    """Return the negative second derivatives of the penalised log-likelihood."""
    curvature = (design * (chances * (1 - chances))[:, None]).T @ design
    curvature[1, 1] += RIDGE
    return np.asarray(curvature)
