from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from tuneproof.tuning.cli import SWEEP_EXAMPLE, main
from tuneproof.tuning.sweep.config import read_sweep

ROOT = Path(__file__).parents[3]
SEARCH = "search: {lora_r: [4, 8]}\n"


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["sweep", *map(str, arguments)])


def test_the_command_line_stands_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("tune: {model: gpt2, data: d, max-length: 64}\ntrials: 7\n" + SEARCH)
    plain = read_sweep(file, {"name": None, "trials": None, "model": None})
    assert (plain.plan.name, plain.plan.trials, plain.tune.model) == ("mine", 7, "gpt2")
    assert plain.tune.max_length == 64
    typed = {"name": "other", "trials": 9, "model": "tiny", "runs": Path("r"), "data": Path("e")}
    over = read_sweep(file, typed)
    assert (over.plan.name, over.plan.trials, over.tune.model) == ("other", 9, "tiny")
    assert over.folder == Path("r/other-sweep")
    trial = over.trial(3, {"lora_r": 8})
    assert (trial.folder, trial.lora_r, trial.data) == (Path("r/other-trial-003"), 8, Path("e"))


def test_the_example_file_and_that_of_the_help_can_be_read(tmp_path: Path) -> None:
    assert read_sweep(ROOT / "docs" / "sweep.yaml", {}).plan.trials == 20
    (tmp_path / "help.yaml").write_text(textwrap.dedent(SWEEP_EXAMPLE.split("example:\n")[1]))
    found = read_sweep(tmp_path / "help.yaml", {})
    assert set(found.space) == {
        "learning_rate", "lora_r", "lora_alpha", "lora_dropout", "target_modules",
    }  # fmt: skip
    assert yaml.safe_load((tmp_path / "help.yaml").read_text())["trials"] == found.plan.trials


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tune: {}\n", "bad.yaml: search: settings to search are needed, as in lora_r: ["),
        ("serch: {lora_r: [4, 8]}\n", "bad.yaml: unknown key 'serch'. Did you mean 'search'?"),
        ("tune: [model]\n" + SEARCH, "bad.yaml: tune: settings (key: value) are needed, found ["),
        ("tune: {lorar: 8}\n" + SEARCH, "bad.yaml: tune: unknown setting 'lorar'. Did you mean"),
        ("tune: {lora_alpha: -1}\n" + SEARCH, "bad.yaml: tune: lora_alpha must be positive, g"),
        ("tune: {name: x}\n" + SEARCH, "bad.yaml: tune: name is not a trial's own; leave it out"),
        ("tune: {lora_r: 8}\n" + SEARCH, "search: lora_r is given under tune too; leave one out"),
        ("search: {lora_r: [4, -8]}", "bad.yaml: search: lora_r: -8: lora_r must be"),
        ("search: {max_length: [64, 128]}", "bad.yaml: search: max_length cannot be searched wher"),
        ("search: {lora_r: {low: 8, high: 4}}", "search: lora_r: low must be under high, got 8"),
        (
            "search: {learning_rate: {low: 0, high: 1, log: true}}",
            "bad.yaml: search: learning_rate: low must be positive where log is true, got 0.0",
        ),
        ("search: {lerning_rate: [1, 2]}", "bad.yaml: search: unknown setting 'lerning_rate'. Did"),
        ("trials: 0\n" + SEARCH, "bad.yaml: trials must be at least 1, got 0"),
        ("trials: many\n" + SEARCH, "bad.yaml: trials: expected a whole number, found 'many'"),
        ("metric: los\n" + SEARCH, "bad.yaml: metric: unknown value 'los'. Did you mean 'loss'?"),
        ("name: a/b\n" + SEARCH, "bad.yaml: name must be a plain folder name, got 'a/b'"),
        ("pruner: [", "bad.yaml:1: not valid YAML"),
    ],
)  # fmt: skip
def test_faults_of_the_file_are_one_line_with_file_and_key(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    result = invoke(tmp_path / "bad.yaml")
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.startswith(f"Error: {tmp_path / 'bad.yaml'}")
    assert result.output.count("\n") == 1


def test_a_setting_that_is_searched_and_typed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text("search: {model: [tiny, gpt2]}")
    result = invoke(tmp_path / "two.yaml", "--model", "tiny")
    assert result.exit_code == 2
    assert "search: model is given under --model too; leave one out" in result.output


def test_without_optuna_the_command_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.yaml").write_text(SEARCH)
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = invoke(tmp_path / "s.yaml", "--runs", tmp_path / "runs")
    assert result.exit_code == 2
    assert (
        result.output
        == "Error: tune sweep needs optuna; install it with `pip install 'tuneproof[sweep]'`\n"
    )
    assert not (tmp_path / "runs").exists()


def test_no_data_is_said_before_anything_is_written(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    (tmp_path / "s.yaml").write_text(SEARCH)
    result = invoke(tmp_path / "s.yaml", "--runs", tmp_path / "runs", "--data", tmp_path / "none")
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: no folder {tmp_path / 'none'}; make it with")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("first", ["true, false", "false, true"])
def test_the_order_of_values_decides_nothing(first: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"search: {{load_in_4bit: [{first}], method: [lora, full]}}\n")
    assert set(read_sweep(file, {}).space) == {"load_in_4bit", "method"}
