"""Comparing: every prompt answered by every variant, under the same conditions, into one file."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm

from core.errors import InputError
from core.files import existing_file, fingerprint, read_json, write_json
from inference import models
from inference.config import CompareConfig
from inference.generate import answer_batch
from inference.variants import Variants, load_variants
from prompts.fit import Encoded, fit
from prompts.prompt_files import Prompt, read_prompts

SCHEMA = "tuneproof/comparison@1"


def compare(prompts: Path, config: CompareConfig) -> dict[str, Any]:
    """Answer a file of prompts by base and runs, and write the comparison.

    An interrupted comparison goes on where it stopped when it is started again with the same
    prompts and settings.

    Raises:
        InputError: Prompts or runs cannot be used.
    """
    items = read_prompts(prompts)[: config.limit]
    variants = load_variants(config.runs, config.run, dtype=config.dtype)
    encoded = {item.id: _encoded(item, variants, config) for item in items}
    fitting = [item for item in items if encoded[item.id] is not None]
    if not fitting:
        raise InputError(f"{prompts}: all {len(items)} prompts are too long for the model")
    key = identity(prompts, config)
    with Progress(config.out, key) as progress:
        waiting = [item for item in fitting if item.id not in progress.done]
        waiting.sort(key=lambda item: len(encoded[item.id].prompt_ids))  # type: ignore[union-attr]
        bar = tqdm(total=len(fitting), initial=len(fitting) - len(waiting), desc="answering",
                   unit=" prompts", file=sys.stderr, disable=None)  # fmt: skip
        for batch in _batches(waiting, config.batch_size):
            ids = [encoded[item.id].prompt_ids for item in batch]  # type: ignore[union-attr]
            answers = answer_batch(variants, ids, config, config.seed + progress.count)
            for item, by_variant in zip(batch, answers, strict=True):
                row = {name: answer.as_row() for name, answer in by_variant.items()}
                progress.add(item.id, row)
            bar.update(len(batch))
        bar.close()
        value = {
            "schema": SCHEMA,
            "identity": key,
            "decoding": config.recorded(),
            "template": variants.template.text,
            "prompts": {"file": str(prompts), "sha256": fingerprint(prompts)},
            "labels": None,
            "left_out": [item.id for item in items if encoded[item.id] is None],
            "variants": variants.described,
            "items": [_item(item, encoded[item.id], progress.done[item.id]) for item in fitting],
        }
        write_json(config.out, value)
        progress.finish()
    return value


def identity(prompts: Path, config: CompareConfig) -> str:
    """Return a hash of all that decides the answers; it needs no model to be loaded."""
    folders = [config.runs / name for name in config.run]
    facts = {
        "prompts": fingerprint(existing_file(prompts)),
        "limit": config.limit,
        "decoding": config.recorded(),
        "dtype": config.dtype,
        "runs": list(config.run),
        "trained": [fingerprint(existing_file(folder / "run.json")) for folder in folders],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def is_up_to_date(prompts: Path, config: CompareConfig) -> bool:
    """Return whether the comparison is already there, made from the same things."""
    if not config.out.is_file():
        return False
    return bool(read_json(config.out).get("identity") == identity(prompts, config))


class Progress:
    """The answers so far, in a file beside the result, so that an interruption loses a batch."""

    def __init__(self, out: Path, key: str) -> None:
        """Take up what an earlier try with the same key left."""
        self._path = out.with_name(f".{out.name}.partial.jsonl")
        self._key = key
        self.done: dict[str, dict[str, Any]] = {}

    @property
    def count(self) -> int:
        """How many prompts are answered."""
        return len(self.done)

    def __enter__(self) -> Progress:
        """Open the file, keeping the whole lines of an earlier try."""
        lines = self._path.read_text().splitlines(keepends=True) if self._path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        if not whole or json.loads(whole[0]) != self._key:
            whole = [json.dumps(self._key) + "\n"]
        self.done = dict(json.loads(line) for line in whole[1:])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text("".join(whole))
        self._handle = self._path.open("a")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._handle.close()

    def add(self, name: str, answers: dict[str, Any]) -> None:
        """Remember the answers to one prompt."""
        self.done[name] = answers
        self._handle.write(json.dumps([name, answers]) + "\n")
        self._handle.flush()

    def finish(self) -> None:
        """Remove the file; the result is written."""
        self._handle.close()
        self._path.unlink()


def _encoded(item: Prompt, variants: Variants, config: CompareConfig) -> Encoded | None:
    """Fit a prompt into what the runs were trained with, leaving room for the answer."""
    context = models.context_length(variants.model)
    room = variants.max_length if context is None else context - config.max_new_tokens
    if room < 1:
        raise InputError(
            f"max_new_tokens {config.max_new_tokens} leaves no room for a prompt in the model's "
            f"{context} tokens"
        )
    return fit(
        variants.template,
        variants.tokenizer,
        item.prompt,
        item.input,
        max_length=min(room, variants.max_length),
    )


def _batches(items: list[Prompt], size: int) -> Iterator[list[Prompt]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _item(item: Prompt, encoded: Encoded | None, answers: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": item.id,
        "task": item.task,
        "group": item.group,
        "prompt": item.prompt,
        "input": item.input,
        "is_shortened": encoded is not None and encoded.is_shortened,
        "reference": item.reference,
        "answers": answers,
    }
