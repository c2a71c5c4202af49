"""Exact tests on counts, without the second that importing scipy.stats takes."""

from __future__ import annotations

from math import exp, lgamma, log


def sign_p(won: int, lost: int) -> float:
    """Return how often a fair coin wins at least so many of all tosses (one-sided sign test)."""
    n = won + lost
    return min(1.0, sum(exp(_log_choose(n, k) - n * log(2)) for k in range(won, n + 1)))


def fisher_p(both: int, first: int, second: int, neither: int) -> float:
    """Return how often chance puts at least `both` into the first cell (Fisher, one-sided).

    Args:
        both: Items with both properties.
        first: Items with the first one only.
        second: Items with the second one only.
        neither: Items with none.
    """
    rows, columns = both + first, both + second
    n = rows + second + neither
    total = _log_choose(n, columns)
    return min(
        1.0,
        sum(
            exp(_log_choose(rows, k) + _log_choose(n - rows, columns - k) - total)
            for k in range(both, min(rows, columns) + 1)
        ),
    )


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
