"""The memory of a build does not grow with its source: what is known of a record is on disk."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

MEASURED = """
import re, sys, threading, time
from pathlib import Path
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig

def anonymous():  # what the system cannot write back to a file
    text = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\\s+(\\d+)", text)[1])

def watch():
    while True:
        peak[0] = max(peak[0], anonymous())
        time.sleep(0.002)

source, out = sys.argv[1:]
build(BuildConfig(source=("sample",), limit=5, out=Path(out) / "first"))  # imports all there is
before = anonymous()
peak = [before]
threading.Thread(target=watch, daemon=True).start()
build(BuildConfig(source=(f"jsonl={source}",), out=Path(out) / "data"))
print(peak[0] - before)
"""


def growth(folder: Path, rows: int) -> int:
    """Return the bytes of memory that a build of so many rows of 800 bytes takes at most."""
    folder.mkdir()
    draw = random.Random(1)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(5000)]
    with (folder / "rows.jsonl").open("w") as lines:
        for _ in range(rows):
            row = {name: " ".join(draw.choices(words, k=60)) for name in ("instruction", "output")}
            lines.write(json.dumps(row) + "\n")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(folder / "rows.jsonl"), str(folder)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells what is anonymous")
def test_four_times_the_rows_take_hardly_more_memory(tmp_path: Path) -> None:
    small, large = (growth(tmp_path / str(rows), rows) for rows in (3_000, 12_000))
    source = (tmp_path / "12000" / "rows.jsonl").stat().st_size
    assert large < 1.3 * small, f"{small:,} and {large:,} bytes"
    assert large - small < source / 3
