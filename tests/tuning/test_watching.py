"""Watching a training: samples, evaluations within epochs, early stopping, trackers."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tuneproof.errors import InputError
from tuneproof.formats.run import read_run
from tuneproof.formats.samples import (
    FILE,
    SampleAnswer,
    append_samples,
    keep_until,
    read_samples,
)
from tuneproof.formats.training_log import read_metrics
from tuneproof.log import lines_to
from tuneproof.tuning.callbacks import EarlyStopping
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.trackers import tracker_arguments

Settings = Callable[..., TuneConfig]


def evaluated(run: Any) -> list[int]:
    return [row["step"] for row in read_metrics(run.metrics) if "eval_loss" in row]


def stopped_at(losses: list[float], patience: int | None, last: int = 99) -> int | None:
    """Return the number of the evaluation at which a training of these losses stops."""
    callback = EarlyStopping(patience)
    args = SimpleNamespace(metric_for_best_model="eval_loss", greater_is_better=False)
    for number in range(1, len(losses) + 1):
        log = [{"eval_loss": loss, "step": n} for n, loss in enumerate(losses[:number])]
        state = SimpleNamespace(log_history=log, global_step=number, max_steps=last)
        control = SimpleNamespace(should_training_stop=False)
        callback.on_evaluate(args, state, control)
        if control.should_training_stop:
            return number
    return None


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        ([3, 2, 2.5, 2.4, 1], 2, 4),
        ([3, 2, 2.5, 1.9, 2, 2], 2, 6),
        ([3, 2, 2, 2], 2, 4),  # as good as the best is no better
        ([3, 2, 1], 1, None),
        ([1, 2, 3], None, None),
        ([math.nan, 2, 1.5], 2, None),  # no number is the worst
    ],
)
def test_patience_counts_evaluations_since_the_best(
    losses: list[float], patience: int | None, expected: int | None
) -> None:
    assert stopped_at(losses, patience) == expected


def test_last_step_is_not_an_early_stop() -> None:
    assert stopped_at([1, 2, 3], 2, last=3) is None


@pytest.mark.slow
def test_training_that_becomes_no_better_ends_early_and_says_so(tuned: Callable[..., Any]) -> None:
    said: list[str] = []
    with lines_to(said.append):
        run = tuned(
            num_train_epochs=30, eval_steps=2, early_stopping_patience=2, learning_rate=0.5,
            max_grad_norm=1e6,
        )  # fmt: skip
    assert run.ended_by == "early-stopping"
    assert run.state == "finished"
    assert read_run(run.folder).ended_by == "early-stopping"
    steps = evaluated(run)
    assert run.outcome.steps == steps[-1] < 90
    assert steps.index(run.outcome.best_step) == len(steps) - 3
    assert any(line.startswith("stopping early: 2 evaluations after") for line in said)


@pytest.mark.slow
def test_samples_and_evaluations_within_epochs_change_no_weights(
    tuned: Callable[..., Any],
) -> None:
    said: list[str] = []
    long = {"num_train_epochs": 2, "per_device_train_batch_size": 4, "lora_dropout": 0.1}
    with lines_to(said.append):
        watched = tuned(name="watched", sample_prompts=3, eval_steps=4, **long)
    plain = tuned(name="plain", eval_steps=4, **long)
    assert evaluated(watched) == evaluated(plain) == [4, 6, 8, 12]  # 6 steps an epoch
    weights = [(run.adapter / "adapter_model.safetensors").read_bytes() for run in (watched, plain)]
    assert weights[0] == weights[1]
    samples = read_samples(watched.folder / FILE)
    assert [(one.step, one.id) for one in samples] == [
        (step, name) for step in (4, 6, 8, 12) for name in ("r24", "r25", "r26")
    ]
    assert {one.reference for one in samples} == {"Mud."}
    assert not (plain.folder / FILE).exists()
    assert sum(line.startswith("    What does river 24 carry? -> ") for line in said) == 4


@pytest.mark.slow
def test_last_samples_are_what_the_saved_run_answers(tuned: Callable[..., Any]) -> None:
    from pathlib import Path

    from tuneproof.formats.data_folder import DataFolder
    from tuneproof.inference.config import Decoding
    from tuneproof.inference.generate import answer_batch
    from tuneproof.inference.variants import load_variants

    run = tuned(sample_prompts=3, num_train_epochs=4)
    step = run.outcome.best_step
    saved = [one for one in read_samples(run.folder / FILE) if one.step == step]
    variants = load_variants([run])[0]
    records = {one.id: one for one in DataFolder(Path(run.data.folder)).validation}
    for sample in saved:
        encoded = variants.ask(run.name, records[sample.id], 32)
        assert encoded is not None
        prompt = dict.fromkeys(variants.names, encoded.prompt_ids)
        answer = answer_batch(variants, [prompt], Decoding(max_new_tokens=32), 0)[0][run.name]
        assert sample.answer == answer.text
    assert len(saved) == 3


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "prompt-tuning"])
def test_every_kind_of_weights_can_be_sampled(tuned: Callable[..., Any], method: str) -> None:
    run = tuned(method=method, sample_prompts=3)
    assert len(read_samples(run.folder / FILE)) == 3


def test_samples_of_steps_that_are_taken_again_are_dropped(tmp_path: Any) -> None:
    file = tmp_path / FILE
    made = [
        SampleAnswer(
            step=step, epoch=1.0, id="a", instruction="ask", input="", reference="r", answer="x",
            tokens=1, finish_reason="eos",
        )
        for step in (2, 4, 6)
    ]  # fmt: skip
    append_samples(file, made)
    keep_until(file, 4)
    assert read_samples(file) == made[:2]
    with file.open("a") as handle:
        handle.write('{"step": 6, "ep')  # and the disk was full
    keep_until(file, 6)
    append_samples(file, made[2:])
    assert read_samples(file) == made


@pytest.mark.parametrize("name", ["eval_steps", "early_stopping_patience"])
def test_what_needs_evaluations_needs_validation_records(
    settings: Settings, write_data: Callable[..., Any], tmp_path: Any, name: str
) -> None:
    from tuneproof.tuning.run import finetune

    data = write_data(tmp_path / "unjudged", validation=0)
    option = f"--{name.replace('_', '-')} needs validation records, and {data} has none"
    with pytest.raises(InputError, match=option):
        finetune(settings(data=data, **{name: 2}))


def test_nothing_is_reported_unless_it_is_named() -> None:
    assert tracker_arguments((), "mine") == {"report_to": "none"}
    assert tracker_arguments(("none",), "mine") == {"report_to": "none"}


def test_tracker_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuneproof.tuning.trackers.find_spec", lambda name: None)
    with pytest.raises(InputError, match="--report-to wandb needs the package wandb: pip install"):
        tracker_arguments(("wandb",), "mine")


def test_unknown_tracker_gives_the_nearest_one() -> None:
    with pytest.raises(
        InputError, match=r"unknown tracker 'tensorbord'. Did you mean 'tensorboard'\?"
    ):
        TuneConfig(report_to=("tensorbord",))


@pytest.mark.slow
def test_tracker_that_is_named_is_told_losses_and_evaluations(
    tuned: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, Any]] = []
    fake = SimpleNamespace(
        __version__="9.0",
        init=lambda **settings: told.append(("init", settings)),
        log=lambda values, **_: told.append(("log", values)),
        config={},
        context_vars=SimpleNamespace(current_space_id=SimpleNamespace(get=lambda: None)),
        finish=lambda: told.append(("finish", None)),
    )
    fake.config = SimpleNamespace(update=lambda *_, **__: None, __setitem__=lambda *_: None)
    monkeypatch.setitem(sys.modules, "trackio", fake)
    monkeypatch.setattr("tuneproof.tuning.trackers.find_spec", lambda name: object())
    monkeypatch.setattr(
        "transformers.integrations.integration_utils.is_trackio_available", lambda: True
    )
    fake.config = type("Config", (dict,), {"update": lambda *_, **__: None})()
    tuned(report_to=("trackio",))
    init = dict(told)["init"]
    assert (init["project"], init["name"], init["space_id"]) == ("tuneproof", "short", None)
    logged = {key for kind, values in told if kind == "log" for key in values}
    assert {"train/loss", "eval/loss"} <= logged


@pytest.mark.slow
def test_tensorboard_files_lie_in_the_run(tuned: Callable[..., Any]) -> None:
    pytest.importorskip("tensorboard")
    run = tuned(report_to=("tensorboard",))
    assert list((run.folder / "tensorboard").glob("events.out.tfevents.*"))
