"""Counting the floating-point operations of a training."""

from __future__ import annotations

from collections.abc import Mapping


def training(parameters: Mapping[str, int], tokens: int, *, reaches_layers: bool = True) -> int:
    """Return an estimate of the operations that a training took.

    A multiply-add is two operations. Every parameter costs 2 per token forward and 2 backward for
    the gradient that is passed on; a trained one costs 2 more for its own gradient. Attention
    scores, norms and padding are left out.

    Args:
        parameters: `trainable` and `total`.
        tokens: Tokens seen, padding not counted.
        reaches_layers: Whether gradients are passed on through the layers. A head alone reads one
            position of each example, which is left out.
    """
    if not reaches_layers:
        return tokens * 2 * parameters["total"]
    return tokens * (4 * parameters["total"] + 2 * parameters["trainable"])
