"""How many rows are computed at once on a GPU: by its free memory, and fewer where they do not fit.

The keys and values of all tokens decide; what else an answer needs is small beside them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tuneproof.errors import InputError, is_out_of_memory
from tuneproof.models.device import free_bytes, release

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")
MOST = 256
"""Answers at once: a GPU is busy with so many."""
FOR_CACHE = 0.4
"""The share of the free memory that keys and values may take; the cache is copied when rows leave
the batch, and what reads the prompts takes the rest."""


def answers_at_once(model: Any, tokens: int) -> int | None:
    """Return how many answers a GPU has room for at once, a power of two; None on a CPU.

    Args:
        model: What answers.
        tokens: Of the longest prompt and the longest answer together.
    """
    free = free_bytes(model.device)
    if free is None:
        return None
    rows = int(free * FOR_CACHE / (cache_bytes(model) * max(tokens, 1)))
    return min(MOST, 1 << max(rows.bit_length() - 1, 0))


def cache_bytes(model: Any) -> int:
    """Return the bytes of a token's keys and values in all layers."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None) or 1  # not all models have attention
    shared = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return int(2 * config.num_hidden_layers * shared * width * model.dtype.itemsize)


class RowLimit:
    """The most rows that are computed together; halved whenever memory does not suffice."""

    def __init__(self) -> None:
        """Begin without a limit."""
        self.most: int | None = None
        """None: all there are."""

    def run(
        self, rows: Sequence[T], compute: Callable[[Sequence[T]], list[R]], device: Any
    ) -> list[R]:
        """Return one result for each row.

        Args:
            rows: What is computed.
            compute: Returns the results of some of them, in their order.
            device: Whose memory may not suffice.

        Raises:
            InputError: It does not suffice for a single row.
        """
        results: list[R] = []
        while len(results) < len(rows):
            size = min(self.most or len(rows), len(rows) - len(results))
            part = rows[len(results) : len(results) + size]
            if (values := _computed(part, compute)) is None:
                release(device)  # after the error, which held on to the tensors
                self._halve(size, device)
            else:
                results += values
        return results

    def _halve(self, size: int, device: Any) -> None:
        if size == 1:
            raise InputError(
                f"a single answer does not fit in the memory that is free on {device}; lower "
                "--max-new-tokens, shorten the prompts, or give --dtype bfloat16 or --device cpu"
            )
        if self.most is None:
            log.info(
                f"{size} answers at once do not fit in the memory of {device}; going on with fewer "
                "(--batch-size sets how many prompts are answered at once)"
            )
        self.most = size // 2


def _computed(part: Sequence[T], compute: Callable[[Sequence[T]], list[R]]) -> list[R] | None:
    """Return the results, or None where the memory does not suffice."""
    try:
        return compute(part)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None
