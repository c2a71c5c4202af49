"""Count the floating-point operations of a training, of the work that is really done.

The rule. A multiply-add is two operations. A linear layer costs 2 x in x out per position forward;
as much again backward where a gradient is passed on to its input, and once more where its own
weight is trained: a frozen weight needs no gradient, and layers before the first trained one are
not reached at all. Attention costs 4 x heads x width per pair of positions of a row forward, masked
pairs included, and twice that backward. Activation checkpointing repeats the forward pass of the
layers. The output head costs what goes through it: with the compact loss only the positions that
are trained on. Padding and virtual tokens are positions like any other; in a batch that is packed
(tuneproof/kernels/packing.py) there is no padding, and a common beginning is there once.

Left out: what costs no matrix product (norms, activations, softmax, lookups, the optimizer, the
dequantisation of 4-bit weights), DoRA's norms, AdaLoRA's penalty, and evaluations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuneproof.models.adapters import core_of

PROBED_TOKENS = 4
"""Positions of the forward pass by which a model is probed."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What a training step costs, in operations."""

    per_position: int
    """Operations of the linear layers that read every position."""
    per_row: int
    """Operations of layers that read one position of a row, such as a head on a pooled text."""
    per_pair: int
    """Operations of the attention, per pair of positions of a row."""
    per_output: int
    """Operations of the output head, per position that goes through it."""
    virtual: int
    """Virtual tokens that are read before every text."""

    def batch(self, rows: int, tokens: int) -> int:
        """Return the operations of one batch, those of its output head apart.

        Args:
            rows: Texts in the batch.
            tokens: Of each, padding included.
        """
        positions = tokens + self.virtual
        return rows * (self.packed(positions, positions**2) + self.per_row)

    def packed(self, positions: int, pairs: int) -> int:
        """Return those of so many positions, and pairs of them in matrices of attention."""
        return positions * self.per_position + pairs * self.per_pair


def rates_of(model: Any, *, is_checkpointing: bool = False) -> Rates:
    """Return the costs of a step, from a model's shapes and its trained weights.

    A forward pass over a few tokens shows which layers work, and where gradients go.

    Args:
        model: The model as it is trained, with its adapter.
        is_checkpointing: Whether activations are computed twice.
    """
    inner = core_of(model)
    head = inner.get_output_embeddings()
    again = _repeated(model) if is_checkpointing else set()
    totals = {"position": 6 * _loose_products(model), "row": 0, "output": 0}
    probed = _probed(model)
    for module, positions, passes_on in probed:
        factor = 1 + passes_on + module.weight.requires_grad + (module in again)
        kind = "output" if module is head else "row" if positions == 1 else "position"
        totals[kind] += 2 * _size(module) * factor
    shape = inner.config.get_text_config()
    heads = getattr(shape, "num_attention_heads", 0)  # Mamba has none
    width = getattr(shape, "head_dim", None) or shape.hidden_size // max(1, heads)
    is_reached = any(passes_on and positions > 1 for _, positions, passes_on in probed)
    passes = 1 + (2 if is_reached else 0) + (1 if again else 0)
    return Rates(
        per_position=totals["position"],
        per_row=totals["row"],
        per_pair=4 * shape.num_hidden_layers * heads * width * passes,
        per_output=totals["output"],
        virtual=max(positions for _, positions, _ in probed) - PROBED_TOKENS,
    )


def gpus_of(model: Any) -> list[Any]:
    """Return the GPU whose random state a model's forward pass moves on, if it is on one."""
    return [model.device] if model.device.type == "cuda" else []


def _loose_products(model: Any) -> int:
    """Return the products of trained matrices that are no layers, as AdaLoRA's."""
    import torch

    return sum(
        value.numel()
        for module in model.modules()
        if isinstance(module, torch.nn.ParameterDict)
        for value in module.values()
        if value.requires_grad and value.dim() == 2 and min(value.shape) > 1
    )


def _size(module: Any) -> int:
    """Return how many products a linear layer does per position."""
    if hasattr(module, "in_features"):
        return int(module.in_features * module.out_features)
    return int(module.weight.numel())  # GPT-2's Conv1D


def _repeated(model: Any) -> set[Any]:
    """Return the modules whose forward pass checkpointing does twice."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = (part for part in model.modules() if isinstance(part, GradientCheckpointingLayer))
    return {module for layer in layers for module in layer.modules()}


def _probed(model: Any) -> list[tuple[Any, int, bool]]:
    """Return every linear layer that works, its positions, and if its input needs a gradient."""
    import torch
    from transformers.pytorch_utils import Conv1D

    working: list[tuple[Any, int, bool]] = []

    def note(module: Any, inputs: tuple[Any, ...]) -> None:
        values = inputs[0]
        positions = values.numel() // values.shape[-1]
        working.append((module, positions, bool(values.requires_grad)))

    handles = [
        module.register_forward_pre_hook(note)
        for module in model.modules()
        if isinstance(module, torch.nn.Linear | Conv1D) and not hasattr(module, "base_layer")
    ]
    ids = torch.ones(1, PROBED_TOKENS, dtype=torch.long, device=model.device)
    # a mask's values are looked at, and a model on `meta` has none
    mask = {} if model.device.type == "meta" else {"attention_mask": torch.ones_like(ids)}
    was_training = model.training
    try:
        with torch.random.fork_rng(gpus_of(model)), torch.enable_grad():
            model.train()(input_ids=ids, **mask)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    return working
