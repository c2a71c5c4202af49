"""4-bit base models by bitsandbytes: how they are loaded, and which modules stay unquantised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tuneproof.errors import InputError
from tuneproof.formats.run import FourBit
from tuneproof.models.device import has_bfloat16, is_cuda

if TYPE_CHECKING:
    import torch

FOUR_BIT = "Params4bit"
"""What bitsandbytes calls weights of 4 bits."""


def loading_arguments(
    how: FourBit | None, device: str, head: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the arguments of `from_pretrained`; none where the base stays unquantised.

    Args:
        how: How the weights are held in 4 bits, or None.
        device: ``cpu``, ``cuda`` or ``mps``.
        head: Names of modules that stay unquantised; None leaves it to transformers, which keeps
            the output embedding.
    """
    if how is None:
        return {}
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=how.bnb_4bit_quant_type,
        bnb_4bit_use_double_quant=how.bnb_4bit_use_double_quant,
        bnb_4bit_compute_dtype=how.bnb_4bit_compute_dtype,
        llm_int8_skip_modules=None if head is None else list(head),
    )
    return {"quantization_config": config, "device_map": {"": device}}


def compute_dtype(asked: torch.dtype | None, device: str) -> torch.dtype | None:
    """Return the dtype that weights of 4 bits are multiplied in on a device.

    Where bfloat16 is asked for and the device has none, float16 is taken on a GPU, else float32.

    Args:
        asked: By the user, or in the files of a base that is stored in 4 bits; None is that of
            what is multiplied with.
        device: ``cpu``, ``cuda`` or ``mps``, with or without a number.
    """
    import torch

    if asked != torch.bfloat16 or has_bfloat16(device):
        return asked
    return torch.float16 if is_cuda(device) else torch.float32


def head_patterns(source: str, labels: Sequence[str]) -> list[str]:
    """Return the names of a classification model's modules that must not be quantised: its head.

    Without this a head of two linear layers would lose its first one to the quantisation: it would
    be random, 4 bits wide and impossible to train.

    Args:
        source: The model's folder or Hub id.
        labels: The label set.
    """
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.from_pretrained(source, num_labels=len(labels), trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForSequenceClassification.from_config(config)
    body = model.base_model_prefix
    heads = [name for name, _ in model.named_children() if name != body]
    poolers = [
        name
        for name, module in model.named_modules()
        if name.startswith(f"{body}.") and "pool" in name and any(True for _ in module.parameters())
    ]
    return [*heads, *poolers]


def prepare_four_bit(model: Any) -> None:
    """Make a 4-bit model compute the same in training and inference; others stay as they are.

    On a CPU what is not in 4 bits is put in float32, as PEFT does for training. On a GPU it stays
    as it was loaded: a frozen weight of 16 bits gains nothing by 32, norms compute in float32
    whatever their weights' dtype, and float32 norms would make all hidden states, keys and values
    float32 (embeddings and head of an 8B Llama alone would take 2 GB more). What is trained is in
    float32 in any case. And bitsandbytes is kept from packing the weights: on CPUs with
    AVX512-BF16 it does so for good, and with rounded scales, at the first product without
    gradients, so that after one evaluation no gradient would pass (bitsandbytes 0.50:
    `Linear4bit.forward`, and no backward of `gemv_4bit`). Products are in a dtype that the device
    multiplies itself.
    """
    layers = [model.get_submodule(name) for name in quantized_modules(model)]
    for layer in layers:  # PEFT's own layers of that name lie around them
        layer.support_avx512bf16_for_cpu = False
        layer.compute_dtype = compute_dtype(layer.compute_dtype, str(model.device))
    for value in model.parameters() if layers and model.device.type == "cpu" else ():
        if value.is_floating_point() and type(value).__name__ != FOUR_BIT:
            value.data = value.data.float()


def in_compute_dtype(model: Any) -> None:
    """Put what a 4-bit model holds in float32 into its compute dtype, for answering on a GPU.

    Keys and values are in that dtype then, and attention has its fast kernels; others stay as they
    are.
    """
    names = quantized_modules(model)
    if not names:
        return
    dtype = model.get_submodule(names[0]).compute_dtype
    for value in model.parameters() if dtype is not None else ():
        if value.is_floating_point() and type(value).__name__ != FOUR_BIT:
            value.data = value.data.to(dtype)


def quantized_modules(model: Any) -> list[str]:
    """Return the names of the modules whose weights are to be in 4 bits, new ones included."""
    return [name for name, module in model.named_modules() if is_four_bit(module)]


def is_four_bit(module: Any) -> bool:
    """Return whether a module is bitsandbytes' linear layer of 4 bits, and not PEFT's around it."""
    return type(module).__name__ == "Linear4bit" and "bitsandbytes" in type(module).__module__


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
    sizes = {
        value.data_ptr() or id(value): value.numel() * value.element_size()
        for value in [*model.parameters(), *model.buffers()]
    }
    states = (getattr(value, "quant_state", None) for value in model.parameters())
    scales = sum(_state_bytes(state) for state in states if state is not None)
    return int(sum(sizes.values()) + scales)


def _state_bytes(state: Any) -> int:
    """Return the bytes of the scales that bitsandbytes keeps for 4-bit weights."""
    parts: list[Any] = [state.absmax, *([state.state2.absmax] if state.nested else [])]
    return sum(int(part.numel() * part.element_size()) for part in parts)
