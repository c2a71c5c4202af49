from __future__ import annotations

import pytest

from tuneproof.eval.report.summary import against_baselines, beats_all, headline, pair_of

NONE = "no measurable difference"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (
            ["better", "better", NONE],
            "new is better than old on 2 of 3 metrics, and worse on none.",
        ),
        (["better", "worse", NONE], "new is better than old on 1 of 3 metrics, and worse on 1."),
        (["worse", NONE, NONE], "new is worse than old on 1 of 3 metrics, and better on none."),
        ([NONE, NONE, NONE], "No measurable difference between new and old on 3 metrics."),
    ],
)
def test_headline(verdicts: list[str], expected: str) -> None:
    names = ("rouge1", "rougeL", "loop_rate")
    gains = {name: {"verdict": verdict} for name, verdict in zip(names, verdicts, strict=True)}
    gains["length"] = {"verdict": "different"}  # has no direction, so it is not judged
    assert headline("new", "old", gains) == expected


def pair(a: str, b: str, value: float, low: float, high: float, p: float) -> dict[str, object]:
    return {
        "a": a,
        "b": b,
        "accuracy_difference": value,
        "low": low,
        "high": high,
        "mcnemar_p": p,
        "p_holm": p,
        "a_only": 9,
        "b_only": 3,
    }


FOUND = {
    "metrics": {
        name: {"accuracy": {"value": value}}
        for name, value in (("majority", 0.207), ("chance", 0.05), ("tf-idf", 0.846))
    },
    "pairs": [
        pair("chance", "new", -0.76, -0.78, -0.74, 1e-9),
        pair("new", "majority", 0.6, 0.58, 0.62, 1e-9),
        pair("new", "tf-idf", -0.031, -0.05, -0.012, 0.002),
    ],
}


def test_baselines_beaten_and_not_beaten_are_named_with_their_accuracy() -> None:
    minus = "\N{MINUS SIGN}"
    assert against_baselines("new", ["majority", "chance", "tf-idf"], FOUND, 0.05) == (
        "new beats majority (20.7 %) and chance (5.0 %); it does not beat "
        f"TF-IDF + logistic regression (84.6 %): difference {minus}3.1 pp "
        f"({minus}5.0 to {minus}1.2)"
    )
    assert against_baselines("new", ["chance"], FOUND, 0.05) == "new beats chance (5.0 %)"
    assert against_baselines("new", [], FOUND, 0.05) is None
    assert against_baselines("new", ["unscored"], FOUND, 0.05) is None


def test_beats_all_only_when_every_baseline_is_beaten() -> None:
    assert beats_all("new", ["majority", "chance"], FOUND, 0.05) is True
    assert beats_all("new", ["majority", "tf-idf"], FOUND, 0.05) is False
    assert beats_all("new", ["unscored"], FOUND, 0.05) is None


def test_a_difference_that_may_be_chance_beats_nothing() -> None:
    unsure = {**FOUND, "pairs": [pair("new", "chance", 0.02, 0.001, 0.04, 0.08)]}
    found = against_baselines("new", ["chance"], unsure, 0.05)
    assert found == "new does not beat chance (5.0 %): difference +2.0 pp (0.1 to 4.0)"


def test_pair_is_turned_to_the_variant_that_asks() -> None:
    found = pair_of(FOUND["pairs"], "new", "chance")  # type: ignore[arg-type]
    assert found is not None
    assert (found["accuracy_difference"], found["low"], found["high"]) == (0.76, 0.74, 0.78)
    assert (found["a"], found["a_only"], found["b_only"]) == ("new", 3, 9)
    assert pair_of(FOUND["pairs"], "new", "other") is None  # type: ignore[arg-type]
