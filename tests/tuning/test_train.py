from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.example import TEST_PROMPTS
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.train import last_checkpoint

Settings = Callable[..., TuneConfig]
LONG = {"num_train_epochs": 4, "per_device_train_batch_size": 4, "lora_dropout": 0.1}
"""24 examples: 6 steps an epoch, 24 in all."""


def quietly(config: TuneConfig) -> Any:
    from tuneproof.tuning.run import finetune

    return finetune(config)


def signal_at(monkeypatch: pytest.MonkeyPatch, step: int, hook: str = "on_step_end") -> None:
    """Have Ctrl-C come during a step."""
    from transformers import TrainerCallback

    def send(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)

    callback = type("Sender", (TrainerCallback,), {hook: send})
    monkeypatch.setattr("tuneproof.tuning.train.TimedCheckpoints", callback)


def steps(folder: Path) -> list[int]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [row["step"] for row in map(json.loads, lines) if "loss" in row]


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 8, 12])
def test_interrupted_run_ends_like_one_that_was_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    whole = quietly(settings(name="whole", **LONG))
    cut = settings(name="cut", **LONG)
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        signal_at(patched, step)
        quietly(cut)
    assert signal.getsignal(signal.SIGINT) is before
    facts = json.loads((cut.folder / "run.json").read_text())
    assert facts["state"] == "interrupted"
    stopped_at = facts["result"]["steps"]
    assert stopped_at in (step, step + 1)
    assert (cut.folder / "checkpoints" / f"checkpoint-{stopped_at}").is_dir()
    assert not (cut.folder / "adapter").exists()

    again = quietly(cut)
    assert again.state == "finished"
    for name in ("steps", "tokens_seen", "examples_seen", "best_step", "best_validation_loss"):
        assert getattr(again.result, name) == getattr(whole.result, name), name
    assert steps(again.folder) == steps(whole.folder) == list(range(1, 25))
    weights = [(run.adapter / "adapter_model.safetensors").read_bytes() for run in (whole, again)]
    assert weights[0] == weights[1]
    assert again.result.wall_seconds >= facts["result"]["wall_seconds"]


@pytest.mark.slow
def test_signal_during_the_evaluation_stops_after_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_at(monkeypatch, 6, "on_prediction_step")
    with pytest.raises(KeyboardInterrupt):
        quietly(settings(**LONG))
    folder = settings().folder
    assert json.loads((folder / "run.json").read_text())["result"]["steps"] == 6
    assert last_checkpoint(folder / "checkpoints") == folder / "checkpoints" / "checkpoint-6"


@pytest.mark.slow
def test_signal_in_the_last_step_costs_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_at(monkeypatch, 24)
    assert quietly(settings(**LONG)).state == "finished"


@pytest.mark.slow
def test_failure_is_recorded_and_gone_on_from(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(**LONG)

    def fail(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 8:
            raise MemoryError

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr("tuneproof.tuning.callbacks.TimedCheckpoints.on_step_end", fail)
        quietly(config)
    assert json.loads((config.folder / "run.json").read_text())["state"] == "failed"
    assert quietly(config).result.steps == 24


@pytest.mark.slow
def test_long_epochs_have_checkpoints_between(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuneproof.tuning.callbacks.CHECKPOINT_S", 0.0)
    seen: list[int] = []
    monkeypatch.setattr(
        "tuneproof.tuning.callbacks.TimedCheckpoints.on_save",
        lambda self, args, state, control, **_: seen.append(state.global_step),
    )
    quietly(settings(max_steps=3))
    assert sorted(set(seen)) == [1, 2, 3]


def test_checkpoints_that_a_crash_cut_off_are_left_out(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for step, text in ((5, "{}"), (20, '{"epo'), (100, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if text is not None:
            (folder / "trainer_state.json").write_text(text)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]


@pytest.fixture
def command(settings: Settings, tmp_path: Path) -> list[str]:
    """A training that takes long enough to be stopped, as a command."""
    config = settings(num_train_epochs=40)
    names = ("data", "model", "name", "runs", "max_length", "num_train_epochs", "lora_r")
    options = [
        text
        for name in names
        for text in (f"--{name.replace('_', '-')}", str(getattr(config, name)))
    ]
    program = "from tuning.cli import main; main(prog_name='tune')"
    return [sys.executable, "-c", program, "run", *options]


def started(command: list[str], metrics: Path) -> subprocess.Popen[str]:
    """Start the command, and return when it has trained through two epochs."""
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if metrics.exists() and metrics.read_text().count("eval_loss") > 1:
            return process
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"it did not train: {process.communicate()[1]}")


@pytest.mark.slow
def test_ctrl_c_on_the_command_line(command: list[str], settings: Settings) -> None:
    folder = settings().folder
    process = started(command, folder / "metrics.jsonl")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopping after this step; the same command goes on from there" in err
    assert "Traceback" not in err
    assert out == ""
    assert json.loads((folder / "run.json").read_text())["state"] == "interrupted"


@pytest.mark.slow
def test_killed_run_goes_on(command: list[str], settings: Settings) -> None:
    folder = settings().folder
    process = started(command, folder / "metrics.jsonl")
    process.kill()
    process.communicate(timeout=60)
    assert json.loads((folder / "run.json").read_text())["state"] == "running"
    with (folder / "metrics.jsonl").open("a") as handle:
        handle.write('{"step": 99, "lo')
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "going on from checkpoint-" in done.stderr
    assert steps(folder) == sorted(set(steps(folder)))
    facts = json.loads((folder / "run.json").read_text())
    assert (facts["state"], facts["result"]["steps"]) == ("finished", 3 * 40)
    [said] = re.findall(r"memory: about ([\d.]+) GiB", done.stderr)
    assert 0.5 < float(said) * 2**30 / facts["result"]["peak_memory_bytes"] < 2
    assert done.stdout.splitlines() == [
        f"adapter: {folder / 'adapter'}",
        f"next: infer compare {TEST_PROMPTS} --run short",
    ]
    unknown = [
        line for line in done.stderr.splitlines()
        if not any(text in line for text in (
            "examples,", "lora:", "memory:", "--- one", "---", "going on", "to go", "epoch ",
            "tokens/s", "###", "[[", "What does", "The river",
        )) and line
    ]  # fmt: skip
    assert unknown == []


@pytest.mark.slow
def test_other_settings_data_or_template_are_another_run(
    settings: Settings, tmp_path: Path, make_model: Callable[..., Path]
) -> None:
    template = tmp_path / "mine.j2"
    template.write_text("{{ instruction }} {{ input }} ->")
    model = make_model(tmp_path / "model", "gpt2")
    config = settings(max_steps=1, template=str(template), model=str(model))
    quietly(config)

    def refused(config: TuneConfig) -> str:
        with pytest.raises(InputError) as caught:
            quietly(config)
        return str(caught.value)

    same = {"template": str(template), "model": str(model)}
    assert "is a finished run of the same settings; nothing to do" in refused(config)
    assert "(it differs in max_steps, learning_rate)" in refused(
        settings(max_steps=2, learning_rate=0.5, **same)
    )
    template.write_text("{{ instruction }} {{ input }} =>")
    assert "(it differs in the template's text)" in refused(config)
    template.write_text("{{ instruction }} {{ input }} ->")
    make_model(model, "gpt2", seed=1)
    assert "(it differs in the base's weights)" in refused(config)
    make_model(model, "gpt2")
    with (tmp_path / "data" / "train.jsonl").open("a") as handle:
        handle.write('{"instruction": "More?", "output": "Yes."}\n')
    assert "(it differs in the data)" in refused(config)


def test_folder_that_is_no_run_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "runs" / "short").mkdir(parents=True)
    (tmp_path / "runs" / "short" / "letter.txt").write_text("Dear")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="is not empty and holds no run; choose another"):
            quietly(settings(overwrite=overwrite))
    assert (tmp_path / "runs" / "short" / "letter.txt").exists()
    shutil.rmtree(tmp_path / "runs" / "short")
    (tmp_path / "runs" / "short").write_text("a file")
    with pytest.raises(InputError, match="is not empty and holds no run"):
        quietly(settings())
