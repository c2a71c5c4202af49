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
from tuneproof.kernels.decoding_attention import queries_per_key
from tuneproof.kernels.linear import multiplied_in
from tuneproof.kernels.packing import Packing, attend_packed, packing
from tuneproof.kernels.probe import Calls, in_eval_mode, is_same, sliding_layers
from tuneproof.kernels.swap import Undo

LENGTHS = (9, 7, 4)
"""Tokens of the texts that a model is tried on; they share the first two."""


def attend_in_blocks(model: nn.Module) -> list[Undo]:
    """Let a model attend by these kernels where that is the same; return what takes it back."""
    config = model.config
    before = config._attn_implementation
    if before != "sdpa":
        return []
    AttentionInterface.register(CAUSAL, partial(_attend, is_causal=True))
    AttentionInterface.register(BOTH_WAYS, partial(_attend, is_causal=False))
    AttentionMaskInterface.register(BOTH_WAYS, sdpa_mask)
    name = _name_that_fits(model, config)
    config._attn_implementation = name or before
    if name is None:
        return []
    guard = model.register_forward_pre_hook(_check, with_kwargs=True) if name == CAUSAL else None

    def undo() -> None:
        config._attn_implementation = before
        if guard is not None:
            guard.remove()

    return [undo]


def _name_that_fits(model: Any, config: Any) -> str | None:
    """Return by which of the kernels a model computes what it computes by torch's, if by any."""
    body, given = model.base_model, _texts(model)
    seen = given["attention_mask"].bool()
    windows = {CAUSAL: sliding_layers(config), BOTH_WAYS: 0}
    with in_eval_mode(model):
        wanted = body(**given)[0][seen]
        for name in (CAUSAL, BOTH_WAYS):
            config._attn_implementation = name
            Calls.forget()
            is_right = is_same(lambda: body(**given)[0][seen], wanted)
            if is_right and Calls.all and Calls.windows == windows[name]:
                return name
    return None


def takes_packed(model: Any) -> bool:
    """Return whether a model that attends by these kernels takes a batch packed into one row."""
    if model.config._attn_implementation != CAUSAL:
        return False
    body, given = model.base_model, _texts(model)
    ids, seen = given["input_ids"], given["attention_mask"].bool()
    packed = packing(ids, LENGTHS)
    examples, tokens = seen.nonzero(as_tuple=True)
    row, positions = packed.row(ids), packed.row(torch.arange(ids.shape[1]).expand_as(ids))
    arguments = {
        "attention_mask": torch.ones_like(row),
        "position_ids": positions,
        "packing": packed,
    }

    def compute() -> torch.Tensor:
        states = body(input_ids=row, use_cache=False, **arguments)[0][0]
        picked: torch.Tensor = states[packed.positions_of(examples, tokens)]
        return picked

    with in_eval_mode(model):
        return is_same(compute, body(**given)[0][seen])


def _texts(model: Any) -> dict[str, Any]:
    """Return texts of random tokens, padded on the right, as arguments of the model."""
    vocabulary = int(model.get_input_embeddings().weight.shape[0])
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(vocabulary, (len(LENGTHS), max(LENGTHS)), generator=draw)
    ids[:, :2] = ids[0, :2]
    mask = (torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]).long()
    return {"input_ids": ids, "attention_mask": mask, "use_cache": False}


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
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers asks: (batch, heads, tokens, width) in, (batch, tokens, ...) out."""
    Calls.count(sliding_window)
    if (groups := queries_per_key(module)) > 1:
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    batch, heads, count, width = query.shape
    dtype = multiplied_in(query)
    scale = width**-0.5 if scaling is None else scaling
    if packing is not None:
        row = [states[0].to(dtype) for states in (query, key, value)]
        with torch.autocast(query.device.type, enabled=False):
            packed = attend_packed(row[0], row[1], row[2], packing, scale, dropout, sliding_window)
        return packed.transpose(0, 1)[None], None
    joined = [states.to(dtype).reshape(batch * heads, -1, width) for states in (query, key, value)]
    hidden = None
    if attention_mask is not None:  # True where seen, the same for every query
        seen = attention_mask[:, 0, 0]
        hidden = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, -torch.inf)
        hidden = hidden.repeat_interleave(heads, 0)
    with torch.autocast(query.device.type, enabled=False):
        out = attention(
            joined[0], joined[1], joined[2], scale, dropout, hidden=hidden, is_causal=is_causal,
            window=sliding_window,
        )  # fmt: skip
    return out.view(batch, heads, count, width).transpose(1, 2), None
