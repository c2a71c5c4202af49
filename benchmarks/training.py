"""LoRA training of instruction rows: useful (non-padding) tokens per second."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.labels import WORDS
from benchmarks.subjects import Settings, gpt2, records_of, write_records
from benchmarks.table import Row
from benchmarks.timing import alternate
from inference import models
from prepdata.records import Record, read_records
from prepdata.sources.twitter_topics import INSTRUCTION, LABELS
from prompts import templates
from tuning.fast.paths import fast_paths
from tuning.limit import matrix_rate, speed
from tuning.meter import Meter
from tuning.precision import uses_bf16

ROWS = 24
BATCH = 8
MAX_LENGTH = 512
LORA_R, LORA_ALPHA = 8, 16


def measure(settings: Settings) -> list[Row]:
    """Return ours against TRL with its defaults, and with the best flags found for it."""
    count = 8 if settings.is_small else ROWS
    with gpt2(settings) as model:
        return [
            *_rivals(model, instructions(count), settings, {"defaults": 8, "best": 3}),
            *_rivals(model, _tweets(count * 4), settings, {"best": 4}),
        ]


def _rivals(
    model: str, records: list[Record], settings: Settings, goals: Mapping[str, float]
) -> list[Row]:
    """Time ours and every rival with a goal, and check that they learned the same."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_records(out / "data", records)
        setup = {"ours": partial(our_trainer, model, out)}
        sides = {"ours": partial(train, found)}
        for name in goals:
            setup[name] = partial(trl_trainer, model, records, out, FLAGS[name])
            sides[name] = partial(_train_theirs, found, name)
        took = alternate(sides, settings.rounds, warm_up=False, setup=setup)
    tokens = found["spent"].tokens
    rate = matrix_rate("cpu", is_bf16=uses_bf16("auto", "cpu"))
    spent = {
        "tokens_seen": tokens,
        "positions_seen": found["spent"].positions,
        "flops": found["spent"].flops,
        "train_seconds": took["ours"].seconds,
    }
    share = speed(spent, rate)["share_of_limit"]
    speeds = {name: f"{tokens / timing.seconds:,.0f} tokens/s" for name, timing in took.items()}
    return [
        Row(
            work=f"LoRA r={LORA_R}, {len(records)} {records[0].task} rows, {tokens:,} tokens of at "
            f"most {MAX_LENGTH} in a row",
            against=f"TRL's SFTTrainer, {SHOWN[side]}",
            ours=took["ours"],
            theirs=took[side],
            goal=goal,
            checked=f"mean loss {found['ours']:.3f} and {found[side]:.3f}",
            more={
                "ours": f"{speeds['ours']}, {share:.0%} of the matrix rate (goal 40%)",
                "theirs": speeds[side],
            },
        )
        for side, goal in goals.items()
    ]


BEST = {
    "gradient_checkpointing": False,
    "bf16": True,
    "train_sampling_strategy": "group_by_length",
}
"""The flags with which TRL was found to be fastest on a CPU."""
FLAGS: dict[str, dict[str, Any]] = {"defaults": {}, "best": BEST}
SHOWN = {"defaults": "its defaults", "best": "bf16, no checkpointing, grouped by length"}


def instructions(count: int) -> list[Record]:
    """Return real records where `prepdata build` has written some, else made-up ones.

    They are those that need no shortening, since TRL cuts where we shorten the context.
    """
    file = Path("data/train.jsonl")
    if file.is_file():
        tokenizer, template = models.load_tokenizer("tiny"), templates.load()
        found = [
            each
            for each in islice(read_records(file), 20 * count)
            if len(tokenizer(template.render(each.instruction, each.input) + each.output).input_ids)
            < MAX_LENGTH
        ]
        return found[:: len(found) // count][:count]
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


def _tweets(count: int) -> list[Record]:
    """Return made-up tweets with the real topics."""
    draw = random.Random(0)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(8, 30))) for _ in range(count)]
    return records_of(texts, draw.choices(LABELS, k=count), INSTRUCTION)


def our_trainer(model: str, out: Path) -> Any:
    """Return the trainer of `tune run` over the records in a folder."""
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
        lora_alpha=LORA_ALPHA,
        lr_scheduler_type="constant",
        warmup_steps=0,
        learning_rate=1e-4,
        loss_weighting="token",
    )
    return prepare(config, read_data(config.data)).trainer


def trl_trainer(model: str, records: list[Record], out: Path, flags: dict[str, Any]) -> Any:
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


def train(found: dict[str, Any], trainer: Any) -> None:
    """Train as `tune run` does, and leave the loss and what was spent."""
    meter = Meter(trainer, None)
    trainer.add_callback(meter)
    with fast_paths(trainer.model):
        found["ours"] = trainer.train().training_loss
    found["spent"] = meter.spent


def _train_theirs(found: dict[str, Any], name: str, trainer: Any) -> None:
    found[name] = trainer.train().training_loss
