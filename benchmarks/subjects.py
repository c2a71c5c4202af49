"""The models and rows of the benchmarks: random weights in shapes that people use, or `tiny`."""

from __future__ import annotations

import json
import random
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.harness import Settings
from tuneproof.formats.example import Example, read_examples
from tuneproof.models import load as models
from tuneproof.prepdata.sources.twitter_topics import INSTRUCTION, LABELS
from tuneproof.prompts import template as templates
from tuneproof.prompts.fit import lengths

RUN = "bench"
"""The run that `run_on` leaves."""
MAX_LENGTH = 512
"""Most tokens of a training's row."""
MIX = {"dolly": 0.7, "finqa": 0.3}
"""Share of each task: what Dolly-15k (15,011 rows) and FinQA (6,251) come to."""
TOKENS = (40, 46, 74, 100, 140, 200, 282, 512, 512, 512)
"""Lengths of made-up instruction rows, at least: such a mix at every tenth of its rows."""
FRAME = 31
"""Tokens of the template and of a made-up row's instruction, about."""
WORDS = (
    "bank", "oil", "gold", "rate", "cut", "beat", "shares", "fall", "rise", "deal", "sues", "chief",
    "buys", "sells", "profit", "warns",
)  # fmt: skip


SMOLLM2, QWEN3 = "SmolLM2 135M", "Qwen3 8 layers"
LLAMA_TYPES: Mapping[str, tuple[str, dict[str, Any]]] = {
    SMOLLM2: (
        "llama",
        {
            "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
            "num_attention_heads": 9, "num_key_value_heads": 3, "rope_theta": 100_000.0,
        },
    ),
    QWEN3: (
        "qwen3",
        {
            "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 8,
            "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
        },
    ),
}  # fmt: skip
"""Name -> type and shape: SmolLM2's own, and of Qwen3-0.6B 8 of its 28 layers."""
SMALL_SHAPE = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16,
}  # fmt: skip


@contextmanager
def llama_type(name: str, settings: Settings) -> Iterator[str]:
    """Give the folder of a model of Llama's kind with random weights while the block runs.

    The vocabulary has SmolLM2's size, the tokenizer is that of `tiny`.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind, shape = LLAMA_TYPES[name]
    config = AutoConfig.for_model(
        kind,
        **(SMALL_SHAPE if settings.is_small else shape),
        vocab_size=49_152,
        max_position_embeddings=8_192,
        tie_word_embeddings=True,
        pad_token_id=None,
    )
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
        models.load_tokenizer("tiny").save_pretrained(folder)
        yield folder


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
def run_on(model: str) -> Iterator[Path]:
    """Give a folder of runs that holds `RUN`, tuned for a step, while the block runs."""
    from tuneproof.tuning.config import TuneConfig
    from tuneproof.tuning.run import finetune

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        write_records(data, records_of(["a"] * 8, ["b"] * 8, "Say b."))
        config = TuneConfig(
            data=data, model=model, name=RUN, runs=Path(folder) / "runs", max_steps=1, lora_r=8
        )
        finetune(config)
        yield config.runs


def write_records(folder: Path, records: Sequence[Example]) -> None:
    """Write a data folder of training records."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(record.as_row()) + "\n" for record in records)
    (folder / "train.jsonl").write_text(lines)


def records_of(texts: Sequence[str], outputs: Sequence[str], instruction: str) -> list[Example]:
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


def texts(count: int, low: int, high: int, seed: int = 0) -> list[str]:
    """Return made-up texts of so many words."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(low, high))) for _ in range(count)]


def tweets(count: int) -> list[Example]:
    """Return made-up tweets with the real topics."""
    return records_of(texts(count, 8, 30), random.Random(0).choices(LABELS, k=count), INSTRUCTION)


def unlike(count: int) -> list[Example]:
    """Return made-up tweets, each with an instruction of its own: no two rows begin alike."""
    asked = texts(count, 12, 24, seed=1)
    return [
        replace(row, instruction=f"{number} {text}", id=f"own-{number}")
        for number, (row, text) in enumerate(zip(tweets(count), asked, strict=True))
    ]


def instructions(data: Path, count: int) -> list[Example]:
    """Return records of Dolly and FinQA where a data folder has both, else made-up ones.

    Contexts that are too long are cut here, for both sides, as `tune run` cuts them: TRL would cut
    the answer off.
    """
    tokenizer, file = models.load_tokenizer("tiny"), data / "train.jsonl"
    rows: dict[str, list[Example]] = {task: [] for task in MIX}
    if file.is_file():
        for record in read_examples(file):
            rows.setdefault(record.task, []).append(record)
    if all(rows[task] for task in MIX):
        wanted = {task: max(1, round(share * count)) for task, share in MIX.items()}
        chosen = [row for task, some in wanted.items() for row in _spread(rows[task], some)]
    else:
        words = [(TOKENS[number % len(TOKENS)] - FRAME) // 3 for number in range(count)]
        inputs = [texts(1, 2 * third, 2 * third, n)[0] for n, third in enumerate(words)]
        outputs = [texts(1, third, third, n)[0] for n, third in enumerate(words)]
        chosen = records_of(inputs, outputs, "Go on.")
    cut_rows = [cut(record, tokenizer) for record in chosen]
    return random.Random(0).sample(cut_rows, len(cut_rows))


def _spread(records: Sequence[Example], count: int) -> list[Example]:
    """Return so many records at equal distances."""
    return [records[number * len(records) // count] for number in range(count)]


def cut(record: Example, tokenizer: Any, limit: int = MAX_LENGTH) -> Example:
    """Return a record whose context is cut to the limit."""

    def size(characters: int) -> int:
        return length_of(replace(record, input=record.input[:characters]), tokenizer)

    if length_of(record, tokenizer) <= limit:
        return record
    kept = bisect_right(range(len(record.input) + 1), limit, key=size) - 1
    while kept > 0 and size(kept) > limit:  # a cut within a word can make more tokens of it
        kept -= 1
    return replace(record, input=record.input[: max(kept, 0)])


def length_of(record: Example, tokenizer: Any) -> int:
    """Return the tokens of prompt, answer and EOS."""
    return lengths(templates.load(), tokenizer, [record])[0]
