"""Classification heads: which modules they are, their tensors, and the texts they read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from tuneproof.errors import InputError

PART_OF_A_HEAD = "pool"
"""In the names of new modules among the layers: a pooler serves classification only, and a base
that was saved without it is whole. Anything else that is missing there is a fault."""


def new_modules(model: Any, new: set[str], *, where: str) -> list[str]:
    """Return the names of the modules that make up the head, and of no others.

    Args:
        model: A classification model as loaded.
        new: Names of the parameters that the base's weights lack, or have in another shape.
        where: The base's name, for errors.

    Raises:
        InputError: Something else than a head is missing.
    """
    body = f"{model.base_model_prefix}."
    strange = sorted(name for name in new if name.startswith(body) and PART_OF_A_HEAD not in name)
    if strange:
        raise InputError(
            f"the weights of {where!r} are not those of a {type(model.base_model).__name__}: "
            f"{', '.join(strange[:3])} missing or of another shape"
        )
    if not new:  # the base has been trained to tell as many labels apart
        below = model.base_model_prefix
        return [name for name, part in model.named_children() if name != below and _size(part)]
    names = [name for name, _ in model.named_parameters()]
    return sorted({_largest(name, names, new) for name in new})


def _largest(parameter: str, names: list[str], new: set[str]) -> str:
    """Return the largest module around a parameter that is new as a whole, else its own module."""
    parts = parameter.split(".")[:-1]
    for count in range(1, len(parts)):
        module = ".".join(parts[:count])
        if all(name in new for name in names if name.startswith(f"{module}.")):
            return module
    return ".".join(parts)


def _size(module: Any) -> int:
    return sum(value.numel() for value in module.parameters())


def in_float32(model: Any, head: Sequence[str]) -> None:
    """Put the head in float32, and have it read hidden states of any other dtype."""
    import torch

    if model.dtype == torch.float32:
        return
    for name in head:
        module = model.get_submodule(name).float()
        module.register_forward_pre_hook(_read_float32)


def _read_float32(module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.float() for value in inputs)


def head_tensors(model: Any, head: Sequence[str]) -> dict[str, Any]:
    """Return the head's parameters by the name they have without PEFT's wrappers.

    Args:
        model: A classification model, with or without an adapter called ``default``.
        head: The names of the head's modules.
    """
    tensors = {}
    for name, value in model.named_parameters():
        if ".original_module." in name:  # PEFT's copy of the head as it was
            continue
        plain = name.removeprefix("base_model.model.").replace(".modules_to_save.default", "")
        if any(plain.startswith(f"{module}.") for module in head):
            tensors[plain] = value
    return tensors


def tensor_hash(tensor: Any) -> str:
    """Return the SHA-256 of a tensor's values in float32."""
    import torch

    values = tensor.detach().to("cpu", torch.float32).contiguous()
    return hashlib.sha256(values.numpy().tobytes()).hexdigest()


def tokenize_texts(
    texts: Sequence[str], tokenizer: Any, max_length: int
) -> tuple[list[list[int]], list[bool]]:
    """Return the token ids of texts as they are, and which of them were shortened.

    Special tokens are the tokenizer's own, and stay where the end of a text is left out.
    """
    if not texts:
        return [], []
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length)
    ids = [row or [tokenizer.pad_token_id] for row in encoded["input_ids"]]  # an empty text
    return ids, [bool(encoding.overflowing) for encoding in encoded.encodings]
