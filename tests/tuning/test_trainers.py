from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM
from trl import SFTConfig, SFTTrainer

from tuneproof.prompts.fit import IGNORED
from tuneproof.tuning.losses import completion_losses, has_plain_head, sum_of_means
from tuneproof.tuning.trainers import CompletionTrainer

pytestmark = pytest.mark.slow


def uneven_rows(count: int = 6) -> list[dict[str, list[int]]]:
    """Rows of very different lengths and trained shares."""
    draw = torch.Generator().manual_seed(3)
    rows = []
    for number in range(count):
        ids = torch.randint(1, 250, (4 + 9 * number,), generator=draw).tolist()
        prompt = 1 + number * 2 if number % 2 else len(ids) - 2
        rows.append({"input_ids": ids, "labels": [IGNORED] * prompt + ids[prompt:]})
    return rows


def trainer_of(
    kind: type[Any], model: Path, tokenizer: Any, out: Path, accumulation: int = 1, batch: int = 3
) -> Any:
    tokenizer.pad_token = tokenizer.eos_token
    rows = uneven_rows()
    torch.manual_seed(0)
    trainer = kind(
        model=AutoModelForCausalLM.from_pretrained(model),
        args=SFTConfig(
            output_dir=str(out), dataset_kwargs={"skip_prepare_dataset": True}, max_length=None,
            per_device_train_batch_size=batch, gradient_accumulation_steps=accumulation,
            activation_checkpointing=False, gradient_checkpointing=False, bf16=False,
            use_cpu=True, report_to="none", per_device_eval_batch_size=batch, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            task_type="CAUSAL_LM", r=4, init_lora_weights=False, target_modules="all-linear",
            fan_in_fan_out="gpt2" in model.name,
        ),
    )  # fmt: skip
    trainer.model.train()
    return trainer


def step_of(trainer: Any, accumulation: int) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Losses of the micro-batches of one optimizer step, and the gradients they add up to."""
    trainer.model.zero_grad()
    trainer.current_gradient_accumulation_steps = accumulation
    batches = iter(torch.utils.data.DataLoader(
        trainer.train_dataset, batch_size=trainer.args.per_device_train_batch_size,
        collate_fn=trainer.data_collator,
    ))  # fmt: skip
    samples, items = trainer.get_batch_samples(batches, accumulation, torch.device("cpu"))
    losses = [trainer.training_step(trainer.model, inputs, items).item() for inputs in samples]
    return losses, {
        name: value.grad.clone()
        for name, value in trainer.model.named_parameters()
        if value.grad is not None
    }


@pytest.mark.parametrize("accumulation", [1, 2])
def test_loss_and_gradients_are_those_of_trl(
    kind: str, accumulation: int, base_models: dict[str, Path], tokenizer: Any, tmp_path: Path
) -> None:
    found = []
    for trainer_kind in (SFTTrainer, CompletionTrainer):
        trainer = trainer_of(trainer_kind, base_models[kind], tokenizer, tmp_path, accumulation)
        found.append(step_of(trainer, accumulation))
    assert trainer.is_short
    (losses, gradients), (short_losses, short_gradients) = found
    assert short_losses == pytest.approx(losses, rel=1e-5)
    assert gradients.keys() == short_gradients.keys()
    assert len(gradients) > 10
    for name, gradient in gradients.items():
        torch.testing.assert_close(short_gradients[name], gradient, rtol=1e-5, atol=1e-5)
    assert max(float(gradient.abs().max()) for gradient in gradients.values()) > 1e-2


def test_accumulated_uneven_batches_weigh_tokens_alike(
    kind: str, base_models: dict[str, Path], tokenizer: Any, tmp_path: Path
) -> None:
    whole = step_of(trainer_of(CompletionTrainer, base_models[kind], tokenizer, tmp_path, 1, 6), 1)
    parts = step_of(trainer_of(CompletionTrainer, base_models[kind], tokenizer, tmp_path, 2, 3), 2)
    assert sum(parts[0]) == pytest.approx(whole[0][0], rel=1e-5)
    for name, gradient in whole[1].items():
        torch.testing.assert_close(parts[1][name], gradient, rtol=1e-5, atol=1e-5)


def test_validation_loss_of_several_batches_is_that_of_trl_in_one(
    kind: str, base_models: dict[str, Path], tokenizer: Any, tmp_path: Path
) -> None:
    ours, theirs = (
        trainer_of(each, base_models[kind], tokenizer, tmp_path, batch=size).evaluate()["eval_loss"]
        for each, size in ((CompletionTrainer, 2), (SFTTrainer, 6))
    )
    assert ours == pytest.approx(theirs, rel=1e-5)


IDS = [[5, 6, 7, 8], [9, 10, 0, 0]]
LABELS = [[IGNORED, IGNORED, 7, 8], [IGNORED, 10, IGNORED, IGNORED]]


@pytest.mark.parametrize("is_short", [True, False])
def test_losses_are_those_of_the_trained_tokens_by_example(
    base_models: dict[str, Path], is_short: bool
) -> None:
    model = AutoModelForCausalLM.from_pretrained(base_models["gpt2"]).eval()
    inputs = {
        "input_ids": torch.tensor(IDS), "labels": torch.tensor(LABELS),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
    }  # fmt: skip
    with torch.no_grad():
        losses, examples = completion_losses(model, inputs, is_short=is_short)
        labels = inputs.pop("labels")
        chances = model(**inputs).logits.log_softmax(-1)
    expected = [-chances[0, 1, 7], -chances[0, 2, 8], -chances[1, 0, 10]]
    assert examples.tolist() == [0, 0, 1]
    assert labels.ne(IGNORED).sum() == 3
    torch.testing.assert_close(losses, torch.stack(expected), rtol=1e-5, atol=0)


def test_sum_of_means_gives_every_example_the_same_weight() -> None:
    losses, examples = torch.tensor([1.0, 3.0, 10.0]), torch.tensor([0, 0, 1])
    assert float(sum_of_means(losses, examples)) == 2 + 10


def test_by_example_the_loss_is_the_mean_of_the_examples_losses(
    kind: str, base_models: dict[str, Path], tokenizer: Any, tmp_path: Path
) -> None:
    by_example = partial(CompletionTrainer, weighting="example")
    alone = step_of(trainer_of(SFTTrainer, base_models[kind], tokenizer, tmp_path, 1, 1), 1)
    each = [
        trainer_of(SFTTrainer, base_models[kind], tokenizer, tmp_path, 1, 1).compute_loss(
            *batch_of(base_models[kind], tokenizer, tmp_path, number)
        ).item()
        for number in range(6)
    ]  # fmt: skip
    whole = step_of(trainer_of(by_example, base_models[kind], tokenizer, tmp_path, 1, 6), 1)
    parts = step_of(trainer_of(by_example, base_models[kind], tokenizer, tmp_path, 2, 4), 2)
    assert each[0] == pytest.approx(alone[0][0], rel=1e-5)
    assert whole[0][0] == pytest.approx(sum(each) / 6, rel=1e-4)
    assert sum(parts[0]) == pytest.approx(whole[0][0], rel=1e-5)
    for name, gradient in whole[1].items():
        torch.testing.assert_close(parts[1][name], gradient, rtol=1e-5, atol=1e-5)


def batch_of(model: Path, tokenizer: Any, out: Path, number: int) -> tuple[Any, dict[str, Any]]:
    trainer = trainer_of(SFTTrainer, model, tokenizer, out, 1, 1)
    return trainer.model, trainer.data_collator([trainer.train_dataset[number]])


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("gemma2", {"final_logit_softcapping": 30.0, "head_dim": 16}),
        ("granite", {"logits_scaling": 8.0}),
        ("cohere", {"logit_scale": 0.0625}),
    ],
)
def test_models_that_change_their_logits_fall_back_to_trl(
    name: str, changes: dict[str, Any], make_model: Callable[..., Path], tokenizer: Any,
    tmp_path: Path,
) -> None:  # fmt: skip
    folder = make_model(tmp_path / name, name, **changes)
    assert not has_plain_head(AutoModelForCausalLM.from_pretrained(folder))
    ours, theirs = (
        step_of(trainer_of(each, folder, tokenizer, tmp_path), 1)
        for each in (CompletionTrainer, SFTTrainer)
    )
    assert ours[0] == theirs[0]


def test_plain_heads_are_known(kind: str, base_models: dict[str, Path]) -> None:
    model = AutoModelForCausalLM.from_pretrained(base_models[kind]).train()
    assert has_plain_head(model)
    assert model.training


def test_longest_example_is_trained_first(
    base_models: dict[str, Path], tokenizer: Any, tmp_path: Path
) -> None:
    trainer = trainer_of(CompletionTrainer, base_models["gpt2"], tokenizer, tmp_path, 1, 2)
    longest = max(len(row["input_ids"]) for row in uneven_rows())
    for epoch in range(5):
        batches = trainer.get_train_dataloader()
        batches.set_epoch(epoch)
        assert next(iter(batches))["input_ids"].shape == (2, longest)


def test_right_answers_are_those_that_greedy_decoding_would_write(
    base_models: dict[str, Path], tokenizer: Any, tmp_path: Path
) -> None:
    trainer = trainer_of(
        partial(CompletionTrainer, counts_right=True), base_models["gpt2"], tokenizer, tmp_path
    )
    model = trainer.model.eval()
    rows = uneven_rows()
    for row in rows[::2]:  # half of them get as their completion what the model itself would say
        start = row["labels"].index(next(label for label in row["labels"] if label != IGNORED))
        ids = torch.tensor([row["input_ids"][:start]])
        for place in range(start, len(row["input_ids"])):
            said = int(model(ids).logits[0, -1].argmax())
            ids = torch.cat([ids, torch.tensor([[said]])], 1)
            row["input_ids"][place] = row["labels"][place] = said
    trainer.eval_dataset = Dataset.from_list(rows)
    assert trainer.evaluate()["eval_accuracy"] == pytest.approx(0.5)
