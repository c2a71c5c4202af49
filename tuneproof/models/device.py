"""Which device a model goes to, in which dtype, and how much memory is free there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from tuneproof.errors import InputError

if TYPE_CHECKING:
    import torch

AUTO = "auto"
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
BFLOAT16_SINCE = 8
"""The first major compute capability of NVIDIA's cards that multiplies bfloat16 (Ampere)."""
FREE_FOR_ANSWERS = 3
"""One part in so many of a GPU's memory is kept free of models, for keys and values."""
DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def check_device(device: str) -> None:
    """Raise ValueError where a text names no device; whether it is there is not looked at."""
    if not DEVICE.fullmatch(device):
        raise ValueError(f"device must be auto, cpu, cuda, cuda:N or mps, got {device!r}")


def choose_device(device: str | None = None) -> str:
    """Return the device to load a model on, a GPU with its number: ``cpu``, ``cuda:0``, ``mps``.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``auto`` or None picks the fastest there
            is.

    Raises:
        InputError: This machine has no such device.
    """
    import torch

    if device is None or device == AUTO:
        device = best_device()
    try:
        check_device(device)
    except ValueError as error:
        raise InputError(str(error)) from error
    if device == "mps" and not torch.backends.mps.is_available():
        raise InputError("--device mps: this machine has no MPS device; give --device cpu")
    if not is_cuda(device):
        return device
    if not torch.cuda.is_available():
        raise InputError(
            f"--device {device}: torch {torch.__version__} finds no CUDA device; give --device cpu"
        )
    count = torch.cuda.device_count()
    number = int(device.partition(":")[2] or torch.cuda.current_device())
    if number >= count:
        raise InputError(
            f"--device {device}: there are {count} CUDA devices; the last is cuda:{count - 1}"
        )
    return f"cuda:{number}"


def best_device() -> str:
    """Return ``cuda``, ``mps`` or ``cpu``, the first that this machine has."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def is_cuda(device: str) -> bool:
    """Return whether a device is an NVIDIA (or AMD) GPU."""
    return device.partition(":")[0] == "cuda"


def has_bfloat16(device: str) -> bool:
    """Return whether a device has instructions that multiply bfloat16.

    T4 and V100 have none, nor has a CPU with AVX2 alone, where such products take 50 to 200 times
    as long as those of float32; of MPS it is not known.
    """
    import torch

    if device == "cpu":
        capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # newer
        return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))
    if not is_cuda(device):
        return False
    if not torch.cuda.is_available():  # nothing will be loaded there
        return True
    return bool(torch.version.hip) or (
        torch.cuda.get_device_capability(torch.device(device))[0] >= BFLOAT16_SINCE
    )


def torch_dtype(dtype: Dtype, device: str) -> torch.dtype:
    """Return torch's dtype for a name.

    ``auto`` is float32, but on a CUDA device bfloat16, or float16 where it has no bfloat16.
    """
    import torch

    if dtype == "auto":
        if not is_cuda(device):
            return torch.float32
        return torch.bfloat16 if has_bfloat16(device) else torch.float16
    value: torch.dtype = getattr(torch, dtype)
    return value


def placed(device: str) -> dict[str, Any]:
    """Return the arguments of `from_pretrained` that put weights on a GPU as they are read.

    Without them the whole model would be in the machine's memory first.
    """
    return {"device_map": {"": device}} if is_cuda(device) else {}


def free_bytes(device: Any) -> int | None:
    """Return how many bytes a CUDA device has for new tensors, or None on other devices."""
    import torch

    if not is_cuda(str(device)):
        return None
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + kept)


def release(device: Any) -> None:
    """Give the memory of tensors that are gone back to the device."""
    import gc

    import torch

    gc.collect()
    if is_cuda(str(device)):
        torch.cuda.empty_cache()


def is_short(device: Any) -> bool:
    """Return whether too little of a CUDA device's memory is free for answers: under a third.

    Of what this process has or can have: other programs may hold a part of the device.
    """
    import torch

    free = free_bytes(device)
    return free is not None and free < (
        (free + torch.cuda.memory_allocated(device)) / FREE_FOR_ANSWERS
    )
