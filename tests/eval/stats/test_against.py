from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tuneproof.eval.cli import main
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import build
from tuneproof.eval.report.examples import item_gains
from tuneproof.eval.report.ladder import headline
from tuneproof.eval.report.summary import text_table
from tuneproof.eval.score import score
from tuneproof.eval.stats.against import untuned
from tuneproof.files import write_json
from tuneproof.formats.comparison import read_comparison
from tuneproof.formats.report import Report

Write = Callable[..., Path]
ITEMS = 60
LABELS = ["low", "middle", "high"]


def comparison(
    answers: Mapping[str, Sequence[str]], references: Sequence[str], *, labels: bool = False
) -> dict[str, Any]:
    """Return a comparison of two forms of the base and a tuned variant."""

    def answer(text: str) -> dict[str, Any]:
        row = {"text": text, "tokens": 4, "finish_reason": "eos"}
        if not labels:
            return row
        return row | {"label": text, "label_probabilities": {x: float(x == text) for x in LABELS}}

    return {
        "schema": "tuneproof/comparison@1",
        **({"labels": LABELS} if labels else {}),
        "variants": [
            {"name": name, "model": "m", "adapter": None}
            | ({"kind": "base"} if name.startswith("base") else {})
            for name in answers
        ],
        "items": [
            {
                "id": f"q{place}", "task": "t", "group": f"q{place}",
                "prompt": f"Ask {place} of {'abcdefghij'[place % 10] * 7}?", "input": "",
                "reference": reference,
                "answers": {name: answer(texts[place]) for name, texts in answers.items()},
            }
            for place, reference in enumerate(references)
        ],
    }  # fmt: skip


@pytest.fixture
def reported(write: Write) -> Callable[..., Report]:
    def made(document: dict[str, Any], **settings: Any) -> Report:
        read = read_comparison(write(document))
        return build(read, score(read), ReportConfig(resamples=200, **settings))

    return made


def texts(right: int) -> list[str]:
    return [f"word{n} and more of it" if n < right else "other" for n in range(ITEMS)]


def test_template_alone_is_better_in_nothing(reported: Callable[..., Report]) -> None:
    looping = [f"{text} " + "round and round it goes " * 20 for text in texts(10)]
    asked = texts(50)
    report = reported(
        comparison({"base": looping, "base-as-tuned": asked, "tuned": asked}, texts(ITEMS))
    )
    gains = report.gains["tuned"]
    assert "better" not in {gain.verdict for gain in gains.values()}
    measured = {name for name, gain in gains.items() if gain.against == "base-as-tuned"}
    assert {"rougeL", "exact_match", "repetition_rate", "loop_rate"} <= measured
    assert gains["rougeL"].value == 0
    assert " from base-as-tuned, which is better than base: no meas" in gains["rougeL"].sentence
    assert gains["length"].against is None
    assert "not shown to differ from the best option without tuning" in headline(report, "tuned")
    assert "0.833 (base-as-tuned)" in text_table(report)


@pytest.mark.parametrize("primary", [None, "macro_f1"])
def test_template_alone_is_better_in_no_figure_of_labels(
    reported: Callable[..., Report], primary: str | None
) -> None:
    right = [LABELS[n % 3] for n in range(ITEMS)]
    asked = right[:50] + ["low"] * 10
    report = reported(
        comparison({"base": ["low"] * ITEMS, "base-as-tuned": asked, "tuned": asked}, right,
                   labels=True),
        primary=primary,
    )  # fmt: skip
    gains = report.gains["tuned"]
    assert "better" not in {gain.verdict for gain in gains.values()}
    assert gains["accuracy"].against == gains["macro_f1"].against == "base-as-tuned"
    assert gains["macro_f1"].value == 0
    assert "not shown to differ from the best option without tuning" in headline(report, "tuned")


def test_each_metric_is_measured_against_the_form_that_does_better_by_it(
    reported: Callable[..., Report],
) -> None:
    tuned = texts(50)
    longer = [f"{text} here" for text in texts(ITEMS)]
    report = reported(
        comparison({"base": texts(30), "base-as-tuned": longer, "tuned": tuned}, texts(ITEMS))
    )
    gains = report.gains["tuned"]
    assert gains["exact_match"].against is None
    assert gains["exact_match"].value == pytest.approx(20 / ITEMS)
    assert gains["rouge2"].against == "base-as-tuned"
    values = report.metrics
    assert gains["rouge2"].value == pytest.approx(
        values["tuned"]["rouge2"].value - values["base-as-tuned"]["rouge2"].value
    )


def test_a_few_easy_items_make_no_form_the_better_one(reported: Callable[..., Report]) -> None:
    numbers = [str(1371 + n) for n in range(ITEMS)]
    half = numbers[: ITEMS // 2] + ["1"] * (ITEMS - ITEMS // 2)
    unclear = [f"{n[0]}.{n[1:]}" for n in numbers[:-1]] + numbers[-1:]
    report = reported(
        comparison({"base": half, "base-as-tuned": unclear, "tuned": numbers}, numbers),
        primary="numeric_match",
    )
    assert report.metrics["base-as-tuned"]["numeric_match"].n == 1
    gain = report.gains["tuned"]["numeric_match"]
    assert (gain.against, gain.n, gain.value) == (None, ITEMS, 0.5)


def test_headline_and_gain_are_one_figure(reported: Callable[..., Report]) -> None:
    report = reported(
        comparison(
            {"base": texts(10), "base-as-tuned": texts(30), "tuned": texts(50)}, texts(ITEMS)
        )
    )
    gain = report.gains["tuned"]["rougeL"]
    assert (gain.against, gain.verdict) == ("base-as-tuned", "better")
    assert f"0.333 ({gain.low:.3f} to {gain.high:.3f}) above the best option" in headline(
        report, "tuned"
    )
    rung = next(rung for rung in report.primary.ladder if rung.variant == "tuned")
    assert rung.difference.value == pytest.approx(40 / ITEMS)


def test_form_that_is_as_good_changes_nothing(reported: Callable[..., Report]) -> None:
    same = {"base": texts(30), "base-as-tuned": texts(30), "tuned": texts(50)}
    report = reported(comparison(same, texts(ITEMS)))
    assert {gain.against for gain in report.gains["tuned"].values()} == {None}


def test_a_margin_is_judged_and_told_from_the_better_form(
    reported: Callable[..., Report], tmp_path: Path
) -> None:
    asked = texts(50)
    report = reported(
        comparison({"base": texts(10), "base-as-tuned": asked, "tuned": asked}, texts(ITEMS)),
        margin=0.05,
    )
    said = report.summary["tuned"].paragraph
    assert "tuned and base-as-tuned are the same within 0.050" in said
    assert "Nothing is seen to be worse than base or base-as-tuned" in said
    write_json(tmp_path / "report.json", report.as_json())
    result = CliRunner().invoke(main, ["gate", str(tmp_path), "--same", "rougeL by 0.05"])
    assert result.output.startswith("PASS  same: rougeL by 0.05 from base-as-tuned")


def test_an_item_is_worse_than_the_form_its_metric_is_measured_against(write: Write) -> None:
    read = read_comparison(
        write(
            comparison(
                {"base": texts(10), "base-as-tuned": texts(50), "tuned": texts(30)}, texts(ITEMS)
            )
        )
    )
    gains = item_gains(read, score(read), "rougeL")[:, read.tuned.index("tuned")]
    assert (gains < 0).sum() == 20


def test_options_without_tuning_are_those_with_a_mean(write: Write) -> None:
    read = read_comparison(
        write(
            comparison(
                {"base": texts(10), "base-as-tuned": texts(50), "tuned": texts(30)}, texts(ITEMS)
            )
        )
    )
    scores = score(read)
    assert untuned(read, scores, "rougeL") == ["base-as-tuned", "base"]
    scores.values["rougeL"][5:, read.names.index("base-as-tuned")] = np.nan
    assert untuned(read, scores, "rougeL") == ["base"]


def test_variants_that_no_item_scores_both_are_no_pair(write: Write) -> None:
    read = read_comparison(
        write(comparison({"base": texts(10), "tuned": texts(50), "other": texts(30)}, texts(ITEMS)))
    )
    scores = score(read)
    table = scores.values["rougeL"]
    for column, name in enumerate(("base", "tuned", "other")):
        table[np.arange(ITEMS) % 3 != column, read.names.index(name)] = np.nan
    report = build(read, scores, ReportConfig(resamples=200))
    assert report.pairs == ()
