"""PEFT's config for every method: from the settings, the loaded base and its new head's modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuneproof.tuning.config import TuneConfig

ADALORA_START = 1.5
"""AdaLoRA begins with so many times the rank that it ends with, and takes the rest away."""


def _task_type(config: TuneConfig) -> str:
    from tuneproof.tuning.methods import OBJECTIVES

    return OBJECTIVES[config.objective].task_type


def _layers(config: TuneConfig, model: Any, head: Sequence[str]) -> dict[str, Any]:
    """Return which layers get an adapter, and what is trained whole beside them."""
    from tuneproof.tuning.targets import has_conv1d

    return {
        "task_type": _task_type(config),
        "target_modules": list(config.target_modules) or "all-linear",
        "modules_to_save": list(head) or None,
        "fan_in_fan_out": has_conv1d(model),
    }


def lora(config: TuneConfig, model: Any, head: Sequence[str], **changes: Any) -> Any:
    """Return a LoraConfig; `changes` are what a variant of LoRA does differently."""
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        bias=config.lora_bias,
        **_layers(config, model, head),
        **changes,
    )


def dora(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return a LoraConfig that trains each column's length apart from its direction."""
    return lora(config, model, head, use_dora=True)


def rslora(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return a LoraConfig whose output is scaled by lora_alpha / sqrt(r)."""
    return lora(config, model, head, use_rslora=True)


def pissa(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return a LoraConfig that begins with the weights' principal directions."""
    return lora(config, model, head, init_lora_weights="pissa")


def head_alone(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return a LoRA config without LoRA layers: PEFT then trains and saves the head alone."""
    from peft import LoraConfig
    from peft.utils.constants import DUMMY_TARGET_MODULES

    return LoraConfig(
        task_type=_task_type(config),
        target_modules=DUMMY_TARGET_MODULES,
        modules_to_save=list(head),
    )


def adalora(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return an AdaLoraConfig; the number of its steps is filled in when the training starts."""
    from peft import AdaLoraConfig

    return AdaLoraConfig(
        init_r=max(config.lora_r + 1, round(config.lora_r * ADALORA_START)),
        target_r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        total_step=1,
        **_layers(config, model, head),
    )


def ia3(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return an IA3Config: on the layers of PEFT's table, or on all where it has no entry."""
    from peft import IA3Config
    from peft.utils.constants import (
        TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as SCALED_INPUTS,
    )
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as KNOWN

    kind = model.config.model_type
    layers = _layers(config, model, head)
    if not config.target_modules and kind in KNOWN:
        layers["target_modules"] = KNOWN[kind]
    chosen = layers["target_modules"]
    inputs = SCALED_INPUTS.get(kind, []) if chosen != "all-linear" else []
    return IA3Config(feedforward_modules=[name for name in inputs if name in chosen], **layers)


def prompt_tuning(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return a PromptTuningConfig: trained embeddings before every text."""
    from peft import PromptTuningConfig

    return PromptTuningConfig(
        task_type=_task_type(config), num_virtual_tokens=config.num_virtual_tokens
    )


def prefix_tuning(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return a PrefixTuningConfig: trained keys and values before every text, in every layer."""
    from peft import PrefixTuningConfig

    return PrefixTuningConfig(
        task_type=_task_type(config), num_virtual_tokens=config.num_virtual_tokens
    )
