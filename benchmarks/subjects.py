"""What is measured: a GPT-2 of 124M with random weights, or `tiny`, and prompts to ask."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuneproof.formats.example import Example
from tuneproof.models import load as models


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much is measured."""

    rounds: int
    """Rounds of every pair."""
    is_small: bool
    """Whether `tiny` takes the place of GPT-2, and there is less work: a try in a minute."""
    data: Path = Path("data")
    """Folder of `prepdata build` with real rows to train on; made-up ones are used without."""


@contextmanager
def gpt2(settings: Settings) -> Iterator[str]:
    """Give the folder of a GPT-2 of 124M with random weights (or `tiny`) while the block runs.

    Its tokenizer is that of `tiny`, which needs no network; the vocabulary keeps GPT-2's size.
    """
    if settings.is_small:
        yield "tiny"
        return
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
        models.load_tokenizer("tiny").save_pretrained(folder)
        yield folder


@contextmanager
def run_on(model: str, records: list[Example], steps: int = 1) -> Iterator[Path]:
    """Give a folder of runs that holds `bench`, tuned for some steps, while the block runs."""
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_records(data, records)
        config = TuneConfig(
            data=data,
            model=model,
            name="bench",
            runs=Path(folder) / "runs",
            max_steps=steps,
            lora_r=8,
        )
        finetune(config, lambda _: None)
        yield config.runs


def write_records(folder: Path, records: list[Example]) -> None:
    """Write a data folder of training records."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(record.as_row()) + "\n" for record in records)
    (folder / "train.jsonl").write_text(lines)


def records_of(texts: list[str], outputs: list[str], instruction: str) -> list[Example]:
    """Return records of a made-up task."""
    return [
        Example(
            id=f"bench-{number}",
            task="bench",
            instruction=instruction,
            input=text,
            output=output,
            group=f"bench-{number}",
        )
        for number, (text, output) in enumerate(zip(texts, outputs, strict=True))
    ]
