"""Memory and speed of a training on this machine: estimated before it, measured after it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from tuneproof.errors import is_out_of_memory
from tuneproof.formats.run import Run, Speed
from tuneproof.kernels.cross_entropy import block_size
from tuneproof.kernels.training import PLAIN, FastPaths
from tuneproof.models import load as models
from tuneproof.models.adapters import core_of
from tuneproof.models.four_bit import weights_bytes
from tuneproof.tuning.cost.kept import Kept, Load, kept_by, largest_batch
from tuneproof.tuning.cost.meter import Spent, peak_bytes
from tuneproof.tuning.methods import METHODS

GPUS = ("cuda", "meta")
"""The kinds of device whose memory is that of a GPU."""
GPU_LIBRARIES = 0.1 * 2**30
"""What matrix products take on a GPU for themselves; CUDA's own memory is not counted by torch."""
HOLES = 0.45
"""Memory that lies idle between tensors, as a share of theirs, where glibc keeps what is freed. It
grows as batches of all lengths come: SmolLM2 under a head, in batches of 8, took 3.7 GiB after one
step and 4.3 after 45."""
HOLES_BETWEEN_LAYERS = 0.8
"""The same with activation checkpointing: what a layer begins with stays among what it makes."""
BLOCK = 10
"""Bytes per logit of a block of the loss."""
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


def estimated_memory(trainer: Any, run: Run, batch: int | None = None) -> Memory:
    """Return the peak of a training whose kernels are turned on, before its first step.

    What the layers keep is counted as a few tokens go through them, and multiplied by the tokens of
    the first epoch's largest batch.

    Args:
        trainer: Holds the model with its adapter, and the examples.
        run: Its settings and its products.
        batch: Examples at once, instead of the trainer's.
    """
    model = trainer.model
    reaches_layers = METHODS[run.config["method"]].reaches_layers
    kept = kept_by(model, run.products, reaches_layers=reaches_layers)
    load = largest_batch(trainer, batch or trainer.args.train_batch_size)
    memory = memory_of(model, run.config, kept, load, run.products, trainer.paths)
    if model.device.type in GPUS:
        return memory
    return replace(memory, libraries=max(0.0, peak_bytes() - memory.weights))


def memory_of(
    model: Any,
    settings: Mapping[str, Any],
    kept: Kept,
    load: Load,
    products: str,
    paths: FastPaths = PLAIN,
) -> Memory:
    """Return the peak of a training of these settings; of one process of several.

    Args:
        model: The model with its adapter: loaded, or on ``meta`` for a GPU that need not be here.
        settings: As run.json has them.
        kept: What its layers keep for the backward pass.
        load: The largest batch.
        products: The dtype of matrix products.
        paths: The kernels that are turned on.
    """
    size = 4 if products == "float32" else 2
    trained = sum(value.numel() for value in model.parameters() if value.requires_grad)
    copies = sum(
        value.numel()
        for value in model.parameters()
        if value.dim() == 2 and value.element_size() > size and value.is_floating_point()
    )
    states = 2 if "8bit" in (settings["optim"] or "") else 8
    activations = _activations(model, settings, kept, load)
    holes = HOLES_BETWEEN_LAYERS if settings["gradient_checkpointing"] else HOLES
    return Memory(
        libraries=GPU_LIBRARIES,
        weights=weights_bytes(model) + size * copies,
        trained=trained * (4 + states),
        activations=activations * (1 + holes if "allocator" in paths.used else 1),
        logits=_logits(model, load.trained, size, is_in_blocks=paths.head_loss is not None),
    )


def _activations(model: Any, settings: Mapping[str, Any], kept: Kept, load: Load) -> float:
    """Return the bytes that are kept for the backward pass.

    With checkpointing that is what every layer begins with, in float32, and one layer as a whole.
    """
    layers = int(model.config.get_text_config().num_hidden_layers)
    whole = load.tokens * kept.per_token + load.pairs * kept.per_pair
    if not settings["gradient_checkpointing"] or not whole:
        return whole
    return whole / layers + 4 * models.width(model) * load.tokens * layers


def _logits(model: Any, trained: int, size: int, *, is_in_blocks: bool) -> float:
    """Return the bytes of the logits that exist at once.

    Args:
        model: The loaded model.
        trained: Tokens of a batch that the loss covers.
        size: Bytes of a value in a product.
        is_in_blocks: Whether head and loss are computed together, a block of tokens at a time.
    """
    inner = core_of(model)
    head = inner.get_output_embeddings()
    if head is None:
        return 0.0
    vocabulary, is_gpu = int(model.config.get_text_config().vocab_size), model.device.type in GPUS
    block = min(trained, block_size(head.weight, vocabulary)) * vocabulary * BLOCK
    if is_in_blocks:
        return float(block)
    whole = trained * vocabulary  # all of them exist, with their gradients
    return float(block + 2 * size * whole if is_gpu else (size + 3 * 4) * whole)


def matrix_rate(device: str, products: str) -> float:
    """Return the operations per second of large matrix products here, right now.

    A product of (n, k) by (k, m) counts 2 n k m.

    Args:
        device: Where; on a GPU the products are larger, and it is waited for. Where it has no
            memory for them they are smaller.
        products: Their dtype: ``float32``, ``bfloat16`` or ``float16``.
    """
    import torch

    if torch.device(device).type == "cpu":
        return _rate(device, products, ROWS, WIDTH, OUT)
    size = GPU_SIZE
    while size > GPU_SIZE // 16:
        try:
            return _rate(device, products, size, size, size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            size //= 2
    return _rate(device, products, size, size, size)


def _rate(device: str, products: str, rows: int, width: int, out: int) -> float:
    import torch

    dtype, kind = getattr(torch, products), torch.device(device).type
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
