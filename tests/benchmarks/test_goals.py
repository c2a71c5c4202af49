"""The benchmarks that have a goal: what they make up, what they check, what they print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import child, startup
from benchmarks.pages import LIMITS, write
from benchmarks.prepdata import check
from benchmarks.results import Goal
from benchmarks.rows import write_rows
from benchmarks.table import markdown
from tuneproof.prepdata.build import build
from tuneproof.prepdata.config import BuildConfig
from tuneproof.prepdata.near.index import are_near

MET: dict[str, Any] = {"work": "rows", "against": "time", "goal": 11, "unit": "s", "checked": "ten"}


def test_goals_are_met_up_to_the_bound_and_not_beyond() -> None:
    assert Goal.at_most(value=11, **MET).is_met
    assert not Goal.at_most(value=11.1, **MET).is_met
    assert Goal.at_least(value=11, **MET).is_met
    assert not Goal.at_least(value=10.9, **MET).is_met


def test_goals_have_a_table_of_their_own_and_stand_in_the_file(tmp_path: Path) -> None:
    goal = Goal.at_most(value=12345.6, **MET)
    assert markdown([goal]).splitlines()[-1] == (
        "| rows | time | **12,346 s** | at most 11 s | **no** | ten |"
    )
    write("report", [goal], tmp_path)
    (found,) = json.loads((tmp_path / "report.json").read_text())["goals"]
    assert (found["value"], found["is_met"]) == (12345.6, False)


@pytest.mark.parametrize(("value", "is_said"), [(11, False), (12, True)])
def test_what_bounds_a_part_is_said_where_a_goal_is_missed(
    tmp_path: Path, value: float, *, is_said: bool
) -> None:
    write("prepdata", [Goal.at_most(value=value, **MET)], tmp_path)
    assert (LIMITS["prepdata"] in (tmp_path / "benchmarks.md").read_text()) is is_said


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
        assert are_near((row["instruction"], ""), (original["instruction"], ""))
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


def test_child_tells_its_output_time_and_memory_and_a_failure(tmp_path: Path) -> None:
    found = child.run("prepdata", "sources")
    assert "finqa" in found.output
    assert found.cpu_seconds > 0
    assert 5e6 < found.peak_bytes < 1e9
    with pytest.raises(RuntimeError, match="unknown source"):
        child.run("prepdata", "build", "--source", "nothing", "--out", str(tmp_path / "data"))


def test_all_commands_are_timed() -> None:
    assert "doctor" in startup.commands("tuning")
    assert {"build", "inspect", "sources"} <= set(startup.commands("prepdata"))
