from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import build, report
from tuneproof.eval.report.summary import against_baselines, beats_all
from tuneproof.eval.report.wording import headline
from tuneproof.eval.score import score
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.figures import Equivalence, MetricFigure, Pair, Verdict
from tuneproof.formats.report import Report

Write = Callable[..., Path]
CONFIG = ReportConfig(resamples=200)
MINUS = "\N{MINUS SIGN}"
NONE: Verdict = "no measurable difference"
ACCURACY = {"majority": 0.207, "chance": 0.05, "tf-idf": 0.846}


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["better", "better", NONE], "new is better than old."),
        (["better", "worse", NONE], "new is better than old in some ways and worse in others."),
        (["worse", NONE, NONE], "new is worse than old."),
        ([NONE, NONE, NONE], "No measurable difference between new and old."),
    ],
)
def test_headline_without_a_primary_metric(verdicts: list[Verdict], expected: str) -> None:
    assert headline("new", "old", verdicts) == expected


def pair(a: str, b: str, value: float, low: float, high: float, p: float) -> Pair:
    called: Verdict = NONE if low <= 0 <= high else "better" if low > 0 else "worse"
    return Pair(
        a=a, b=b, difference=value, low=low, high=high, mcnemar_p=p, p=p, p_corrected=p,
        verdict=called, a_only=9, b_only=3,
    )  # fmt: skip


PAIRS = (
    pair("chance", "new", -0.76, -0.78, -0.74, 1e-9),
    pair("new", "majority", 0.6, 0.58, 0.62, 1e-9),
    pair("new", "tf-idf", -0.031, -0.05, -0.012, 0.002),
)


@pytest.fixture
def compared(topics: dict[str, Any], write: Write) -> Report:
    """A report with three baselines of known accuracy."""
    comparison = read_comparison(write(topics))
    figures = {
        name: {"accuracy": MetricFigure(value=value, low=None, high=None, n=100)}
        for name, value in ACCURACY.items()
    }
    return replace(build(comparison, score(comparison), CONFIG), metrics=figures, pairs=PAIRS)


def test_baselines_beaten_and_not_beaten_are_named_with_their_accuracy(compared: Report) -> None:
    assert against_baselines(compared, "new", ["majority", "chance", "tf-idf"]) == (
        "new beats most frequent label (20.7 %) and chance (5.0 %); it is worse than "
        f"TF-IDF + logistic regression (84.6 %): difference {MINUS}3.1 pp "
        f"({MINUS}5.0 to {MINUS}1.2)"
    )
    assert against_baselines(compared, "new", ["chance"]) == "new beats chance (5.0 %)"
    assert against_baselines(compared, "new", []) is None
    assert against_baselines(compared, "new", ["unscored"]) is None


def test_beats_all_only_when_every_baseline_is_beaten(compared: Report) -> None:
    assert beats_all(compared, "new", ["majority", "chance"]) is True
    assert beats_all(compared, "new", ["majority", "tf-idf"]) is False
    assert beats_all(compared, "new", ["unscored"]) is None


def test_a_difference_that_may_be_chance_is_neither_won_nor_as_good(compared: Report) -> None:
    one = pair("new", "chance", 0.02, -0.001, 0.04, 0.08)
    unsure = replace(compared, pairs=(one,))
    text = against_baselines(unsure, "new", ["chance"])
    assert text == (
        f"new shows no difference from chance (5.0 %): difference +2.0 pp ({MINUS}0.1 to 4.0)"
    )
    assert beats_all(unsure, "new", ["chance"]) is False


def test_as_good_as_a_baseline_needs_equivalence(compared: Report) -> None:
    one = pair("new", "chance", 0.002, -0.01, 0.014, 0.8)
    for is_same, phrase in ((True, "new is as good as"), (False, "new shows no difference from")):
        within = Equivalence(margin=0.02, not_worse=True, not_better=is_same, items=400)
        known = replace(compared, pairs=(replace(one, equivalence=within),))
        assert (against_baselines(known, "new", ["chance"]) or "").startswith(phrase)


def test_pair_is_turned_to_the_variant_that_asks() -> None:
    turned = PAIRS[0].seen_from("new", "chance")
    assert turned is not None
    assert (turned.difference, turned.low, turned.high) == (0.76, 0.74, 0.78)
    assert (turned.a, turned.a_only, turned.b_only) == ("new", 3, 9)
    assert PAIRS[0].seen_from("new", "other") is None


def paragraph(document: dict[str, Any], write: Write, tmp_path: Path) -> str:
    return report([write(document)], tmp_path / "out", CONFIG).summary["tuned"].paragraph


def test_what_changed_how_sure_and_what_could_not_be_seen(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    text = paragraph(document, write, tmp_path)
    assert text.startswith("tuned, this checkpoint: ROUGE-L 0.")
    assert "above the best option without tuning, base (0." in text
    assert "Nothing is seen to be worse than base." in text
    assert "at most 5 in 100 such reports would say better or worse even once" in text
    assert "Too few items differ for a verdict on" in text
    assert "With 12 items it could have seen a difference in ROUGE-L of 0." in text
    assert text.endswith("Next: read some answers, and ask prompts from elsewhere.")
    assert "Training" not in text


@pytest.mark.parametrize(
    ("margin", "tuned", "expected"),
    [
        (0.02, "better", "In ROUGE-L tuned is not worse than base by 0.020 or more."),
        (0.02, "equal", "It is not shown that tuned is the same as base in ROUGE-L within 0.020;"),
        (0.3, "equal", "In ROUGE-L tuned and base are the same within 0.300."),
        (None, "equal", ""),
    ],
)
def test_margin_is_told_as_far_as_it_is_shown(
    margin: float | None, tuned: str, expected: str, document: dict[str, Any], write: Write
) -> None:
    for item in document["items"] if tuned == "equal" else ():
        item["answers"]["tuned"] = item["answers"]["base"]
    comparison = read_comparison(write(document))
    config = ReportConfig(resamples=300, margin=margin)
    text = build(comparison, score(comparison), config).summary["tuned"].paragraph
    assert expected in text
    assert ("within" in text or "not worse" in text) == (margin is not None)


def test_cost_is_told_as_far_as_it_is_known(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    document["variants"][1] |= {
        "parameters": {"trainable": 393216, "total": 7491584},
        "training_seconds": 1600.1,
        "peak_memory_bytes": 1927716864,
    }
    assert (
        "Training changed 393,216 of 7,491,584 parameters (5.25 %), took 26.7 minutes and needed "
        "at most 1.8 GiB of memory."
    ) in paragraph(document, write, tmp_path)
    document["variants"][1]["parameters"] = {"trainable": 10}
    document["variants"][1]["training_seconds"] = document["variants"][1]["peak_memory_bytes"] = (
        None
    )
    assert "Training changed 10 parameters." in paragraph(document, write, tmp_path)


def test_a_regression_is_told_first_thing_to_look_at(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    for item in document["items"]:
        answers = item["answers"]
        answers["base"], answers["tuned"] = answers["tuned"], answers["base"]
    text = paragraph(document, write, tmp_path)
    assert f"Worse: ROUGE-L {MINUS}0.8" in text
    assert text.endswith("Next: read the worst regressions in report.html before it is used.")


def test_baselines_not_beaten_are_told(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    text = paragraph(topics, write, tmp_path)
    assert "tuned shows no difference from most frequent label (50.0 %): difference +25.0" in text
    assert text.startswith(
        "tuned, this checkpoint: Accuracy 75.0 %, not shown to differ from the best option "
    )
    assert text.endswith("until it is shown to beat what costs next to nothing.")
    assert "as well" not in text and "as good" not in text


def test_intervals_that_may_be_too_narrow_are_named(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    text = report([write(topics)], tmp_path / "out", CONFIG).certainty
    assert (
        "The interval of Macro F1 and Matthews correlation may be too narrow: labels with fewer "
        "than 5 items: Gold | Metals (2), M&A (4)."
    ) in text
    assert text.endswith("may be too narrow: fewer than 63 items tell little of calibration.")


def test_a_baseline_that_does_better_is_told(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    for item in topics["items"]:
        answers = item["answers"]
        answers["majority"], answers["tuned"] = (
            {**answers["tuned"], "text": None}, {**answers["base"], "text": "none of them"},
        )  # fmt: skip
        answers["base"] = copy.deepcopy(answers["tuned"])
    text = paragraph(topics, write, tmp_path)
    assert "tuned is worse than most frequent label (75.0 %): difference" in text
    assert "until then most frequent label, which costs next to nothing, does better." in text


def test_equal_answers_are_suspicious(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    for item in document["items"]:
        item["answers"]["tuned"] = item["answers"]["base"]
    text = paragraph(document, write, tmp_path)
    assert text.startswith(
        "tuned, this checkpoint: ROUGE-L 0.000, not shown to differ from the best option"
    )
    assert "Too few items differ for a verdict on any metric." in text
    assert text.endswith("Next: check that the adapter was used, and train longer.")


@pytest.mark.parametrize("change", [" blue", " blue and many other words besides"])
def test_a_small_difference_asks_which_would_matter(
    change: str, document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    for number, item in enumerate(document["items"]):
        text = "red green" if number % 2 else "red"
        item["answers"]["base"] = {"text": text, "tokens": 2, "finish_reason": "eos"}
        tuned = text + change if number < 3 else text
        item["answers"]["tuned"] = {"text": tuned, "tokens": 3, "finish_reason": "eos"}
    assert "`score plan` say how many prompts" in paragraph(document, write, tmp_path)
