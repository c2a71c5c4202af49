"""Many verdicts in one report: Holm's correction keeps the chance of any false one at alpha."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for being one family, in the order given.

    The smallest is multiplied by their number, the next by one less, and so on; none gets smaller
    than one before it. To call those below alpha keeps the chance that any of the calls is false
    at or below alpha, however the tests hang together (Holm, 1979, A Simple Sequentially Rejective
    Multiple Test Procedure).
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(raised, 1.0)
    return found.tolist()
