"""The made-up rows of the data benchmark, and its check of what a build left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.prepdata import check, write_rows
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.near.comparing import SamenessRule, Texts


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, str]]:
    write_rows(tmp_path / "rows.jsonl", 2_000)
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_planted_repeats_repeat_and_are_as_many_as_said(rows: list[dict[str, str]]) -> None:
    by_id = {row["id"]: row for row in rows}
    planted = [row for row in rows if "-" in row["id"]]
    assert 0.08 * len(rows) < len(planted) < 0.12 * len(rows)
    for row in planted:
        original = by_id[row["id"].partition("-")[0]]
        texts = [Texts(each["instruction"], "", each["output"]) for each in (row, original)]
        assert SamenessRule().are_near(*texts)
        assert (row["instruction"] == original["instruction"]) is row["id"].endswith("-same")
    length = [len(f"{row['instruction']} {row['output']}".split()) for row in rows]
    assert min(length) >= 40 and max(length) <= 81


def test_check_passes_a_right_build_and_sees_a_wrong_one(
    tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    file, out = tmp_path / "rows.jsonl", tmp_path / "data"
    build(BuildConfig(source=(f"jsonl={file}",), out=out))
    planted = sum("-" in row["id"] for row in rows)
    assert check(file, out).startswith(f"{planted} repeats planted, ")
    train = out / "train.jsonl"
    lines = train.read_text().splitlines(keepends=True)
    kept = {json.loads(line)["id"].removeprefix("jsonl-") for line in lines}
    missed = next(r for r in rows if r["id"] not in kept and r["id"].partition("-")[0] in kept)
    train.write_text("".join([*lines, json.dumps({**missed, "id": f"jsonl-{missed['id']}"})]))
    with pytest.raises(RuntimeError, match="1 were missed"):
        check(file, out)
    train.write_text("".join(lines))
    manifest = json.loads((out / "manifest.json").read_text())
    manifest["sources"]["jsonl"]["dropped"]["empty answer"] = 1
    (out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RuntimeError, match="1 rows that repeat none"):
        check(file, out)
