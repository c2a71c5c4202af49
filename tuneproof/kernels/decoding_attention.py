"""Attention without padding for answering: prompts in one row, then one new token per row.

A row of prompts holds them one after the other; each prompt attends to itself only. A new token
attends to a cache in which every row ends at the same index; rows that begin at nearly the same
index are computed in one product.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from tuneproof.kernels.probe import Calls
from tuneproof.kernels.swap import Undo

NAME = "tuneproof_answering"
"""Under which transformers finds this kernel; there is no mask function of that name: no mask."""
GAP = 16
"""Rows are computed together where they begin within so many tokens; the cache clears so many
before each row."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Neighbouring rows, and the part of the cache that they see."""

    rows: slice
    start: int
    """No row sees the cache before this index."""
    hidden: torch.Tensor | None
    """True for tokens from there on that a row does not see, shape (rows, 1, 1, tokens); None: it
    sees all."""


def queries_per_key(module: Any) -> int:
    """Return how many heads of queries share one head of keys and values."""
    return int(getattr(module, "num_key_value_groups", 1))


def attend_without_padding(model: Any) -> list[Undo]:
    """Let a model that fits attend by this kernel; return what takes it back."""
    before = model.config._attn_implementation
    AttentionInterface.register(NAME, _attend)
    model.config._attn_implementation = NAME

    def undo() -> None:
        model.config._attn_implementation = before

    return [undo]


def spans(starts: Sequence[int], held: int) -> list[Span]:
    """Return which part of a cache the rows see.

    Args:
        starts: Index at which each row begins; best sorted, so that neighbours begin alike.
        held: Tokens in the cache.
    """
    groups: list[list[int]] = []
    low = high = 0
    for start in starts:
        low, high = min(low, start), max(high, start)
        if not groups or high - low > GAP:
            groups.append([])
            low = high = start
        groups[-1].append(start)
    result, first = [], 0
    for group in groups:
        begin, rows, hidden = min(group), slice(first, first + len(group)), None
        if max(group) > begin:
            hidden = torch.arange(begin, max(group)) < torch.tensor(group)[:, None, None, None]
        result.append(Span(rows=rows, start=begin, hidden=hidden))
        first += len(group)
    return result


def _attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    *,
    lengths: Sequence[int] | None = None,
    seen: Sequence[Span] = (),
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers asks: (rows, heads, tokens, width) in, (rows, tokens, ...) out.

    Args:
        module: Of the model; says how many heads share a key.
        query: Of one row of prompts, or of one new token in each row.
        key: Of the same row, or of all tokens in the cache.
        value: Likewise.
        attention_mask: None.
        scaling: The scores' factor.
        lengths: Of the prompts in the row; None for new tokens.
        seen: The part of the cache that each row sees, for new tokens.
        sliding_window: Of the last tokens, its own included, a token sees so many; None: all.
    """
    Calls.count(sliding_window)
    if lengths is None:
        first = 0 if sliding_window is None else max(0, key.shape[2] - sliding_window)
        return _of_last(query, key, value, seen, scaling, first).transpose(1, 2), None
    out = torch.empty_like(query)
    is_grouped, start = queries_per_key(module) > 1, 0
    for length in lengths:
        part = (slice(None), slice(None), slice(start, start + length))
        mask = None
        if sliding_window is not None and length > sliding_window:
            mask = torch.ones(length, length, dtype=torch.bool).tril().triu(1 - sliding_window)
        out[part] = scaled_dot_product_attention(
            query[part], key[part], value[part], mask,
            is_causal=mask is None, scale=scaling, enable_gqa=is_grouped,
        )  # fmt: skip
        start += length
    return out.transpose(1, 2), None


def _of_last(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    seen: Sequence[Span],
    scaling: float | None,
    first: int = 0,
) -> torch.Tensor:
    """Attend by one query of each row and head; torch's own kernel is made for many.

    No row sees the cache before index `first`.
    """
    rows, heads, _, width = query.shape
    shared = key.shape[1]
    scaled = query * (width**-0.5 if scaling is None else scaling)
    sizes = [shared * (span.rows.stop - span.rows.start) for span in seen]
    parts = (
        scaled.reshape(rows * shared, -1, width).split(sizes),
        key.flatten(0, 1).split(sizes),
        value.flatten(0, 1).split(sizes),
    )
    outputs = []
    for span, queries, keys, values in zip(seen, *parts, strict=True):
        start = max(span.start, first)
        scores = torch.bmm(keys[:, start:], queries.transpose(1, 2)).transpose(1, 2)
        if span.hidden is not None and start - span.start < span.hidden.shape[-1]:
            hidden = span.hidden[..., start - span.start :]
            near = scores[..., : hidden.shape[-1]].unflatten(0, (-1, shared))
            near.masked_fill_(hidden, -torch.inf)
        chances = scores.softmax(-1, dtype=torch.float32).to(values.dtype)
        outputs.append(torch.bmm(chances, values[:, start:]))
    return torch.cat(outputs).view(rows, heads, 1, width)
