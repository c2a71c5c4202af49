from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report
from tuneproof.eval.report.story import paragraph

Write = Callable[..., Path]
CONFIG = ReportConfig(resamples=200)
MINUS = "\N{MINUS SIGN}"


def told(document: dict[str, Any], write: Write, tmp_path: Path) -> str:
    found = report([write(document)], tmp_path / "out", CONFIG)
    assert found["summary"]["tuned"]["paragraph"] == paragraph(found, "tuned")
    return str(found["summary"]["tuned"]["paragraph"])


def test_what_changed_how_sure_and_what_could_not_be_seen(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    text = told(document, write, tmp_path)
    assert text.startswith("tuned is better than base on 8 of 9 metrics, and worse on none. ")
    assert "Better: ROUGE-L +0.8" in text
    assert "at most 5 in 100 such reports would say better or worse even once" in text
    assert "Too few items differ for a verdict on" in text
    assert "With 12 items, more than 1 in 5 such samples would miss a difference" in text
    assert text.endswith("Next: read some answers, and ask prompts from elsewhere.")
    assert "Training" not in text


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
    ) in told(document, write, tmp_path)
    document["variants"][1]["parameters"] = {"trainable": 10}
    document["variants"][1]["training_seconds"] = document["variants"][1]["peak_memory_bytes"] = (
        None
    )
    assert "Training changed 10 parameters." in told(document, write, tmp_path)


def test_a_regression_is_told_first_thing_to_look_at(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    for item in document["items"]:
        answers = item["answers"]
        answers["base"], answers["tuned"] = answers["tuned"], answers["base"]
    text = told(document, write, tmp_path)
    assert f"Worse: ROUGE-L {MINUS}0.8" in text
    assert text.endswith("Next: read the worst regressions in report.html before it is used.")


def test_baselines_not_beaten_are_told(
    topics: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    text = told(topics, write, tmp_path)
    assert "tuned does not beat majority (50.0 %)" in text
    assert ". It does not beat every baseline. " in text
    assert text.endswith("until then a baseline that costs nothing does as well.")


def test_equal_answers_are_suspicious(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    for item in document["items"]:
        item["answers"]["tuned"] = item["answers"]["base"]
    text = told(document, write, tmp_path)
    assert text.startswith("No measurable difference between tuned and base on 9 metrics. ")
    assert "Too few items differ for a verdict on any metric." in text
    assert text.endswith("Next: check that the adapter was used, and train longer.")


@pytest.mark.parametrize("change", [" blue", " blue and many other words besides"])
def test_a_small_difference_asks_for_more_prompts(
    change: str, document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    for number, item in enumerate(document["items"]):
        text = "red green" if number % 2 else "red"
        item["answers"]["base"] = {"text": text, "tokens": 2, "finish_reason": "eos"}
        tuned = text + change if number < 3 else text
        item["answers"]["tuned"] = {"text": tuned, "tokens": 3, "finish_reason": "eos"}
    assert "Next: ask about " in told(document, write, tmp_path)
