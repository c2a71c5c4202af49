from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import build
from tuneproof.eval.report.ladder import against_best, headline, ladder_table, steps
from tuneproof.eval.report.page import render_page
from tuneproof.eval.score import score
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.report import Report

Write = Callable[..., Path]
CONFIG = ReportConfig(resamples=200)
ITEMS = 40


def comparison(right: dict[str, int], **details: dict[str, Any]) -> dict[str, Any]:
    """Return a comparison of variants that have so many of the answers right."""
    kinds = {"base": "base", "base-few-shot": "base", "nearest": "baseline"}
    return {
        "schema": "tuneproof/comparison@1",
        "variants": [
            {"name": name, "model": "m", "adapter": None}
            | ({"kind": kinds[name]} if name in kinds else {})
            | details.get(name.replace("-", "_"), {})
            for name in right
        ],
        "items": [
            {
                "id": f"q{number}", "task": "t", "group": f"q{number}",
                "prompt": f"Ask {number} of {'abcdefghij'[number % 10] * 7}?", "input": "",
                "reference": f"word{number} and more of it",
                "answers": {
                    name: {
                        "text": f"word{number} and more of it" if number < count else "other",
                        "tokens": 4, "finish_reason": "eos",
                    }
                    for name, count in right.items()
                },
            }
            for number in range(ITEMS)
        ],
    }  # fmt: skip


@pytest.fixture
def reported(write: Write) -> Callable[[dict[str, Any]], Report]:
    def made(document: dict[str, Any]) -> Report:
        read = read_comparison(write(document))
        return build(read, score(read), CONFIG)

    return made


def test_headline_is_against_the_best_option_without_tuning(
    reported: Callable[..., Report],
) -> None:
    right = {"base": 4, "base-few-shot": 16, "nearest": 10, "tuned": 32}
    made = reported(comparison(right))
    found = against_best(made, "tuned")
    assert found is not None
    assert (found.best, found.verdict) == ("base-few-shot", "better")
    assert found.difference.value == pytest.approx(0.4)
    assert headline(made, "tuned").startswith("tuned: ROUGE-L 0.800, 0.400 (0.")
    assert headline(made, "tuned").endswith(
        "above the best option without tuning, base with examples in its prompt (0.400)."
    )
    assert made.summary["tuned"].headline == headline(made, "tuned")


@pytest.mark.parametrize(
    ("few_shot", "words"), [(27, "not shown to differ from"), (39, "below the best option")]
)
def test_tuning_that_does_not_beat_examples_in_the_prompt_is_told(
    reported: Callable[..., Report], few_shot: int, words: str
) -> None:
    made = reported(comparison({"base": 2, "base-few-shot": few_shot, "tuned": 24}))
    assert made.gains["tuned"]["rougeL"].verdict == "better"  # than the base without examples
    assert words in headline(made, "tuned")
    assert "better" not in headline(made, "tuned")


def test_ladder_has_every_option_the_best_first_with_its_cost(
    reported: Callable[..., Report],
) -> None:
    right = {"base": 4, "base-few-shot": 16, "nearest": 10, "tuned": 32}
    cost = {"prompt_tokens": 600.0, "answer_tokens": 40.0, "seconds_per_answer": 0.5}
    made = reported(comparison(right, base_few_shot=cost))
    ladder = steps(made)
    assert [step.name for step in ladder] == ["tuned", "base-few-shot", "nearest", "base"]
    assert [step.kind for step in ladder] == ["run", "base", "baseline", "base"]
    assert [step.name for step in ladder if step.is_best_untuned] == ["base-few-shot"]
    assert (ladder[1].tokens, ladder[1].seconds) == (640.0, 0.5)
    assert ladder[2].tokens is None
    for step in ladder:
        assert 0 <= step.low <= step.at <= step.high <= 100
    text = ladder_table(made)
    assert "base with examples in its prompt *" in text
    assert "640" in text


def test_page_shows_the_ladder_before_anything_else(reported: Callable[..., Report]) -> None:
    made = reported(comparison({"base": 4, "tuned": 32}))
    page = render_page(made, [], {})
    assert page.index(made.summary["tuned"].headline) < page.index('class="ladder"')
    assert page.index('class="ladder"') < page.index("All the rest")
    assert "style=" not in page.split('class="ladder"')[1].split("</table>")[0]  # the policy


def test_lower_is_better_is_told(reported: Callable[..., Report], write: Write) -> None:
    document = comparison({"base": 4, "tuned": 32})
    for item in document["items"]:
        text = "again and again and again " * 6
        item["answers"]["base"] = {"text": text, "tokens": 30, "finish_reason": "length"}
    read = read_comparison(write(document))
    config = ReportConfig(resamples=200, primary="repetition_rate")
    made = build(read, score(read), config)
    assert "below, which is better, the best option without tuning, base" in headline(made, "tuned")
    assert steps(made)[0].name == "tuned"


def test_report_without_references_has_a_ladder_of_what_can_be_seen(
    reported: Callable[..., Report],
) -> None:
    document = copy.deepcopy(comparison({"base": 4, "tuned": 32}))
    for item in document["items"]:
        item["reference"] = None
    made = reported(document)
    assert made.primary is not None
    assert made.primary.metric == "stop_rate"
    assert "Stops by itself" in headline(made, "tuned") or made.summary["tuned"].headline


def test_other_options_do_not_hide_that_the_best_is_beaten(reported: Callable[..., Report]) -> None:
    few = {"base": 2, "nearest": 20, "tuned": 31}
    many = few | {f"other-{n}": 10 + n for n in range(6)}
    document = comparison(many)
    for variant in document["variants"]:
        if variant["name"].startswith("other"):
            variant["kind"] = "baseline"
    for made in (reported(comparison(few)), reported(document)):
        found = against_best(made, "tuned")
        assert found is not None
        assert (found.best, found.verdict) == ("nearest", "better")
