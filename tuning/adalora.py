"""AdaLoRA's rank allocation while a run trains, which an interrupted run goes on with."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from tuneproof import ranks
from tuneproof.tuning.checkpoints import checkpoint_folder

FIRST = 0.1
"""Share of the steps before the first rank is taken away."""
LAST = 0.3
"""Share of the steps, at the end, whose ranks stay."""
ORTHOGONALITY = 0.5
"""Weight of the loss that keeps each adapter's directions apart (Zhang et al. 2023)."""
FILE = "adalora.pt"
"""What a checkpoint has of it: how important each value was, on average."""
AVERAGES = ("ipt", "exp_avg_ipt", "exp_avg_unc")
"""PEFT's names of these averages; each is a mapping of a parameter's name to a tensor."""


class AdaLoraSchedule(TrainerCallback):  # type: ignore[misc]
    """Rates ranks after every step of the optimizer, and sets those to zero that are dropped.

    Which are dropped is kept here and not in PEFT's config: PEFT would save adapters without them,
    and what has another shape than the model cannot be loaded into it, neither to go on from nor as
    the best weights. So adapters keep their first rank, with zeros.
    """

    def __init__(self) -> None:
        """Begin with all ranks."""
        self._kept: dict[str, list[bool]] | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Fill in the steps, which are known only now, and take up what a checkpoint has."""
        # a layer may lose all its rank; PEFT takes that for weights that were not gathered
        warnings.filterwarnings("ignore", message=".*LoRA tensor.* have invalid shape")
        steps = state.max_steps
        for config in kwargs["model"].peft_config.values():
            config.total_step = steps
            config.tinit, config.tfinal = int(FIRST * steps), int(LAST * steps)
            config.orth_reg_weight = 0.0  # PEFT would add it to the validation loss as well
        file = _file(args, state)
        if state.global_step and file.is_file():
            adapter, device = kwargs["model"].base_model, kwargs["model"].device
            averages = torch.load(file, map_location=device, weights_only=True)
            vars(adapter.rankallocator).update(averages)
            self._kept = {
                name: (value != 0).flatten().tolist()
                for name, value in adapter.model.named_parameters()
                if ".lora_E." in name
            }

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Add the gradient of the loss that keeps directions apart."""
        values = [
            value if ".lora_A." in name else value.T
            for name, value in kwargs["model"].named_parameters()
            if value.requires_grad and (".lora_A." in name or ".lora_B." in name)
        ]
        with torch.enable_grad():
            apart = sum(
                torch.linalg.norm(value @ value.T - torch.eye(len(value), device=value.device))
                for value in values
            )
            (ORTHOGONALITY * apart / len(values)).backward()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Let AdaLoRA rate its ranks by the gradients, which are still there, and drop some."""
        adapter = kwargs["model"].base_model
        config = adapter.peft_config[adapter.trainable_adapter_name]
        config.rank_pattern = self._kept
        adapter.update_and_allocate(state.global_step + 1)
        self._kept, config.rank_pattern = config.rank_pattern, None

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Put the averages into the checkpoint."""
        if ranks.is_main():
            allocator = kwargs["model"].base_model.rankallocator
            torch.save({name: getattr(allocator, name) for name in AVERAGES}, _file(args, state))


def _file(args: Any, state: Any) -> Path:
    return checkpoint_folder(args, state) / FILE
