"""Switching the lean ways on while a model answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from inference.lean import adapters, allocator, attending, gelu, products


@contextmanager
def lean(model: Any, *, attends: bool = True) -> Iterator[bool]:
    """Compute with less work on a CPU while the block runs; give whether padding is left out.

    Args:
        model: PEFT's wrapper or not.
        attends: Whether the block gives attention what tells it where padding is, if it can.
    """
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    is_packed = attends and not hasattr(model, "virtual_tokens") and attending.fits(core)
    ways = [allocator, adapters, gelu, products, *([attending] if is_packed else [])]
    undo = []
    try:
        if core.device.type == "cpu":
            undo += [back for way in ways for back in way.replace(core)]
        yield is_packed
    finally:
        for back in undo:
            back()
