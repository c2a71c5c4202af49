"""AdaLoRA takes rank away while it is trained; somebody has to tell it when."""

from __future__ import annotations

import warnings
from typing import Any

from transformers import TrainerCallback

FIRST = 0.1
"""Share of the steps before the first rank is taken away."""
LAST = 0.3
"""Share of the steps, at the end, whose ranks stay."""
ORTHOGONALITY = 0.5
"""Weight of the loss that keeps each adapter's directions apart (Zhang et al. 2023)."""


class RankSchedule(TrainerCallback):  # type: ignore[misc]
    """Tells AdaLoRA after every step of the optimizer how far the training is."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Fill in the steps, which are known only now."""
        # a layer may lose all its rank; PEFT takes that for weights that were not gathered
        warnings.filterwarnings("ignore", message=".*LoRA tensor.* have invalid shape")
        steps = state.max_steps
        for config in given["model"].peft_config.values():
            config.total_step = steps
            config.tinit, config.tfinal = int(FIRST * steps), int(LAST * steps)
            config.orth_reg_weight = 0.0  # PEFT would add it to the validation loss as well

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Add the gradient of the loss that keeps directions apart."""
        import torch

        values = [
            value if ".lora_A." in name else value.T
            for name, value in given["model"].named_parameters()
            if value.requires_grad and (".lora_A." in name or ".lora_B." in name)
        ]
        with torch.enable_grad():
            apart = sum(
                torch.linalg.norm(value @ value.T - torch.eye(len(value), device=value.device))
                for value in values
            )
            (ORTHOGONALITY * apart / len(values)).backward()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Let it weigh the gradients, which are still there, and take ranks away."""
        given["model"].base_model.update_and_allocate(state.global_step + 1)
