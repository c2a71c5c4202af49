from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tuneproof.formats.example import TEST_PROMPTS
from tuneproof.tuning.cli import main
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    "command", ["", "run", "fetch", "list", "methods", "merge", "export", "push", "doctor", "sweep"]
)
def test_help_imports_nothing_heavy(
    command: str, heavy_imports_of_help: Callable[[str, str], list[str]]
) -> None:
    assert heavy_imports_of_help("tuning", command) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--learning-rate", "-1"], "Error: learning_rate must be positive, got -1.0"),
        (["--data", "/nowhere"], "Error: no folder /nowhere; make it with `prepdata build"),
        (["--config", "/nowhere.yaml"], "Error: no such file: /nowhere.yaml"),
        (["--method", "lorra"], "Error: unknown method 'lorra'. Did you mean 'lora'?"),
        (["--lora-r", "many"], "Error: Invalid value for '--lora-r': 'many' is not a valid int"),
    ],
)
def test_what_cannot_be_is_one_line_and_code_2(arguments: list[str], message: str) -> None:
    result = invoke("run", *arguments)
    assert result.exit_code == 2
    assert result.output.startswith(message)
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate: [", "run.yaml:1: not valid YAML"),
        ("lerning_rate: 1", "run.yaml: unknown setting 'lerning_rate'. Did you mean"),
        ("lora_r: many", "run.yaml: lora_r: expected a whole number, found 'many'"),
        ("- a", "run.yaml: a mapping (key: value) is needed"),
    ],
)
def test_faults_of_a_settings_file_are_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(text)
    result = invoke("run", "--config", tmp_path / "run.yaml")
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.count("\n") == 1


@pytest.mark.slow
def test_options_stand_over_the_settings_file(
    settings: Callable[..., TuneConfig], tmp_path: Path
) -> None:
    config = settings()
    (tmp_path / "run.yaml").write_text(
        f"data: {config.data}\nmodel: {config.model}\nruns: {config.runs}\nname: yaml\n"
        "max_length: 96\nmax-steps: 1\nlearning_rate: 5e-3\nlora_r: 2\nlimit: 20\n"
    )
    result = invoke("run", "--config", tmp_path / "run.yaml", "--lora-r", "3", "--name", "typed")
    assert result.exit_code == 0, result.output
    facts = json.loads((config.runs / "typed" / "run.json").read_text())
    found = {name: facts["config"][name] for name in ("lora_r", "learning_rate", "max_steps")}
    assert found == {"lora_r": 3, "learning_rate": 5e-3, "max_steps": 1}
    assert facts["data"]["train"]["examples"] == 20
    assert result.stdout.splitlines() == [
        f"adapter: {config.runs / 'typed' / 'adapter'}",
        f"next: infer compare {TEST_PROMPTS} --run typed",
    ]
    again = invoke("run", "--config", tmp_path / "run.yaml", "--lora-r", "3", "--name", "typed")
    assert again.exit_code == 2
    assert "is a finished run of the same settings; nothing to do" in again.output


def test_no_run_at_all_says_how_to_make_one(tmp_path: Path) -> None:
    result = invoke("list", "--runs", tmp_path)
    assert result.exit_code == 2
    assert result.output == f"Error: no run in {tmp_path}; make one with `tune run`\n"


def test_methods_are_listed() -> None:
    lines = invoke("methods").output.splitlines()
    by_name = {line.split()[0]: line for line in lines}
    assert list(by_name) == list(METHODS)
    assert by_name["head"].endswith("; for classify")
    assert by_name["full"].endswith("; for generate and classify")
    assert by_name["prefix-tuning"].endswith("; for generate")


@pytest.mark.slow
def test_head_is_trained_merged_and_listed(classify: Callable[..., TuneConfig]) -> None:
    config = classify()
    names = ("data", "model", "runs", "max_length", "lora_r", "objective")
    options = [
        text
        for name in names
        for text in (f"--{name.replace('_', '-')}", str(getattr(config, name)))
    ]
    done = invoke("run", *options, "--max-steps", "2")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"adapter: {config.runs / 'gpt2-lora-classify' / 'adapter'}",
        f"next: infer compare {config.data}/test.jsonl --run gpt2-lora-classify",
    ]
    assert invoke("merge", "gpt2-lora-classify", "--runs", config.runs).exit_code == 0
    full = invoke("run", *options, "--max-steps", "2", "--method", "full", "--name", "full")
    assert full.stdout.splitlines()[0] == f"model: {config.runs / 'full' / 'model'}"
    refused = invoke("merge", "full", "--runs", config.runs)
    assert refused.exit_code == 2
    assert refused.output.startswith("Error: run 'full' trained all weights: ")
    listed = invoke("list", "--runs", config.runs).output.splitlines()
    assert [line.split()[3:5] for line in listed] == [
        ["objective", "method"], ["classify", "full"], ["classify", "lora"],
    ]  # fmt: skip


@pytest.mark.slow
def test_merge_says_how_close_it_is(runs: Path, tmp_path: Path) -> None:
    result = invoke("merge", "gpt2-mud", "--runs", runs, "--out", tmp_path / "merged")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"merged model: {tmp_path / 'merged'}\nlargest logit diff")
    unknown = invoke("merge", "gpt2-mut", "--runs", runs)
    assert unknown.exit_code == 2
    assert "unknown run 'gpt2-mut'. Did you mean 'gpt2-mud'" in unknown.output


@pytest.mark.slow
def test_hub_model_without_network_is_one_line(
    settings: Callable[..., TuneConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneproof.hub._answers", lambda: False)
    config: Any = settings()
    result = invoke("run", "--data", config.data, "--model", "some/thing", "--runs", config.runs)
    assert result.exit_code == 2
    assert result.output.startswith("Error: cannot load the tokenizer of 'some/thing': ")
    assert result.output.endswith("--model tiny needs no network\n")
    assert result.output.count("\n") == 1
