"""Memory and speed of a training on this machine: estimated before it, measured after it."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tuneproof.formats.run import Counts, Run, Speed
from tuneproof.kernels.cross_entropy import block_size
from tuneproof.models import load as models
from tuneproof.models.four_bit import weights_bytes
from tuneproof.tuning.cost.meter import Spent
from tuneproof.tuning.methods import METHODS

LIBRARIES = 0.9 * 2**30
"""What Python, torch, transformers, peft and trl take by themselves, with their working memory."""
GPUS = ("cuda", "meta")
"""The kinds of device whose memory is that of a GPU."""
GPU_LIBRARIES = 0.1 * 2**30
"""What matrix products take on a GPU for themselves; CUDA's own memory is not counted by torch."""
WIDE, INNER, GATED = 44, 6, 12
"""Bytes kept for the backward pass per token and layer, with 16-bit products: for each unit of the
width, and for each inner unit of a feed-forward block that has a gate or none. They are fitted on
measured trainings of tiny, GPT-2 (plain) and SmolLM2 (gated)."""
SCORES = 3
"""Copies of the attention scores that are kept per layer where they are computed whole (eager)."""
BLOCK = 10
"""Bytes per logit of a block of the loss."""
CLEAR = Path("/proc/self/clear_refs")
"""Linux forgets the most that a process has held when a 5 is written here."""
ROWS, WIDTH, OUT = 1024, 1024, 4096
"""Sizes of the product that is measured: large, and in a cache."""
GPU_SIZE = 8192
"""The same on a GPU, where a product of 1 TFLOP takes an H100 over a millisecond, and starting it
some microseconds."""
ROUNDS = 7


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The peak of a training, in bytes: on a GPU its memory, else the process's."""

    libraries: float
    """What is taken by the libraries themselves."""
    weights: float
    """Weights, as they are held and as they are multiplied."""
    trained: float
    """Gradients and the optimizer's state."""
    activations: float
    """What is kept for the backward pass."""
    logits: float
    """Logits and their gradients, as far as they exist at once."""

    @property
    def training(self) -> float:
        """What a loaded model needs in addition."""
        return self.trained + self.activations + self.logits

    @property
    def total(self) -> float:
        """The peak."""
        return self.libraries + self.weights + self.training


def estimated_memory(model: Any, run: Run, batch: int | None = None) -> Memory:
    """Return the peak of a training, within 15 % of what tiny, GPT-2 and SmolLM2 were seen to take.

    Args:
        model: The loaded model with its adapter.
        run: Its settings, its products, and the counts of the training records.
        batch: Examples at once, instead of the settings'.
    """
    return memory_of(model, run.config, run.data.train, run.products, batch)


def memory_of(
    model: Any,
    settings: Mapping[str, Any],
    counts: Counts,
    products: str,
    batch: int | None = None,
) -> Memory:
    """Return the peak of a training of these settings on these records; of one process of several.

    Args:
        model: The model with its adapter: loaded, or on ``meta`` for a GPU that need not be here.
        settings: As run.json has them.
        counts: Of the training records.
        products: The dtype of matrix products.
        batch: Examples at once, instead of the settings'.
    """
    is_gpu, size = model.device.type in GPUS, 4 if products == "float32" else 2
    rows = min(batch or settings["per_device_train_batch_size"], counts.examples)
    longest = counts.longest or 0  # the first batch is made of the longest examples
    trained = sum(value.numel() for value in model.parameters() if value.requires_grad)
    copies = sum(
        value.numel()
        for value in model.parameters()
        if value.dim() == 2 and value.element_size() > size and value.is_floating_point()
    )
    states = 2 if "8bit" in (settings["optim"] or "") else 8
    share = (counts.trained_tokens or 0) / max(1, counts.tokens)
    return Memory(
        libraries=GPU_LIBRARIES if is_gpu else LIBRARIES,
        weights=weights_bytes(model) + size * copies,
        trained=trained * (4 + states),
        activations=_activations(model, settings, rows * longest, longest, size),
        logits=_logits(model, rows * longest * share, rows * longest, size),
    )


def _activations(
    model: Any, settings: Mapping[str, Any], tokens: int, longest: int, size: int
) -> float:
    """Return the bytes that are kept for the backward pass.

    Args:
        model: The loaded model.
        settings: Of the run.
        tokens: Of a batch.
        longest: Tokens of its longest example.
        size: Bytes of a value in a product.
    """
    shape = model.config.get_text_config()
    width, layers = models.width(model), int(shape.num_hidden_layers)
    is_gated = any(name.endswith("gate_proj") for name, _ in model.named_modules())
    inner = getattr(shape, "intermediate_size", None) or getattr(shape, "n_inner", None)
    per_layer: float = WIDE * width + (GATED if is_gated else INNER) * int(inner or 4 * width)
    per_layer *= size / 2
    if getattr(shape, "_attn_implementation", None) == "eager":
        per_layer += SCORES * size * longest * int(getattr(shape, "num_attention_heads", 0))
    kept = layers if METHODS[settings["method"]].reaches_layers else 1
    if settings["gradient_checkpointing"]:
        return float(tokens * (per_layer + 4 * width * kept))
    return float(tokens * per_layer * kept)


def _logits(model: Any, trained: float, tokens: int, size: int) -> float:
    """Return the bytes of the logits that exist at once.

    Args:
        model: The loaded model.
        trained: Tokens of a batch that the loss covers.
        tokens: All of them.
        size: Bytes of a value in a product.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    head = inner.get_output_embeddings()
    if head is None:
        return 0.0
    vocabulary, is_gpu = int(model.config.get_text_config().vocab_size), model.device.type in GPUS
    block = min(trained, block_size(head.weight, vocabulary)) * vocabulary * BLOCK
    if not head.weight.requires_grad:
        return float(block)
    whole = trained * vocabulary  # a head that is trained has them all, with their gradients
    return float(block + 2 * size * whole if is_gpu else (size + 3 * 4) * whole)


def forget_peaks() -> None:
    """Reset the peaks of memory, where the system can; several runs may share one process."""
    import torch

    with suppress(OSError):
        CLEAR.write_text("5", encoding="ascii")
    if torch.cuda.is_available():
        gc.collect()  # the trainer of an earlier run refers to itself
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_bytes() -> int:
    """Return the most memory that this process has held since then."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    scale = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def gpu_peak() -> dict[str, int]:
    """Return the most GPU memory that torch has held since then, where there is a GPU."""
    import torch

    if not torch.cuda.is_available():
        return {}
    return {"peak_gpu_memory_bytes": torch.cuda.max_memory_allocated()}


def matrix_rate(device: str, products: str) -> float:
    """Return the operations per second of large matrix products here, right now.

    A product of (n, k) by (k, m) counts 2 n k m.

    Args:
        device: Where; on a GPU the products are larger, and it is waited for.
        products: Their dtype: ``float32``, ``bfloat16`` or ``float16``.
    """
    import torch

    dtype, kind = getattr(torch, products), torch.device(device).type
    rows, width, out = (ROWS, WIDTH, OUT) if kind == "cpu" else (GPU_SIZE,) * 3
    left = torch.randn(rows, width, device=device, dtype=dtype)
    right = torch.randn(width, out, device=device, dtype=dtype)
    product = torch.empty(rows, out, device=device, dtype=dtype)
    seconds = []
    for _ in range(ROUNDS + 2):
        began = time.perf_counter()
        torch.mm(left, right, out=product)
        _wait(kind)
        seconds.append(time.perf_counter() - began)
    return 2.0 * rows * width * out / median(seconds[2:])


def _wait(kind: str) -> None:
    """Wait until a device of a kind has computed what it was asked."""
    import torch

    if kind == "cuda":
        torch.cuda.synchronize()
    elif kind == "mps":
        torch.mps.synchronize()


def device_name(device: Any) -> str:
    """Return the name of a GPU, or ``cpu`` or ``mps``."""
    import torch

    kind = torch.device(device).type
    return str(torch.cuda.get_device_name(device)) if kind == "cuda" else kind


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


def speed_line(speed: Speed, products: str) -> str:
    """Return the speed as a sentence."""
    shared = ", since what texts begin with is computed once" if speed.share_of_limit > 1 else ""
    return (
        f"{speed.tokens_per_second:,.0f} tokens/s: {speed.share_of_limit:.0%} of what this "
        f"machine's {products} matrix products "
        f"({speed.matrix_flops_per_second / 1e9:,.0f} GFLOP/s) would allow{shared}"
    )
