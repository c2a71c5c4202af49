"""The memory of a build does not grow with its source: what is known of a record is on disk.

`TUNEPROOF_MEMORY=500` builds from a source of 500 MB under a limit of a tenth of that.
"""

from __future__ import annotations

import json
import os
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

LIMITED = """
import re, resource, sys
from pathlib import Path
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig

source, out, allowed = sys.argv[1:]
build(BuildConfig(source=("sample",), limit=5, out=Path(out) / "first"))  # imports all there is
text = Path("/proc/self/status").read_text()
limit = 1024 * int(re.search(r"VmData:\\s+(\\d+)", text)[1]) + int(allowed)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
build(BuildConfig(source=(f"jsonl={source}",), out=Path(out) / "data"))
"""
LEAST = 32_000_000
"""Bytes that a build works with, whatever its source."""


def source_of(folder: Path, rows: int) -> Path:
    """Write a source of so many rows of 800 bytes, all of them different."""
    folder.mkdir()
    draw = random.Random(1)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(5000)]
    with (folder / "rows.jsonl").open("w") as lines:
        for _ in range(rows):
            row = {name: " ".join(draw.choices(words, k=60)) for name in ("instruction", "output")}
            lines.write(json.dumps(row) + "\n")
    return folder / "rows.jsonl"


def growth(folder: Path, rows: int) -> int:
    """Return the bytes of memory that a build of so many rows takes at most."""
    source = source_of(folder, rows)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(source), str(folder)],
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


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts what a process may write to")
def test_source_larger_than_a_hard_limit_is_built(tmp_path: Path) -> None:
    size = 1_000_000 * int(os.environ.get("TUNEPROOF_MEMORY", "12"))
    source = source_of(tmp_path / "large", size // 800)
    allowed = max(LEAST, source.stat().st_size // 10)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(source), str(tmp_path), str(allowed)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    assert sum(facts["records"] for facts in manifest["files"].values()) > size // 1000
    print(f"{source.stat().st_size:,} bytes of rows in {allowed:,} bytes more than an empty build")
