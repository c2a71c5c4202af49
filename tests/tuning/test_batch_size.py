"""The batch size that is found: the optimizer's step stays the same."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tuneproof.errors import InputError
from tuneproof.formats.run import read_run
from tuneproof.tuning import batch_size
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.run import finetune


def limit(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Have batches of more examples than `most` not fit."""
    monkeypatch.setattr(
        batch_size, "estimated_memory", lambda model, run, size: SimpleNamespace(training=size)
    )
    monkeypatch.setattr(batch_size, "_free_bytes", lambda: most / (1 - batch_size.CPU_SPARE) + 0.5)


@pytest.mark.parametrize(("most", "size"), [(100, 12), (7, 6), (5, 4), (1, 1)])
def test_largest_divisor_that_fits_is_recorded(
    settings: Callable[..., TuneConfig], monkeypatch: pytest.MonkeyPatch, most: int, size: int
) -> None:
    limit(monkeypatch, most)
    config = settings(
        auto_find_batch_size=True, per_device_train_batch_size=3, gradient_accumulation_steps=4,
        max_steps=1,
    )  # fmt: skip
    finetune(config)
    run = read_run(config.folder)
    assert run.batch is not None
    assert run.batch.per_device_train_batch_size == size
    assert run.batch.gradient_accumulation_steps == 12 // size
    assert run.result is not None
    assert run.result.examples_seen == 12


def test_examples_are_counted_and_not_reckoned_from_batches(
    settings: Callable[..., TuneConfig],
) -> None:
    run = finetune(settings(per_device_train_batch_size=16, max_steps=1))
    assert run.data.train.examples == 24  # the second batch is half a one
    assert run.result is not None
    assert run.result.examples_seen == 16


def test_found_size_trains_as_the_typed_one(
    settings: Callable[..., TuneConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, 2)
    plain = {"max_steps": 3, "per_device_train_batch_size": 4}
    found = finetune(settings(name="found", auto_find_batch_size=True, **plain))
    typed = finetune(settings(name="typed", **plain))
    assert found.result is not None and typed.result is not None
    assert found.result.last_loss == pytest.approx(typed.result.last_loss, rel=1e-4)
    assert typed.batch is None


def test_single_example_that_does_not_fit_is_one_clear_error(
    settings: Callable[..., TuneConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, 0)
    with pytest.raises(InputError, match="out of memory with a single example; lower --max-length"):
        finetune(settings(auto_find_batch_size=True))


def test_trial_on_a_gpu_takes_out_of_memory_as_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(trainer: Any, size: int) -> None:
        if size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(batch_size, "_step", step)
    model = torch.nn.Linear(1, 1)
    model.device = torch.device("cpu")
    trainer = type("Trainer", (), {"model": model})
    assert [batch_size._can_step(trainer, size) for size in (4, 2)] == [False, True]

    def fail(trainer: Any, size: int) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(batch_size, "_step", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        batch_size._can_step(trainer, 1)
