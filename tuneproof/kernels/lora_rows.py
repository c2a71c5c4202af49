"""LoRA where the rows of a batch go through different adapters, each one's rows side by side.

PEFT gathers the rows of every adapter and scatters what comes out; where they stand side by side,
they can be used in place, and the second product adds to what the base gives in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import groupby
from typing import Any

import torch
from torch import nn

from tuneproof.kernels.swap import Undo, swap

TELLING = "_enable_peft_forward_hooks"
"""PEFT's way to tell every layer the adapters of the rows: a hook for each, at every step anew."""


def replace(model: nn.Module) -> list[Undo]:
    """Replace every plain LoRA layer of a model; return what takes each back.

    Where no other layer is to be told anything, PEFT's wrapper tells nothing but these, and at
    once.
    """
    from peft.tuners.lora import Linear as LoraLinear  # what it says on import is silenced by now
    from peft.tuners.lora import LoraLayer

    layers: list[Any] = [each for each in model.modules() if isinstance(each, LoraLayer)]
    plain = [each for each in layers if type(each) is LoraLinear and not each.lora_variant]
    told: list[Sequence[str]] = []
    undo = [swap(layer, _forward(layer, told)) for layer in plain]
    tuner: Any = getattr(model, "base_model", None)
    if len(plain) == len(layers) and hasattr(tuner, TELLING):
        setattr(tuner, TELLING, partial(_telling, told))
        undo.append(partial(delattr, tuner, TELLING))
    return undo


@contextmanager
def _telling(
    told: list[Sequence[str]], *_: Any, adapter_names: Sequence[str] | None = None, **__: Any
) -> Iterator[None]:
    """Let all layers know the adapters of the rows while the block runs."""
    told[:] = [adapter_names] if adapter_names else []
    try:
        yield
    finally:
        told.clear()


def _forward(layer: Any, told: list[Sequence[str]]) -> Callable[..., torch.Tensor]:
    plain = layer.forward

    def forward(values: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if told:
            kwargs["adapter_names"] = told[0]
        names = kwargs.get("adapter_names")
        if names is None or args or len(kwargs) > 1 or layer.disable_adapters or layer.merged:
            out: torch.Tensor = plain(values, *args, **kwargs)
            return out
        found = runs(tuple(names))
        if len(found) > len(set(names)):
            out = plain(values, *args, **kwargs)
            return out
        out = layer.base_layer(values).contiguous()
        for name, rows in found:
            if name in layer.lora_A:
                down, up, scale = layer.lora_A[name], layer.lora_B[name], layer.scaling[name]
                few = values[rows].flatten(0, -2).to(down.weight.dtype) @ down.weight.T
                some = out[rows].view(-1, out.shape[-1])
                if some.dtype == few.dtype and up.bias is None:
                    some.addmm_(few, up.weight.T, alpha=scale)
                else:
                    some.add_(up(few), alpha=scale)
        return out

    return forward


@lru_cache(maxsize=64)
def runs(names: Sequence[str]) -> tuple[tuple[str, slice], ...]:
    """Return which rows one after the other have the same name."""
    found, start = [], 0
    for name, same in groupby(names):
        stop = start + len(list(same))
        found.append((name, slice(start, stop)))
        start = stop
    return tuple(found)
