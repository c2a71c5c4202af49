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

HEAD_ADDITIONS = ("final_logit_softcapping", "logit_scale", "logits_scaling", "output_multiplier")
"""Config fields of models whose logits are more than head times hidden state."""


class CompletionTrainer(SFTTrainer):  # type: ignore[misc]
    """An SFTTrainer that computes logits only where a label is.

    The mean over trained tokens of a batch (or of all accumulated batches) is the loss, in nats.
    """

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss; falls back to TRL's own where the short way would not be the same."""
        core = model.get_base_model() if isinstance(model, PeftModel) else model
        if return_outputs or not has_plain_head(core) or inputs["input_ids"].is_cuda:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        mask = inputs["attention_mask"]
        loss, count = completion_loss(core, inputs["input_ids"], mask, inputs["labels"])
        if self.model.training:
            self._total_train_tokens += int(mask.sum())
        self._metrics["train" if self.model.training else "eval"]["num_tokens"] = [
            self._total_train_tokens
        ]
        return loss / (count if num_items_in_batch is None else num_items_in_batch)


def has_plain_head(core: Any) -> bool:
    """Return whether a model's logits are its output embedding times its last hidden state."""
    return (
        hasattr(core, "base_model")
        and core.get_output_embeddings() is not None
        and not any(getattr(core.config, name, None) for name in HEAD_ADDITIONS)
    )


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
