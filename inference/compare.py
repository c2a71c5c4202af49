"""Comparing: every prompt answered by every variant, under the same conditions, into one file."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from core.errors import InputError
from core.files import existing_file, fingerprint, read_json, write_json
from inference.config import CompareConfig
from inference.generate import answer_batch
from inference.progress import Progress
from inference.variants import Variants, load_variants
from prompts.fit import Encoded
from prompts.prompt_files import Prompt, read_prompts

SCHEMA = "tuneproof/comparison@1"
LINE_S = 30
"""Seconds between two lines about the progress, where no terminal shows a bar."""


def compare(prompts: Path, config: CompareConfig) -> dict[str, Any]:
    """Answer a file of prompts by base and runs, and write the comparison.

    An interrupted comparison goes on where it stopped when it is started again with the same
    prompts and settings.

    Raises:
        InputError: Prompts or runs cannot be used.
    """
    _check_out(prompts, config.out)
    items = read_prompts(prompts)[: config.limit]
    variants = load_variants(config.runs, config.run, dtype=config.dtype)
    asked = {
        item.id: variants.ask(item.prompt, item.input, config.max_new_tokens) for item in items
    }
    encoded = {name: question for name, question in asked.items() if question is not None}
    if not encoded:
        raise InputError(f"{prompts}: all {len(items)} prompts are too long for the model")
    key = identity(prompts, config)
    with Progress(config.out, key) as progress:
        _answer(variants, encoded, config, progress)
        value = {
            "schema": SCHEMA,
            "identity": key,
            "decoding": config.recorded(),
            "template": variants.template.text,
            "prompts": {"file": str(prompts), "sha256": fingerprint(prompts)},
            "labels": None,
            "left_out": [item.id for item in items if item.id not in encoded],
            "variants": variants.described,
            "items": [
                _item(item, encoded[item.id], progress.done[item.id])
                for item in items
                if item.id in encoded
            ],
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
        "batch_size": config.batch_size if config.do_sample else None,  # it decides the draws
        "dtype": config.dtype,
        "runs": list(config.run),
        "trained": [fingerprint(existing_file(folder / "run.json")) for folder in folders],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def is_up_to_date(prompts: Path, config: CompareConfig) -> bool:
    """Return whether the comparison is already there, made from the same things."""
    if not config.out.is_file():
        return False
    found = read_json(config.out)
    return isinstance(found, dict) and found.get("identity") == identity(prompts, config)


def _check_out(prompts: Path, out: Path) -> None:
    """Raise InputError where the comparison would replace something that is none."""
    existing_file(prompts)
    if out.is_dir():
        raise InputError(f"{out} is a folder; --out names the file to write")
    if out.is_file():
        try:
            found = read_json(out)
        except InputError:
            found = None
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            raise InputError(f"{out} is no comparison and would be replaced; choose another --out")


def _answer(
    variants: Variants, encoded: Mapping[str, Encoded], config: CompareConfig, progress: Progress
) -> None:
    """Answer what is not answered yet, short prompts first, so that little is padding.

    The batches are the same whatever is answered already, and so is each batch's seed: an
    interrupted comparison draws what an uninterrupted one would have drawn.
    """
    names = sorted(encoded, key=lambda name: len(encoded[name].prompt_ids))
    told = time.monotonic()
    with tqdm(
        total=len(names), desc="answering", unit=" prompts", file=sys.stderr, disable=None
    ) as bar:
        for start in range(0, len(names), config.batch_size):
            batch = names[start : start + config.batch_size]
            if not all(name in progress.done for name in batch):
                ids = [encoded[name].prompt_ids for name in batch]
                answers = answer_batch(variants, ids, config, config.seed + start)
                for name, by_variant in zip(batch, answers, strict=True):
                    progress.add(name, {key: value.as_row() for key, value in by_variant.items()})
            bar.update(len(batch))
            if bar.disable and time.monotonic() - told > LINE_S:
                told = time.monotonic()
                print(f"answered {start + len(batch):,} of {len(names):,}", file=sys.stderr)


def _item(item: Prompt, encoded: Encoded, answers: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": item.id,
        "task": item.task,
        "group": item.group,
        "prompt": item.prompt,
        "input": item.input,
        "truncated": encoded.is_shortened,
        "reference": item.reference,
        "answers": answers,
    }
