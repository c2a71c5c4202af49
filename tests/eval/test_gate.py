from __future__ import annotations

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
    ("arguments", "message"),
    [
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
