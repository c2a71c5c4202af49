from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.eval.cli import main
from tuneproof.eval.config import ReportConfig
from tuneproof.eval.report.build import report
from tuneproof.files import write_json

Write = Callable[..., Path]


@pytest.fixture
def folder(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report: exact match 0.667 (39 to 86 %), gain 0.667; loops 0, was 1; a length that fell."""
    made = tmp_path_factory.getbasetemp() / "gate"  # once for all tests, which only read it
    if not made.exists():
        write_json(made / "comparison.json", document)
        report([made / "comparison.json"], made / "out", ReportConfig(resamples=500))
    return made / "out"


def gate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["gate", *map(str, arguments)])


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("exact_match >= 0.3", 0),
        ("exact_match >= 30 %", 0),
        ("exact_match>=0.6", 1),  # 0.667, but the lower end is 0.39
        ("exact_match <= 0.7", 1),  # and the upper end 0.86
        ("exact_match <= 0.9", 0),
        ("rougeL.gain > 0", 0),
        ("rougeL.gain > 0.9", 1),
        ("loop_rate.gain < 0", 0),
        ("length.gain < -1e2", 0),
    ],
)
def test_condition_speaks_of_the_unfavourable_end(condition: str, code: int, folder: Path) -> None:
    result = gate(folder, "--require", condition)
    assert result.exit_code == code, result.output
    assert result.output.startswith(("FAIL" if code else "PASS") + "  " + condition + "  value")


def test_point_judges_the_value(folder: Path) -> None:
    assert gate(folder, "--require", "exact_match >= 0.6", "--point").exit_code == 0


def test_a_metric_of_ones_own_is_gated_by_its_direction(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    config = ReportConfig(resamples=200, metric=("short=max-length:5",))
    report([write(document)], tmp_path / "own", config)
    assert "no regression of short" in gate(tmp_path / "own", "--no-regression", "short").output
    facts = json.loads((tmp_path / "own/report.json").read_text())
    facts["definitions"]["short"]["direction"] = "none"
    for gains in facts["gains"].values():
        gains["rougeL"] |= {"low": None, "high": None}
    (tmp_path / "own/report.json").write_text(json.dumps(facts))
    assert "has no direction" in gate(tmp_path / "own", "--no-regression", "short").output
    assert gate(tmp_path / "own", "--no-regression", "rougeL").exit_code == 1


def test_every_condition_is_printed_and_one_failure_fails(folder: Path) -> None:
    result = gate(
        folder / "report.json", "--require", "exact_match > 0.99", "--no-regression", "stop_rate",
        "--require", "exact_match > 0",
    )  # fmt: skip
    assert result.exit_code == 1
    assert [line[:4] for line in result.output.splitlines()] == ["FAIL", "PASS", "PASS"]
    assert "FAIL  exact_match > 0.99  value 0.6667 (0.3906 to 0.8619)" in result.output


def test_regression_is_seen(document: dict[str, Any], write: Write, tmp_path: Path) -> None:
    for item in document["items"]:
        answers = item["answers"]
        answers["base"], answers["tuned"] = answers["tuned"], answers["base"]
    report([write(document)], tmp_path / "worse", ReportConfig(resamples=200))
    for metric, code in (("rougeL", 1), ("loop_rate", 1), ("echo_rate", 0)):
        assert gate(tmp_path / "worse", "--no-regression", metric).exit_code == code
    assert gate(tmp_path / "worse", "--no-regression", "echo_rate", "--point").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--not-worse", "rougeL by 0.02"], 0, "PASS  not worse: rougeL by 0.02  value 0."),
        (["--not-worse", "echo_rate by 0.5"], 0, "PASS  not worse: echo_rate by 0.5  value 0 ("),
        (["--not-worse", "echo_rate by 2 %"], 1, "; not shown with 12 items: equal variants"),
        (["--same", "echo_rate by 50%"], 0, "PASS  same: echo_rate by 0.5"),
        (["--same", "rougeL by 0.02"], 1, "; the difference seen is itself beyond the margin"),
        (["--same", "length by 1"], 1, "FAIL  same: length by 1"),
        (["--same", "echo_rate by 0.02", "--point"], 0, "PASS"),
    ],
)
def test_margins_are_shown_or_fail(
    arguments: list[str], code: int, message: str, folder: Path
) -> None:
    result = gate(folder, *arguments)
    assert result.exit_code == code, result.output
    assert message in result.output


def test_margin_of_a_tuned_variant_that_is_a_little_worse(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    document["items"] = [
        {**row, "id": f"{row['id']}-{copy}", "prompt": f"{row['prompt']} {copy} {chr(97 + copy)}x"}
        for copy in range(10)
        for row in document["items"]
    ]
    for number, item in enumerate(document["items"]):
        item["answers"]["base"] = {"text": item["reference"], "tokens": 3, "finish_reason": "eos"}
        text = "blue" if number % 12 == 0 else item["reference"]
        item["answers"]["tuned"] = {"text": text, "tokens": 3, "finish_reason": "eos"}
    report([write(document)], tmp_path / "out", ReportConfig(resamples=500))
    for margin, code in (("0.05", 1), ("0.1", 1), ("0.2", 0)):  # 10 of 120 are worse
        assert gate(tmp_path / "out", "--not-worse", f"exact_match by {margin}").exit_code == code
    text = gate(tmp_path / "out", "--not-worse", "exact_match by 0.1").output
    assert "not shown with 120 items: equal variants need about " in text


def test_older_reports_are_gated_by_their_two_sided_interval(folder: Path, tmp_path: Path) -> None:
    document = json.loads((folder / "report.json").read_text())
    for gain in document["gains"]["tuned"].values():
        gain["p_holm"] = gain.pop("p_corrected")
        for key in ("one_sided_low", "one_sided_high", "error", "units", "is_primary"):
            del gain[key]
    (tmp_path / "report.json").write_text(json.dumps(document))
    assert gate(tmp_path, "--not-worse", "rougeL by 0.02").exit_code == 0
    result = gate(tmp_path, "--same", "echo_rate by 0.02")
    assert result.exit_code == 1 and result.output.startswith("FAIL")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--not-worse", "rougeL 0.02"], "margin 'rougeL 0.02' cannot be read; write METRIC by"),
        (["--same", "rougeL by 0"], "margin 'rougeL by 0' cannot be read"),
        (["--same", "rougel by 0.1"], "unknown metric 'rougel'. Did you mean 'rougeL'?"),
        (["--not-worse", "length by 3"], "metric 'length' has no direction"),
        (["--require", "rougel > 0"], "unknown metric 'rougel'. Did you mean 'rougeL'?"),
        (["--require", "accuracy > 0"], "unknown metric 'accuracy'."),
        (["--require", "numeric_match > 0"], "is not available: no item has a number"),
        (["--require", "exact_match = 1"], "condition 'exact_match = 1' cannot be read"),
        (["--require", "exact_match > nan"], "cannot be read"),
        (["--no-regression", "length"], "metric 'length' has no direction"),
        (["--require", "rougeL > 0", "--variant", "tunde"], "Did you mean 'tuned'?"),
        (["--require", "rougeL.gain > 0", "--variant", "base"], "it has no gains"),
        ([], "no condition given"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, folder: Path
) -> None:
    result = gate(folder, *arguments)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")
    assert message in result.output
    assert result.output.count("\n") == 1


def test_what_is_no_report_is_refused(document: dict[str, Any], write: Write) -> None:
    result = gate(write(document), "--require", "rougeL > 0")
    assert result.exit_code == 2
    assert "not a report; `score report` writes report.json" in result.output


def test_several_tuned_variants_are_listed(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    document["variants"].append({"name": "other"})
    for item in document["items"]:
        item["answers"]["other"] = item["answers"]["tuned"]
    report([write(document)], tmp_path / "out", ReportConfig(resamples=200))
    result = gate(tmp_path / "out", "--require", "rougeL > 0")
    assert result.exit_code == 2
    assert "several tuned variants; say which with --variant NAME: tuned, other" in result.output
    assert gate(tmp_path / "out", "--require", "rougeL > 0", "--variant", "other").exit_code == 0
    assert gate(tmp_path / "out", "--require", "rougeL < 0.9", "--variant", "base").exit_code == 0
