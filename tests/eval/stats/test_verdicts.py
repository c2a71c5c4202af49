from __future__ import annotations

from tuneproof.eval.stats.bootstrap import Estimate
from tuneproof.eval.stats.verdicts import PairedTest, judge


def made(value: float, p: float, differing: int = 30) -> PairedTest:
    low, high = value - 0.05, value + 0.05
    return PairedTest(
        estimate=Estimate(
            value=value, low=low, high=high, n=40, units=40, differing=differing, error=0.025,
            typical=0.1,
        ),
        p=p,
    )  # fmt: skip


def test_all_verdicts_of_a_report_are_one_family_with_its_tasks() -> None:
    found = judge(
        {
            ("", "a", "rougeL"): made(0.1, 0.012),
            ("", "b", "rougeL"): made(0.1, 0.02),
            ("dolly", "a", "rougeL"): made(0.1, 0.3),
            ("", "a", "repetition_rate"): made(0.1, 0.001),
        },
        0.05,
        "tokens",
    )
    assert {place: round(one["p_holm"], 6) for place, one in found.items()} == {
        ("", "a", "rougeL"): 0.036,
        ("", "b", "rougeL"): 0.04,
        ("dolly", "a", "rougeL"): 0.3,
        ("", "a", "repetition_rate"): 0.004,
    }
    assert found["", "a", "rougeL"]["verdict"] == "better"
    assert found["", "a", "repetition_rate"]["verdict"] == "worse"
    assert found["", "a", "rougeL"]["p"] == 0.012
    assert list(found) == sorted(found, key=list(found).index)


def test_metrics_without_direction_cost_the_others_nothing() -> None:
    places = {("", "a", "rougeL"): made(0.1, 0.04), ("", "a", "length"): made(9.0, 0.04)}
    found = judge(places, 0.05, "tokens")
    assert found["", "a", "rougeL"]["p_holm"] == 0.04
    assert found["", "a", "length"]["verdict"] == "different"


def test_too_few_items_that_differ_are_said_so() -> None:
    [found] = judge({("", "a", "rougeL"): made(0.1, 0.06, differing=5)}, 0.05, "tokens").values()
    assert found["warning"] == (
        "too few items that differ: 5, and no fewer than 6 can give a verdict"
    )
    assert found["verdict"] == "no measurable difference"
