"""LoRA training of instruction rows and of tweets: useful (non-padding) tokens per second."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.results import Goal, Row
from benchmarks.subjects import Settings, gpt2, write_records
from benchmarks.timing import Side, Timing, Workers
from benchmarks.trainers import LORA_R, MAX_LENGTH, SHOWN, fastest, ours, same_loss, theirs
from benchmarks.training_rows import instructions, tweets
from tuneproof.formats.example import Example
from tuneproof.tuning.cost.machine import matrix_rate, speed
from tuneproof.tuning.job import uses_bf16

ROWS, TWEETS, TINY_ROWS = 24, 64, 32
"""Rows of a training: fewer, and grouping by length could not do what it does for TRL."""
TINY = "tiny 7.5M"
LEAST_SHARE = 40
"""Of the rate of matrix products, in %."""
LONGER = 4
"""Times the rows of the training whose share is measured: what comes once weighs less in it."""


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
    """``defaults`` or ``best`` flags of TRL -> the least ratio aimed at, if any."""
    longer: list[Example] | None = None
    """Of the training whose share of the rate of matrix products is measured, if it is."""


def measure(settings: Settings) -> list[Row | Goal]:
    """Return ours against TRL with its defaults, and with the best flags found for it."""
    rows, short = (8, 32) if settings.is_small else (ROWS, TWEETS)
    asked = partial(instructions, settings.data)
    kind = "+".join(sorted({each.task for each in asked(rows)}))
    with gpt2(settings) as model:
        shown = TINY if settings.is_small else "GPT-2 124M"
        named = partial(Work, model=model, shown=shown)
        works = [
            named(
                records=asked(rows),
                rows=kind,
                goals={"defaults": 8, "best": 3},
                longer=asked(LONGER * rows),
            ),
            named(
                records=tweets(short),
                rows="tweet",
                goals={"best": 4},
                longer=tweets(LONGER * short),
            ),
        ]
        if not settings.is_small:  # else it is what the others trained
            works.append(_of_tiny(asked(TINY_ROWS), kind))
        return [each for work in works for each in _rivals(work, settings)]


def _of_tiny(records: list[Example], kind: str) -> Work:
    """Return the training of the embedded model; the part `profile` shows where its time goes."""
    return Work(
        model="tiny",
        shown=TINY,
        records=records,
        rows=kind,
        goals={"best": None},
    )


def _rivals(work: Work, settings: Settings) -> list[Row | Goal]:
    """Time ours and every rival with a goal, and check that they learned the same."""
    with tempfile.TemporaryDirectory() as folder, Workers() as workers:
        out, apart = Path(folder), Path(folder) / "longer"
        write_records(out / "data", work.records)
        goals = {
            fastest(workers, work.model, work.records, out) if name == "best" else name: goal
            for name, goal in work.goals.items()
        }
        sides = {"ours": ours(work.model, out)}
        sides |= {name: theirs(work.model, work.records, out, name) for name in goals}
        if work.longer:
            write_records(apart / "data", work.longer)
            sides |= {"matrix products": RATE, "longer": ours(work.model, apart)}
        took, found = workers.alternate(sides, settings.rounds, warm_up=False)
    loss, spent = found["ours"][-1]
    rows = [
        Row(
            work=_told(work, work.records, spent),
            against=f"TRL's SFTTrainer, {SHOWN[side]}",
            ours=took["ours"],
            theirs=took[side],
            goal=goal,
            checked=same_loss(loss, found[side][-1]),
            amount=spent.tokens,
            unit="tokens",
        )
        for side, goal in goals.items()
    ]
    if not work.longer:
        return [*rows]
    _, longer = found["longer"][-1]
    told = _told(work, work.longer, longer)
    return [*rows, _share(told, longer, took["longer"], found["matrix products"])]


def _told(work: Work, records: list[Example], spent: Any) -> str:
    """Return what a training is, in words."""
    return (
        f"{work.shown}, LoRA r={LORA_R}, {len(records)} {work.rows} rows, {spent.tokens:,} tokens, "
        f"at most {MAX_LENGTH} in a row"
    )


def _is_bf16() -> bool:
    return uses_bf16("auto", "cpu")


def _rate(is_bf16: bool) -> float:
    return matrix_rate("cpu", is_bf16=is_bf16)


RATE = Side(prepare=_is_bf16, run=_rate)
"""What the machine's matrix products would allow, in operations per second."""


def _share(told: str, spent: Any, took: Timing, rates: list[float]) -> Goal:
    """Return the share of the rate of matrix products, measured in the same rounds."""
    rate = median(rates)
    result = {
        "tokens_seen": spent.tokens,
        "positions_seen": spent.positions,
        "flops": spent.flops,
        "head_flops": spent.head_flops,
        "train_seconds": took.seconds,
    }
    kind = "bfloat16" if uses_bf16("auto", "cpu") else "float32"
    return Goal.at_least(
        work=told,
        against=f"share of the machine's rate of {kind} matrix products",
        value=100 * speed(result, rate)["share_of_limit"],
        goal=LEAST_SHARE,
        unit="%",
        checked=f"{rate / 1e9:,.0f} GFLOP/s ({min(rates) / 1e9:,.0f}-{max(rates) / 1e9:,.0f})",
    )
