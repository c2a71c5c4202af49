"""Products by oneDNN are those of torch, and only where nothing is trained."""

from __future__ import annotations

import platform

import pytest
import torch
from torch import nn
from transformers import GPT2Config
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP
from transformers.pytorch_utils import Conv1D

from tuneproof.kernels.onednn import use_onednn

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="another processor, left as it is"
)


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(24, 40), nn.Linear(24, 40, bias=False), Conv1D(40, 24)],
    ids=["linear", "without a bias", "turned"],
)
@pytest.mark.parametrize("copies_weights", [False, True])
def test_a_layer_gives_the_same(layer: nn.Module, *, copies_weights: bool) -> None:
    values = torch.randn(3, 5, 24)
    with torch.no_grad():
        wanted = layer(values)
    (undo,) = use_onednn(layer, copies_weights=copies_weights)
    with torch.inference_mode():
        for _ in range(2):  # copied, and found copied
            torch.testing.assert_close(layer(values), wanted, atol=1e-5, rtol=1e-5)
    undo()
    assert "forward" not in vars(layer)


def test_what_is_trained_goes_the_plain_way() -> None:
    layer = nn.Linear(4, 2)
    use_onednn(layer)
    layer(torch.randn(3, 4)).sum().backward()
    assert layer.weight.grad is not None


def test_other_numbers_go_the_plain_way() -> None:
    assert use_onednn(nn.Linear(4, 2).bfloat16()) == []
    layer = nn.Linear(4, 2)
    use_onednn(layer)
    with torch.no_grad(), pytest.raises(RuntimeError, match="dtype"):
        layer(torch.randn(3, 4).double())


@pytest.mark.parametrize("copies_weights", [False, True])
def test_a_product_goes_on_with_the_gelu_after_it(*, copies_weights: bool) -> None:
    block = GPT2MLP(48, GPT2Config(n_embd=24)).eval()
    values = torch.randn(3, 5, 24)
    wanted = block(values)
    undo = use_onednn(block, copies_weights=copies_weights)
    with torch.inference_mode():
        torch.testing.assert_close(block(values), wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(block(values), wanted)  # a gradient may be asked for
    for back in undo:
        back()
    assert not any("forward" in vars(each) for each in block.modules())
