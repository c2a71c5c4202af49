"""A cache of keys and values with room for whole answers, written in place.

Transformers' own is copied whole at every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

from tuneproof.kernels import decoding_attention


class PreallocatedLayer(DynamicLayer):  # type: ignore[misc]
    """The keys and values of one layer, in tensors with room for all tokens of the answers.

    Every row ends at the same index, so that a shorter row begins later.
    """

    def __init__(self, rows: int, room: int) -> None:
        """Set the number of rows, and the most tokens of a row."""
        super().__init__()
        self.is_initialized = False
        self._shape = rows, room
        self._held = 0
        self._part: slice | None = None
        self.index: torch.Tensor | None = None
        """While a step is computed that can be repeated: where its tokens are written."""
        self.filled: list[tuple[int, int]] | None = None
        """While a row of prompts is read: for each prompt, the row that it belongs to and its
        length."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values, both (rows, heads, tokens, width), behind those held.

        Returns:
            All keys and values; or, while prompts are read, only the new ones.
        """
        if not self.is_initialized:
            self.keys, self.values = self._empty(key_states), self._empty(value_states)
            self.dtype, self.device = key_states.dtype, key_states.device
            self.is_initialized = True
        if self.filled is not None:
            start = 0
            for row, length in self.filled:
                begin, stop = self._held - length, start + length
                self.keys[row, :, begin : self._held] = key_states[0, :, start:stop]
                self.values[row, :, begin : self._held] = value_states[0, :, start:stop]
                near = max(0, begin - decoding_attention.GAP)  # not seen, yet multiplied by 0
                self.values[row, :, near:begin] = 0
                start = stop
            return key_states, value_states
        if self.index is not None:
            self.keys.index_copy_(2, self.index, key_states)
            self.values.index_copy_(2, self.index, value_states)
            return self.keys, self.values
        if self._part is not None:
            self._held = key_states.shape[-2]
            self.keys[self._part, :, : self._held] = key_states
            self.values[self._part, :, : self._held] = value_states
            return key_states, value_states
        start, self._held = self._held, self._held + key_states.shape[-2]
        self.keys[:, :, start : self._held] = key_states
        self.values[:, :, start : self._held] = value_states
        return self.keys[:, :, : self._held], self.values[:, :, : self._held]

    def select(self, rows: Sequence[int], starts: Sequence[int]) -> None:
        """Drop all rows but these, which begin at these indices.

        The cache before a row begins is not copied: where lengths differ much it is most of it, and
        memory that was never written takes none.
        """
        keys, values = self.keys, self.values
        self._shape = len(rows), self._shape[1]
        self.keys, self.values = self._empty(keys), self._empty(values)
        for new, (old, start) in enumerate(zip(rows, starts, strict=True)):
            begin = max(0, start - decoding_attention.GAP)
            self.keys[new, :, begin : self._held] = keys[old, :, begin : self._held]
            self.values[new, :, begin : self._held] = values[old, :, begin : self._held]

    def _empty(self, states: torch.Tensor) -> torch.Tensor:
        rows, room = self._shape
        return states.new_empty(rows, states.shape[1], room, states.shape[-1])

    def fill(self, held: int, rows: list[tuple[int, int]] | None) -> None:
        """Set how many tokens are held, and whose prompts are read next, if any."""
        self._held, self.filled = held, rows

    def fill_rows(self, part: slice | None) -> None:
        """Set which rows' prompts are read next, as if nothing was held; None: all are read."""
        self._part = part
        if part is not None:
            self._held = 0

    def get_seq_length(self) -> int:
        """Return how many tokens are held."""
        return self._held
