"""The run that is kept: its page is of its parts, and the README quotes nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from benchmarks.page import KEPT, write_page
from tuneproof.files import read_json

ROOT = Path(__file__).parents[2]


def test_the_page_is_of_its_parts(tmp_path: Path) -> None:
    for path in KEPT.glob("*.json"):
        shutil.copy(path, tmp_path)
    write_page(tmp_path)
    kept = (KEPT / "benchmarks.md").read_text(encoding="utf-8")
    assert (tmp_path / "benchmarks.md").read_text(encoding="utf-8") == kept


def test_the_readme_quotes_what_was_measured() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = re.findall(r"(\d+\.\d) times", text.split("## Speed")[1].split("\n## ")[0])
    rows = [row for path in KEPT.glob("*.json") for row in read_json(path)["rows"]]
    assert len(quoted) >= 6
    assert set(quoted) <= {f"{row['ratio']:.1f}" for row in rows}
