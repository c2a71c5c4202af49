"""What the benchmarks print and write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import Goal, Row, Timing
from benchmarks.page import tables, write

ROW = Row(
    work="count to ten",
    against="a snail",
    ours=Timing(seconds=2.0, low=1.0, high=4.0),
    theirs=Timing(seconds=9.0, low=8.0, high=10.0),
    checked="both said ten",
    goal=3,
    amount=10,
    unit="numbers",
)


def test_ratio_is_how_many_times_faster_we_are() -> None:
    assert ROW.ratio == 4.5


def test_table_has_medians_ranges_speeds_ratio_goal_and_the_check() -> None:
    assert tables([ROW]).splitlines()[-1] == (
        "| count to ten | a snail | 2.00 s (1.00-4.00), 5 numbers/s | 9.00 s (8.00-10.00), "
        "1.11 numbers/s | **4.5x** | 3x | yes | both said ten |"
    )


def test_a_ratio_meets_its_goal_from_the_goal_on_and_without_one_says_nothing() -> None:
    assert replace(ROW, goal=4.5).is_met is True
    assert replace(ROW, goal=4.6).is_met is False
    assert "| **no** |" in tables([replace(ROW, goal=4.6)])
    assert replace(ROW, goal=None).is_met is None
    assert "**4.5x** |  |  | both" in tables([replace(ROW, goal=None)])


def test_goals_have_a_table_of_their_own_and_stand_in_the_file(tmp_path: Path) -> None:
    goal = Goal(work="rows", against="time", value=12345.6, goal=11, unit="s", checked="ten")
    assert tables([goal]).splitlines()[-1] == (
        "| rows | time | **12,346 s** | at most 11 s | **no** | ten |"
    )
    write("report", [goal], tmp_path)
    (written,) = json.loads((tmp_path / "report.json").read_text())["goals"]
    assert (written["value"], written["is_met"]) == (12345.6, False)


def test_the_page_begins_with_all_goals_of_all_parts(tmp_path: Path) -> None:
    share = Goal(
        work="train", against="the limit", value=32.0, goal=40, unit="%", is_upper=False, checked=""
    )
    write("numbers", [ROW, replace(ROW, work="no goal", goal=None)], tmp_path)
    write("training", [share], tmp_path, {"seconds": 90.0, "cpu_seconds": 150.0})
    page = (tmp_path / "benchmarks.md").read_text()
    top = page[: page.index("## numbers")].splitlines()
    assert top[0] == "## goals"
    assert top[2] == "1 of 2 met"
    assert top[6:8] == [
        "| numbers | count to ten | a snail | **4.5x** | at least 3x | yes |",
        "| training | train | the limit | **32 %** | at least 40 % | **no** |",
    ]
    assert "1.5 minutes, 2.5 of a processor" in page


def test_files_name_machine_and_versions(tmp_path: Path) -> None:
    write("numbers", [ROW], tmp_path)
    write("others", [ROW], tmp_path)
    written = json.loads((tmp_path / "numbers.json").read_text())
    assert (written["rows"][0]["ratio"], written["rows"][0]["is_met"]) == (4.5, True)
    assert written["machine"]["processor"]
    assert written["versions"]["torch"]
    page = (tmp_path / "benchmarks.md").read_text()
    assert written["versions"]["torch"] in page
    assert page.index("## numbers") < page.index("## others")
    assert page.count("both said ten") == 2
