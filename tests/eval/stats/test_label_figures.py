from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.score import score
from tuneproof.eval.stats.estimates import Analysis, analyse
from tuneproof.eval.stats.label_figures import bin_of
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.figures import LabelFigure

Write = Callable[..., Path]
CONFIG = ReportConfig(resamples=500)


def analysed(path: Path) -> Analysis:
    comparison = read_comparison(path)
    return analyse(comparison, score(comparison), CONFIG)


def test_figures_of_a_hand_computed_case(topics: dict[str, Any], write: Write) -> None:
    found = analysed(write(topics))
    tuned = found.metrics["tuned"]
    assert tuned["accuracy"].value == pytest.approx(9 / 12)
    assert tuned["free_accuracy"].value == pytest.approx(9 / 12)
    assert tuned["invalid_rate"].value == 0
    assert found.metrics["base"]["invalid_rate"].value == 1
    # gold: 1 of 2 given, 1 of 2 right; macro: 6 of 7, 6 of 6; deals: 2 of 3, 2 of 4
    f1 = [2 * 1 / 4, 2 * 6 / 13, 2 * 2 / 7]
    assert tuned["macro_f1"].value == pytest.approx(sum(f1) / 3)
    assert tuned["weighted_f1"].value == pytest.approx(np.dot(f1, [2, 6, 4]) / 12)
    assert tuned["weighted_recall"].value == pytest.approx(9 / 12)
    assert found.confusion["tuned"] == ((1, 0, 1), (0, 6, 0), (1, 1, 2))
    assert found.classes["tuned"]["M&A"].support == 4
    assert found.classes["tuned"]["M&A"].precision.value == pytest.approx(2 / 3)
    assert found.classes["majority"]["M&A"].precision == LabelFigure(
        value=None, low=None, high=None
    )


def test_order_is_that_of_the_registry_and_texts_have_no_label_figures(
    topics: dict[str, Any], document: dict[str, Any], write: Write
) -> None:
    found = analysed(write(topics))
    assert list(found.metrics["majority"])[:3] == ["accuracy", "macro_f1", "weighted_f1"]
    assert "free_accuracy" not in found.metrics["majority"]
    assert "rougeL" not in found.metrics["tuned"]
    assert set(found.gains) == {"tuned"}
    plain = analysed(write(document))
    assert plain.classes == plain.confusion == plain.reliability == {}
    assert plain.pairs == ()
    assert "accuracy" not in plain.metrics["tuned"]


def test_intervals_hold_the_value_and_gains_are_differences(
    topics: dict[str, Any], write: Write
) -> None:
    found = analysed(write(topics))
    for metric, gain in found.gains["tuned"].items():
        values = [found.metrics[name][metric].value for name in ("tuned", "base")]
        assert gain.value == pytest.approx(values[0] - values[1], abs=1e-6)
        assert gain.low <= gain.value + 1e-6 and gain.value <= gain.high + 1e-6
    for cell in found.metrics["tuned"].values():
        assert cell.low <= cell.value + 1e-6 and cell.value <= cell.high + 1e-6


def test_accuracy_and_weighted_recall_are_the_same_figure(
    topics: dict[str, Any], write: Write
) -> None:
    found = analysed(write(topics))
    cells, gains = found.metrics["tuned"], found.gains["tuned"]
    assert cells["weighted_recall"].value == pytest.approx(cells["accuracy"].value)
    assert gains["weighted_recall"].p == pytest.approx(gains["accuracy"].p, abs=0.04)
    wilson, resampled = cells["accuracy"], cells["weighted_recall"]
    assert (resampled.low, resampled.high) == pytest.approx((wilson.low, wilson.high), abs=0.1)


def test_pairs_are_paired(topics: dict[str, Any], write: Write) -> None:
    found = analysed(write(topics))
    pairs = {(pair.a, pair.b): pair for pair in found.pairs}
    assert list(pairs) == [("base", "tuned"), ("base", "majority"), ("tuned", "majority")]
    pair = pairs["base", "tuned"]
    assert (pair.a_only, pair.b_only) == (1, 8)
    assert pair.difference == pytest.approx(-7 / 12)
    assert pair.mcnemar_p == pair.p == pytest.approx(2 * (1 + 9) / 2**9)
    assert pair.low < pair.difference < pair.high
    gain = found.gains["tuned"]["accuracy"]
    assert (pair.p_corrected, pair.verdict) == (gain.p_corrected, "worse")
    assert (pair.low, pair.high) == (-gain.high, -gain.low)
    other = pairs["tuned", "majority"]  # 3 items better, none worse: too few for a verdict
    assert (other.verdict, other.p_corrected) == ("no measurable difference", 1.0)
    assert other.low == 0 or other.low < 0 < other.high


def test_bins_are_closed_above() -> None:
    assert bin_of(np.array([0.0, 1 / 15, 0.07, 1.0])).tolist() == [0, 0, 1, 14]


def test_reliability_and_calibration_error_agree(topics: dict[str, Any], write: Write) -> None:
    found = analysed(write(topics))
    for name, bins in found.reliability.items():
        gaps = [abs(b.confidence - b.accuracy) * b.n for b in bins]
        assert sum(b.n for b in bins) == 12
        error = found.metrics[name]["calibration_error"].value
        assert 0 <= error <= sum(gaps) / 12  # less what chance adds


def test_without_probabilities_there_is_no_calibration(
    topics: dict[str, Any], write: Write
) -> None:
    for item in topics["items"]:
        del item["answers"]["tuned"]["label_probabilities"]
    found = analysed(write(topics))
    assert set(found.reliability) == {"base", "majority"}
    assert "calibration_error" not in found.metrics["tuned"]
    assert "calibration_error" not in found.gains["tuned"]
    assert "macro_f1" in found.gains["tuned"]


def test_generated_answers_alone_are_scored_too(topics: dict[str, Any], write: Write) -> None:
    topics["variants"].pop()
    for item in topics["items"]:
        del item["answers"]["majority"]
        for answer in item["answers"].values():
            del answer["label"], answer["label_probabilities"]
    comparison = read_comparison(write(topics))
    scores = score(comparison)
    found = analyse(comparison, scores, CONFIG)
    assert set(found.metrics["tuned"]) == {
        "free_accuracy",
        "invalid_rate",
        "stop_rate",
        "length",
    }
    assert scores.not_available["macro_f1"] == "no answer has a scored label"
    assert scores.not_available["calibration_error"] == "no answer has label probabilities"
    assert (found.classes, found.pairs) == ({}, ())


def test_tasks_and_groups_of_labels_are_analysed(topics: dict[str, Any], write: Write) -> None:
    for number, item in enumerate(topics["items"]):
        item |= {"task": "ab"[number % 2], "group": str(number // 4)}
    found = analysed(write(topics))
    assert found.tasks["a"].metrics["tuned"]["macro_f1"].n == 6
    single = analysed(write({**topics, "items": [{**i, "group": None} for i in topics["items"]]}))
    widths = [f.metrics["tuned"]["macro_f1"] for f in (found, single)]
    assert widths[0].low != widths[1].low


def test_values_equal_scikit_learn_on_a_large_random_case(
    topics: dict[str, Any], write: Write
) -> None:
    from sklearn import metrics

    generator = np.random.default_rng(3)
    names = topics["labels"]
    template = topics["items"][0]
    items, right, given_, probabilities = [], [], [], []
    for number in range(300):
        row = generator.dirichlet([0.7, 0.5, 0.4])
        label, reference = int(row.argmax()), int(generator.choice(3, p=row))
        answer = {
            "label": names[label],
            "label_probabilities": dict(zip(names, row.tolist(), strict=True)),
        }
        answers = dict.fromkeys(("base", "tuned", "majority"), answer)
        items.append(
            {**template, "id": str(number), "reference": names[reference], "answers": answers}
        )
        right.append(reference)
        given_.append(label)
        probabilities.append(row)
    topics["items"] = items
    cells = analysed(write(topics)).metrics["tuned"]
    assert cells["accuracy"].value == pytest.approx(metrics.accuracy_score(right, given_))
    macro = metrics.f1_score(right, given_, average="macro")
    assert cells["macro_f1"].value == pytest.approx(macro)
    assert cells["matthews"].value == pytest.approx(metrics.matthews_corrcoef(right, given_))
    squared = np.square(np.eye(3)[right] - np.array(probabilities)).sum(axis=1).mean() / 2
    assert cells["brier"].value == pytest.approx(squared)


def test_a_rare_label_leaves_room_for_one_more_item(topics: dict[str, Any], write: Write) -> None:
    from sklearn.metrics import f1_score

    gold = topics["labels"][0]
    for number, item in enumerate(topics["items"]):
        item["reference"] = gold if number == 0 else topics["labels"][1 + number % 2]
        label = topics["labels"][1 + number % 2]
        item["answers"]["tuned"] = {"text": None, "label": label}
    found = analysed(write(topics)).metrics["tuned"]["macro_f1"]
    right = [0, *(1 + number % 2 for number in range(1, 12))]
    given = [1 + number % 2 for number in range(12)]
    assert found.value == pytest.approx(f1_score(right, given, average="macro", zero_division=0))
    one_more = f1_score([*right, 0], [*given, 0], average="macro", zero_division=0)
    assert found.high >= one_more - 1e-9 > found.value + 0.2
    assert found.caution is not None
