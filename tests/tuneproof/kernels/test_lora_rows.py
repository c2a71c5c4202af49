"""Rows of several adapters give what PEFT gives, whether they stand side by side or not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from tuneproof.kernels.lora_rows import route_rows, runs


@pytest.fixture
def model() -> Any:
    """Two adapters with weights of their own on one layer."""
    torch.manual_seed(0)
    config = LoraConfig(r=2, init_lora_weights=False, target_modules=["0"])
    made = get_peft_model(nn.Sequential(nn.Linear(6, 4)), config, adapter_name="v1")
    made.add_adapter("v2", config)
    return made.eval()


@pytest.mark.parametrize(
    "names",
    [
        ["__base__", "__base__", "v1", "v2", "v2"],
        ["v2", "__base__", "v1", "v2", "__base__"],
        ["v1"] * 5,
        ["__base__"] * 5,
    ],
    ids=["side by side", "mixed", "one", "none"],
)
@torch.no_grad()
def test_rows_are_those_of_peft(model: Any, names: list[str]) -> None:
    values = torch.randn(5, 3, 6)
    layer = model.base_model.model[0]
    wanted = layer(values, adapter_names=names)
    undo = route_rows(model)
    found = layer(values, adapter_names=names), model(values, adapter_names=names)
    for each in found:
        torch.testing.assert_close(each, wanted, atol=1e-6, rtol=1e-5)
    assert not layer._forward_pre_hooks
    for back in undo:
        back()
    assert "forward" not in vars(layer)
    assert not model._forward_pre_hooks and not model._forward_hooks
    torch.testing.assert_close(model(values, adapter_names=names), wanted)


@torch.no_grad()
def test_tokens_under_each_other_keep_their_adapters(model: Any) -> None:
    values, names = torch.randn(5, 3, 6), ["__base__", "v1", "v2", "v2", "v1"]
    layer = model.base_model.model[0]
    wanted = layer(values, adapter_names=names).flatten(0, 1)
    route_rows(model)
    for order in ([0, 1, 4, 2, 3], range(5)):  # neighbours, and not
        rows = values[list(order)].flatten(0, 1)
        found = layer(rows, adapter_names=[names[row] for row in order])
        torch.testing.assert_close(
            found.unflatten(0, (5, 3)), wanted.unflatten(0, (5, 3))[list(order)]
        )
    with pytest.raises(RuntimeError, match="14 rows of 5 texts"):
        layer(values.flatten(0, 1)[1:], adapter_names=names)


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.no_grad()
def test_bias_and_a_base_of_less_precision(*, has_bias: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    config = LoraConfig(
        r=2, init_lora_weights=False, target_modules=["0"], bias="none", lora_bias=has_bias
    )
    base = nn.Sequential(nn.Linear(6, 4, dtype=dtype))
    made: Any = get_peft_model(base, config, adapter_name="v1").eval()
    layer, values = made.base_model.model[0], torch.randn(3, 2, 6, dtype=dtype)
    if has_bias:
        layer.lora_B["v1"].bias.fill_(0.5)
    names = ["__base__", "v1", "v1"]
    wanted = layer(values, adapter_names=names)
    route_rows(made)
    found = layer(values, adapter_names=names)
    assert found.dtype == dtype
    nearest = 1e-6 if dtype == torch.float32 else 2**-7  # PEFT rounds once more
    torch.testing.assert_close(found, wanted, atol=nearest, rtol=nearest)


@torch.no_grad()
def test_a_base_whose_result_is_strided(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, values = model.base_model.model[0], torch.randn(3, 2, 6)
    plain = layer.base_layer.forward
    monkeypatch.setattr(
        layer.base_layer, "forward", lambda x: plain(x).transpose(1, 2).contiguous().transpose(1, 2)
    )
    wanted = layer(values, adapter_names=["v1", "v1", "v2"])
    route_rows(model)
    torch.testing.assert_close(layer(values, adapter_names=["v1", "v1", "v2"]), wanted)


@torch.no_grad()
def test_layers_that_stay_as_they_are_are_told_by_peft(model: Any) -> None:
    values, names = torch.randn(2, 6), ["v1", "v2"]
    layer = model.base_model.model[0]
    wanted = model(values, adapter_names=names)
    layer.lora_variant["v1"] = "another way"  # such a layer is none of those replaced
    undo = route_rows(model)
    assert not undo
    del layer.lora_variant["v1"]
    assert torch.equal(model(values, adapter_names=names), wanted)


@torch.no_grad()
def test_rows_without_names_are_not_those_of_the_names_before(model: Any) -> None:
    values = torch.randn(2, 6)
    route_rows(model)
    model(values, adapter_names=["__base__", "v2"])
    model.set_adapter("v1")
    torch.testing.assert_close(model(values), model(values, adapter_names=["v1", "v1"]))


def test_without_names_the_layer_is_plain(model: Any) -> None:
    values, layer = torch.randn(2, 6), model.base_model.model[0]
    with torch.no_grad():
        wanted = layer(values)
        route_rows(model)
        assert torch.equal(layer(values), wanted)


def test_rows_of_a_name_are_found() -> None:
    assert runs(("a", "a", "b", "a")) == (
        ("a", slice(0, 2)),
        ("b", slice(2, 3)),
        ("a", slice(3, 4)),
    )
