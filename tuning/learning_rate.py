"""The learning rate where none is given: smaller for wider models, larger for adapters."""

from __future__ import annotations

FULL = 5e-5
"""For all weights of a model of WIDTH."""
ADAPTER_FACTOR = 10
"""How much more an adapter needs than all weights (Schulman et al. 2025, "LoRA Without Regret")."""
WIDTH = 2000
EXPONENT = 0.781
"""How the best rate falls with the width: fitted on Llama models in the same work."""


def default_learning_rate(width: int, *, is_adapter: bool) -> float:
    """Return a peak learning rate for AdamW, rounded to two digits.

    Args:
        width: The model's hidden size: 2.5e-3 for an adapter at 256, 1.1e-3 at 768, 2.9e-4 at 4096.
        is_adapter: Whether an adapter is trained, or the model's own weights.
    """
    rate = FULL * (ADAPTER_FACTOR if is_adapter else 1) * (WIDTH / width) ** EXPONENT
    return float(f"{rate:.1e}")
