"""The dtype of a product, as autocast would choose it."""

from __future__ import annotations

import torch


def multiplied_in(values: torch.Tensor) -> torch.dtype:
    """Return the dtype that linear layers and attention multiply these values in."""
    kind = values.device.type
    is_cast = torch.is_autocast_enabled(kind)
    found: torch.dtype = torch.get_autocast_dtype(kind) if is_cast else values.dtype
    return found
