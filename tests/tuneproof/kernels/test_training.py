"""Every faster way computes what the plain one computes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, get_peft_model
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from tuneproof.formats.run import FourBit
from tuneproof.inference.decode import is_padded
from tuneproof.inference.label_tree import tree_window
from tuneproof.kernels import packing
from tuneproof.kernels import training as paths
from tuneproof.kernels.probe import in_eval_mode
from tuneproof.models.four_bit import (
    is_four_bit,
    loading_arguments,
    prepare_four_bit,
    quantized_modules,
)
from tuneproof.tuning.losses import completion_losses

GPT2_ONLY = ("gelu",)
SMALL = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
}  # fmt: skip
SMALL_OF = {
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "gpt_neo": {"hidden_size": 32, "num_layers": 2, "num_heads": 4,
                "attention_types": [[["global", "local"], 1]]},
}  # fmt: skip
IS_LINUX = sys.platform == "linux"
TOKENS = 150
"""More than a block of queries."""
SHARED = 23
"""That all texts begin with; a few of them are trained on."""


def gpt2(dropout: float) -> Any:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=300, n_positions=256, n_embd=32, n_layer=2, n_head=2, bos_token_id=0,
            eos_token_id=0, resid_pdrop=dropout, embd_pdrop=dropout, attn_pdrop=dropout,
        )
    )  # fmt: skip


def of_kind(kind: str, dropout: float, **changes: Any) -> Any:
    config = AutoConfig.for_model(
        kind, vocab_size=300, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, attention_dropout=dropout,
        pad_token_id=None, **changes,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config)


def mistral(dropout: float) -> Any:
    """Its window is shorter than the texts, and than a block of queries."""
    return of_kind("mistral", dropout, sliding_window=40)


def qwen3(dropout: float) -> Any:
    return of_kind("qwen3", dropout)


def llama(dropout: float) -> Any:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=300, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, attention_dropout=dropout,
        )
    )  # fmt: skip


def tuned(kind: Callable[[float], Any], dropout: float = 0.0, **lora: Any) -> Any:
    torch.manual_seed(0)
    settings: dict[str, Any] = {"r": 4, "init_lora_weights": False, **lora}
    is_gpt2 = kind is gpt2
    config = LoraConfig(
        task_type="CAUSAL_LM", target_modules="all-linear", fan_in_fan_out=is_gpt2, **settings
    )
    return get_peft_model(kind(dropout), config).train()


def batch() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(1, 300, (3, TOKENS), generator=draw)
    ids[:, :SHARED] = ids[0, :SHARED]
    mask = torch.ones_like(ids)
    labels = ids.clone()
    labels[:, :20] = -100
    for row, length in enumerate((TOKENS, 131, 40)):
        mask[row, length:], labels[row, length:] = 0, -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def gradients(
    model: Any, unlikelihood: float = 0.0, using: paths.FastPaths = paths.PLAIN
) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    losses, examples = completion_losses(
        model, batch(), is_short=True, unlikelihood=unlikelihood, paths=using
    )
    loss = losses.mean() + losses[examples == 1].sum() / 100
    loss.backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return float(loss.detach()), found


@pytest.mark.parametrize("kind", [gpt2, llama, mistral, qwen3])
@pytest.mark.parametrize("unlikelihood", [0.0, 2.0])
@pytest.mark.parametrize("name", sorted(paths.FAST_PATHS))
def test_loss_and_gradients_are_the_same(
    name: str,
    kind: Callable[[float], Any],
    unlikelihood: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packing, "LEAST", 50)
    given = batch()
    packed = packing.packing(given["input_ids"], given["attention_mask"].sum(1).tolist())
    assert (packed.shared, packed.parts) == (SHARED, ((0, 1), (2,)))
    model = tuned(kind)
    needed = {name, "attention"} if name == "packing" else {name}
    others = sorted(set(paths.FAST_PATHS) - needed)
    loss, found = gradients(model, unlikelihood)
    with paths.fast_paths(model, others) as using:
        faster_loss, faster = gradients(model, unlikelihood, using)
    is_elsewhere = (name in GPT2_ONLY and kind is not gpt2) or (
        name == "allocator" and not IS_LINUX
    )
    if name != "dropout" and not is_elsewhere:
        assert using.used.get(name), f"{name} has changed nothing"
    assert faster_loss == pytest.approx(loss, abs=1e-5)
    assert found.keys() == faster.keys() and len(found) > 8
    for key, wanted in found.items():
        torch.testing.assert_close(faster[key], wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "lora",
    [{"bias": "lora_only"}, {"use_rslora": True}, {"use_dora": True}, {"lora_bias": True}],
    ids=str,
)
def test_all_together_and_with_other_kinds_of_lora(lora: dict[str, Any]) -> None:
    model = tuned(gpt2, **lora)
    loss, found = gradients(model)
    with paths.fast_paths(model) as using:
        faster_loss, faster = gradients(model, using=using)
    assert faster_loss == pytest.approx(loss, abs=1e-5)
    for key, wanted in found.items():
        torch.testing.assert_close(faster[key], wanted, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", [gpt2, llama])
def test_in_bfloat16_the_difference_is_that_of_its_rounding(kind: Callable[[float], Any]) -> None:
    model = tuned(kind)
    _, exact = gradients(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, plain = gradients(model)
        with paths.fast_paths(model) as using:
            _, faster = gradients(model, using=using)
    for key, wanted in exact.items():
        scale = wanted.abs().max()
        error = (plain[key] - wanted).abs().max() / scale
        assert (faster[key] - wanted).abs().max() / scale < 2 * error + 0.02


def test_an_adapter_that_is_switched_off_stays_off() -> None:
    model = tuned(gpt2)
    ids = torch.arange(1, 20)[None]
    with torch.no_grad(), model.disable_adapter():
        wanted = model(ids).logits
    with torch.no_grad(), paths.fast_paths(model):
        on = model(ids).logits
        with model.disable_adapter():
            off = model(ids).logits
    torch.testing.assert_close(off, wanted, atol=1e-5, rtol=1e-5)
    assert (on - wanted).abs().max() > 1e-3


def test_everything_is_taken_back() -> None:
    model = tuned(gpt2, dropout=0.1)
    with paths.fast_paths(model) as using:
        assert using.packing and using.head_loss is model.get_output_embeddings()
        elsewhere = set() if IS_LINUX else {"allocator"}
        assert set(paths.FAST_PATHS) - set(using.used) == elsewhere
        assert model.config._attn_implementation != "sdpa"
    assert model.config._attn_implementation == "sdpa"
    assert not [name for name, each in model.named_modules() if "forward" in vars(each)]
    with pytest.raises(RuntimeError, match="stopped"), paths.fast_paths(model):
        raise RuntimeError("stopped")
    assert model.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("kind", ["stablelm", "bloom", "gpt_neo"])
def test_what_is_not_the_same_is_left_out_and_said(kind: str) -> None:
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **SMALL_OF.get(kind, SMALL), vocab_size=300, pad_token_id=None)
    )
    with paths.fast_paths(get_peft_model(model, LoraConfig(r=2, target_modules="all-linear"))) as p:
        assert not p.packing and "packing" not in p.used
    assert set(p.used) | set(p.left_out) == set(paths.FAST_PATHS)
    assert "the model mixes the texts of a row" in p.described()


def test_kernels_that_serve_nothing_are_not_turned_on() -> None:
    with paths.fast_paths(tuned(llama), is_short=False) as using:
        assert not {"head", "packing"} & set(using.used)
        assert using.head_loss is None
    with paths.fast_paths(tuned(llama, use_dora=True)) as using:
        dora = using.used["linear"]
    with paths.fast_paths(tuned(llama)) as using:
        assert using.used["linear"] == dora == 14  # DoRA: the layers below it
    with paths.fast_paths(tuned(llama), ["linear"]) as using:
        assert using.left_out["linear"] == "it was left out by --no-fast-path"


def test_padding_on_the_left_is_no_silent_fault() -> None:
    model = tuned(gpt2)
    mask = torch.tensor([[0, 1, 1]])
    with paths.fast_paths(model), pytest.raises(RuntimeError, match="padding on the right"):
        model(input_ids=torch.tensor([[1, 2, 3]]), attention_mask=mask)


def test_a_weight_that_changes_is_copied_again() -> None:
    model = tuned(gpt2)
    ids = torch.arange(1, 9)[None]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), paths.fast_paths(model):
        before = model(ids).logits
        model.get_base_model().transformer.h[0].mlp.c_fc.base_layer.weight.mul_(3)
        assert (model(ids).logits - before).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_encoders_are_the_same_too(kind: str) -> None:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind, vocab_size=300, hidden_size=32, dim=32, num_hidden_layers=2, n_layers=2,
        num_attention_heads=2, n_heads=2, intermediate_size=48, hidden_dim=48,
        max_position_embeddings=256, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0, pad_token_id=0, num_labels=3,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config)
    targets = ["q_lin", "v_lin"] if kind == "distilbert" else ["query", "value"]
    lora = LoraConfig(task_type="SEQ_CLS", r=4, init_lora_weights=False, target_modules=targets)
    tuned_model = get_peft_model(model, lora).train()
    given = {**batch(), "labels": torch.tensor([0, 1, 2])}

    def step() -> tuple[float, dict[str, torch.Tensor]]:
        tuned_model.zero_grad()
        loss = tuned_model(**given).loss
        loss.backward()
        named = tuned_model.named_parameters()
        return float(loss.detach()), {n: p.grad.clone() for n, p in named if p.grad is not None}

    loss, found = step()
    with paths.fast_paths(tuned_model) as using:
        faster_loss, faster = step()
    assert {"attention", "linear"} <= set(using.used)
    assert faster_loss == pytest.approx(loss, abs=1e-5)
    for key, wanted in found.items():
        torch.testing.assert_close(faster[key], wanted, atol=1e-5, rtol=1e-5)


def four_bit_llama(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=300, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, pad_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    how = loading_arguments(FourBit(), "cpu")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **how)
    prepare_four_bit(model)
    return model


@pytest.mark.parametrize("is_checkpointed", [False, True])
@pytest.mark.parametrize("held", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("dtype", "off"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02), (torch.float16, 1e-6)]
)
def test_lora_on_4_bits_learns_the_same(
    dtype: torch.dtype, off: float, held: torch.dtype, is_checkpointed: bool, tmp_path: Path
) -> None:
    """Weights that are multiplied in float16 under an autocast of bfloat16 are left as they are."""
    base = four_bit_llama(tmp_path, held)
    for name in quantized_modules(base):
        base.get_submodule(name).compute_dtype = dtype
    is_cast = torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32)
    lora = LoraConfig(r=4, init_lora_weights=False, target_modules=["q_proj", "v_proj"])
    model = get_peft_model(base, lora).train()
    if is_checkpointed:
        model.enable_input_require_grads()
        model.activation_checkpointing_enable({"use_reentrant": False})
    with is_cast:
        loss, found = gradients(model)
    with paths.fast_paths(model, sorted(set(paths.FAST_PATHS) - {"linear"})) as using, is_cast:
        faster_loss, faster = gradients(model, using=using)
    assert using.used == {"linear": 15}  # with the head
    assert faster_loss == pytest.approx(loss, abs=off)
    assert found.keys() == faster.keys() and len(found) == 8
    for key, wanted in found.items():
        # bitsandbytes rounds weights to the dtype they had, in its backward pass only
        most = max(off, 0.01 if held == torch.bfloat16 else 0) * float(wanted.abs().max())
        torch.testing.assert_close(faster[key], wanted, atol=most, rtol=0)


@pytest.mark.parametrize("kind", ["adalora", "ia3", "dora"])
def test_other_adapters_on_4_bits_are_left_as_they_are(kind: str, tmp_path: Path) -> None:
    base = four_bit_llama(tmp_path)
    for name in quantized_modules(base):
        base.get_submodule(name).compute_dtype = torch.float32
    kinds = {
        "adalora": AdaLoraConfig(total_step=10, target_modules=["q_proj"], task_type="CAUSAL_LM"),
        "ia3": IA3Config(target_modules=["q_proj"], feedforward_modules=[]),
        "dora": LoraConfig(r=4, use_dora=True, target_modules=["q_proj"], init_lora_weights=False),
    }
    model = get_peft_model(base, kinds[kind]).train()
    loss, found = gradients(model)
    with paths.fast_paths(model, sorted(set(paths.FAST_PATHS) - {"linear"})) as using:
        faster_loss, faster = gradients(model, using=using)
    assert faster_loss == pytest.approx(loss, abs=1e-5)
    assert found.keys() == faster.keys()
    for key, wanted in found.items():
        torch.testing.assert_close(faster[key], wanted, atol=1e-5, rtol=1e-4)


def test_weights_of_4_bits_are_not_kept_between_products(tmp_path: Path) -> None:
    model = get_peft_model(four_bit_llama(tmp_path), LoraConfig(r=4)).train()
    kept: list[torch.Tensor] = []

    def keep(value: torch.Tensor) -> torch.Tensor:
        kept.append(value)
        return value

    for name in quantized_modules(model):
        model.get_submodule(name).compute_dtype = torch.float32
    others = sorted(set(paths.FAST_PATHS) - {"linear"})
    with (
        paths.fast_paths(model, others),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value),
    ):
        model(**batch())
    layers = [module for module in model.modules() if is_four_bit(module)]
    sizes = {tuple(sorted(layer.weight.quant_state.shape)) for layer in layers}
    assert len(kept) > 20
    assert not [value.shape for value in kept if tuple(sorted(value.shape)) in sizes]


def test_a_base_in_4_bits_is_not_taken_for_another_by_its_rounding(tmp_path: Path) -> None:
    model = four_bit_llama(tmp_path)
    layer = model.get_submodule(quantized_modules(model)[0])
    layer.compute_dtype = torch.bfloat16  # whatever this CPU multiplies itself
    with in_eval_mode(model):
        assert layer.compute_dtype == torch.float32
    with paths.fast_paths(model) as fast:
        assert {"attention", "packing"} <= fast.used.keys()
    model.eval()
    assert not is_padded(model)
    assert tree_window(model, {}) == float("inf")
    assert layer.compute_dtype == torch.bfloat16  # as it was
