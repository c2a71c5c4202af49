"""Unlikelihood loss: penalise probability on tokens that the answer has already used.

Cross-entropy rewards the right token only. A small model trained with it alone repeats itself and
does not end its answers.
"""

from __future__ import annotations

import torch

MOST = 1 - 1e-5
"""Probabilities are clipped to this, so that the loss is bounded."""


def used_before(targets: torch.Tensor, examples: torch.Tensor) -> torch.Tensor:
    """Return which tokens would be repetitions at which position, shape (tokens, tokens).

    A row is a position in an answer; a column is true where its token occurs earlier in the same
    answer, for the first time, and is not the right one at that position. Tokens of the prompt do
    not count.

    Args:
        targets: The right tokens of all answers, shape (tokens,).
        examples: The number of the example that each token belongs to, shape (tokens,).
    """
    before = (examples[:, None] == examples).tril(-1)
    is_same = targets[:, None] == targets
    is_known = (before & is_same).any(1)
    return before & ~is_same & ~is_known


def prices(logs: torch.Tensor, targets: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
    """Return the token-level unlikelihood of Welleck et al. (2020) in nats, shape (tokens,).

    At every position it is the sum of -log(1 - p) over the tokens that would be repetitions.

    Args:
        logs: Log-probabilities at every position, shape (tokens, vocabulary).
        targets: The right tokens, shape (tokens,).
        used: As `used_before` returns it.
    """
    chances = logs[:, targets].exp().clamp(max=MOST)
    return (-torch.log1p(-chances) * used).sum(1)
