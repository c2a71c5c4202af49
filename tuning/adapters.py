"""Put a method's adapter on a loaded base with PEFT, and save what was trained.

tuning/methods.py lists the methods; here is the code for each kind of adapter in that table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneproof.errors import InputError
from tuneproof.files import read_json, write_json
from tuneproof.models import load as models
from tuneproof.models.virtual_tokens import virtual_tokens_of
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS, OBJECTIVES, Peft

ADALORA_START = 1.5
"""AdaLoRA begins with so many times the rank that it ends with, and takes the rest away."""


@dataclass(frozen=True, kw_only=True)
class Adapted:
    """A base model made trainable by a method."""

    model: Any
    """PEFT's wrapper, or the base itself where its own weights are trained."""
    first_weights: Mapping[str, Any] = field(default_factory=dict)
    """PiSSA's factors before the training, by name; it starts by taking them out of the base."""

    def save(self, folder: Path, weights: Mapping[str, Any] | None = None) -> None:
        """Write the trained weights into a folder, an adapter as one over the untouched base.

        The model's own, or those given where it does not hold them all.

        PiSSA splits the base W into a rest R and an adapter: W = R + B0 A0 s at first, R + B A s in
        the end. The difference to W is [B, -B0] [A; A0] s, which is saved: a plain LoRA of twice
        the rank.
        """
        self.model.save_pretrained(str(folder), state_dict=weights)
        if not self.first_weights:
            return
        import torch
        from safetensors.torch import load_file, save_file

        saved = load_file(folder / "adapter_model.safetensors")
        for name, first in self.first_weights.items():
            axis, sign = (0, 1) if _factor(name) == "lora_A" else (1, -1)
            first = sign * first.to(saved[name])
            saved[name] = torch.cat([saved[name], first], dim=axis).contiguous()
        save_file(saved, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = read_json(folder / "adapter_config.json")
        doubled = {name: 2 * config[name] for name in ("r", "lora_alpha")}
        write_json(folder / "adapter_config.json", config | doubled | {"init_lora_weights": True})


def adapt(config: TuneConfig, model: Any, head: Sequence[str] = ()) -> Adapted:
    """Return the model as the method trains it.

    Args:
        config: The settings.
        model: The loaded base, whole or in 4 bits.
        head: Names of the modules of a new classification head.

    Raises:
        InputError: PEFT does not offer the method for this architecture or these settings.
    """
    if not METHODS[config.method].is_adapter:
        return Adapted(model=model)
    from peft import get_peft_model, get_peft_model_state_dict
    from transformers import set_seed

    _check_context(config, model)
    set_seed(config.seed)  # an adapter draws its first weights from the global state
    try:
        if config.four_bit is not None:
            model.requires_grad_(False)  # all of PEFT's preparation but float32, see four_bit.py
        wrapped = get_peft_model(model, peft_config(config, model, head))
    except (ValueError, TypeError, NotImplementedError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InputError(
            f"method {config.method!r} cannot be used on {config.model!r} "
            f"({type(model).__name__}): {reason}"
        ) from error
    if config.gradient_checkpointing:
        wrapped.enable_input_require_grads()  # else nothing below the first adapter gets a gradient
    if METHODS[config.method].options.get("init_lora_weights") != "pissa":
        return Adapted(model=wrapped)
    first = {
        name: value.detach().cpu().clone()
        for name, value in get_peft_model_state_dict(wrapped).items()
        if _factor(name)
    }
    return Adapted(model=wrapped, first_weights=first)


def peft_config(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return PEFT's config for the settings.

    Args:
        config: The settings; the method is one that trains an adapter.
        model: The loaded base.
        head: Names of the modules of a new head, which are trained whole.
    """
    method = METHODS[config.method]
    assert method.peft is not None
    task_type = OBJECTIVES[config.objective].task_type
    return _CONFIGS[method.peft](config, model, head, {"task_type": task_type, **method.options})


def _layers(config: TuneConfig, model: Any, head: Sequence[str]) -> dict[str, Any]:
    """Return which layers get an adapter, and which modules are trained as a whole."""
    from transformers.pytorch_utils import Conv1D

    left_out = {} if config.target_modules else _left_out(model)
    return {
        "target_modules": list(config.target_modules) or "all-linear",
        **left_out,
        "modules_to_save": list(head) or None,
        # GPT-2 stores its weights as (in, out)
        "fan_in_fan_out": any(isinstance(module, Conv1D) for module in model.modules()),
    }


def _left_out(model: Any) -> dict[str, Any]:
    """Return which linear layers get no adapter: those that read no text, and Mamba's last.

    PEFT refuses the last, whose weights a fused kernel reads without its layer.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    decoder = getattr(model, "get_decoder", lambda: None)()
    named = dict(model.named_modules())
    prefix = next((f"{name}." for name, module in named.items() if module is decoder and name), "")
    layers = [name for name, one in named.items() if isinstance(one, torch.nn.Linear | Conv1D)]
    below = any(name.startswith(prefix) for name in layers)
    is_mixed = model.config is not model.config.get_text_config() and below
    apart = [name for name in layers if is_mixed and not name.startswith(prefix)]
    kept_whole = [name for name in layers if name.endswith(".mixer.out_proj")]
    return {"exclude_modules": [*apart, *kept_whole]} if apart or kept_whole else {}


def _lora(config: TuneConfig, model: Any, head: Sequence[str], options: dict[str, Any]) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        bias=config.lora_bias,
        **_layers(config, model, head),
        **options,
    )


def _adalora(config: TuneConfig, model: Any, head: Sequence[str], options: dict[str, Any]) -> Any:
    from peft import AdaLoraConfig

    return AdaLoraConfig(
        init_r=max(config.lora_r + 1, round(config.lora_r * ADALORA_START)),
        target_r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        total_step=1,  # AdaLoraSchedule fills it in
        **_layers(config, model, head),
        **options,
    )


def _ia3(config: TuneConfig, model: Any, head: Sequence[str], options: dict[str, Any]) -> Any:
    """Return an IA3Config: on the layers of PEFT's table, or on all where it has no entry."""
    from peft import IA3Config
    from peft.utils.constants import (
        TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as SCALED_INPUTS,
    )
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as KNOWN

    model_type = model.config.model_type
    layers = _layers(config, model, head)
    if not config.target_modules and model_type in KNOWN:
        layers["target_modules"] = KNOWN[model_type]
    targets = layers["target_modules"]
    inputs = SCALED_INPUTS.get(model_type, []) if targets != "all-linear" else []
    return IA3Config(
        feedforward_modules=[name for name in inputs if name in targets], **layers, **options
    )


def _prompt_tuning(config: TuneConfig, _: Any, __: Sequence[str], options: dict[str, Any]) -> Any:
    from peft import PromptTuningConfig

    return PromptTuningConfig(num_virtual_tokens=config.num_virtual_tokens, **options)


def _prefix_tuning(config: TuneConfig, _: Any, __: Sequence[str], options: dict[str, Any]) -> Any:
    from peft import PrefixTuningConfig

    return PrefixTuningConfig(num_virtual_tokens=config.num_virtual_tokens, **options)


def _head(config: TuneConfig, model: Any, head: Sequence[str], options: dict[str, Any]) -> Any:
    """Return a LoraConfig without LoRA layers: PEFT then trains and saves the head alone."""
    from peft import LoraConfig
    from peft.utils.constants import DUMMY_TARGET_MODULES

    return LoraConfig(target_modules=DUMMY_TARGET_MODULES, modules_to_save=list(head), **options)


_CONFIGS: dict[Peft, Callable[[TuneConfig, Any, Sequence[str], dict[str, Any]], Any]] = {
    "lora": _lora,
    "adalora": _adalora,
    "ia3": _ia3,
    "prompt-tuning": _prompt_tuning,
    "prefix-tuning": _prefix_tuning,
    "head": _head,
}


def callbacks(method: str) -> list[Any]:
    """Return the transformers callbacks that a method needs while it is trained."""
    from tuneproof.tuning.adalora import AdaLoraSchedule

    return [AdaLoraSchedule()] if METHODS[method].peft == "adalora" else []


def train_in_float32(model: Any) -> None:
    """Put trained weights in float32: TRL chooses bfloat16, in which small steps are lost."""
    for value in model.parameters():
        if value.requires_grad:
            value.data = value.data.float()


def check_targets(model: Any, targets: Sequence[str], head: Sequence[str] = ()) -> None:
    """Raise InputError when a wanted layer cannot carry an adapter, naming those that can.

    Args:
        model: The base model.
        targets: Ends of layer names, as in PEFT's `target_modules`.
        head: Names of the modules of a head that is trained whole.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    output = model.get_output_embeddings()
    names = {
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear | Conv1D)
        and module is not output
        and not any(name == other or name.startswith(f"{other}.") for other in head)
    }
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in names):
            layers = sorted({name.rsplit(".", 1)[-1] for name in names})
            raise InputError(
                f"target_modules: the model has no layer {target!r} that can carry an adapter. "
                f"Layers: {', '.join(layers)}"
            )


def adapted_layers(model: Any) -> list[str]:
    """Return the kinds of layers that carry an adapter, by the end of their names."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if virtual_tokens_of(model):
        return ["virtual tokens"]
    return sorted(
        {
            name.rsplit(".", 1)[-1]
            for name, module in model.named_modules()
            if isinstance(module, BaseTunerLayer)
        }
    )


def _check_context(config: TuneConfig, model: Any) -> None:
    """Raise InputError where text and virtual tokens do not fit into the model's context."""
    virtual = config.num_virtual_tokens if METHODS[config.method].has_virtual_tokens else 0
    limit = models.context_length(model)
    if virtual and limit is not None and config.max_length + virtual > limit:
        raise InputError(
            f"max_length {config.max_length} and {virtual} virtual tokens are more than the "
            f"model's {limit} tokens"
        )


def _factor(name: str) -> str:
    """Return ``lora_A`` or ``lora_B`` for a tensor of an adapter, else nothing."""
    return next((factor for factor in ("lora_A", "lora_B") if f".{factor}." in name), "")
