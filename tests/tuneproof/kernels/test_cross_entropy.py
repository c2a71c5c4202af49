"""The loss in blocks is the plain one, whatever the blocks' size."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from tuneproof.kernels import cross_entropy
from tuneproof.kernels.unlikelihood import prices, used_before

WIDTH, VOCABULARY, TOKENS = 16, 50, 37


@pytest.mark.parametrize("block", [1, 8, 37, 100])
@pytest.mark.parametrize("unlikelihood", [0.0, 0.7])
@pytest.mark.parametrize("is_fused", [True, False])
def test_loss_and_gradient_are_the_plain_ones(
    block: int, unlikelihood: float, is_fused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(2))
    hidden, weight = draw(TOKENS, WIDTH).requires_grad_(), draw(WIDTH, VOCABULARY)
    targets = torch.arange(TOKENS) % 7
    examples = torch.arange(TOKENS) // 15
    used = used_before(targets, examples) if unlikelihood else None
    logs = (hidden @ weight).log_softmax(-1)
    plain = F.nll_loss(logs, targets, reduction="none")
    if used is not None:
        plain = plain + unlikelihood * prices(logs, targets, used)
    factors = draw(TOKENS)
    [expected] = torch.autograd.grad((plain * factors).sum(), hidden)

    monkeypatch.setattr(cross_entropy, "block_size", lambda *_: block)
    if is_fused:
        losses = cross_entropy.losses(hidden, weight, targets, used, unlikelihood)
    else:
        logits = hidden @ weight
        losses = cross_entropy.losses_of_logits(logits, targets, used, unlikelihood)
    [gradient] = torch.autograd.grad((losses * factors).sum(), hidden)
    torch.testing.assert_close(losses, plain, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)


def test_blocks_of_a_gpu_hold_as_many_logits_whatever_the_vocabulary() -> None:
    there, here = torch.empty(1, device="meta"), torch.empty(1)
    for vocabulary in (50_257, 128_256):
        assert cross_entropy.block_size(here, vocabulary) == cross_entropy.TOKENS
        logits = cross_entropy.block_size(there, vocabulary) * vocabulary
        assert 0.9 * cross_entropy.LOGITS < logits <= cross_entropy.LOGITS
