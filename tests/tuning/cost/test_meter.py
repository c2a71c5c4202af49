"""Budgets: where a training ends, its learning rate on the way, and what a resumed one has left."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.cost.meter import CLEAR, factor, forget_peaks, peak_bytes

Settings = Callable[..., TuneConfig]


def quietly(config: TuneConfig) -> Any:
    from tuneproof.tuning.run import finetune

    return finetune(config)


def rates(run: Any) -> list[float]:
    lines = (run.folder / "metrics.jsonl").read_text().splitlines()
    return [row["learning_rate"] for row in map(json.loads, lines) if "loss" in row]


def test_learning_rate_is_a_function_of_the_share() -> None:
    assert [factor(share, "linear", 0.2) for share in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx(
        [0, 0.5, 1, 0.5, 0]
    )
    assert factor(0.5, "cosine", 0.0) == pytest.approx(0.5)
    assert factor(1.0, "cosine", 0.1) == pytest.approx(0)
    assert factor(0.0, "constant", 0.5) == 1


@pytest.mark.slow
def test_tokens_end_the_training_and_its_learning_rate(settings: Settings) -> None:
    run = quietly(settings(max_tokens=1500, lr_scheduler_type="linear", warmup_steps=0))
    result = run.result
    assert run.state == "finished"
    assert run.ended_by == "budget"
    per_step = result.tokens_seen / result.steps
    assert abs(result.tokens_seen - 1500) <= per_step / 2 + 60
    assert result.epochs > 1
    found = rates(run)
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(1e-2)
    assert found[-1] < 0.4 * found[0]
    assert result.best_validation_loss is not None


@pytest.mark.slow
def test_operations_end_the_training_where_the_same_epochs_would(settings: Settings) -> None:
    whole = quietly(settings(name="whole", num_train_epochs=2))
    assert whole.ended_by == "steps"
    again = quietly(settings(name="again", max_flops=whole.result.flops))
    for name in ("steps", "flops", "tokens_seen", "positions_seen"):
        assert getattr(again.result, name) == getattr(whole.result, name), name
    full = quietly(settings(name="full", method="full", max_flops=whole.result.flops))
    assert full.result.steps < whole.result.steps
    assert full.result.flops == pytest.approx(whole.result.flops, rel=0.6 / full.result.steps)


@pytest.mark.slow
def test_seconds_do_not_count_evaluations(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuneproof.tuning.trainers import CompletionTrainer

    evaluate = CompletionTrainer.evaluate

    def slow(self: Any, *given: Any, **named: Any) -> Any:
        time.sleep(0.3)
        return evaluate(self, *given, **named)

    monkeypatch.setattr(CompletionTrainer, "evaluate", slow)
    result = quietly(settings(max_seconds=0.5)).result
    assert 0.4 < result.train_seconds < 0.8
    assert result.wall_seconds > result.train_seconds + 0.3
    assert result.cpu_seconds > 0
    assert result.peak_memory_bytes > 2**20


@pytest.mark.slow
def test_resumed_training_keeps_its_budget(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, step: int = 8
) -> None:
    from transformers import TrainerCallback

    def send(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)

    budget = {"max_tokens": 3000, "per_device_train_batch_size": 4}
    whole = quietly(settings(name="whole", **budget))
    cut = settings(name="cut", **budget)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(
            "tuneproof.tuning.train.TimedCheckpoints",
            lambda *_: type("S", (TrainerCallback,), {"on_step_end": send})(),
        )
        quietly(cut)
    again = quietly(cut)
    for name in ("steps", "tokens_seen", "flops", "positions_seen"):
        assert getattr(again.result, name) == getattr(whole.result, name), name
    assert rates(again) == pytest.approx(rates(whole))
    weights = [(run.adapter / "adapter_model.safetensors").read_bytes() for run in (whole, again)]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_counts_are_those_of_the_batches(settings: Settings) -> None:
    result = quietly(settings(num_train_epochs=2, no_fast_path=("packing",))).result
    assert result.examples_seen == 48
    assert result.positions_seen >= result.tokens_seen
    packed = quietly(settings(name="packed", num_train_epochs=2)).result
    assert packed.examples_seen == 48
    assert packed.tokens_seen == result.tokens_seen > packed.positions_seen
    assert result.train_seconds <= result.wall_seconds


def test_impossible_budgets_are_refused(settings: Settings) -> None:
    for name in ("max_seconds", "max_tokens", "max_flops"):
        with pytest.raises(ValueError, match=f"{name} must be"):
            settings(**{name: 0})
    with pytest.raises(ValueError, match="plans by the number of steps; beside a budget"):
        settings(method="adalora", max_tokens=100)


@pytest.mark.skipif(not os.access(CLEAR, os.W_OK), reason="this system cannot forget a peak")
def test_peak_of_one_run_is_not_that_of_the_run_before() -> None:
    block = bytearray(os.urandom(1) * (400 * 2**20))
    before = peak_bytes()
    del block
    forget_peaks()
    assert peak_bytes() < before - 300 * 2**20


@pytest.mark.slow
def test_training_that_was_killed_keeps_the_most_memory_it_has_held(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import TrainerCallback

    def die(self: Any, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 6:
            raise OSError("killed")

    cut = settings(save_steps=4, per_device_train_batch_size=4)
    with monkeypatch.context() as patched, pytest.raises(OSError, match="killed"):
        patched.setattr("tuneproof.tuning.cost.meter.peak_bytes", lambda: 5 * 10**12)
        patched.setattr(
            "tuneproof.tuning.train.Pruning",
            lambda *_: type("S", (TrainerCallback,), {"on_step_end": die})(),
        )
        quietly(cut)
    assert quietly(cut).result.peak_memory_bytes == 5 * 10**12
