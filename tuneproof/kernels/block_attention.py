"""Attention in blocks of queries, with dropout as the sign of a probability.

torch's own kernel for CPUs has no dropout and falls back to whole matrices of scores and masks
where there is any. Here the scores of keys after a causal query are never computed, and one matrix
holds the probabilities, with those that are dropped as negative numbers.
"""

from __future__ import annotations

from typing import Any

import torch

from tuneproof.kernels.elementwise import as_integers, as_signs, chance, dropped

BLOCK = 128
"""Queries at a time."""
CAUSAL, BOTH_WAYS = "tuneproof_causal", "tuneproof_both_ways"
"""Names under which transformers finds these kernels; the first has no mask function: no mask."""


def attention(
    queries: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    scale: float,
    p: float = 0.0,
    *,
    hidden: torch.Tensor | None = None,
    is_causal: bool = True,
    window: int | None = None,
) -> torch.Tensor:
    """Return the attention's output, of the queries' shape.

    Args:
        queries: Shape (matrices, queries, width); if causal, the last belongs to the last key.
        keys: Shape (matrices, keys, width).
        values: Shape (matrices, keys, width).
        scale: The scores' factor.
        p: The chance that a probability is dropped.
        hidden: Minus infinity for keys that no query sees, else 0; shape (matrices, keys).
        is_causal: Whether a query sees no key after its own.
        window: Of the last keys, its own included, a causal query sees so many; None: all.
    """
    out: torch.Tensor = _Attention.apply(queries, keys, values, hidden, scale, p, is_causal, window)
    return out


class _Attention(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        hidden: torch.Tensor | None,
        scale: float,
        p: float,
        is_causal: bool,
        window: int | None,
    ) -> torch.Tensor:
        ctx.scale, ctx.p, ctx.keep = scale, p, 1 - chance(p)
        ctx.blocks = _blocks(queries.shape[1], keys.shape[1], is_causal)
        queries, values = queries * scale, values / ctx.keep
        out, kept = torch.empty_like(queries), []
        for start, stop, seen in ctx.blocks:
            scores = torch.bmm(queries[:, start:stop], keys[:, :seen].transpose(1, 2))
            if is_causal:
                scores[:, :, seen - (stop - start) :] += _later(stop - start, scores)
            if window is not None and seen > window:
                scores.masked_fill_(_before(stop - start, seen, window), -torch.inf)
            if hidden is not None:
                scores += hidden[:, None, :seen]
            probabilities = scores.softmax(-1)
            if p:
                bits = as_integers(probabilities)
                bits ^= as_signs(dropped(probabilities.shape, p), probabilities.dtype)
            out[:, start:stop] = torch.bmm(_kept(probabilities, p), values[:, :seen])
            kept.append(probabilities)
        ctx.save_for_backward(queries, keys, values, out, *kept)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        queries, keys, values, out, *saved = ctx.saved_tensors
        for_queries = torch.empty_like(queries)
        for_keys, for_values = torch.zeros_like(keys), torch.zeros_like(values)
        weights = (gradient * out).sum(-1, keepdim=True)
        for (start, stop, seen), signed in zip(ctx.blocks, saved, strict=True):
            part, kept = gradient[:, start:stop], _kept(signed, ctx.p)
            for_values[:, :seen] += torch.bmm(kept.transpose(1, 2), part)
            for_scores = torch.bmm(part, values[:, :seen].transpose(1, 2)).mul_(kept)
            for_scores.addcmul_(signed.abs(), weights[:, start:stop], value=-1)
            for_queries[:, start:stop] = torch.bmm(for_scores, keys[:, :seen])
            for_keys[:, :seen] += torch.bmm(for_scores.transpose(1, 2), queries[:, start:stop])
        for_queries, for_values = for_queries * ctx.scale, for_values / ctx.keep
        return for_queries, for_keys, for_values, None, None, None, None, None


def _blocks(queries: int, keys: int, is_causal: bool) -> list[tuple[int, int, int]]:
    """Return first and last query of every block, and how many keys its last query sees."""
    ends = [(start, min(start + BLOCK, queries)) for start in range(0, queries, BLOCK)]
    return [(start, end, end + keys - queries if is_causal else keys) for start, end in ends]


def scores(queries: int, keys: int, *, is_causal: bool = True) -> int:
    """Return how many scores of a matrix are computed, and kept for the backward pass."""
    return sum((stop - start) * seen for start, stop, seen in _blocks(queries, keys, is_causal))


def _later(size: int, like: torch.Tensor) -> torch.Tensor:
    """Return minus infinity above the diagonal, else zeros."""
    return torch.full((size, size), -torch.inf, dtype=like.dtype).triu_(1)


def _before(queries: int, keys: int, window: int) -> torch.Tensor:
    """Return which keys lie before the window of each query; the last query has the last key."""
    positions = torch.arange(keys - queries, keys)[:, None]
    return torch.arange(keys) <= positions - window


def _kept(signed: torch.Tensor, p: float) -> torch.Tensor:
    return signed.relu() if p else signed
