from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.errors import InputError, Terminated
from tuneproof.formats.example import TEST_PROMPTS
from tuneproof.log import lines_to
from tuneproof.tuning.checkpoints import FILE, last_checkpoint, vouch_for
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.runs import check

Settings = Callable[..., TuneConfig]
LONG = {"num_train_epochs": 4, "per_device_train_batch_size": 4, "lora_dropout": 0.1}
"""24 examples: 6 steps an epoch, 24 in all."""


def quietly(config: TuneConfig) -> Any:
    from tuneproof.tuning.run import finetune

    return finetune(config)


def signal_at(
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    hook: str = "on_step_end",
    number: int = signal.SIGINT,
) -> None:
    """Have Ctrl-C, or another signal, come during a step."""
    from transformers import TrainerCallback

    def send(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == step:
            os.kill(os.getpid(), number)

    callback = type("Sender", (TrainerCallback,), {hook: send})
    monkeypatch.setattr("tuneproof.tuning.train.TimedCheckpoints", lambda *_: callback())


def steps(folder: Path, name: str = "loss") -> list[int]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [row["step"] for row in map(json.loads, lines) if name in row]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "hook", "method"),
    [
        (2, "on_step_end", "lora"),
        (8, "on_step_end", "lora"),
        (11, "on_optimizer_step", "lora"),
        (10, "on_step_end", "adalora"),  # while ranks are dropped
        (20, "on_step_end", "adalora"),  # behind that
    ],
)
def test_interrupted_run_ends_like_one_that_was_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, step: int, hook: str, method: str
) -> None:
    """Cut off early, amid an epoch, and in the last step of one."""
    whole = quietly(settings(name="whole", method=method, **LONG))
    cut = settings(name="cut", method=method, **LONG)
    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        signal_at(patched, step, hook)
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
    assert steps(again.folder, "eval_loss") == steps(whole.folder, "eval_loss")
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
        patched.setattr("tuneproof.tuning.checkpoints.TimedCheckpoints.on_step_end", fail)
        quietly(config)
    assert json.loads((config.folder / "run.json").read_text())["state"] == "failed"
    assert quietly(config).result.steps == 24


@pytest.mark.slow
def test_long_epochs_have_checkpoints_between(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        "tuneproof.tuning.checkpoints.TimedCheckpoints.on_save",
        lambda self, args, state, control, **_: seen.append(state.global_step),
    )
    quietly(settings(max_steps=3, save_minutes=1e-9))
    assert sorted(set(seen)) == [1, 2, 3]


@pytest.mark.slow
def test_checkpoints_after_so_many_steps_change_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(
            "tuneproof.tuning.checkpoints.TimedCheckpoints.on_save",
            lambda self, args, state, control, **_: seen.append(state.global_step),
        )
        often = quietly(settings(name="often", save_steps=4, **LONG))
    assert sorted(set(seen)) == [4, 6, 8, 12, 16, 18, 20, 24]
    seldom = quietly(settings(name="seldom", **LONG))
    assert often.weights_sha256 == seldom.weights_sha256


def checkpoint(folder: Path, step: int, best: str | None = None) -> Path:
    """Write a checkpoint that is whole."""
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "optimizer.pt").write_bytes(b"moments" * step)
    (made / "spent.json").write_text('{"seconds": 1.0}')
    state = {"global_step": step, "best_model_checkpoint": best and f"elsewhere/{best}"}
    (made / "trainer_state.json").write_text(json.dumps(state))
    vouch_for(made)
    return made


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def flip(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        value = bytearray((folder / name).read_bytes())
        value[3] ^= 1
        (folder / name).write_bytes(value)

    return change


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (remove("optimizer.pt"), "optimizer.pt is missing"),
        (remove("spent.json"), "spent.json is missing"),
        (remove("trainer_state.json"), "trainer_state.json is missing"),
        (remove(FILE), "it has no manifest.json, so that its saving was cut off"),
        (flip("optimizer.pt"), "optimizer.pt is not the file that was saved"),
        (flip(FILE), "its manifest.json cannot be read"),
        (lambda folder: (folder / "optimizer.pt").write_bytes(b""), "optimizer.pt is not the file"),
    ],
)
def test_checkpoint_that_is_not_what_was_saved_is_not_gone_on_from(
    tmp_path: Path, fault: Callable[[Path], None], said: str
) -> None:
    whole, newest = checkpoint(tmp_path, 5), checkpoint(tmp_path, 20)
    fault(newest)
    lines: list[str] = []
    with lines_to(lines.append):
        assert last_checkpoint(tmp_path) == whole
    [line] = lines
    assert line.startswith(f"WARNING: not going on from checkpoint-20: {said}")
    assert not newest.exists()


def test_checkpoint_whose_best_weights_are_lost_is_not_gone_on_from(tmp_path: Path) -> None:
    best, newest = checkpoint(tmp_path, 5), checkpoint(tmp_path, 20, best="checkpoint-5")
    assert last_checkpoint(tmp_path) == newest
    flip("optimizer.pt")(best)
    lines: list[str] = []
    with lines_to(lines.append):
        assert last_checkpoint(tmp_path) is None
    assert "the best weights are those of checkpoint-5, and optimizer.pt is not" in lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["optimizer.pt", "spent.json"])
def test_run_without_a_whole_checkpoint_ends_like_one_that_was_never_cut(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = quietly(settings(name="whole", max_tokens=2500, **LONG))
    cut = settings(name="cut", max_tokens=2500, **LONG)
    with monkeypatch.context() as patched, pytest.raises(Terminated):
        signal_at(patched, 8, number=signal.SIGTERM)
        quietly(cut)
    facts = json.loads((cut.folder / "run.json").read_text())
    assert facts["state"] == "interrupted"
    [last] = (cut.folder / "checkpoints").glob(f"checkpoint-{facts['result']['steps']}")
    (last / name).unlink()
    again = quietly(cut)
    assert again.weights_sha256 == whole.weights_sha256
    assert again.result.steps == whole.result.steps
    assert again.result.tokens_seen == whole.result.tokens_seen


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
    assert "stopping after this step, with a checkpoint; the same command goes on from" in err
    assert "Traceback" not in err
    assert out == ""
    assert json.loads((folder / "run.json").read_text())["state"] == "interrupted"


@pytest.mark.slow
def test_sigterm_on_the_command_line_saves_a_checkpoint(
    command: list[str], settings: Settings
) -> None:
    folder = settings().folder
    process = started(command, folder / "metrics.jsonl")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopping after this step, with a checkpoint; the same command goes on from" in err
    assert "Traceback" not in err
    facts = json.loads((folder / "run.json").read_text())
    assert facts["state"] == "interrupted"
    last = folder / "checkpoints" / f"checkpoint-{facts['result']['steps']}"
    assert last_checkpoint(folder / "checkpoints") == last


@pytest.mark.slow
def test_second_of_two_commands_is_told_of_the_first(
    command: list[str], settings: Settings
) -> None:
    folder = settings().folder
    process = started(command, folder / "metrics.jsonl")
    second = subprocess.run(
        [*command, "--learning-rate", "0.5", "--overwrite"], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    process.kill()
    process.communicate(timeout=60)
    assert second.returncode == 2
    told = f"another process (pid {process.pid} on {socket.gethostname()}, since 20"
    assert told in second.stderr
    assert "Traceback" not in second.stderr
    assert json.loads((folder / "run.json").read_text())["config"]["learning_rate"] != 0.5


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
    assert 0 < float(said) * 2**30 / facts["result"]["peak_memory_bytes"] < 2
    assert done.stdout.splitlines() == [
        f"adapter: {folder / 'adapter'}",
        f"next: infer compare {TEST_PROMPTS} --run short",
    ]
    unknown = [
        line for line in done.stderr.splitlines()
        if not any(text in line for text in (
            "examples,", "lora:", "memory:", "--- one", "---", "going on", "to go", "epoch ",
            "tokens/s", "template: ", "gemm_4bit", "fast paths: ", "page: ",
            "###", "[[", "What does", "The river",
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "end", [{"max_steps": 4}, {"max_tokens": 700}, {"eval_steps": 2, "early_stopping_patience": 1}]
)
def test_run_that_was_cut_off_after_its_last_step_takes_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, end: dict[str, Any]
) -> None:
    """Steps, a budget, and evaluations that become worse: amid an epoch, each."""
    many = {"num_train_epochs": 3, "per_device_train_batch_size": 4, "save_steps": 2, **end}
    many |= {"learning_rate": 0.5} if "eval_steps" in end else {}
    whole = quietly(settings(name="whole", **many))
    cut = settings(name="cut", **many)

    def fail(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patched, pytest.raises(MemoryError):
        patched.setattr("tuneproof.tuning.train._complete", fail)
        quietly(cut)
    again = quietly(cut)
    assert again.result.steps == whole.result.steps < 18
    assert again.ended_by == whole.ended_by
    assert again.weights_sha256 == whole.weights_sha256
    for name in ("loss", "eval_loss"):
        assert steps(again.folder, name) == steps(whole.folder, name)


@pytest.mark.slow
def test_overwriting_that_was_cut_off_is_gone_on_with(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = quietly(settings(max_steps=1))
    (first.folder / "notes.txt").write_text("mine")
    anew = settings(overwrite=True, **LONG)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        signal_at(patched, 8)
        quietly(anew)
    assert not (first.folder / "notes.txt").exists()
    assert not (first.folder / "adapter").exists()
    lines: list[str] = []
    with lines_to(lines.append):
        assert quietly(anew).result.steps == 24
    assert any(line.endswith("going on from checkpoint-9") for line in lines)
    assert check(anew).state == "new"  # it is finished, so that it would begin again


def test_checkpoints_are_removed_when_a_newer_one_is_vouched_for(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from tuneproof.tuning.checkpoints import Vouching

    for step in (2, 4):
        checkpoint(tmp_path, step)
    newest = checkpoint(tmp_path, 6, best="checkpoint-2")
    (newest / FILE).unlink()
    best = str(tmp_path / "checkpoint-2")
    state = SimpleNamespace(global_step=6, best_model_checkpoint=best)
    args = SimpleNamespace(output_dir=str(tmp_path))
    vouching = Vouching(None, lambda: "steps")
    vouching.on_save(args, state, None)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-2", "checkpoint-6"}
    assert Vouching(newest).ended_by == "steps"
