"""The trainers that are compared: that of `tune run`, and TRL's by itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.timing import Side, Workers
from tuneproof.formats.example import Example
from tuneproof.models import load as models
from tuneproof.prompts import template as templates
from tuneproof.tuning.cost.meter import Meter, Spent

LORA_R, LORA_ALPHA = 8, 16
LEARNING_RATE = 1e-4
MAX_LENGTH = 512
"""Tokens of a row, where a benchmark does not say otherwise."""
BATCH = 8
"""Rows of a step, likewise."""
SAME_LOSS = 0.1
"""Mean losses of the same rows in another order, with other dropout, differ by less, relatively."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large the steps of a training are."""

    batch: int = BATCH
    """Rows of a step."""
    max_length: int = MAX_LENGTH
    """Most tokens of a row."""


_GROUPED = {"bf16": True, "train_sampling_strategy": "group_by_length"}
FLAGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "stored": {**_GROUPED, "gradient_checkpointing": False},
    "recomputed": {**_GROUPED, "gradient_checkpointing": True},
}
"""Ways to set TRL. It has less to compute without checkpointing, but much more memory to touch."""
SHOWN = {
    "defaults": "its defaults",
    "stored": "bf16, no checkpointing, grouped by length",
    "recomputed": "bf16, checkpointing, grouped by length",
}
BEST = ("stored", "recomputed")
"""Of which the faster one, here and on the rows at hand, counts as TRL's best flags."""


def our_trainer(model: str, out: Path, shape: Shape = Shape()) -> Any:
    """Return the trainer of `tune run` over the records in a folder."""
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.data import read_data
    from tuneproof.tuning.generate import prepare

    config = TuneConfig(
        data=out / "data",
        model=model,
        name="bench",
        runs=out / "runs",
        num_train_epochs=1,
        max_length=shape.max_length,
        per_device_train_batch_size=shape.batch,
        lora_r=LORA_R,
        lora_alpha=LORA_ALPHA,
        lr_scheduler_type="constant",
        warmup_steps=0,
        learning_rate=LEARNING_RATE,
        loss_weighting="token",
        unlikelihood=0,
    )
    return prepare(config, read_data(config.data)).trainer


def trl_trainer(
    model: str,
    records: list[Example],
    out: Path,
    flags: dict[str, Any],
    shape: Shape = Shape(),
) -> Any:
    """Return a plain SFTTrainer over the same prompts and answers."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    template = templates.load()
    rows = [
        {"prompt": template.render(each.instruction, each.input), "completion": each.output}
        for each in records
    ]
    return SFTTrainer(
        model=models.load_model(model, dtype="float32"),
        args=SFTConfig(
            output_dir=str(out / "trl"),
            max_length=shape.max_length,
            num_train_epochs=1,
            per_device_train_batch_size=shape.batch,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant",
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            **flags,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=models.load_tokenizer(model),
        peft_config=LoraConfig(
            task_type="CAUSAL_LM",
            r=LORA_R,
            lora_alpha=LORA_ALPHA,
            target_modules="all-linear",
            fan_in_fan_out=True,
        ),
    )


def ours(model: str, out: Path, shape: Shape = Shape()) -> Side:
    """Return the training of `tune run` over the records in a folder."""
    return Side(prepare=partial(our_trainer, model, out, shape), run=train)


def theirs(
    model: str, records: list[Example], out: Path, name: str, shape: Shape = Shape()
) -> Side:
    """Return TRL's training with the flags of a name."""
    prepare = partial(trl_trainer, model, records, out, FLAGS[name], shape)
    return Side(prepare=prepare, run=train_plainly)


def fastest(
    workers: Workers,
    model: str,
    records: list[Example],
    out: Path,
    shape: Shape = Shape(),
) -> str:
    """Return which of the best flags train these rows in the least time, one try each."""
    sides = {name: theirs(model, records, out, name, shape) for name in BEST}
    took, _ = workers.alternate(sides, 1, warm_up=False)
    return min(took, key=lambda name: took[name].seconds)


def train(trainer: Any) -> tuple[float, Spent]:
    """Train as `tune run` does; return the loss and what was spent."""
    meter = Meter(trainer, None)
    trainer.add_callback(meter)
    with trainer.fast_paths():
        loss: float = trainer.train().training_loss
    return loss, meter.spent


def train_plainly(trainer: Any) -> float:
    """Train as TRL does; return the loss."""
    loss: float = trainer.train().training_loss
    return loss


def same_loss(ours: float, theirs: float) -> str:
    """Return both mean losses in words.

    Raises:
        RuntimeError: They differ by more than order and dropout explain.
    """
    told = f"mean loss {ours:.3f} and {theirs:.3f}"
    if abs(ours - theirs) > SAME_LOSS * theirs:
        raise RuntimeError(f"not the same training: {told}")
    return told
