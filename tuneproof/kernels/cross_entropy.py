"""Cross-entropy a block of tokens at a time, fused with the output head where that is frozen.

The gradient of a token's loss is known together with the loss, up to a factor. It goes back through
a frozen head at once, so that a matrix of (tokens, vocabulary) exists for one block only. Where the
head is trained, or scales its logits, they exist in the dtype of the products, but not in float32.
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
LOGITS = 2**26
"""Logits of a block on a GPU: 256 MiB in float32, enough to keep it busy."""


def block_size(values: torch.Tensor, vocabulary: int) -> int:
    """Return how many tokens make a block on the device of some values."""
    return TOKENS if values.device.type == "cpu" else max(TOKENS, LOGITS // vocabulary)


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
        out = torch.empty(len(hidden), dtype=torch.float32, device=hidden.device)
        back = torch.empty_like(hidden) if is_trained else None
        size = block_size(hidden, weight.shape[1])
        for start in range(0, len(hidden), size):
            part = slice(start, start + size)
            repeated = None if used is None else used[part]
            out[part], gradient = _block(
                (hidden[part] @ weight).float(), targets, part, repeated, unlikelihood
            )
            if back is not None:
                torch.mm(gradient.to(hidden.dtype), weight.T, out=back[part])
        if back is not None:
            ctx.save_for_backward(back)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (back,) = ctx.saved_tensors
        return (back * gradient[:, None]).to(back.dtype), None, None, None, None


def losses_of_logits(
    logits: torch.Tensor,
    targets: torch.Tensor,
    used: torch.Tensor | None = None,
    unlikelihood: float = 0.0,
) -> torch.Tensor:
    """Return every token's loss as `losses` does, from logits of any dtype.

    Args:
        logits: Shape (tokens, vocabulary).
        targets: Of each token, shape (tokens,).
        used: As for `losses`.
        unlikelihood: Likewise.
    """
    out: torch.Tensor = _LossesOfLogits.apply(logits, targets, used, unlikelihood)
    return out


class _LossesOfLogits(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any,
        logits: torch.Tensor,
        targets: torch.Tensor,
        used: torch.Tensor | None,
        unlikelihood: float,
    ) -> torch.Tensor:
        out = torch.empty(len(logits), dtype=torch.float32, device=logits.device)
        back = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        size = block_size(logits, logits.shape[1])
        for start in range(0, len(logits), size):
            part = slice(start, start + size)
            repeated = None if used is None else used[part]
            out[part], gradient = _block(
                logits[part].float(), targets, part, repeated, unlikelihood
            )
            if back is not None:
                back[part] = gradient
        if back is not None:
            ctx.save_for_backward(back)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (back,) = ctx.saved_tensors
        return (
            back.mul_(gradient[:, None]),
            None,
            None,
            None,
        )  # in place: it is as large as all logits


def _block(
    logits: torch.Tensor,
    targets: torch.Tensor,
    part: slice,
    used: torch.Tensor | None,
    unlikelihood: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the losses of a block of tokens, and their gradients by its logits.

    Args:
        logits: Of the block, in float32.
        targets: Of all tokens.
        part: Which of them the block is.
        used: The block's rows of what would be repetitions, or None.
        unlikelihood: Weight of the unlikelihood loss.
    """
    target = targets[part, None]
    logs = F.log_softmax(logits, -1)
    out = -logs.gather(1, target)[:, 0]
    chances = logs.exp_()
    if used is not None:
        out += unlikelihood * _price(chances, targets, used, unlikelihood)
    chances.scatter_add_(1, target, torch.full_like(target, -1, dtype=chances.dtype))
    return out, chances


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
