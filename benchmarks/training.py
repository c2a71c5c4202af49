"""LoRA training of instruction rows and of tweets: useful (non-padding) tokens per second."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness import Goal, Row, Settings, Side, Timing, Workers
from benchmarks.subjects import (
    LLAMA_TYPES,
    MAX_LENGTH,
    SMOLLM2,
    gpt2,
    instructions,
    llama_type,
    tweets,
    unlike,
    write_records,
)
from tuneproof.formats.example import Example
from tuneproof.models import load as models
from tuneproof.prompts import template as templates
from tuneproof.tuning.cost.machine import matrix_rate, speed
from tuneproof.tuning.cost.meter import Meter, Spent
from tuneproof.tuning.device import uses_bf16

ROWS, TWEETS, TINY_ROWS = 24, 64, 32
"""Rows of a training: fewer, and grouping by length could not do what it does for TRL."""
OTHER_ROWS, OTHER_TWEETS = 16, 32
"""Of models beside GPT-2."""
TINY = "tiny 7.5M"
BATCH = 8
LORA_R, LORA_ALPHA = 8, 16
LEARNING_RATE = 1e-4
SAME_LOSS = 0.1
"""Mean losses of the same rows in another order, with other dropout, differ by less, relatively."""
LEAST_SHARE = 40
"""Least share of the rate of matrix products, in %."""
LONGER = 4
"""Times the rows of the training whose share is measured: what comes once weighs less in it."""
_GROUPED = {"bf16": True, "train_sampling_strategy": "group_by_length"}
FLAGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "stored": {**_GROUPED, "gradient_checkpointing": False},
    "sorted": {
        "bf16": True, "gradient_checkpointing": False, "train_sampling_strategy": "sequential",
    },
}  # fmt: skip
"""Ways to set TRL. With checkpointing it takes less memory and, in all runs so far, more time."""
SHOWN = {
    "defaults": "its defaults",
    "stored": "bf16, no checkpointing, grouped by length",
    "sorted": "bf16, no checkpointing, all rows sorted by length beforehand",
}
BEST = "stored"
"""TRL's best flags."""
SLOW_ROUNDS = {"defaults": 1, "stored": 2, "sorted": 1}
"""Rounds of TRL at most."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A training that is timed, and its goals."""

    model: str
    """A folder, or ``tiny``."""
    shown: str
    """The model's name in the table."""
    records: list[Example]
    rows: str
    """The task of the records."""
    goals: Mapping[str, float | None]
    """Flags of TRL by name -> the least ratio aimed at, if any."""
    longer: list[Example] | None = None
    """Of the training whose share of the rate of matrix products is measured, if it is."""

    def described(self, records: list[Example], spent: Spent) -> str:
        """Return what a training over these records is, in words."""
        return (
            f"{self.shown}, LoRA r={LORA_R}, {len(records)} {self.rows} rows, "
            f"{spent.tokens:,} tokens, at most {MAX_LENGTH} in a row"
        )


def measure(settings: Settings) -> list[Row | Goal]:
    """Return ours against TRL with its defaults, and with the best of its flags."""
    rows, short = (8, 32) if settings.is_small else (ROWS, TWEETS)
    rows_of = partial(instructions, settings.data)
    kind = "+".join(sorted({record.task for record in rows_of(rows)}))
    results: list[Row | Goal] = []
    with gpt2(settings) as model:
        named = partial(Work, model=model, shown=TINY if settings.is_small else "GPT-2 124M")
        works = [
            named(
                records=rows_of(rows),
                rows=kind,
                goals={"defaults": 8, BEST: 3, "sorted": 3},
                longer=rows_of(LONGER * rows),
            ),
            named(
                records=tweets(short),
                rows="tweet",
                goals={BEST: 4},
                longer=tweets(LONGER * short),
            ),
            named(records=unlike(short), rows="unlike tweet", goals={BEST: 3}),
        ]
        if not settings.is_small:  # else it is what the others trained
            goals: dict[str, float | None] = {BEST: None}
            records = rows_of(TINY_ROWS)
            works.append(Work(model="tiny", shown=TINY, records=records, rows=kind, goals=goals))
        results += [result for work in works for result in _rivals(work, settings)]
    for name in LLAMA_TYPES:
        with llama_type(name, settings) as model:
            for work in _of_llama_type(name, model, settings, kind):
                results += _rivals(work, settings)
    return results


def _of_llama_type(name: str, model: str, settings: Settings, kind: str) -> list[Work]:
    """Return the trainings of a model beside GPT-2: tweets, and of SmolLM2 instruction rows too."""
    few, short = (8, 16) if settings.is_small else (OTHER_ROWS, OTHER_TWEETS)
    named = partial(Work, model=model, shown=name)
    works = [named(records=tweets(short), rows="tweet", goals={BEST: 3})]
    if name == SMOLLM2:
        records = instructions(settings.data, few)
        works.append(named(records=records, rows=kind, goals={"defaults": 6, BEST: 3}))
    return works


def _rivals(work: Work, settings: Settings) -> list[Row | Goal]:
    """Time ours and every rival with a goal, and check that they learned the same."""
    with tempfile.TemporaryDirectory() as folder, Workers() as workers:
        out, apart = Path(folder), Path(folder) / "longer"
        write_records(out / "data", work.records)
        sides = {"ours": ours(work.model, out)}
        sides |= {name: theirs(work.model, work.records, out, name) for name in work.goals}
        if work.longer:
            write_records(apart / "data", work.longer)
            longer = dataclasses.replace(ours(work.model, apart), most_rounds=2)
            sides |= {"matrix products": RATE, "longer": longer}
        took, results = workers.alternate(sides, settings.rounds)
    loss, spent = results["ours"][-1]
    rows = [
        Row(
            work=work.described(work.records, spent),
            against=f"TRL's SFTTrainer, {SHOWN[side]}",
            ours=took["ours"],
            theirs=took[side],
            goal=goal,
            checked=same_loss(loss, results[side][-1]),
            amount=spent.tokens,
            unit="tokens",
        )
        for side, goal in work.goals.items()
    ]
    if not work.longer:
        return [*rows]
    _, spent = results["longer"][-1]
    described = work.described(work.longer, spent)
    return [*rows, _share(described, spent, took["longer"], results["matrix products"])]


def _is_bf16() -> bool:
    return uses_bf16("auto", "cpu")


def _rate(is_bf16: bool) -> float:
    return matrix_rate("cpu", "bfloat16" if is_bf16 else "float32")


RATE = Side(prepare=_is_bf16, run=_rate)
"""What the machine's matrix products would allow, in operations per second."""


def _share(described: str, spent: Spent, took: Timing, rates: list[float]) -> Goal:
    """Return the share of the rate of matrix products, measured in the same rounds."""
    rate = median(rates)
    kind = "bfloat16" if _is_bf16() else "float32"
    return Goal(
        work=described,
        against=f"share of the machine's rate of {kind} matrix products",
        value=100 * speed(dataclasses.replace(spent, seconds=took.seconds), rate).share_of_limit,
        goal=LEAST_SHARE,
        unit="%",
        is_upper=False,
        checked=f"{rate / 1e9:,.0f} GFLOP/s ({min(rates) / 1e9:,.0f}-{max(rates) / 1e9:,.0f})",
    )


def ours(model: str, out: Path) -> Side:
    """Return the training of `tune run` over the records in a folder."""
    return Side(prepare=partial(_our_trainer, model, out), run=_train)


def theirs(model: str, records: list[Example], out: Path, name: str) -> Side:
    """Return TRL's training with the flags of a name."""
    prepare = partial(_trl_trainer, model, records, out, name)
    return Side(prepare=prepare, run=_train_plainly, most_rounds=SLOW_ROUNDS[name])


def _our_trainer(model: str, out: Path) -> Any:
    """Return the trainer of `tune run` over the records in a folder."""
    from tuneproof.environment import set_memory_defaults
    from tuneproof.formats.data_folder import open_to_train
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.generate import prepare

    set_memory_defaults()  # too late for large pages: a command sets it before torch is imported
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
        learning_rate=LEARNING_RATE,
        loss_weighting="token",
        unlikelihood=0,
    )
    return prepare(config, open_to_train(config.data)).trainer


def _trl_trainer(model: str, records: list[Example], out: Path, flags: str) -> Any:
    """Return a plain SFTTrainer over the same prompts and answers."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    template = templates.load()
    if flags == "sorted":
        records = sorted(records, key=lambda record: -len(record.text + record.output))
    rows = [
        {"prompt": template.render(record.instruction, record.input), "completion": record.output}
        for record in records
    ]
    loaded = models.load_model(model, dtype="float32")
    return SFTTrainer(
        model=loaded,
        args=SFTConfig(
            output_dir=str(out / "trl"),
            max_length=MAX_LENGTH,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant",
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            **FLAGS[flags],
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=models.load_tokenizer(model),
        peft_config=LoraConfig(
            task_type="CAUSAL_LM",
            r=LORA_R,
            lora_alpha=LORA_ALPHA,
            target_modules="all-linear",
            fan_in_fan_out=loaded.config.model_type == "gpt2",
        ),
    )


def _train(trainer: Any) -> tuple[float, Spent]:
    """Train as `tune run` does; return the loss and what was spent."""
    meter = Meter(trainer, None)
    trainer.add_callback(meter)
    with trainer.fast_paths():
        loss: float = trainer.train().training_loss
    return loss, meter.spent


def _train_plainly(trainer: Any) -> float:
    """Train as TRL does; return the loss."""
    loss: float = trainer.train().training_loss
    return loss


def same_loss(ours: float, theirs: float) -> str:
    """Return both mean losses in words.

    Raises:
        RuntimeError: They differ by more than order and dropout explain.
    """
    losses = f"mean loss {ours:.3f} and {theirs:.3f}"
    if abs(ours - theirs) > SAME_LOSS * theirs:
        raise RuntimeError(f"not the same training: {losses}")
    return losses
