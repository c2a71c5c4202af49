from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from filelock import FileLock

pytest.importorskip("optuna")

from tuneproof.errors import InputError
from tuneproof.formats.example import TEST_PROMPTS
from tuneproof.formats.run_names import finished_run
from tuneproof.log import lines_to
from tuneproof.options import resolve
from tuneproof.tuning.cli import main
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.sweep import sweep as sweep_module
from tuneproof.tuning.sweep.config import SweepConfig, read_sweep
from tuneproof.tuning.sweep.sweep import sweep

pytestmark = pytest.mark.slow

RANGES = {"learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}, "lora_r": [2, 4]}
USELESS = [1e-9, 2e-9, 3e-9]
"""Learning rates with which nothing is learned."""
BURST = [1e30, 1e31, 1e32]
"""Learning rates with which the loss is no number after the first step."""
Write = Callable[..., Path]


@pytest.fixture
def write(settings: Callable[..., TuneConfig], tmp_path: Path) -> Write:
    """Write a sweep's file of short trainings: 24 examples, 3 steps an epoch."""
    plain = settings()
    names = ("model", "max_length", "per_device_train_batch_size", "mixed_precision")

    def make(
        search: dict[str, Any] = RANGES, tune: dict[str, Any] | None = None, **more: Any
    ) -> Path:
        common = {name: getattr(plain, name) for name in names}
        common |= {"data": str(plain.data), "runs": str(plain.runs), "num_train_epochs": 2}
        file = tmp_path / "rivers.yaml"
        content = {"tune": {**common, **(tune or {})}, "search": search, "trials": 3, **more}
        file.write_text(yaml.safe_dump(content))
        return file

    return make


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs that are trained."""

    seen: list[str] = []

    def count(config: TuneConfig, *given: Any, **named: Any) -> Any:
        seen.append(config.folder.name)
        return plain(config, *given, **named)

    from tuneproof.tuning.run import finetune as plain

    monkeypatch.setattr("tuneproof.tuning.run.finetune", count)
    return seen


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["sweep", *map(str, arguments)])


def quietly(config: SweepConfig, **more: Any) -> Any:
    return sweep(config, **more)


def facts(config: SweepConfig, number: int) -> dict[str, Any]:
    found = json.loads((config.tune.runs / config.run_name(number) / "run.json").read_text())
    assert isinstance(found, dict)
    return found


def told(config: SweepConfig) -> list[tuple[Any, ...]]:
    found = json.loads((config.folder / "sweep.json").read_text())["runs"]
    return [(each["state"], each["settings"], each["value"], each["epochs"]) for each in found]


KILLED = """
import os, signal
from pathlib import Path
from transformers import TrainerCallback
import tuneproof.tuning.train as train
class Killer(TrainerCallback):
    def on_step_end(self, args, state, control, **_):
        if state.global_step == 4 and "trial-002" in args.output_dir:
            os.kill(os.getpid(), signal.SIGKILL)
train.TimedCheckpoints = lambda *_: Killer()
from tuneproof.tuning.cli import main
main(prog_name="tune")
"""


def test_killed_sweep_ends_like_one_that_was_not(write: Write, trained: list[str]) -> None:
    whole = read_sweep(write(), {"name": "whole"})
    quietly(whole)
    cut = read_sweep(write(), {"name": "cut"})
    command = [sys.executable, "-c", KILLED, "sweep", str(write()), "--name", "cut"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert facts(cut, 2)["state"] == "running"
    before = (cut.tune.runs / "cut-trial-001" / "run.json").stat().st_mtime_ns
    trained.clear()
    said: list[str] = []
    with lines_to(said.append):
        outcome = sweep(cut)
    assert trained == ["cut-trial-002", "cut-trial-003"]
    assert said[0].startswith("trial 2 of 3: learning_rate ")
    assert "going on from checkpoint-3" in said
    assert (cut.tune.runs / "cut-trial-001" / "run.json").stat().st_mtime_ns == before
    assert told(cut) == told(whole)
    assert [trial.state for trial in outcome.trials] == ["finished"] * 3
    quietly(cut)
    assert len(trained) == 2  # there is nothing left to do


def test_ctrl_c_keeps_the_trial_and_more_trials_go_on(
    write: Write, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import TrainerCallback

    def send(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    config = read_sweep(write(), {"trials": 1})
    said: list[str] = []
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        sender = type("Sender", (TrainerCallback,), {"on_step_end": send})
        patched.setattr("tuneproof.tuning.train.TimedCheckpoints", lambda *_: sender())
        with lines_to(said.append):
            sweep(config)
    assert said[-1] == "0 trials are done; the same command goes on from there"
    assert facts(config, 1)["state"] == "interrupted"
    with lines_to(said.append):
        sweep(config)
    assert "going on from checkpoint-3" in said  # of the step after the signal
    quietly(read_sweep(write(), {"trials": 2}))
    assert trained == ["rivers-trial-001", "rivers-trial-001", "rivers-trial-002"]


def test_a_trial_that_ended_when_the_process_was_killed_is_not_trained_again(
    write: Write, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read_sweep(write(), {"trials": 1})
    with monkeypatch.context() as patched, pytest.raises(SystemError):
        patched.setattr(
            "tuneproof.tuning.sweep.study.Study.tell", lambda *_, **__: exec("raise SystemError")
        )
        quietly(config)
    outcome = quietly(config)
    assert trained == ["rivers-trial-001"]
    assert outcome.best.value == facts(config, 1)["result"]["best_validation_loss"]


def test_hopeless_trials_are_given_up_and_marked(write: Write, trained: list[str]) -> None:
    file = write({"learning_rate": [1e-2, *USELESS]}, trials=9, prune_after=1)
    result = invoke(file)
    assert result.exit_code == 0, result.output
    assert "the search space holds 4 settings; each is tried once" in result.stderr
    config = read_sweep(file, {})
    states = [facts(config, number)["state"] for number in range(1, 5)]
    assert "pruned" in states and "finished" in states
    number = states.index("pruned") + 1
    folder = config.tune.runs / config.run_name(number)
    assert facts(config, number)["result"]["steps"] == 3  # of 6
    kept = ["index.html", "metrics.jsonl", "run.json"]
    assert sorted(path.name for path in folder.iterdir()) == kept
    assert f"trial {number} of 4: given up after epoch 1 with validation loss" in result.stderr
    with pytest.raises(InputError, match=r"is not finished \(it is pruned\)"):
        finished_run(config.tune.runs, folder.name)
    listed = CliRunner().invoke(main, ["list", "--runs", str(config.tune.runs)]).output
    assert [line.split()[1] for line in listed.splitlines()[1:]] == states
    rows = [line for line in result.stdout.splitlines() if line.startswith("rivers-trial")]
    best = next(row for row in rows if row.endswith("finished, best"))
    assert facts(config, int(best.split()[0][-3:]))["config"]["learning_rate"] == 1e-2
    assert len(trained) == 4
    again = invoke(file)
    assert again.stdout == result.stdout
    assert len(trained) == 4


def test_the_best_run_is_ready_to_use(write: Write, tmp_path: Path) -> None:
    from tuneproof.inference.cli import main as infer

    file = write({"learning_rate": [1e-2, *USELESS[:1]], "target_modules": [["c_attn"], []]})
    result = invoke(file, "--trials", "4")
    assert result.exit_code == 0, result.output
    config = read_sweep(file, {"trials": 4})
    losses = {n: facts(config, n)["result"]["best_validation_loss"] for n in range(1, 5)}
    number = min(losses, key=lambda n: losses[n])
    name, runs = config.run_name(number), config.tune.runs
    assert result.stdout.splitlines()[-3:] == [
        f"best: {name}, validation loss {losses[number]:.4g}, "
        f"{facts(config, number)['result']['wall_seconds'] / 60:.1f} min",
        f"again: tune run --config {config.folder / 'best.yaml'}",
        f"next: infer compare {TEST_PROMPTS} --run {name} --runs {runs}",
    ]
    assert "importance: 4 finished trials are too few to tell; 5 are needed" in result.stdout
    assert not (config.folder / "importance.png").exists()

    (tmp_path / "asked.json").write_text('[{"prompt": "What does river 1 carry?"}]')
    out = tmp_path / "compared.json"
    options = ["--run", name, "--runs", runs, "--out", out, "--max-new-tokens", "3"]
    options += ["--few-shot", "0", "--no-baselines"]
    compared = CliRunner().invoke(
        infer, ["compare", str(tmp_path / "asked.json"), *map(str, options)]
    )
    assert compared.exit_code == 0, compared.output
    assert [each["name"] for each in json.loads(out.read_text())["variants"]] == ["base", name]

    settings = resolve(TuneConfig, {}, config.folder / "best.yaml")
    assert settings.learning_rate == 1e-2
    assert settings.folder == runs / "rivers-best"
    done = CliRunner().invoke(main, ["run", "--config", str(config.folder / "best.yaml")])
    assert done.exit_code == 0, done.output
    again = json.loads((settings.folder / "run.json").read_text())
    assert again["result"]["best_validation_loss"] == losses[number]
    assert again["made_by"] == "tune run"


def test_accuracy_is_refused_where_answers_are_no_labels(write: Write) -> None:
    with pytest.raises(InputError, match=r"metric: accuracy is measured where answers are labels"):
        quietly(read_sweep(write(metric="accuracy"), {}))


@pytest.mark.parametrize(("objective", "max_length"), [("classify", 32), ("generate", 128)])
def test_accuracy_is_that_of_the_kept_weights(
    objective: str, max_length: int, classify: Callable[..., TuneConfig], write: Write
) -> None:
    plain = classify()
    tune = {"objective": objective, "data": str(plain.data), "max_length": max_length}
    config = read_sweep(write(RANGES, tune, metric="accuracy", trials=2), {})
    outcome = quietly(config)
    values = []
    for number in (1, 2):
        found = facts(config, number)["result"]
        rows = (config.tune.runs / config.run_name(number) / "metrics.jsonl").read_text()
        by_step = {row["step"]: row for row in map(json.loads, rows.splitlines())}
        values.append(found["best_validation_accuracy"])
        assert by_step[found["best_step"]]["eval_accuracy"] == values[-1]
        if objective == "classify":
            assert facts(config, number)["accuracy"]["value"] == pytest.approx(values[-1])
    assert outcome.best.value == max(values)


def test_failed_trials_are_told_and_left_behind(write: Write, trained: list[str]) -> None:
    file = write({"learning_rate": [1e-2, *BURST[:1]]})
    result = invoke(file)
    assert result.exit_code == 0, result.output
    config = read_sweep(file, {})
    states = [facts(config, number)["state"] for number in (1, 2)]
    assert sorted(states) == ["failed", "finished"]
    name = config.run_name(states.index("failed") + 1)
    assert f"{name} failed: the loss is nan at step" in result.stdout
    assert invoke(file).stdout == result.stdout
    assert len(trained) == 2


def test_a_sweep_whose_trials_all_fail_stops(write: Write, trained: list[str]) -> None:
    result = invoke(write({"learning_rate": [*BURST, 1e33]}, trials=4))
    assert result.exit_code == 2
    assert "Error: all 3 trials failed; the last one: the loss is nan at step" in result.output
    assert len(trained) == 3


def test_what_no_trial_could_use_is_said_at_once_and_can_be_mended(write: Write) -> None:
    refused = invoke(write({"target_modules": [["c_atn"], ["c_fcc"]]}, trials=1))
    assert refused.exit_code == 2
    assert "Did you mean" in refused.output or "target_modules" in refused.output
    assert refused.output.splitlines()[-1].startswith("Error: ")
    mended = invoke(write({"target_modules": [["c_attn"], ["c_fc"]]}, trials=1))
    assert mended.exit_code == 0, mended.output


def test_another_search_is_another_sweep(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_sweep(write(trials=1), {})
    quietly(first)
    more = quietly(read_sweep(write(trials=1, seed=7, prune_after=9), {}))
    assert len(more.trials) == 1  # how it goes about it may change
    wider = {**RANGES, "lora_r": [2, 4, 8]}
    with pytest.raises(InputError) as caught:
        quietly(read_sweep(write(wider, {"max_length": 64}, trials=1), {}))
    assert str(caught.value) == (
        f"{first.folder} belongs to another sweep (it differs in tune: max_length, search: lora_r);"
        " choose another --name, or give --overwrite, which removes its trials"
    )
    other = read_sweep(write(trials=1), {"name": "kept"})
    quietly(other)
    anew = read_sweep(write(wider, trials=1), {})
    trial, plain = anew.folder.parent / anew.run_name(1) / "run.json", sweep_module._one_trial
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):

        def stop_second(config: Any, study: Any, head: str, **more: Any) -> None:
            if head.startswith("trial 2"):
                raise KeyboardInterrupt
            plain(config, study, head, **more)

        patched.setattr(sweep_module, "_one_trial", stop_second)
        quietly(read_sweep(write(wider, trials=2), {}), is_anew=True)
    written = trial.stat().st_mtime_ns
    quietly(anew, is_anew=True)  # goes on from there
    assert trial.stat().st_mtime_ns == written
    quietly(anew, is_anew=True)
    assert trial.stat().st_mtime_ns > written
    for is_whole in (True, False):
        written = trial.stat().st_mtime_ns
        (anew.folder / "study.db").write_bytes(b"cut off")
        if not is_whole:
            shutil.rmtree(anew.folder)
        quietly(anew, is_anew=True)
        assert trial.stat().st_mtime_ns > written
    assert facts(anew, 1)["config"]["lora_r"] in (2, 4, 8)
    assert facts(other, 1)["state"] == "finished"
    with (tmp_path / "data" / "train.jsonl").open("a") as handle:
        handle.write('{"instruction": "More?", "output": "Yes."}\n')
    with pytest.raises(InputError, match=r"it differs in the data\)"):
        quietly(anew)


def test_folders_of_others_are_left_alone(write: Write, tmp_path: Path) -> None:
    config = read_sweep(write(trials=1), {})
    config.folder.mkdir(parents=True)
    (config.folder / "letter.txt").write_text("Dear")
    with pytest.raises(InputError, match="is not empty and holds no sweep; choose another"):
        quietly(config, is_anew=True)
    (config.folder / "letter.txt").unlink()
    with (
        FileLock(config.folder.parent / f".{config.folder.name}.lock"),
        pytest.raises(InputError, match="another process is at work"),
    ):
        quietly(config)
    (tmp_path / "data" / "val.jsonl").write_text("")
    with pytest.raises(InputError, match=r"val\.jsonl holds no records; a sweep chooses by"):
        quietly(config)
