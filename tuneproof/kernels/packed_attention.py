"""Attention over a batch that is packed into one row: its texts are taken apart and joined again.

Taking apart and joining are each other's derivative, so that both are copies without arithmetic.
"""

from __future__ import annotations

from typing import Any

import torch

from tuneproof.kernels.block_attention import attention
from tuneproof.kernels.packing import Packing


def attend_packed(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    packing: Packing,
    scale: float,
    p: float,
) -> torch.Tensor:
    """Return what the queries find, of their shape.

    Args:
        queries: Of one row, shape (heads, positions, width).
        keys: Likewise.
        values: Likewise.
        packing: Where in the row the texts stand.
        scale: The scores' factor.
        p: The chance that a probability is dropped.
    """
    shared, *rests = zip(*(_apart(each, packing) for each in (queries, keys, values)), strict=True)
    query, key, value = shared
    found = [attention(query, key, value, scale, p) if packing.shared else query]
    for own, *seen in rests:
        keys, values = (_after(*each) for each in zip((key, value), seen, strict=True))
        found.append(attention(own, keys, values, scale, p))
    out: torch.Tensor = _Join.apply(packing, *found)
    return out


def _apart(values: torch.Tensor, packing: Packing) -> tuple[torch.Tensor, ...]:
    """Return the common beginning and, for each part, what its texts go on with."""
    found: tuple[torch.Tensor, ...] = _Apart.apply(packing, values)
    return found


def _after(shared: torch.Tensor, rests: torch.Tensor) -> torch.Tensor:
    """Put the common beginning before each text, shape (texts * heads, tokens, width)."""
    if not shared.shape[1]:
        return rests
    return torch.cat([shared.repeat(len(rests) // len(shared), 1, 1), rests], 1)


class _Apart(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, packing: Packing, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.packing = packing
        return _taken_apart(values, packing)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        return None, _joined(gradients, ctx.packing)


class _Join(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, packing: Packing, *found: torch.Tensor) -> torch.Tensor:
        ctx.packing = packing
        return _joined(found, packing)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return None, *_taken_apart(gradient, ctx.packing)


def _taken_apart(values: torch.Tensor, packing: Packing) -> tuple[torch.Tensor, ...]:
    """Return the parts of a row (heads, positions, width), each (texts * heads, tokens, width)."""
    heads, _, width = values.shape
    found = [values[:, : packing.shared].contiguous()]
    for part in packing.parts:
        out = values.new_zeros(len(part), heads, packing.rests[part[0]], width)
        for place, text in enumerate(part):
            start, rest = packing.starts[text], packing.rests[text]
            out[place, :, :rest] = values[:, start : start + rest]
        found.append(out.flatten(0, 1))
    return tuple(found)


def _joined(found: tuple[torch.Tensor, ...], packing: Packing) -> torch.Tensor:
    """Return the row of such parts, in memory as (positions, heads, width), as layers have it."""
    shared, *rests = found
    heads, _, width = shared.shape
    row = shared.new_empty(packing.positions, heads, width).transpose(0, 1)
    row[:, : packing.shared] = shared
    for part, texts in zip(packing.parts, rests, strict=True):
        each = texts.unflatten(0, (len(part), heads))
        for place, text in enumerate(part):
            start, rest = packing.starts[text], packing.rests[text]
            row[:, start : start + rest] = each[place, :, :rest]
    return row
