"""Small files of rows, and a build of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig

Rows = Sequence[Mapping[str, Any]]


def write_rows(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], dict[str, list[dict[str, str]]]]]:
    """Build from rows (or from rows by file name); return the manifest and the rows by split."""

    def run(
        rows: Rows | Mapping[str, Rows], **settings: Any
    ) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]]]:
        folder = tmp_path / "source"
        folder.mkdir(exist_ok=True)
        files = rows if isinstance(rows, Mapping) else {"rows.jsonl": rows}
        for name, content in files.items():
            write_rows(folder / name, content)
        out = tmp_path / "data"
        config = BuildConfig(**{"source": (f"jsonl={folder}",), "out": out, **settings})
        manifest = build(config).as_json()
        found = {name: read_rows(out / f"{name}.jsonl") for name in ("train", "val", "test")}
        return manifest, found

    return run


@pytest.fixture
def rows() -> list[dict[str, str]]:
    """Forty rows that have nothing in common."""
    return [different_row(number) for number in range(40)]


def different_row(number: int) -> dict[str, str]:
    words = [
        f"{'abcdefghij'[int(digit)] * 3}{'klmnopqrst'[int(digit)]}" for digit in f"{number:05}"
    ]
    return {"instruction": " ".join(reversed(words)), "output": f"answer {number}"}
