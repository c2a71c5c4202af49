"""Whether a training multiplies in bfloat16 (autocast); weights and optimizer stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Precision = Literal["auto", "no", "bf16"]


def uses_bf16(asked: Precision, device: str) -> bool:
    """Return whether to train in bfloat16.

    Args:
        asked: ``auto`` does where the hardware has instructions for it.
        device: ``cpu``, ``cuda`` or ``mps``.
    """
    if asked != "auto":
        return asked == "bf16"
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and _cpu_has_bf16()


def _cpu_has_bf16() -> bool:
    import torch

    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # newer torch
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "bf16"))
