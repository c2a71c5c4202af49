from __future__ import annotations

from typing import Any

import pytest

from benchmarks.compare import lost


def found(ratio: float, *, is_met: bool = True, work: str = "train") -> dict[str, Any]:
    return {
        "rows": [{"work": work, "against": "TRL", "ratio": ratio, "goal": 3.0}],
        "goals": [{"work": "report", "against": "time", "is_met": is_met}],
    }


@pytest.mark.parametrize(
    ("new", "line"),
    [
        (found(5.0), "slower: train | TRL: 10.0x, now 5.0x"),
        (found(10.0, is_met=False), "goal missed: report | time"),
        (found(10.0, work="other"), "gone: train | TRL"),
        ({**found(10.0), "goals": []}, "gone: report | time"),
    ],
)
def test_what_is_lost_is_said(new: dict[str, Any], line: str) -> None:
    assert lost(found(10.0), new) == [line]


def test_a_goal_just_missed_is_said_even_within_the_scatter() -> None:
    assert lost(found(3.2), found(2.9)) == ["goal missed: train | TRL: 2.9x, goal 3x"]


def test_scatter_and_gains_are_no_loss() -> None:
    assert lost(found(10.0), found(9.0)) == []
    assert lost(found(10.0, is_met=False), found(30.0)) == []
