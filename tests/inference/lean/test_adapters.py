"""Rows of several adapters give what PEFT gives, whether they stand side by side or not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from inference.lean import adapters


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
    undo = adapters.replace(model)
    assert len(undo) == 1
    torch.testing.assert_close(layer(values, adapter_names=names), wanted, atol=1e-6, rtol=1e-5)
    undo[0]()
    assert "forward" not in vars(layer)


def test_without_names_the_layer_is_plain(model: Any) -> None:
    values, layer = torch.randn(2, 6), model.base_model.model[0]
    with torch.no_grad():
        wanted = layer(values)
        adapters.replace(model)
        assert torch.equal(layer(values), wanted)


def test_rows_of_a_name_are_found() -> None:
    assert adapters.runs(("a", "a", "b", "a")) == (
        ("a", slice(0, 2)),
        ("b", slice(2, 3)),
        ("a", slice(3, 4)),
    )
