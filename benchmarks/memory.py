"""Peak memory of training and answering, ours and others', measured in separate processes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import decoding, training
from benchmarks.harness import GIB, Goal, Settings, run_code
from benchmarks.subjects import MAX_LENGTH, gpt2, instructions, run_on, write_records
from tuneproof.files import read_json, write_json

RIVALS = ("defaults", "stored")
"""TRL's flags with the least and with the most memory."""
MOST = 0.6
"""Most share of the memory of two models that answer a padded batch each."""
ROWS = 4
"""Of the training step; more would need more of the same."""


def measure(settings: Settings) -> list[Goal]:
    """Return our peaks over others'."""
    return [*_training(settings), _answering(settings)]


def _peak(function: str, *arguments: str | Path) -> int:
    """Return the most memory of a process that calls a function of this module."""
    code = f"import sys\nfrom benchmarks.memory import {function}\n{function}(*sys.argv[1:])"
    return run_code(code, *arguments).peak_bytes


def _training(settings: Settings) -> list[Goal]:
    """Return our peak over TRL's, with its defaults (which checkpoint) and with its fast flags."""
    with gpt2(settings) as model:
        peaks = {
            side: _peak("train_once", side, model, settings.data) for side in ("ours", *RIVALS)
        }
    rows = f"{ROWS} rows of at most {MAX_LENGTH} tokens"
    return [
        Goal(
            work=f"peak memory, LoRA r={training.LORA_R}, {rows}",
            against=f"TRL's SFTTrainer, {training.SHOWN[side]}",
            value=peaks["ours"] / peaks[side],
            goal=1,
            unit="x",
            checked=f"{peaks['ours'] / GIB:.2f} GiB and {peaks[side] / GIB:.2f} GiB",
        )
        for side in RIVALS
    ]


def train_once(side: str, model: str, data: str) -> None:
    """Train one step on the longest rows."""
    rows = sorted(instructions(Path(data), 64), key=lambda row: len(row.input + row.output))
    longest = rows[-ROWS:]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_records(out / "data", longest)
        is_ours = side == "ours"
        rival = training.ours(model, out) if is_ours else training.theirs(model, longest, out, side)
        rival.run(rival.prepare())


def _answering(settings: Settings) -> Goal:
    """Return our peak over that of two models which answer a padded batch each."""
    new = decoding.new_tokens(settings)
    with (
        gpt2(settings) as model,
        run_on(model) as runs,
        tempfile.TemporaryDirectory() as folder,
    ):
        ids, file = decoding.questions(model, settings), Path(folder) / "ids.json"
        write_json(file, ids)
        ours, theirs = (
            _peak("answer_all", side, model, runs, file, str(new)) for side in ("ours", "batches")
        )
    return Goal(
        work=f"peak memory, {len(ids)} prompts x base and adapter, exactly {new} new tokens each",
        against="transformers `generate`, one left-padded batch per model, both models loaded",
        value=ours / theirs,
        goal=MOST,
        unit="x",
        checked=f"{ours / GIB:.2f} GiB and {theirs / GIB:.2f} GiB; every answer has its tokens",
    )


def answer_all(side: str, model: str, runs: str, file: str, new: str) -> None:
    """Answer the prompts of a file.

    Raises:
        RuntimeError: An answer is too short.
    """
    ids = read_json(Path(file))
    if side == "ours":
        answers = decoding.ours(decoding.variants_of(Path(runs)), ids, int(new))
    else:
        answers = decoding.batches(decoding.both(model, Path(runs)), ids, int(new))
    if len(answers) != 2 * len(ids) or any(len(row) != int(new) for row in answers):
        raise RuntimeError(f"{side}: {[len(row) for row in answers]} new tokens, not {new} each")
