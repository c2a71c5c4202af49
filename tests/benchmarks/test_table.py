"""What the benchmarks print and write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from benchmarks.pages import write
from benchmarks.results import Goal, Row, Share
from benchmarks.table import markdown
from benchmarks.timing import Timing

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
    assert markdown([ROW]).splitlines()[-1] == (
        "| count to ten | a snail | 2.00 s (1.00-4.00), 5 numbers/s | 9.00 s (8.00-10.00), "
        "1.11 numbers/s | **4.5x** | 3x | yes | both said ten |"
    )


def test_a_ratio_meets_its_goal_from_the_goal_on_and_without_one_says_nothing() -> None:
    assert replace(ROW, goal=4.5).is_met is True
    assert replace(ROW, goal=4.6).is_met is False
    assert "| **no** |" in markdown([replace(ROW, goal=4.6)])
    assert replace(ROW, goal=None).is_met is None
    assert "**4.5x** |  |  | both" in markdown([replace(ROW, goal=None)])


def test_shares_have_a_table_of_their_own() -> None:
    share = Share(work="a step", kind="copies", seconds=0.5, share=0.25, most="aten::copy_ 20 %")
    assert markdown([share]).splitlines()[-1] == (
        "| a step | copies | 500.0 ms | **25.0%** | aten::copy_ 20 % |"
    )


def test_the_page_begins_with_all_goals_of_all_parts(tmp_path: Path) -> None:
    share = Goal.at_least(
        work="train", against="the limit", value=32.0, goal=40, unit="%", checked="once"
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
    found = json.loads((tmp_path / "numbers.json").read_text())
    assert (found["rows"][0]["ratio"], found["rows"][0]["is_met"]) == (4.5, True)
    assert found["machine"]["processor"]
    assert found["versions"]["torch"]
    page = (tmp_path / "benchmarks.md").read_text()
    assert found["versions"]["torch"] in page
    assert page.index("## numbers") < page.index("## others")
    assert page.count("both said ten") == 2
