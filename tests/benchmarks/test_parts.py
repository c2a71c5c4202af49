"""The parts of the benchmarks, as they are named on the command line."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import startup


@pytest.mark.parametrize("part", command.PARTS)
def test_every_part_can_be_run_by_its_name(part: str) -> None:
    assert callable(import_module(f"benchmarks.{part}").measure)


def test_every_module_that_measures_is_a_part() -> None:
    folder = Path(command.__file__).parent
    measuring = {path.stem for path in folder.glob("*.py") if "\ndef measure(" in path.read_text()}
    assert measuring == set(command.PARTS)


def test_all_commands_are_timed() -> None:
    assert "doctor" in startup.commands("tuning")
    assert {"build", "inspect", "sources"} <= set(startup.commands("prepdata"))
