from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.curve import learning_curve, read_curve
from tuneproof.files import read_json

SIZES = {"a": 100, "b": 200, "c": 400}


def comparison(tmp_path: Path, right: dict[str, int], items: int = 60) -> Path:
    rng = np.random.default_rng(1)
    order = rng.permutation(items)
    rows = [
        {
            "id": f"q{n}", "task": "t", "group": f"q{n}", "prompt": f"Question {n}",
            "reference": f"answer {n}",
            "answers": {
                name: {"text": f"answer {n}" if order[n] < count else "no"}
                for name, count in right.items()
            },
        }
        for n in range(items)
    ]  # fmt: skip
    path = tmp_path / "mc.json"
    variants = [{"name": name, "model": "m"} for name in right]
    path.write_text(
        json.dumps({"schema": "tuneproof/comparison@1", "variants": variants, "items": rows})
    )
    return path


def test_growth_by_doubling_is_the_slope_over_the_logarithm(tmp_path: Path) -> None:
    path = comparison(tmp_path, {"base": 5, "a": 20, "b": 30, "c": 40})
    curve = learning_curve([path], SIZES, ReportConfig(), tmp_path)
    assert curve.metric == "rougeL"
    values = [point.value for point in curve.points]
    expected = np.polyfit(np.log2(list(SIZES.values())), values, 1)[0]
    assert curve.doubling == pytest.approx(expected)
    assert 0 < curve.low < curve.doubling < curve.high
    assert curve.last == pytest.approx(values[2] - values[1])
    assert "more data helps" in curve.lines()
    assert read_json(tmp_path / "curve.json")["points"][0]["examples"] == 100
    assert read_curve(tmp_path / "curve.json") == curve


def test_interval_is_that_of_the_t_test_of_the_slopes(tmp_path: Path) -> None:
    from scipy.stats import ttest_1samp

    path = comparison(tmp_path, {"base": 5, "a": 20, "b": 21, "c": 22})
    curve = learning_curve([path], SIZES, ReportConfig(), tmp_path)
    items = read_json(path)["items"]
    hits = np.array([[item["answers"][n]["text"] != "no" for n in "abc"] for item in items], float)
    found = ttest_1samp(hits @ [-0.5, 0, 0.5], 0).confidence_interval(0.95)
    word = "answer"  # a wrong answer shares no word with the reference
    assert word in items[0]["reference"]
    assert (curve.low, curve.high) == pytest.approx((found.low, found.high), abs=1e-9)
    assert "is not shown" in curve.lines()


@pytest.mark.parametrize("right", [0, 40])
def test_runs_that_all_do_alike_leave_room_for_items_that_were_not_asked(
    tmp_path: Path, right: int
) -> None:
    path = comparison(tmp_path, {"base": 5, "a": right, "b": right, "c": right})
    curve = learning_curve([path], SIZES, ReportConfig(), tmp_path)
    assert curve.low < curve.doubling == 0 < curve.high
    assert "is not shown" in curve.lines()


def test_one_size_is_no_curve(tmp_path: Path) -> None:
    path = comparison(tmp_path, {"base": 5, "a": 20})
    with pytest.raises(InputError, match="two or more numbers of examples"):
        learning_curve([path], {"a": 100}, ReportConfig(), tmp_path)
