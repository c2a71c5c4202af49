"""Any two variants compared by their accuracy on the same items; also how baselines are beaten."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.score import group_numbers
from tuneproof.eval.stats.bootstrap import estimate, totals
from tuneproof.eval.stats.corrections import holm
from tuneproof.eval.stats.intervals import DIFFERENCE
from tuneproof.eval.stats.permutation import mcnemar, sign_flip_p

if TYPE_CHECKING:
    from tuneproof.eval.stats.label_figures import Outcomes


def compare_pairs(outcomes: Outcomes, config: ReportConfig) -> list[dict[str, Any]]:
    """Compare the accuracy of any two variants on the same items.

    `p` is McNemar's, unless items come in groups: then whole groups change places.
    """
    pairs = list(combinations(range(len(outcomes.names)), 2))
    if not pairs:
        return []
    is_right = (outcomes.given == outcomes.right[:, None]).astype(float)
    differences = np.column_stack([is_right[:, a] - is_right[:, b] for a, b in pairs])
    groups = group_numbers(outcomes.items)
    estimates = estimate(
        differences,
        resamples=config.resamples,
        confidence=config.confidence,
        seed=config.seed,
        groups=groups,
        ranges=[DIFFERENCE] * len(pairs),
    )
    sums, _ = totals(differences, groups)
    tested = sign_flip_p(sums, draws=config.draws, seed=config.seed)
    corrected = holm(tested)
    rows = []
    for place, ((a, b), column, found) in enumerate(
        zip(pairs, differences.T, estimates, strict=True)
    ):
        only = int((column > 0).sum()), int((column < 0).sum())
        rows.append(
            {
                "a": outcomes.names[a],
                "b": outcomes.names[b],
                "accuracy_difference": found.value,
                "low": found.low,
                "high": found.high,
                "mcnemar_p": mcnemar(*only),
                "p": tested[place],
                "p_holm": corrected[place],
                "a_only": only[0],
                "b_only": only[1],
            }
        )
    return rows
