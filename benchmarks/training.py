"""LoRA training of instruction rows: useful (non-padding) tokens per second."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.subjects import Settings, gpt2, write_records
from benchmarks.table import Row
from benchmarks.timing import alternate
from inference import models
from prepdata.records import Record, read_records
from prompts import templates

ROWS = 32
BATCH = 8
MAX_LENGTH = 512
LORA_R = 8


def measure(settings: Settings) -> list[Row]:
    """Return ours against TRL with its defaults, and with the best flags found for it."""
    records = _records(8 if settings.is_small else ROWS)
    losses: dict[str, float] = {}
    with gpt2(settings) as model, tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_records(out / "data", records)
        sides: dict[str, Callable[[], Any]] = {
            "ours": lambda: _train(_ours(model, out), losses, "ours"),
            "best": lambda: _train(_trl(model, records, out, **BEST), losses, "best"),
            "defaults": lambda: _train(_trl(model, records, out), losses, "defaults"),
        }
        tokens = sum(len(row["input_ids"]) for row in _ours(model, out).train_dataset)
        took = alternate(sides, settings.rounds, warm_up=False)
    work = f"LoRA r={LORA_R}, {len(records)} Dolly rows of at most {MAX_LENGTH} tokens, one epoch"
    speeds = {name: f"{tokens / timing.seconds:,.0f} tokens/s" for name, timing in took.items()}
    return [
        Row(
            work=work,
            against=against,
            ours=took["ours"],
            theirs=took[side],
            goal=goal,
            checked=f"mean loss {losses['ours']:.3f} and {losses[side]:.3f}",
            more={"ours": speeds["ours"], "theirs": speeds[side]},
        )
        for side, against, goal in (
            ("defaults", "TRL's SFTTrainer, its defaults", 8),
            ("best", "TRL's SFTTrainer, bf16, no checkpointing, grouped by length", 3),
        )
    ]


BEST = {
    "gradient_checkpointing": False,
    "bf16": True,
    "train_sampling_strategy": "group_by_length",
}
"""The flags with which TRL was found to be fastest on a CPU."""


def _records(count: int) -> list[Record]:
    """Return real records where `prepdata build` has written some, else made-up ones."""
    file = Path("data/train.jsonl")
    if file.is_file():
        found = list(read_records(file))
        return found[:: math.ceil(len(found) / count)][:count]
    return [
        Record(
            id=f"bench-{number}",
            task="bench",
            instruction="Describe the river. " * (1 + number % 7),
            input="The river is slow and wide. " * (number * 5 % 40),
            output="It carries mud and ice to the sea. " * (1 + number * 3 % 11),
            group=f"bench-{number}",
        )
        for number in range(count)
    ]


def _ours(model: str, out: Path) -> Any:
    from tuning.config import TuneConfig
    from tuning.data import read_data
    from tuning.generate import prepare

    config = TuneConfig(
        data=out / "data",
        model=model,
        name="bench",
        runs=out / "runs",
        num_train_epochs=1,
        max_length=MAX_LENGTH,
        per_device_train_batch_size=BATCH,
        lora_r=LORA_R,
        learning_rate=1e-4,
        loss_weighting="token",
    )
    return prepare(config, read_data(config.data)).trainer


def _trl(model: str, records: list[Record], out: Path, **flags: Any) -> Any:
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
            max_length=MAX_LENGTH,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            learning_rate=1e-4,
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
            target_modules="all-linear",
            fan_in_fan_out=True,
        ),
    )


def _train(trainer: Any, losses: dict[str, float], name: str) -> None:
    losses[name] = trainer.train().training_loss
