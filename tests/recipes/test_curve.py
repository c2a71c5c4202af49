from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tuneproof.errors import InputError
from tuneproof.recipes.cli import main
from tuneproof.recipes.curve import run_curve, shares_of
from tuneproof.recipes.recipe import load


def test_shares_are_read_smallest_first() -> None:
    assert shares_of("1,0.25,0.5") == (0.25, 0.5, 1.0)


@pytest.mark.parametrize("text", ["", "1", "0,1", "0.5,2", "a,b", "0.5,0.5"])
def test_what_are_no_shares_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--curve"):
        shares_of(text)


@pytest.mark.slow
def test_demo_on_shares_of_its_data(tmp_path: Path) -> None:
    changes = ("tune.max_steps=4", "compare.limit=12", "compare.max_new_tokens=8")
    recipe = load("demo", settings=changes, root=tmp_path)
    curve = run_curve(recipe, (0.25, 1.0))
    assert len(curve.points) == 2
    assert curve.points[1].examples == pytest.approx(4 * curve.points[0].examples, abs=3)
    assert (tmp_path / "reports/demo-curve/curve.json").is_file()
    written = (tmp_path / "runs" / curve.points[0].variant / "run.json").stat().st_mtime_ns
    run_curve(recipe, (0.25, 1.0))  # goes on with what is there
    assert written == (tmp_path / "runs" / curve.points[0].variant / "run.json").stat().st_mtime_ns


@pytest.mark.slow
def test_a_metric_that_is_asked_for_decides_a_curve(tmp_path: Path) -> None:
    changes = (
        "tune.max_steps=2", "compare.limit=6", "compare.max_new_tokens=8",
        "score.metric=[short=max-length:5]", "score.primary=short",
    )  # fmt: skip
    result = CliRunner().invoke(
        main,
        ["run", "demo", "--curve", "0.5,1", "--out", str(tmp_path)]
        + [part for change in changes for part in ("--set", change)],
    )
    assert result.exit_code == 0, result.output
    assert "Each doubling of the data changed" in result.output
