"""Many tests at once: how large would the largest difference of a report be by chance?

Westfall and Young's step-down procedure (1993, Resampling-Based Multiple Testing; Ge et al., 2003)
on swaps that all tests share. Metrics of one answer rise and fall together, so the largest of nine
differences is by chance not much larger than one, and what Holm's correction pays for nine
independent tests is saved. With weights, a primary metric goes first (Westfall, Kropf and Finos,
2004, Weighted FWE-controlling methods): it is tested at nearly the whole of alpha, the others share
what is left, and all of it once the primary is called. The chance that any of the verdicts is
false stays at most alpha, however the tests hang together.
"""

from __future__ import annotations

import numpy as np

from tuneproof.eval.stats.intervals import Floats
from tuneproof.eval.stats.permutation import Swaps

KEPT_BACK = 0.1
"""Share of alpha that the other metrics have even where the primary one is not called: without
any, nothing could be said of answers that stop by themselves as long as their words are the
same."""


def step_down(swaps: Swaps, weights: Floats) -> list[float]:
    """Return the corrected p-value of every test.

    Args:
        swaps: The tests' differences, as they are and swapped.
        weights: (tests,) above 0; a test of twice the weight is called at twice the p-value.

    A test is as extreme as its tail probability, taken from the normal distribution, divided by
    its weight. The corrected p-value is the share of swaps in which any test that is not yet called
    is at least as extreme; none gets smaller than one before it. How well the normal distribution
    fits does not matter to the error rate, since the swaps are measured in the same way.
    """
    seen, drawn = _extremes(swaps, weights)
    order = np.argsort(seen, kind="stable")
    left = np.minimum.accumulate(drawn[:, order[::-1]], axis=1)[:, ::-1]  # of those not yet called
    hits = (left <= seen[order] + 1e-7).sum(axis=0)
    corrected = np.empty(len(order))
    corrected[order] = np.maximum.accumulate(swaps.share(hits))
    return corrected.tolist()


def primary_weights(is_primary: Floats) -> Floats:
    """Return the weights: 1 for a primary test; the others together `KEPT_BACK` of alpha.

    Args:
        is_primary: (tests,) 1 for a test of the primary metric, else 0.

    Without a primary test, or with nothing else, all are alike.
    """
    others = int((is_primary == 0).sum())
    if others in (0, len(is_primary)):
        return np.ones(len(is_primary))
    return np.where(is_primary > 0, 1.0, KEPT_BACK / (1 - KEPT_BACK) / others)


def simultaneous_level(swaps: Swaps, alpha: float) -> float:
    """Return alpha of one interval such that all together miss in no more than `alpha` of samples.

    It is alpha times the chance of one test to exceed the critical value of the largest, divided
    by the chance of any: alpha itself for one test, alpha divided by their number for tests that
    have nothing to do with each other.
    """
    if len(swaps.seen) < 2:
        return alpha
    _, drawn = _extremes(swaps, np.ones(len(swaps.seen)))
    least = drawn.min(axis=1)
    critical = np.quantile(least, alpha)
    alone = (drawn <= critical).mean(axis=0).max()
    return alpha * float(alone / (least <= critical).mean())


def _extremes(swaps: Swaps, weights: Floats) -> tuple[Floats, Floats]:
    """Return logarithms of weighted tail probabilities, seen and drawn; less is more extreme."""
    from scipy.special import log_ndtr

    offset = np.log(weights)
    return log_ndtr(-np.abs(swaps.seen)) - offset, log_ndtr(-np.abs(swaps.drawn)) - offset
