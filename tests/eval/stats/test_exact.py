from __future__ import annotations

import pytest

from tuneproof.eval.stats.exact import fisher_p, sign_p


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (3, 0), (0, 3), (7, 5), (60, 40), (900, 800)])
def test_sign_test_is_the_binomial_one(won: int, lost: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(won, won + lost, alternative="greater").pvalue if won + lost else 1.0
    assert sign_p(won, lost) == pytest.approx(expected)


@pytest.mark.parametrize(
    "counts", [(2, 0, 0, 198), (10, 3, 4, 83), (0, 5, 5, 90), (40, 10, 300, 1650), (1, 1, 1, 1)]
)
def test_fisher_is_scipys(counts: tuple[int, int, int, int]) -> None:
    from scipy.stats import fisher_exact

    expected = fisher_exact([counts[:2], counts[2:]], alternative="greater").pvalue
    assert fisher_p(*counts) == pytest.approx(expected)
