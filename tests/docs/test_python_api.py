"""The page of the Python API: what it shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/python-api.md"


@pytest.mark.slow
def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, object] = {}
    for block in blocks:
        if "basicConfig" not in block:
            small = block.replace("max_steps=20", "max_steps=2").replace("limit=20,", "limit=2,")
            exec(small.replace("max_new_tokens=40", "max_new_tokens=4"), names)
    assert names["run"].name == "first"  # type: ignore[attr-defined]
