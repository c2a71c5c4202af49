"""The objectives and the training methods: a table of facts, read without importing torch.

A method that PEFT trains by another config of a kind that is here already is one more line; a new
kind of adapter also needs a function in tuning/adapters.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Peft = Literal["lora", "adalora", "ia3", "prompt-tuning", "prefix-tuning", "head"]
"""The kinds of adapters; ``head`` is PEFT's wrapper around a new head and nothing else."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a model is taught to do with the records."""

    summary: str
    """What is learned, in a few words."""
    task_type: str
    """PEFT's name for it."""


OBJECTIVES: dict[str, Objective] = {
    "generate": Objective(
        summary="write the answer to a prompt, a label's text included",
        task_type="CAUSAL_LM",
    ),
    "classify": Objective(
        summary="choose a label by a classification head",
        task_type="SEQ_CLS",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Method:
    """How a method makes a base model trainable."""

    summary: str
    """What is trained, in a few words."""
    peft: Peft | None
    """The kind of adapter; None where the model's own weights are trained."""
    options: Mapping[str, bool | str] = field(default_factory=dict)
    """Arguments of PEFT's config in which the method differs from others of its kind."""
    objectives: tuple[str, ...] = ("generate", "classify")
    """What it can be used for."""
    reaches_layers: bool = True
    """Whether gradients go back through the layers, or end at the head."""
    is_four_bit: bool = False
    """Whether the base is held in 4 bits by default."""
    has_virtual_tokens: bool = False
    """Whether virtual tokens before every text are trained."""
    can_checkpoint: bool = True
    """Whether activations may be computed twice to save memory."""
    plans_by_steps: bool = False
    """Whether it must know beforehand how many steps there will be."""

    @property
    def is_adapter(self) -> bool:
        """Whether the base stays as it is, and an adapter is saved."""
        return self.peft is not None


METHODS: dict[str, Method] = {
    "lora": Method(
        summary="low-rank adapters beside the frozen weights (Hu et al. 2021)",
        peft="lora",
    ),
    "qlora": Method(
        summary="the same beside weights of 4 bits (Dettmers et al. 2023)",
        peft="lora",
        is_four_bit=True,
    ),
    "dora": Method(
        summary="LoRA, with the length of every column trained apart (Liu et al. 2024)",
        peft="lora",
        options={"use_dora": True},
    ),
    "rslora": Method(
        summary="LoRA, scaled by the root of its rank (Kalajdzievski 2023)",
        peft="lora",
        options={"use_rslora": True},
    ),
    "pissa": Method(
        summary="LoRA that begins with the weights' principal directions (Meng et al. 2024)",
        peft="lora",
        options={"init_lora_weights": "pissa"},
    ),
    "adalora": Method(
        summary="low rank that goes where it is needed (Zhang et al. 2023)",
        peft="adalora",
        plans_by_steps=True,
    ),
    "ia3": Method(
        summary="one factor for every key, value and feed-forward unit (Liu et al. 2022)",
        peft="ia3",
    ),
    "prompt-tuning": Method(
        summary="embeddings before every text (Lester et al. 2021)",
        peft="prompt-tuning",
        objectives=("generate",),
        has_virtual_tokens=True,
    ),
    "prefix-tuning": Method(
        summary="keys and values before every text, in every layer (Li and Liang 2021)",
        peft="prefix-tuning",
        objectives=("generate",),
        has_virtual_tokens=True,
        can_checkpoint=False,
    ),
    "head": Method(
        summary="the classification head alone, on the frozen model",
        peft="head",
        objectives=("classify",),
        reaches_layers=False,
    ),
    "full": Method(
        summary="all weights, in float32",
        peft=None,
    ),
}
