"""The settings of `tune run`."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tuneproof.errors import unknown
from tuneproof.formats.run import FourBit, Weighting
from tuneproof.kernels.training import FAST_PATHS
from tuneproof.models.device import Dtype, check_device
from tuneproof.options import check_least_one
from tuneproof.tuning.methods import METHODS, OBJECTIVES
from tuneproof.tuning.trackers import TRACKERS

LEAST_ONE = (
    "limit", "max_steps", "max_tokens", "save_steps", "eval_steps", "early_stopping_patience",
)  # fmt: skip
"""Settings that are at least 1 where they are set."""
Attention = Literal["sdpa", "eager", "flash_attention_2", "flash_attention_3"]


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """Everything that decides a training run."""

    data: Path = Path("data")
    """The folder that `prepdata build` wrote, or one with a train.jsonl of records."""
    model: str = field(default="gpt2", metadata={"aliases": ("--model-name-or-path",)})
    """The base model: tiny (embedded), smollm2 (see `tune fetch`), a folder, a GGUF file, or a Hub
    id."""
    objective: Literal["generate", "classify"] = "generate"
    """What is learned: to write the answer to a prompt, or to choose a label by a classification
    head."""
    method: str = "lora"
    """What is trained; see `tune methods`."""
    name: str | None = field(default=None, metadata={"aliases": ("--run-name",)})
    """The run's name; by default MODEL-METHOD, with -classify for that objective."""
    runs: Path = Path("runs")
    """The folder that holds the runs."""
    template: str = "auto"
    """The prompt template: auto is the model's own chat template, or instruct where it has none;
    or chat (its own), instruct, brief, or a .j2 or .jinja file. The run keeps its text for
    inference. To classify, texts are read as they are."""
    template_variable: tuple[str, ...] = ()
    """NAME=VALUE for a chat template, such as enable_thinking=false. May be repeated."""
    train_on: Literal["all", "last"] = "all"
    """Which answers of a conversation the loss covers: all of the assistant's, or the last one."""
    name_labels: bool = False
    """Name all labels in every question, in training and in asking: for tasks whose answers are
    labels. It makes every example longer."""
    limit: int | None = None
    """Train on the first so many records only."""
    max_length: int = field(default=512, metadata={"aliases": ("--max-seq-length",)})
    """Most tokens of an example; its input is shortened to fit, never question or answer."""
    loss_weighting: Weighting | None = None
    """Whether every example counts the same, or every token, as in plain TRL, so that long answers
    decide. By default example for tiny, which hardly learns to stop otherwise, and token for
    others, whose answers are not shown to gain by it."""
    unlikelihood: float | None = None
    """Weight of the unlikelihood loss, a penalty on repeating tokens of the answer, without which
    small models loop; in training only, and not where answers are labels. By default it follows
    from the model's width: 3 for tiny, 1 for gpt2, 0.19 for 8B models; 0 is plain TRL."""
    num_train_epochs: float = 3.0
    """Passes over the training records."""
    max_steps: int | None = None
    """Stop after so many optimizer steps, whatever the epochs."""
    max_seconds: float | None = None
    """Train for so many seconds, evaluations apart, whatever the epochs; the learning rate's
    schedule ends with them."""
    max_tokens: int | None = None
    """Train on so many tokens, padding not counted, whatever the epochs; the schedule ends with
    them."""
    max_flops: float | None = None
    """Train for so many floating-point operations, as tuning/cost/flops.py counts them, whatever
    the epochs; the schedule ends with them."""
    per_device_train_batch_size: int = 8
    """Examples per step and device."""
    gradient_accumulation_steps: int = 1
    """Steps whose gradients are added up before the optimizer moves."""
    auto_find_batch_size: bool = False
    """Find the largest batch that fits in memory, by trying on a GPU and by the estimate on a CPU.
    The optimizer still moves after per_device_train_batch_size times gradient_accumulation_steps
    examples; only how they are shared out changes, and run.json says how."""
    learning_rate: float | None = None
    """Peak learning rate; by default it follows from the model's width: for adapters 2.5e-3 for
    tiny, 1.1e-3 for gpt2, 2.9e-4 for 8B models, and a tenth of that for method full."""
    lr_scheduler_type: Literal["cosine", "linear", "constant"] = "cosine"
    """Schedule of the learning rate after the warm-up; constant has no warm-up."""
    warmup_steps: float = 0.03
    """Warm-up: a share of all steps if under 1, else a number of steps."""
    optim: str | None = None
    """The optimizer, by transformers' name: adamw_torch, adamw_torch_fused, adamw_8bit,
    paged_adamw_8bit, adafactor, ...; by default transformers' own choice of AdamW."""
    weight_decay: float = 0.0
    """AdamW's decoupled weight decay."""
    max_grad_norm: float = 1.0
    """The gradient's norm is clipped to this."""
    lora_r: int = 16
    """Rank of the adapter's matrices."""
    lora_alpha: int = 32
    """The adapter's output is scaled by lora_alpha / lora_r."""
    lora_dropout: float = 0.0
    """Dropout before the adapter; on a CPU its random numbers cost much of the speed."""
    lora_bias: Literal["none", "all", "lora_only"] = "none"
    """Biases that are trained with the adapter: none, all, or those of the adapted layers. They
    are the base's own, so that such a run cannot share a base with others."""
    target_modules: tuple[str, ...] = field(
        default=(), metadata={"aliases": ("--lora-target-modules",)}
    )
    """Layers that get an adapter, by the end of their names; by default every linear layer but the
    head. May be repeated."""
    num_virtual_tokens: int = 20
    """Trained tokens before every text, for prompt tuning and the like."""
    load_in_4bit: bool = False
    """Hold the base's frozen weights in 4 bits, as method qlora does without being asked."""
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    """Format of 4-bit numbers: normal floats (nf4), or plain ones (fp4)."""
    bnb_4bit_use_double_quant: bool = field(
        default=True, metadata={"aliases": ("--use-bnb-nested-quant",)}
    )
    """Quantise the scales of the 4-bit weights too."""
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Type to which 4-bit weights are converted for a product. A GPU without bfloat16 takes float16
    in its place, a CPU without it float32."""
    gradient_checkpointing: bool = field(
        default=False, metadata={"aliases": ("--activation-checkpointing",)}
    )
    """Compute activations twice to save memory."""
    device: str = "auto"
    """Where to train: auto (a GPU where there is one), cpu, cuda, cuda:N or mps. One GPU is used,
    unless a launcher starts a process for each."""
    dtype: Dtype = field(default="auto", metadata={"aliases": ("--torch-dtype",)})
    """Type of the frozen weights; auto is that of the products on a GPU and float32 on a CPU."""
    mixed_precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    """Multiply in half precision under autocast: in bfloat16, or in float16 with a scaler of the
    loss (GPUs only). auto is bfloat16 where the hardware has instructions for it, and float16 on
    GPUs without them."""
    attn_implementation: Attention | None = None
    """How attention is computed, by transformers' name; by default the model's own choice, sdpa
    where it can."""
    use_liger_kernel: bool = False
    """Compute norms, rotary embeddings and gated layers by Liger's kernels, on a GPU where the
    package liger-kernel is installed."""
    no_fast_path: tuple[str, ...] = ()
    """Leave out a faster way of computing the same: head or linear; on a CPU also allocator,
    attention, dropout, gelu or packing. May be repeated."""
    seed: int = 42
    """Seed of the adapter's first weights, dropout and the order of the examples."""
    save_steps: int | None = None
    """Save a checkpoint after every so many optimizer steps, beside those at the end of every
    epoch; the newest and the best are kept, two at least."""
    save_minutes: float = 10.0
    """Save a checkpoint, too, when the last one is so many minutes old: the most that a crash
    costs."""
    eval_steps: int | None = None
    """Evaluate (and save a checkpoint) after every so many optimizer steps, beside those at the end
    of every epoch."""
    early_stopping_patience: int | None = None
    """Stop after so many evaluations in a row without a better one; the best weights are kept, as
    always. It needs validation records."""
    sample_prompts: int = 3
    """Answer so many validation prompts at every evaluation, in the log and on the run's page; 0
    for none."""
    report_to: tuple[str, ...] = ()
    """Also log to tensorboard (into runs/NAME/tensorboard), trackio, wandb or mlflow, where that
    package is installed; none by default, and nothing leaves the machine unless one is named that
    sends it. May be repeated."""
    overwrite: bool = False
    """Replace a run of the same name. Where that was cut off, the same command goes on with the new
    one."""

    def __post_init__(self) -> None:
        """Reject what cannot be."""
        if self.method not in METHODS:
            raise unknown("method", self.method, METHODS)
        if self.objective not in OBJECTIVES:
            raise unknown("objective", self.objective, OBJECTIVES)
        for name in self.no_fast_path:
            if name not in FAST_PATHS:
                raise unknown("fast path", name, FAST_PATHS)
        for name in self.report_to:
            if name not in TRACKERS:
                raise unknown("tracker", name, TRACKERS)
        self._check_method()
        for name in (
            "max_length",
            "num_train_epochs",
            "max_seconds",
            "max_flops",
            "per_device_train_batch_size",
            "gradient_accumulation_steps",
            "learning_rate",
            "max_grad_norm",
            "lora_r",
            "lora_alpha",
            "num_virtual_tokens",
            "save_minutes",
        ):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be positive, got {value}")
        check_least_one(self, *LEAST_ONE)
        for name in ("warmup_steps", "weight_decay", "unlikelihood", "sample_prompts"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} must not be negative, got {value}")
        if not 0 <= self.lora_dropout < 1:
            raise ValueError(
                f"lora_dropout must be at least 0 and under 1, got {self.lora_dropout}"
            )
        check_device(self.device)
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        self._check_name()
        _ = self.template_variables

    def _check_method(self) -> None:
        method = METHODS[self.method]
        if self.objective not in method.objectives:
            others = [name for name, other in METHODS.items() if self.objective in other.objectives]
            raise ValueError(
                f"method {self.method!r} is for --objective {' or '.join(method.objectives)} only; "
                f"to {self.objective}, use {' or '.join(others)}"
            )
        if self.gradient_checkpointing and not method.can_checkpoint:
            raise ValueError(
                f"gradient_checkpointing drops the cache of keys and values that method "
                f"{self.method!r} works through; leave it out"
            )
        if self.has_budget and method.plans_by_steps and self.max_steps is None:
            raise ValueError(
                f"method {self.method!r} plans by the number of steps; beside a budget it needs "
                "max_steps"
            )
        if self.load_in_4bit and not method.is_adapter:
            raise ValueError(
                f"load_in_4bit is of frozen weights, and method {self.method!r} freezes none; "
                "use qlora"
            )
        if not method.is_adapter and self.dtype not in ("auto", "float32"):
            raise ValueError(
                f"dtype is of frozen weights, and method {self.method!r} freezes none: it trains "
                f"in float32, not in {self.dtype}"
            )

    @property
    def template_variables(self) -> dict[str, Any]:
        """The chat template's variables: JSON where the value is JSON, else text."""
        variables: dict[str, Any] = {}
        for entry in self.template_variable:
            name, sign, value = entry.partition("=")
            if not sign or not name.isidentifier():
                raise ValueError(
                    f"template_variable must be NAME=VALUE, such as enable_thinking=false, "
                    f"got {entry!r}"
                )
            try:
                variables[name] = json.loads(value)
            except ValueError:
                variables[name] = value
        return variables

    def _check_name(self) -> None:
        if self.name is None:
            return
        if not self.name or self.name.startswith(".") or re.search(r"[/\\\x00-\x1f]", self.name):
            raise ValueError(f"name must be a plain folder name, got {self.name!r}; see --runs")
        if self.name == "base":
            raise ValueError("name 'base' is what comparisons call the untuned model")

    @property
    def weights_dtype(self) -> Dtype:
        """What the base is loaded in: steps of an optimizer are lost in half precision."""
        return self.dtype if METHODS[self.method].is_adapter else "float32"

    @property
    def has_budget(self) -> bool:
        """Whether something else than epochs or steps ends the training."""
        return any(
            limit is not None for limit in (self.max_seconds, self.max_tokens, self.max_flops)
        )

    @property
    def four_bit(self) -> FourBit | None:
        """How the base is held in 4 bits; None where it stays whole."""
        if not (self.load_in_4bit or METHODS[self.method].is_four_bit):
            return None
        return FourBit(
            bnb_4bit_quant_type=self.bnb_4bit_quant_type,
            bnb_4bit_use_double_quant=self.bnb_4bit_use_double_quant,
            bnb_4bit_compute_dtype=self.bnb_4bit_compute_dtype,
        )

    @property
    def folder(self) -> Path:
        """The run's folder."""
        parts = [Path(self.model).resolve().name.removesuffix(".gguf"), self.method]
        if self.objective != TuneConfig.objective:
            parts.append(self.objective)
        return self.runs / (self.name or "-".join(parts))
