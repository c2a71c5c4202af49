"""The losses of completions: the cross-entropy of every trained token, and no other logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tuneproof.kernels.cross_entropy import losses_of_logits
from tuneproof.kernels.packing import packing
from tuneproof.kernels.training import PLAIN, FastPaths
from tuneproof.kernels.unlikelihood import prices, used_before
from tuneproof.models.adapters import core_of
from tuneproof.prompts.fit import IGNORED


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The trained tokens of a batch."""

    head: Any
    """Gives their logits from the states; nothing to do where the states are the logits."""
    states: torch.Tensor
    """Shape (tokens, width)."""
    targets: torch.Tensor
    """The token that each is to foretell, shape (tokens,)."""
    examples: torch.Tensor
    """The number of the example that each belongs to, shape (tokens,)."""


def has_plain_head(core: Any) -> bool:
    """Return whether a model's logits are its output embedding times its last hidden state.

    It is tried on a few tokens, since some models scale or cap their logits.

    Args:
        core: A causal language model without wrappers.
    """
    head = core.get_output_embeddings()
    if head is None or core.base_model is core:
        return False
    ids = torch.arange(4, device=core.device)[None]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}
    was_training = core.training
    core.eval()
    with torch.no_grad():
        hidden = core.base_model(**given).last_hidden_state
        logits = core(**given).logits
        is_same: bool = torch.equal(head(hidden).float(), logits.float())
    core.train(was_training)
    return is_same


def completion_losses(
    model: Any,
    inputs: Mapping[str, torch.Tensor],
    *,
    is_short: bool,
    unlikelihood: float = 0.0,
    paths: FastPaths = PLAIN,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cross-entropy in nats of every trained token, and the example it belongs to.

    Args:
        model: A causal language model, wrapped or not.
        inputs: `input_ids` and `attention_mask` (0 on padding), padded on the right, and `labels`
            (-100 where nothing is trained), each of shape (batch, tokens).
        is_short: Whether `has_plain_head` is true of the model, so that only the trained positions
            need to go through the head.
        unlikelihood: Weight of the unlikelihood loss, which is added.
        paths: The kernels that are turned on.
    """
    trained = _trained(model, inputs, is_short, paths)
    return _token_losses(trained, is_short, unlikelihood, paths), trained.examples


def losses_and_right(
    model: Any,
    inputs: Mapping[str, torch.Tensor],
    *,
    is_short: bool,
    paths: FastPaths = PLAIN,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what `completion_losses` does, and whether each example is right, from one pass.

    An example is right if each of its trained tokens is the most probable one: then, and only
    then, the model would write the whole completion greedily.

    Args:
        model: A causal language model, wrapped or not.
        inputs: As for `completion_losses`.
        is_short: Likewise.
        paths: Likewise.
    """
    trained = _trained(model, inputs, is_short, paths)
    is_right = torch.ones(len(inputs["labels"]), dtype=torch.bool, device=trained.targets.device)
    greedy = trained.head(trained.states).argmax(-1)
    is_right[trained.examples[greedy != trained.targets]] = False
    return _token_losses(trained, is_short, 0.0, paths), trained.examples, is_right


def _token_losses(
    trained: Trained, is_short: bool, unlikelihood: float, paths: FastPaths
) -> torch.Tensor:
    targets = trained.targets
    used = used_before(targets, trained.examples) if unlikelihood else None
    if is_short and paths.head_loss is not None:
        losses: torch.Tensor = paths.head_loss(trained.states, targets, used, unlikelihood)
        return losses
    logits = trained.head(trained.states)
    if logits.device.type != "cpu":  # all of them in float32 may be more than a GPU holds
        return losses_of_logits(logits, targets, used, unlikelihood)
    logs = logits.float().log_softmax(-1)
    losses = F.nll_loss(logs, targets, reduction="none")
    if used is not None:
        losses = losses + unlikelihood * prices(logs, targets, used)
    return losses


def _trained(
    model: Any, inputs: Mapping[str, torch.Tensor], is_short: bool, paths: FastPaths
) -> Trained:
    """Send a batch through the model, as far as the states of the trained tokens."""
    given = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    targets = inputs["labels"][:, 1:]
    trained = targets != IGNORED
    examples, tokens = trained.nonzero(as_tuple=True)
    core = core_of(model)
    head = core.get_output_embeddings() if is_short else nn.Identity()
    if is_short and paths.packing:
        states = _packed_states(core.base_model, given, examples, tokens)
    elif is_short:
        states = core.base_model(**given, use_cache=False).last_hidden_state[:, :-1][trained]
    else:
        # accelerate's wrapper around `forward` would put all logits in float32
        forward = getattr(model, "_original_forward", model)
        logits = forward(**given, use_cache=False).logits
        states = logits[:, -inputs["labels"].shape[1] : -1][trained]
    return Trained(head=head, states=states, targets=targets[trained], examples=examples)


def _packed_states(
    model: Any, given: Mapping[str, torch.Tensor], examples: torch.Tensor, tokens: torch.Tensor
) -> torch.Tensor:
    """Return the last hidden states of so many tokens; the batch goes through as one row."""
    ids, mask = given["input_ids"], given["attention_mask"]
    packed = packing(ids, mask.sum(1).tolist())
    row, positions = packed.row(ids), packed.row(torch.arange(ids.shape[1]).expand_as(ids))
    states = model(
        input_ids=row,
        attention_mask=torch.ones_like(row),
        position_ids=positions,
        packing=packed,
        use_cache=False,
    ).last_hidden_state[0]
    picked: torch.Tensor = states[packed.positions_of(examples, tokens)]
    return picked


def sum_of_means(losses: torch.Tensor, examples: torch.Tensor) -> torch.Tensor:
    """Return the sum over the examples of each one's mean loss.

    Args:
        losses: Of every trained token, shape (tokens,).
        examples: The number of the example that each belongs to, shape (tokens,).
    """
    return (losses / examples.bincount()[examples]).sum()
