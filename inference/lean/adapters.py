"""LoRA where the rows of a batch go through different adapters, each one's rows side by side.

PEFT gathers the rows of every adapter and scatters what comes out; where they stand side by side,
they can be used in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import torch
from torch import nn

from core.swap import Undo, swap


def replace(model: nn.Module) -> list[Undo]:
    """Replace every plain LoRA layer of a model; return what takes each back."""
    from peft.tuners.lora import Linear as LoraLinear  # what it says on import is silenced by now

    return [
        swap(module, _forward(module))
        for module in model.modules()
        if type(module) is LoraLinear and not module.lora_variant
    ]


def _forward(module: Any) -> Callable[..., torch.Tensor]:
    plain = module.forward

    def forward(values: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        names = kwargs.get("adapter_names")
        if names is None or args or len(kwargs) > 1 or module.disable_adapters or module.merged:
            out: torch.Tensor = plain(values, *args, **kwargs)
            return out
        found = runs(tuple(names))
        if len(found) > len(set(names)):
            out = plain(values, *args, **kwargs)
            return out
        out = module.base_layer(values)
        for name, rows in found:
            if name in module.lora_A:
                down, up = module.lora_A[name], module.lora_B[name]
                more = up(down(values[rows].to(down.weight.dtype)))
                out[rows].add_(more, alpha=module.scaling[name])
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
