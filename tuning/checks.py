"""What a training must have done: moved what it trains, changed what is said, lowered the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuneproof.errors import InputError
from tuneproof.models.head import tensor_hash

NO_EFFECT = 1e-6
"""Largest difference of a logit that is none."""


@dataclass(frozen=True, kw_only=True)
class Before:
    """A model as it was before the training."""

    hashes: dict[str, str]
    """Of every tensor that is to be trained, by name."""
    logits: Any
    """What it said of one example."""


def look(model: Any, example: Sequence[int]) -> Before:
    """Return what has to change in a model.

    Args:
        model: As it is trained, with its adapter.
        example: The tokens of one text.
    """
    return Before(hashes=_hashes(model), logits=_logits(model, example))


def faults(
    model: Any, example: Sequence[int], before: Before, losses: Sequence[float]
) -> list[str]:
    """Return what a training did not do, each fault by its name and what it usually means.

    Args:
        model: After the training.
        example: The same as before.
        before: What was seen before it.
        losses: Those that were logged, in order.

    Raises:
        InputError: Something that was trained is not a number.
    """
    for name, value in _trained(model).items():
        if not bool(value.isfinite().all()):
            raise InputError(
                f"not-a-number: {name} is not finite after the training. Usually the learning rate "
                "is too high, or a dtype too narrow; dtype float32 may help"
            )
    after = _hashes(model)
    still = [name for name in before.hashes if before.hashes[name] == after.get(name)]
    found = []
    if still and len(still) == len(after):
        found.append(
            "nothing-moved: not one of the trained tensors changed. Usually the learning rate is "
            "0 or vanishes in the dtype, or no gradient reached the adapter"
        )
    elif still:
        found.append(
            f"part-not-moved: {len(still)} of {len(after)} trained tensors did not change, "
            f"{still[0]} for one. Usually a layer is not used, or the graph is cut before it"
        )
    change = float((_logits(model, example) - before.logits).abs().max())
    if change <= NO_EFFECT:
        found.append(
            "no-effect: the model says what it said before. Usually the adapter is switched off "
            "or on layers that do nothing, or the training was too short"
        )
    third = max(1, len(losses) // 3)
    if len(losses) > 1 and sum(losses[-third:]) >= sum(losses[:third]):
        found.append(
            f"loss-did-not-fall: {losses[0]:.4g} at first, {losses[-1]:.4g} at last. Usually the "
            "learning rate is too high or too low, or the answers do not follow from the prompts"
        )
    return found


def _trained(model: Any) -> dict[str, Any]:
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def _hashes(model: Any) -> dict[str, str]:
    return {name: tensor_hash(value) for name, value in _trained(model).items()}


def _logits(model: Any, example: Sequence[int]) -> Any:
    """Return the logits of one text, on the CPU."""
    import torch

    was_training = model.training
    model.eval()
    ids = torch.tensor([list(example)], device=model.device)
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.float().cpu()
    model.train(was_training)
    return logits
