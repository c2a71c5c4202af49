"""A batch as one row: no padding goes through the model, and what all texts begin with goes once.

To every layer but attention a token is a token, wherever it stands; attention gets the texts back
apart, each behind the common beginning. The texts of a task begin alike, with its instruction: of a
tweet to be labelled that is half of the tokens. The losses are the same; with dropout, what is
dropped of the common beginning is the same in all texts of a batch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from tuneproof.kernels.block_attention import CAUSAL
from tuneproof.kernels.swap import Undo

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
"""Shapes that oneDNN keeps kernels for, 1,024 otherwise: every packed batch has its own length, and
what is kept for one is of no use to the next. It is read at the first product by oneDNN."""
SHARE, LEAST = 1 / 8, 256
"""What a cut between long and short texts, for attention, has to save: of the positions, and in
positions; each part costs some time too."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """Where the tokens of a batch stand in its one row: the common ones, then each text's rest."""

    shared: int
    """Tokens that all texts begin with, and that stand there once."""
    rests: tuple[int, ...]
    """Tokens of each text after them."""
    starts: tuple[int, ...]
    """Where the rest of each text begins."""
    parts: tuple[tuple[int, ...], ...]
    """Texts that attention takes together, the longest first."""

    @property
    def positions(self) -> int:
        """Tokens of the row."""
        return self.shared + sum(self.rests)

    @property
    def pairs(self) -> int:
        """Pairs of positions in the matrices of attention."""
        longest = [(len(part), self.rests[part[0]]) for part in self.parts]
        return self.shared**2 + sum(n * rest * (self.shared + rest) for n, rest in longest)

    def row(self, values: torch.Tensor) -> torch.Tensor:
        """Return what stands at (text, token) as one row, shape (1, positions)."""
        stop = self.shared
        rests = [values[text, stop : stop + rest] for text, rest in enumerate(self.rests)]
        return torch.cat([values[0, :stop], *rests])[None]

    def places(self, texts: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Return where in the row so many tokens of so many texts stand."""
        starts = torch.tensor(self.starts)[texts]
        return torch.where(tokens < self.shared, tokens, starts + tokens - self.shared)


def packing(ids: torch.Tensor, lengths: Sequence[int]) -> Packing:
    """Return how a batch becomes one row.

    Args:
        ids: Of the tokens, padded on the right, shape (texts, tokens).
        lengths: Tokens of every text; at least one of each stays its own.
    """
    most = min(lengths) - 1 if len(lengths) > 1 else 0
    shared = int((ids[:, :most] == ids[0, :most]).all(0).int().cumprod(0).sum())
    rests = [length - shared for length in lengths]
    starts = [shared + sum(rests[:text]) for text in range(len(rests))]
    return Packing(
        shared=shared,
        rests=tuple(rests),
        starts=tuple(starts),
        parts=tuple(tuple(part) for part in parts(rests)),
    )


def parts(lengths: Sequence[int]) -> list[list[int]]:
    """Return the texts in groups, the longest first, so that little padding is left.

    Args:
        lengths: Tokens of every text.
    """
    return _cut(sorted(range(len(lengths)), key=lambda text: -lengths[text]), lengths)


def _cut(texts: list[int], lengths: Sequence[int]) -> list[list[int]]:
    """Cut texts, sorted from long to short, where it saves most, as often as it saves enough."""
    whole = len(texts) * lengths[texts[0]]
    costs = {
        place: place * lengths[texts[0]] + (len(texts) - place) * lengths[texts[place]]
        for place in range(1, len(texts))
    }
    best = min(costs, key=costs.__getitem__, default=None)
    if best is None or whole - costs[best] < max(LEAST, SHARE * whole):
        return [texts]
    return _cut(texts[:best], lengths) + _cut(texts[best:], lengths)


def replace(model: nn.Module) -> list[Undo]:
    """Let the trainer pack the batches of a model that attends by training_attention.py."""
    config: Any = model.config
    if config._attn_implementation != CAUSAL:
        return []
    model.takes_packing = True
    return [partial(delattr, model, "takes_packing")]
