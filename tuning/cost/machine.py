"""Memory and speed of a training on this machine: estimated before it, measured after it."""

from __future__ import annotations

import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

from tuneproof.formats.run import Counts, Speed
from tuneproof.models import load as models
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.cost.meter import Spent
from tuneproof.tuning.methods import METHODS

LIBRARIES = 1.0 * 2**30
"""What Python, torch, transformers, peft and trl take by themselves, with their working memory."""
VALUES_PER_LAYER = 34
"""Values kept for the backward pass per token, layer and unit of width (Korthikanti et al. 2022,
https://arxiv.org/abs/2205.05198, counted in half-precision bytes, attention scores apart)."""
SCORES = 3
"""Copies of the attention scores that are kept per layer, where they are computed whole, as on a
CPU."""
CLEAR = Path("/proc/self/clear_refs")
"""Linux forgets the most that a process has held when a 5 is written here."""
ROWS, WIDTH, OUT = 1024, 1024, 4096
"""Sizes of the product that is measured: large, and in a cache."""
ROUNDS = 7


def estimated_memory(model: Any, config: TuneConfig, counts: Counts) -> float:
    """Return the peak in bytes: libraries, weights, gradients, optimizer, one batch's activations.

    It is rough: within a factor of two of what `tiny` was seen to take on a CPU.

    Args:
        model: The loaded model with its adapter.
        config: Batch size, longest example, checkpointing.
        counts: Of the training records.
    """
    shape = model.config.get_text_config()
    width, layers = models.width(model), int(shape.num_hidden_layers)
    values = [
        (value.numel(), value.element_size(), value.requires_grad) for value in model.parameters()
    ]
    weights = sum(count * size for count, size, _ in values)
    trained = sum(count for count, _, is_trained in values if is_trained)
    longest = counts.longest or 0  # the first batch is made of the longest examples
    tokens = config.per_device_train_batch_size * longest
    per_layer = 2 if config.gradient_checkpointing else VALUES_PER_LAYER // 2
    kept = layers if METHODS[config.method].reaches_layers else 1
    activations = 4 * tokens * width * kept * per_layer
    heads = int(getattr(shape, "num_attention_heads", 0))  # Mamba has none
    scores = 4 * SCORES * tokens * longest * heads * (1 if config.gradient_checkpointing else kept)
    share = (counts.trained_tokens or 0) / counts.tokens
    logits = 3 * 4 * tokens * share * int(shape.vocab_size)
    return float(LIBRARIES + weights + 3 * 4 * trained + activations + scores + logits)


def forget_peaks() -> None:
    """Reset the peaks of memory, where the system can; several runs may share one process."""
    import torch

    with suppress(OSError):
        CLEAR.write_text("5")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_bytes() -> int:
    """Return the most memory that this process has held since then."""
    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def gpu_peak() -> dict[str, int]:
    """Return the most GPU memory that torch has held since then, where there is a GPU."""
    import torch

    if not torch.cuda.is_available():
        return {}
    return {"peak_gpu_memory_bytes": torch.cuda.max_memory_allocated()}


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


def speed(spent: Spent, rate: float) -> Speed:
    """Return useful tokens per second, and the share of the limit that their operations take.

    Args:
        spent: By a training. The operations of the useful tokens are those of the layers by token
            instead of by position, so that sharing can lead beyond the limit, and the output
            head's.
        rate: Of the machine's matrix products, in operations per second.
    """
    seconds = spent.seconds or float("inf")
    layers = spent.flops - spent.head_flops
    useful = layers * spent.tokens / max(1, spent.positions) + spent.head_flops
    return Speed(
        tokens_per_second=round(spent.tokens / seconds, 1),
        matrix_flops_per_second=round(rate),
        share_of_limit=round(useful / seconds / rate, 4),
    )


def speed_line(speed: Speed, *, is_bf16: bool) -> str:
    """Return the speed as a sentence."""
    return (
        f"{speed.tokens_per_second:,.0f} tokens/s: {speed.share_of_limit:.0%} of what this "
        f"machine's {'bfloat16' if is_bf16 else 'float32'} matrix products "
        f"({speed.matrix_flops_per_second / 1e9:,.0f} GFLOP/s) would allow"
    )
