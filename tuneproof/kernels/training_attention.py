"""Register block_attention.py with transformers, and let a model in training attend by it.

Decoders need no padding mask: batches are padded on the right, and a causal token sees nothing to
its right. They also take batches packed into one row. Encoders get a mask of the keys that are
padding.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import repeat_kv
from transformers.masking_utils import sdpa_mask

from tuneproof.kernels.block_attention import BOTH_WAYS, CAUSAL, attention
from tuneproof.kernels.decoding_attention import is_causal_only, queries_per_key
from tuneproof.kernels.linear import multiplied_in
from tuneproof.kernels.packing import Packing, attend_packed
from tuneproof.kernels.swap import Undo

ENCODERS = ("bert", "distilbert", "roberta")
"""They see everything but the padding, unless they are set to be decoders."""


def attends_in_blocks(model: Any) -> bool:
    """Return whether a decoder attends by these kernels, and so takes packed batches."""
    return bool(model.config._attn_implementation == CAUSAL)


def attend_in_blocks(model: nn.Module) -> list[Undo]:
    """Let a model attend by these kernels where that is the same; return what takes it back."""
    config = model.config
    before = config._attn_implementation
    is_decoder = is_causal_only(config)
    is_encoder = (
        before == "sdpa"
        and config.model_type in ENCODERS
        and not getattr(config, "is_decoder", False)
    )
    if not (is_decoder or is_encoder):
        return []
    AttentionInterface.register(CAUSAL, partial(_attend, is_causal=True))
    AttentionInterface.register(BOTH_WAYS, partial(_attend, is_causal=False))
    AttentionMaskInterface.register(BOTH_WAYS, sdpa_mask)
    config._attn_implementation = CAUSAL if is_decoder else BOTH_WAYS
    guard = model.register_forward_pre_hook(_check, with_kwargs=True) if is_decoder else None

    def undo() -> None:
        config._attn_implementation = before
        if guard is not None:
            guard.remove()

    return [undo]


def _check(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
    mask = kwargs.get("attention_mask")
    if mask is not None and bool((mask[:, 1:] > mask[:, :-1]).any()):
        raise RuntimeError("attention in blocks needs padding on the right")


def _attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    *,
    is_causal: bool,
    packing: Packing | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers asks: (batch, heads, tokens, width) in, (batch, tokens, ...) out."""
    if (groups := queries_per_key(module)) > 1:
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    batch, heads, count, width = query.shape
    dtype = multiplied_in(query)
    scale = width**-0.5 if scaling is None else scaling
    if packing is not None:
        row = [states[0].to(dtype) for states in (query, key, value)]
        with torch.autocast(query.device.type, enabled=False):
            packed = attend_packed(row[0], row[1], row[2], packing, scale, dropout)
        return packed.transpose(0, 1)[None], None
    joined = [states.to(dtype).reshape(batch * heads, -1, width) for states in (query, key, value)]
    hidden = None
    if attention_mask is not None:  # True where seen, the same for every query
        seen = attention_mask[:, 0, 0]
        hidden = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, -torch.inf)
        hidden = hidden.repeat_interleave(heads, 0)
    with torch.autocast(query.device.type, enabled=False):
        out = attention(
            joined[0], joined[1], joined[2], scale, dropout, hidden=hidden, is_causal=is_causal
        )
    return out.view(batch, heads, count, width).transpose(1, 2), None
