"""The order of the training examples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices


class LengthGroupedSampler(Sampler):  # type: ignore[misc]
    """Batches of examples of like length, in an order that seed and epoch alone decide.

    Transformers' own sampler draws from torch's global state, so that a training that goes on from
    the middle of its second epoch would see other examples than the one that was not interrupted;
    and it gives the batches of a group from long to short.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """Keep what decides the order.

        Args:
            lengths: Tokens of each example.
            batch_size: Examples of one optimizer step.
            seed: Decides the order, together with the epoch.
        """
        self._lengths = list(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is next; the trainer does."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        """Yield the indices: the longest example first, so that memory runs out at once or never.

        A last batch that is not full stays the last.
        """
        generator = torch.Generator().manual_seed(self._seed + 1_000_003 * self._epoch)
        size = self._batch_size
        order = get_length_grouped_indices(self._lengths, size, generator=generator)
        starts = range(size, len(order) - size + 1, size)
        shuffled = [starts[place] for place in torch.randperm(len(starts), generator=generator)]
        whole = len(order) - len(order) % size
        for start in [0, *shuffled, *([whole] if 0 < whole < len(order) else [])]:
            yield from order[start : start + size]
