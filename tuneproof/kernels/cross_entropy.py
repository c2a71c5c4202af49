"""Fused output head and cross-entropy for a frozen head, a block of tokens at a time.

The gradient of a token's loss is known together with the loss, up to a factor. It goes back through
the head at once, so that a matrix of (tokens, vocabulary) exists for one block only.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tuneproof.kernels.linear import Copy, multiplied_in, through
from tuneproof.kernels.swap import Undo, swap
from tuneproof.kernels.unlikelihood import MOST

TOKENS = 128
"""Tokens of a block: with GPT-2's vocabulary 26 MB of logits, which a processor's cache may
hold."""


def losses(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    used: torch.Tensor | None = None,
    unlikelihood: float = 0.0,
) -> torch.Tensor:
    """Return every token's cross-entropy in nats, in float32, shape (tokens,).

    Args:
        hidden: Last hidden states, shape (tokens, width).
        weight: Of the head, frozen, in the dtype of `hidden`, shape (width, vocabulary).
        targets: Of each token, shape (tokens,).
        used: Which tokens would be repetitions, see `unlikelihood.used_before`.
        unlikelihood: Weight of the unlikelihood loss, which is added.
    """
    out: torch.Tensor = _Losses.apply(hidden, weight, targets, used, unlikelihood)
    return out


class _Losses(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        used: torch.Tensor | None,
        unlikelihood: float,
    ) -> torch.Tensor:
        is_trained = ctx.needs_input_grad[0]
        out = torch.empty(len(hidden), dtype=torch.float32)
        back = torch.empty_like(hidden) if is_trained else None
        for start in range(0, len(hidden), TOKENS):
            part = slice(start, start + TOKENS)
            target = targets[part, None]
            logs = F.log_softmax((hidden[part] @ weight).float(), -1)
            out[part] = -logs.gather(1, target)[:, 0]
            chances = logs.exp_()
            if used is not None:
                out[part] += unlikelihood * _price(chances, targets, used[part], unlikelihood)
            if back is not None:
                chances.scatter_add_(1, target, torch.full_like(target, -1, dtype=chances.dtype))
                torch.mm(chances.to(hidden.dtype), weight.T, out=back[part])
        if back is not None:
            ctx.save_for_backward(back)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (back,) = ctx.saved_tensors
        return (back * gradient[:, None]).to(back.dtype), None, None, None, None


def _price(
    chances: torch.Tensor, targets: torch.Tensor, used: torch.Tensor, weight: float
) -> torch.Tensor:
    """Return the unlikelihood loss, and turn chances into the gradient that includes it.

    Of -log(1 - p) by its logit that is p; by another, -p times that one's chance, over 1 - p.
    """
    columns = used.any(0).nonzero()[:, 0]  # of few examples: the rest costs nothing
    tokens = targets[columns].expand(len(chances), -1)
    repeated = chances.gather(1, tokens) * used[:, columns]
    odds = weight * (repeated / (1 - repeated)).where(repeated < MOST, 0)
    chances *= 1 - odds.sum(1, keepdim=True)
    chances.scatter_add_(1, tokens, odds)
    return -torch.log1p(-repeated.clamp(max=MOST)).sum(1)


def use_head_loss(model: nn.Module) -> list[Undo]:
    """Let a frozen head without a bias return losses where it is given targets.

    Args:
        model: A causal language model without wrappers.

    Returns:
        What takes the change back; nothing where the model has no such head.
    """
    head: Any = getattr(model, "get_output_embeddings", lambda: None)()
    if type(head) is not nn.Linear or head.bias is not None or head.weight.requires_grad:
        return []
    copy = Copy(head)

    def forward(
        hidden: torch.Tensor, targets: torch.Tensor | None = None, *repeated: Any
    ) -> torch.Tensor:
        if targets is None:
            return through(hidden, copy, None)
        dtype = multiplied_in(hidden)
        with torch.autocast(hidden.device.type, enabled=False):
            return losses(hidden.to(dtype), copy(dtype), targets, *repeated)

    return [swap(head, forward)]
