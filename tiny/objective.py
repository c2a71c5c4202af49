"""Loss of the embedded base model: next-token cross-entropy and token unlikelihood."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Objective(nn.Module):  # type: ignore[misc]
    """Next-token cross-entropy in nats per token, and the unlikelihood of repeated tokens."""

    def __init__(self, model: Any, unlikelihood: float = 0.0) -> None:
        """Wrap a GPT-2 language model; `unlikelihood` is the weight of the second loss."""
        super().__init__()
        self.model = model
        self.unlikelihood = unlikelihood

    def forward(self, ids: Tensor) -> Tensor:
        """Return the mean loss over ids of shape (rows, length + 1)."""
        hidden = self.model.transformer(input_ids=ids[:, :-1], use_cache=False).last_hidden_state
        logs = F.linear(hidden, self.model.lm_head.weight).float().log_softmax(-1)
        loss = -logs.gather(2, ids[:, 1:, None]).mean()
        return loss + self.unlikelihood * repetition(logs, ids) if self.unlikelihood else loss


def repetition(logs: Tensor, ids: Tensor) -> Tensor:
    """Return the token-level unlikelihood of Welleck et al. (2020), in nats per token.

    At every position it is -log(1 - p), summed over the distinct earlier tokens that are not the
    next one: without it so small a model nearly always ends in a loop.

    Args:
        logs: Log-probabilities of the next token, shape (rows, length, vocabulary).
        ids: The tokens, shape (rows, length + 1).
    """
    before, length = ids[:, :-1], logs.shape[1]
    is_known = (before[:, :, None] == before[:, None, :]).tril(-1).any(2)
    is_next = before[:, None, :] == ids[:, 1:, None]
    is_earlier = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
    wrong = is_earlier & ~is_next & ~is_known[:, None, :]  # (rows, position, earlier token)
    chances = logs.gather(2, before[:, None, :].expand(-1, length, -1)).exp()
    prices = -torch.log1p(-chances.clamp(max=1 - 1e-5))
    return (prices * wrong).sum(2).mean()
