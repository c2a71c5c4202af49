from __future__ import annotations

import math

import pytest
import torch

from tuneproof.kernels import block_attention as attentions
from tuneproof.kernels.elementwise import chance, dropout, dropped

DTYPES = [torch.float32, torch.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("p", [0.05, 0.1, 0.5])
def test_mean_and_variance(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    count = 400_000
    out = dropout(torch.ones(count, dtype=dtype), p).float()
    assert float((out == 0).float().mean()) == pytest.approx(p, abs=4 * math.sqrt(p / count))
    assert float(out.mean()) == pytest.approx(1, abs=4 * math.sqrt(p / (1 - p) / count) + 2e-3)
    assert float(out.var()) == pytest.approx(p / (1 - p), rel=0.02)


def test_draws_do_not_follow_each_other() -> None:
    torch.manual_seed(0)
    gone = (dropped((400, 1001), 0.1) < 0).float() - chance(0.1)
    for other in (gone.roll(1, 1), gone.roll(4, 1), gone.roll(1, 0)):
        assert abs(float((gone * other).mean())) < 4 * 0.09 / math.sqrt(gone.numel())


def test_the_seed_decides() -> None:
    values = torch.ones(1000)
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(dropout(values, 0.3))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_gradient_goes_where_the_values_went(dtype: torch.dtype) -> None:
    values = torch.randn(50, 70, dtype=dtype).requires_grad_()
    out = dropout(values, 0.2)
    out.backward(torch.ones_like(out))
    assert values.grad is not None
    scale = torch.tensor(1 / (1 - chance(0.2)), dtype=dtype)
    assert torch.equal(values.grad, torch.where(out == 0, 0, scale))


def test_attention_with_dropout_is_the_plain_one_with_its_mask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    masks = []

    def remembered(shape: torch.Size, p: float) -> torch.Tensor:
        masks.append(dropped(shape, p))
        return masks[-1].clone()

    monkeypatch.setattr(attentions, "dropped", remembered)
    inputs = [torch.randn(4, 200, 16).requires_grad_() for _ in range(3)]
    out = attentions.attention(*inputs, 0.25, 0.3)
    upstream = torch.randn_like(out)
    found = [out, *torch.autograd.grad(out, inputs, upstream)]

    queries, keys, values = inputs
    kept = torch.zeros(4, 200, 200)
    kept[:, :128, :128], kept[:, 128:, :] = masks[0] >= 0, masks[1] >= 0
    later = torch.full((200, 200), -torch.inf).triu(1)
    chances = (queries @ keys.transpose(1, 2) * 0.25 + later).softmax(-1)
    plain = (chances * kept / (1 - chance(0.3))) @ values
    for one, other in zip(
        found, [plain, *torch.autograd.grad(plain, inputs, upstream)], strict=True
    ):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-5)
    assert float(kept.tril().sum()) / (4 * 200 * 201 / 2) == pytest.approx(0.7, abs=0.01)
