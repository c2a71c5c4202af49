"""The most memory that training and answering take, ours and others', each in a process."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import decoding_memory
from benchmarks.child import peak_bytes, peak_of
from benchmarks.results import Goal
from benchmarks.subjects import Settings, gpt2, write_records
from benchmarks.trainers import BATCH, LORA_R, MAX_LENGTH, SHOWN, ours, theirs
from benchmarks.training_rows import instructions

GIB = 2**30
RIVALS = ("defaults", "stored")
"""TRL's flags with the least and with the most memory."""


def measure(settings: Settings) -> list[Goal]:
    """Return our peaks over others'."""
    return [*_training(settings), *decoding_memory.measure(settings)]


def _training(settings: Settings) -> list[Goal]:
    """Return our peak over TRL's, with its defaults (which checkpoint) and with its fast flags."""
    with gpt2(settings) as model:
        peaks = {
            side: peak_of("benchmarks.memory", side, model, str(settings.data))
            for side in ("ours", *RIVALS)
        }
    return [
        Goal.at_most(
            work=f"peak memory, LoRA r={LORA_R}, {BATCH} rows of at most {MAX_LENGTH} tokens",
            against=f"TRL's SFTTrainer, {SHOWN[side]}",
            value=peaks["ours"] / peaks[side],
            goal=1,
            unit="x",
            checked=f"{peaks['ours'] / GIB:.2f} GiB and {peaks[side] / GIB:.2f} GiB",
        )
        for side in RIVALS
    ]


def _main(side: str, model: str, data: str) -> None:
    """Train one step on the longest rows and print the most memory this process has held."""
    found = sorted(instructions(Path(data), 64), key=lambda each: len(each.input + each.output))[
        -BATCH:
    ]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_records(out / "data", found)
        trained = ours(model, out) if side == "ours" else theirs(model, found, out, side)
        trained.run(trained.prepare())
    print(peak_bytes())


if __name__ == "__main__":
    _main(*sys.argv[1:])
