"""A small comparison, and the folder of public data that some tests read when it is there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "shared" / "data", ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def dolly() -> list[dict[str, Any]]:
    """The first 3,000 rows of Dolly; the test is skipped where the file is not."""
    name = Path("dolly", "databricks-dolly-15k.jsonl")
    named = os.environ.get("TUNEPROOF_TEST_DATA")
    folders = [Path(named)] if named else FOLDERS
    path = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if path is None:
        pytest.skip(f"no {name}; set TUNEPROOF_TEST_DATA to the folder that holds it")
    with path.open(encoding="utf-8") as handle:
        return [json.loads(line) for line, _ in zip(handle, range(3000), strict=False)]


def answer(text: str, tokens: int | None = 3, finish_reason: str | None = "eos") -> dict[str, Any]:
    return {"text": text, "tokens": tokens, "finish_reason": finish_reason}


def item(number: int, base: str, tuned: str, **other: Any) -> dict[str, Any]:
    row = {
        "id": f"q{number}",
        "task": "dolly",
        "prompt": f"Question number {number}?",
        "input": "",
        "reference": "red green blue",
        "answers": {"base": answer(base, 200, "length"), "tuned": answer(tuned)},
    }
    return {**row, **other}


def comparison(items: list[dict[str, Any]], **other: Any) -> dict[str, Any]:
    document = {
        "schema": "tuneproof/comparison@1",
        "decoding": {"do_sample": False, "max_new_tokens": 200},
        "template": "### Instruction:\n{{ instruction }}\n### Response:\n",
        "labels": None,
        "variants": [
            {"name": "base", "model": "tiny", "adapter": None},
            {"name": "tuned", "model": "tiny", "adapter": "runs/tuned/adapter"},
        ],
        "items": items,
    }
    return {**document, **other}


@pytest.fixture
def document() -> dict[str, Any]:
    """Twelve items: the base loops and is cut, the tuned variant is mostly right."""
    loop = "round and round it goes " * 20
    rights = ["red green blue"] * 8 + ["red green", "blue", "red green blue yes", ""]
    return comparison([item(n, loop, text) for n, text in enumerate(rights)])


LABELS = ["Gold | Metals", "Macro", "M&A"]


def scored(label: str, probability: float = 0.8, text: str | None = None) -> dict[str, Any]:
    """An answer that gives `label`, and the rest of the probability to the others evenly."""
    rest = (1 - probability) / (len(LABELS) - 1)
    probabilities = {name: probability if name == label else rest for name in LABELS}
    return {
        **({} if text is None else answer(text)),
        "label": label,
        "label_probabilities": probabilities,
    }


@pytest.fixture
def topics() -> dict[str, Any]:
    """Twelve items of three labels: the base is right on 2, the tuned on 9, the majority on 6."""
    gold, macro, deals = LABELS
    right = [gold] * 2 + [macro] * 6 + [deals] * 4
    base = [gold, gold] + [deals] * 6 + [gold] * 4
    tuned = [gold, deals] + [macro] * 6 + [deals, deals, gold, macro]
    rows = [
        item(
            number,
            "",
            "",
            reference=right[number],
            answers={
                "base": scored(base[number], 0.5, "none of them"),
                "tuned": scored(tuned[number], 0.7 + number / 100, f" {tuned[number].lower()}.\n"),
                "majority": scored(macro, 0.6),
            },
        )
        for number in range(12)
    ]
    variants = [
        {"name": "base", "model": "tiny", "adapter": None},
        {"name": "tuned", "model": "tiny", "adapter": "runs/tuned/adapter"},
        {"name": "majority", "kind": "baseline"},
    ]
    return comparison(rows, labels=list(LABELS), variants=variants)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a value as JSON and return the path."""

    def put(value: Any, name: str = "comparison.json") -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(value), encoding="utf-8")
        return path

    return put
