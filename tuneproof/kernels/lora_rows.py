"""LoRA for batches that mix adapters, where the rows of one adapter are neighbours.

PEFT gathers the rows of every adapter and scatters the results. Rows that are neighbours are a
slice: the second product of LoRA adds into the base's output directly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import torch
from torch import nn

from tuneproof.kernels.swap import Undo, swap


def route_rows(model: nn.Module) -> list[Undo]:
    """Compute every plain LoRA layer of a model by slices of rows; return what undoes each.

    Where all its LoRA layers are plain, the names of the rows' adapters reach them by one list that
    they share. PEFT puts a hook on every layer for that, at every step anew; here hooks on the
    wrapper take the names before PEFT sees them.

    Args:
        model: PEFT's wrapper, called with `adapter_names`; any other is left as it is.
    """
    from peft import PeftModel  # heavy
    from peft.tuners.lora import Linear as LoraLinear
    from peft.tuners.lora import LoraLayer

    layers: list[Any] = [layer for layer in model.modules() if isinstance(layer, LoraLayer)]
    plain = [layer for layer in layers if type(layer) is LoraLinear and not layer.lora_variant]
    routed: list[Sequence[str]] = []
    undo = [swap(layer, _forward(layer, routed)) for layer in plain]
    if not plain or len(plain) < len(layers) or not isinstance(model, PeftModel):
        return undo

    def take_names(_: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        names = kwargs.pop("adapter_names", None)
        routed[:] = [names] if names else []
        return args, kwargs

    def forget_names(*_: Any) -> None:
        routed.clear()

    before = model.register_forward_pre_hook(take_names, with_kwargs=True)
    after = model.register_forward_hook(forget_names, always_call=True)
    return [*undo, before.remove, after.remove]


def _forward(layer: Any, routed: list[Sequence[str]]) -> Callable[..., torch.Tensor]:
    plain = layer.forward

    def forward(values: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if routed:
            kwargs["adapter_names"] = routed[0]
        names = kwargs.get("adapter_names")
        if names is None or args or len(kwargs) > 1 or layer.disable_adapters or layer.merged:
            out: torch.Tensor = plain(values, *args, **kwargs)
            return out
        tokens, left = divmod(len(values), len(names))
        if left:
            raise RuntimeError(f"{len(values)} rows of {len(names)} texts reach a LoRA layer")
        ranges = runs(tuple(names), tokens)
        if len(ranges) > len(set(names)):
            kwargs["adapter_names"] = [name for name in names for _ in range(tokens)]
            out = plain(values, *args, **kwargs)
            return out
        out = layer.base_layer(values).contiguous()
        for name, rows in ranges:
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
def runs(names: Sequence[str], tokens: int = 1) -> tuple[tuple[str, slice], ...]:
    """Return the slices of neighbouring rows that have the same name.

    Args:
        names: Of the texts.
        tokens: Rows of each text: some models (OPT) put all tokens under each other.
    """
    ranges, start = [], 0
    for name, same in groupby(names):
        stop = start + tokens * len(list(same))
        ranges.append((name, slice(start, stop)))
        start = stop
    return tuple(ranges)
