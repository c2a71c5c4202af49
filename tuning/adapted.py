"""Making a base trainable: frozen where it is to be, with the method's adapter on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneproof.errors import InputError
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.methods import METHODS


def adapted(config: TuneConfig, model: Any, head: Sequence[str] = ()) -> Any:
    """Return the model as the method trains it.

    Args:
        config: The settings.
        model: The loaded base, whole or in 4 bits.
        head: Names of the modules of a new classification head.

    Raises:
        InputError: PEFT does not offer the method for this architecture or these settings.
    """
    method = METHODS[config.method]
    if method.peft_config is None:
        return model
    from peft import prepare_model_for_kbit_training
    from transformers import set_seed

    _check_room(config, model)
    set_seed(config.seed)  # an adapter draws its first weights from the global state
    try:
        if config.four_bit is not None:
            model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        wrapped = method.wrap(model, method.peft_config(config, model, head))
    except (ValueError, TypeError, NotImplementedError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InputError(
            f"method {config.method!r} cannot be used on {config.model!r} "
            f"({type(model).__name__}): {reason}"
        ) from error
    if config.gradient_checkpointing:
        wrapped.enable_input_require_grads()  # else nothing below the first adapter asks for any
    return wrapped


def trained_in_float32(model: Any) -> None:
    """Put what is trained in float32: TRL chooses bfloat16, in which small steps are lost."""
    for value in model.parameters():
        if value.requires_grad:
            value.data = value.data.float()


def is_seen_through(model: Any) -> bool:
    """Return whether a PEFT model does nothing but what its adapted layers do.

    Virtual tokens come before the text: such a model cannot be passed by, as the compact head does.
    """
    from peft import PeftModel

    if not isinstance(model, PeftModel):
        return True
    return not any(config.is_prompt_learning for config in model.peft_config.values())


def _check_room(config: TuneConfig, model: Any) -> None:
    """Raise InputError where text and virtual tokens do not fit into the model's context."""
    from tuneproof.models.load import context_length

    virtual = config.num_virtual_tokens if METHODS[config.method].has_virtual_tokens else 0
    limit = context_length(model)
    if virtual and limit is not None and config.max_length + virtual > limit:
        raise InputError(
            f"max_length {config.max_length} and {virtual} virtual tokens are more than the "
            f"model's {limit} tokens"
        )
