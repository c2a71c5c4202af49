"""What people type who come from TRL: it works, or one line says what to type here."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tuneproof.tuning.cli import main
from tuneproof.tuning.from_trl import ADVICE, WITHOUT_EQUAL, TrainCommand, advice_on

OPTIONS = {
    name.removeprefix("--").replace("-", "_")
    for option in main.commands["run"].params
    for name in (*option.opts, *option.secondary_opts)
}


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["run", *arguments])


@pytest.mark.slow
def test_every_option_of_trl_works_or_has_its_line() -> None:
    import trl

    kinds: list[Any] = [trl.SFTConfig, trl.ModelConfig, trl.ScriptArguments]
    names = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    assert names - OPTIONS - ADVICE.keys() - set(WITHOUT_EQUAL) == set()


def test_no_option_of_ours_is_said_to_be_missing() -> None:
    assert OPTIONS & (ADVICE.keys() | set(WITHOUT_EQUAL)) == set()
    assert set(WITHOUT_EQUAL) & ADVICE.keys() == set()


def test_options_that_are_advised_exist() -> None:
    import re

    for name, text in ADVICE.items():
        named = set(re.findall(r"--([a-z][a-z0-9-]*)", text)) - {"source", "flag"}
        assert {one.replace("-", "_") for one in named} <= OPTIONS, name


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["--bf16"], "Error: --bf16 is TRL's; type --mixed-precision bf16\n"),
        (["--output_dir", "x"], "Error: --output_dir is TRL's; type --runs FOLDER --name NAME; "),
        (
            ["--resume-from-checkpoint", "x"],
            "Error: --resume_from_checkpoint is TRL's; leave it out: the same command goes on",
        ),
        (["--adam_beta1", "0.8"], "Error: --adam_beta1 is TRL's, and `tune run` has nothing like"),
        (["--lora-rr", "3"], "Error: No such option '--lora-rr'"),
    ],
)
def test_option_that_is_not_ours_is_one_line(typed: list[str], message: str) -> None:
    result = invoke(*typed)
    assert result.exit_code == 2
    assert result.output.startswith(message)
    assert result.output.count("\n") == 1


def test_key_of_a_settings_file_gets_the_same_advice(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("fp16: true\n")
    result = invoke("--config", str(tmp_path / "run.yaml"))
    assert result.exit_code == 2
    assert "run.yaml: --fp16 is TRL's; type --mixed-precision fp16\n" in result.output
    assert advice_on("lora_r") is None


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["--load_in_4bit", "True"], {"load_in_4bit": True}),
        (["--load-in-4bit", "false"], {"load_in_4bit": False}),
        (["--use_bnb_nested_quant", "False"], {"bnb_4bit_use_double_quant": False}),
        (["--run_name", "true"], {"name": "true"}),  # no flag: its value
        (["--max_seq_length", "7"], {"max_length": 7}),
        (["--torch_dtype", "float16"], {"dtype": "float16"}),
        (["--report_to", "none", "--eval_steps", "5"], {"report_to": ("none",), "eval_steps": 5}),
    ],
)  # fmt: skip
def test_trl_spellings_mean_our_options(
    typed: list[str], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = main.commands["run"]
    assert isinstance(command, TrainCommand)
    given: dict[str, Any] = {}
    monkeypatch.setattr(command, "callback", lambda **options: given.update(options))
    result = CliRunner().invoke(main, ["run", *typed])
    assert result.exit_code == 0, result.output
    assert {name: value for name, value in given.items() if value not in (None, ())} == expected
    assert isinstance(command, click.Command)
