"""TRL's SFTTrainer, with the output head on the trained positions only.

On a CPU trl 1.16 sends prompt and padding through the head too: for GPT-2 that is 50,257 products
for every token nobody trains on. The loss is the same; only the work for nothing is left out.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel
from torch.nn import functional as F
from trl import SFTTrainer

from tuning.examples import IGNORED
from tuning.run_trainer import RunTrainer

COMPACT_DEVICES = ("cuda", "xpu")
"""Where TRL leaves the untrained positions out by itself."""


class CompletionTrainer(RunTrainer, SFTTrainer):  # type: ignore[misc]
    """An SFTTrainer that computes logits only where a label is.

    The mean over trained tokens of a batch (or of all accumulated batches) is the loss, in nats.
    """

    def __init__(self, **settings: Any) -> None:
        """Take SFTTrainer's settings, and find out whether the short way is the same here."""
        super().__init__(**settings)
        self.is_short = (
            self.args.device.type not in COMPACT_DEVICES
            and self.accelerator.num_processes == 1
            and not self.aux_loss_enabled
            and has_plain_head(_core(self.model))
        )

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss; falls back to TRL's own where the short way would not be the same."""
        if return_outputs or not self.is_short:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        with self.accelerator.autocast():
            loss, count = completion_loss(
                _core(model), inputs["input_ids"], inputs["attention_mask"], inputs["labels"]
            )
        return loss / (count.clamp(min=1) if num_items_in_batch is None else num_items_in_batch)


def has_plain_head(core: Any) -> bool:
    """Return whether a model's logits are its output embedding times its last hidden state.

    It is tried on a few tokens, since some models scale or cap their logits.

    Args:
        core: A causal language model without wrappers.
    """
    head = core.get_output_embeddings()
    if head is None or core.base_model is core:
        return False
    ids = torch.arange(4, device=core.device)[None]
    given = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "use_cache": False}
    was_training = core.training
    core.eval()
    with torch.no_grad():
        hidden = core.base_model(**given).last_hidden_state
        logits = core(**given).logits
        is_same: bool = torch.equal(head(hidden).float(), logits.float())
    core.train(was_training)
    return is_same


def completion_loss(
    core: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the summed cross-entropy in nats, and the number of tokens it is summed over.

    Args:
        core: A causal language model without wrappers.
        input_ids: Shape (batch, tokens), padded on the right.
        attention_mask: Shape (batch, tokens); 0 on padding.
        labels: Shape (batch, tokens); -100 where nothing is trained.
    """
    hidden = core.base_model(
        input_ids=input_ids, attention_mask=attention_mask, use_cache=False
    ).last_hidden_state
    targets = labels[:, 1:]
    trained = targets != IGNORED
    logits = core.get_output_embeddings()(hidden[:, :-1][trained])  # (trained tokens, vocabulary)
    return F.cross_entropy(logits.float(), targets[trained], reduction="sum"), trained.sum()


def _core(model: Any) -> Any:
    return model.get_base_model() if isinstance(model, PeftModel) else model
