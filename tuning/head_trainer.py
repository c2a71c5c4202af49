"""The trainer of a classification head."""

from __future__ import annotations

from typing import Any

from transformers import DataCollatorWithPadding, Trainer

from tuneproof.tuning.run_trainer import RunTrainer


class HeadTrainer(RunTrainer, Trainer):  # type: ignore[misc]
    """Transformers' trainer over texts of different lengths.

    The labels' cross-entropy is the loss, in nats per example; evaluations give the accuracy too.
    """

    def __init__(self, *, processing_class: Any, **settings: Any) -> None:
        """Take Trainer's settings; the tokenizer fills the batches up."""
        super().__init__(
            processing_class=processing_class,
            data_collator=DataCollatorWithPadding(processing_class),
            compute_metrics=accuracy,
            **settings,
        )


def accuracy(found: Any) -> dict[str, float]:
    """Return the share of texts whose most probable label is the right one."""
    return {"accuracy": float((found.predictions.argmax(-1) == found.label_ids).mean())}
