"""A healthy data folder, and functions that plant faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuneproof.finding import worst_first

Rows = dict[str, list[dict[str, str]]]
WORDS = ["mud", "ice", "sand", "salt", "silt", "reed", "fish", "wood", "leaf", "gold"]


def texts(part: str, count: int) -> list[dict[str, str]]:
    """Questions that share no more than a few words with one another."""
    return [
        {
            "id": f"{part}-{number}",
            "task": "river",
            "instruction": f"{part} asks: " + " ".join(f"{word}{number}{part}" for word in WORDS),
            "input": "",
            "output": f"answer {number} of {part}",
        }
        for number in range(count)
    ]


@pytest.fixture
def rows() -> Rows:
    """Healthy records of free answers, by file."""
    return {"train": texts("train", 200), "val": texts("val", 20), "test": texts("test", 120)}


@pytest.fixture
def labelled() -> Rows:
    """Healthy records of two labels, each with words of its own."""
    made = {}
    for part, count in (("train", 200), ("val", 20), ("test", 120)):
        made[part] = [
            {
                "id": f"{part}-{number}",
                "task": "mood",
                "instruction": "Good or bad?",
                "input": f"{('joy', 'grief')[number % 2]} in {part} {number} " + "abc " * number,
                "output": ("good", "bad")[number % 2],
            }
            for number in range(count)
        ]
    return made


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., Path]:
    """Write records by file, and a manifest that names the labels where there are any."""

    def write(rows: Rows, labels: dict[str, list[str]] | None = None) -> Path:
        folder = tmp_path / "planted"
        folder.mkdir(exist_ok=True)
        for name, part in rows.items():
            lines = "".join(json.dumps(row) + "\n" for row in part)
            (folder / f"{name}.jsonl").write_text(lines)
        if labels is not None:
            manifest = {"schema": "tuneproof/data@1", "labels": labels}
            (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder

    return write


@pytest.fixture
def severities() -> Callable[[Any], dict[str, str]]:
    """Return the worst severity of each code."""

    return lambda findings: {one.code: one.severity for one in reversed(worst_first(findings))}
