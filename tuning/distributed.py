"""Deal batches out to several processes, and get weights back that were dealt out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from torch.utils.data import BatchSampler, Sampler

from tuneproof.errors import InputError
from tuneproof.prompts.fit import IGNORED
from tuneproof.tuning.config import TuneConfig

SHARDING = {"ACCELERATE_USE_FSDP": "FSDP", "ACCELERATE_USE_DEEPSPEED": "DeepSpeed"}
"""What deals weights or the optimizer's state out, by the variable that accelerate sets."""


class RankBatches(Sampler):  # type: ignore[misc]
    """One process's part of every batch of all processes.

    A batch of all is cut from the sampler's order and dealt like cards, so that where it is sorted
    by length all processes get texts of like length. What is left at the end is dealt in the same
    way: some then have an example less, and one that has none gets the filler.
    """

    def __init__(
        self, sampler: Any, batch_size: int, rank: int, world_size: int, *, filler: int
    ) -> None:
        """Take the order of all examples.

        Args:
            sampler: Yields the indices of all examples.
            batch_size: Examples of one process in a batch.
            rank: This process.
            world_size: All of them.
            filler: The index of an example that nothing is learned from.
        """
        self._batches = BatchSampler(sampler, batch_size * world_size, drop_last=False)
        self._rank, self._world_size, self._filler = rank, world_size, filler
        self.batch_size = batch_size

    def __len__(self) -> int:
        """Return the number of batches, the same for all processes."""
        return len(self._batches)

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is next; the trainer does."""
        if hasattr(self._batches.sampler, "set_epoch"):
            self._batches.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the indices of each batch."""
        for batch in self._batches:
            yield batch[self._rank :: self._world_size] or [self._filler]


def with_filler(dataset: Any) -> Any:
    """Return a tokenised dataset with one more row at its end: one token, which is not trained."""
    from datasets import Dataset, concatenate_datasets

    first = dataset[0].items()
    row = {name: value[:1] if isinstance(value, list) else value for name, value in first}
    row["labels"] = [IGNORED] if isinstance(row["labels"], list) else IGNORED
    return concatenate_datasets([dataset, Dataset.from_list([row], features=dataset.features)])


def dealt(config: TuneConfig, began_with: int, world_size: int) -> TuneConfig:
    """Return the settings by which so many processes do the steps of those that began a run.

    The batch of all stays what it was: with fewer processes each does more, in several passes where
    its own batch is too small.

    Args:
        config: The settings, as the run began with them.
        began_with: How many processes they were for.
        world_size: How many there are now.

    Raises:
        InputError: The batch cannot be dealt out evenly.
    """
    per_step = config.per_device_train_batch_size * began_with
    whole = per_step * config.gradient_accumulation_steps
    sizes = range(config.per_device_train_batch_size, 0, -1)
    size = next((size for size in sizes if whole % (size * world_size) == 0), None)
    if size is None:
        raise InputError(
            f"this run began with {began_with} processes and {whole} examples a step, which "
            f"{world_size} processes cannot share evenly; start {began_with}, or a number that "
            f"{whole} can be divided by"
        )
    return replace(
        config,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=whole // (size * world_size),
    )


def check_sharding(config: TuneConfig) -> None:
    """Raise InputError for what cannot be trained with its weights dealt out."""
    kind = next((SHARDING[name] for name in SHARDING if os.environ.get(name) == "true"), None)
    if kind is None:
        return
    what = None
    if config.objective == "classify":
        what = "a classification head"
    elif config.four_bit is not None:
        what = "a base in 4 bits"
    elif config.method == "adalora":
        what = "method 'adalora'"
    if what is not None:
        raise InputError(
            f"{what} cannot be trained with {kind}; start it without an accelerate config, so that "
            "every GPU holds all weights"
        )


def is_sharded(trainer: Any) -> bool:
    """Return whether FSDP or DeepSpeed deal weights or the optimizer's state out."""
    return bool(trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled)


def whole_weights(trainer: Any) -> Mapping[str, Any] | None:
    """Return all weights where FSDP or DeepSpeed have dealt them out, else None.

    To be called in all processes; the first gets them, in the memory of its CPU.
    """
    if not is_sharded(trainer):
        return None
    weights: Mapping[str, Any] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    return weights
