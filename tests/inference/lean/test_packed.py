"""Weights that are given up for others are not missed."""

from __future__ import annotations

import platform
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from inference.lean import packed

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="another processor, left as it is"
)
IDS = torch.tensor([[1, 2, 3, 4, 5]])


def gpt2() -> Any:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(n_layer=2, n_embd=32, n_head=2, vocab_size=50)).eval()


def llama() -> Any:
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2}
    config = LlamaConfig(**shape, num_hidden_layers=2, vocab_size=50, num_key_value_heads=1)
    return LlamaForCausalLM(config).eval()


def given_up(model: Any) -> set[str]:
    return {
        name.rpartition(".")[0].rpartition(".")[2] for name, each in model.named_parameters()
        if not each.numel()
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "SMALL", 0)


@pytest.mark.parametrize(
    ("made", "names"),
    [
        (gpt2, {"c_attn", "c_proj", "c_fc"}),  # the head is the embedding
        (llama, {f"{each}_proj" for each in "qkvo"} | {"gate_proj", "up_proj", "down_proj"}
         | {"lm_head"}),
    ],
    ids=["gpt2", "llama"],
)  # fmt: skip
@torch.inference_mode()
def test_a_model_says_the_same(made: Any, names: set[str]) -> None:
    model = made()
    wanted = model(IDS).logits
    packed.pack(model)
    assert given_up(model) == names
    torch.testing.assert_close(model(IDS).logits, wanted, atol=1e-5, rtol=1e-5)


def adapted(**settings: Any) -> Any:
    config = LoraConfig(
        task_type="CAUSAL_LM", target_modules=["c_attn"], fan_in_fan_out=True,
        init_lora_weights=False, **settings,
    )  # fmt: skip
    return get_peft_model(gpt2(), config).eval()


@torch.inference_mode()
def test_adapters_keep_theirs_and_what_they_stand_on_does_not() -> None:
    model: PeftModel = adapted()
    wanted = model(IDS).logits
    packed.pack(model)
    assert given_up(model) == {"base_layer", "c_proj", "c_fc"}
    torch.testing.assert_close(model(IDS).logits, wanted, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_layers_that_look_at_the_weight_keep_it() -> None:
    model: PeftModel = adapted(use_dora=True)
    wanted = model(IDS).logits
    packed.pack(model)
    assert given_up(model) == {"c_proj", "c_fc"}
    torch.testing.assert_close(model(IDS).logits, wanted, atol=1e-5, rtol=1e-5)


def test_other_numbers_are_left_alone() -> None:
    model = gpt2().bfloat16()
    packed.pack(model)
    assert not given_up(model)
