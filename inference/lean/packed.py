"""Weights in the order that float32 products read them in, instead of the plain ones.

oneDNN would put a plain weight into that order for every product anew. A model that only answers
has no other use for it.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from core.swap import swap
from inference.lean import products

SMALL = 2**16
"""Numbers of a weight that is not worth it, as those of an adapter."""


def pack(model: Any) -> None:
    """Give up the plain weights of linear layers, for good, where a model answers on a CPU.

    Left alone is a weight that stands in two places, as an embedding's that is the head's too, and
    all within a layer of PEFT that is not plain LoRA: it may look at the weight.
    """
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    if core.device.type != "cpu":
        return
    uses = Counter(id(each) for _, each in core.named_parameters(remove_duplicate=False))
    left_alone = _inside_of_adapted(core)
    for layer in products.layers(core):
        alone = uses[id(layer.weight)] == 1 and layer not in left_alone
        if alone and layer.weight.numel() > SMALL:
            weight = products.reordered(layer)
            layer.weight.data = layer.weight.new_empty(0)
            swap(layer, partial(products.product, weight=weight, bias=layer.bias))


def _inside_of_adapted(model: Any) -> set[Any]:
    """Return all modules in layers of PEFT, but for what a plain LoRA layer is based on."""
    from peft.tuners.lora import Linear as LoraLinear
    from peft.tuners.tuners_utils import BaseTunerLayer

    found: set[Any] = set()
    for layer in model.modules():
        if isinstance(layer, BaseTunerLayer):
            found |= set(layer.modules())
            if type(layer) is LoraLinear and not layer.lora_variant:
                found.discard(layer.base_layer)
    return found
