"""Judges whose accuracy is known: does a win rate that is corrected by votes hold what it says?

Made-up judges say what people say with some accuracy. Where they are wrong they lean to one side,
as real ones do, so that their own win rate is far off.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tuneproof.eval.judging.win_rate import corrected, plain
from tuneproof.eval.selftest.line import CONFIDENCE, Line
from tuneproof.eval.stats.intervals import Floats, Integers

VOTES = (30, 60, 100, 200)
ACCURACIES = (0.6, 0.7, 0.8, 0.95)
ITEMS = 500
"""Items of a comparison; all are judged."""
WIN_RATES = (0.5, 0.7, 0.85)
"""True win rates, by turns."""
TIES = 0.15
"""Share of ties among the items."""
LEANING = 0.8
"""Share of a judge's mistakes that favour the first variant."""
OFTEN = 3
"""These samples are cheap: so many times as many as other lines have."""
TOGETHER = 4
"""Items of a unit, in the samples with units."""


def lines(simulations: int, seed: int) -> Iterator[Line]:
    """Yield how often the intervals of win rates hold the true one."""
    count = OFTEN * simulations
    for votes in VOTES:
        yield _line("votes alone", votes, _votes_alone(votes, count, seed), count)
        for accuracy in ACCURACIES:
            hits = _covered(votes, accuracy, count, seed)
            yield _line(f"judge right in {100 * accuracy:.0f} %", votes, hits, count)
    hits = _covered(VOTES[1], 0.8, count, seed, together=TOGETHER)
    yield _line(f"judge right in 80 %, units of {TOGETHER}", VOTES[1], hits, count)


def _covered(votes: int, accuracy: float, count: int, seed: int, *, together: int = 1) -> int:
    """Return how many corrected intervals hold the true win rate."""
    hits = 0
    for number in range(count):
        generator = np.random.default_rng([seed, votes, round(100 * accuracy), together, number])
        wins = WIN_RATES[number % len(WIN_RATES)]
        truth, units = _truth(wins, together, generator)
        said = _judged(truth, accuracy, generator)
        asked = np.isin(units, generator.permutation(units.max() + 1)[: votes // together])
        rate = corrected(np.where(asked, truth, np.nan), said, units, CONFIDENCE)
        true = TIES / 2 + (1 - TIES) * wins
        hits += rate is not None and rate.low <= true <= rate.high
    return hits


def _votes_alone(votes: int, count: int, seed: int) -> int:
    hits = 0
    for number in range(count):
        generator = np.random.default_rng([seed, votes, number])
        wins = WIN_RATES[number % len(WIN_RATES)]
        truth, units = _truth(wins, 1, generator)
        rate = plain(np.where(units < votes, truth, np.nan), units, CONFIDENCE)
        true = TIES / 2 + (1 - TIES) * wins
        hits += rate is not None and rate.low <= true <= rate.high
    return hits


def _truth(wins: float, together: int, generator: np.random.Generator) -> tuple[Floats, Integers]:
    """Return what people would say of every item, and the units; items of a unit are alike."""
    units = np.arange(ITEMS) // together
    chances = [(1 - TIES) * wins, TIES, (1 - TIES) * (1 - wins)]
    return generator.choice([1.0, 0.5, 0.0], int(units.max()) + 1, p=chances)[units], units


def _judged(truth: Floats, accuracy: float, generator: np.random.Generator) -> Floats:
    """Return what a judge says of every item."""
    leaning = generator.random(len(truth)) < LEANING
    mistaken = np.where(leaning, np.where(truth == 1, 0.5, 1.0), np.where(truth == 0, 0.5, 0.0))
    return np.where(generator.random(len(truth)) < accuracy, truth, mistaken)


def _line(case: str, votes: int, hits: int, count: int) -> Line:
    return Line(promise="win rate", case=case, n=votes, found=hits / count, simulations=count)
