"""Turn on the kernels for answering: one context around the forward passes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tuneproof.kernels import decoding_attention
from tuneproof.kernels.elementwise import use_fused_gelu
from tuneproof.kernels.lora_rows import route_rows
from tuneproof.kernels.memory import keep_freed_memory
from tuneproof.kernels.onednn import use_onednn
from tuneproof.kernels.swap import Undo, swap
from tuneproof.models.adapters import core_of

MANY = 64
"""From so many rows on, faster products are worth the memory of a second copy of the weights."""


def take_rows(head: Any) -> list[Undo]:
    """Have an output head in 16 bits take positions as rows of one matrix; return what undoes it.

    The last position of every prompt is a strided view. Without gradients torch multiplies such
    rows one by one: SmolLM2's head takes 1.7 s of a CPU for twelve of them instead of 8 ms.
    """
    if type(head) is not nn.Linear or head.weight.dtype == torch.float32:
        return []
    plain = head.forward

    def forward(states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = plain(states.reshape(-1, states.shape[-1]))
        return logits.view(*states.shape[:-1], -1)

    return [swap(head, forward)]


@contextmanager
def fast_answering(model: Any, *, is_unpadded: bool = False, rows: int = 1) -> Iterator[None]:
    """Compute faster while the block runs.

    On a GPU only the rows of LoRA adapters go another way than PEFT's, which gathers them anew in
    every layer; the rest is for CPUs.

    Args:
        model: PEFT's wrapper or not.
        is_unpadded: Whether attention leaves padding out instead of masking it: the model must
            have been tried, see `is_padded` in inference/decode.py.
        rows: How many rows are decoded together.
    """
    core = core_of(model)
    undo: list[Undo] = []
    try:
        undo += route_rows(model)
        if core.device.type == "cpu":
            undo += take_rows(core.get_output_embeddings())
            undo += keep_freed_memory()
            undo += use_onednn(core, copies_weights=rows >= MANY)
            undo += use_fused_gelu(core)
            undo += decoding_attention.attend_without_padding(core) if is_unpadded else []
        yield
    finally:
        for take_back in reversed(undo):
            take_back()
