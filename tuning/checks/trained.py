"""Checks after a training: the weights changed, the answers changed, and the loss fell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuneproof.errors import InputError
from tuneproof.finding import Finding, finding
from tuneproof.models.head import tensor_hash
from tuneproof.tuning.checks.advice import RUN
from tuneproof.tuning.checks.run import check_losses

NO_EFFECT = 1e-6
"""Largest difference of a logit that is none."""
FEWEST_STEPS = 4
"""Steps from which every part has moved: the first may be of a rate of zero (warm-up), and LoRA's A
gets no gradient before B, which begins at zero, has moved."""


@dataclass(frozen=True, kw_only=True)
class Before:
    """A model as it was before the training."""

    hashes: dict[str, str]
    """Hash of every tensor that is to be trained, by name."""
    logits: Any
    """Its logits for one example."""


def snapshot(model: Any, example: Sequence[int]) -> Before:
    """Return what has to change in a model.

    Args:
        model: As it is trained, with its adapter.
        example: The tokens of one text.
    """
    return Before(hashes=_hashes(_trained(model)), logits=_logits(model, example))


def check_trained(
    model: Any,
    example: Sequence[int],
    before: Before,
    losses: Sequence[float],
    rate: float,
    steps: int,
    weights: Mapping[str, Any] | None = None,
) -> Iterator[Finding]:
    """Yield what a training did not do.

    Args:
        model: After the training.
        example: The same as before.
        before: The model before it.
        losses: Those that were logged, in order.
        rate: The learning rate at its peak.
        steps: Steps of the optimiser.
        weights: All of the model's, by name, where it holds only a part of them.

    Raises:
        InputError: Something that was trained is not a number.
    """
    trained = _trained(model)
    if weights is not None:  # only the first process has them
        trained = {name: weights[name] for name in trained if name in weights}
    for name, value in trained.items():
        if not bool(value.isfinite().all()):
            raise InputError(
                f"not-a-number: {name} is not finite after the training. Usually the learning rate "
                "is too high, or a dtype too narrow; dtype float32 may help"
            )
    after = _hashes(trained)
    still = [name for name in after if before.hashes.get(name) == after[name]]
    is_all = len(still) == len(after)
    if steps < FEWEST_STEPS:
        still = [name for name in still if "lora_A" not in name and "embedding_A" not in name]
    if still and is_all:
        yield finding(RUN, "adapter-zero", "not one of the trained tensors changed")
    elif still:
        yield finding(
            RUN,
            "part-not-moved",
            f"{len(still)} of {len(after)} trained tensors did not change, {still[0]} for one",
        )
    if float((_logits(model, example) - before.logits).abs().max()) <= NO_EFFECT:
        yield finding(RUN, "adapter-no-effect", "the model says what it said before")
    yield from check_losses(losses, rate)


def as_warning(finding: Finding) -> str:
    """Return a finding as the warnings of run.json have it, on one line."""
    return f"{finding.code}: {finding.evidence}. Usually {finding.usually.rstrip('.')}"


def _trained(model: Any) -> dict[str, Any]:
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def _hashes(tensors: Mapping[str, Any]) -> dict[str, str]:
    return {name: tensor_hash(value) for name, value in tensors.items()}


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
