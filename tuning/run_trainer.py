"""What the trainers of all objectives have in common."""

from __future__ import annotations

from functools import partial
from typing import Any

from peft import PeftModel

from tuneproof.tuning.batches import LengthGroupedSampler


class RunTrainer:
    """Put before a trainer's class: batches of like length, and nothing written but the weights."""

    model: Any
    args: Any
    train_dataset: Any

    def __init__(self, **settings: Any) -> None:
        """Take the trainer's settings."""
        super().__init__(**settings)
        if isinstance(self.model, PeftModel):
            # else PEFT asks the Hub at every checkpoint whether the base has the same vocabulary
            self.model.save_pretrained = partial(
                self.model.save_pretrained, save_embedding_layers=False
            )

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none: the run has a card of its own."""

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedSampler:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        return LengthGroupedSampler(
            [len(ids) for ids in dataset["input_ids"]],
            self.args.train_batch_size * self.args.gradient_accumulation_steps,
            self.args.seed,
        )
