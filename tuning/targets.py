"""Which layers of a model get an adapter."""

from __future__ import annotations

from typing import Any

from core.errors import InputError


def has_conv1d(model: Any) -> bool:
    """Return whether the model's layers store their weights as (in, out), as GPT-2's do."""
    from transformers.pytorch_utils import Conv1D

    return any(isinstance(module, Conv1D) for module in model.modules())


def check_targets(model: Any, wanted: tuple[str, ...]) -> None:
    """Raise InputError when a wanted layer cannot carry an adapter, naming those that can.

    Args:
        model: The base model.
        wanted: Ends of layer names, as in PEFT's `target_modules`.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    head = model.get_output_embeddings()
    names = {
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and module is not head
    }
    for target in wanted:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            kinds = sorted({name.rsplit(".", 1)[-1] for name in names})
            raise InputError(
                f"target_modules: the model has no layer {target!r} that can carry an adapter. "
                f"Layers: {', '.join(kinds)}"
            )


def adapted_layers(model: Any) -> list[str]:
    """Return the kinds of layers that carry an adapter, by the end of their names."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, BaseTunerLayer)
        }
    )
