"""Estimating the memory of a training before it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuneproof.models import load as models
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS

LIBRARIES = 1.0 * 2**30
"""What Python, torch, transformers, peft and trl take by themselves, with their working memory."""
VALUES_PER_LAYER = 34
"""Values kept for the backward pass per token, layer and unit of width (Korthikanti et al. 2022,
https://arxiv.org/abs/2205.05198, counted in half-precision bytes, attention scores apart)."""
SCORES = 3
"""Copies of the attention scores that are kept per layer, where they are computed whole, as on a
CPU."""


def estimate(model: Any, config: TuneConfig, counts: Mapping[str, int]) -> float:
    """Return the peak in bytes: libraries, weights, gradients, optimizer, one batch's activations.

    It is rough: within a factor of two of what `tiny` was seen to take on a CPU.

    Args:
        model: The loaded model with its adapter.
        config: Batch size, longest example, checkpointing.
        counts: `tokens` and `longest` (in tokens) of the training records, and `trained_tokens`
            where the model predicts tokens.
    """
    shape = model.config.get_text_config()
    width, layers = models.width(model), int(shape.num_hidden_layers)
    values = [
        (value.numel(), value.element_size(), value.requires_grad) for value in model.parameters()
    ]
    weights = sum(count * size for count, size, _ in values)
    trained = sum(count for count, _, is_trained in values if is_trained)
    longest = counts["longest"]  # the first batch is made of the longest examples
    tokens = config.per_device_train_batch_size * longest
    per_layer = 2 if config.gradient_checkpointing else VALUES_PER_LAYER // 2
    kept = layers if METHODS[config.method].reaches_layers else 1
    activations = 4 * tokens * width * kept * per_layer
    heads = int(shape.num_attention_heads)
    scores = 4 * SCORES * tokens * longest * heads * (1 if config.gradient_checkpointing else kept)
    share = counts.get("trained_tokens", 0) / counts["tokens"]
    logits = 3 * 4 * tokens * share * int(shape.vocab_size)
    return float(LIBRARIES + weights + 3 * 4 * trained + activations + scores + logits)
