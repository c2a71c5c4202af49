from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report
from tuneproof.eval.report.number_table import FORMS, SAMPLES, form_of, number_forms
from tuneproof.formats.comparison import read_comparison
from tuneproof.numbers import find_number, parse_number


@pytest.mark.parametrize(
    ("answer", "reference", "form"),
    [
        ("12.4%", "12.4%", "as written"),
        ("12.38 %", "12.4%", "rounded"),
        ("$ 5", "5", "other signs"),
        ("5.0", "5", "other signs"),
        ("1,234", "1234", "thousands separators"),
        ("(5)", "-5", "brackets"),
        ("0.124", "12.4%", "another unit"),
        ("193,000,000", "$ 193 million", "another unit"),
        ("12.4", "12.4%", "percent left out"),
        ("193", "$ 193 million", "unit left out"),
        ("6", "5", "no match"),
        ("six", "5", "no number"),
    ],
)
def test_every_form_has_its_name(answer: str, reference: str, form: str) -> None:
    target = parse_number(reference)
    assert target is not None
    assert form_of(find_number(answer), target) == form
    assert form in FORMS


@pytest.fixture
def numbers(document: dict[str, Any]) -> dict[str, Any]:
    """Ten items of numbers, of which one has a program, and two of words."""
    for number, item in enumerate(document["items"][:10]):
        item["reference"] = f"{number}.5%"
        item["answers"]["tuned"]["text"] = f"<b>It is</b> | {number}.5"
    document["items"][0] |= {"executed": "0.00512"}
    return document


def test_forms_are_counted_and_have_a_few_samples(
    numbers: dict[str, Any], write: Callable[..., Path]
) -> None:
    found = {row.form: row for row in number_forms(read_comparison(write(numbers)))}
    assert {form: row.answers for form, row in found.items()} == {
        "percent left out": 10, "no number": 10,
    }  # fmt: skip
    samples = found["percent left out"].samples
    assert len(samples) == SAMPLES
    assert dataclasses.asdict(samples[0]) == {
        "id": "q0",
        "variant": "tuned",
        "answer": "<b>It is</b> | 0.5",
        "read": "0.5",
        "reference": "0.5%",
        "wanted": "0.5 %",
        "tolerance": "0.05 %",
        "match": True,
        "executed": "0.00512",
        "executed_match": True,
    }
    assert samples[1].executed is None


def test_long_answers_are_shown_around_the_number(
    numbers: dict[str, Any], write: Callable[..., Path]
) -> None:
    long = "x" * 500 + " 0.5% " + "y" * 500
    numbers["items"][0]["answers"]["tuned"]["text"] = long
    shown = number_forms(read_comparison(write(numbers)))[0].samples[0].answer
    assert "0.5%" in shown and len(shown) < 70
    assert shown.startswith("… x") and shown.endswith("y …")


def test_report_has_the_table_escaped_and_the_executed_metric(
    numbers: dict[str, Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    found = report([write(numbers)], tmp_path / "out", ReportConfig(resamples=100))
    assert found.metrics["tuned"]["executed_match"].n == 1
    assert found.metrics["tuned"]["executed_match"].value == 1
    assert found.metrics["tuned"]["numeric_match"].n == 10
    text = (tmp_path / "out/report.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| percent left out"))
    assert (
        "\\<b\\>It is\\</b\\> \\| 0.5 | 0.5 | 0.5% | 0.5 % | 0.05 % | yes | 0.00512 | yes |" in row
    )
    page = (tmp_path / "out/report.html").read_text()
    assert "&lt;b&gt;It is&lt;/b&gt; | 0.5</td>" in page
    assert "<b>It is</b>" not in page


def test_report_without_numbers_has_no_table_and_no_executed_metric(
    document: dict[str, Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    found = report([write(document)], tmp_path / "out", ReportConfig(resamples=100))
    assert found.numbers == ()
    assert "executed_match" not in {**found.not_available, **found.definitions}
    for name in ("report.md", "report.html"):
        assert "How the numbers were read" not in (tmp_path / "out" / name).read_text()


def test_executed_that_is_no_value_is_an_input_error(
    numbers: dict[str, Any], write: Callable[..., Path]
) -> None:
    numbers["items"][3]["executed"] = "about 5"
    with pytest.raises(InputError, match=r"q3.*'executed' must be a number, yes or no, found"):
        read_comparison(write(numbers))
