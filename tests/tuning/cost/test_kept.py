"""What layers keep for the backward pass, and the largest batch of a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tuneproof.kernels.training import FAST_PATHS, fast_paths
from tuneproof.models.load import load_model
from tuneproof.tuning import adapters
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.cost import kept as module
from tuneproof.tuning.cost.kept import Kept, kept_by, largest_batch

pytestmark = pytest.mark.slow
RANK = 2


def adapted(model: Path, **changes: Any) -> Any:
    """Return a model with an adapter."""
    config = TuneConfig(model=str(model), lora_r=RANK, **changes)
    wrapped = adapters.adapt(config, load_model(config.model, device="cpu")).model
    adapters.train_in_float32(wrapped)
    return wrapped


def test_llama_keeps_what_can_be_counted_by_hand(make_model: Any, tmp_path: Path) -> None:
    layers, width, inner, heads = 2, 64, 96, 4
    folder = make_model(
        tmp_path / "llama", "llama", hidden_size=width, intermediate_size=inner,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=2,
    )  # fmt: skip
    model = adapted(folder)
    with fast_paths(model):
        kept = kept_by(model, "bfloat16")
    norms = 2 * (4 * width + 4)  # float32, and a scale for each token
    inputs = 2 * (6 * width + inner) + 7 * 2 * RANK  # of q, k, v, o, gate, up and down; of LoRA
    attention = 2 * 4 * width  # queries, keys, values, outputs
    gates = 2 * 3 * inner  # before and after SiLU, and what it is multiplied by
    angles = 2 * 4 * (width // heads)  # cosines and sines, which all layers share
    by_hand = layers * (norms + inputs + attention + gates) + angles + 4
    assert kept.per_token == pytest.approx(by_hand, rel=0.01)
    assert kept.per_pair == 2 * layers * heads  # a probability of each


@pytest.mark.parametrize("without", [(), tuple(FAST_PATHS)], ids=["kernels", "plain"])
def test_longer_texts_keep_what_follows_from_short_ones(
    base_models: dict[str, Path], kind: str, without: tuple[str, ...]
) -> None:
    model = adapted(base_models[kind])
    with fast_paths(model, without):
        kept = kept_by(model, "float32")
        short, long = (module._kept_bytes(model, "float32", tokens) for tokens in (20, 90))
    more = 70 * kept.per_token + (90**2 - 20**2) * kept.per_pair
    assert long - short == pytest.approx(more, rel=0.01)


def test_random_state_and_mode_stay_as_they_were(base_models: dict[str, Path], kind: str) -> None:
    model = adapted(base_models[kind], lora_dropout=0.1).eval()
    before = torch.random.get_rng_state()
    assert kept_by(model, "float32").per_token > 0
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not model.training
    assert not any(value.grad is not None for value in model.parameters())


def test_head_alone_keeps_nothing_of_the_layers(base_models: dict[str, Path]) -> None:
    model = adapted(base_models["gpt2"])
    nothing = Kept(per_token=0.0, per_pair=0.0)
    assert kept_by(model, "float32", reaches_layers=False) == nothing


@pytest.mark.parametrize("without", [(), ("packing",)], ids=["packed", "padded"])
def test_no_batch_of_the_first_epoch_is_larger(
    settings: Callable[..., TuneConfig], without: tuple[str, ...]
) -> None:
    from tuneproof.formats.data_folder import open_to_train
    from tuneproof.tuning.generate import prepare

    config = settings(per_device_train_batch_size=4)
    trainer = prepare(config, open_to_train(config.data)).trainer
    seen = []
    with trainer.fast_paths(without):
        load = largest_batch(trainer, 4)
        for inputs in trainer.get_train_dataloader():
            mask, trained = inputs["attention_mask"], (inputs["labels"] != -100).sum()
            if without:
                seen.append((mask.numel(), int(trained)))
            else:
                from tuneproof.kernels.packing import packing

                packed = packing(inputs["input_ids"], mask.sum(1).tolist())
                seen.append((packed.positions, int(trained)))
    assert (load.tokens, load.trained) in seen
    assert load.tokens >= 0.9 * max(tokens for tokens, _ in seen)  # a prefix may be shared
