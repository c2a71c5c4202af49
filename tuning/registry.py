"""The training methods by name. To add one: write a function, add a line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.config import TuneConfig


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a method makes a base model trainable."""

    summary: str
    """What is trained, in a few words."""
    peft_config: Callable[[TuneConfig, Any], Any]
    """Returns PEFT's config for the settings and the loaded base model."""


def _lora(config: TuneConfig, model: Any) -> Any:
    from peft import LoraConfig

    from tuning.targets import has_conv1d

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=list(config.target_modules) or "all-linear",
        fan_in_fan_out=has_conv1d(model),
    )


METHODS: dict[str, Method] = {
    "lora": Method(
        summary="low-rank adapters beside the frozen weights (Hu et al. 2021)",
        peft_config=_lora,
    ),
}
