"""Peak memory of training and answering, in separate processes: ours, others', and as foretold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks import decoding, training
from benchmarks.harness import GIB, Goal, Settings, run_code
from benchmarks.subjects import (
    MAX_LENGTH,
    gpt2,
    instructions,
    records_of,
    run_on,
    texts,
    write_records,
)
from tuneproof.files import read_json, write_json
from tuneproof.models.fetch import folder_of
from tuneproof.prepdata.sources.twitter_topics import LABELS

RIVALS = ("defaults", "stored")
"""TRL's flags with the least and with the most memory."""
MOST = 0.6
"""Most share of the memory of two models that answer a padded batch each."""
ROWS = 4
"""Of the training step; more would need more of the same."""
FORETOLD = (
    ("16", "512", "generate", "lora"),
    ("8", "256", "generate", "lora"),
    ("16", "512", "classify", "lora"),
    ("16", "512", "classify", "qlora"),
)
"""Batch, most tokens of a row, objective and method of the trainings whose memory `tune run`
foretells; QLoRA with activation checkpointing."""
SHOWN = {"lora": "LoRA r=16", "qlora": "QLoRA r=16 with checkpointing"}
AS_A_COMMAND = """
from tuneproof.environment import set_memory_defaults
set_memory_defaults()
"""
"""What a command does before torch is imported."""
FORETELL = """
import sys
from benchmarks.memory import foretell
foretell(*sys.argv[1:])
"""
MANY = 256
"""Rows that they have, so that the largest batch is one of the longest rows, as in large data."""
FEW = 64
"""Texts that are classified: all of them are asked once more after the training."""
WORDS = 8, 300
"""Fewest and most words of a text that is classified."""
STEPS = 2
"""Of them; the first has the longest rows."""
OFF = 15
"""Most that what is foretold may be off, in %."""


def measure(settings: Settings) -> list[Goal]:
    """Return our peaks over others'."""
    return [*_training(settings), _answering(settings), *_foretold(settings)]


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


def _foretold(settings: Settings) -> Iterator[Goal]:
    """Yield by how much the memory that `tune run` says before a training is off."""
    with ExitStack() as stack:
        shown = {"tiny 7.5M": "tiny"}
        if not settings.is_small:
            shown["GPT-2 124M"] = stack.enter_context(gpt2(settings))
            if folder_of("smollm2").is_dir():
                shown["SmolLM2 135M"] = "smollm2"
        for name, model in shown.items():
            for what in FORETOLD:
                yield _foretold_of(name, model, what, settings)


def _foretold_of(name: str, model: str, what: Sequence[str], settings: Settings) -> Goal:
    """Return by how much the memory of one training was foretold wrongly."""
    batch, most, objective, method = what
    child = run_code(AS_A_COMMAND + FORETELL, model, *what, settings.data)
    told, taken = (float(word) for word in child.output.split()[-2:])
    how = f"{SHOWN[method]}{' and a head' if objective == 'classify' else ''}"
    return Goal(
        work=f"{name}, {how}, batches of {batch}, at most {most} tokens in a row",
        against="the memory that `tune run` says before the first step",
        value=100 * abs(told / taken - 1),
        goal=OFF,
        unit="%",
        checked=f"told {told / GIB:.2f} GiB, taken {taken / GIB:.2f} GiB ({told / taken:.2f})",
    )


def foretell(model: str, batch: str, most: str, objective: str, method: str, data: str) -> None:
    """Train a few steps; print the memory that was foretold, and the most that was taken."""
    from tuneproof.tuning import train
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.cost import machine
    from tuneproof.tuning.run import finetune

    told: list[machine.Memory] = []

    def noted(*given: Any) -> machine.Memory:
        told.append(machine.estimated_memory(*given))
        return told[-1]

    labels = [LABELS[number % len(LABELS)] for number in range(FEW)]
    labelled = records_of(texts(FEW, *WORDS), labels, "Name the topic.")
    rows = instructions(Path(data), MANY) if objective == "generate" else labelled
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        write_records(out / "data", rows)
        config = TuneConfig(
            data=out / "data", model=model, name="foretold", runs=out / "runs", max_steps=STEPS,
            max_length=int(most), per_device_train_batch_size=int(batch), sample_prompts=0,
            objective="classify" if objective == "classify" else "generate",
            method=method, gradient_checkpointing=method == "qlora",
        )  # fmt: skip
        with patch.object(train, "estimated_memory", noted):
            run = finetune(config)
    assert run.result is not None
    print(told[-1].total, run.result.peak_memory_bytes)
