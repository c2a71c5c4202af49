from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tuneproof.recipes.cli import main
from tuneproof.recipes.recipe import load


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["", "run", "show", "list"])
def test_help_imports_nothing_heavy(
    command: str, heavy_imports_of_help: Callable[[str, str], list[str]]
) -> None:
    assert heavy_imports_of_help("recipes", command) == []


def test_help_of_run_and_show_has_examples_on_lines_of_their_own() -> None:
    assert "\n  recipe run demo\n" in invoke("run", "--help").output
    assert "\n  recipe show imdb --model tiny\n" in invoke("show", "--help").output


def test_recipes_are_listed_with_their_runs_and_summaries() -> None:
    lines = invoke("list").output.splitlines()
    assert any(line.startswith("demo ") and "embedded" in line for line in lines)
    assert any(line.split()[:4] == ["imdb", "head,", "qlora,", "head-only,"] for line in lines)


def test_show_prints_a_recipe(tmp_path: Path) -> None:
    result = invoke("show", "demo", "--model", "gpt2", "--set", "tune.lora_r=8")
    assert result.exit_code == 0, result.output
    (tmp_path / "demo.yaml").write_text(result.stdout)
    wanted = load("demo", model="gpt2", settings=("tune.lora_r=8",))
    assert load(str(tmp_path / "demo.yaml")) == wanted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dem"], "unknown recipe 'dem'. Did you mean 'demo'?"),
        (["/nowhere.yaml"], "no such file: /nowhere.yaml"),
        (["demo", "--set", "tune.model"], "--set 'tune.model': STAGE.KEY=VALUE is needed"),
        (["demo", "--curve", "0.5,1", "--regressions"], "--curve compares runs with each other"),
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
    assert any(line.split()[:4] == ["metric", "n", "base", "small"] for line in lines)
    assert lines[-1] == f"report: {recipe_file.parent / 'reports/small/report.html'}"
    assert "1/4 prepdata" in result.stderr


@pytest.mark.parametrize(
    "changes",
    [
        ("twitter-topics", "--model", "smollm2"),
        ("dolly-finqa", "--model", "smollm2"),
        ("imdb", "--set", "runs.qlora=null"),
    ],
)
def test_what_show_prints_can_be_run(tmp_path: Path, changes: tuple[str, ...]) -> None:
    result = invoke("show", *changes)
    assert result.exit_code == 0, result.output
    (tmp_path / "mine.yaml").write_text(result.stdout)
    load(str(tmp_path / "mine.yaml"))
