"""Switching the lean ways on while a model answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tuneproof.kernels import decoding_attention as attending
from tuneproof.kernels import gelu
from tuneproof.kernels import lora_rows as adapters
from tuneproof.kernels import memory as allocator
from tuneproof.kernels import onednn as products

MANY = 64
"""Rows from which on products are worth a copy of the weights; it takes their memory once more."""


@contextmanager
def lean(model: Any, *, attends: bool = True, rows: int = 1) -> Iterator[bool]:
    """Compute with less work on a CPU while the block runs; give whether padding is left out.

    Args:
        model: PEFT's wrapper or not.
        attends: Whether the block gives attention what tells it where padding is, if it can.
        rows: How many the model goes on with, token after token.
    """
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    leaves_out = attends and not hasattr(model, "virtual_tokens") and attending.fits(core)
    undo = []
    try:
        if core.device.type == "cpu":
            undo += allocator.replace(model)
            undo += products.replace(model, takes_memory=rows >= MANY)
            for way in (adapters, gelu, *([attending] if leaves_out else [])):
                undo += way.replace(model)
        yield leaves_out
    finally:
        for back in reversed(undo):
            back()
