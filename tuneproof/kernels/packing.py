"""Pack a batch into one row: no padding, and a prefix that all texts share is computed once.

All layers but attention treat tokens one by one, so that the row's layout does not matter to them.
Attention splits the row into its texts, puts the shared prefix before each, and joins the outputs
again. Splitting and joining are each other's derivative: both only copy. The texts of a task begin
with the same instruction; of a tweet to be labelled that is half of the tokens. The losses are
those of a padded batch; with dropout, the same values of the prefix are dropped for all texts of a
batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tuneproof.kernels.block_attention import attention, scores

SHARE, LEAST = 1 / 8, 256
"""A cut between long and short texts, for attention, must save this share of the positions, and so
many positions: every part costs time."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """The layout of a batch in one row: the shared prefix, then the rest of each text."""

    shared: int
    """Tokens of the prefix that all texts share; the row holds them once."""
    rests: tuple[int, ...]
    """Tokens of each text after the prefix."""
    starts: tuple[int, ...]
    """The index in the row at which the rest of each text begins."""
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

    @property
    def scores(self) -> int:
        """Scores of queries and keys that attention in blocks keeps, for each of its heads."""
        longest = [(len(part), self.rests[part[0]]) for part in self.parts]
        of_rests = sum(n * scores(rest, self.shared + rest) for n, rest in longest)
        return scores(self.shared, self.shared) + of_rests

    def row(self, values: torch.Tensor) -> torch.Tensor:
        """Return values of shape (texts, tokens) as one row, shape (1, positions)."""
        stop = self.shared
        rests = [values[text, stop : stop + rest] for text, rest in enumerate(self.rests)]
        return torch.cat([values[0, :stop], *rests])[None]

    def positions_of(self, texts: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Return the indices in the row of tokens, given by text and position in the text."""
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
        cut: cut * lengths[texts[0]] + (len(texts) - cut) * lengths[texts[cut]]
        for cut in range(1, len(texts))
    }
    best = min(costs, key=costs.__getitem__, default=None)
    if best is None or whole - costs[best] < max(LEAST, SHARE * whole):
        return [texts]
    return _cut(texts[:best], lengths) + _cut(texts[best:], lengths)


def attend_packed(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    packing: Packing,
    scale: float,
    p: float,
    window: int | None = None,
) -> torch.Tensor:
    """Return the attention's output over a packed row, of the queries' shape.

    Args:
        queries: Of one row, shape (heads, positions, width).
        keys: Likewise.
        values: Likewise.
        packing: The layout of the row.
        scale: The scores' factor.
        p: The chance that a probability is dropped.
        window: How many of the last keys a query sees; None: all.
    """
    prefix, *parts = zip(
        *(_split(states, packing) for states in (queries, keys, values)), strict=True
    )
    query, key, value = prefix
    outputs = [attention(query, key, value, scale, p, window=window) if packing.shared else query]
    for part_queries, part_keys, part_values in parts:
        seen = (_behind_prefix(key, part_keys), _behind_prefix(value, part_values))
        outputs.append(attention(part_queries, *seen, scale, p, window=window))
    out: torch.Tensor = _Join.apply(packing, *outputs)
    return out


def _split(values: torch.Tensor, packing: Packing) -> tuple[torch.Tensor, ...]:
    """Return the shared prefix and, for each part, the rests of its texts."""
    parts: tuple[torch.Tensor, ...] = _Split.apply(packing, values)
    return parts


def _behind_prefix(shared: torch.Tensor, rests: torch.Tensor) -> torch.Tensor:
    """Put the shared prefix before each text, shape (texts * heads, tokens, width)."""
    if not shared.shape[1]:
        return rests
    return torch.cat([shared.repeat(len(rests) // len(shared), 1, 1), rests], 1)


class _Split(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, packing: Packing, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.packing = packing
        return split_row(values, packing)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, joined_row(gradients, ctx.packing)


class _Join(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, packing: Packing, *parts: torch.Tensor) -> torch.Tensor:
        ctx.packing = packing
        return joined_row(parts, packing)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return None, *split_row(gradient, ctx.packing)


def split_row(values: torch.Tensor, packing: Packing) -> tuple[torch.Tensor, ...]:
    """Return the parts of a row (heads, positions, width), each (texts * heads, tokens, width)."""
    heads, _, width = values.shape
    parts = [values[:, : packing.shared].contiguous()]
    for part in packing.parts:
        out = values.new_zeros(len(part), heads, packing.rests[part[0]], width)
        for index, text in enumerate(part):
            start, rest = packing.starts[text], packing.rests[text]
            out[index, :, :rest] = values[:, start : start + rest]
        parts.append(out.flatten(0, 1))
    return tuple(parts)


def joined_row(parts: tuple[torch.Tensor, ...], packing: Packing) -> torch.Tensor:
    """Return the row of such parts, in memory as (positions, heads, width), as layers have it."""
    shared, *rests = parts
    heads, _, width = shared.shape
    row = shared.new_empty(packing.positions, heads, width).transpose(0, 1)
    row[:, : packing.shared] = shared
    for part, texts in zip(packing.parts, rests, strict=True):
        by_text = texts.unflatten(0, (len(part), heads))
        for index, text in enumerate(part):
            start, rest = packing.starts[text], packing.rests[text]
            row[:, start : start + rest] = by_text[index, :, :rest]
    return row
