from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from recipes.cli import main

HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "numpy", "accelerate", "matplotlib"}


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["", "run", "list"])
def test_help_imports_nothing_heavy(command: str) -> None:
    code = (
        "import sys\nfrom recipes.cli import main\n"
        f"try: main([*{command.split()!r}, '--help'])\nexcept SystemExit: pass\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert done.stdout.startswith("Usage: ")


def test_recipes_are_listed_with_their_summaries() -> None:
    lines = invoke("list").output.splitlines()
    assert any(line.startswith("demo ") and "embedded" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dem"], "unknown recipe 'dem'. Did you mean 'demo'?"),
        (["/nowhere.yaml"], "no such file: /nowhere.yaml"),
        (["demo", "--set", "tune.model"], "--set 'tune.model': STAGE.KEY=VALUE is needed"),
        (["demo", "--source", "dolly=/d"], "--source dolly=/d: unknown source of this recipe"),
    ],
)
def test_what_cannot_be_is_one_line_and_code_2(arguments: list[str], message: str) -> None:
    result = invoke("run", *arguments)
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {message}")
    assert result.output.count("\n") == 1


@pytest.mark.slow
def test_run_prints_the_table_and_the_report(recipe_file: Path) -> None:
    result = invoke("run", recipe_file, "--out", recipe_file.parent)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split()[:4] == ["metric", "n", "base", "small"]
    assert lines[-1] == f"report: {recipe_file.parent / 'reports/small/report.html'}"
    assert "1/4 prepdata" in result.stderr
