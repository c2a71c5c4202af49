"""Causal attention over right-padded batches, a block of queries at a time.

No key after a query is looked at, not even to be masked, and no padding mask is needed: what stands
after a text is seen by none of its tokens. torch's own kernel for CPUs knows no dropout and falls
back to whole matrices of scores and of masks where there is any; here dropout is the sign bit of a
probability, so that one matrix is kept for both.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import repeat_kv

from tuning.fast.bits import as_integers, as_signs, chance, dropped
from tuning.fast.precision import multiplied_in
from tuning.fast.swap import Undo

NAME = "tuneproof_causal"
"""Under which transformers finds this attention; a name without a mask function of its own gets no
mask."""
ARCHITECTURES = ("gpt2", "llama", "qwen2")
"""Decoders whose attention is causal and nothing else, unless a window is set."""
BLOCK = 128
"""Queries at a time."""


def attention(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scale: float, p: float = 0.0
) -> torch.Tensor:
    """Return causal attention, of the shape of the queries.

    Args:
        queries: Shape (matrices, queries, width); the last query belongs to the last key.
        keys: Shape (matrices, keys, width).
        values: Shape (matrices, keys, width).
        scale: The scores' factor.
        p: The chance that a probability is dropped.
    """
    out: torch.Tensor = _Attention.apply(queries, keys, values, scale, p)
    return out


class _Attention(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any,
        queries: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        scale: float,
        p: float,
    ) -> torch.Tensor:
        ctx.scale, ctx.p, ctx.keep = scale, p, 1 - chance(p)
        queries, values = queries * scale, values / ctx.keep
        out, found = torch.empty_like(queries), []
        for start, stop, seen in _blocks(queries, keys):
            scores = torch.bmm(queries[:, start:stop], keys[:, :seen].transpose(1, 2))
            scores[:, :, seen - (stop - start) :] += _later(stop - start, scores)
            probabilities = scores.softmax(-1)
            if p:
                bits = as_integers(probabilities)
                bits ^= as_signs(dropped(probabilities.shape, p), probabilities.dtype)
            out[:, start:stop] = torch.bmm(_kept(probabilities, p), values[:, :seen])
            found.append(probabilities)
        ctx.save_for_backward(queries, keys, values, out, *found)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        queries, keys, values, out, *found = ctx.saved_tensors
        for_queries = torch.empty_like(queries)
        for_keys, for_values = torch.zeros_like(keys), torch.zeros_like(values)
        weights = (gradient * out).sum(-1, keepdim=True)
        for (start, stop, seen), signed in zip(_blocks(queries, keys), found, strict=True):
            part, kept = gradient[:, start:stop], _kept(signed, ctx.p)
            for_values[:, :seen] += torch.bmm(kept.transpose(1, 2), part)
            for_scores = torch.bmm(part, values[:, :seen].transpose(1, 2)).mul_(kept)
            for_scores.addcmul_(signed.abs(), weights[:, start:stop], value=-1)
            for_queries[:, start:stop] = torch.bmm(for_scores, keys[:, :seen])
            for_keys[:, :seen] += torch.bmm(for_scores.transpose(1, 2), queries[:, start:stop])
        return for_queries * ctx.scale, for_keys, for_values / ctx.keep, None, None


def _blocks(queries: torch.Tensor, keys: torch.Tensor) -> list[tuple[int, int, int]]:
    """Return first and last query of every block, and how many keys its last query sees."""
    count, before = queries.shape[1], keys.shape[1] - queries.shape[1]
    return [
        (start, min(start + BLOCK, count), min(start + BLOCK, count) + before)
        for start in range(0, count, BLOCK)
    ]


def _later(size: int, like: torch.Tensor) -> torch.Tensor:
    """Return minus infinity above the diagonal, else zeros."""
    return torch.full((size, size), -torch.inf, dtype=like.dtype).triu_(1)


def _kept(signed: torch.Tensor, p: float) -> torch.Tensor:
    return signed.relu() if p else signed


def replace(model: nn.Module) -> list[Undo]:
    """Let a model attend this way where that is the same; return what takes it back."""
    config = model.config
    windows = set(getattr(config, "layer_types", None) or ()) - {"full_attention"}
    before = config._attn_implementation
    if config.model_type not in ARCHITECTURES or windows or before != "sdpa":
        return []
    AttentionInterface.register(NAME, _interface)
    config._attn_implementation = NAME
    guard = model.register_forward_pre_hook(_check, with_kwargs=True)

    def undo() -> None:
        config._attn_implementation = before
        guard.remove()

    return [undo]


def _check(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
    mask = kwargs.get("attention_mask")
    if mask is not None and bool((mask[:, 1:] > mask[:, :-1]).any()):
        raise RuntimeError("this way of attention needs padding on the right")


def _interface(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers asks: (batch, heads, tokens, width) in, (batch, tokens, ...) out."""
    if (groups := getattr(module, "num_key_value_groups", 1)) > 1:
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    batch, heads, count, width = query.shape
    dtype = multiplied_in(query)
    joined = [each.to(dtype).reshape(batch * heads, -1, width) for each in (query, key, value)]
    scale = width**-0.5 if scaling is None else scaling
    with torch.autocast(query.device.type, enabled=False):
        out = attention(joined[0], joined[1], joined[2], scale, dropout)
    return out.view(batch, heads, count, width).transpose(1, 2), None
