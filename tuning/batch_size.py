"""Find the largest batch that fits in memory; the examples of an optimizer step stay the same."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from typing import Any

from tuneproof.errors import InputError, is_out_of_memory
from tuneproof.formats.run import Batch, Run
from tuneproof.tuning.cost.flops import gpus_of
from tuneproof.tuning.cost.machine import estimated_memory
from tuneproof.tuning.rows import lengths

log = logging.getLogger(__name__)

SPARE = 0.04
"""Share of a GPU's memory that is left free in the trial, for what fragments."""
CPU_SPARE = 0.1
"""Share of the free memory that an estimate leaves to others."""
ADAM_STATES = 2
"""Tensors that the optimizer keeps for each that is trained."""


def found_batch(trainer: Any, run: Run) -> Batch:
    """Return the largest batch with which the longest examples fit in memory.

    On a GPU a step is tried, forward and backward; where memory has run out on a CPU, the system
    ends the process, so that the estimate must do there.

    Raises:
        InputError: Not even one example fits.
    """
    arguments = trainer.args
    examples = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
    most = min(examples, len(trainer.train_dataset))
    is_gpu = arguments.device.type == "cuda"
    fits: Callable[[int], bool] = (
        (lambda size: _can_step(trainer, size))
        if is_gpu
        else (
            lambda size: (
                estimated_memory(trainer, run, size).training < (1 - CPU_SPARE) * _free_bytes()
            )
        )
    )
    for size in _divisors(examples):
        if size <= most and fits(size):
            log.info(
                f"batches of {size}, {examples // size} to a step of the optimizer "
                f"({examples} examples)"
            )
            return Batch(
                per_device_train_batch_size=size, gradient_accumulation_steps=examples // size
            )
    raise InputError(
        "out of memory with a single example; lower --max-length, or give "
        "--gradient-checkpointing or --load-in-4bit"
    )


def use_batch(trainer: Any, batch: Batch) -> Batch:
    """Set a trainer's batch size, and return it."""
    arguments = trainer.args
    arguments.per_device_train_batch_size = batch.per_device_train_batch_size
    arguments.per_device_eval_batch_size = batch.per_device_train_batch_size
    arguments.gradient_accumulation_steps = batch.gradient_accumulation_steps
    trainer._train_batch_size = arguments.train_batch_size
    return batch


def _divisors(number: int) -> Iterator[int]:
    """Yield the divisors of a number, from the largest."""
    return (size for size in range(number, 0, -1) if number % size == 0)


def _can_step(trainer: Any, size: int) -> bool:
    """Return whether the longest examples go through the model and back, so many at once."""
    import torch

    try:
        with torch.random.fork_rng(gpus_of(trainer.model)):
            _step(trainer, size)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        has_room = False
    else:
        has_room = True
    trainer.model.zero_grad(set_to_none=True)
    gc.collect()
    torch.cuda.empty_cache()
    return has_room


def _step(trainer: Any, size: int) -> None:
    """Do what a step does but for the optimizer, whose memory is held instead."""
    import torch

    model, device = trainer.model.train(), trainer.args.device
    if trainer.args.activation_checkpointing:
        model.activation_checkpointing_enable()
    longest = (-lengths(trainer.train_dataset)).argsort(kind="stable")[:size]
    rows = [trainer.train_dataset[int(number)] for number in longest]
    trained = [value for value in model.parameters() if value.requires_grad]
    held = [torch.empty_like(value) for value in trained for _ in range(ADAM_STATES)]
    spare = int(SPARE * torch.cuda.get_device_properties(device).total_memory)
    held.append(torch.empty(spare, dtype=torch.uint8, device=device))
    inputs = trainer._prepare_inputs(trainer.data_collator(rows))
    with trainer.compute_loss_context_manager(), trainer.accelerator.autocast():
        loss = trainer.compute_loss(model, inputs)
    loss.backward()
    torch.cuda.synchronize(device)


def _free_bytes() -> int:
    """Return the memory that processes can still take without swapping."""
    import psutil

    return int(psutil.virtual_memory().available)
