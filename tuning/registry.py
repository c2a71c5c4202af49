"""The objectives and the training methods by name. To add one: write a function, add a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuning.config import TuneConfig
    from tuning.data import Data
    from tuning.job import Job


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a model is taught to do with the records."""

    summary: str
    """What is learned, in a few words."""
    task_type: str
    """PEFT's name for it."""
    prepare: Callable[[TuneConfig, Data], Job]
    """Loads the model and returns a trainer that is ready to start."""


def _generate(config: TuneConfig, data: Data) -> Job:
    from tuning.generate import prepare

    return prepare(config, data)


def _classify(config: TuneConfig, data: Data) -> Job:
    from tuning.classify import prepare

    return prepare(config, data)


OBJECTIVES: dict[str, Objective] = {
    "generate": Objective(
        summary="write the answer to a prompt, a label's text included",
        task_type="CAUSAL_LM",
        prepare=_generate,
    ),
    "classify": Objective(
        summary="choose a label by a classification head",
        task_type="SEQ_CLS",
        prepare=_classify,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a method makes a base model trainable."""

    summary: str
    """What is trained, in a few words."""
    peft_config: Callable[[TuneConfig, Any, Sequence[str]], Any] | None
    """Returns PEFT's config for the settings, the loaded base model and the names of the modules of
    its new head; None where the model's own weights are trained."""
    objectives: tuple[str, ...] = ("generate", "classify")
    """What it can be used for."""
    reaches_layers: bool = True
    """Whether gradients go back through the layers, or end at the head."""

    @property
    def is_adapter(self) -> bool:
        """Whether the base stays as it is, and what is trained is saved beside it."""
        return self.peft_config is not None


def _lora(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    from peft import LoraConfig

    from tuning.targets import has_conv1d

    return LoraConfig(
        task_type=OBJECTIVES[config.objective].task_type,
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        bias=config.lora_bias,
        target_modules=list(config.target_modules) or "all-linear",
        modules_to_save=list(head) or None,
        fan_in_fan_out=has_conv1d(model),
    )


def _head(config: TuneConfig, model: Any, head: Sequence[str]) -> Any:
    """Return a LoRA config without LoRA layers: PEFT then trains and saves the head alone."""
    from peft import LoraConfig
    from peft.utils.constants import DUMMY_TARGET_MODULES

    return LoraConfig(
        task_type=OBJECTIVES[config.objective].task_type,
        target_modules=DUMMY_TARGET_MODULES,
        modules_to_save=list(head),
    )


METHODS: dict[str, Method] = {
    "lora": Method(
        summary="low-rank adapters beside the frozen weights (Hu et al. 2021)",
        peft_config=_lora,
    ),
    "head": Method(
        summary="the classification head alone, on the frozen model",
        peft_config=_head,
        objectives=("classify",),
        reaches_layers=False,
    ),
    "full": Method(
        summary="all weights, in float32",
        peft_config=None,
    ),
}
