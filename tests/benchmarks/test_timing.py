"""Rivals take turns, each in a process of its own."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

from benchmarks.timing import Side, Workers


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
        took, found = workers.alternate(sides, 3)
        _, again = workers.alternate({"a": sides["a"]}, 1, warm_up=False)
    assert said.read_text() == "ab" * 4 + "a"
    assert took["a"].low <= took["a"].seconds <= took["a"].high < 0.2
    assert [len(each) for each in found.values()] == [3, 3]
    assert len({os.getpid(), *found["a"], *found["b"]}) == 3
    assert again["a"] == found["a"][:1]
