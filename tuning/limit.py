"""How fast a training was, beside what the machine's matrix products alone would allow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

ROWS, WIDTH, OUT = 1024, 1024, 4096
"""Of the product that is measured: large, and in a cache."""
ROUNDS = 7


def matrix_rate(device: str, *, is_bf16: bool) -> float:
    """Return the operations per second of large matrix products here, right now.

    A product of (n, k) by (k, m) counts 2 n k m.
    """
    import torch

    dtype = torch.bfloat16 if is_bf16 else torch.float32
    left = torch.randn(ROWS, WIDTH, device=device).to(dtype)
    right = torch.randn(WIDTH, OUT, device=device).to(dtype)
    seconds = []
    for _ in range(ROUNDS + 2):
        began = time.perf_counter()
        product = left @ right
        float(product[0, 0])  # waits for a GPU
        seconds.append(time.perf_counter() - began)
    return 2.0 * ROWS * WIDTH * OUT / median(seconds[2:])


def speed(result: Mapping[str, Any], rate: float) -> dict[str, float]:
    """Return useful tokens per second, and the share of the limit that their operations take.

    Args:
        result: Of a run: `tokens_seen`, `positions_seen` (with padding, and what a packed batch
            begins with once), `flops`, of which `head_flops`, and `train_seconds`. The operations
            of the useful tokens are those of the layers by token instead of by position, so that
            sharing can lead beyond the limit, and the output head's.
        rate: Of the machine's matrix products, in operations per second.
    """
    seconds = result["train_seconds"] or float("inf")
    layers = result["flops"] - result["head_flops"]
    useful = layers * result["tokens_seen"] / max(1, result["positions_seen"])
    useful += result["head_flops"]
    return {
        "tokens_per_second": round(result["tokens_seen"] / seconds, 1),
        "matrix_flops_per_second": round(rate),
        "share_of_limit": round(useful / seconds / rate, 4),
    }


def speed_line(found: Mapping[str, float], *, is_bf16: bool) -> str:
    """Return what `speed` found as a sentence."""
    return (
        f"{found['tokens_per_second']:,.0f} tokens/s: {found['share_of_limit']:.0%} of what this "
        f"machine's {'bfloat16' if is_bf16 else 'float32'} matrix products "
        f"({found['matrix_flops_per_second'] / 1e9:,.0f} GFLOP/s) would allow"
    )
