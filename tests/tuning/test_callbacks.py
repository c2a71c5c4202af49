from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerControl

from tuneproof.errors import InputError
from tuneproof.formats.training_log import read_metrics
from tuneproof.log import lines_to
from tuneproof.tuning.callbacks import Progress, Pruning, StepEvaluations


def state(step: int, **other: Any) -> Any:
    facts = {"global_step": step, "max_steps": 50, "epoch": step / 10, "num_input_tokens_seen": 0}
    return SimpleNamespace(**{**facts, **other})


def train(progress: Progress, first: int, last: int, **other: Any) -> None:
    progress.on_train_begin(None, state(first), None)
    for step in range(first + 1, last + 1):
        now = state(step, num_input_tokens_seen=step * 100, **other)
        progress.on_step_end(None, now, None)
        progress.on_log(None, now, None, logs={"loss": 5 - step / 10, "learning_rate": 0.1})
    progress.on_train_end(None, state(last), None)


@pytest.mark.usefixtures("capfd")  # no terminal
def test_every_tenth_of_the_steps_is_told_where_no_terminal_is(tmp_path: Path) -> None:
    said: list[str] = []
    with lines_to(said.append):
        train(Progress(tmp_path / "metrics.jsonl"), 0, 50)
    told = [line for line in said if line.startswith("step")]
    assert [line.split(":")[0] for line in told] == [f"step {n}/50" for n in range(5, 51, 5)]
    assert told[1].startswith("step 10/50: loss 4.450, ")
    assert told[9].startswith("step 50/50: loss 0.450, ")
    assert "tokens/s, " in told[1]
    assert told[1].endswith(" left")


def test_folder_that_was_deleted_is_one_line(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "mine/metrics.jsonl")
    progress.on_train_begin(None, state(0), None)
    shutil.rmtree(tmp_path / "mine")
    with pytest.raises(InputError, match="mine was deleted while its run was trained"):
        progress.on_log(None, state(1), None, logs={"loss": 1.0})


def test_duration_is_told_once_after_the_first_steps(tmp_path: Path) -> None:
    said: list[str] = []
    with lines_to(said.append):
        train(Progress(tmp_path / "metrics.jsonl"), 0, 50)
    assert len([line for line in said if line.startswith("about ")]) == 1


def test_speed_counts_this_session_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    clock = iter(range(10_000))
    monkeypatch.setattr("tuneproof.tuning.callbacks.time.perf_counter", lambda: next(clock))
    progress = Progress(tmp_path / "metrics.jsonl")
    progress.on_train_begin(None, state(40, num_input_tokens_seen=4_000_000), None)
    now = state(45, num_input_tokens_seen=4_000_100)
    with lines_to(said.append):
        progress.on_log(None, now, None, logs={"loss": 1.0})
    [line] = [line for line in said if line.startswith("step 45/50")]
    assert int(line.split("loss 1.000, ")[1].split()[0]) <= 100


def test_logs_after_the_checkpoint_are_dropped_and_the_time_goes_on(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    rows = [{"step": step, "loss": 1.0, "seconds": step * 10.0} for step in (1, 2, 3, 4)]
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 5, "lo')
    progress = Progress(metrics)
    progress.on_train_begin(None, state(3), None)
    assert [row["step"] for row in read_metrics(metrics)] == [1, 2, 3]
    assert 30 <= progress.seconds < 31


def test_evaluation_within_an_epoch_logs_the_losses_so_far(tmp_path: Path) -> None:
    control = TrainerControl()
    StepEvaluations(5).on_step_end(None, state(5), control)
    assert control.should_evaluate and control.should_save and control.should_log


def test_only_whole_epochs_are_held_against_those_of_other_trials() -> None:
    seen: list[int] = []

    def pruner(epoch: int, metrics: dict[str, float]) -> bool:
        seen.append(epoch)
        return False

    pruning = Pruning(pruner)
    for step in (5, 10, 15, 20):
        now = state(step, max_steps=40)
        now.epoch = step / 10
        pruning.on_evaluate(None, now, TrainerControl(), metrics={})
    assert seen == [1, 2]
