from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import build
from tuneproof.eval.report.ladder import against_best, headline, ladder_table, seed_headline, steps
from tuneproof.eval.report.page import render_page
from tuneproof.eval.report.summary import text_table
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
    assert headline(made, "tuned").startswith("tuned, this checkpoint: ROUGE-L 0.800, 0.400 (0.")
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


def with_seeds(document: dict[str, Any]) -> dict[str, Any]:
    for variant in document["variants"]:
        name, _, seed = variant["name"].partition("-seed")
        if seed:
            variant |= {"training_seed": int(seed), "settings_sha256": name}
    return document


def test_seeds_of_one_setting_are_judged_together(reported: Callable[..., Report]) -> None:
    right = {"base": 4, "nearest": 12, "lora-seed1": 30, "lora-seed2": 33, "lora-seed3": 27}
    made = reported(with_seeds(comparison(right)))
    (seeds,) = made.seeds
    assert (seeds.name, seeds.variants) == ("lora", ("lora-seed1", "lora-seed2", "lora-seed3"))
    first = seeds.figures[0]
    assert (first.metric, first.against, first.verdict) == ("rougeL", "nearest", "better")
    assert first.value == pytest.approx(0.45)
    assert 0 < first.seed_share < 1
    text = seed_headline(made, seeds)
    assert text.startswith("lora, 3 seeds: ROUGE-L 0.750, 0.450 (")
    assert "% of the uncertainty is the seeds', whose values differ by 0.075" in text
    assert text in text_table(made)
    page = render_page(made, [], {})
    assert page.index("lora, 3 seeds: ROUGE-L") < page.index("this checkpoint")


def test_seeds_that_disagree_are_no_proof_where_each_checkpoint_would_be(
    reported: Callable[..., Report],
) -> None:
    right = {"base": 18, "lora-seed1": 36, "lora-seed2": 12, "lora-seed3": 33}
    made = reported(with_seeds(comparison(right)))
    assert made.gains["lora-seed1"]["rougeL"].verdict == "better"
    (seeds,) = made.seeds
    assert {figure.verdict for figure in seeds.figures} == {"no measurable difference"}
    for figure in seeds.figures:
        assert figure.low is not None and figure.high is not None
        assert figure.low <= 0 <= figure.high


def test_one_seed_is_called_this_checkpoint(reported: Callable[..., Report]) -> None:
    made = reported(with_seeds(comparison({"base": 4, "lora-seed1": 30})))
    assert made.seeds == ()
    assert headline(made, "lora-seed1").startswith("lora-seed1, this checkpoint: ")


def test_figure_of_a_whole_set_is_not_said_to_beat_the_base_alone(
    reported: Callable[[dict[str, Any]], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = comparison({"base": 10, "nearest": 36, "tuned": 24})
    document["labels"] = ["yes", "no"]
    for place, row in enumerate(document["items"]):
        row["reference"] = ("yes", "no")[place % 2]
        for given in row["answers"].values():
            is_right = given["text"] != "other"
            given["label"] = row["reference"] if is_right else ("no", "yes")[place % 2]
    monkeypatch.setattr(f"{__name__}.CONFIG", ReportConfig(resamples=200, primary="macro_f1"))
    text = headline(reported(document), "tuned")
    assert text.startswith("tuned, this checkpoint: Macro F1 0.6")
    assert "the best option without tuning, nearest training example, has 0.9" in text
    assert text.endswith("no test compares the two in Macro F1.")


def test_a_base_of_another_name_is_an_option_without_tuning(
    reported: Callable[[dict[str, Any]], Report],
) -> None:
    report = reported(comparison({"gpt2": 36, "gpt2-ft": 20, "nearest": 8}))
    assert [(step.name, step.kind, step.is_best_untuned) for step in steps(report)] == [
        ("gpt2", "base", True), ("gpt2-ft", "run", False), ("nearest", "baseline", False),
    ]  # fmt: skip
    assert "below the best option without tuning, gpt2 (" in headline(report, "gpt2-ft")
