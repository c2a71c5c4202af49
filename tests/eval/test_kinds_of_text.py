"""Reports of answers in other scripts and of numbers in other styles, from file to verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.eval.checks.comparison import check_comparison
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import build
from tuneproof.eval.score import score
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.report import Report

Write = Callable[..., Path]
CHINESE = (
    "今天的天气很好，我们去公园散步。",
    "火车将在下午三点到达北京。",
    "他每天早上六点起床跑步。",
)
HINDI = ("आज मौसम बहुत अच्छा है।", "यह पुस्तक एक मछुआरे की कहानी है।", "वह हर सुबह छह बजे दौड़ता है।")


def rows(references: Any, tuned: Any, base: Any) -> list[dict[str, Any]]:
    """Twelve items; the texts in turn."""
    return [
        {
            "prompt": f"Q{number}",
            "reference": references[number % len(references)],
            "fine_tuned": tuned[number % len(tuned)],
            "regular": base[number % len(base)],
        }
        for number in range(12)
    ]


def reported(path: Path) -> Report:
    comparison = read_comparison(path)
    return build(comparison, score(comparison), ReportConfig(resamples=200))


@pytest.mark.parametrize("texts", [CHINESE, HINDI])
def test_right_answers_of_other_scripts_are_better(texts: tuple[str, ...], write: Write) -> None:
    report = reported(write(rows(texts, texts, texts[1:] + texts[:1])))
    for metric in ("rougeL", "rouge1", "rouge2", "chrf", "token_f1", "exact_match"):
        assert report.metrics["fine_tuned"][metric].value == 1
        assert report.metrics["base"][metric].value < 0.3
        assert report.gains["fine_tuned"][metric].verdict == "better"


def test_a_metric_that_reads_nothing_has_no_verdict(write: Write) -> None:
    emoji = ("\U0001f44d", "\U0001f44e", "\U0001f600")
    report = reported(write(rows(emoji, emoji, emoji[1:] + emoji[:1])))
    assert report.gains["fine_tuned"].keys() & {"rougeL", "rouge1", "rouge2"} == set()
    assert "no reference has a letter or digit" in report.not_available["rougeL"]
    assert report.gains["fine_tuned"]["chrf"].verdict == "better"


def test_a_chinese_loop_is_found_by_report_and_doctor(write: Write) -> None:
    texts = ["今天天气很好。"]
    path = write(rows(texts, [texts[0] * 40], texts))
    figures = reported(path).metrics["fine_tuned"]
    assert figures["repetition_rate"].value == pytest.approx(0.97, abs=0.01)
    assert figures["loop_rate"].value == 1
    assert figures["length"].value == 240
    assert "answers-loop" in {finding.code for finding in check_comparison(read_comparison(path))}


@pytest.mark.parametrize(
    ("references", "tuned", "base"),
    [
        (["1.234,50", "10.234,50"], ["1.234,50 €", "10.234,50 €"], ["1.234", "10.234"]),
        (["1,23,456", "12,23,456"], ["Rs 1,23,456", "Rs 12,23,456"], ["12"]),
        (["1.2 x 10^6"], ["about 1.2e6"], ["1.2"]),
        (["$1.5M"], ["$1,500,000"], ["1,500"]),
        (["42 (up from 40)"], ["42, up from 40"], ["40"]),
        (["5-10 kg"], ["between 5 and 10, or 5 to 10 kg"], ["10 kg"]),
    ],
)
def test_numbers_of_other_styles_match(
    references: list[str], tuned: list[str], base: list[str], write: Write
) -> None:
    report = reported(write(rows(references, tuned, base)))
    assert report.metrics["fine_tuned"]["numeric_match"].value == 1
    assert report.metrics["base"]["numeric_match"].value == 0


def test_open_readings_are_counted_and_not_scored(write: Write) -> None:
    report = reported(write(rows(["1234"], ["1234"], ["1.234"])))
    assert report.metrics["fine_tuned"]["numeric_match"].n == 12
    assert "numeric_match" not in report.metrics["base"]
    forms = {form.form: form.answers for form in report.numbers}
    assert forms == {"as written": 12, "two readings": 12}


def test_null_answers_are_empty_and_the_best_reference_counts(write: Write) -> None:
    report = reported(write(rows([["Answer one", "No. 1"]], ["No. 1", None], [""])))
    assert report.metrics["fine_tuned"]["exact_match"].value == 0.5
    assert report.metrics["fine_tuned"]["exact_match"].empty == 6
