"""The objectives and the training methods by name. To add one: write a function, add a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneproof.tuning import peft_configs

if TYPE_CHECKING:
    from tuneproof.formats.data_folder import DataFolder
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.job import Job


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a model is taught to do with the records."""

    summary: str
    """What is learned, in a few words."""
    task_type: str
    """PEFT's name for it."""
    prepare: Callable[[TuneConfig, DataFolder], Job]
    """Loads the model and returns a trainer that is ready to start."""


def _generate(config: TuneConfig, data: DataFolder) -> Job:
    from tuneproof.tuning.generate import prepare

    return prepare(config, data)


def _classify(config: TuneConfig, data: DataFolder) -> Job:
    from tuneproof.tuning.classify import prepare

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


def _wrap(model: Any, peft_config: Any) -> Any:
    from peft import get_peft_model

    return get_peft_model(model, peft_config)


def _wrap_pissa(model: Any, peft_config: Any) -> Any:
    from tuneproof.tuning.pissa import wrap

    return wrap(model, peft_config)


def _save(model: Any, folder: Path) -> None:
    model.save_pretrained(str(folder))


def _save_pissa(model: Any, folder: Path) -> None:
    from tuneproof.tuning.pissa import save

    save(model, folder)


def _no_callbacks() -> list[Any]:
    return []


def _rank_schedule() -> list[Any]:
    from tuneproof.tuning.adalora import RankSchedule

    return [RankSchedule()]


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
    is_four_bit: bool = False
    """Whether the base is held in 4 bits without being asked to."""
    has_virtual_tokens: bool = False
    """Whether what is trained stands before every text."""
    can_checkpoint: bool = True
    """Whether activations may be computed twice to save memory."""
    plans_by_steps: bool = False
    """Whether it must know beforehand how many steps there will be."""
    wrap: Callable[[Any, Any], Any] = _wrap
    """Puts the adapter of a config on a model."""
    save: Callable[[Any, Path], None] = _save
    """Writes what was trained into a folder."""
    callbacks: Callable[[], list[Any]] = _no_callbacks
    """Returns what has to happen during the training."""

    @property
    def is_adapter(self) -> bool:
        """Whether the base stays as it is, and what is trained is saved beside it."""
        return self.peft_config is not None


METHODS: dict[str, Method] = {
    "lora": Method(
        summary="low-rank adapters beside the frozen weights (Hu et al. 2021)",
        peft_config=peft_configs.lora,
    ),
    "qlora": Method(
        summary="the same beside weights of 4 bits (Dettmers et al. 2023)",
        peft_config=peft_configs.lora,
        is_four_bit=True,
    ),
    "dora": Method(
        summary="LoRA, with the length of every column trained apart (Liu et al. 2024)",
        peft_config=peft_configs.dora,
    ),
    "rslora": Method(
        summary="LoRA, scaled by the root of its rank (Kalajdzievski 2023)",
        peft_config=peft_configs.rslora,
    ),
    "pissa": Method(
        summary="LoRA that begins with the weights' principal directions (Meng et al. 2024)",
        peft_config=peft_configs.pissa,
        wrap=_wrap_pissa,
        save=_save_pissa,
    ),
    "adalora": Method(
        summary="low rank that goes where it is needed (Zhang et al. 2023)",
        peft_config=peft_configs.adalora,
        callbacks=_rank_schedule,
        plans_by_steps=True,
    ),
    "ia3": Method(
        summary="one factor for every key, value and feed-forward unit (Liu et al. 2022)",
        peft_config=peft_configs.ia3,
    ),
    "prompt-tuning": Method(
        summary="embeddings before every text (Lester et al. 2021)",
        peft_config=peft_configs.prompt_tuning,
        objectives=("generate",),
        has_virtual_tokens=True,
    ),
    "prefix-tuning": Method(
        summary="keys and values before every text, in every layer (Li and Liang 2021)",
        peft_config=peft_configs.prefix_tuning,
        objectives=("generate",),
        has_virtual_tokens=True,
        can_checkpoint=False,
    ),
    "head": Method(
        summary="the classification head alone, on the frozen model",
        peft_config=peft_configs.head_alone,
        objectives=("classify",),
        reaches_layers=False,
    ),
    "full": Method(
        summary="all weights, in float32",
        peft_config=None,
    ),
}
