"""Bases in 4 bits, with bitsandbytes: how they are loaded, and what of them must stay whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tuneproof.errors import InputError
from tuneproof.formats.run import FourBit

FOUR_BIT = "Params4bit"
"""What bitsandbytes calls weights of 4 bits."""


def loading(how: FourBit | None, device: str, head: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what `from_pretrained` is to be told; nothing where the base is to be whole.

    Args:
        how: How the weights are to be held, or None.
        device: ``cpu``, ``cuda`` or ``mps``.
        head: Names of modules that are to stay whole; None leaves it to transformers, which keeps
            the output embedding whole.
    """
    if how is None:
        return {}
    import torch
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=how.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=how.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=getattr(torch, how.bnb_4bit_compute_dtype),
        llm_int8_skip_modules=None if head is None else list(head),
    )
    return {"quantization_config": config, "device_map": {"": device}}


def head_patterns(place: str, labels: Sequence[str]) -> list[str]:
    """Return what keeps the classification head of a model whole: everything beside its layers.

    Without this a head of two linear layers would lose its first one to the quantisation: it would
    be random, 4 bits wide and impossible to train.

    Args:
        place: The model's folder or Hub id.
        labels: The label set.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(place, num_labels=len(labels), trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
    body = model.base_model_prefix
    beside = [name for name, _ in model.named_children() if name != body]
    poolers = [
        name
        for name, module in model.named_modules()
        if name.startswith(f"{body}.") and "pool" in name and any(True for _ in module.parameters())
    ]
    return [*beside, *poolers]


def settle(model: Any) -> None:
    """Make a model in 4 bits say the same in training and inference; others stay as they are.

    What is not in 4 bits is put in float32, as PEFT does for training. And bitsandbytes is kept
    from packing the weights: on CPUs with AVX512-BF16 it does so for good, and with rounded scales,
    at the first product without gradients, so that after one evaluation no gradient would pass
    (bitsandbytes 0.50: `Linear4bit.forward`, and no backward of `gemv_4bit`).
    """
    names = quantized_modules(model)
    for name in names:  # PEFT's own layers of that name lie around them
        model.get_submodule(name).support_avx512bf16_for_cpu = False
    for value in model.parameters() if names else ():
        if value.is_floating_point() and type(value).__name__ != FOUR_BIT:
            value.data = value.data.float()


def quantized_modules(model: Any) -> list[str]:
    """Return the names of the modules whose weights are to be in 4 bits, new ones included."""
    return [
        name
        for name, module in model.named_modules()
        if type(module).__name__ == "Linear4bit" and "bitsandbytes" in type(module).__module__
    ]


def check_whole(model: Any, head: Sequence[str], *, where: str) -> None:
    """Raise InputError where part of a classification head is held in 4 bits.

    Args:
        model: A classification model as loaded, or with an adapter on it.
        head: The names of the head's modules.
        where: The base's or the run's name.
    """
    lost = [
        name
        for name in quantized_modules(model)
        for plain in [name.removeprefix("base_model.model.")]
        if any(plain == module or plain.startswith(f"{module}.") for module in head)
    ]
    if lost:
        raise InputError(
            f"the classification head of {where!r} is quantised: {', '.join(lost)}. A new head is "
            "random, and in 4 bits it cannot be trained: it would guess. It must stay whole"
        )


def parameter_count(value: Any) -> int:
    """Return how many parameters a tensor holds; two of 4 bits share a byte."""
    state = getattr(value, "quant_state", None)
    return int(value.numel() if state is None else state.shape.numel())


def weights_bytes(model: Any) -> int:
    """Return the memory of a model's weights in bytes, tied ones counted once."""
    found = {
        value.data_ptr(): value.numel() * value.element_size()
        for value in [*model.parameters(), *model.buffers()]
    }
    states = (getattr(value, "quant_state", None) for value in model.parameters())
    scales = sum(_state_bytes(state) for state in states if state is not None)
    return int(sum(found.values()) + scales)


def _state_bytes(state: Any) -> int:
    """Return the bytes of the scales that bitsandbytes keeps beside 4-bit weights."""
    parts: list[Any] = [state.absmax, *([state.state2.absmax] if state.nested else [])]
    return sum(int(part.numel() * part.element_size()) for part in parts)
