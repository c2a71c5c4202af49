"""Which layers of a model get an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneproof.errors import InputError


def has_conv1d(model: Any) -> bool:
    """Return whether the model's layers store their weights as (in, out), as GPT-2's do."""
    from transformers.pytorch_utils import Conv1D

    return any(isinstance(module, Conv1D) for module in model.modules())


def check_targets(model: Any, wanted: Sequence[str], head: Sequence[str] = ()) -> None:
    """Raise InputError when a wanted layer cannot carry an adapter, naming those that can.

    Args:
        model: The base model.
        wanted: Ends of layer names, as in PEFT's `target_modules`.
        head: Names of the modules of a head that is trained whole.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    output = model.get_output_embeddings()
    names = {
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
        and module is not output
        and not is_within(name, head)
    }
    for target in wanted:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            kinds = sorted({name.rsplit(".", 1)[-1] for name in names})
            raise InputError(
                f"target_modules: the model has no layer {target!r} that can carry an adapter. "
                f"Layers: {', '.join(kinds)}"
            )


def is_within(name: str, modules: Sequence[str]) -> bool:
    """Return whether a module's or parameter's name is one of the modules or inside of one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def adapted_layers(model: Any) -> list[str]:
    """Return the kinds of layers that carry an adapter, by the end of their names."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if hasattr(model, "prompt_encoder"):
        return ["virtual tokens"]
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, BaseTunerLayer)
        }
    )
