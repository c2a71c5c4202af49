from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.metrics.metric import Metric
from tuneproof.eval.metrics.registry import added
from tuneproof.eval.score import score
from tuneproof.eval.stats.estimates import Analysis, analyse
from tuneproof.formats.comparison import read_comparison

Write = Callable[..., Path]
CONFIG = ReportConfig(resamples=500)


def analysed(path: Path) -> Analysis:
    comparison = read_comparison(path)
    return analyse(comparison, score(comparison), CONFIG)


def test_figures_of_a_clear_case(document: dict[str, Any], write: Write) -> None:
    found = analysed(write(document))
    assert found.metrics["tuned"]["exact_match"].value == pytest.approx(8 / 12)
    cell = found.metrics["base"]["exact_match"]
    assert (cell.value, cell.low, cell.n) == (0, 0, 12)
    assert cell.high == pytest.approx(0.2425, abs=1e-4)  # none of 12: up to a quarter may be
    gain = found.gains["tuned"]["exact_match"]
    assert gain.value == pytest.approx(8 / 12)
    assert 0 < gain.low < gain.value < gain.high <= 1
    assert gain.verdict == "better"
    assert found.gains["tuned"]["loop_rate"].verdict == "better"
    assert found.gains["tuned"]["length"].verdict == "different"
    assert set(found.gains) == {"tuned"}
    assert found.tasks == {}


def test_intervals_reach_as_far_as_a_metric_of_ones_own(
    document: dict[str, Any], write: Write
) -> None:
    about: dict[str, Any] = {"definition": "?", "source": "this test", "weakness": "?"}
    own = {
        "words_said": Metric(
            title="Words said", function=lambda prediction: 5.0 + len(prediction),
            direction="lower", unit="words", **about,
        ),
        "mood": Metric(
            title="Mood", function=lambda prediction: -1 / (1 + len(prediction)),
            direction="higher", unit="score", least=-1, **about,
        ),
    }  # fmt: skip
    with added(own):
        found = analysed(write(document))
    for name in own:
        for figure in (found.metrics["tuned"][name], found.gains["tuned"][name]):
            assert figure.low is not None and figure.high is not None
            assert figure.low < figure.value < figure.high, name
    assert found.metrics["tuned"]["mood"].value < 0


def test_gain_is_the_difference_of_the_means(document: dict[str, Any], write: Write) -> None:
    found = analysed(write(document))
    for metric, gain in found.gains["tuned"].items():
        values = [found.metrics[name][metric].value for name in ("tuned", "base")]
        assert gain.value == pytest.approx(values[0] - values[1])


def test_equal_answers_show_no_difference(document: dict[str, Any], write: Write) -> None:
    for item in document["items"]:
        item["answers"]["tuned"] = item["answers"]["base"]
    gains = analysed(write(document)).gains["tuned"]
    assert {gain.verdict for gain in gains.values()} == {"no measurable difference"}
    assert {gain.p for gain in gains.values()} == {1}


def test_tasks_are_analysed_alone_too(document: dict[str, Any], write: Write) -> None:
    for item in document["items"][8:]:
        item["task"] = "finqa"
    found = analysed(write(document))
    assert {name: task.n for name, task in found.tasks.items()} == {"dolly": 8, "finqa": 4}
    assert found.tasks["dolly"].metrics["tuned"]["exact_match"].value == 1
    assert found.tasks["finqa"].metrics["tuned"]["exact_match"].value == 0


def test_single_variant_has_no_gains(document: dict[str, Any], write: Write) -> None:
    del document["variants"][1]
    for item in document["items"]:
        del item["answers"]["tuned"]
    found = analysed(write(document))
    assert found.gains == {}
    assert found.metrics["base"]["loop_rate"].value == 1


def test_metric_only_one_variant_has_gives_no_gain(document: dict[str, Any], write: Write) -> None:
    for item in document["items"]:
        item["answers"]["tuned"]["finish_reason"] = None
    found = analysed(write(document))
    assert "stop_rate" in found.metrics["base"]
    assert "stop_rate" not in found.metrics["tuned"]
    assert "stop_rate" not in found.gains["tuned"]


def test_labels_of_hardly_any_items_are_named(topics: dict[str, Any], write: Write) -> None:
    found = analysed(write(topics))
    reason = "labels with fewer than 5 items: Gold | Metals (2), M&A (4)"
    for figures in (found.metrics["tuned"], found.gains["tuned"]):
        assert figures["macro_f1"].caution == figures["matthews"].caution == reason
        assert figures["accuracy"].caution is None


def test_a_mean_that_a_few_items_carry_is_named(document: dict[str, Any], write: Write) -> None:
    texts = {3: "red blue", 4: "red blue", 5: "red"}
    for number, item in enumerate(document["items"]):
        item["answers"]["tuned"] |= {"text": texts.get(number, "other words")}
    found = analysed(write(document))
    reason = "only 3 of 12 items score other than 0"
    assert found.metrics["tuned"]["rougeL"].caution == reason
    assert found.gains["tuned"]["rougeL"].caution is None  # has its own warning
    assert found.gains["tuned"]["rougeL"].warning is not None
    assert found.metrics["tuned"]["exact_match"].caution is None


def test_a_variant_that_never_repeats_itself_may_loop_where_it_was_not_asked(
    document: dict[str, Any], write: Write
) -> None:
    words = [f"w{number}" for number in range(40)]
    for number, item in enumerate(document["items"]):
        mild = [*words, *words[: 5 + number % 2]]  # a few 4-grams of many come twice
        item["answers"]["base"] |= {"text": " ".join(mild)}
        item["answers"]["tuned"] |= {"text": " ".join(words)}
    gain = analysed(write(document)).gains["tuned"]["repetition_rate"]
    assert gain.value < 0 < gain.high
    assert gain.p < 0.001
    assert gain.verdict == "no measurable difference"


def test_few_units_are_a_reason_to_be_careful(document: dict[str, Any], write: Write) -> None:
    for number, item in enumerate(document["items"]):
        item["group"] = f"page {number % 4}"
    found = analysed(write(document))
    assert {figure.caution for figure in found.metrics["tuned"].values()} == {
        "only 4 independent items"
    }
