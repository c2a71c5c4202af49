"""The rule of counting operations, against torch's own counter of matrix products."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.tuning.cost.flops import Rates, rates_of

ROWS, TOKENS, TRAINED = 3, 40, 10
WIDE = {"gpt2": {"n_embd": 64}, "llama": {"hidden_size": 64, "intermediate_size": 160}}


def test_a_batch_costs_what_its_positions_and_pairs_cost() -> None:
    rates = Rates(per_position=10, per_row=7, per_pair=2, per_output=5, virtual=0)
    assert rates.batch(3, 4) == 3 * (4 * 10 + 7 + 16 * 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "checkpointing"),
    [
        ("lora", False),
        ("full", False),
        ("ia3", False),
        ("adalora", False),
        ("prompt-tuning", False),
        ("lora", True),
        ("full", True),
    ],
)
def test_count_is_that_of_torch(
    make_model: Callable[..., Path], tmp_path: Path, settings: Callable[..., Any], kind: str,
    method: str, checkpointing: bool,
) -> None:  # fmt: skip
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM

    from tuneproof.models.virtual_tokens import virtual_tokens_of
    from tuneproof.tuning.adapters import adapt
    from tuneproof.tuning.losses import completion_losses

    folder = make_model(tmp_path / "model", kind, **WIDE[kind])
    config = settings(
        method=method, model=str(folder), gradient_checkpointing=checkpointing, lora_r=8
    )
    base = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    model = adapt(config, base).model
    rates = rates_of(model, is_checkpointing=checkpointing)
    if checkpointing:
        base.activation_checkpointing_enable()
    ids = torch.randint(0, 300, (ROWS, TOKENS))
    labels = torch.full_like(ids, -100)
    labels[:, -TRAINED:] = ids[:, -TRAINED:]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    is_short = not virtual_tokens_of(model)
    with FlopCounterMode(display=False) as counter:
        losses, _ = completion_losses(model.train(), given, is_short=is_short)
        losses.sum().backward()
    outputs = ROWS * (TRAINED if is_short else TOKENS + rates.virtual)
    counted = rates.batch(ROWS, TOKENS) + outputs * rates.per_output
    tolerance = 0.12 if checkpointing else 0.05  # torch stops repeating when it has what it needs
    assert counted == pytest.approx(counter.get_total_flops(), rel=tolerance)


@pytest.mark.slow
def test_head_alone_costs_the_forward_pass(all_models: dict[str, Path], classify: Any) -> None:
    from tuneproof.models.load import load_classifier
    from tuneproof.tuning.adapters import adapt

    config = classify("distilbert", method="head")
    base, head = load_classifier(config.model, ["a", "b", "c"], pad_token_id=0, device="cpu")
    rates = rates_of(adapt(config, base, head).model)
    width, layers = 32, 2
    assert rates.per_position == layers * 2 * (4 * width**2 + 2 * width * 64)
    assert rates.per_row == 2 * (2 * width**2 + 3 * 3 * width)
    assert rates.per_pair == layers * 4 * width
