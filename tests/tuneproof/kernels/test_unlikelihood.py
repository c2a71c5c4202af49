from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tuning.test_trainers import step_of, trainer_of
from tuneproof.files import write_jsonl
from tuneproof.formats.data_folder import DataFolder, Manifest
from tuneproof.kernels.unlikelihood import prices, used_before
from tuneproof.tuning.config import TuneConfig
from tuneproof.tuning.generate import price_of_repeating
from tuneproof.tuning.job import default_unlikelihood
from tuneproof.tuning.trainers import CompletionTrainer

TARGETS = [3, 4, 3, 5, 3, 4]
EXAMPLES = [0, 0, 0, 0, 1, 1]
USED = [set(), {3}, {4}, {3, 4}, set(), {3}]
"""At every token, those that the answer has used and that are not right here."""


def test_prices_are_those_of_the_definition() -> None:
    logs = torch.randn(6, 8, generator=torch.Generator().manual_seed(1)).double().log_softmax(-1)
    targets = torch.tensor(TARGETS)
    found = prices(logs, targets, used_before(targets, torch.tensor(EXAMPLES)))
    expected = [
        sum(-math.log(1 - math.exp(float(row[token]))) for token in used)
        for row, used in zip(logs, USED, strict=True)
    ]
    assert found.tolist() == pytest.approx(expected, rel=1e-9)


def test_a_certain_repetition_has_a_bounded_price() -> None:
    logs = torch.full((2, 4), -1e4)
    logs[:, 1] = 0.0
    targets = torch.tensor([1, 2])
    found = prices(logs, targets, used_before(targets, torch.tensor([0, 0])))
    assert found.tolist() == pytest.approx([0.0, -math.log(1e-5)], rel=1e-2)


@pytest.mark.parametrize(
    ("width", "weight"), [(32, 3.0), (256, 3.0), (768, 1.0), (1024, 0.75), (4096, 0.19)]
)
def test_wider_models_need_less(width: int, weight: float) -> None:
    assert default_unlikelihood(width) == weight


def test_labels_cost_nothing_and_what_is_set_counts(tmp_path: Path) -> None:
    row = {"id": "1", "task": "kind", "instruction": "", "input": "Buy!", "output": "buy"}
    answers, labels = DataFolder(tmp_path / "answers"), DataFolder(tmp_path / "labels")
    for folder in (answers, labels):
        write_jsonl(folder.file("train"), [row])
    Manifest(labels={"kind": ["buy", "sell"]}).write(labels.path)
    assert price_of_repeating(TuneConfig(), answers, 768) == 1.0
    assert price_of_repeating(TuneConfig(unlikelihood=0.5), answers, 768) == 0.5
    assert price_of_repeating(TuneConfig(unlikelihood=0), answers, 768) == 0
    assert price_of_repeating(TuneConfig(unlikelihood=0.5), labels, 768) == 0
    with pytest.raises(ValueError, match="unlikelihood must not be negative, got -1"):
        TuneConfig(unlikelihood=-1)


@pytest.mark.slow
@pytest.mark.parametrize("weighting", ["example", "token"])
def test_the_price_counts_in_training_and_not_in_validation(
    base_models: dict[str, Path], tokenizer: Any, tmp_path: Path, weighting: str
) -> None:
    losses, validations = [], []
    for unlikelihood in (0.0, 1.0, 2.0):
        kind = partial(CompletionTrainer, weighting=weighting, unlikelihood=unlikelihood)
        trainer = trainer_of(kind, base_models["gpt2"], tokenizer, tmp_path)
        losses.append(step_of(trainer, 1)[0][0])
        validations.append(trainer.evaluate()["eval_loss"])
    assert losses[1] > losses[0] + 1e-3
    assert losses[2] - losses[1] == pytest.approx(losses[1] - losses[0], rel=1e-3)
    assert validations == pytest.approx([validations[0]] * 3, rel=1e-6)
