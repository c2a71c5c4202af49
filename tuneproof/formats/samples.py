"""samples.jsonl: what a run answered to the same few prompts at each evaluation of its training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuneproof.files import parse_jsonl, write_jsonl
from tuneproof.formats.codec import decode, encode

FILE = "samples.jsonl"


@dataclass(frozen=True, kw_only=True)
class SampleAnswer:
    """A line of samples.jsonl: one prompt and its answer at one evaluation."""

    step: int
    """Optimizer steps taken."""
    epoch: float
    """Epochs taken."""
    id: str
    """Of the validation record."""
    instruction: str
    """What was asked."""
    input: str
    """Its context; may be empty."""
    reference: str
    """The right answer."""
    answer: str
    """What the model said, greedily."""
    tokens: int
    """Tokens of it."""
    finish_reason: str
    """``eos``: it stopped by itself; ``length``: it was stopped."""


def read_samples(file: Path) -> list[SampleAnswer]:
    """Return the lines of a samples.jsonl, in order; a last one that was cut off is left out.

    Raises:
        InputError: Another line is none of ours; file and line are named.
    """
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [
        decode(SampleAnswer, row, f"{file}:{number}")
        for number, row in parse_jsonl(lines, str(file))
    ]


def append_samples(file: Path, samples: Iterable[SampleAnswer]) -> None:
    """Add lines to the file."""
    with file.open("a", encoding="utf-8") as handle:
        handle.writelines(json.dumps(encode(one), ensure_ascii=False) + "\n" for one in samples)


def keep_until(file: Path, step: int) -> None:
    """Drop the answers of steps that are to be taken again, and a last line that was cut off."""
    if file.is_file():
        samples: Sequence[SampleAnswer] = read_samples(file)
        write_jsonl(file, (encode(one) for one in samples if one.step <= step))
