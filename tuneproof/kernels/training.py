"""The faster ways by name, and switching them on while a model is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Undo = Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class FastPath:
    """A faster way to compute what a model computes."""

    summary: str
    """What is done otherwise."""
    module: str
    """Where its function `replace` is: it changes a model and returns what takes that back."""


FAST_PATHS = {
    "allocator": FastPath(
        summary="freed memory is kept for the next step", module="tuneproof.kernels.memory"
    ),
    "attention": FastPath(
        summary="attention in blocks; of decoders without a mask",
        module="tuneproof.kernels.training_attention",
    ),
    "dropout": FastPath(
        summary="dropout with cheap random numbers", module="tuneproof.kernels.dropout"
    ),
    "gelu": FastPath(summary="tanh GELU in one kernel", module="tuneproof.kernels.gelu"),
    "head": FastPath(
        summary="frozen head and cross-entropy together, without a matrix of all logits",
        module="tuneproof.kernels.cross_entropy",
    ),
    "linear": FastPath(
        summary="frozen weights cast once, LoRA in three products",
        module="tuneproof.kernels.linear",
    ),
    "packing": FastPath(
        summary="no padding, and what all texts of a batch begin with once",
        module="tuneproof.kernels.packing",
    ),
}


@contextmanager
def fast_paths(model: Any, without: Sequence[str] = ()) -> Iterator[dict[str, int]]:
    """Compute faster while the block runs; give how many places each way has changed.

    Only on a CPU: elsewhere torch's own kernels are the fast ones.

    Args:
        model: A model in training, its batches padded on the right; PEFT's wrapper or not.
        without: Names of the ways that are left out.
    """
    from importlib import import_module

    undo: dict[str, list[Undo]] = {}
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    try:
        if base.device.type == "cpu":
            for name, path in FAST_PATHS.items():
                if name not in without:
                    undo[name] = import_module(path.module).replace(base)
        yield {name: len(found) for name, found in undo.items() if found}
    finally:
        for found in undo.values():
            for back in found:
                back()
