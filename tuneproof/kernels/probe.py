"""Find out on a few tokens whether a model computes the same by other kernels.

A model's name says little: families share code, and a config can change it. What is left open by a
probe are windows of attention, which are longer than its texts: there the kernels are told the
window, and a probe counts the layers that tell it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer

from tuneproof.models.four_bit import quantized_modules

log = logging.getLogger(__name__)

TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-4}
"""Differences that are rounding, relative to the largest value, by dtype."""
TOLERANCE = 5e-2
"""Likewise in a dtype of two bytes."""
FAULTS = (
    ArithmeticError, AttributeError, IndexError, KeyError, NotImplementedError, RuntimeError,
    TypeError, ValueError,
)  # fmt: skip
"""What a model may raise that is called in a way it does not know."""


class Calls:
    """Counts what a model asks of a kernel while it is tried."""

    all = 0
    """Calls."""
    windows = 0
    """Those that told a window."""

    @classmethod
    def count(cls, window: int | None) -> None:
        """Count one call of a kernel of attention."""
        cls.all += 1
        cls.windows += window is not None

    @classmethod
    def forget(cls) -> None:
        """Begin anew."""
        cls.all = cls.windows = 0


def is_alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two results differ by rounding alone; their shapes must be the same."""
    largest = other.abs().max().float()
    gap = (one.float() - other.float()).abs().max()
    return bool(gap <= TOLERANCES.get(other.dtype, TOLERANCE) * largest)


def is_same(compute: Callable[[], torch.Tensor], wanted: torch.Tensor) -> bool:
    """Return whether something can be computed so, and gives what is wanted."""
    try:
        return is_alike(compute(), wanted)
    except FAULTS as error:
        log.debug("not by this kernel: %s", error)
        return False


@contextmanager
def in_eval_mode(model: Any) -> Iterator[None]:
    """Compute without dropout and gradients, and exactly, while the block runs."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad(), in_own_dtype(model):
            yield
    finally:
        for module, was_training in modes:
            module.training = was_training


@contextmanager
def in_own_dtype(model: Any) -> Iterator[None]:
    """Have layers of 4 bits multiply in the model's own dtype while the block runs.

    They multiply in two bytes otherwise, whose rounding hides whether a model in float32 computes
    the same.
    """
    layers = [model.get_submodule(name) for name in quantized_modules(model)]
    dtypes = [layer.compute_dtype for layer in layers]
    for layer in layers:
        layer.compute_dtype = model.dtype
    try:
        yield
    finally:
        for layer, dtype in zip(layers, dtypes, strict=True):
            layer.compute_dtype = dtype


def sliding_layers(config: Any) -> int:
    """Return how many layers of a model see a window of the text only."""
    try:
        layers = DynamicCache(config=config.get_text_config()).layers
    except FAULTS:
        return 0  # an encoder, which keeps nothing
    return sum(isinstance(layer, DynamicSlidingWindowLayer) for layer in layers)
