from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.eval.cli import main

Write = Callable[..., Path]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def test_report_prints_a_table_and_the_page(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run(write(document), "--out", out, "--resamples", "200")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].split() == ["ROUGE-L", "interval", "tokens", "seconds"]
    head = next(line for line in lines if line.startswith("metric"))
    assert head.split() == [
        "metric",
        "n",
        "base",
        "tuned",
        "gain",
        "(95",
        "%",
        "interval)",
        "verdict",
    ]
    row = next(line for line in lines if line.startswith("Exact match"))
    assert row.split()[2:7] == ["12", "0.0", "%", "66.7", "%"]
    assert row.endswith("better")
    assert "above the best option without tuning, base" in result.output
    assert "not available: Numeric match: no item has a number as its reference" in lines
    assert lines[-1] == str(out / "report.html")
    assert (out / "report.html").is_file()


def test_default_folder_is_named_after_the_file(
    document: dict[str, Any], write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(document, "demo.json")
    monkeypatch.chdir(tmp_path)
    assert run(path, "--resamples", "100").exit_code == 0
    assert (tmp_path / "reports" / "demo" / "report.html").is_file()


def test_plain_list_without_references_says_what_is_not_available(
    write: Write, tmp_path: Path
) -> None:
    rows = [{"prompt": "p", "fine_tuned": "a b", "regular": "b"}] * 3
    result = run(write(rows), "--out", tmp_path / "out", "--resamples", "100")
    assert result.exit_code == 0, result.output
    assert "not available: ROUGE-L: no item has a reference" in result.output
    assert "ROUGE-L   " not in result.output


def test_single_variant_is_scored_without_gains(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    del document["variants"][1]
    for item in document["items"]:
        del item["answers"]["tuned"]
    result = run(write(document), "--out", tmp_path / "out", "--resamples", "100")
    assert result.exit_code == 0, result.output
    assert "Only base answered: nothing to compare it with." in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--confidence", "95"], "confidence must be at least 0.5 and below 1, got 95.0"),
        (["--resamples", "5"], "resamples must be 100 or more, got 5"),
    ],
)
def test_bad_option_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, document: dict[str, Any], write: Write
) -> None:
    result = run(write(document), *arguments)
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {message}")
    assert result.output.count("\n") == 1


def test_bad_file_is_one_line_and_exit_code_2(tmp_path: Path, write: Write) -> None:
    for path in (tmp_path / "missing.json", write({"schema": "x"}), tmp_path):
        result = run(path)
        assert result.exit_code == 2
        assert result.output.startswith("Error: ")
        assert str(path) in result.output
        assert result.output.count("\n") == 1


def test_no_file_is_a_usage_error() -> None:
    assert run().exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [["--help"], *([command, "--help"] for command in ("report", "gate", "diff", "selftest"))],
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom tuneproof.eval.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\nprint(sorted(sys.modules), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "Usage" in result.stdout
    for heavy in ("torch", "numpy", "scipy", "matplotlib", "jinja2", "rouge_score", "evaluate"):
        assert f"'{heavy}'" not in result.stderr


def test_everything_works_where_torch_is_not_installed(
    document: dict[str, Any], write: Write, tmp_path: Path
) -> None:
    file, out = str(write(document)), str(tmp_path / "out")
    commands = [
        ["report", file, "--out", out, "--resamples", "100"],
        ["gate", out, "--require", "rougeL.gain > 0"],
        ["diff", out, file, "--resamples", "100"],
    ]
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'peft', 'trl', 'datasets', 'evaluate', 'nltk'):\n"
        "    sys.modules[name] = None  # importing it raises ImportError\n"
        "from tuneproof.eval.cli import main\n"
        f"for command in {commands!r}:\n    main(command, standalone_mode=False)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "report.html").is_file()
    assert "PASS  rougeL.gain > 0" in result.stdout
