from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.score import score
from tuneproof.eval.stats.bootstrap import Estimate
from tuneproof.eval.stats.estimates import analyse
from tuneproof.eval.stats.seeds import Measured, SeedEstimate, common_name, over_seeds, seeds_of
from tuneproof.formats.comparison import read_comparison


def table(
    rng: np.random.Generator, seeds: int, items: int, *, seed: float, item: float, rest: float,
    mean: float = 0.0,
) -> np.ndarray:  # fmt: skip
    return (
        mean
        + rng.normal(0, seed, (seeds, 1))
        + rng.normal(0, item, (1, items))
        + rng.normal(0, rest, (seeds, items))
    )


def test_without_any_difference_between_seeds_it_is_the_paired_t_test() -> None:
    from scipy.stats import ttest_1samp

    row = np.random.default_rng(1).normal(0.1, 1, 40)
    found = over_seeds(np.tile(row, (3, 1)))
    expected = ttest_1samp(row, 0)
    assert found.value == pytest.approx(row.mean())
    assert found.error == pytest.approx(row.std(ddof=1) / np.sqrt(40))
    assert found.p_value() == pytest.approx(expected.pvalue, abs=1e-6)
    assert found.seed_share == pytest.approx(0, abs=1e-20)


def test_with_one_item_s_worth_of_spread_it_is_the_t_test_of_the_seeds() -> None:
    from scipy.stats import ttest_1samp

    means = np.array([0.3, -0.1, 0.25, 0.2])
    found = over_seeds(np.tile(means[:, None], (1, 50)))
    assert found.p_value() == pytest.approx(ttest_1samp(means, 0).pvalue, abs=1e-6)
    assert found.seed_share == pytest.approx(1)
    assert found.seed_spread == pytest.approx(means.std(ddof=1))


def test_variance_is_that_of_the_crossed_analysis_of_variance() -> None:
    rng = np.random.default_rng(3)
    d = table(rng, 5, 30, seed=0.5, item=1.0, rest=0.7)
    grand, s, i = d.mean(), d.mean(1, keepdims=True), d.mean(0, keepdims=True)
    ms_seed = 30 * ((s - grand) ** 2).sum() / 4
    ms_item = 5 * ((i - grand) ** 2).sum() / 29
    ms_rest = ((d - s - i + grand) ** 2).sum() / (4 * 29)
    exact = (ms_seed + ms_item - ms_rest) / 150
    assert over_seeds(d).error ** 2 == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    ("seeds", "items", "spread"),
    [(3, 32, 0.02), (3, 100, 0.05), (5, 63, 0.05), (3, 300, 0.0), (8, 20, 0.1)],
)
def test_intervals_cover_and_nothing_is_called_where_nothing_changed(
    seeds: int, items: int, spread: float
) -> None:
    rng = np.random.default_rng(seeds * items)
    covered = []
    for _ in range(600):
        d = table(rng, seeds, items, seed=spread, item=0.25, rest=0.15)
        low, high = over_seeds(d).interval(0.05)
        covered.append(low <= 0 <= high)
    assert 0.93 <= np.mean(covered) <= 1.0


def test_one_checkpoint_is_called_far_too_often_where_seeds_differ() -> None:
    rng = np.random.default_rng(5)
    of_one, of_all = [], []
    for _ in range(400):
        d = table(rng, 3, 300, seed=0.049, item=0.2, rest=0.1)
        error = d[0].std(ddof=1) / np.sqrt(300)
        of_one.append(abs(d[0].mean()) > 1.97 * error)
        of_all.append(over_seeds(d).p_value() < 0.05)
    assert np.mean(of_one) > 0.3
    assert np.mean(of_all) <= 0.05


def test_groups_are_drawn_whole() -> None:
    rng = np.random.default_rng(2)
    d = table(rng, 3, 20, seed=0.0, item=1.0, rest=0.1)
    four = np.repeat(d, 4, axis=1)
    groups = np.repeat(np.arange(20), 4)
    assert over_seeds(four, groups).error == pytest.approx(over_seeds(d).error, rel=0.02)
    assert over_seeds(four).error < 0.6 * over_seeds(d).error


def test_no_difference_at_all_is_no_verdict() -> None:
    found = over_seeds(np.zeros((3, 10)))
    assert found.p_value() == 1.0
    assert found.interval(0.05) == (0.0, 0.0)


@pytest.mark.parametrize(("items", "verdict"), [(3, "no measurable difference"), (40, "better")])
def test_seeds_that_agree_show_no_more_than_their_items_can(
    write: Callable[..., Path], items: int, verdict: str
) -> None:
    texts = {"base": "other", "run-seed1": "red green blue", "run-seed2": "red green blue"}
    read = read_comparison(write(document(texts, items, {"run-seed1": "a", "run-seed2": "a"})))
    (found,) = analyse(read, score(read), ReportConfig(resamples=200)).seeds
    first = found.figures[0]
    assert (first.metric, first.verdict) == ("rougeL", verdict)
    assert -1 <= first.low < first.high <= 1
    assert (first.low <= 0) == (verdict != "better")
    assert first.p_corrected >= 2 ** (1 - items)


def document(texts: Mapping[str, str], items: int, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return a comparison in which each variant answers all items alike.

    Args:
        texts: The answer of each variant.
        items: How many items there are.
        settings: What runs were trained with; each has a seed of its own.
    """
    seeds = {name: seed for seed, name in enumerate(settings, 1)}
    return {
        "schema": "tuneproof/comparison@1",
        "variants": [
            {"name": name, "model": "m", "adapter": None}
            | (
                {"training_seed": seeds[name], "settings_sha256": settings[name] * 64}
                if name in settings
                else {}
            )
            for name in texts
        ],
        "items": [
            {
                "id": f"q{place}", "task": "t", "prompt": f"Ask {place}?", "input": "",
                "reference": "red green blue",
                "answers": {name: {"text": text} for name, text in texts.items()},
            }
            for place in range(items)
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("lora-seed1", "lora-seed2"), "lora"),
        (("lora-seed1-merged", "lora-seed2-merged"), "lora-merged"),
        (("r-1", "r-12"), "r"),
        (("seed1-lora", "seed2-lora"), "lora"),
        (("1", "2"), "1"),
    ],
)
def test_settings_are_called_what_their_runs_names_share(
    names: tuple[str, ...], expected: str
) -> None:
    assert common_name(names) == expected


def test_no_setting_takes_the_place_of_another(write: Callable[..., Path]) -> None:
    settings = {"r-1": "a", "r-2": "a", "r-11": "b", "r-12": "b"}
    read = read_comparison(
        write(document({name: "red" for name in ("base", *settings)}, 3, settings))
    )
    assert seeds_of(read) == {"r": ["r-1", "r-2"], "r-11, r-12": ["r-11", "r-12"]}


def test_a_single_item_judges_no_settings(write: Callable[..., Path]) -> None:
    settings = {"run-seed1": "a", "run-seed2": "a"}
    read = read_comparison(
        write(document({name: "red" for name in ("base", *settings)}, 1, settings))
    )
    assert analyse(read, score(read), ReportConfig(resamples=200)).seeds == ()


def measured(value: float, **more: Any) -> Measured:
    crossed = SeedEstimate(
        value=value, seed_error=0.5, item_error=0.5, seeds=3, units=40, seed_spread=0.1
    )
    items = Estimate(
        value=value, low=value - 1, high=value + 1, n=40,
        interval_at=lambda _: (value - 1, value + 1),
    )  # fmt: skip
    return Measured(against="base", mean=0.0, crossed=crossed, of_items=items, item_p=0.01, **more)


def test_an_interval_ends_where_its_metric_does() -> None:
    low, high = measured(-21.8, bounds=(-inf, inf)).interval(0.05)
    assert low < -22.8 < -20.8 < high < 0
    assert measured(0.9, bounds=(-1.0, 1.0)).interval(0.05)[1] == 1.0


def test_to_be_below_the_best_of_several_is_corrected_and_to_be_above_it_is_not() -> None:
    above, below = (measured(value, bounds=(-1.0, 1.0), options=4) for value in (0.9, -0.9))
    assert above.corrected(1) == above.p == below.p
    assert below.corrected(1) == pytest.approx(min(1.0, 4 * below.p))
    assert below.corrected(-1) == below.p
