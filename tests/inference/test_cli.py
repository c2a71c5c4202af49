from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.inference.cli import main


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("command", ["", "compare", "chat"])
def test_help_imports_nothing_heavy(
    command: str, heavy_imports_of_help: Callable[[str, str], list[str]]
) -> None:
    assert heavy_imports_of_help("inference", command) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to ask; name a run with --run (see `tune list`)"),
        (["--run", "a", "--run", "a"], "a run is given twice: a, a"),
        (["--run", "base"], "'base' is the name of the untuned model"),
        (["--run", "a", "--limit", "0"], "limit must be at least 1, got 0"),
        (["--run", "a", "--max-new-tokens", "0"], "max_new_tokens must be at least 1, got 0"),
        (["--run", "a", "--temperature", "0"], "temperature must be positive, got 0.0"),
        (["--run", "a", "--temperature", "2"], "temperature and top_p need --do-sample"),
        (["--run", "a", "--do-sample", "--top-p", "0"], "top_p must be over 0 and at most 1"),
        (["--run", "a"], "no such file: /nowhere.json"),
    ],
)
def test_what_cannot_be_is_one_line_and_code_2(arguments: list[str], message: str) -> None:
    result = invoke("compare", "/nowhere.json", *arguments)
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: {message}")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"prompt": "a"}', "a list of prompts is needed"),
        ("[1]", "item 1: a string or an object is needed"),
        ("[", "not valid JSON"),
        ("[]", "no prompts in it"),
    ],
)
def test_prompts_of_another_shape_are_one_line(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(content)
    result = invoke("compare", tmp_path / "p.json", "--run", "a", "--out", tmp_path / "c.json")
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1


@pytest.mark.slow
def test_unknown_run_is_one_line(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('["Ice?"]')
    result = invoke("compare", tmp_path / "p.json", "--run", "gpt2-mut", "--runs", runs)
    assert result.exit_code == 2
    assert result.output.startswith("Error: unknown run 'gpt2-mut'. Did you mean 'gpt2-mud'?")


@pytest.mark.slow
def test_compare_prints_only_its_own_lines(
    runs: Path, tmp_path: Path, prompts: Callable[..., Path]
) -> None:
    out = tmp_path / "c.json"
    file = prompts([{"id": "fits", "prompt": "Ice?"}, {"id": "long", "prompt": "Ice? " * 200}])
    program = "from inference.cli import main; main(prog_name='infer')"
    options: list[Any] = [
        "--run", "gpt2-mud", "--run", "gpt2-ice", "--runs", runs, "--out", out,
        "--max-new-tokens", "8", "--few-shot", "0", "--no-baselines",
    ]  # fmt: skip
    command = [sys.executable, "-c", program, "compare", file, *options]
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"1 prompts x 3 variants: {out}",
        f"next: score report {out}",
    ]
    assert done.stderr.splitlines()[0] == "left out as too long: long"
    assert "warning: too-few-items: 1 items" in done.stderr  # the doctor's findings
    assert len(json.loads(out.read_text())["items"]) == 1
