"""What the benchmarks print and write."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.table import Row, markdown, write
from benchmarks.timing import Timing, alternate

ROW = Row(
    work="count to ten",
    against="a snail",
    ours=Timing(seconds=2.0, low=1.0, high=4.0),
    theirs=Timing(seconds=9.0, low=8.0, high=10.0),
    checked="both said ten",
    goal=3,
    more={"ours": "5 numbers/s"},
)


def test_ratio_is_how_many_times_faster_we_are() -> None:
    assert ROW.ratio == 4.5


def test_table_has_medians_ranges_ratio_goal_and_the_check() -> None:
    assert markdown([ROW]).splitlines()[-1] == (
        "| count to ten | a snail | 2.00 s (1.00-4.00) | 9.00 s (8.00-10.00) | **4.5x** | 3x | "
        "both said ten; ours 5 numbers/s |"
    )


def test_files_name_machine_and_versions(tmp_path: Path) -> None:
    write("numbers", [ROW], tmp_path)
    write("others", [ROW], tmp_path)
    found = json.loads((tmp_path / "numbers.json").read_text())
    assert found["rows"][0]["ratio"] == 4.5
    assert found["machine"]["processor"]
    assert found["versions"]["torch"]
    page = (tmp_path / "benchmarks.md").read_text()
    assert found["versions"]["torch"] in page
    assert page.index("## numbers") < page.index("## others")
    assert page.count("count to ten") == 2


def test_sides_take_turns_after_a_warm_up() -> None:
    said: list[str] = []
    took = alternate({"a": lambda: said.append("a"), "b": lambda: said.append("b")}, 3)
    assert said == ["a", "b"] * 4
    assert took["a"].low <= took["a"].seconds <= took["a"].high
