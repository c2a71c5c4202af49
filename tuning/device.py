"""Which device a training uses, what it multiplies in, and in which dtype frozen weights lie."""

from __future__ import annotations

import importlib.util
import logging
import os
from typing import Any, Literal

from tuneproof.errors import InputError, unknown
from tuneproof.models.device import Dtype, has_bfloat16, is_cuda
from tuneproof.tuning.config import TuneConfig

log = logging.getLogger(__name__)

Products = Literal["float32", "bfloat16", "float16"]
PACKAGES = {
    "flash_attention_2": ("flash_attn", "flash-attn"),
    "flash_attention_3": ("flash_attn_interface", "flash-attn-3"),
}
"""The module that an implementation of attention needs, and the package it comes with."""


def is_launched() -> bool:
    """Return whether a launcher (torchrun, accelerate launch) started this process."""
    return "LOCAL_RANK" in os.environ or int(os.environ.get("WORLD_SIZE", "1")) > 1


def uses_bf16(mixed_precision: str, device: str) -> bool:
    """Return whether to multiply in bfloat16 (autocast); weights and optimizer stay as they are.

    Args:
        mixed_precision: ``bf16``, ``fp16``, ``no``, or ``auto``: where the hardware has
            instructions for bfloat16.
        device: ``cpu``, ``cuda`` or ``mps``, with or without a number.
    """
    return has_bfloat16(device) if mixed_precision == "auto" else mixed_precision == "bf16"


def products(mixed_precision: str, device: str) -> Products:
    """Return the dtype of matrix products; float16 comes with a scaler of the loss.

    ``auto`` is bfloat16 where the hardware has it, else float16 on a GPU (T4, V100) and float32
    elsewhere.

    Raises:
        InputError: float16 is wanted on a CPU.
    """
    if uses_bf16(mixed_precision, device):
        if device == "cpu" and not has_bfloat16(device):
            log.warning(
                "--mixed-precision bf16: this CPU has no instructions for bfloat16, and its "
                "products take many times as long as those of float32; leave it out"
            )
        return "bfloat16"
    is_gpu = is_cuda(device)
    if mixed_precision == "fp16" and not is_gpu:
        raise InputError(
            f"mixed_precision fp16 needs a CUDA device, and this training is on {device}; give "
            "bf16, no or auto"
        )
    is_half = mixed_precision == "fp16" or (mixed_precision == "auto" and is_gpu)
    return "float16" if is_half else "float32"


def weights_dtype(config: TuneConfig, device: str) -> Dtype:
    """Return the dtype that the base is loaded in on a device.

    On a GPU ``auto`` is that of the products; a base whose own biases are trained stays in float32.
    """
    if config.weights_dtype != "auto" or not is_cuda(device):
        return config.weights_dtype
    return products(config.mixed_precision, device) if config.lora_bias == "none" else "float32"


def keep_to_one_gpu(arguments: Any, device: Any) -> None:
    """Have transformers use one GPU, where no launcher has started a process for each.

    With several visible it would spread every batch over all by DataParallel, which a model that
    lies on one of them as a whole, or in 4 bits, does not survive.

    Args:
        arguments: TrainingArguments; changed.
        device: Where the model is.
    """
    import torch

    device = torch.device(device)
    if device.type != "cuda" or is_launched():
        return
    device = torch.device("cuda", device.index or 0)
    count = arguments.n_gpu
    if count > 1:
        log.info(
            f"{count} GPUs are visible; {device} is used alone. --device cuda:N takes another one"
        )
    arguments._n_gpu = 1
    arguments.__dict__["_setup_devices"] = device  # what transformers caches as arguments.device
    arguments.distributed_state.device = device
    torch.cuda.set_device(device)


def check_attention(implementation: str | None) -> None:
    """Raise InputError where the package of an implementation of attention is missing."""
    if implementation is None or implementation not in PACKAGES:
        return
    module, package = PACKAGES[implementation]
    if importlib.util.find_spec(module) is None:
        raise InputError(
            f"--attn-implementation {implementation} needs the package {package}, which is not "
            "installed; sdpa needs none and has a fused kernel on a GPU, too"
        )


def check_optimizer(name: str | None) -> None:
    """Raise InputError where transformers knows no optimizer of a name."""
    from transformers.training_args import OptimizerNames

    names = [optimizer.value for optimizer in OptimizerNames]
    if name is not None and name not in names:
        raise unknown("optimizer", name, names)


def use_liger_kernel(model: Any) -> None:
    """Replace norms, rotary embeddings and gated layers by Liger's Triton kernels.

    Its fused cross-entropy stays out: tuneproof/kernels/cross_entropy.py has the loss.

    Raises:
        InputError: The package is missing, or the model is on no GPU.
    """
    if importlib.util.find_spec("liger_kernel") is None:
        raise InputError("--use-liger-kernel needs the package liger-kernel, which is missing")
    if model.device.type != "cuda":
        raise InputError(f"--use-liger-kernel needs a GPU; the model is on {model.device}")
    from transformers.integrations.liger import apply_liger_kernel

    apply_liger_kernel(model, {"cross_entropy": False, "fused_linear_cross_entropy": False})
