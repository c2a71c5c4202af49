"""Rivals take turns, each in a process of its own; commands are measured in one as well."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.harness import Goal, Side, Workers, processor_seconds, run_command

MET: dict[str, Any] = {"work": "rows", "against": "time", "goal": 11, "unit": "s", "checked": "ten"}


def begin(file: Path, name: str) -> tuple[Path, str]:
    time.sleep(0.2)  # is not counted
    return file, name


def say(given: tuple[Path, str]) -> int:
    file, name = given
    with file.open("a") as handle:
        handle.write(name)
    return os.getpid()


def test_sides_take_turns_after_a_warm_up(tmp_path: Path) -> None:
    said = tmp_path / "said"
    sides = {name: Side(prepare=partial(begin, said, name), run=say) for name in "ab"}
    with Workers() as workers:
        took, results = workers.alternate(sides, 3, warm_up=True)
        _, again = workers.alternate({"a": sides["a"]}, 1)
    assert said.read_text() == "ab" * 4 + "a"
    assert took["a"].low <= took["a"].seconds <= took["a"].high < 0.2
    assert [len(rounds) for rounds in results.values()] == [3, 3]
    assert len({os.getpid(), *results["a"], *results["b"]}) == 3
    assert again["a"] == results["a"][:1]


def test_goals_are_met_up_to_the_bound_and_not_beyond() -> None:
    assert Goal(value=11, **MET).is_met
    assert not Goal(value=11.1, **MET).is_met
    assert Goal(value=11, is_upper=False, **MET).is_met
    assert not Goal(value=10.9, is_upper=False, **MET).is_met


def test_child_reports_its_output_time_and_memory_and_a_failure(tmp_path: Path) -> None:
    child = run_command("prepdata", "sources")
    assert "finqa" in child.output
    assert child.cpu_seconds > 0
    assert 5e6 < child.peak_bytes < 1e9
    with pytest.raises(RuntimeError, match="unknown source"):
        run_command("prepdata", "build", "--source", "nothing", "--out", tmp_path / "data")


def test_processor_time_only_grows() -> None:
    before = processor_seconds()
    assert sum(range(10**5)) and processor_seconds() > before
