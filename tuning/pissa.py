"""PiSSA changes the base while it is trained; what is saved is the difference, as a plain LoRA.

W = R + B0 A0 s at first, and R + B A s in the end, where R is what is left of the base. The
difference to W is [B, -B0] [A; A0] s: a LoRA of twice the rank, which any base W understands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tuneproof.files import read_json, write_json


def wrap(model: Any, config: Any) -> Any:
    """Return PEFT's model over the base, and remember the adapter's first weights."""
    from peft import get_peft_model, get_peft_model_state_dict

    wrapped = get_peft_model(model, config)
    wrapped.first_weights = {
        name: value.detach().cpu().clone()
        for name, value in get_peft_model_state_dict(wrapped).items()
        if _part(name)
    }
    return wrapped


def save(model: Any, folder: Path) -> None:
    """Save the adapter as a LoRA over the base as it was before the training."""
    import torch
    from safetensors.torch import load_file, save_file

    model.save_pretrained(str(folder))
    weights = load_file(folder / "adapter_model.safetensors")
    for name, first in model.first_weights.items():
        axis, sign = (0, 1) if _part(name) == "lora_A" else (1, -1)
        first = sign * first.to(weights[name])
        weights[name] = torch.cat([weights[name], first], dim=axis).contiguous()
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    told = read_json(folder / "adapter_config.json")
    doubled = {"r": 2 * told["r"], "lora_alpha": 2 * told["lora_alpha"], "init_lora_weights": True}
    write_json(folder / "adapter_config.json", told | doubled)


def _part(name: str) -> str:
    """Return ``lora_A`` or ``lora_B`` for a tensor of an adapter, else nothing."""
    return next((part for part in ("lora_A", "lora_B") if f".{part}." in name), "")
