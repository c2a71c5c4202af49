from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tuneproof.eval.cli import main
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.plan import items_to_detect, plan, smallest_seen
from tuneproof.eval.report.build import report

Write = Callable[..., Path]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["plan", *map(str, arguments), "--resamples", "300"])


@pytest.mark.parametrize(("spread", "difference"), [(1.0, 0.5), (1.0, 0.2), (0.2, 0.03)])
def test_items_equal_the_power_of_the_noncentral_t(spread: float, difference: float) -> None:
    from scipy.stats import nct, t

    n = items_to_detect(spread, 1, detect=difference, alpha=0.05)
    critical, shift = t.ppf(0.975, n - 1), difference / spread * np.sqrt(n)
    power = nct.sf(critical, n - 1, shift) + nct.cdf(-critical, n - 1, shift)
    assert 0.80 <= power < 0.815
    assert smallest_seen(spread / np.sqrt(n), n, alpha=0.05) == pytest.approx(difference, rel=0.02)


def test_twice_as_small_takes_four_times_as_many() -> None:
    few, many = (items_to_detect(0.05, 100, detect=d, alpha=0.05) for d in (0.1, 0.05))
    assert many == pytest.approx(4 * few, rel=0.05)


def test_pilot_is_a_comparison_or_its_report(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    path = write(document)
    config = ReportConfig(resamples=300)
    report([path], tmp_path / "out", config)
    plans = [plan(p, None, 0.1, None, config) for p in (path, tmp_path / "out")]
    assert plans[0] == plans[1]
    assert (plans[0].metric, plans[0].pilot_items, plans[0].variant) == ("rougeL", 12, "tuned")
    result = run(path, "--detect", "0.1")
    assert result.exit_code == 0, result.output
    first = result.output.splitlines()[0]
    assert first.startswith(f"{plans[0].items:,} items show a difference of 0.100 in ROUGE-L (80 %")
    surer = run(tmp_path / "out", "--detect", "0.1", "--confidence", "0.99").output
    assert surer == run(path, "--detect", "0.1", "--confidence", "0.99").output
    assert surer != result.output
    fixed = run(tmp_path / "out", "--detect", "0.1", "--primary", "exact_match")
    assert fixed.exit_code == 2
    assert "for --primary give the comparison file" in fixed.output
    shares = run(path, "--detect", "0.05", "--metric", "exact_match").output
    assert "show a difference of 5.0 pp in Exact match" in shares


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--detect", "0"], "--detect must be above 0, got 0.0"),
        (["--detect", "0.1", "--metric", "rougel"], "Did you mean 'rougeL'?"),
        (["--detect", "0.1", "--metric", "echo_rate"], "do not differ in echo_rate"),
        (["--detect", "0.1", "--variant", "x"], "unknown variant 'x'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, document: dict[str, Any], write: Write
) -> None:
    result = run(write(document), *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1


@pytest.mark.slow
def test_so_many_items_show_it_in_four_of_five_samples() -> None:
    from tuneproof.eval.stats.permutation import sign_flip_p

    n = items_to_detect(1.0, 1, detect=0.4, alpha=0.05)
    values = np.random.default_rng(0).normal(0.4, 1, (n, 1000))
    assert 0.76 < np.mean(np.array(sign_flip_p(values, draws=1000, seed=0)) < 0.05) < 0.84
